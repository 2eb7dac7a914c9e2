"""Safe YAML that reads ``1e-6`` as a number and notices a key that is written twice."""

from __future__ import annotations

import re
from typing import Any

import yaml

from ocrtune.core.errors import ConfigError, Problem
from ocrtune.core.options import Findings


class _Reader(yaml.SafeLoader):
    """PyYAML follows YAML 1.1, where ``1e-6`` without a dot is text; YAML 1.2 reads it as PaddleOCR's users mean it."""

    findings: Findings
    source: str

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        own = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<"]
        for key in sorted({key for key in own if own.count(key) > 1}):
            where = f"{self.source}:{node.start_mark.line + 1}"
            self.findings.notice(where, f"'{key}' is written more than once; the last one counts")
        return super().construct_mapping(node, deep=deep)


_Reader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)[eE][-+]?[0-9]+$"),
    list("-+.0123456789"),
)


def read_yaml(text: str, source: str, findings: Findings) -> Any:
    """The value of a YAML document; duplicate keys become notices. ConfigError with the line when it is not YAML."""
    reader = _Reader(text)
    reader.findings, reader.source = findings, source
    try:
        return reader.get_single_data()
    except yaml.YAMLError as error:
        raise ConfigError(_problem(error, source)) from error
    finally:
        reader.dispose()


def _problem(error: yaml.YAMLError, source: str) -> Problem:
    mark = getattr(error, "problem_mark", None)
    where = f"{source}:{mark.line + 1}" if mark else source
    what = getattr(error, "problem", None) or str(error).split("\n")[0]
    return Problem(where, f"not valid YAML ({what})")
