"""Spellings of PaddleOCR that mean the same as another spelling; rewritten before the strict parsing, with a notice."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from ocrtune.config.data_schema import ARCHIVES, says_where
from ocrtune.core.options import Findings

_RESIZES = {"RecResizeImg", "SVTRRecResizeImg"}


def rewrite(raw: Mapping[str, Any], findings: Findings) -> dict[str, Any]:
    """A copy of the whole YAML in which each thing has one spelling. What is not a mapping is left to the parser."""
    result = dict(raw)
    for rule, *place in (
        (_precision, "Global"),
        (_start, "Global"),
        (_last_stages, "Architecture"),
        (_boundaries, "Optimizer", "lr"),
        (_crop, "Train", "dataset"),
        (_validation, "Eval", "dataset"),
    ):
        _apply(rule, result, place, findings)
    resize = _evaluation_resize(result)
    if resize is not None:
        _apply(partial(_missing_resize, resize=resize), result, ["Train"], findings)
    return result


def _apply(rule: Any, tree: dict[str, Any], place: list[str], findings: Findings) -> None:
    for key in place:
        if not isinstance(tree.get(key), Mapping):
            return
        tree[key] = dict(tree[key])
        tree = tree[key]
    rule(tree, findings)


def _precision(options: dict[str, Any], findings: Findings) -> None:
    """``use_amp`` and ``amp_dtype`` become ``precision``, unless that is given."""
    use_amp, dtype = options.pop("use_amp", None), options.pop("amp_dtype", "float16")
    if use_amp is None or "precision" in options:
        return
    if not isinstance(use_amp, bool):
        findings.problem("Global.use_amp", f"got {use_amp!r}, expected true or false")
        return
    options["precision"] = "auto" if use_amp else "float32"
    if use_amp:
        instead = "bfloat16 where the hardware has it (precision: auto)"
        findings.notice("Global.use_amp", f"{dtype} was asked for; ocrtune uses {instead}")


def _start(options: dict[str, Any], findings: Findings) -> None:
    """``checkpoints`` wins over ``pretrained_model``, as in PaddleOCR."""
    for key in ("checkpoints", "pretrained_model", "character_dict_path"):
        if options.get(key) == "":
            options[key] = None
    if options.get("checkpoints") and options.get("pretrained_model"):
        findings.notice("Global.pretrained_model", "not loaded: checkpoints is given, which goes on with a run")


def _last_stages(architecture: dict[str, Any], findings: Findings) -> None:
    """The teacher of PP-OCRv4's distillation says ``last_stage: false`` with ``out_channels`` 192 after blocks of 256.

    PaddleOCR's own network stops at its first input then. With the last stage every other key of that file
    (``out_channels``, ``out_char_num``, a head without ``use_pool``) has its meaning.
    """
    _last_stage(architecture, "Architecture", findings)
    models = architecture.get("Models")
    if isinstance(models, Mapping):
        architecture["Models"] = models = dict(models)
        for name, network in models.items():
            if isinstance(network, Mapping):
                models[name] = dict(network)
                _last_stage(models[name], f"Architecture.Models.{name}", findings)


def _last_stage(network: dict[str, Any], where: str, findings: Findings) -> None:
    backbone = network.get("Backbone")
    if not isinstance(backbone, Mapping) or (backbone.get("name"), backbone.get("last_stage")) != ("SVTRNet", False):
        return
    widths, channels = backbone.get("embed_dim"), backbone.get("out_channels")
    if isinstance(widths, list) and widths and channels not in (None, widths[-1]):
        network["Backbone"] = {**backbone, "last_stage": True}
        what = f"understood as true: only the last stage makes {channels} channels of {widths[-1]}"
        findings.notice(f"{where}.Backbone.last_stage", what)


def _boundaries(options: dict[str, Any], findings: Findings) -> None:
    """PaddleOCR's guide has as many ``decay_epochs`` as ``values``; older Paddle never reached the last boundary."""
    epochs, values = options.get("decay_epochs"), options.get("values")
    if options.get("name") != "Piecewise" or not isinstance(epochs, list) or not isinstance(values, list):
        return
    if len(epochs) == len(values) and epochs:
        options["decay_epochs"] = epochs[:-1]
        what = f"{epochs[-1]} is left out: there is no value after it"
        findings.notice("Optimizer.lr.decay_epochs", what)


def _crop(options: dict[str, Any], findings: Findings) -> None:
    """PP-OCRv6 medium's config says ``RandomCrop``, with the options and at the place of ``EastRandomCropData``."""
    listed = options.get("transforms")
    if not isinstance(listed, list):
        return
    options["transforms"] = changed = list(listed)
    for i, item in enumerate(listed):
        if isinstance(item, Mapping) and set(item) == {"RandomCrop"}:
            changed[i] = {"EastRandomCropData": item["RandomCrop"]}
            what = (
                "no transform of PaddleOCR has this name; understood as EastRandomCropData, which takes these options"
            )
            findings.notice(f"Train.dataset.transforms[{i}].RandomCrop", what)


def _evaluation_resize(tree: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The transform of ``Eval`` that gives a recognition crop its size."""
    section = tree.get("Eval")
    dataset = section.get("dataset") if isinstance(section, Mapping) else None
    listed = dataset.get("transforms") if isinstance(dataset, Mapping) else None
    items = listed if isinstance(listed, list) else []
    return next((item for item in items if isinstance(item, Mapping) and set(item) <= _RESIZES and item), None)


def _missing_resize(train: dict[str, Any], findings: Findings, resize: Mapping[str, Any]) -> None:
    """PP-OCRv4's distillation of recognition trains without one, on crops of all sizes, which makes no batch."""
    dataset = train.get("dataset")
    listed = dataset.get("transforms") if isinstance(dataset, Mapping) else None
    if not isinstance(dataset, Mapping) or not isinstance(listed, list) or train.get("sampler") is not None:
        return
    names = [next(iter(item), None) if isinstance(item, Mapping) else item for item in listed]
    if _RESIZES.intersection(names) or "KeepKeys" not in names:
        return
    place = names.index("KeepKeys")
    train["dataset"] = {**dataset, "transforms": [*listed[:place], resize, *listed[place:]]}
    what = f"no step gives the crops one size; understood as with the {next(iter(resize))} of Eval"
    findings.notice("Train.dataset.transforms", what)


def _validation(options: dict[str, Any], findings: Findings) -> None:
    """Samples of one's own win over ``holdout``, so that a recipe needs no override of it."""
    if says_where(options) and options.get("holdout") is not None:
        options["holdout"] = None
        key = "data_dir" if options.get("name") in ARCHIVES else "label_file_list"
        findings.notice("Eval.dataset.holdout", f"not used: {key} is given")
