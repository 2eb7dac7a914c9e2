"""Read a configuration: YAML, overrides, strict parsing, missing files. Every problem is reported at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from ocrtune.config.architecture_schema import Distillation
from ocrtune.config.data_schema import ARCHIVES
from ocrtune.config.dialect import rewrite
from ocrtune.config.files import check_files
from ocrtune.config.overrides import apply_overrides
from ocrtune.config.registries import Registries, read_components
from ocrtune.config.schema import RunConfig
from ocrtune.config.yaml_reader import read_yaml
from ocrtune.core.errors import ConfigError, Problem, did_you_mean
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
    _check_datasets(config, findings)
    options = config.global_options
    networks = config.architecture.models.values() if isinstance(config.architecture, Distillation) else ()
    starts = [options.pretrained_model, options.checkpoints, *(network.pretrained for network in networks)]
    no_weights = all(start is None for start in starts)
    if config.architecture.model_type == "rec" and options.character_dict_path is None and no_weights:
        fix = "give a dictionary, or a pretrained_model that carries one"
        findings.problem("Global.character_dict_path", "which characters should be read?", fix)
    _check_networks(config, findings)


def _check_datasets(config: RunConfig, findings: Findings) -> None:
    train, evaluation = config.train.dataset, config.eval.dataset
    if not train.has_samples:
        if train.name in ARCHIVES:
            findings.problem("Train.dataset.data_dir", f"{train.name} needs the folder with its data")
        else:
            findings.problem("Train.dataset.label_file_list", "no label file is given")
    if not evaluation.has_samples and evaluation.holdout is None:
        given = "data_dir" if evaluation.name in ARCHIVES else "label_file_list"
        fix = f"give {given}, or holdout: 0.1 to keep a tenth of the training samples for it"
        findings.problem(f"Eval.dataset.{given}", "nothing to evaluate on", fix)
    if evaluation.mix_per_batch:
        findings.problem("Eval.dataset.mix_per_batch", "evaluation sees every sample once", "write it in Train.dataset")
    for section, dataset in (("Train", train), ("Eval", evaluation)):
        if dataset.name == "LMDBDataSet" and config.architecture.model_type == "det":
            fix = "'ocrtune pack' writes a TarDataSet, which detection reads too"
            findings.problem(f"{section}.dataset.name", "LMDBDataSet holds labels of recognition", fix)


def _check_networks(config: RunConfig, findings: Findings) -> None:
    """Loss, post-processing and metric of a distillation name networks that exist; those of one network name none.

    Options that read several networks say which by ``networks()``. Untyped options are not checked.
    """
    known = tuple(config.architecture.models) if isinstance(config.architecture, Distillation) else ()
    for section, component in (("Loss", config.loss), ("PostProcess", config.postprocess), ("Metric", config.metric)):
        if isinstance(component.options, dict):
            continue
        named = component.options.networks() if hasattr(component.options, "networks") else None
        if known and named is None:
            what = f"{component.name} is for one network, Architecture.Models has {', '.join(known)}"
            findings.problem(section, what, "use the one whose name begins with Distillation; for Loss, CombinedLoss")
        elif named is not None and not known:
            findings.problem(section, f"{component.name} compares networks, and Architecture.Models has none")
        for name in sorted(set(named or ()) - set(known)) if known else ():
            findings.problem(section, f"no network is called '{name}'", did_you_mean(name, known))
