from ocrtune.weights.report import LoadReport


def test_complete_report_reads_well():
    report = LoadReport(
        source="PP-OCRv6_small_det",
        loaded=("a.weight", "a.bias"),
        adapted={"b.weight": "BatchNorm folded in", "b.bias": "BatchNorm folded in"},
        training_only={"head.thresh": "DB threshold branch"},
        filled=1200,
        wanted=1200,
        notes=("the model was folded first",),
    )
    assert report.complete
    assert report.share == 1.0
    assert str(report).splitlines() == [
        "PP-OCRv6_small_det: 4 of 4 tensors, 100.0 % of the parameters (1,200)",
        "  adapted: 2 BatchNorm folded in",
        "  not in the file, freshly initialised: head.thresh (DB threshold branch)",
        "  the model was folded first",
    ]


def test_partial_report_lists_what_is_missing_and_unexpected():
    missing = tuple(f"head.{i}" for i in range(8))
    report = LoadReport("x.pdparams", ("a",), missing=missing, unexpected=("z",), filled=30, wanted=40)
    assert not report.complete
    text = str(report)
    assert "1 of 9 tensors, 75.0 %" in text
    assert "missing, freshly initialised: head.0, head.1, head.2, head.3, head.4, head.5 and 2 more" in text
    assert "in the file, not in the model: z" in text


def test_nothing_filled_is_not_complete():
    assert not LoadReport("x", ()).complete
    assert LoadReport("x", ()).share == 0.0
