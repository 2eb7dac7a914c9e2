import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from ocrtune.core.errors import WeightsError
from ocrtune.weights import catalogue
from ocrtune.weights.onnx_reader import read_onnx

RNG = np.random.default_rng(0)


def rand(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def save(path, nodes, initializers, opset=13, metadata=None):
    """A graph from input x to output y (shapes are not declared, so nothing is checked but what is read)."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 48, "w"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in initializers.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    for key, value in (metadata or {}).items():
        model.metadata_props.add(key=key, value=value)
    onnx.save(model, str(path))
    return path


def constant(name, value):
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value))


def test_convolution_takes_the_bias_of_a_following_add(tmp_path):
    weight, bias = rand(4, 3, 3, 3), rand(1, 4, 1, 1)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="Conv.0", strides=[2, 1]),
        helper.make_node("Identity", ["c"], ["c2"]),
        helper.make_node("Add", ["c2", "b"], ["a"]),
        helper.make_node("Add", ["a", "x"], ["y"]),  # a shortcut is no bias
    ]
    (layer,) = read_onnx(save(tmp_path / "m.onnx", nodes, {"w": weight, "b": bias})).layers
    assert (layer.kind, layer.node, layer.source) == ("conv", "Conv.0", "w")
    np.testing.assert_array_equal(layer.tensors["weight"], weight)
    np.testing.assert_array_equal(layer.tensors["bias"], bias.reshape(4))
    assert (layer.numbers["stride_h"], layer.numbers["stride_w"]) == (2, 1)


def test_scalar_add_and_shared_output_are_no_bias(tmp_path):
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("Add", ["c", "three"], ["h"]),  # the start of a hard swish
        helper.make_node("Conv", ["h", "v"], ["d"]),
        helper.make_node("Add", ["d", "b"], ["e"]),
        helper.make_node("Mul", ["d", "e"], ["y"]),  # d is used twice
    ]
    tensors = {"w": rand(1, 3, 1, 1), "three": np.array(3, np.float32), "v": rand(2, 1, 1, 1), "b": rand(1, 2, 1, 1)}
    weights = read_onnx(save(tmp_path / "m.onnx", nodes, tensors))
    assert ["bias" in layer.tensors for layer in weights.layers] == [False, False]
    assert weights.leftover == {"b": (1, 2, 1, 1)}


def test_constant_nodes_and_computed_constants(tmp_path):
    weight = rand(3, 4, 1, 1)
    nodes = [
        constant("k", weight),
        constant("perm_bias", rand(4)),
        constant("shape", np.array([1, 4, 1, 1])),
        helper.make_node("Transpose", ["k"], ["w"], perm=[1, 0, 2, 3]),
        helper.make_node("Reshape", ["perm_bias", "shape"], ["b"]),
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("Add", ["c", "b"], ["y"]),
    ]
    (layer,) = read_onnx(save(tmp_path / "m.onnx", nodes, {})).layers
    np.testing.assert_array_equal(layer.tensors["weight"], weight.transpose(1, 0, 2, 3))
    assert layer.source == "k"
    assert layer.tensors["bias"].shape == (4,)


def test_quantised_weights_come_back_as_floats(tmp_path):
    integers = np.array([[-8, 4], [2, 6]], np.int8)
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["w"]),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
    ]
    tensors = {"q": integers, "s": np.array(0.5, np.float32), "z": np.array(2, np.int8)}
    (layer,) = read_onnx(save(tmp_path / "m.onnx", nodes, tensors)).layers
    np.testing.assert_array_equal(layer.tensors["weight"], ((integers - 2.0) * 0.5).T)


def test_integer_operator_is_refused(tmp_path):
    nodes = [helper.make_node("MatMulInteger", ["x", "w"], ["y"], name="q0")]
    with pytest.raises(WeightsError, match=r"MatMulInteger \(node q0\) keeps its weights as integers"):
        read_onnx(save(tmp_path / "m.onnx", nodes, {"w": np.ones((2, 2), np.int8)}))


def test_linear_layers_in_both_spellings_have_torch_layout(tmp_path):
    weight, bias = rand(5, 2), rand(2)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["m"]),
        helper.make_node("Add", ["b", "m"], ["a"]),
        helper.make_node("Gemm", ["a", "v", "b"], ["g"], transB=1, alpha=2.0),
        helper.make_node("MatMul", ["g", "a"], ["y"]),  # attention: no constant
    ]
    first, second = read_onnx(save(tmp_path / "m.onnx", nodes, {"w": weight, "b": bias, "v": weight.T})).layers
    np.testing.assert_array_equal(first.tensors["weight"], weight.T)
    np.testing.assert_array_equal(first.tensors["bias"], bias)
    np.testing.assert_array_equal(second.tensors["weight"], 2 * weight.T)


@pytest.mark.parametrize("decomposed", [True, False])
def test_layer_norm_whole_and_in_pieces(tmp_path, decomposed):
    weight, bias = rand(6), rand(6)
    tensors = {"w": weight, "b": bias}
    if decomposed:
        tensors |= {"two": np.array(2, np.float32), "eps": np.array(1e-6, np.float32)}
        nodes = [
            helper.make_node("ReduceMean", ["x"], ["m"], axes=[-1]),
            helper.make_node("Sub", ["x", "m"], ["s"]),
            helper.make_node("Pow", ["s", "two"], ["p"]),
            helper.make_node("ReduceMean", ["p"], ["v"], axes=[-1]),
            helper.make_node("Add", ["v", "eps"], ["ve"]),
            helper.make_node("Sqrt", ["ve"], ["r"]),
            helper.make_node("Div", ["s", "r"], ["d"]),
            helper.make_node("Mul", ["d", "w"], ["dw"]),
            helper.make_node("Add", ["dw", "b"], ["y"]),
        ]
    else:
        nodes = [helper.make_node("LayerNormalization", ["x", "w", "b"], ["y"], epsilon=1e-6)]
    weights = read_onnx(save(tmp_path / "m.onnx", nodes, tensors, opset=17 if not decomposed else 13))
    (layer,) = weights.layers
    assert layer.kind == "layer_norm"
    np.testing.assert_array_equal(layer.tensors["weight"], weight)
    np.testing.assert_array_equal(layer.tensors["bias"], bias)
    assert layer.numbers["epsilon"] == pytest.approx(1e-6)
    assert not weights.leftover


def test_lstm_gates_are_reordered_so_that_torch_gives_the_same_output(tmp_path):
    hidden, width = 3, 5
    w, r, b = rand(2, 4 * hidden, width), rand(2, 4 * hidden, hidden), rand(2, 8 * hidden)
    node = helper.make_node("LSTM", ["x", "w", "r", "b"], ["y"], hidden_size=hidden, direction="bidirectional")
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4, 2, width])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4, 2, 2, hidden])],
        [numpy_helper.from_array(value, name) for name, value in (("w", w), ("r", r), ("b", b))],
    )
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    (layer,) = read_onnx(path).layers
    lstm = torch.nn.LSTM(width, hidden, bidirectional=True)
    lstm.load_state_dict({name: torch.from_numpy(value) for name, value in layer.tensors.items()})
    x = rand(4, 2, width)
    expected = ort.InferenceSession(str(path)).run(None, {"x": x})[0]  # (T, directions, N, hidden)
    found = lstm(torch.from_numpy(x))[0].detach().numpy().reshape(4, 2, 2, hidden).transpose(0, 2, 1, 3)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_metadata_and_input_shape(tmp_path):
    nodes = [helper.make_node("Identity", ["x"], ["y"])]
    weights = read_onnx(save(tmp_path / "m.onnx", nodes, {}, metadata={"character": "a\nb"}))
    assert weights.metadata == {"character": "a\nb"}
    assert weights.input_shape == (None, 3, 48, None)
    assert weights.summary() == "no layer with weights"


def test_released_files_are_read_completely():
    for name, layers, parameters in (("PP-OCRv6_small_det", 85, 2_453_353), ("PP-OCRv6_small_rec", 74, 5_266_910)):
        weights = read_onnx(catalogue.find(name).path())
        counted = sum(v.size for w in weights.layers for k, v in w.tensors.items() if not k.startswith("running"))
        assert (len(weights.layers), counted) == (layers, parameters)
        assert not weights.leftover


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.999])
def test_truncated_file_is_one_clear_error(tmp_path, keep):
    whole = catalogue.find("PP-OCRv6_small_det").path().read_bytes()
    path = tmp_path / "cut.onnx"
    path.write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(WeightsError, match=r"cut\.onnx: not (a complete|an) ONNX") as caught:
        read_onnx(path)
    assert len(caught.value.problems) == 1


def test_missing_file(tmp_path):
    with pytest.raises(WeightsError, match="no such file"):
        read_onnx(tmp_path / "none.onnx")
