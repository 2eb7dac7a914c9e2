"""A run whose dictionary is not that of its weights: ``Global.on_mismatch``."""

import pytest
import torch

from ocrtune.config import load_config
from ocrtune.config.recipes import find_config
from ocrtune.core.charset import Charset
from ocrtune.core.errors import ConfigError, WeightsError
from ocrtune.models.build import build_model
from ocrtune.training.checkpoint import save_weights
from ocrtune.training.registries import all_registries
from ocrtune.training.start import load_start, read_charset
from ocrtune.weights.pdparams import write_pdparams
from ocrtune.weights.to_paddle import paddle_state

OLD = Charset("abc", use_space_char=True)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """The same network as a file that carries its dictionary and as PaddleOCR's checkpoint, which does not."""
    folder = tmp_path_factory.mktemp("weights")
    (folder / "old.txt").write_text("a\nb\nc\n", encoding="utf-8")
    (folder / "new.txt").write_bytes(b"x\r\nc\r\na\r\n")
    plain = load_config(find_config("rec/PP-OCRv2"), (), all_registries(), files_of=()).config
    model = build_model(plain.architecture, OLD)
    save_weights(folder / "x.safetensors", model, OLD, None)
    write_pdparams(folder / "x.pdparams", paddle_state(model))
    return folder, model


def start(folder, *overrides):
    """(dictionary, filled model, what was said) of a run with the dictionary ``new.txt``."""
    given = [f"Global.character_dict_path={folder / 'new.txt'}", "Global.use_space_char=true", *overrides]
    config = load_config(find_config("rec/PP-OCRv2"), given, all_registries(), files_of=()).config
    charset, said = read_charset(config), []
    model = build_model(config.architecture, charset)
    load_start(model, config.global_options, charset, said.append)
    return charset, model, "\n".join(said)


@pytest.mark.parametrize("file", ["x.safetensors", "x.pdparams"])
@pytest.mark.parametrize(("mode", "characters"), [("exact", "xca "), ("by_character", "xca "), ("union", "abcx ")])
def test_known_characters_keep_their_classes(weights, file, mode, characters):
    folder, source = weights
    options = [f"Global.pretrained_model={folder / file}", f"Global.on_mismatch={mode}"]
    options += [f"Global.pretrained_character_dict_path={folder / 'old.txt'}"] if file == "x.pdparams" else []
    charset, model, said = start(folder, *options)
    assert "".join(charset.characters) == characters
    for character in "ca ":
        copied = model.head.fc2.weight[charset.class_of(character)]
        assert torch.equal(copied, source.head.fc2.weight[OLD.class_of(character)])
    assert "copied by character" in said
    assert "new.txt: has Windows line ends (CRLF): removed" in said


def test_default_refuses_and_names_the_options(weights):
    folder, _ = weights
    with pytest.raises(WeightsError, match=r"-o Global\.on_mismatch=exact"):
        start(folder, f"Global.pretrained_model={folder / 'x.safetensors'}")


def test_union_with_an_unknown_dictionary_says_which_option_gives_it(weights):
    folder, _ = weights
    with pytest.raises(ConfigError, match=r"pretrained_character_dict_path.*a union needs it"):
        start(folder, f"Global.pretrained_model={folder / 'x.pdparams'}", "Global.on_mismatch=union")
