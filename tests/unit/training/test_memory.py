"""Out of memory: batches are cut into pieces, and learn the same."""

import json
from pathlib import Path

import pytest
import torch
from tiny_runs import rec_config
from tiny_training import CPU, Batches, Notes, Scale, batch, trainer
from torch import Tensor, nn

from ocrtune.core.errors import TrainingError
from ocrtune.core.records import Batch
from ocrtune.training.batches import pieces_of
from ocrtune.training.loop import fit
from ocrtune.training.run import train
from ocrtune.training.step import Trainer


class Small(Scale):
    """A model with memory for so many samples at a time."""

    def __init__(self, memory: int, weight: float = 0.0):
        super().__init__(weight)
        self.memory = memory
        self.sizes: list[int] = []

    def forward(self, image: Tensor, targets: dict[str, Tensor] | None = None) -> dict[str, Tensor]:
        if len(image) > self.memory:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        self.sizes.append(len(image))
        return super().forward(image, targets)


def of(count: int) -> Batch:
    """``count`` samples that all differ."""
    parts = [batch(i + 1, 3 * i + 2, f"labels.txt:{i}") for i in range(count)]
    image = torch.cat([part.image for part in parts])
    samples = tuple(part.samples[0] for part in parts)
    return Batch(image, {"y": torch.cat([part.targets["y"] for part in parts])}, samples, tuple(range(count)))


@pytest.mark.parametrize(("count", "sizes"), [(1, [7]), (2, [4, 3]), (4, [2, 2, 2, 1]), (8, [1] * 7)])
def test_pieces_hold_every_sample_once_with_what_belongs_to_it(count: int, sizes: list[int]) -> None:
    whole = of(7)
    pieces = pieces_of(whole, count)
    assert [len(piece) for piece in pieces] == sizes
    assert torch.equal(torch.cat([piece.image for piece in pieces]), whole.image)
    assert torch.equal(torch.cat([piece.targets["y"] for piece in pieces]), whole.targets["y"])
    assert tuple(sample for piece in pieces for sample in piece.samples) == whole.samples
    assert tuple(place for piece in pieces for place in piece.meta) == whole.meta


def test_a_batch_that_does_not_fit_is_halved_until_it_does_and_learns_the_same() -> None:
    large, small = Small(100, 0.5), Small(2, 0.5)
    expected = trainer(large).step([of(7), of(3)])
    subject = trainer(small)
    found = subject.step([of(7), of(3)])
    assert (expected.pieces, found.pieces) == (1, 4)
    assert found.losses["loss"] == pytest.approx(expected.losses["loss"], rel=1e-6)
    torch.testing.assert_close(small.weight.grad, large.weight.grad)
    torch.testing.assert_close(small.weight, large.weight)
    small.sizes.clear()
    assert subject.step([of(7)]).pieces == 4  # it does not try the whole batch again
    assert small.sizes == [2, 2, 2, 1]


def test_memory_that_runs_out_in_the_backward_pass_leaves_no_gradient_behind() -> None:
    class Loss(nn.Module):
        tries = 0

        def forward(self, outputs: dict[str, Tensor], targets: dict[str, Tensor]) -> dict[str, Tensor]:
            Loss.tries += 1
            if Loss.tries == 2:  # the first of two batches has left its gradient
                raise torch.OutOfMemoryError
            return {"loss": (outputs["y"] - targets["y"]).square().mean()}

    whole, cut = Scale(0.5), Scale(0.5)
    trainer(whole).step([of(4), of(4)])
    subject = trainer(cut)
    subject.loss = Loss()
    subject.step([of(4), of(4)])
    torch.testing.assert_close(cut.weight.grad, whole.weight.grad)


def test_one_sample_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(TrainingError, match="not even a batch of one sample fits"):
        fit(trainer(Small(0)), Batches([of(3)]), 1, Notes())


def test_a_run_says_once_that_it_goes_on_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    original = Trainer._gradients_of

    def short_of_memory(subject: Trainer, batch: Batch, share: float) -> object:
        if len(batch) > 4 and subject.progress.step >= 1:
            raise torch.OutOfMemoryError
        return original(subject, batch, share)

    monkeypatch.setattr(Trainer, "_gradients_of", short_of_memory)
    said: list[str] = []
    monkeypatch.setattr("ocrtune.training.logs.Bar.say", lambda bar, line: said.append(line))
    result = train(rec_config(tmp_path, 1), device=CPU.type, say=said.append)
    assert result.steps == 5
    assert sum("out of memory" in line for line in said) == 1
    events = [json.loads(line) for line in (tmp_path / "run" / "train.jsonl").read_text().splitlines()]
    found = [(event["step"], event["pieces"]) for event in events if event["event"] == "memory"]
    assert found == [(2, 2)]
