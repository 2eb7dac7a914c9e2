"""The networks of PP-OCR by the name of PaddleOCR's config: ``Architecture`` sections, as YAML would hold them.

Source: PaddleOCR ``configs/det`` and ``configs/rec`` at 79f652f5, PP-OCRv6 at 28ba0e3d. Configs that differ only in
data, dictionary or loss are one entry. ``use_guide`` of the encoders is left off: it changes no parameter, only which
branch trains the backbone, and with weights of an inference file, whose guiding head is untrained, it must be off.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Section = Mapping[str, Any]

_V2_BACKBONE = {"name": "MobileNetV3", "scale": 0.5, "model_name": "large", "disable_se": True}
_RSEFPN = {"name": "RSEFPN", "out_channels": 96, "shortcut": True}
_LKPAN = {"name": "LKPAN", "out_channels": 256}
_SAR = {"SARHead": {"enc_dim": 512, "max_text_length": 25}}


def _det(backbone: Section, neck: Section, **head: Any) -> Section:
    sections = {"Backbone": backbone, "Neck": neck, "Head": {"name": "DBHead", "k": 50, **head}}
    return {"model_type": "det", "algorithm": "DB", "Transform": None, **sections}


def _v6_det(size: str, neck: Section) -> Section:
    backbone = {"name": "PPLCNetV4", "det": True, "model_size": size}
    return _det(backbone, neck, fix_nan=True, aux_in_channels=neck["out_channels"])


def _rep_neck(width: int, kernel: int) -> Section:
    return {"name": "UniRepLKFPN", "out_channels": width, "dilated_kernel_size": kernel, "shortcut": True}


def _crnn(backbone: Section, hidden: int, **head: Any) -> Section:
    neck = {"name": "SequenceEncoder", "encoder_type": "rnn", "hidden_size": hidden}
    sections = {"Backbone": backbone, "Neck": neck, "Head": {"name": "CTCHead", **head}}
    return {"model_type": "rec", "algorithm": "CRNN", "Transform": None, **sections}


def _guided(backbone: Section, neck: Section, guide: Section, ctc: Section | None = None, **head: Any) -> Section:
    branch = {"CTCHead": {"Neck": neck, "Head": {"fc_decay": 0.00001, **(ctc or {})}}}
    multi = {"name": "MultiHead", **head, "head_list": [branch, guide]}
    return {"model_type": "rec", "algorithm": "SVTR_LCNet", "Transform": None, "Backbone": backbone, "Head": multi}


def _svtr(dims: int = 120, hidden: int = 120) -> Section:
    return {"name": "svtr", "dims": dims, "depth": 2, "hidden_dims": hidden, "kernel_size": [1, 3]}


def _light(dims: int, mlp_ratio: float) -> Section:
    return {"name": "lightsvtr", "dims": dims, "depth": 2, "mlp_ratio": mlp_ratio, "local_kernel": 7}


def _nrtr(width: int = 384, longest: int = 25) -> Section:
    return {"NRTRHead": {"nrtr_dim": width, "max_text_length": longest}}


def _svtr_net(channels: int, dims: list[int], depth: list[int], heads: list[int], convolutions: int) -> Section:
    """SVTR for lines of 48 x 320: the first blocks mix by convolution, the others by attention.

    Both configs say ``last_stage: false``, with which the one whose channels change there could not run.
    """
    return {
        "name": "SVTRNet",
        "img_size": [48, 320],
        "out_char_num": 40,
        "out_channels": channels,
        "patch_merging": "Conv",
        "embed_dim": dims,
        "depth": depth,
        "num_heads": heads,
        "mixer": ["Conv"] * convolutions + ["Global"] * (sum(depth) - convolutions),
        "local_mixer": [[5, 5], [5, 5], [5, 5]],
        "last_stage": channels != dims[-1],
        "prenorm": True,
    }


ARCHITECTURES: Mapping[str, Section] = {
    "det_mv3_db": _det(
        {"name": "MobileNetV3", "scale": 0.5, "model_name": "large"}, {"name": "DBFPN", "out_channels": 256}
    ),
    "det_r50_vd_db": _det({"name": "ResNet_vd", "layers": 50}, {"name": "DBFPN", "out_channels": 256}),
    "ch_det_res18_db_v2.0": _det({"name": "ResNet_vd", "layers": 18}, {"name": "DBFPN", "out_channels": 256}),
    "ch_PP-OCRv2_det_student": _det(_V2_BACKBONE, {"name": "DBFPN", "out_channels": 96}),
    "PP-OCRv3_mobile_det": _det(_V2_BACKBONE, _RSEFPN),
    "PP-OCRv3_server_det": _det({"name": "ResNet_vd", "layers": 50}, _LKPAN, kernel_list=[7, 2, 2]),
    "PP-OCRv4_mobile_det": _det({"name": "PPLCNetV3", "scale": 0.75, "det": True}, _RSEFPN, fix_nan=True),
    "PP-OCRv4_server_det": _det(
        {"name": "PPHGNet_small", "det": True},
        {**_LKPAN, "intracl": True},
        name="PFHeadLocal",
        mode="large",
        fix_nan=True,
    ),
    "PP-OCRv5_server_det": _det(
        {"name": "PPHGNetV2_B4", "det": True}, {**_LKPAN, "intracl": True}, name="PFHeadLocal", mode="large"
    ),
    "PP-OCRv6_tiny_det": _v6_det("tiny", _rep_neck(64, 5)),
    "PP-OCRv6_small_det": _v6_det("small", _rep_neck(96, 7)),
    "PP-OCRv6_medium_det": _v6_det("medium", {"name": "RepLKPAN", "out_channels": 256, "intracl": True}),
    "rec_chinese_lite_train_v2.0": _crnn(
        {"name": "MobileNetV3", "scale": 0.5, "model_name": "small", "small_stride": [1, 2, 2, 2]}, 48, fc_decay=0.00001
    ),
    "rec_chinese_common_train_v2.0": _crnn({"name": "ResNet", "layers": 34}, 256, fc_decay=0.00004),
    "ch_PP-OCRv2_rec": _crnn({"name": "MobileNetV1Enhance", "scale": 0.5}, 64, mid_channels=96, fc_decay=0.00002),
    "PP-OCRv3_mobile_rec": _guided(
        {
            "name": "MobileNetV1Enhance",
            "scale": 0.5,
            "last_conv_stride": [1, 2],
            "last_pool_type": "avg",
            "last_pool_kernel_size": [2, 2],
        },
        {"name": "svtr", "dims": 64, "depth": 2, "hidden_dims": 120},
        _SAR,
    ),
    "PP-OCRv4_mobile_rec": _guided({"name": "PPLCNetV3", "scale": 0.95}, _svtr(), _nrtr()),
    "PP-OCRv4_server_rec": _guided({"name": "PPHGNet_small"}, _svtr(), _nrtr()),
    "PP-OCRv4_mobile_rec_distillation.Teacher": _guided(
        _svtr_net(192, [64, 128, 256], [3, 6, 3], [2, 4, 8], 6), _svtr(), _nrtr()
    ),
    "ch_PP-OCRv4_rec_svtr_large": _guided(
        _svtr_net(512, [192, 256, 512], [6, 6, 9], [6, 8, 16], 9),
        _svtr(256, 256),
        _nrtr(512, 40),
        use_pool=True,
        use_pos=True,
    ),
    "PP-OCRv5_server_rec": _guided({"name": "PPHGNetV2_B4", "text_rec": True}, _svtr(), _nrtr()),
    "PP-OCRv6_tiny_rec": _guided(
        {"name": "PPLCNetV4", "model_size": "tiny"},
        {"name": "reshape"},
        _nrtr(),
        {"mid_channels": 80, "use_guide": True},
    ),
    "PP-OCRv6_small_rec": _guided({"name": "PPLCNetV4", "model_size": "small"}, _light(120, 2.0), _nrtr()),
    "PP-OCRv6_medium_rec": _guided({"name": "PPLCNetV4", "model_size": "medium"}, _light(192, 4.0), _nrtr(512)),
}
"""PP-OCRv5's mobile models are PP-OCRv4's networks; the teacher of v2's distillation is ``ch_det_res18_db_v2.0``."""
