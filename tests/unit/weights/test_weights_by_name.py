import numpy as np
import pytest
import torch
from torch import nn

from ocrtune.core.charset import Charset
from ocrtune.core.errors import WeightsError
from ocrtune.weights.by_name import choose_prefix, torch_names
from ocrtune.weights.load import load_weights
from ocrtune.weights.native import charset_metadata, write_native
from ocrtune.weights.pdparams import write_pdparams


class Tiny(nn.Module):
    """A recogniser in miniature: convolution, BatchNorm, LSTM, a training-only branch, classifier."""

    def __init__(self, classes=5):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.bn = nn.BatchNorm2d(4)
        self.lstm = nn.LSTM(4, 4, bidirectional=True, batch_first=True)
        self.aux = nn.Linear(8, 2)
        self.square = nn.Linear(8, 8)
        self.fc = nn.Linear(8, classes)

    def forward(self, image, targets=None):
        x = self.bn(self.conv(image)).mean(2).transpose(1, 2)
        x = self.square(self.lstm(x)[0])
        outputs = {"ctc": self.fc(x)}
        if self.training:
            outputs["aux"] = self.aux(x)
        return outputs


def paddle_tensors(model, skip=()):
    """The state of ``model`` as PaddleOCR would save it."""
    tensors = {}
    for name, value in model.state_dict().items():
        if name.endswith("num_batches_tracked") or name in skip:
            continue
        array = value.numpy().copy()
        if name in ("fc.weight", "square.weight", "aux.weight"):
            array = array.T
        name = name.replace("running_mean", "_mean").replace("running_var", "_variance")
        if name.startswith("lstm."):
            kind, side = name.split(".")[1].split("_")[:2]
            direction = "bw" if name.endswith("_reverse") else "fw"
            name = f"lstm.0.cell_{direction}.{kind}_{side}"
        tensors[name] = array
    return tensors


def filled(classes=5):
    """A model whose every tensor is random, statistics included."""
    model = Tiny(classes)
    with torch.no_grad():
        for value in model.state_dict().values():
            if value.is_floating_point():
                value.copy_(torch.rand_like(value) + 0.1)
    return model


def same(a, b):
    assert all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values()))


def test_paddle_checkpoint_fills_every_tensor(tmp_path):
    source = filled()
    write_pdparams(tmp_path / "best_accuracy.pdparams", paddle_tensors(source))
    target = Tiny()
    report = load_weights(target, tmp_path / "best_accuracy")  # PaddleOCR leaves the suffix away
    same(source, target)
    assert report.complete
    assert (len(report.loaded), report.missing, report.unexpected, report.training_only) == (20, (), (), {})
    assert report.share == 1.0


def test_model_keeps_its_mode(tmp_path):
    write_pdparams(tmp_path / "x.pdparams", paddle_tensors(filled()))
    target = Tiny()
    target.bn.eval()
    load_weights(target, tmp_path / "x.pdparams")
    assert target.training
    assert not target.bn.training
    assert not target.conv._forward_pre_hooks


@pytest.mark.parametrize("prefix", ["student_model.", "Student.", "Teacher.", "module.", "_layers."])
def test_prefix_is_found(tmp_path, prefix):
    source = filled()
    tensors = {prefix + name: value for name, value in paddle_tensors(source).items()}
    tensors["Other.conv.weight"] = np.ones((9, 9), np.float32)
    write_pdparams(tmp_path / "x.pdparams", tensors)
    target = Tiny()
    report = load_weights(target, tmp_path / "x.pdparams")
    same(source, target)
    assert report.unexpected == ("Other.conv.weight",)
    assert f"took the model under '{prefix}'" in str(report)


def test_two_models_that_fit_take_the_student_and_say_so(tmp_path):
    student, teacher = filled(), filled()
    tensors = {"Teacher." + k: v for k, v in paddle_tensors(teacher).items()}
    tensors |= {"Student." + k: v for k, v in paddle_tensors(student).items()}
    write_pdparams(tmp_path / "x.pdparams", tensors)
    target = Tiny()
    report = load_weights(target, tmp_path / "x.pdparams")
    same(student, target)
    assert "2 models that fit (Student., Teacher.): took Student." in str(report)


def test_prefix_with_other_sizes_does_not_win():
    tensors = {"Student.conv.weight": np.zeros((9, 9)), "Teacher.conv.weight": np.zeros((4, 3))}
    assert choose_prefix(tensors, {"conv.weight": 12}, "x")[0] == "Teacher."


def test_file_of_something_else(tmp_path):
    write_pdparams(tmp_path / "x.pdparams", {"linear_0.w_0": np.ones((2, 2), np.float32)})
    with pytest.raises(
        WeightsError, match=r"no tensor of the file fits the model; the file has 1 tensors such as linear"
    ):
        load_weights(Tiny(), tmp_path / "x.pdparams")


def test_missing_tensor_fails_unless_partial(tmp_path):
    write_pdparams(tmp_path / "x.pdparams", paddle_tensors(filled(), skip=("conv.bias", "bn.running_var")))
    target = Tiny()
    before = {name: value.clone() for name, value in target.state_dict().items()}
    with pytest.raises(WeightsError, match=r"lacks 2 of the model's tensors \(9\d\.\d % filled\), such as conv.bias"):
        load_weights(target, tmp_path / "x.pdparams")
    assert all(torch.equal(value, before[name]) for name, value in target.state_dict().items())
    report = load_weights(target, tmp_path / "x.pdparams", allow_partial=True)
    assert report.missing == ("conv.bias", "bn.running_var")
    assert not report.complete
    assert 0.9 < report.share < 1
    assert torch.equal(target.conv.bias, before["conv.bias"])


def test_wrong_shape_names_both_shapes(tmp_path):
    tensors = paddle_tensors(filled())
    tensors["conv.weight"] = tensors["conv.weight"][:, :2]
    write_pdparams(tmp_path / "x.pdparams", tensors)
    with pytest.raises(WeightsError, match=r"conv\.weight: has shape \(4, 2, 3, 3\), the model's .* \(4, 3, 3, 3\)"):
        load_weights(Tiny(), tmp_path / "x.pdparams")
    report = load_weights(Tiny(), tmp_path / "x.pdparams", allow_partial=True)
    assert report.missing == ("conv.weight",)


def test_branch_that_only_training_uses_may_be_absent(tmp_path):
    write_pdparams(tmp_path / "x.pdparams", paddle_tensors(filled(), skip=("aux.weight", "aux.bias")))
    report = load_weights(Tiny(), tmp_path / "x.pdparams")
    assert report.complete
    assert report.training_only == {"aux": "auxiliary heads"}
    assert report.share == 1.0


def test_branch_of_another_shape_that_only_training_uses_is_left_and_noted(tmp_path):
    tensors = paddle_tensors(filled())
    tensors["aux.weight"] = np.ones((8, 7), np.float32)
    write_pdparams(tmp_path / "x.pdparams", tensors)
    report = load_weights(Tiny(), tmp_path / "x.pdparams")
    assert report.complete
    assert "aux.weight is used in training only and has another shape" in str(report)


def test_lstm_names_in_both_of_paddles_spellings():
    names = torch_names({"e.lstm.1.cell_bw.bias_hh": np.ones(1), "e.lstm.weight_ih_l0": np.ones(2)})
    assert list(names) == ["e.lstm.bias_hh_l1_reverse", "e.lstm.weight_ih_l0"]


def test_own_file_is_not_transposed(tmp_path):
    source = filled()
    write_native(tmp_path / "x.safetensors", {k: v.numpy() for k, v in source.state_dict().items()}, {})
    target = Tiny()
    assert load_weights(target, tmp_path / "x.safetensors").unexpected == ()
    same(source, target)


def test_other_number_of_classes_gives_both_counts(tmp_path):
    write_pdparams(tmp_path / "x.pdparams", paddle_tensors(filled(classes=7)))
    with pytest.raises(WeightsError, match=r"has 7 classes, the model has 5 \(blank \+ 3 dictionary lines \+ space\)"):
        load_weights(Tiny(5), tmp_path / "x.pdparams", charset=Charset("abc", use_space_char=True))


def test_same_size_but_other_characters_is_an_error_too(tmp_path):
    state = {k: v.numpy() for k, v in filled().state_dict().items()}
    write_native(tmp_path / "x.safetensors", state, charset_metadata(Charset("abcd")))
    with pytest.raises(WeightsError, match=r"same size as the model's .* but other characters or order"):
        load_weights(Tiny(), tmp_path / "x.safetensors", charset=Charset("abdc"))


def test_classes_are_copied_by_character_on_request(tmp_path):
    source, target = filled(), Tiny(4)
    state = {k: v.numpy() for k, v in source.state_dict().items()}
    write_native(tmp_path / "x.safetensors", state, charset_metadata(Charset("abc", use_space_char=True)))
    report = load_weights(
        target, tmp_path / "x.safetensors", charset=Charset("cx", use_space_char=True), on_mismatch="exact"
    )
    assert torch.equal(target.fc.weight[0], source.fc.weight[0])  # blank
    assert torch.equal(target.fc.weight[1], source.fc.weight[3])  # c
    torch.testing.assert_close(target.fc.weight[2], source.fc.weight[[3, 4]].mean(0))  # x is new: mean of the known
    assert torch.equal(target.fc.weight[3], source.fc.weight[4])  # the space
    assert torch.equal(target.fc.bias[[0, 1, 3]], source.fc.bias[[0, 3, 4]])
    assert report.adapted == dict.fromkeys(("fc.weight", "fc.bias"), "copied by character (2 known, 1 new)")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("x.pdiparams", "without its program"),
        ("x.pdopt", "optimiser state: give the .pdparams"),
        ("x.pth", "can run code"),
        ("x.txt", r"expected one of \.pdparams, \.safetensors, \.onnx, \.pdiparams"),
    ],
)
def test_files_of_other_kinds(tmp_path, name, message):
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(WeightsError, match=message):
        load_weights(Tiny(), tmp_path / name)


def test_name_that_is_neither_file_nor_model():
    with pytest.raises(WeightsError, match="did you mean 'PP-OCRv6_small_det'"):
        load_weights(Tiny(), "PP-OCRv6_smal_det")
