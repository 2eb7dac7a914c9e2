"""What ``write.py`` wrote, loaded by real PaddleOCR: ``python load.py FOLDER PADDLEOCR_79F652F5 [--later 3.7]``.

For every network of PaddleOCR's configs its own ``load_pretrained_params`` reads our ``.pdparams``. No key may be
missing or unexpected, no shape may differ; then the output, and the loss of one training step, must be the golden ones
of the zoo (1e-4 relative), and the step must leave finite weights. Needs paddlepaddle 3.3.1. Exit code 1 where a
network fails.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "make_golden"))
import zoo
from zoo import inputs

TOLERANCE = 1e-4


def check(architecture: dict, loss: dict, file: Path, golden: dict[str, np.ndarray]) -> tuple[list[str], str]:
    """What is wrong with ``file`` in PaddleOCR's eyes, and the numbers found."""
    import paddle
    from ppocr.utils.save_load import load_pretrained_params

    network, criterion = zoo.build(architecture, loss)
    zoo.without_dropout(network)
    state, ours = network.state_dict(), paddle.load(str(file))
    wrong = [f"missing {name}" for name in state if name not in ours]
    wrong += [f"unexpected {name}" for name in ours if name not in state]
    wrong += [f"shape of {name}" for name in ours if name in state and list(ours[name].shape) != state[name].shape]
    load_pretrained_params(network, str(file))
    shape = zoo.image_shape(architecture)
    image, labels = zoo.tensor(inputs.image(shape)), zoo.batch(architecture, loss, shape)
    network.eval()
    with paddle.no_grad():
        found = network(image)
    output = inputs.thinned((found["maps"] if isinstance(found, dict) else found).numpy())
    output_error = float(np.abs(output - golden["output"]).max() / np.abs(golden["output"]).max())
    network.train()
    value = criterion(network(image, labels[1:]), labels)["loss"]
    loss_error = abs(float(value) - float(golden["loss"])) / abs(float(golden["loss"]))
    value.backward()
    paddle.optimizer.Adam(1e-4, parameters=network.parameters()).step()
    wrong += [f"not finite after a step: {n}" for n, p in network.named_parameters() if not bool(p.isfinite().all())]
    if not max(output_error, loss_error) < TOLERANCE:
        wrong.append("other numbers")
    return wrong, f"{len(ours)} keys, output {output_error:.0e}, loss {loss_error:.0e}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="what write.py wrote")
    parser.add_argument("paddleocr", type=Path, help="checkout at 79f652f5")
    parser.add_argument("--later", type=Path, help="checkout of 3.7 or later, for PP-OCRv6")
    parser.add_argument("--is-later", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    import paddle

    sys.path.insert(0, str(arguments.paddleocr))
    paddle.set_device("cpu")
    cases: dict[str, Any]
    cases, _ = zoo.collect(arguments.paddleocr, arguments.is_later)
    failed = 0
    for name, (architecture, loss) in cases.items():
        with np.load(zoo.GOLDEN / f"{name}.npz") as stored:
            golden = dict(stored)
        wrong, numbers = check(architecture, loss, arguments.folder / f"{name}.pdparams", golden)
        print(f"{name}: {'; '.join(wrong) or 'no key missing or unexpected'}, {numbers}", flush=True)
        failed += bool(wrong)
    print(f"{len(cases) - failed} of {len(cases)} networks")
    if arguments.later:  # another checkout of the same package: another process
        command = [sys.executable, __file__, arguments.folder, arguments.later, "--is-later"]
        failed += subprocess.run(list(map(str, command)), check=False).returncode
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
