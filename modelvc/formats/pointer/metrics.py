"""Metrics: flat (name, value) pairs, read from a JSON document or a command line.

The names of nested JSON objects are joined with dots, and the items of a list are numbered from 0. `null` means that a
metric was not measured: it is left out, and so are empty objects and lists.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelvc.errors import FormatError, UsageError, shown
from modelvc.formats import limits
from modelvc.formats.paths import CONTROL
from modelvc.formats.toml import INT_MAX, INT_MIN, NAN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TypeAlias, TypeGuard

    MetricValue: TypeAlias = int | float | bool | str
    Pairs: TypeAlias = tuple[tuple[str, MetricValue], ...]

MAX_FILE = 4 << 20  # bytes of a file that metrics are read from; such files are input, and no format of mvc
MAX_DEPTH = 50  # of nested values in such a file
RESERVED = "of"  # the pointer's own key beside the metrics

_DIGITS = frozenset("0123456789")
_NUMERIC = frozenset("0123456789+-.eE")
_BOOLEANS = frozenset({"true", "false"})
_NOT_FINITE = frozenset({"nan", "inf", "infinity"})


def check_pairs(pairs: Iterable[tuple[str, object]]) -> Pairs:
    """PAIRS, if a pointer may hold them. Raises FormatError, which names the metric and the rule that it breaks."""
    found: dict[str, MetricValue] = {}
    for name, value in pairs:
        _check_name(name)
        if name in found:
            raise FormatError(f'the metric "{shown(name)}" appears twice')
        found[name] = _checked_value(name, value)
        if len(found) > limits.METRICS:
            raise FormatError(f"there are more than {limits.METRICS:,} metrics")
    return tuple(found.items())


def flatten(value: object) -> Iterator[tuple[str, object]]:
    """Yield (dotted name, value) for each scalar of a document that is made of `Members`, lists and scalars.

    Raises FormatError for deep nesting, an empty name, and a scalar without a name.
    """
    return _flat(value, (), 0)


def parse_assignment(text: str) -> tuple[str, MetricValue]:
    """The metric in `NAME=VALUE` of a command line; `parse_value` reads VALUE. Raises UsageError."""
    name, equals, value = text.partition("=")
    hint = "write NAME=VALUE, such as accuracy=0.93; a message belongs to `git commit -m`"
    if not equals:
        raise UsageError(f'"{shown(text)}" is not a metric: it has no "="', hint=hint)
    if not value.strip():  # such as -m acc=$ACC where ACC is not set
        raise UsageError(f'"{shown(text)}" is not a metric: no value stands after "="', hint=hint)
    try:
        ((found, number),) = check_pairs([(name.strip(), parse_value(value.strip()))])
    except FormatError as error:
        raise UsageError(str(error), hint=hint) from None
    return found, number


def parse_value(text: str) -> MetricValue:
    """The integer, float, or boolean that TEXT spells; any other TEXT is a string, and returned as it is."""
    unsigned = text[1:] if text.startswith(("+", "-")) else text
    if unsigned and _DIGITS.issuperset(unsigned):
        return int(text) if len(unsigned) < 30 else INT_MAX + 1  # check_pairs() refuses that with its name
    if unsigned and _NUMERIC.issuperset(unsigned):
        try:
            return float(text)
        except ValueError:
            return text  # such as the version 1.2.3
    if text.lower() in _BOOLEANS:
        return text.lower() == "true"
    if unsigned.lower() in _NOT_FINITE:
        return float(text)
    return text


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether VALUE is an integer or a float; a boolean is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def decode(data: bytes) -> str:
    """The text in DATA, which may begin with a BOM. Raises FormatError, which names the line."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise FormatError(f"it is not valid UTF-8 (line {line})") from None


def load_json(data: bytes) -> object:
    """The JSON document in DATA, with its objects as `Members`. Raises FormatError, which names line and column."""
    import json

    text = decode(data)
    try:
        return json.loads(text, object_pairs_hook=Members, parse_int=integer)
    except json.JSONDecodeError as error:
        raise FormatError(f"it is not valid JSON: {error.msg} (line {error.lineno}, column {error.colno})") from None
    except RecursionError:
        raise FormatError(f"it is nested deeper than {MAX_DEPTH}") from None


class Members(list[tuple[str, object]]):
    """The members of a JSON object, or of a table in another format, in order; a key may occur twice."""


def integer(digits: str) -> int:
    """The whole number in DIGITS. Raises FormatError for more than 20 characters: int() is slow with long texts."""
    if len(digits) > 20:
        raise FormatError(f"the whole number {digits[:20]}… does not fit into 64 bits")
    return int(digits)


def _flat(value: object, name: tuple[str, ...], depth: int) -> Iterator[tuple[str, object]]:
    if depth > MAX_DEPTH:
        raise FormatError(f"it is nested deeper than {MAX_DEPTH}")
    if isinstance(value, Members):
        for key, item in value:
            if not key:
                raise FormatError(f"a metric below {shown('.'.join(name)) or 'the top'} has an empty name")
            yield from _flat(item, (*name, key), depth + 1)
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from _flat(item, (*name, str(position)), depth + 1)
    elif not name:
        raise FormatError("it holds a single value without a name")
    elif value is not None:
        yield ".".join(name), value


def _check_name(name: str) -> None:
    if not name:
        raise FormatError("a metric has an empty name")
    if len(name) > limits.METRIC_NAME:
        raise FormatError(f'the name of the metric "{shown(name, 40)}" is longer than {limits.METRIC_NAME} characters')
    _check_text(name, "the name of the metric", name)
    if name == RESERVED:
        raise FormatError(f'a metric cannot be called "{RESERVED}": pointers use that key themselves')


def _checked_value(name: str, value: object) -> MetricValue:
    if isinstance(value, str):
        if len(value) > limits.METRIC_TEXT:
            raise FormatError(f'the metric "{shown(name)}" is longer than {limits.METRIC_TEXT:,} characters')
        _check_text(value, "the metric", name)
        return value
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        if not INT_MIN <= value <= INT_MAX:
            raise FormatError(f'the metric "{shown(name)}" does not fit into 64 bits')
        return value
    if isinstance(value, float):
        return value if value == value else NAN  # noqa: PLR0124 - one nan for all, so that equal metrics compare equal
    kind = {"dict": "a table", "list": "an array"}.get(type(value).__name__, f"a {type(value).__name__}")
    raise FormatError(f'the metric "{shown(name)}" is {kind}, not a number, a boolean or a string')


def _check_text(text: str, what: str, name: str) -> None:
    if not CONTROL.isdisjoint(text):
        raise FormatError(f'{what} "{shown(name)}" has a control character (such as a line break) in it')
    try:
        text.encode()
    except UnicodeEncodeError:
        raise FormatError(f'{what} "{shown(name)}" is not valid Unicode') from None
