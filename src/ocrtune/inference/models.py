"""From what a user names as a model to a ready Detector or Recogniser.

A model is one of: nothing (the default weights), a name of the weights catalogue, a folder that ``ocrtune export``
wrote (``inference.onnx``, or the only ONNX file), or an ONNX file: ours, or a plain one of PaddleOCR or RapidOCR.

Settings come from the first of: the model card in the file, ``inference.yml`` beside it, the catalogue, PaddleOCR's
command line defaults. Options given by the user go on top.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ocrtune.codec.ctc import CTCCodec
from ocrtune.codec.db import DBPostProcess
from ocrtune.codec.image import DetPreprocess, RecPreprocess
from ocrtune.codec.language import Language, read_language
from ocrtune.core.charset import Charset
from ocrtune.core.errors import ConfigError, DataError, Problem, WeightsError
from ocrtune.inference.detector import Detector
from ocrtune.inference.options import PredictOptions
from ocrtune.inference.paddle_yaml import FILE_NAME, InferenceYaml, read_inference_yaml
from ocrtune.inference.recogniser import Recogniser
from ocrtune.inference.session import Session
from ocrtune.weights import catalogue

DEFAULT_DET = "PP-OCRv6_small_det"
DEFAULT_REC = "PP-OCRv6_small_rec"
EXPORTED_NAME = "inference.onnx"


@dataclass(frozen=True)
class Source:
    """A model file and what is known beside the file itself. settings_from: for messages."""

    path: Path
    preprocess: Mapping[str, Any] | None
    postprocess: Mapping[str, Any]
    charset: Charset | None = None
    settings_from: str = ""


def open_detector(model: Path | str | None = None, options: PredictOptions | None = None) -> Detector:
    """A detector for ``model``; None: the default weights.

    Raises WeightsError when it cannot be found, read, or is no detection model; ConfigError for options that do not
    fit together.
    """
    options = options or PredictOptions()
    source = find_model(model if model is not None else DEFAULT_DET)
    session = Session(source.path, threads=options.threads, engine=options.engine).require("det")
    if session.card is not None:
        pre, post = session.card.preprocess, session.card.postprocess
    else:
        pre, post = source.preprocess or {}, source.postprocess
    resize = options.resize_overrides()
    pre = {key: value for key, value in pre.items() if not (resize and key in {"image_shape", "resize_long"})}
    try:
        preprocess = DetPreprocess.from_dict({**pre, **resize})
        postprocess = DBPostProcess.from_dict({**_without_name(post), **options.db_overrides()})
    except DataError as error:
        raise ConfigError([Problem(str(source.path), str(problem)) for problem in error.problems]) from error
    return Detector(session, preprocess, postprocess)


def open_recogniser(model: Path | str | None = None, options: PredictOptions | None = None) -> Recogniser:
    """A recogniser for ``model``; None: the default weights.

    The dictionary is, in this order: ``options.rec_char_dict_path``, the file's metadata key ``character``,
    ``inference.yml``, the catalogue.

    Raises as :func:`open_detector`, and WeightsError when there is no dictionary or it has another number of classes.
    """
    options = options or PredictOptions()
    source = find_model(model if model is not None else DEFAULT_REC)
    session = Session(source.path, threads=options.threads, engine=options.engine).require("rec")
    pre = session.card.preprocess if session.card is not None else source.preprocess
    if options.rec_image_shape is not None:
        pre = {**(pre or {}), "image_shape": options.rec_image_shape}
    elif pre is None:
        pre = {"image_shape": (3, session.input_height or _unknown_height(source.path), 320)}
    try:
        preprocess = RecPreprocess.from_dict(pre)
    except DataError as error:
        raise ConfigError([Problem(str(source.path), str(problem)) for problem in error.problems]) from error
    codec = CTCCodec(_charset(session, source, options), _language(options))
    return Recogniser(session, preprocess, codec, options.max_batch_size, options.both_ways)


def find_model(model: Path | str) -> Source:
    """The file behind a catalogue name, a folder or a path. WeightsError when there is none or more than one."""
    path = Path(model)
    if not path.exists() and str(model) in catalogue.names():
        entry = catalogue.find(str(model))
        if not entry.runs_in_onnx_runtime():
            what = "is a Paddle inference model, which ONNX Runtime cannot run"
            fix = f"use {entry.name.removesuffix('_paddle')}, the same weights as ONNX, or fine-tune and export it"
            raise WeightsError(Problem(entry.name, what, fix))
        charset = entry.read_dictionary()
        return Source(entry.path(), entry.preprocess, entry.postprocess, charset, f"the catalogue ({entry.name})")
    if path.is_dir():
        exported = path / EXPORTED_NAME
        files = [exported] if exported.is_file() else sorted(path.glob("*.onnx"))
        if len(files) != 1:
            found = f"holds {len(files)} .onnx files" if files else "holds no .onnx file"
            raise WeightsError(Problem(str(path), found, "name the file itself"))
        path = files[0]
    elif not path.is_file():
        known = ", ".join(catalogue.names())
        raise WeightsError(Problem(str(model), "no such model file or folder", f"known names: {known}"))
    beside = path.parent / FILE_NAME
    if beside.is_file():
        found_yaml: InferenceYaml = read_inference_yaml(beside)
        charset = Charset(found_yaml.characters, True) if found_yaml.characters else None
        return Source(path, found_yaml.preprocess, found_yaml.postprocess, charset, str(beside))
    return Source(path, None, {}, None, "PaddleOCR's defaults")


def _charset(session: Session, source: Source, options: PredictOptions) -> Charset:
    if options.rec_char_dict_path is not None:
        lines = Charset.from_file(options.rec_char_dict_path)
        space = options.use_space_char
        if space is None:
            space = session.num_classes is None or session.num_classes != lines.num_classes
        return Charset(lines.characters, space)
    if session.characters is not None:
        return Charset(session.characters, use_space_char=True)
    if source.charset is not None:
        lines = Charset(source.charset.characters[: len(source.charset) - source.charset.use_space_char])
        space = source.charset.use_space_char and session.num_classes != lines.num_classes
        return Charset(lines.characters, space)
    what = "the file holds no dictionary (metadata key 'character')"
    raise WeightsError(Problem(str(source.path), what, "give it with --rec_char_dict_path"))


def _language(options: PredictOptions) -> Language | None:
    if options.language_labels is None and options.language_words is None:
        return None
    return read_language(options.language_labels, options.language_words)


def _unknown_height(path: Path) -> int:
    what = "the file does not say how high its crops are"
    raise WeightsError(Problem(str(path), what, "give --rec_image_shape=3,48,320 (PP-OCRv2 and older: 3,32,320)"))


def _without_name(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if key != "name"}
