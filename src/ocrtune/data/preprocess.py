"""The Eval section's transforms as one object that turns an image into a tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from ocrtune.codec.image import DetPreprocess, RecPreprocess
from ocrtune.config.component import Component
from ocrtune.core.errors import ConfigError, Problem
from ocrtune.data.transforms.decode_image import DecodeImageOptions
from ocrtune.data.transforms.det_resize_for_test import DetResizeForTestOptions
from ocrtune.data.transforms.normalize_image import NormalizeImageOptions
from ocrtune.data.transforms.rec_resize_img import RecResizeImgOptions, SVTRRecResizeImgOptions

_PASSED_OVER = frozenset({"DetLabelEncode", "CTCLabelEncode", "MultiLabelEncode", "ToCHWImage", "KeepKeys"})
_WHERE = "Eval.dataset.transforms"
_MAX_WIDTH = RecPreprocess().max_width

T = TypeVar("T")


def preprocess_of(eval_transforms: Sequence[Component]) -> DetPreprocess | RecPreprocess:
    """DetResizeForTest with NormalizeImage becomes a DetPreprocess, RecResizeImg or SVTRRecResizeImg a RecPreprocess.

    Labels play no part: evaluation reads them raw. Raises ConfigError when neither or both are there, and for any
    transform that evaluation does not have (augmentation).
    """
    problems: list[Problem | str] = []
    known = _PASSED_OVER | {"DecodeImage", "DetResizeForTest", "NormalizeImage", "RecResizeImg", "SVTRRecResizeImg"}
    for component in eval_transforms:
        if component.name not in known:
            problems.append(Problem(_WHERE, f"'{component.name}' is not for evaluation", "remove it from Eval"))
    decode = _options(eval_transforms, DecodeImageOptions)
    resize = _options(eval_transforms, DetResizeForTestOptions)
    normalize = _options(eval_transforms, NormalizeImageOptions)
    recognition = _recognition(eval_transforms)
    if decode is not None and decode.img_mode != "BGR":
        problems.append(Problem(_WHERE, "DecodeImage.img_mode is RGB", "evaluation and prediction use BGR"))
    if decode is not None and decode.ignore_orientation:
        what = "DecodeImage.ignore_orientation is true"
        problems.append(Problem(_WHERE, what, "evaluation and prediction turn images as their EXIF data says"))
    if (resize is None) == (recognition is None):
        problems.append(Problem(_WHERE, "expected DetResizeForTest (detection) or RecResizeImg (recognition)"))
    if problems:
        raise ConfigError(problems)
    if recognition is not None:
        return recognition
    assert resize is not None
    normalize = normalize or NormalizeImageOptions()
    return resize.preprocess(normalize.mean, normalize.std, normalize.scale)


def _recognition(components: Sequence[Component]) -> RecPreprocess | None:
    """RecResizeImg lets a wide crop be as wide as it is; SVTRRecResizeImg gives every crop the same width."""
    if (fixed := _options(components, SVTRRecResizeImgOptions)) is not None:
        return RecPreprocess(fixed.image_shape, fixed.image_shape[2])
    if (resize := _options(components, RecResizeImgOptions)) is not None:
        return RecPreprocess(resize.image_shape, resize.max_width or max(_MAX_WIDTH, resize.image_shape[2]))
    return None


def _options(components: Sequence[Component], kind: type[T]) -> T | None:
    return next((component.options for component in components if isinstance(component.options, kind)), None)
