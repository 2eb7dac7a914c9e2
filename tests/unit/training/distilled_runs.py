"""The tiny configs of ``tiny_runs``, with several networks instead of one."""

from pathlib import Path

from tiny_runs import det_config, rec_config

from ocrtune.config import RunConfig

_CRNN = """
  return_all_feats: true
  model_type: rec
  algorithm: CRNN
  Backbone: {name: MobileNetV1Enhance, scale: 0.125}
  Neck: {name: SequenceEncoder, encoder_type: rnn, hidden_size: 24}
  Head: {name: CTCHead, mid_channels: 24, fc_decay: 0.00002}
"""
_DB = """
  model_type: det
  algorithm: DB
  Backbone: {name: MobileNetV3, scale: 0.35, model_name: small, disable_se: true}
  Neck: {name: DBFPN, out_channels: 16}
  Head: {name: DBHead, k: 50}
"""
_REC_LOSS = """
name: CombinedLoss
loss_config_list:
- DistillationCTCLoss: {weight: 1.0, model_name_list: [Student, Teacher], key: head_out}
- DistillationDMLLoss: {weight: 1.0, act: softmax, use_log: true, model_name_pairs: [[Student, Teacher]], key: head_out}
- DistillationDistanceLoss: {weight: 1.0, mode: l2, model_name_pairs: [[Student, Teacher]], key: backbone_out}
"""
_DET_LOSS = """
name: CombinedLoss
loss_config_list:
- DistillationDilaDBLoss: {weight: 1.0, model_name_pairs: [[Student, Teacher], [Student2, Teacher]], key: maps}
- DistillationDMLLoss: {weight: 1.0, maps_name: thrink_maps, model_name_pairs: [Student, Student2], key: maps}
- DistillationDBLoss: {weight: 1.0, model_name_list: [Student, Student2], alpha: 5, beta: 10}
"""
_REC_METRIC = "Metric={name: DistillationMetric, base_metric_name: RecMetric, main_indicator: acc, key: Student}"
_DET_METRIC = "Metric={name: DistillationMetric, base_metric_name: DetMetric, main_indicator: hmean, key: Student}"


def distilled_rec(folder: Path, epochs: int, *overrides: str, run: str = "run") -> RunConfig:
    """Two equal recognisers that learn together, as in ch_PP-OCRv2_rec_distillation.yml."""
    several = (
        f"Architecture={_models('rec', {'Teacher': _CRNN, 'Student': _CRNN})}",
        f"Loss={_REC_LOSS}",
        "PostProcess={name: DistillationCTCLabelDecode, model_name: [Student, Teacher], key: head_out}",
        _REC_METRIC,
    )
    return rec_config(folder, epochs, *several, *overrides, run=run)


def distilled_det(folder: Path, epochs: int, *overrides: str, run: str = "run") -> RunConfig:
    """Two detectors that learn together and from a frozen teacher, as in ch_PP-OCRv2_det_cml.yml."""
    teacher = f"{_DB}  freeze_params: true\n"
    several = (
        f"Architecture={_models('det', {'Teacher': teacher, 'Student': _DB, 'Student2': _DB})}",
        f"Loss={_DET_LOSS}",
        "PostProcess={name: DistillationDBPostProcess, model_name: [Student, Student2, Teacher], box_thresh: 0.5}",
        _DET_METRIC,
    )
    return det_config(folder, epochs, *several, *overrides, run=run)


def _models(task: str, networks: dict[str, str]) -> str:
    text = f"name: DistillationModel\nalgorithm: Distillation\nmodel_type: {task}\nModels:\n"
    for name, section in networks.items():
        text += f" {name}:{section.rstrip()}\n"
    return text
