"""The metrics against the numbers of real PaddleOCR (golden/metrics.json, made by make_golden/metrics.py)."""

import json
from pathlib import Path

import metrics_inputs as inputs
import pytest

from ocrtune.core.records import DetectionResult, RecognitionResult, Sample, TextInstance
from ocrtune.metrics.detection import DetMetric, match_boxes
from ocrtune.metrics.recognition import RecMetric, RecMetricOptions

pytestmark = pytest.mark.parity
HERE = Path(__file__).parent
GOLDEN = json.loads((HERE / "golden" / "metrics.json").read_text(encoding="utf-8"))


def real_labels(request: pytest.FixtureRequest, dataset: str, name: str) -> Path:
    """A label file of a real set; made-up inputs do not need the shared folder, so only now it is asked for."""
    return request.getfixturevalue("shared") / "data" / dataset / name


@pytest.mark.parametrize("name", ["random", "icdar2015"])
def test_detection(name, request):
    golden = GOLDEN[f"det {name}"]
    random_pages = [inputs.random_page(seed) for seed in range(40)]
    pages = random_pages if name == "random" else inputs.real_pages(real_labels(request, name, "test.txt"), 30)
    assert [list(match_boxes(*page)) for page in pages] == golden["counts"]
    metric = DetMetric()
    for labels, ignore, boxes in pages:
        instances = tuple(TextInstance(label, "x", flag) for label, flag in zip(labels, ignore))
        metric.update([DetectionResult(tuple(boxes), None)], [Sample("page", Path("x"), instances=instances)])
    values = metric.compute()
    for key in ("precision", "recall", "hmean"):
        assert values[key] == pytest.approx(golden[key], abs=1e-12)


@pytest.mark.parametrize("ignore_space", [True, False])
@pytest.mark.parametrize(("name", "seed"), [("random", 1), ("icdar2015", 2), ("wire_markers", 3)])
def test_recognition(name, seed, ignore_space, request):
    """On purpose different: we divide by n. PaddleOCR divides by n + 1e-5, so its values follow by formula."""
    golden = GOLDEN[f"rec {name}"][f"ignore_space {ignore_space}"]
    words = (
        list(inputs.WORDS) * 5 if name == "random" else inputs.real_labels(real_labels(request, name, "rec_test.txt"))
    )
    metric = RecMetric(RecMetricOptions(ignore_space=ignore_space))
    results = [RecognitionResult(text, 1.0) for text in inputs.random_texts(seed, words)]
    metric.update(results, [Sample("line", Path("x"), word) for word in words])
    values = metric.compute()
    n = len(words)
    assert values["n"] == n
    assert values[metric.main_indicator] * n / (n + 1e-5) == pytest.approx(golden["acc"], abs=1e-12)
    distances = (1 - values["norm_edit_distance"]) * n
    assert 1 - distances / (n + 1e-5) == pytest.approx(golden["norm_edit_dis"], abs=1e-12)
