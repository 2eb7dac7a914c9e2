"""Several networks that see the same images, so that they can learn from each other.

Source: PaddleOCR ppocr/modeling/architectures/distillation_model.py at 79f652f5.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import torch
from torch import Tensor, nn

from ocrtune.core.submodels import qualified
from ocrtune.models.rec import RecModel


class DistillationModel(nn.Module):
    """Each network is a submodule of its own name, so a checkpoint has PaddleOCR's prefixes: ``Student.backbone.…``.

    frozen: networks that teach and do not learn. They have no gradient and stay in eval mode, whatever ``train`` is
    told. On purpose different: PaddleOCR's stay in train mode, so their BatchNorm normalises by the batch and drifts.
    with_features: networks whose ``backbone_out`` and ``neck_out`` losses may read, in training.
    """

    def __init__(
        self, networks: Mapping[str, nn.Module], frozen: Collection[str] = (), with_features: Collection[str] = ()
    ):
        super().__init__()
        self.names = tuple(networks)
        self.frozen = frozenset(frozen)
        self.with_features = frozenset(with_features)
        self.evaluated = self.names
        for name, network in networks.items():
            self.add_module(name, network)
            if name in self.frozen:
                network.requires_grad_(False)
        self.train()

    def networks(self) -> Iterator[tuple[str, nn.Module]]:
        """(name, network), in order."""
        return ((name, self.get_submodule(name)) for name in self.names)

    def evaluate_only(self, names: Collection[str]) -> None:
        """In eval mode, run these networks alone: a teacher that nobody asks about need not run."""
        self.evaluated = tuple(name for name in self.names if name in names)

    def train(self, mode: bool = True) -> DistillationModel:
        """As always, but for the frozen networks."""
        super().train(mode)
        for name in self.frozen:
            self.get_submodule(name).eval()
        return self

    def forward(self, image: Tensor, targets: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
        """(N, 3, H, W) -> the outputs of all networks, ``Student/ctc`` beside ``Teacher/ctc``; see each network."""
        outputs: dict[str, Tensor] = {}
        for name in self.names if self.training else self.evaluated:
            with torch.set_grad_enabled(torch.is_grad_enabled() and name not in self.frozen):
                outputs |= qualified(name, self._run(name, image, targets))
        return outputs

    def _run(self, name: str, image: Tensor, targets: Mapping[str, Tensor] | None) -> dict[str, Tensor]:
        network = self.get_submodule(name)
        features = self.training and name in self.with_features
        found: dict[str, Tensor]
        if features and isinstance(network, RecModel):
            found = network(image, targets, features=True)
        else:
            found = network(image, targets)
        return found
