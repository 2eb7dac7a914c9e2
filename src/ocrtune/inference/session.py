"""An ONNX file that is ready to run, with what its metadata say about it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ocrtune.core.errors import Problem, WeightsError
from ocrtune.core.records import ModelCard
from ocrtune.inference.card import card_from_metadata, characters_from_metadata
from ocrtune.inference.engines import Array, default_threads, open_engine

EngineName = Literal["onnxruntime", "openvino"]
Task = Literal["det", "rec"]


class Session:
    """A network loaded once, with its model card.

    path: an ONNX file; in messages and reports it stands for the model.
    card: None for a file that ocrtune did not export. characters: the dictionary in the file, without blank and
        without the final space; None when it holds none.
    task: what the shape of the outputs says.

    Raises WeightsError when the file is missing, truncated, not ONNX, or not a text model; ConfigError when the
    engine is unknown or not installed.
    """

    def __init__(self, path: Path | str, *, threads: int | None = None, engine: EngineName = "onnxruntime"):
        self.path = Path(path)
        self.engine_name = engine
        if not self.path.is_file():
            raise WeightsError(Problem(str(path), "no such model file"))
        self._engine = open_engine(engine, self.path, default_threads() if threads is None else threads)
        self.card: ModelCard | None = card_from_metadata(self._engine.metadata, str(path))
        self.characters: tuple[str, ...] | None = characters_from_metadata(self._engine.metadata)
        self.task: Task = self._task()

    @property
    def input_height(self) -> int | None:
        """The image height the file asks for; None when it takes any."""
        return self._engine.input_shape[2]

    @property
    def num_classes(self) -> int | None:
        """Classes of a recognition model, blank included; None for detection or where the file does not say."""
        return self._engine.output_shapes[0][-1] if self.task == "rec" else None

    def run(self, tensor: Array) -> Array:
        """(N, 3, H, W) float32 -> the first output: (N, 1, H, W) detection map or (N, T, C) recognition.

        Raises WeightsError when the network cannot take an image of that size.
        """
        try:
            return self._engine.run(tensor)[0]
        except Exception as error:  # the engines raise classes of their own
            reason = str(error).strip().splitlines() or [type(error).__name__]
            what = f"the model failed on an input of shape {tensor.shape} ({reason[-1][:200]})"
            raise WeightsError(Problem(str(self.path), what)) from error

    def require(self, task: Task) -> Session:
        """This session, when it is a model for ``task``; WeightsError otherwise."""
        if self.task != task:
            names = {"det": "a text detection model", "rec": "a text recognition model"}
            what = f"this is {names[self.task]}, expected {names[task]}"
            raise WeightsError(Problem(str(self.path), what, f"pass it as --{self.task}"))
        return self

    def _task(self) -> Task:
        shape = self._engine.output_shapes[0]
        if len(shape) == 4 and shape[1] in (1, None):
            return "det"
        if len(shape) == 3:
            return "rec"
        what = "not a text detection or recognition model: expected an output (N, 1, H, W) or (N, T, C), got rank "
        raise WeightsError(Problem(str(self.path), f"{what}{len(shape)}"))
