"""YAML files by the core schema of YAML 1.2: `no` is a text, `0755` the number 755, `16:9` and `12:30` are texts.

PyYAML parses them. Its own schema is that of YAML 1.1, where these are false, an octal number, and base 60.
Source: https://yaml.org/spec/1.2.2/#103-core-schema
"""

from __future__ import annotations

import re

import yaml

from modelvc.errors import FormatError, shown
from modelvc.formats.pointer import metrics

MAX_BYTES = 1 << 20  # less than metrics.MAX_FILE: PyYAML is slow
MAX_NODES = 100_000  # values of one document: aliases make few bytes many values

_NULL = re.compile(r"(~|null|Null|NULL|)$")
_BOOL = re.compile(r"(true|True|TRUE|false|False|FALSE)$")
_INT = re.compile(r"([-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$")
_FLOAT = re.compile(r"([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$")
_TAG = "tag:yaml.org,2002:"
_MERGE = f"{_TAG}merge"


class _Loader(yaml.SafeLoader):
    """A safe loader with the tags of the core schema alone; it keeps keys that occur twice."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - not those of YAML 1.1
    merged = 0

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Resolve the merges (`<<`) of NODE, within a bound: merges of merges multiply before any value is built.

        Raises FormatError.
        """
        super().flatten_mapping(node)
        self.merged += len(node.value)
        if self.merged > MAX_NODES:
            raise FormatError(f"it holds more than {MAX_NODES:,} values")

    def construct_int(self, node: yaml.ScalarNode) -> int:
        """The integer in NODE. Raises ValueError or FormatError."""
        text = self.construct_scalar(node)
        if not _INT.match(text):
            raise ValueError(text)
        return int(text, 0) if text[:2] in {"0o", "0x"} else metrics.integer(text)

    def construct_float(self, node: yaml.ScalarNode) -> float:
        """The float in NODE. Raises ValueError."""
        text = self.construct_scalar(node).lower()
        if not _FLOAT.match(text):
            raise ValueError(text)
        return float(text.replace(".inf", "inf").replace(".nan", "nan"))

    def construct_table(self, node: yaml.MappingNode) -> metrics.Members:
        """The mapping in NODE with its keys in order, also keys that occur twice. Its own key replaces a merged one."""
        own = sum(key.tag != _MERGE for key, _ in node.value)
        self.flatten_mapping(node)
        made = self.construct_object
        pairs = [(_key(made(key, deep=True)), made(value, deep=True)) for key, value in node.value]
        merged = dict(pairs[: len(pairs) - own])
        kept = {key for key, _ in pairs[len(pairs) - own :]}
        return metrics.Members([*((k, v) for k, v in merged.items() if k not in kept), *pairs[len(pairs) - own :]])


_Loader.add_constructor(f"{_TAG}int", _Loader.construct_int)
_Loader.add_constructor(f"{_TAG}float", _Loader.construct_float)
_Loader.add_constructor(f"{_TAG}map", _Loader.construct_table)
_Loader.add_implicit_resolver(f"{_TAG}null", _NULL, ["~", "n", "N", ""])
_Loader.add_implicit_resolver(f"{_TAG}bool", _BOOL, list("tTfF"))
_Loader.add_implicit_resolver(f"{_TAG}int", _INT, list("-+0123456789"))
_Loader.add_implicit_resolver(f"{_TAG}float", _FLOAT, list("-+0123456789."))
_Loader.add_implicit_resolver(_MERGE, re.compile(r"<<$"), ["<"])  # not in 1.2, and in use


def read(data: bytes) -> object:
    """The document in DATA, with its mappings as `metrics.Members`. Raises FormatError, which names line and column."""
    if len(data) > MAX_BYTES:
        raise FormatError(f"it is larger than {MAX_BYTES:,} bytes")
    text = metrics.decode(data)
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise FormatError(f"it is not valid YAML: {shown(error.problem or error.context)}{where}") from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise FormatError(f"it is not valid YAML: {shown(error, 200)}") from None
    except RecursionError:
        raise FormatError(f"it is nested deeper than {metrics.MAX_DEPTH}") from None
    except (TypeError, LookupError, AttributeError):  # PyYAML raises these for `!!map [a]` and `!!bool x`
        raise FormatError("it is not valid YAML: a value is not what its tag says") from None


def _key(key: object) -> str:
    if isinstance(key, list):
        raise FormatError("it is not valid YAML here: a key is a list or a table, not a name")
    return key if isinstance(key, str) else str(key).lower() if isinstance(key, bool) else str(key)
