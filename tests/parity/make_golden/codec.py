"""What real PaddleOCR (79f652f5) makes of images, polygons, probability maps and texts.

    python codec.py --paddleocr CHECKOUT --shared DATA --det-onnx PP-OCRv6_det_small.onnx --out tests/parity/golden

Needs paddlepaddle 3.3.1, numpy < 2.4, onnxruntime, opencv-python-headless 4, shapely, pyclipper. DATA holds icdar2015
and wire_markers; the ONNX file is the one inside the rapidocr 3.10.0 wheel. Writes codec.npz and codec.json.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent))
import codec_inputs as inputs
from import_paddleocr import use_checkout

REAL_IMAGES = (("icdar2015", 7, 960), ("icdar2015", 12, 960), ("wire_markers", 0, 320), ("wire_markers", 40, 320))
ENCODE_SIZE = (96, 128)


def encode_cases(shared: Path) -> dict:
    icdar, wire = shared / "icdar2015" / "test.txt", shared / "wire_markers" / "test.txt"
    return {
        "random4": (*inputs.random_polygons(1, 4, ENCODE_SIZE, 6), 0.4, 8),
        "random6": (*inputs.random_polygons(2, 6, ENCODE_SIZE, 5), 0.4, 8),
        "seal": (*inputs.random_polygons(3, 8, ENCODE_SIZE, 4), 0.8, 4),
        "icdar2015": (*inputs.real_polygons(icdar, 7, 0.1), 0.4, 3),
        "wire_markers": (*inputs.real_polygons(wire, 3, 0.9), 0.4, 8),
    }


def encode(cases: dict, arrays: dict) -> None:
    from ppocr.data.imaug.make_border_map import MakeBorderMap
    from ppocr.data.imaug.make_shrink_map import MakeShrinkMap

    for name, (polygons, ignore, ratio, smallest) in cases.items():
        data = {"image": np.zeros((*ENCODE_SIZE, 3), np.uint8), "polys": polygons.copy(), "ignore_tags": ignore.copy()}
        data = MakeShrinkMap(smallest, ratio)(MakeBorderMap(ratio, 0.3, 0.7)(data))
        arrays |= {f"encode/{name}/polygons": polygons, f"encode/{name}/ignore": ignore}
        arrays[f"encode/{name}/settings"] = np.array([ratio, smallest])
        for key in ("shrink_map", "shrink_mask", "threshold_mask"):
            arrays[f"encode/{name}/{key}"] = data[key].astype(np.uint8)
        arrays[f"encode/{name}/threshold_map"] = data["threshold_map"]


def probability_maps(shared: Path, onnx: Path) -> dict:
    """(H, W) uint8 maps (probability times 255) and the size of the image each belongs to."""
    import onnxruntime
    from ppocr.data.imaug.operators import DetResizeForTest, NormalizeImage

    session = onnxruntime.InferenceSession(str(onnx), providers=["CPUExecutionProvider"])
    maps = {f"noise{i}": (inputs.noise_map(i, (160, 224)), (319, 460)) for i in range(2)}
    for name, line, side in REAL_IMAGES:
        path = (shared / name / "test.txt").read_text(encoding="utf-8").split("\n")[line].split("\t")[0]
        picture = cv2.imread(str(shared / name / path))
        data = DetResizeForTest(limit_side_len=side, limit_type="max")({"image": picture})
        tensor = NormalizeImage(order="hwc")(data)["image"].transpose(2, 0, 1)[None].astype(np.float32)
        prob = session.run(None, {session.get_inputs()[0].name: tensor})[0][0, 0]
        maps[f"{name}{line}"] = (np.round(prob * 255).astype(np.uint8), picture.shape[:2])
    return maps


def decode(maps: dict, arrays: dict) -> None:
    from ppocr.postprocess.db_postprocess import DBPostProcess
    from tools.infer.predict_det import TextDetector

    detector = TextDetector.__new__(TextDetector)
    for name, (levels, size) in maps.items():
        arrays |= {f"decode/{name}/map": levels, f"decode/{name}/size": np.array(size)}
        prob = levels.astype(np.float32) / np.float32(255)
        for setting, options in inputs.DECODE_SETTINGS.items():
            post = DBPostProcess(**{"box_thresh": 0.6, "unclip_ratio": 1.5, **options})
            bitmap = prob > post.thresh
            if post.dilation_kernel is not None:
                bitmap = cv2.dilate(bitmap.astype(np.uint8), post.dilation_kernel)
            poly = post.box_type == "poly"
            find = post.polygons_from_bitmap if poly else post.boxes_from_bitmap
            clean = detector.filter_tag_det_res_only_clip if poly else detector.filter_tag_det_res
            pairs = [(clean([box], size), score) for box, score in zip(*find(prob, bitmap, size[1], size[0]))]
            kept = [(box[0], score) for box, score in pairs if len(box)]
            rows = [
                np.column_stack([np.full(len(box), i), np.full(len(box), s), box]) for i, (box, s) in enumerate(kept)
            ]
            # one row per corner: number of the box, score, x, y
            arrays[f"decode/{name}/{setting}"] = np.concatenate([np.zeros((0, 4)), *rows]).astype(np.float32)


def preprocess(arrays: dict) -> None:
    from ppocr.data.imaug.operators import DetResizeForTest, NormalizeImage
    from ppocr.data.imaug.rec_img_aug import RecResizeImg
    from tools.infer.predict_rec import TextRecognizer
    from tools.infer.utility import get_rotate_crop_image

    normalise = NormalizeImage(scale="1./255.", order="hwc")
    for name, options in inputs.RESIZES.items():
        found = [DetResizeForTest(**options)({"image": inputs.image(*size)}) for size in inputs.IMAGE_SIZES]
        tensors = [normalise(data)["image"].transpose(2, 0, 1) for data in found]
        arrays[f"det/{name}/shape"] = np.array([[*x.shape, *data["shape"]] for x, data in zip(tensors, found)])
        arrays[f"det/{name}/values"] = np.stack([inputs.sampled(x) for x in tensors])
    reader = TextRecognizer.__new__(TextRecognizer)
    reader.rec_algorithm, reader.use_onnx = "SVTR_LCNet", False
    crops = [inputs.image(*size) for size in inputs.CROP_SIZES]
    for height in (32, 48):
        reader.rec_image_shape = [3, height, 320]
        tensors = [reader.resize_norm_img(crop, max(320 / height, crop.shape[1] / crop.shape[0])) for crop in crops]
        arrays[f"rec/{height}/shape"] = np.array([x.shape for x in tensors])
        arrays[f"rec/{height}/values"] = np.stack([inputs.sampled(x) for x in tensors])
        for padding in (True, False):
            found = [RecResizeImg([3, height, 320], padding=padding)({"image": crop}) for crop in crops]
            arrays[f"squeeze/{height}/{padding}/values"] = np.stack([inputs.sampled(data["image"]) for data in found])
            arrays[f"squeeze/{height}/{padding}/ratio"] = np.array([data["valid_ratio"] for data in found])
    found = [get_rotate_crop_image(inputs.image(120, 140), np.array(quad, np.float32)) for quad in inputs.QUADS]
    arrays["crop/shape"] = np.array([crop.shape for crop in found])
    arrays["crop/values"] = np.stack([inputs.sampled(crop) for crop in found])


def texts() -> dict:
    from ppocr.data.imaug.label_ops import CTCLabelEncode, NRTRLabelEncode
    from ppocr.postprocess.rec_postprocess import CTCLabelDecode, NRTRLabelDecode

    found: dict = {}
    with tempfile.TemporaryDirectory() as folder:
        dictionary = str(Path(folder) / "keys.txt")
        Path(dictionary).write_text("a\nb\nc\nd\né\n", encoding="utf-8")
        settings = {"character_dict_path": dictionary, "use_space_char": True}
        labels = ["a b", "ddcc", "é  a", "axb"]
        ctc = [CTCLabelEncode(10, **settings)({"label": label}) for label in labels]
        nrtr = [NRTRLabelEncode(10, **settings)({"label": label}) for label in labels]
        found["labels"] = labels
        found["ctc ids"] = [row["label"][: int(row["length"])].tolist() for row in ctc]
        found["nrtr ids"] = [row["label"].tolist() for row in nrtr]
        found["ctc texts"] = [CTCLabelDecode(**settings)(inputs.ctc_case(seed)) for seed in range(3)]
        found["nrtr texts"] = NRTRLabelDecode(**settings).decode(np.stack([row["label"] for row in nrtr])[:, 1:])
        found["nrtr classes"] = len(NRTRLabelDecode(**settings).character)
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("paddleocr", "shared", "det-onnx", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    arguments = parser.parse_args()
    use_checkout(arguments.paddleocr)
    arrays: dict[str, np.ndarray] = {}
    encode(encode_cases(arguments.shared), arrays)
    decode(probability_maps(arguments.shared, arguments.det_onnx), arrays)
    preprocess(arrays)
    np.savez_compressed(arguments.out / "codec.npz", **{key.replace("/", "|"): value for key, value in arrays.items()})
    with open(arguments.out / "codec.json", "w", encoding="utf-8") as file:
        json.dump(texts(), file, ensure_ascii=False, indent=1)


if __name__ == "__main__":
    main()
