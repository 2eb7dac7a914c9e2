"""Distance of each step's features to the centre of the class that the step reads.

Source: Wen et al., "A Discriminative Feature Learning Approach for Deep Face Recognition" (ECCV 2016); PaddleOCR
ppocr/losses/center_loss.py at 79f652f5. As there, the centres stay as they are: they come from a file that PaddleOCR's
``tools/export_center.py`` wrote, or are drawn at random.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ocrtune.core.array_pickle import read_pickle
from ocrtune.core.errors import Problem, TrainingError, WeightsError
from ocrtune.losses.registry import losses

_LEAST, _MOST = 1e-12, 1e12
_SEED = 0  # random centres are the same in a resumed run


@dataclass(frozen=True)
class CenterLossOptions:
    """num_classes: at least the classes of the CTC head. feat_dim: width of the features that its classifier reads.

    center_file_path: a pickled dict, class number -> (feat_dim,); classes that it lacks, or all without a file, get
        centres from a normal distribution, as in PaddleOCR.
    """

    num_classes: int = 6625
    feat_dim: int = 96
    center_file_path: Path | None = None


@losses.register("CenterLoss", CenterLossOptions)
class CenterLoss(nn.Module):
    """Mean over all steps of the squared distance between features and the centre of the most probable class.

    outputs: ``ctc`` (N, T, C) logits, ``ctc_neck`` (N, T, feat_dim). targets: none.
    Raises WeightsError for a centre file that does not fit, TrainingError when the head gives no or other features.
    """

    centers: Tensor

    def __init__(self, options: CenterLossOptions):
        super().__init__()
        generator = torch.Generator().manual_seed(_SEED)
        centers = torch.randn(options.num_classes, options.feat_dim, generator=generator)
        if options.center_file_path is not None:
            for number, center in read_centers(options.center_file_path, tuple(centers.shape)).items():
                centers[number] = center
        self.register_buffer("centers", centers)

    def forward(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
        features = self._features(outputs).float().flatten(0, 1)
        centers = self.centers[outputs["ctc"].argmax(dim=2).flatten()]
        distances = (features - centers).square().sum(dim=1)
        return {"loss": distances.clamp(_LEAST, _MOST).mean()}

    def _features(self, outputs: Mapping[str, Tensor]) -> Tensor:
        if "ctc_neck" not in outputs:
            raise TrainingError(
                Problem("Loss.CenterLoss", "the head gives no features", "set return_feats: true in CTCHead")
            )
        classes, width = self.centers.shape
        features = outputs["ctc_neck"]
        if features.shape[2] != width:
            what = f"feat_dim is {width}, the classifier reads {features.shape[2]} features"
            raise TrainingError(Problem("Loss.CenterLoss", what, f"set feat_dim: {features.shape[2]}"))
        if outputs["ctc"].shape[2] > classes:
            what = f"num_classes is {classes}, the head has {outputs['ctc'].shape[2]} classes"
            raise TrainingError(Problem("Loss.CenterLoss", what, f"set num_classes: {outputs['ctc'].shape[2]}"))
        return features


def read_centers(path: Path, shape: tuple[int, ...]) -> dict[int, Tensor]:
    """Class number -> (feat_dim,) from a pickled dict; WeightsError names the first entry that does not fit ``shape``,
    (classes, feat_dim)."""
    content = read_pickle(path)
    if not isinstance(content, dict):
        what = f"holds a {type(content).__name__}, expected class numbers with centres"
        raise WeightsError(Problem(str(path), what, "write it with PaddleOCR's tools/export_center.py"))
    centers = {}
    for number, center in content.items():
        values = np.asarray(center, np.float32) if isinstance(center, (np.ndarray, list, tuple)) else np.zeros(())
        if not isinstance(number, (int, np.integer)) or not 0 <= number < shape[0] or values.shape != shape[1:]:
            what = f"entry {number!r} has the shape {values.shape}, expected {shape[1:]} for a class below {shape[0]}"
            raise WeightsError(Problem(str(path), what, "make it with the dictionary and the network of this run"))
        centers[int(number)] = torch.from_numpy(np.array(values))
    return centers
