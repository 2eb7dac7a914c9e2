"""Running models: numpy in, results out, no torch.

``Session`` holds a network, ``Detector`` and ``Recogniser`` put the codec around it, ``Pipeline`` joins the two, and
``predict`` runs files and folders.
"""

from ocrtune.inference.card import card_from_metadata, card_to_metadata
from ocrtune.inference.detector import Detector
from ocrtune.inference.draw import draw_page
from ocrtune.inference.images import list_images, read_image
from ocrtune.inference.models import open_detector, open_recogniser
from ocrtune.inference.options import PredictOptions
from ocrtune.inference.order import reading_order
from ocrtune.inference.pipeline import Pipeline
from ocrtune.inference.predict import PredictSummary, predict
from ocrtune.inference.recogniser import Recogniser
from ocrtune.inference.session import Session

__all__ = [
    "Detector",
    "Pipeline",
    "PredictOptions",
    "PredictSummary",
    "Recogniser",
    "Session",
    "card_from_metadata",
    "card_to_metadata",
    "draw_page",
    "list_images",
    "open_detector",
    "open_recogniser",
    "predict",
    "read_image",
    "reading_order",
]
