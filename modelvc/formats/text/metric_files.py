"""Files of metrics and parameters: JSON, JSON lines, YAML, TOML and tables (CSV, TSV). The suffix tells the format.

In every format, the names of nested tables are joined with dots. An error names the file, and the line where there is
one. A file without metrics is an error: an empty result would pass for an answer.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from modelvc.errors import FormatError, shown
from modelvc.formats import toml
from modelvc.formats.pointer import metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modelvc.formats.pointer.metrics import Pairs

_MOST_NODES = 100_000  # values of one document: in YAML, aliases make few bytes many values
_TOO_MUCH = re.compile(r"more than [\d,]+ metrics|is longer than")


class Chosen(NamedTuple):
    """The metrics that were chosen from a file, and the number of its other metrics."""

    pairs: Pairs
    left_out: int


def read(data: bytes, name: str) -> Pairs:
    """All metrics in DATA, the content of the file NAME. Raises FormatError, which names the file and the line."""
    return choose(data, name).pairs


def choose(data: bytes, name: str, only: Sequence[str] = ()) -> Chosen:
    """The metrics in DATA, the content of the file NAME, whose names a glob of ONLY matches; all without ONLY.

    Raises FormatError, which names the file and the line, also where no metric matches.
    """
    suffix = name.rpartition(".")[2].lower()
    reader = _READERS.get(suffix, _json)
    try:
        return _chosen(data, lambda: reader(data, suffix), only)
    except FormatError as error:
        hint = _hint(str(error), reader is _json)
        raise FormatError(f"{shown(name)} is not a file of metrics: {error}", hint=hint) from None


def _chosen(data: bytes, document: Callable[[], object], only: Sequence[str]) -> Chosen:
    if len(data) > metrics.MAX_FILE:
        raise FormatError(f"it is larger than {metrics.MAX_FILE:,} bytes")
    if not data.strip():
        raise FormatError("it is empty")
    flat = [*metrics.flatten(document())]
    if not flat:
        raise FormatError("there is no metric in it")
    found = metrics.check_pairs(one for one in flat if not only or any(fnmatchcase(one[0], glob) for glob in only))
    if not found:
        raise FormatError(f"none of its {len(flat):,} metrics matches {' or '.join(map(shown, only))}")
    return Chosen(found, len(flat) - len(found))


def _hint(why: str, json: bool) -> str:  # noqa: FBT001 - which of two formats
    if _TOO_MUCH.search(why):
        return "record a part of it: --only 'test.*', or in .mvc/policy.toml: [[model]] only = [\"test.*\"]"
    if json:
        return 'write a JSON object of numbers, such as {"accuracy": 0.93}'
    return "write numbers with names: JSON, YAML, TOML, or CSV with a header, whose last row counts"


def _json(data: bytes, _: str) -> object:
    from modelvc.formats.text.metric_rows import last_epoch

    return last_epoch(metrics.load_json(data))


def _json_lines(data: bytes, _: str) -> object:
    from modelvc.formats.text.metric_rows import json_lines

    return json_lines(metrics.decode(data))


def _table(data: bytes, suffix: str) -> object:
    from modelvc.formats.text.metric_rows import table

    return metrics.Members(table(metrics.decode(data), tabs=suffix == "tsv"))


def _toml(data: bytes, _: str) -> object:
    return _nested(toml.read(data, "it", limit=metrics.MAX_FILE), [0])


def _yaml(data: bytes, _: str) -> object:
    from modelvc.formats.text.metric_rows import last_epoch
    from modelvc.formats.text.yaml_core import read as read_yaml

    return last_epoch(_nested(read_yaml(data), [0]))


_READERS: dict[str, Callable[[bytes, str], object]] = {
    "csv": _table,
    "jsonl": _json_lines,
    "ndjson": _json_lines,
    "toml": _toml,
    "tsv": _table,
    "yaml": _yaml,
    "yml": _yaml,
}


def _nested(value: object, seen: list[int], depth: int = 0) -> object:
    """VALUE with its tables as `metrics.Members`, which keep their order. SEEN: a counter of values so far.

    Raises FormatError for a document that is nested too deeply or has too many values.
    """
    if depth > metrics.MAX_DEPTH:  # in YAML a list can hold itself
        raise FormatError(f"it is nested deeper than {metrics.MAX_DEPTH}")
    seen[0] += 1
    if seen[0] > _MOST_NODES:
        raise FormatError(f"it holds more than {_MOST_NODES:,} values")
    if isinstance(value, metrics.Members):
        return metrics.Members((key, _nested(item, seen, depth + 1)) for key, item in value)
    if isinstance(value, dict):
        return metrics.Members((key, _nested(item, seen, depth + 1)) for key, item in value.items())
    if isinstance(value, list):
        return [_nested(item, seen, depth + 1) for item in value]
    if value is not None and not isinstance(value, int | float | str | bool):
        return str(value)  # a date of TOML
    return value
