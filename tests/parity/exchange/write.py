"""Every network of the zoo, filled with its seeded weights, as ``FOLDER/NAME.pdparams``: ``python write.py FOLDER``.

And the released PP-OCRv2 recogniser as ``released.pdparams``. ``load.py`` and ``save_distillation.py`` beside this file
open them with real PaddleOCR.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from zoo_architectures import ZOO
from zoo_compare import Golden, built, fill

from ocrtune.weights.pdparams import write_pdparams
from ocrtune.weights.released import load_released
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
    write_pdparams(folder / "released.pdparams", paddle_state(load_released("PP-OCRv2_rec")[0]))
    print(f"{len(ZOO) + 1} files in {folder}")


if __name__ == "__main__":
    main()
