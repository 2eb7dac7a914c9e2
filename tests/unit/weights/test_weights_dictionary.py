"""Another dictionary: every known character keeps its row, in all layers that have one per class."""

import numpy as np
import pytest
import torch

from ocrtune.core.charset import Charset
from ocrtune.core.errors import WeightsError
from ocrtune.weights import catalogue
from ocrtune.weights.dictionary import CTC, ClassRows, Dictionaries, check_class_count, class_rows
from ocrtune.weights.load import load_weights
from ocrtune.weights.pdparams import write_pdparams
from ocrtune.weights.released import build_section

OLD, NEW = Charset("abcde", use_space_char=True), Charset("xecya", use_space_char=True)
NRTR, SAR = ClassRows(4, 1), ClassRows(0, 3)
RNG = np.random.default_rng(3)


def carried(layout, width=7):
    """(old rows, new rows) of a layer that is carried from OLD to NEW."""
    extra = layout.before + layout.after
    old = RNG.normal(size=(len(OLD) + extra, width)).astype(np.float32)
    new, how = Dictionaries("file", OLD, NEW, "exact").rows(old, (len(NEW) + extra, width), layout)
    assert how == "copied by character (4 known, 2 new)"
    return old, new


@pytest.mark.parametrize("layout", [CTC, NRTR, SAR])
def test_known_characters_and_special_classes_keep_their_rows(layout):
    old, new = carried(layout)
    np.testing.assert_array_equal(new[: layout.before], old[: layout.before])
    np.testing.assert_array_equal(new[layout.before + len(NEW) :], old[layout.before + len(OLD) :])
    for character in "eca ":
        at_new, at_old = (layout.before + c.class_of(character) - 1 for c in (NEW, OLD))
        np.testing.assert_array_equal(new[at_new], old[at_old])


def test_new_characters_never_win_at_first():
    _, new = carried(CTC)
    features = RNG.normal(size=(1000, 7))
    winners = (features @ new.T).argmax(1)
    assert not set(winners) & {NEW.class_of("x"), NEW.class_of("y")}
    assert len(set(winners)) > 3


def test_bias_is_carried_as_the_weight_is():
    bias = np.arange(7, dtype=np.float32)
    new, _ = Dictionaries("file", OLD, NEW, "exact").rows(bias, (7,))
    mean = np.mean([5, 3, 1, 6])
    np.testing.assert_allclose(new, [0, mean, 5, 3, mean, 1, 6])


def test_space_flag_of_a_named_dictionary_follows_the_rows():
    guessed = Charset("abcde", use_space_char=False)
    old = np.arange(7, dtype=np.float32)[:, None]
    new, _ = Dictionaries("file", guessed, NEW, "exact").rows(old, (7, 1))
    assert new[NEW.class_of(" "), 0] == 6
    with pytest.raises(WeightsError, match="its classifier has 9 classes, its dictionary 6"):
        Dictionaries("file", guessed, NEW, "exact").rows(np.zeros((9, 1)), (7, 1))


def test_refusal_names_the_ways_out():
    with pytest.raises(WeightsError, match=r"on_mismatch=exact.* or union"):
        Dictionaries("file", OLD, NEW).rows(np.zeros((7, 1)), (7, 1))
    with pytest.raises(WeightsError, match="pretrained_character_dict_path"):
        Dictionaries("file", None, NEW, "exact").rows(np.zeros((9, 1)), (7, 1))
    with pytest.raises(WeightsError, match="no character in common"):
        Dictionaries("file", Charset("pq"), Charset("xy"), "exact").rows(np.zeros((3, 1)), (3, 1))


def test_layers_with_a_row_per_class_are_known_by_name():
    assert class_rows("head.fc", "head.fc") == CTC
    assert class_rows("head.gtc_head.tgt_word_prj", "head.ctc_head.fc") == NRTR
    assert class_rows("head.sar_head.decoder.embedding", "head.ctc_head.fc") == SAR
    assert class_rows("backbone.conv", "head.fc") is None


def test_class_count_is_checked():
    check_class_count(7, OLD, "x")
    with pytest.raises(WeightsError, match=r"has 8 classes, the dictionary 7 \(blank \+ 5 dictionary lines \+ space\)"):
        check_class_count(8, OLD, "x")


def test_training_checkpoint_carries_its_guidance_head_too(tmp_path):
    section = catalogue.find("PP-OCRv6_small_rec").architecture
    source, target = build_section(section, OLD), build_section(section, NEW)
    state = source.state_dict()
    linear = {f"{n}.weight" for n, m in source.named_modules() if isinstance(m, torch.nn.Linear)}
    tensors = {
        n.replace("running_mean", "_mean").replace("running_var", "_variance"): (v.T if n in linear else v).numpy()
        for n, v in state.items()
        if not n.endswith("num_batches_tracked")
    }
    write_pdparams(tmp_path / "x.pdparams", tensors)
    with pytest.raises(WeightsError, match="on_mismatch=exact"):
        load_weights(target, tmp_path / "x.pdparams", charset=NEW, source_charset=OLD)
    report = load_weights(target, tmp_path / "x.pdparams", charset=NEW, source_charset=OLD, on_mismatch="exact")
    assert not report.training_only
    assert set(report.adapted) == {
        "head.ctc_head.fc.weight",
        "head.ctc_head.fc.bias",
        "head.gtc_head.embedding.embedding.weight",
        "head.gtc_head.tgt_word_prj.weight",
    }
    for name, offset in (("embedding.embedding", 3), ("tgt_word_prj", 3)):
        old, new = (m.get_parameter(f"head.gtc_head.{name}.weight") for m in (source, target))
        assert torch.equal(new[NEW.class_of("c") + offset], old[OLD.class_of("c") + offset])
        assert torch.equal(new[:4], old[:4])
        assert torch.equal(new[-1], old[-1])
