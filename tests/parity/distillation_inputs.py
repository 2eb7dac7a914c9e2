"""Cases of the distillation losses' parity test, the same on both sides: numpy and plain YAML values only.

A case is a ``loss_config_list`` as PaddleOCR's configs write it, for the outputs of one kind of networks.
"""

from copy import deepcopy
from typing import Any

import numpy as np

IMAGES, SIZE, STEPS, CLASSES, COLUMNS = 3, 64, 12, 30, (8, 1, 12)
LENGTHS = (5, 2, 7)
LABEL = 10  # columns of a label
SAR_PADDING = CLASSES + 1  # tools/train.py puts it into the loss
BOTH = [["Student", "Teacher"]]
MULTI = {"key": "head_out", "multi_head": True}


def named(loss: str, weight: float = 1.0, **options: Any) -> dict[str, dict[str, Any]]:
    """One entry of ``loss_config_list``."""
    return {loss: {"weight": weight, **options}}


V3_DML = {"act": "softmax", "use_log": True, "model_name_pairs": BOTH, **MULTI}
V2_REC = [
    named("DistillationCTCLoss", model_name_list=["Student", "Teacher"], key="head_out"),
    named("DistillationDMLLoss", act="softmax", use_log=True, model_name_pairs=BOTH, key="head_out"),
    named("DistillationDistanceLoss", mode="l2", model_name_pairs=BOTH, key="backbone_out"),
]
V3_REC = [
    named("DistillationDMLLoss", **V3_DML, dis_head="ctc", name="dml_ctc"),
    named("DistillationDMLLoss", 0.5, **V3_DML, dis_head="sar", name="dml_sar"),
    named("DistillationDistanceLoss", mode="l2", model_name_pairs=BOTH, key="backbone_out"),
    named("DistillationCTCLoss", model_name_list=["Student", "Teacher"], **MULTI),
    named("DistillationSARLoss", model_name_list=["Student", "Teacher"], ignore_index=SAR_PADDING, **MULTI),
]
DKD = {"alpha": 1.0, "beta": 2.0, "dis_head": "gtc", "name": "dkd", "model_name_pairs": BOTH, **MULTI}
V4_REC = [
    named("DistillationDKDLoss", 0.1, **DKD),
    named("DistillationCTCLoss", model_name_list=["Student"], **MULTI),
    named("DistillationNRTRLoss", smoothing=False, model_name_list=["Student"], **MULTI),
    named("DistillCTCLogits", reduction="mean", model_name_pairs=BOTH, key="head_out"),
]
DB = {"balance_loss": True, "main_loss_type": "DiceLoss", "alpha": 5, "beta": 10, "ohem_ratio": 3}
DILA_DB = {"key": "maps", **DB}
DML_MAPS = {"maps_name": "thrink_maps", "key": "maps"}
CML = [
    named("DistillationDilaDBLoss", model_name_pairs=[["Student", "Teacher"], ["Student2", "Teacher"]], **DILA_DB),
    named("DistillationDMLLoss", model_name_pairs=["Student", "Student2"], **DML_MAPS),
    named("DistillationDBLoss", model_name_list=["Student", "Student2"], **DB),
]

CASES: dict[str, tuple[str, list[dict[str, dict[str, Any]]]]] = {
    "v2_rec": ("ctc", V2_REC),
    "v2_ctc": ("ctc", V2_REC[:1]),
    "v2_dml": ("ctc", V2_REC[1:2]),
    "dml_softmax_mean": ("ctc", [named("DistillationDMLLoss", act="softmax", model_name_pairs=BOTH, key="head_out")]),
    "dml_sigmoid_log": (
        "ctc",
        [named("DistillationDMLLoss", act="sigmoid", use_log=True, model_name_pairs=BOTH, key="head_out")],
    ),
    "distance_l2": ("ctc", V2_REC[2:]),
    "distance_l1": (
        "ctc",
        [named("DistillationDistanceLoss", mode="l1", model_name_pairs=BOTH, key="backbone_out")],
    ),
    "distance_smooth_l1": (
        "ctc",
        [named("DistillationDistanceLoss", mode="smooth_l1", model_name_pairs=BOTH, key="backbone_out")],
    ),
    "kl_div": ("ctc", [named("DistillationKLDivLoss", model_name_pairs=BOTH, key="head_out")]),
    "v3_rec": ("sar", V3_REC),
    "v4_rec": ("gtc", V4_REC),
    "v4_dkd": ("gtc", V4_REC[:1]),
    "dkd_temperature": ("gtc", [named("DistillationDKDLoss", **{**DKD, "temperature": 4.0})]),
    "v4_ctc_logits": ("gtc", V4_REC[3:]),
    "v4_nrtr": ("gtc", V4_REC[2:3]),
    "nrtr_smoothing": ("gtc", [named("DistillationNRTRLoss", model_name_list=["Student", "Teacher"], **MULTI)]),
    "kl_div_gtc": ("gtc", [named("DistillationKLDivLoss", model_name_pairs=BOTH, dis_head="gtc", **MULTI)]),
    "det_cml": ("det", CML),
    "det_cml_blank_teacher": ("blank", CML),
    "det_dila_db": ("det", CML[:1]),
    "det_dml": ("det", CML[1:2]),
    "det_dml_threshold": (
        "det",
        [named("DistillationDMLLoss", model_name_pairs=BOTH, maps_name="threshold_maps", key="maps")],
    ),
    "det_db": ("det", CML[2:]),
}

CRNN = {
    "return_all_feats": True,
    "model_type": "rec",
    "algorithm": "CRNN",
    "Transform": None,
    "Backbone": {"name": "MobileNetV1Enhance", "scale": 0.5},
    "Neck": {"name": "SequenceEncoder", "encoder_type": "rnn", "hidden_size": 64},
    "Head": {"name": "CTCHead", "mid_channels": 96, "fc_decay": 0.00002},
}
DB_STUDENT = {
    "model_type": "det",
    "algorithm": "DB",
    "Backbone": {"name": "MobileNetV3", "scale": 0.5, "model_name": "large", "disable_se": True},
    "Neck": {"name": "DBFPN", "out_channels": 96},
    "Head": {"name": "DBHead", "k": 50},
}
DB_TEACHER = {
    "freeze_params": True,
    "model_type": "det",
    "algorithm": "DB",
    "Backbone": {"name": "ResNet_vd", "layers": 18},
    "Neck": {"name": "DBFPN", "out_channels": 256},
    "Head": {"name": "DBHead", "k": 50},
}
MODELS: dict[str, dict[str, Any]] = {
    "v2_rec": {"model_type": "rec", "Models": {"Teacher": CRNN, "Student": CRNN}},
    "det_cml": {
        "model_type": "det",
        "Models": {"Teacher": DB_TEACHER, "Student": DB_STUDENT, "Student2": DB_STUDENT},
    },
}
"""Whole distillations of PP-OCRv2, trained by the case of the same name."""


def image(task: str) -> np.ndarray:
    """A random normalised batch."""
    shape = (IMAGES, 3, SIZE, SIZE) if task == "det" else (IMAGES, 3, 32, 100)
    return np.random.default_rng(11).normal(0, 1, shape).astype(np.float32)


def gradient_numbers(gradient: np.ndarray) -> np.ndarray:
    """Two numbers that pin a parameter's gradient: the sum of magnitudes, and a sum with changing signs."""
    flat = np.asarray(gradient, np.float64).ravel()
    return np.array([np.abs(flat).sum(), flat @ np.cos(np.arange(flat.size))])


def loss_config_list(case: str) -> list[dict[str, dict[str, Any]]]:
    """A copy that may be changed: PaddleOCR takes the weights out."""
    return deepcopy(CASES[case][1])


def outputs(kind: str) -> dict[str, dict[str, np.ndarray]]:
    """Network -> its outputs, float32.

    det, blank: ``maps`` (N, 3, S, S) in 0..1, the teacher of ``blank`` seeing no text. ctc: ``ctc`` (N, T, C) logits
    and ``backbone_out``. sar, gtc: also the logits of the guiding head.
    """
    rng = np.random.default_rng(len(kind) + 5)
    found: dict[str, dict[str, np.ndarray]] = {}
    if kind in ("det", "blank"):
        truth = np.stack([labels(kind)["shrink_map"]] * 3, axis=1)
        for network in ("Student", "Student2", "Teacher"):
            maps = 1 / (1 + np.exp(-(truth * 5 - 2.5 + rng.normal(0, 1.3, truth.shape))))
            found[network] = {"maps": maps * 0.25 if (kind, network) == ("blank", "Teacher") else maps}
    else:
        shared = rng.normal(0, 2, (IMAGES, STEPS, CLASSES))
        shared[:, :, 0] += 3
        for network in ("Student", "Teacher"):
            found[network] = {
                "ctc": shared + rng.normal(0, 0.7, shared.shape),
                "backbone_out": rng.normal(0, 1, (IMAGES, *COLUMNS)),
            }
            if kind == "gtc":
                found[network]["gtc"] = rng.normal(0, 2, (IMAGES, max(LENGTHS) + 1, CLASSES + 4))
            if kind == "sar":
                found[network]["sar"] = rng.normal(0, 2, (IMAGES, LABEL, SAR_PADDING))
    return {name: {key: v.astype(np.float32) for key, v in parts.items()} for name, parts in found.items()}


def labels(kind: str) -> dict[str, np.ndarray]:
    """Targets by ocrtune's names."""
    rng = np.random.default_rng(3)
    if kind in ("det", "blank"):
        shrink = np.zeros((IMAGES, SIZE, SIZE), np.float32)
        shrink[0, 6:14, 4:30] = shrink[1, 20:25, 10:22] = shrink[1, 30:36, 2:39] = 1
        mask = (rng.random(shrink.shape) < 0.9).astype(np.float32)
        threshold = rng.uniform(0.3, 0.7, shrink.shape).astype(np.float32)
        threshold_mask = (rng.random(shrink.shape) < 0.3).astype(np.float32)
        return {
            "threshold_map": threshold,
            "threshold_mask": threshold_mask,
            "shrink_map": shrink,
            "shrink_mask": mask,
        }
    texts = [list(rng.integers(1, CLASSES, n)) for n in LENGTHS]
    found = {"ctc": padded(texts, 0, LABEL), "length": np.array(LENGTHS)}
    if kind == "gtc":
        found["nrtr"] = padded([[2, *(c + 3 for c in text), 3] for text in texts], 0, LABEL)
    if kind == "sar":
        found["sar"] = padded([[CLASSES, *text, CLASSES] for text in texts], SAR_PADDING, LABEL)
    return found


def padded(rows: list[list[int]], padding: int, length: int) -> np.ndarray:
    """(N, length) int64."""
    array = np.full((len(rows), length), padding, np.int64)
    for row, values in zip(array, rows):
        row[: len(values)] = values
    return array
