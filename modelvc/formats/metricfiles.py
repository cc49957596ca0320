"""Files of metrics and parameters: JSON, YAML, TOML, or the last row of a table (CSV, TSV), by their suffix.

Whatever the format, names of nested tables are joined with dots, and an error names the file and, where there is one,
the line. A file that holds nothing is an error too: an empty table would pass for an answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelvc.errors import FormatError, shown
from modelvc.formats import metrics, toml

if TYPE_CHECKING:
    from modelvc.formats.metrics import Pairs

_MOST_NODES = 100_000  # values looked at in one document: aliases of YAML can make few bytes many
_MOST_YAML = 1 << 20  # bytes: what reads it is slow
_MOST_COLUMNS = 10_000


def read(data: bytes, name: str) -> Pairs:
    """The (name, value) pairs in the file NAME; FormatError says what is wrong with it, and where."""
    suffix = name.rpartition(".")[2].lower()
    if len(data) > metrics.MAX_FILE:
        raise _broken(name, f"it is larger than {metrics.MAX_FILE:,} bytes")
    if not data.strip():
        raise _broken(name, "it is empty")
    readers = {"yaml": _yaml, "yml": _yaml, "toml": _toml, "csv": _csv, "tsv": _csv}
    if suffix not in readers:
        found = metrics.flatten(data, name)
    else:
        try:
            found = readers[suffix](data, suffix)
        except FormatError as error:
            raise _broken(name, str(error)) from None
    if not found:
        raise _broken(name, "there is no metric in it")
    return found


def _broken(name: str, why: str) -> FormatError:
    hint = "write numbers with names: JSON, YAML, TOML, or CSV with a header, whose last row counts"
    return FormatError(f"{shown(name)} is no file of metrics: {why}", hint=hint)


def _toml(data: bytes, _: str) -> Pairs:
    return metrics.flatten_value(_nested(toml.read(data, "it", limit=metrics.MAX_FILE), [0]))


def _yaml(data: bytes, _: str) -> Pairs:
    import re

    import yaml

    if len(data) > _MOST_YAML:
        raise FormatError(f"it is larger than {_MOST_YAML:,} bytes")

    class Loader(yaml.SafeLoader):
        """Safe, keeps keys that come twice, and reads 1e-3 as the number that YAML 1.2 says it is."""

        merged = 0

        def flatten_mapping(self, node: yaml.MappingNode) -> None:
            """Bounded: a merge of merges of merges multiplies, before anything is built."""
            super().flatten_mapping(node)
            self.merged += len(node.value)
            if self.merged > _MOST_NODES:
                raise FormatError(f"it holds more than {_MOST_NODES:,} values")

        def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> str:
            """Bounded: 1:1:1:1... is one number to base 60, made digit by digit."""
            found: str = super().construct_scalar(node)
            if len(found) > metrics.MAX_TEXT:
                raise FormatError(f"a value in it is longer than {metrics.MAX_TEXT:,} characters")
            return found

    def table(loader: yaml.SafeLoader, node: yaml.MappingNode) -> metrics.Table:
        loader.flatten_mapping(node)
        made = loader.construct_object
        return metrics.Table((_key(made(key, deep=True)), made(value, deep=True)) for key, value in node.value)

    Loader.add_constructor("tag:yaml.org,2002:map", table)
    number = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+$")
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", number, list("-+.0123456789"))
    try:
        found = yaml.load(data.decode("utf-8-sig"), Loader)  # noqa: S506 - Loader is a SafeLoader
    except UnicodeDecodeError as error:
        raise FormatError(f"it is not valid UTF-8 (line {_line(data, error.start)})") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise FormatError(f"it is not valid YAML: {shown(error.problem or error.context)}{where}") from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise FormatError(f"it is not valid YAML: {shown(error, 200)}") from None
    except RecursionError:
        raise FormatError(f"it is nested deeper than {metrics.MAX_DEPTH}") from None
    except (TypeError, LookupError, AttributeError):  # what PyYAML does about `!!float ""`, `!!map [a]`, `!!bool x`
        raise FormatError("it is not valid YAML: a value is not what its tag says") from None
    return metrics.flatten_value(_nested(found, [0]))


def _key(key: object) -> str:
    return key if isinstance(key, str) else str(key).lower() if isinstance(key, bool) else str(key)


def _csv(data: bytes, suffix: str) -> Pairs:
    """The last row, under the names in the first."""
    import csv
    import io

    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(f"it is not valid UTF-8 (line {_line(data, error.start)})") from None
    reader = csv.reader(io.StringIO(text, newline=""), delimiter="\t" if suffix == "tsv" else ",", strict=True)
    header: list[str] = []
    last: list[str] = []
    at = 0
    try:
        for row in reader:
            if not any(field.strip() for field in row):
                continue
            if not header:
                header = [field.strip() for field in row]
                if len(header) > _MOST_COLUMNS:
                    raise FormatError(f"it has more than {_MOST_COLUMNS:,} columns")
                continue
            if len(row) != len(header):
                raise FormatError(f"line {reader.line_num} has {len(row)} fields, the header {len(header)}")
            last, at = row, reader.line_num
    except csv.Error as error:
        raise FormatError(f"it is not valid CSV: {shown(error)} (line {reader.line_num})") from None
    if not last:
        raise FormatError("it has a header and no row")
    pairs = [(name, metrics.guess(field.strip())) for name, field in zip(header, last, strict=True) if field.strip()]
    try:
        return metrics.checked(pairs)
    except FormatError as error:
        raise FormatError(f"{error} (line {at})") from None


def _nested(value: object, seen: list[int], depth: int = 0) -> object:
    """VALUE with its tables as `metrics.Table`, which knows order and double keys."""
    if depth > metrics.MAX_DEPTH:  # in YAML a list can hold itself
        raise FormatError(f"it is nested deeper than {metrics.MAX_DEPTH}")
    seen[0] += 1
    if seen[0] > _MOST_NODES:
        raise FormatError(f"it holds more than {_MOST_NODES:,} values")
    if isinstance(value, metrics.Table):
        return metrics.Table((key, _nested(item, seen, depth + 1)) for key, item in value)
    if isinstance(value, dict):
        return metrics.Table((key, _nested(item, seen, depth + 1)) for key, item in value.items())
    if isinstance(value, list):
        return [_nested(item, seen, depth + 1) for item in value]
    if value is not None and not isinstance(value, int | float | str | bool):
        return str(value)  # a date
    return value


def _line(data: bytes, at: int) -> int:
    return data.count(b"\n", 0, at) + 1
