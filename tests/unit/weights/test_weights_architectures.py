"""The table of networks: each builds, and PaddleOCR's configs mean one of them."""

import functools
import json

import pytest
import yaml

from ocrtune.core.charset import Charset
from ocrtune.weights.architectures import ARCHITECTURES
from ocrtune.weights.outline import outline

CHARSET = Charset("abc", use_space_char=True)
NOT_THE_NETWORK = ("algorithm", "Transform", "pretrained", "freeze_params", "return_all_feats", "name")


def shapes(section):
    """Name and shape of everything the network stores, as one text."""
    return _shapes(json.dumps(section, sort_keys=True))


@functools.cache
def _shapes(section):
    section = json.loads(section)
    model = outline(section, CHARSET if section["model_type"] == "rec" else None)
    return json.dumps(sorted((name, tuple(value.shape)) for name, value in model.state_dict().items()))


@pytest.fixture(scope="module")
def known():
    return {shapes(section): name for name, section in ARCHITECTURES.items()}


def test_no_network_is_there_twice(known):
    assert len(known) == len(ARCHITECTURES)


def test_every_network_of_paddleocrs_configs_is_in_the_table(known, shared):
    missing, seen = [], set()
    for path in sorted((shared / "paddleocr-configs").rglob("*.yml")):
        architecture = yaml.safe_load(path.read_text(encoding="utf-8"))["Architecture"]
        for part, network in architecture.get("Models", {"": architecture}).items():
            network = {key: value for key, value in network.items() if key not in NOT_THE_NETWORK}
            backbone = network["Backbone"]
            if backbone["name"] == "SVTRNet":  # as config.dialect understands the teacher of v4's distillation
                backbone["last_stage"] = backbone["out_channels"] != backbone["embed_dim"][-1]
            found = known.get(shapes(network))
            seen.add(found)
            if found is None:
                missing.append(f"{path.name} {part}")
    assert missing == []
    assert seen - {None} == set(ARCHITECTURES)
