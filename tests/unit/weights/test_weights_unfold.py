"""Folded networks written as ones that train: same answers, PaddleOCR's names."""

import copy

import pytest
import torch

from ocrtune.core.charset import Charset
from ocrtune.core.errors import WeightsError
from ocrtune.models.fold import fold_, form_of, restore_batchnorm_
from ocrtune.models.statistics import set_statistics_
from ocrtune.weights.architectures import ARCHITECTURES
from ocrtune.weights.load import load_weights
from ocrtune.weights.pdparams import write_pdparams
from ocrtune.weights.released import build_section
from ocrtune.weights.to_paddle import paddle_state
from ocrtune.weights.unfold import check_same, unfolded

CHARSET = Charset("0123456789", use_space_char=True)
NETWORKS = [
    "ch_PP-OCRv2_det_student",
    "PP-OCRv4_mobile_det",
    "PP-OCRv6_tiny_det",
    "PP-OCRv4_mobile_rec",
    "PP-OCRv6_small_rec",
]


def build(name):
    """The network with statistics that no layer shares."""
    section = ARCHITECTURES[name]
    model = build_section(section, CHARSET if section["model_type"] == "rec" else None)
    torch.manual_seed(1)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.bias, -0.2, 0.2)
            torch.nn.init.uniform_(module.running_mean, -0.2, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    return model


@pytest.mark.parametrize("form", ["merged", "folded", "restored"])
@pytest.mark.parametrize("name", NETWORKS)
def test_unfolded_network_answers_as_the_folded_one(name, form):
    model, fresh = build(name), build(name)
    before = set(fresh.state_dict())
    fold_(model, "merged" if form == "merged" else "folded")
    if form == "restored":
        restore_batchnorm_(model, None)
    unfolded(model, fresh)
    assert form_of(fresh) == "training"
    assert set(fresh.state_dict()) == before
    height = 64 if "det" in name else 48
    check_same(model, fresh, height)
    check_same(fold_(copy.deepcopy(fresh), "folded"), fresh, height)
    image = torch.rand(2, 3, height, 2 * height)
    targets = {"nrtr": torch.tensor([[2, 5, 3], [2, 6, 3]])} if "det" not in name else None
    sum(value.float().pow(2).mean() for value in fresh.train()(image, targets).values()).backward()
    still = [
        n for n, p in fresh.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.isfinite().all())
    ]
    assert still == []


@pytest.mark.parametrize("form", ["merged", "folded"])
@pytest.mark.parametrize("name", ["ch_PP-OCRv2_det_student", "PP-OCRv4_mobile_det", "PP-OCRv6_tiny_det"])
def test_with_statistics_it_answers_alike_when_it_trains(name, form):
    model, fresh = build(name), build(name)
    fold_(model, form)
    unfolded(model, fresh)
    images = torch.rand(2, 3, 64, 128)
    expected = fresh.eval()(images)["shrink"].detach()

    def training_error():
        answer = copy.deepcopy(fresh).train()(images)["shrink"].detach()
        return float((answer - expected).abs().max() / (expected - expected.mean()).abs().max())

    assert training_error() > 0.5
    set_statistics_(fresh, [images])
    assert training_error() < 0.02
    check_same(model, fresh, 64)
    assert not fresh.training


def test_statistics_need_images_and_finite_activations():
    model = build("ch_PP-OCRv2_det_student")
    with pytest.raises(ValueError, match="no images"):
        set_statistics_(model, [])
    with pytest.raises(ValueError, match="not finite"):
        set_statistics_(model, [torch.full((1, 3, 64, 64), float("nan"))])


def test_other_answers_are_noticed():
    a, b = build("ch_PP-OCRv2_det_student"), build("ch_PP-OCRv2_det_student")
    check_same(a, b := copy.deepcopy(a), 64)
    with torch.no_grad():
        b.head.binarize.conv3.bias += 1
    with pytest.raises(WeightsError, match="shrink differs"):
        check_same(a, b, 64)


@pytest.mark.parametrize("name", ["ch_PP-OCRv2_rec", "PP-OCRv3_mobile_rec", "PP-OCRv4_mobile_rec"])
def test_state_under_paddles_names_loads_back(tmp_path, name):
    source, target = build(name), build(name)
    state = paddle_state(source)
    assert not any(part in key for key in state for part in ("running_", "num_batches", "positions"))
    write_pdparams(tmp_path / "x.pdparams", state)
    report = load_weights(target, tmp_path / "x.pdparams", charset=CHARSET)
    assert report.complete
    assert not report.training_only
    assert report.unexpected == ()
    for key, value in source.state_dict().items():
        assert torch.equal(value, target.state_dict()[key]) or key.endswith("num_batches_tracked"), key
