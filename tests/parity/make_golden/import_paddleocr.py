"""Import single files of a PaddleOCR checkout without running its packages' ``__init__`` (they pull in everything)."""

import sys
import types
from pathlib import Path
from unittest import mock

PACKAGES = (
    "ppocr",
    "ppocr.data",
    "ppocr.data.imaug",
    "ppocr.postprocess",
    "ppocr.metrics",
    "ppocr.utils",
    "tools",
    "tools.infer",
)


def use_checkout(folder: Path) -> None:
    """Make ``import ppocr...`` and ``import tools.infer...`` load files of the checkout."""
    sys.path.insert(0, str(folder))
    for name in PACKAGES:
        package = types.ModuleType(name)
        package.__path__ = [str(folder.joinpath(*name.split(".")))]
        sys.modules[name] = package
    for name, attributes in {
        "ppocr.data": ("create_operators", "transform"),
        "ppocr.postprocess": ("build_post_process",),
    }.items():
        for attribute in attributes:
            setattr(sys.modules[name], attribute, mock.Mock())
