"""The exported file: numbers, shapes, dictionary, card, errors."""

import dataclasses

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from ocrtune.config import load_config
from ocrtune.config.recipes import find_config, recipe_names
from ocrtune.core.charset import Charset
from ocrtune.core.errors import DataError, ExportError
from ocrtune.core.records import ModelCard
from ocrtune.export.onnx import classes_with_space, export_model
from ocrtune.inference import Session
from ocrtune.models.build import build_model
from ocrtune.training.registries import all_registries

CARD = ModelCard("rec", "tiny", {"image_shape": [3, 48, 320]}, {})
LETTERS = Charset(["a", "b", "度"], use_space_char=True)


class Steps(nn.Module):
    """(N, 3, H, W) -> logits (N, W / 8, classes) that differ from step to step."""

    def __init__(self, classes: int):
        super().__init__()
        torch.manual_seed(0)
        self.convolution = nn.Conv2d(3, classes, (48, 8), (48, 8))

    def forward(self, image, targets=None):
        return {"ctc": self.convolution(image)[:, :, 0].transpose(1, 2)}


def run_both(model, path, shape, name):
    x = torch.rand(*shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return model.eval()(x)[name].numpy(), Session(path, threads=1).run(x.numpy())


def test_every_recipes_network_exports(tmp_path):
    """Random weights of each recipe's architecture; other batch sizes and widths than the example the tracer saw."""
    for recipe in recipe_names():
        raw = load_config(find_config(recipe), ["Global.pretrained_model=", *OWN_FILES(tmp_path)], all_registries(), ())
        architecture = raw.config.architecture
        charset = LETTERS if architecture.model_type == "rec" else None
        model = build_model(architecture, charset).eval()
        height = 64
        if charset is not None:
            [shape] = [t.options.image_shape for t in raw.config.eval.dataset.transforms if t.name == "RecResizeImg"]
            height = shape[1]
        card = dataclasses.replace(CARD, task=architecture.model_type)
        path = export_model(model, card, charset, tmp_path / "model.onnx", height=height)
        for batch, width in [(1, 96), (3, 320)]:
            name = "shrink" if charset is None else "ctc"
            expected, found = run_both(model, path, (batch, 3, height, width), name)
            if charset is not None:
                expected = torch.from_numpy(expected).softmax(-1).numpy()
            assert found.shape == expected.shape, recipe
            np.testing.assert_allclose(found, expected, atol=1e-4, err_msg=recipe)


def OWN_FILES(folder):
    dictionary = folder / "dict.txt"
    dictionary.write_text("a\nb\n", encoding="utf-8")
    labels = folder / "labels.txt"
    labels.write_text("", encoding="utf-8")
    return [f"Train.dataset.label_file_list={labels}", f"Global.character_dict_path={dictionary}"]


def test_file_holds_card_dictionary_and_known_names(tmp_path):
    path = export_model(Steps(5), CARD, LETTERS, tmp_path / "deep" / "model.onnx", height=48)
    session = Session(path, threads=1)
    assert (session.card, session.characters, session.num_classes) == (CARD, ("a", "b", "度"), 5)
    assert session.input_height == 48
    model = onnx.load(path)
    assert [i.name for i in model.graph.input] == ["x"]
    assert [o.name for o in model.graph.output] == ["probability"]
    assert [o.version for o in model.opset_import if o.domain == ""] == [13]
    assert not [node for node in model.graph.node if node.op_type == "BatchNormalization"]
    assert [p.name for p in path.parent.iterdir()] == ["model.onnx"]


def test_dictionary_without_space_gets_a_class_that_never_fires(tmp_path):
    charset = Charset(["a", "b"])
    model = Steps(charset.num_classes)
    path = export_model(model, CARD, charset, tmp_path / "model.onnx", height=48)
    expected, found = run_both(model, path, (2, 3, 48, 80), "ctc")
    assert found.shape == (2, 10, 4)
    assert (found[:, :, 3] == 0).all()
    np.testing.assert_allclose(found[:, :, :3], torch.from_numpy(expected).softmax(-1).numpy(), atol=1e-6)
    assert Session(path).characters == ("a", "b")


@pytest.mark.parametrize(
    ("charset", "expected"),
    [
        (Charset(["a"], True), ("a", " ")),
        (Charset(["a"]), ("a", " ")),
        (Charset(["a", " "]), ("a", " ")),
        (Charset([" ", "a"]), (" ", "a", " ")),
        (Charset(["a", " "], True), ("a", " ", " ")),
    ],
)
def test_rapidocrs_last_class_is_a_space_whatever_the_dictionary(charset, expected):
    assert classes_with_space(charset) == expected


def test_the_model_is_not_changed(tmp_path):
    model = Steps(5).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    export_model(model, CARD, LETTERS, tmp_path / "model.onnx", height=48)
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_dictionary_that_metadata_cannot_hold(tmp_path):
    charset = Charset(["a", "\u2028"], True)
    with pytest.raises(DataError, match="would shift every class"):
        export_model(Steps(4), CARD, charset, tmp_path / "model.onnx", height=48)
    assert list(tmp_path.iterdir()) == []


def test_output_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ExportError, match="cannot be written"):
        export_model(Steps(5), CARD, LETTERS, tmp_path / "file" / "model.onnx", height=48)
