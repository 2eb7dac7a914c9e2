"""The parity table of docs/parity.md, measured anew: ``python tests/parity/zoo_table.py [--write]``.

Needs no Paddle: it compares with the golden numbers that make_golden/zoo.py got from real PaddleOCR. With ``--write``
it replaces the table in docs/parity.md; otherwise it prints it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from tqdm import tqdm
from zoo_architectures import ZOO
from zoo_compare import Differences, compare, index

PAGE = Path(__file__).parents[2] / "docs" / "parity.md"
START, END = "<!-- table: python tests/parity/zoo_table.py --write -->\n", "<!-- end of the table -->\n"
HEAD = "| architecture | configs | parameters | output | loss | gradients |\n|---|---|---|---|---|---|\n"


def row(name: str, found: Differences) -> str:
    """One line; a count that differs from PaddleOCR's is said."""
    theirs = index()["architectures"][name]["parameters"]
    count = f"{found.parameters:,}" if found.parameters == theirs else f"{found.parameters:,}, not {theirs:,}"
    files = sum(name in names for names in index()["files"].values())
    differences = " | ".join(f"{value:.0e}" for value in (found.output, found.loss, found.gradient))
    return f"| {name} | {files} | {count} | {differences} |\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the table into docs/parity.md")
    arguments = parser.parse_args()
    table = HEAD + "".join(row(name, compare(name)) for name in tqdm(ZOO, unit="network"))
    if not arguments.write:
        print(table, end="")
        return
    before, rest = PAGE.read_text(encoding="utf-8").split(START)
    PAGE.write_text(f"{before}{START}{table}{END}{rest.split(END)[1]}", encoding="utf-8")


if __name__ == "__main__":
    main()
