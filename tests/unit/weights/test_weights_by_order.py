"""Pairing of ONNX layers with PyTorch layers, on networks small enough to see through."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from ocrtune.weights.by_order import plan_by_order
from ocrtune.weights.dictionary import Dictionaries
from ocrtune.weights.layers import Layer, LayerWeights
from ocrtune.weights.trace import trace

RNG = np.random.default_rng(1)
NO_DICTIONARIES = Dictionaries("file.onnx", None, None)


def rand(*shape):
    return RNG.random(shape, dtype=np.float32) + 0.1


def conv(out, into, size=3, stride=1, bias=True, kind="conv"):
    tensors = {"weight": rand(out, into, size, size)} | ({"bias": rand(out)} if bias else {})
    return Layer(kind, "Conv.7", "w", tensors, {"groups": 1, "stride_h": stride, "stride_w": stride})


def norm(width, epsilon=1e-5):
    tensors = {name: rand(width) for name in ("weight", "bias", "running_mean", "running_var")}
    return Layer("batch_norm", "BatchNormalization.1", "bn", tensors, {"epsilon": epsilon})


def weights(*layers, leftover=None):
    return LayerWeights(Path("file.onnx"), layers, leftover or {}, (None, 3, None, None), {}, {})


def plan(model, *layers, leftover=None):
    return plan_by_order(trace(model), weights(*layers, leftover=leftover), NO_DICTIONARIES)


def test_layers_are_paired_in_order_of_execution_not_of_definition():
    class Swapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.second = nn.Conv2d(4, 4, 3)
            self.first = nn.Conv2d(3, 4, 3)

        def forward(self, x):
            return self.second(self.first(x))

    first, second = conv(4, 3), conv(4, 4)
    filled, mismatch = plan(Swapped(), first, second)
    assert mismatch is None
    assert filled.values["first.weight"] is first.tensors["weight"]
    assert filled.values["second.bias"] is second.tensors["bias"]


def test_batch_norm_of_the_file_is_folded_into_a_convolution_without_one():
    model = nn.Sequential(nn.Conv2d(3, 4, 3))
    source = conv(4, 3, bias=False)
    source_norm = norm(4)
    filled, mismatch = plan(model, source, source_norm)
    assert mismatch is None
    model.load_state_dict({name: torch.from_numpy(value) for name, value in filled.values.items()})
    reference = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4)).eval()
    reference[0].load_state_dict({"weight": torch.from_numpy(source.tensors["weight"])})
    reference[1].load_state_dict({k: torch.from_numpy(v) for k, v in source_norm.tensors.items()}, strict=False)
    x = torch.rand(1, 3, 8, 8)
    torch.testing.assert_close(model(x), reference(x))
    assert filled.adapted == dict.fromkeys(("0.weight", "0.bias"), "BatchNorm folded in")


def test_transposed_convolution_folds_along_its_output_channels():
    model = nn.Sequential(nn.ConvTranspose2d(3, 2, 2, stride=2))
    source = Layer(
        "conv_transpose", "t", "w", {"weight": rand(3, 2, 2, 2)}, {"groups": 1, "stride_h": 2, "stride_w": 2}
    )
    source_norm = norm(2)
    filled, mismatch = plan(model, source, source_norm)
    assert mismatch is None
    model.load_state_dict({name: torch.from_numpy(value) for name, value in filled.values.items()})
    reference = nn.Sequential(nn.ConvTranspose2d(3, 2, 2, stride=2, bias=False), nn.BatchNorm2d(2)).eval()
    reference[0].load_state_dict({"weight": torch.from_numpy(source.tensors["weight"])})
    reference[1].load_state_dict({k: torch.from_numpy(v) for k, v in source_norm.tensors.items()}, strict=False)
    x = torch.rand(1, 3, 4, 4)
    torch.testing.assert_close(model(x), reference(x))


def test_intact_batch_norm_is_copied_with_its_statistics():
    source, source_norm = conv(4, 3), norm(4)
    filled, mismatch = plan(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), source, source_norm)
    assert mismatch is None
    assert not filled.adapted
    assert filled.values["1.running_var"] is source_norm.tensors["running_var"]


def test_absent_bias_becomes_zero():
    filled, mismatch = plan(nn.Sequential(nn.Conv2d(3, 4, 3)), conv(4, 3, bias=False))
    assert mismatch is None
    assert filled.values["0.bias"].tolist() == [0, 0, 0, 0]
    assert "bias set to 0" in filled.adapted["0.bias"]


def test_stacked_lstm_takes_one_file_layer_per_layer():
    class Encoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(3, 2, num_layers=2, bidirectional=True, batch_first=True)

        def forward(self, x):
            return self.lstm(x.mean(2).transpose(1, 2))[0]

    def layer(width):
        tensors = {
            f"{kind}_l0{ending}": rand(8, size) if size else rand(8)
            for ending in ("", "_reverse")
            for kind, size in (("weight_ih", width), ("weight_hh", 2), ("bias_ih", 0), ("bias_hh", 0))
        }
        return Layer("lstm", "LSTM", "w", tensors, {})

    first, second = layer(3), layer(4)
    model = Encoder()
    filled, mismatch = plan(model, first, second)
    assert mismatch is None
    assert set(filled.values) == set(model.state_dict())
    assert filled.values["lstm.weight_ih_l1_reverse"] is second.tensors["weight_ih_l0_reverse"]


@pytest.mark.parametrize(
    ("layers", "step", "in_file", "in_model"),
    [
        (
            [conv(4, 3), conv(6, 4)],
            2,
            "conv (6, 4, 3, 3) of node Conv.7",
            "weight (4, 4, 3, 3) instead of (6, 4, 3, 3)",
        ),
        ([conv(4, 3), norm(4)], 2, "no further layer", "1 (Conv2d (4, 4, 3, 3))"),
        ([conv(4, 3), conv(4, 4, kind="conv_transpose")], 2, "conv_transpose (4", "1 (Conv2d (4, 4, 3, 3))"),
        ([conv(4, 3), conv(4, 4, stride=2)], 2, "conv (4", "stride (1, 1) instead of (2, 2)"),
        ([conv(4, 3)], 2, "no further layer", "1 (Conv2d"),
        ([conv(4, 3), conv(4, 4), conv(9, 4)], 3, "conv (9, 4, 3, 3) of node Conv.7", "no further layer"),
    ],
)
def test_first_difference_is_named(layers, step, in_file, in_model):
    _, mismatch = plan(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)), *layers)
    assert mismatch is not None
    assert mismatch.step == step
    assert in_file in mismatch.in_file
    assert in_model in mismatch.in_model


def test_bias_without_a_place_is_a_mismatch():
    _, mismatch = plan(nn.Sequential(nn.Conv2d(3, 4, 3, bias=False)), conv(4, 3))
    assert mismatch is not None
    assert "has no bias" in mismatch.in_model


def test_other_epsilon_is_a_mismatch():
    _, mismatch = plan(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), conv(4, 3), norm(4, epsilon=1e-3))
    assert mismatch is not None
    assert "epsilon 1e-05 instead of 0.001" in mismatch.in_model


def test_leftover_constants_are_reported():
    filled, _ = plan(nn.Sequential(nn.Conv2d(3, 4, 3)), conv(4, 3), leftover={"gamma": (4,)})
    assert filled.unexpected == ["gamma (4,)"]
