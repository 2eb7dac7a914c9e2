"""The SAR branch: what it reads, what it may not see, and who gets its gradient."""

from __future__ import annotations

import pytest
import torch
from models_architectures import architecture, charset, multi_head, parse

from ocrtune.core.errors import TrainingError
from ocrtune.models.build import build_model
from ocrtune.models.heads import ctc, sar
from ocrtune.models.registry import heads

START, PADDING = 10, 11  # of nine characters: 0..8, unknown 9
TOKENS = torch.tensor([[10, 4, 5, 10, 11, 11], [10, 6, 10, 11, 11, 11]])
OPTIONS = sar.Options(enc_dim=16, d_k=16)


def head() -> sar.SARHead:
    torch.manual_seed(0)
    return sar.SARHead(OPTIONS, 8, charset(9)).eval()


def run(branch: sar.SARHead, features: torch.Tensor, tokens: torch.Tensor, valid: list[float]) -> torch.Tensor:
    with torch.no_grad():
        return branch(features, {"sar": tokens, "valid_ratio": torch.tensor(valid)})


def test_classes_are_paddleocrs() -> None:
    """Characters, unknown, start and end, padding; no logit for padding."""
    assert sar.class_count(charset(9)) == 12
    assert run(head(), torch.randn(2, 8, 1, 10), TOKENS, [1, 1]).shape == (2, 6, 11)


def test_no_later_token_is_read() -> None:
    branch, features = head(), torch.randn(2, 8, 1, 10)
    changed = TOKENS.clone()
    changed[0, 2] = 7
    first, second = run(branch, features, TOKENS, [1, 1]), run(branch, features, changed, [1, 1])
    torch.testing.assert_close(first[:, :2], second[:, :2])
    assert not torch.allclose(first[0, 2], second[0, 2])


def test_padded_columns_are_not_seen() -> None:
    """Three of ten columns are valid (0.21 is rounded up), whatever stands in the others."""
    branch, features = head(), torch.randn(2, 8, 3, 10)
    changed = features.clone()
    changed[0, :, :, 4:] = 9.0  # column 3 is next to a valid one, and the attention's key is a 3x3 convolution
    first, second = run(branch, features, TOKENS, [0.21, 1]), run(branch, changed, TOKENS, [0.21, 1])
    torch.testing.assert_close(first, second)
    assert not torch.allclose(first, run(branch, changed, TOKENS, [0.41, 1]))


def test_without_ratios_every_column_is_valid() -> None:
    branch, features = head(), torch.randn(2, 8, 1, 10)
    with torch.no_grad():
        torch.testing.assert_close(branch(features, {"sar": TOKENS}), run(branch, features, TOKENS, [1, 1]))


@pytest.mark.parametrize(("ratio", "columns"), [(0.0, 1), (0.1, 1), (0.11, 2), (0.999, 10), (1.0, 10)])
def test_valid_columns(ratio: float, columns: int) -> None:
    assert sar.valid_columns(torch.tensor([ratio]), 10).tolist() == [columns]


def test_padding_reads_as_zeros_also_after_loading() -> None:
    branch, features = head(), torch.randn(2, 8, 1, 10)
    before = run(branch, features, TOKENS, [1, 1])
    with torch.no_grad():
        branch.decoder.embedding.weight[PADDING] = 5.0
    torch.testing.assert_close(run(branch, features, TOKENS, [1, 1]), before)


def test_only_sar_trains_the_backbone_when_ctc_is_guided() -> None:
    raw = multi_head(None, {"name": "svtr", "dims": 16, "hidden_dims": 16, "use_guide": True})
    raw["head_list"].append({"SARHead": {"enc_dim": 16, "d_k": 16}})
    model = build_model(architecture("rec", {"name": "MobileNetV1Enhance"}, None, raw), charset(9))
    outputs = model(torch.randn(2, 3, 32, 64), {"sar": TOKENS})
    assert set(outputs) == {"ctc", "sar"}
    outputs["ctc"].sum().backward(retain_graph=True)
    assert all(p.grad is None for p in model.backbone.parameters())
    outputs["sar"].sum().backward()
    assert all(p.grad is not None for p in model.backbone.parameters())
    with torch.no_grad():
        assert set(model.eval()(torch.randn(2, 3, 32, 64))) == {"ctc"}


def test_missing_labels_are_explained() -> None:
    raw = multi_head(None, {"name": "rnn"})
    raw["head_list"].append({"SARHead": {"enc_dim": 16}})
    branch = heads.get("MultiHead").factory(parse(heads, raw).options, 8, charset(9))
    with pytest.raises(TrainingError, match="gtc_encode SARLabelEncode"):
        branch(torch.randn(1, 8, 1, 10), {"ctc": torch.zeros(1, 1)})


@pytest.mark.parametrize(("middle", "width"), [(None, 8), (5, 5)])
def test_ctc_head_gives_what_its_classifier_reads(middle: int | None, width: int) -> None:
    branch = ctc.CTCHead(ctc.Options(mid_channels=middle, return_feats=True), 8, charset(9))
    features = torch.randn(2, 6, 8)
    outputs = branch(features)
    assert outputs["ctc_neck"].shape == (2, 6, width)
    classifier = branch.fc if middle is None else branch.fc2
    torch.testing.assert_close(classifier(outputs["ctc_neck"]), outputs["ctc"])
    assert set(branch.eval()(features)) == {"ctc"}
