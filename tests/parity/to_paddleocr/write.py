"""Every network of the zoo, filled with its seeded weights, as ``FOLDER/NAME.pdparams``: ``python write.py FOLDER``.

``load.py`` beside this file opens them with real PaddleOCR.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from zoo_architectures import ZOO
from zoo_compare import Golden, built, fill

from ocrtune.weights.pdparams import write_pdparams
from ocrtune.weights.to_paddle import paddle_state


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name in ZOO:
        network, _ = built(name)
        fill(network, Golden.read(name))
        write_pdparams(folder / f"{name}.pdparams", paddle_state(network))
    print(f"{len(ZOO)} files in {folder}")


if __name__ == "__main__":
    main()
