"""A run's weights for other programs."""

import pytest
import torch
from small_runs import det_run, rec_run

from ocrtune.cli.main import main
from ocrtune.core.charset import Charset
from ocrtune.core.errors import ExportError
from ocrtune.export.weights import convert_run
from ocrtune.models.build import build_model
from ocrtune.models.fold import fold_, form_of
from ocrtune.training.checkpoint import BEST, save_weights
from ocrtune.training.run_folder import load_run
from ocrtune.weights.load import load_weights
from ocrtune.weights.native import read_native
from ocrtune.weights.pdparams import read_pdparams

CHARSET = Charset("abc")


@pytest.fixture(scope="module")
def rec(tmp_path_factory):
    return rec_run(tmp_path_factory.mktemp("rec"), CHARSET)


@pytest.fixture(scope="module")
def det(tmp_path_factory):
    return det_run(tmp_path_factory.mktemp("det"))


def answer(model, height):
    image = torch.rand(1, 3, height, 96, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        (value,) = model.eval()(image).values()
    return value


def test_recogniser_as_pdparams_comes_back_whole(rec, tmp_path):
    done = convert_run(rec, "pdparams", tmp_path / "new" / "x.pdparams")
    assert done.files == (tmp_path / "new" / "x.pdparams", tmp_path / "new" / "x.dictionary.txt")
    assert done.files[1].read_text(encoding="utf-8") == "a\nb\nc\n"
    assert "Global.use_space_char=false" in done.notes[0]
    tensors = read_pdparams(done.files[0])
    assert "neck.encoder.lstm.1.cell_bw.weight_hh" in tensors
    assert "neck.encoder.lstm.weight_hh_l1_reverse" in tensors
    loaded = load_run(rec)
    fresh = build_model(loaded.config.architecture, CHARSET)
    assert load_weights(fresh, done.files[0], charset=CHARSET).complete
    assert torch.equal(answer(fresh, 32), answer(loaded.model, 32))


def test_folded_run_is_written_as_the_network_that_trains(det, tmp_path):
    loaded = load_run(det)
    before = answer(loaded.model, 64)
    names = {name for name in loaded.model.state_dict() if not name.endswith("num_batches_tracked")}
    save_weights(det / BEST, fold_(loaded.model), None, loaded.score)
    assert form_of(load_run(det).model) == "folded"
    done = convert_run(det, "pdparams", tmp_path / "x.pdparams")
    assert "measured on 3 validation images" in done.notes[0]
    paddles = {name.replace("running_mean", "_mean").replace("running_var", "_variance") for name in names}
    tensors = read_pdparams(done.files[0])
    assert set(tensors) == paddles
    assert tensors["backbone.conv.bn._mean"].any()  # of the images, no longer 0
    fresh = build_model(loaded.config.architecture, None)
    load_weights(fresh, done.files[0])
    assert form_of(fresh) == "training"
    torch.testing.assert_close(answer(fresh, 64), before, atol=1e-5, rtol=0)


def test_folded_run_whose_images_are_gone_is_written_without_statistics(tmp_path):
    det = det_run(tmp_path / "here")
    loaded = load_run(det)
    before = answer(loaded.model, 64)
    save_weights(det / BEST, fold_(loaded.model), None, loaded.score)
    (tmp_path / "here" / "data").rename(tmp_path / "there")
    done = convert_run(det, "pdparams", tmp_path / "x.pdparams")
    assert "mean 0 and variance 1" in done.notes[0]
    assert "labels.txt" in done.notes[0]
    fresh = build_model(loaded.config.architecture, None)
    load_weights(fresh, done.files[0])
    torch.testing.assert_close(answer(fresh, 64), before, atol=1e-5, rtol=0)


def test_safetensors_keep_form_and_dictionary(rec, tmp_path, capsys):
    path = tmp_path / "x.safetensors"
    assert main(["weights", "convert", str(rec), "--to", "safetensors", "-o", str(path)]) == 0
    assert str(path) in capsys.readouterr().out
    tensors, metadata = read_native(path)
    assert metadata["form"] == "training"
    assert metadata["character"] == "a\nb\nc"
    assert set(tensors) == set(load_run(rec).model.state_dict())


def test_other_ending_than_the_format_is_refused(rec, tmp_path):
    with pytest.raises(ExportError, match=r"does not end in \.pdparams"):
        convert_run(rec, "pdparams", tmp_path / "x.onnx")
