"""SAR, ACE and centre losses and labels against real PaddleOCR (numbers made by make_golden/sar_ace_center.py).

Tolerance: float32 sums in another order. Differences on purpose: ours is the mean over the samples where PaddleOCR's
ACELoss gives one number each (it adds them up); its CenterLoss adds 1e-12 for every class that a step does not read.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from loss_inputs import CLASSES, summary
from sar_ace_center_inputs import CHARACTERS, MAX_TEXT_LENGTH, TEXTS, features_case, sar_case
from torch import Tensor

from ocrtune.codec.ctc import CTCCodec
from ocrtune.codec.sar import SARCodec
from ocrtune.core.charset import Charset
from ocrtune.losses.ace import ACELoss, ACELossOptions, occurrences
from ocrtune.losses.center import CenterLoss, CenterLossOptions
from ocrtune.losses.sar import SARLoss, SARLossOptions

pytestmark = pytest.mark.parity
GOLDEN = np.load(Path(__file__).parent / "golden" / "sar_ace_center.npz")
CHARSET = Charset(CHARACTERS, use_space_char=True)


def assert_same(case: str, loss: Tensor, read: Tensor) -> None:
    """The loss and its gradient for ``read``."""
    loss.backward()
    np.testing.assert_allclose(loss.item(), GOLDEN[f"{case}/value"].item(), rtol=1e-5)
    expected, found = GOLDEN[f"{case}/gradient"], summary(read.grad.numpy())
    np.testing.assert_allclose(found[1:], expected[1:], rtol=1e-4, atol=2e-6 * np.abs(expected[2:]).max())


def test_labels() -> None:
    codec = SARCodec(CHARSET)
    assert CHARSET.num_classes == CLASSES
    assert codec.padding == GOLDEN["sar_padding"]
    for text, sar, ctc in zip(TEXTS, GOLDEN["sar_labels"], GOLDEN["ctc_labels"], strict=True):
        ids = codec.encode(text).ids
        assert list(ids) + [codec.padding] * (MAX_TEXT_LENGTH - len(ids)) == sar.tolist()
        ids = CTCCodec(CHARSET).encode(text).ids
        assert list(ids) + [0] * (MAX_TEXT_LENGTH - len(ids)) == ctc.tolist()


def test_counts_of_ace() -> None:
    """But for blank, which PaddleOCR's loss sets as ours does."""
    counts = occurrences(torch.from_numpy(GOLDEN["ctc_labels"]), torch.from_numpy(GOLDEN["lengths"]), 40, CLASSES)
    np.testing.assert_array_equal(counts[:, 1:], GOLDEN["ace_counts"][:, 1:])


@pytest.mark.parametrize("name", ["random", "near"])
def test_sar_loss(name: str) -> None:
    labels = torch.from_numpy(GOLDEN["sar_labels"])
    logits = torch.from_numpy(sar_case(name, GOLDEN["sar_labels"])).requires_grad_()
    assert_same(f"sar/{name}", SARLoss(SARLossOptions())({"sar": logits}, {"sar": labels})["loss"], logits)


@pytest.mark.parametrize("name", ["random", "real"])
def test_ace_loss(name: str) -> None:
    case = {key: torch.from_numpy(value) for key, value in features_case(name).items()}
    logits = case["logits"].requires_grad_()
    found = ACELoss(ACELossOptions())({"ctc": logits}, {"ctc": case["labels"], "length": case["lengths"]})
    assert_same(f"ace/{name}", found["loss"], logits)


@pytest.mark.parametrize("name", ["random", "real"])
def test_center_loss(name: str) -> None:
    case = {key: torch.from_numpy(value) for key, value in features_case(name).items()}
    loss = CenterLoss(CenterLossOptions(*case["centers"].shape))
    loss.centers.copy_(case["centers"])
    features = case["features"].requires_grad_()
    assert_same(f"center/{name}", loss({"ctc": case["logits"], "ctc_neck": features}, {})["loss"], features)
