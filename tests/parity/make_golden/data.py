"""What real PaddleOCR (79f652f5) makes of text crops when it warps them.

    python data.py --paddleocr CHECKOUT --shared DATA --out tests/parity/golden

Needs numpy and opencv. Writes data.npz: for each case the source and target points and the warped crop of
``data_inputs.crop``. DATA is not used.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent))
import data_inputs as inputs
from import_paddleocr import use_checkout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--paddleocr", type=Path, required=True)
    parser.add_argument("--shared", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    use_checkout(arguments.paddleocr)
    from ppocr.data.imaug.text_image_aug import augment

    captured: dict[str, np.ndarray] = {}

    class Recorder(augment.WarpMLS):
        def __init__(self, src, src_pts, dst_pts, width, height):
            captured.update(source=np.array(src_pts, float), target=np.array(dst_pts, float))
            super().__init__(src, src_pts, dst_pts, width, height)

    augment.WarpMLS = Recorder
    arrays = {}
    for name, size in inputs.SIZES.items():
        for kind in ("distort", "stretch", "perspective"):
            np.random.seed(inputs.SEED)
            image = inputs.crop(*size)
            warped = getattr(augment, f"tia_{kind}")(image, *(() if kind == "perspective" else (4,)))
            arrays.update({f"{name}/{kind}/{key}": value for key, value in captured.items()})
            arrays[f"{name}/{kind}/warped"] = warped
    np.savez_compressed(arguments.out / "data.npz", **{key.replace("/", "|"): value for key, value in arrays.items()})


if __name__ == "__main__":
    main()
