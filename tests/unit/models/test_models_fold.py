"""Folding keeps the function, restoring BatchNorm keeps it too, and every form reloads from its state."""

from __future__ import annotations

import copy

import pytest
import torch
from models_architectures import HEIGHTS, NAMED, build
from torch import Tensor, nn

from ocrtune.models.fold import FORMS, fold_, form_of, restore_batchnorm_, to_form_

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def lived_in(name: str) -> nn.Module:
    """A float64 model in eval mode whose BatchNorms look as after training."""
    torch.manual_seed(0)
    model = build(name).double().eval()
    for module in model.modules():
        if isinstance(module, NORMS):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.2)
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 1.5)
    return model


def batches(name: str, count: int = 2) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(2, 3, HEIGHTS[name], 64 + 32 * i, generator=generator).double() for i in range(count)]


@torch.no_grad()
def output(model: nn.Module, image: Tensor) -> Tensor:
    return next(iter(model.eval()(image).values()))


def norms(model: nn.Module) -> list[str]:
    return [name for name, module in model.named_modules() if isinstance(module, NORMS)]


@pytest.mark.parametrize("form", ["release", "folded"])
@pytest.mark.parametrize("name", NAMED)
def test_folding_keeps_the_function(name: str, form) -> None:
    model = lived_in(name)
    image = batches(name)[1]
    expected = output(model, image)
    assert fold_(model, form) is model
    torch.testing.assert_close(output(model, image), expected, rtol=1e-9, atol=1e-9)
    assert form_of(model) == form
    if form == "folded":
        assert norms(model) == []
    again = {key: value.clone() for key, value in model.state_dict().items()}
    fold_(model, form)
    assert all(torch.equal(value, again[key]) for key, value in model.state_dict().items())


def test_folding_works_in_train_mode_heads_too() -> None:
    """Heads that only training uses are folded as well, with the same function."""
    model = lived_in("v6_det")
    pyramid = model.neck(model.backbone(batches("v6_det")[0]))
    expected = model.head.aux_thresh_p3(pyramid.p3)
    fold_(model)
    torch.testing.assert_close(model.head.aux_thresh_p3(pyramid.p3), expected, rtol=1e-9, atol=1e-9)


def test_release_form_keeps_the_norms_of_the_released_files() -> None:
    kept = norms(fold_(build("v6_rec"), "release"))
    assert kept == [f"head.ctc_encoder.encoder.{n}" for n in ("conv_reduce.norm", "local_conv.1", "skip_conv.norm")]
    kept = norms(fold_(build("v6_det"), "release"))
    assert all(name.startswith(("head.thresh", "head.aux_")) for name in kept)
    assert norms(fold_(build("v2_rec"), "release")) == norms(build("v2_rec"))


@pytest.mark.parametrize("before", ["release", "folded"])
@pytest.mark.parametrize("name", NAMED)
def test_restoring_keeps_the_function_and_can_be_folded_again(name: str, before) -> None:
    model = fold_(lived_in(name), before)
    image = batches(name, 3)[2]
    expected = output(model, image)
    restore_batchnorm_(model, batches(name))
    torch.testing.assert_close(output(model, image), expected, rtol=1e-6, atol=1e-6)
    assert form_of(model) == "restored"
    fold_(model)
    assert norms(model) == []
    torch.testing.assert_close(output(model, image), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", NAMED)
def test_every_norm_of_training_is_restored(name: str) -> None:
    """One per convolution that had one; the parallel branches of PP-OCRv6 stay merged."""
    branches = ("rep_dw.conv.bn", "dil_bn")
    expected = [norm for norm in norms(build(name)) if not any(part in norm for part in branches)]
    model = restore_batchnorm_(fold_(build(name)), None)
    assert norms(model) == expected


@pytest.mark.parametrize("name", ["v2_det", "v6_det", "v2_rec"])
def test_restored_statistics_are_those_of_the_images(name: str) -> None:
    """On the very batch that was measured, train mode (batch statistics) gives what eval mode gives."""
    model = restore_batchnorm_(fold_(lived_in(name)), batches(name, 1))
    image = batches(name, 1)[0]
    expected = output(model, image)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.train()
    with torch.no_grad():
        found = next(iter(model(image).values()))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_restoring_pools_batches_of_different_size() -> None:
    first, second = batches("v2_rec")
    model = fold_(lived_in("v2_rec"))
    conv = model.get_submodule("backbone.conv1._conv")
    with torch.no_grad():
        pooled = torch.cat([conv(image).transpose(0, 1).flatten(1) for image in (first, second)], 1)
    bias = conv.bias.detach().clone()
    restore_batchnorm_(model, iter((first, second)))
    norm = model.get_submodule("backbone.conv1._batch_norm")
    assert conv.bias is None
    torch.testing.assert_close(norm.running_mean + bias, pooled.mean(1), check_dtype=False)
    torch.testing.assert_close(norm.running_var, pooled.var(1, correction=0), check_dtype=False)


def test_restored_model_trains_its_norms() -> None:
    model = restore_batchnorm_(fold_(lived_in("v6_det")), batches("v6_det"))
    before = model.backbone.stem.stem1.bn.running_mean.clone()
    outputs = model.train()(batches("v6_det")[0])
    sum(value.sum() for value in outputs.values()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
    assert not torch.equal(model.backbone.stem.stem1.bn.running_mean, before)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["v6_det", "v6_tiny_rec"])
def test_a_state_reloads_into_a_fresh_model_of_its_form(name: str, form) -> None:
    model = lived_in(name)
    if form == "restored":
        restore_batchnorm_(fold_(model, "release"), batches(name))
    elif form != "training":
        fold_(model, form)
    fresh = to_form_(build(name).double(), form)
    fresh.load_state_dict(model.state_dict())
    assert form_of(fresh) == form
    image = batches(name)[1]
    torch.testing.assert_close(output(fresh, image), output(model, image), rtol=0, atol=0)


def test_a_model_keeps_its_form_when_copied() -> None:
    copied = copy.deepcopy(fold_(build("v2_det")))
    assert form_of(copied) == "folded"
    assert norms(copied) == []


def test_restoring_keeps_modes_and_refuses_what_cannot_work() -> None:
    with pytest.raises(ValueError, match="folded"):
        restore_batchnorm_(build("v2_det"), batches("v2_det"))
    model = fold_(build("v2_det"))
    with pytest.raises(ValueError, match="no images"):
        restore_batchnorm_(model, [])
    with pytest.raises(ValueError, match="not finite"):
        restore_batchnorm_(model, [torch.full((1, 3, 64, 64), float("nan"))])
    with pytest.raises(ValueError, match="cannot become a release model"):
        fold_(model, "release")
    restore_batchnorm_(model.train(), [torch.randn(1, 3, 64, 64)])
    assert all(module.training for module in model.modules())
