"""A few thousand weights learn one tiny set by heart: data, loss, optimiser, decoding and metric fit together."""

from pathlib import Path

import pytest
import torch
from tiny_runs import det_config, rec_config
from torch import Tensor, nn

from ocrtune.config import RunConfig
from ocrtune.core.charset import Charset
from ocrtune.data.labels import read_splits
from ocrtune.data.loader import build_loader
from ocrtune.losses.build import build_loss
from ocrtune.training.evaluate import evaluate
from ocrtune.training.optim import build_optimizer
from ocrtune.training.schedule import build_schedule
from ocrtune.training.step import Trainer
from ocrtune.training.tasks.build import build_task


class TinyReader(nn.Module):
    """(N, 3, 32, W) -> ``ctc`` (N, W / 4, classes)."""

    def __init__(self, classes: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 16, 5, 4, 2),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 48, (8, 3), (8, 1), (0, 1)),
            nn.BatchNorm2d(48),
            nn.ReLU(),
            nn.Conv2d(48, classes, (1, 3), 1, (0, 1)),
        )

    def forward(self, image: Tensor, targets: dict[str, Tensor] | None = None) -> dict[str, Tensor]:
        return {"ctc": self.body(image).squeeze(2).transpose(1, 2)}


class TinyFinder(nn.Module):
    """(N, 3, H, W) -> the maps of DB, at a quarter of the resolution and enlarged."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 16, 7, 4, 3),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 24, 7, 1, 3),
            nn.BatchNorm2d(24),
            nn.ReLU(),
            nn.Conv2d(24, 2, 5, 1, 2),
            nn.Upsample(scale_factor=4, mode="bilinear"),
            nn.Sigmoid(),
        )

    def forward(self, image: Tensor, targets: dict[str, Tensor] | None = None) -> dict[str, Tensor]:
        shrink, threshold = self.body(image).split(1, dim=1)
        if not self.training:
            return {"shrink": shrink}
        return {"shrink": shrink, "threshold": threshold, "binary": torch.sigmoid(50 * (shrink - threshold))}


def learn(config: RunConfig, model: nn.Module, charset: Charset | None, epochs: int) -> tuple[list[float], float]:
    """(loss of each step, main metric on the training images)."""
    kind = config.architecture.model_type
    training, evaluation = read_splits(config.train.dataset, config.eval.dataset, kind, 0)
    loader = build_loader(training, config.train, task=kind, seed=0, training=True, charset=charset)
    evaluated = build_loader(evaluation, config.eval, task=kind, seed=0, training=False)
    trainer = Trainer(
        model=model.to(memory_format=torch.channels_last),
        loss=build_loss(config.loss),
        optimizer=build_optimizer(model, config.optimizer),
        options=config.optimizer,
        schedule=build_schedule(config.optimizer.lr, epochs, len(loader)),
        device=torch.device("cpu"),
    )
    losses = []
    for epoch in range(epochs):
        loader.set_epoch(epoch)
        losses += [trainer.step([batch]).losses["loss"] for batch in loader]
    task = build_task(config, charset)
    return losses, evaluate(model, evaluated, task, len(evaluation))[task.main_indicator]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


def test_recognition_reads_its_own_crops(tmp_path: Path) -> None:
    config = rec_config(tmp_path, 1)
    assert config.global_options.character_dict_path is not None
    charset = Charset.from_file(config.global_options.character_dict_path)
    losses, accuracy = learn(config, TinyReader(charset.num_classes), charset, 12)
    assert losses[-1] < losses[0] / 20
    assert accuracy == 1


def test_detection_finds_its_own_words_and_leaves_the_blank_page_blank(tmp_path: Path) -> None:
    losses, hmean = learn(det_config(tmp_path, 1), TinyFinder(), None, 10)
    assert losses[-1] < losses[0] / 3
    assert hmean == 1
