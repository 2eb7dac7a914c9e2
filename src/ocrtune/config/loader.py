"""Read a configuration: YAML, overrides, strict parsing, missing files. Every problem is reported at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from ocrtune.config.dialect import rewrite
from ocrtune.config.files import check_files
from ocrtune.config.overrides import apply_overrides
from ocrtune.config.registries import Registries, read_components
from ocrtune.config.schema import RunConfig
from ocrtune.config.yaml_reader import read_yaml
from ocrtune.core.errors import ConfigError, Problem
from ocrtune.core.options import Findings, parse_options

FILES_OF_A_RUN = ("Global", "Train", "Eval")


@dataclass(frozen=True)
class Loaded:
    """A valid configuration, and what its author should know: ignored keys, rewritten values."""

    config: RunConfig
    notices: tuple[Problem, ...]


def load_config(
    path: Path | str,
    overrides: Iterable[str] = (),
    registries: Registries | None = None,
    files_of: Collection[str] = FILES_OF_A_RUN,
) -> Loaded:
    """Read ``path`` and change it by ``overrides`` (``Section.key=value``).

    registries: what backbones, transforms and so on may be called; None leaves their options unchecked.
    files_of: the sections whose label files, dictionary and weights must exist.
    Raises ConfigError with all problems together.
    """
    findings = Findings()
    registries = registries or Registries()
    raw = read_yaml(_text(path), str(path), findings)
    if not isinstance(raw, dict):
        raise ConfigError(Problem(str(path), "expected the sections Global, Architecture, Loss, Optimizer, ..."))
    raw = rewrite(apply_overrides(raw, overrides, findings), findings)
    if isinstance(raw.get("Architecture"), dict) and "Models" in raw["Architecture"]:
        raw = {"Architecture": raw["Architecture"]}  # the other sections describe a distillation as well
        parse_options(RunConfig, raw, "", findings)
        raise ConfigError([p for p in findings.problems if p.where == "Architecture.Models"])
    config = parse_options(RunConfig, read_components(raw, registries, findings), "", findings)
    if config is not None:
        _check_together(config, findings)
    check_files(raw, files_of, registries.pretrained, findings)
    if findings.problems or config is None:
        raise ConfigError(findings.problems)
    return Loaded(config, tuple(findings.notices))


def _text(path: Path | str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(Problem(str(path), f"cannot read the configuration ({error.strerror})")) from error
    except UnicodeDecodeError as error:
        raise ConfigError(Problem(str(path), "the configuration is not UTF-8", "save it as UTF-8")) from error


def _check_together(config: RunConfig, findings: Findings) -> None:
    """What no single section can see."""
    if config.train.dataset.holdout is not None:
        fix = "write it in Eval.dataset"
        findings.problem("Train.dataset.holdout", "the share to evaluate on belongs to Eval", fix)
    if not config.train.dataset.label_file_list:
        findings.problem("Train.dataset.label_file_list", "no label file is given")
    if not config.eval.dataset.label_file_list and config.eval.dataset.holdout is None:
        fix = "give label files, or holdout: 0.1 to keep a tenth of the training samples for it"
        findings.problem("Eval.dataset.label_file_list", "nothing to evaluate on", fix)
    options = config.global_options
    no_weights = options.pretrained_model is None and options.checkpoints is None
    if config.architecture.model_type == "rec" and options.character_dict_path is None and no_weights:
        fix = "give a dictionary, or a pretrained_model that carries one"
        findings.problem("Global.character_dict_path", "which characters should be read?", fix)
