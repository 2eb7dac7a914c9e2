"""A batch divided over the processes that train together."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ocrtune.config.data_schema import DataOptions, MultiScaleSampler
from ocrtune.data.dataset import Draw
from ocrtune.data.sampler import BatchPlan


@dataclass(frozen=True)
class Shard:
    """The part of process ``rank`` (from 0) of ``world`` processes."""

    rank: int = 0
    world: int = 1

    def whole(self, options: DataOptions) -> DataOptions:
        """``options`` with the batch of all processes together: what one process would need to make the same batches.

        ``batch_size_per_card`` and ``MultiScaleSampler.first_bs`` count the samples of one process, as in PaddleOCR.
        """
        size = options.loader.batch_size_per_card * self.world
        sampler = options.sampler
        if isinstance(sampler, MultiScaleSampler):
            sampler = replace(sampler, first_bs=sampler.first_bs * self.world)
        return replace(options, loader=replace(options.loader, batch_size_per_card=size), sampler=sampler)


WHOLE = Shard()


@dataclass(frozen=True)
class TrainingShard:
    """A process's slice of every batch of ``plan``: together the slices are exactly that batch, in its order.

    Slices differ by at most one sample; of a batch with fewer samples than processes some are empty.
    """

    plan: BatchPlan
    shard: Shard

    def __len__(self) -> int:
        return len(self.plan)

    def batches(self, epoch: int) -> list[list[Draw]]:
        rank, world = self.shard.rank, self.shard.world
        return [
            batch[len(batch) * rank // world : len(batch) * (rank + 1) // world] for batch in self.plan.batches(epoch)
        ]


@dataclass(frozen=True)
class EvaluationShard:
    """Every ``world``-th batch of ``plan``: each batch goes to one process as it is, so no tensor differs."""

    plan: BatchPlan
    shard: Shard

    def __len__(self) -> int:
        return len(self.batches(0))

    def batches(self, epoch: int) -> list[list[Draw]]:
        return self.plan.batches(epoch)[self.shard.rank :: self.shard.world]
