from pathlib import Path

import numpy as np
import pytest

from ocrtune.core.options import Findings
from ocrtune.core.records import DetectionResult, Sample, TextInstance
from ocrtune.metrics.detection import DetMetric, DetMetricOptions
from ocrtune.metrics.registry import metrics


def box(x, y, width=40, height=20):
    return np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], np.float32)


CROSSED = np.array([[0, 0], [40, 20], [40, 0], [0, 20]], np.float32)
LINE = np.array([[0, 0], [40, 0], [40, 0], [0, 0]], np.float32)


def sample(*labels, ignore=()):
    instances = [TextInstance(label, "x") for label in labels] + [TextInstance(label, "###", True) for label in ignore]
    return Sample("labels.txt:1", Path("x.jpg"), instances=tuple(instances))


def result(*boxes):
    return DetectionResult(tuple(boxes), np.ones(len(boxes), np.float32))


@pytest.mark.parametrize(
    ("found", "labels", "expected"),
    [
        (result(box(0, 0), box(0, 50)), sample(box(0, 50), box(0, 0)), (1, 1)),
        (result(), sample(box(0, 0)), (0, 0)),
        (result(box(0, 0)), sample(), (0, 0)),  # blank page: a false positive
        (result(), sample(), (0, 0)),
        (result(box(10, 0)), sample(box(0, 0)), (1, 1)),  # IoU 30 / 50
        (result(box(0, 0, 40, 10)), sample(box(0, 0)), (0, 0)),  # IoU exactly 0.5 is not enough
        (result(box(0, 0), box(1, 0)), sample(box(0, 0)), (0.5, 1)),  # one box per label
        (result(box(0, 0)), sample(box(0, 0), box(1, 0)), (1, 0.5)),  # one label per box
        (result(box(0, 0), box(0, 50)), sample(box(0, 0), ignore=[box(0, 50)]), (1, 1)),
        (result(box(0, 0), box(25, 50)), sample(box(0, 0), ignore=[box(0, 50)]), (0.5, 1)),  # 15 / 40 of it is ignored
        (result(CROSSED, LINE, box(0, 50)), sample(box(0, 50)), (1, 1)),  # invalid boxes are skipped
        (result(box(0, 50)), sample(CROSSED, box(0, 50)), (1, 1)),  # invalid labels too
        (result(box(0, 0)), sample(ignore=[CROSSED, LINE]), (0, 0)),
    ],
)
def test_one_page(found, labels, expected):
    metric = DetMetric()
    metric.update([found], [labels])
    values = metric.compute()
    assert (values["precision"], values["recall"]) == expected
    total = sum(expected)
    assert values["hmean"] == pytest.approx(2 * expected[0] * expected[1] / total if total else 0)
    assert values["n_images"] == 1


def test_micro_average_over_pages_and_reset():
    metric = DetMetric()
    metric.update([result(box(0, 0))], [sample(box(0, 0), box(0, 50), box(0, 100))])
    metric.update([result(box(0, 0)), result(box(0, 0))], [sample(box(0, 0)), sample()])
    values = metric.compute()
    assert (values["precision"], values["recall"], values["n_images"]) == (2 / 3, 2 / 4, 3)
    assert (values["n_labels"], values["n_boxes"], values["n_matched"]) == (4, 3, 2)
    metric.reset()
    assert set(metric.compute().values()) == {0}


def test_polygons_with_different_numbers_of_corners():
    curved = np.array([[0, 0], [20, -2], [40, 0], [40, 20], [20, 18], [0, 20]], np.float32)
    metric = DetMetric()
    metric.update([result(box(0, 50), curved)], [sample(box(0, 0), box(0, 50))])
    assert metric.compute()["hmean"] == 1


def test_every_sample_needs_its_result():
    with pytest.raises(ValueError, match="1 results for 2 samples"):
        DetMetric().update([result()], [sample(), sample()])


def test_config_name_and_indicator():
    findings = Findings()
    options = metrics.parse("DetMetric", {"main_indicator": "recall"}, "Metric", findings)
    assert metrics.get("DetMetric").factory(options).main_indicator == "recall"
    assert DetMetric(DetMetricOptions()).main_indicator in DetMetric().compute()
    assert metrics.parse("DetMetric", {"main_indicator": "hmeen"}, "Metric", findings) is None
