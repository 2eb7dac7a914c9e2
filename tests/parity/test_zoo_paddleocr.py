"""Every architecture of PaddleOCR's PP-OCR configs against real PaddleOCR on Paddle (make_golden/zoo.py).

The same weights, made from names: equal are the number of parameters, their names and shapes, the output in eval mode,
the loss in train mode and the gradient of every parameter. Both sides run in float64, so that what is left is not
rounding: the bar is 1e-4, what is measured is in docs/parity.md.
"""

from pathlib import Path

import pytest
from zoo_architectures import ZOO
from zoo_compare import GOLDEN, compare, index
from zoo_table import END, HEAD, PAGE, START

pytestmark = pytest.mark.parity
BAR = 1e-4
CONFIGS = 56


@pytest.mark.parametrize("name", sorted(ZOO))
def test_equals_paddleocr(name: str) -> None:
    found = compare(name)
    assert found.names == []
    assert found.parameters == index()["architectures"][name]["parameters"]
    assert max(found.output, found.loss, found.gradient) < BAR, str(found)


def test_every_config_has_its_architectures() -> None:
    files = index()["files"]
    assert len(files) == CONFIGS
    assert {name for names in files.values() for name in names} == set(ZOO) == set(index()["architectures"])
    assert {path.stem for path in GOLDEN.glob("*.npz")} == set(ZOO)


def test_the_configs_are_those_of_paddleocr(shared: Path) -> None:
    folder = shared / "paddleocr-configs"
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*.y*ml")} == set(index()["files"])


def test_the_table_in_the_docs_has_every_architecture() -> None:
    lines = PAGE.read_text(encoding="utf-8").split(START)[1].split(END)[0].removeprefix(HEAD).splitlines()
    counts = {line.split(" | ")[0].removeprefix("| "): line.split(" | ")[2] for line in lines}
    assert counts == {name: f"{index()['architectures'][name]['parameters']:,}" for name in ZOO}


def test_no_output_is_saturated() -> None:
    spreads = {name: entry["spread"]["std"] for name, entry in index()["architectures"].items()}
    assert min(spreads.values()) > 0.005, spreads
