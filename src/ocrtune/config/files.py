"""Whether the files that a configuration names exist. Reads the YAML's values, so that it can be said together
with everything else that is wrong."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ocrtune.config.data_schema import ARCHIVES, says_where
from ocrtune.core.errors import did_you_mean
from ocrtune.core.options import Findings


def check_files(
    raw: Mapping[str, Any], sections: Collection[str], pretrained: Collection[str], findings: Findings
) -> None:
    """Note every file that is named but missing; values of a wrong type are left to the strict parsing.

    sections: of ``Global``, ``Train``, ``Eval``, those whose files are needed now; ``Eval`` without samples of its own
    (``holdout``) needs those of ``Train``.
    pretrained: names of the catalogue that ``pretrained_model`` may have, and each network's ``pretrained``.
    """
    if "Global" in sections and isinstance(raw.get("Global"), Mapping):
        _check_global(raw["Global"], pretrained, findings)
        _check_networks(raw, pretrained, findings)
    datasets = {section: _dataset(raw, section) for section in ("Train", "Eval")}
    held_out = "Eval" in sections and not says_where(datasets["Eval"])
    for section, dataset in datasets.items():
        if section in sections or held_out:
            _check_dataset(dataset, f"{section}.dataset", findings)


def find_weights(name: str) -> Path | None:
    """The weights file that ``name`` means; PaddleOCR leaves out ``.pdparams``. None when there is none."""
    for path in (Path(name), Path(f"{name}.pdparams")):
        if path.exists():
            return path
    return None


def _dataset(raw: Mapping[str, Any], section: str) -> Mapping[str, Any]:
    dataset = raw[section].get("dataset") if isinstance(raw.get(section), Mapping) else None
    return dataset if isinstance(dataset, Mapping) else {}


def _check_global(options: Mapping[str, Any], pretrained: Collection[str], findings: Findings) -> None:
    dictionary, checkpoints = options.get("character_dict_path"), options.get("checkpoints")
    if isinstance(dictionary, str) and not Path(dictionary).is_file():
        fix = "leave the key empty for the dictionary that comes with the weights, or give the file"
        findings.problem("Global.character_dict_path", f"no dictionary {dictionary}", fix)
    if isinstance(checkpoints, str) and find_weights(checkpoints) is None:
        findings.problem("Global.checkpoints", f"no checkpoint {checkpoints}", _from_here())
    if not checkpoints:
        _check_weights(options.get("pretrained_model"), "Global.pretrained_model", pretrained, findings)


def _check_networks(raw: Mapping[str, Any], pretrained: Collection[str], findings: Findings) -> None:
    """The weights that each network of a distillation starts from, unless a run goes on."""
    architecture, options = raw.get("Architecture"), raw.get("Global")
    models = architecture.get("Models") if isinstance(architecture, Mapping) else None
    if not isinstance(models, Mapping) or (isinstance(options, Mapping) and options.get("checkpoints")):
        return
    for name, network in models.items():
        if isinstance(network, Mapping):
            where = f"Architecture.Models.{name}.pretrained"
            _check_weights(network.get("pretrained") or None, where, pretrained, findings)


def _check_weights(name: Any, where: str, pretrained: Collection[str], findings: Findings) -> None:
    if not isinstance(name, str) or name in pretrained or find_weights(name):
        return
    if "://" in name:
        fix = "give the file; 'ocrtune weights pull' fetches PaddleOCR's own checkpoints, which then go by their name"
        findings.problem(where, f"{name} is not downloaded", fix)
    elif pretrained:
        what = f"no file and no model of the catalogue is called '{name}'"
        findings.problem(where, what, did_you_mean(name, pretrained))
    else:
        findings.problem(where, f"no file {name}", _from_here())


def _check_dataset(options: Mapping[str, Any], where: str, findings: Findings) -> None:
    files, folder = options.get("label_file_list"), options.get("data_dir")
    if options.get("name") in ARCHIVES:
        files = []
    files = [files] if isinstance(files, str) else files if isinstance(files, list) else []
    for i, name in enumerate(files):
        if isinstance(name, str) and not Path(name).is_file():
            findings.problem(f"{where}.label_file_list[{i}]", f"no label file {name}", _from_here())
    if says_where(options) and isinstance(folder, str) and not Path(folder).is_dir():
        findings.problem(f"{where}.data_dir", f"no folder {folder}", _from_here())


def _from_here() -> str:
    return f"relative paths start at {Path.cwd()}"
