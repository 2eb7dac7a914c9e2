"""PaddleOCR's YAML as typed, frozen dataclasses. Python names here, PaddleOCR's spelling in the field metadata.

Source of the keys: PaddleOCR configs and ``tools/program.py``, ``ppocr/optimizer``, ``ppocr/data`` at 79f652f5.
Extensions of ocrtune are marked "extension". Nothing here touches the disk; see ``loader.py`` and ``files.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ocrtune.config.architecture_schema import Architecture as Architecture
from ocrtune.config.architecture_schema import Distillation as Distillation
from ocrtune.config.component import Component, spelled
from ocrtune.config.data_schema import DataOptions
from ocrtune.config.optimizer_schema import OptimizerOptions
from ocrtune.core.options import ignored

_NO_FILES = "nothing is written there"
_DEVICE = "a GPU is used when PyTorch finds one"


@dataclass(frozen=True)
class GlobalOptions:
    """Section ``Global``: the run as a whole.

    epoch_num: passes over the training data. save_model_dir: the run folder.
    max_steps: no more passes than it takes to reach so many steps; a pass is never cut short (extension).
    pretrained_model: start a new run from these weights: a file, or a name of the catalogue (extension).
    checkpoints: go on with an interrupted run: its folder or checkpoint file; wins over ``pretrained_model``.
    character_dict_path: None means the dictionary that comes with the weights (extension).
    max_text_length: longest label in characters. seed: of sampling, augmentation and fresh parameters.
    eval_batch_step: ``[start, every]`` or ``every``, in steps; None means after each epoch (extension).
    print_batch_step: steps between two lines of the log.
    use_ema, ema_decay, ema_decay_type: moving average of the parameters (PaddleOCR since 3.7).
    precision: ``auto`` is bfloat16 autocast where the hardware has it (extension, replaces ``use_amp``).
    allow_partial: take the weights that fit and report the rest, instead of refusing them (extension).
    on_mismatch: weights of another dictionary are refused; or the run has exactly the given dictionary, or the union of
        the weights' and the given one, and known characters keep their classes (extension; by_character means exact).
    pretrained_character_dict_path: the dictionary of weights that do not carry it, for on_mismatch (extension).
    freeze: parts that keep their weights, by the beginning of their names, such as ``backbone`` (extension).
    early_stop: stop after so many evaluations without a new best (extension). max_minutes: stop then (extension).
    batchnorm: fine-tune weights whose BatchNorm is folded as they are, or put the BatchNorm back (extension).
    save_epoch_step: keep the weights of every so many epochs as ``iter_epoch_N.safetensors``; None keeps none.
    keep_checkpoints: of those only so many, the last ones; alone it means the last so many epochs (extension).
    use_tensorboard: write the numbers of train.jsonl for TensorBoard too (extension); needs ``ocrtune[tensorboard]``.
    profile: record so many steps with PyTorch's profiler, after five others, and stop (extension); nothing is evaluated
        in between. What is recorded is in ``training.profiling``.
    interpolate: after training, go back from the best weights towards the base: one or several shares of the tuned
        weights, above 0 and up to 1; the best on the validation set is kept (extension), see ``training.interpolate``.
    use_sync_bn: several GPUs: BatchNorm takes its statistics over the batches of all of them.
    """

    epoch_num: int
    save_model_dir: Path
    max_steps: int | None = None
    model_name: str | None = None
    pretrained_model: str | None = None
    checkpoints: Path | None = None
    character_dict_path: Path | None = None
    use_space_char: bool = False
    allow_partial: bool = False
    on_mismatch: Literal["fail", "union", "exact", "by_character"] = "fail"
    pretrained_character_dict_path: Path | None = None
    max_text_length: int = 25
    seed: int = 1024
    eval_batch_step: tuple[int, int] | int | None = None
    print_batch_step: int = 10
    use_ema: bool = False
    ema_decay: float = 0.9998
    ema_decay_type: Literal["threshold", "normal", "exponential"] = "threshold"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    batchnorm: Literal["folded", "restored"] = "folded"
    use_sync_bn: bool = False
    freeze: tuple[str, ...] = ()
    early_stop: int | None = None
    max_minutes: float | None = None
    interpolate: tuple[float, ...] | float | None = None
    profile: int | None = None
    use_tensorboard: bool = False
    save_epoch_step: int | None = None
    keep_checkpoints: int | None = None

    use_gpu: Any = ignored(_DEVICE)
    use_xpu: Any = ignored(_DEVICE)
    use_npu: Any = ignored(_DEVICE)
    use_mlu: Any = ignored(_DEVICE)
    use_gcu: Any = ignored(_DEVICE)
    use_metax_gpu: Any = ignored(_DEVICE)
    use_iluvatar_gpu: Any = ignored(_DEVICE)
    distributed: Any = ignored("torchrun starts the processes")
    debug: Any = ignored("set OCRTUNE_DEBUG=1 for tracebacks")
    use_visualdl: Any = ignored("the curves are in train.jsonl; Global.use_tensorboard: true draws them")
    use_wandb: Any = ignored("the curves are in train.jsonl; Global.use_tensorboard: true draws them")
    log_smooth_window: Any = ignored("train.jsonl holds every value")
    cal_metric_during_train: Any = ignored("metrics are measured on the validation set")
    calc_epoch_interval: Any = ignored("metrics are measured on the validation set")
    save_inference_dir: Any = ignored("ocrtune export names the folder")
    save_res_path: Any = ignored(_NO_FILES)
    infer_img: Any = ignored("ocrtune predict takes --input")
    infer_mode: Any = ignored("ocrtune predict is the command")
    d2s_train_image_shape: Any = ignored("the exported model takes any size")
    to_static: Any = ignored("it compiles Paddle programs")
    uniform_output_enabled: Any = ignored("it belongs to PaddleX")
    amp_level: Any = ignored("autocast chooses the precision of each operator")
    amp_custom_black_list: Any = ignored("autocast chooses the precision of each operator")
    amp_custom_white_list: Any = ignored("autocast chooses the precision of each operator")
    scale_loss: Any = ignored("bfloat16 needs no loss scaling")
    use_dynamic_loss_scaling: Any = ignored("bfloat16 needs no loss scaling")

    def __post_init__(self) -> None:
        _at_least("epoch_num", self.epoch_num, 1)
        _at_least("max_text_length", self.max_text_length, 1)
        for name in ("max_steps", "early_stop", "profile", "save_epoch_step", "keep_checkpoints"):
            if (value := getattr(self, name)) is not None:
                _at_least(name, value, 1)
        if self.max_minutes is not None and self.max_minutes <= 0:
            raise ValueError(f"max_minutes is {self.max_minutes}, expected more than 0")
        _at_least("print_batch_step", self.print_batch_step, 1)
        every = self.eval_batch_step[1] if isinstance(self.eval_batch_step, tuple) else self.eval_batch_step
        if every is not None:
            _at_least("eval_batch_step", every, 1)
        if not 0 < self.ema_decay < 1:
            raise ValueError(f"ema_decay is {self.ema_decay}, expected a number between 0 and 1")
        if not all(0 < share <= 1 for share in self.interpolation_shares):
            raise ValueError(f"interpolate is {self.interpolate}, expected shares of the tuned weights, 0 < share <= 1")

    @property
    def interpolation_shares(self) -> tuple[float, ...]:
        """``interpolate`` as a tuple, empty when nothing is to be interpolated."""
        if self.interpolate is None or isinstance(self.interpolate, tuple):
            return self.interpolate or ()
        return (self.interpolate,)

    def epochs(self, steps_per_epoch: int) -> int:
        """Passes to make: ``epoch_num``, or fewer where ``max_steps`` asks for it."""
        if self.max_steps is None:
            return self.epoch_num
        return min(self.epoch_num, -(-self.max_steps // steps_per_epoch))


@dataclass(frozen=True)
class RunConfig:
    """One training run, as PaddleOCR's eight sections describe it."""

    global_options: GlobalOptions = spelled("Global")
    architecture: Architecture | Distillation = spelled("Architecture")
    loss: Component = spelled("Loss")
    optimizer: OptimizerOptions = spelled("Optimizer")
    postprocess: Component = spelled("PostProcess")
    metric: Component = spelled("Metric")
    train: DataOptions = spelled("Train")
    eval: DataOptions = spelled("Eval")
    profiler_options: Any = ignored("it profiles Paddle; Global.profile: 50 profiles PyTorch")
    wandb: Any = ignored("the curves are in train.jsonl")


def _at_least(name: str, value: int, low: int) -> None:
    if value < low:
        raise ValueError(f"{name} is {value}, expected at least {low}")
