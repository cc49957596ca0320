"""TOML as mvc writes it: one text for a given table. tomllib reads it, behind limits on size and nesting.

The written subset has no arrays of tables and no dotted keys. A table below a table gets a header; a table inside an
array is written inline. A table that holds tables alone gets no header of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from modelvc.errors import FormatError, shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date, datetime, time
    from typing import TypeAlias

    Scalar: TypeAlias = str | int | float | bool | datetime | date | time
    Value: TypeAlias = Scalar | Sequence["Value"] | Mapping[str, "Value"]

NAN = float("nan")  # every nan that is read is this object, so that equal documents compare equal
INT_MIN, INT_MAX = -(1 << 63), (1 << 63) - 1  # every TOML reader can hold these
DEPTH = 16  # of nested tables, of nested arrays, and of dots in a key

_BARE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
_ESCAPES = {n: f"\\u{n:04X}" for n in [*range(0x20), 0x7F]} | {
    ord(c): "\\" + letter for c, letter in zip('\b\t\n\f\r"\\', 'btnfr"\\', strict=True)
}
# Strings and comments: the rest of a document is its structure. As in the grammar, multi-line strings are tried first.
_OPAQUE = re.compile(
    r'"""(?:[^\\"]|\\[\s\S]|"(?!""))*+"{3,5}'
    r"|'''(?:[^']|'(?!''))*+'{3,5}"
    r'|"(?:[^\\"\n]|\\.)*+"'
    r"|'[^'\n]*+'"
    r"|#[^\n]*+"
)
_PLAIN = frozenset({str, int, float, bool})  # checked first: isinstance(value, Mapping) is slow
_DIGITS = len(str(INT_MAX))  # a whole number with fewer digits fits into 64 bits
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,15})\.[0-9]{1,20}")
_BRACKETS = re.compile(r"[\[\]{}]")
_BETWEEN_KEYS = re.compile(r"[=,\[\]{}\n]")


def encode(table: Mapping[str, Value]) -> str:
    """TABLE as TOML: values before tables, otherwise in the given order. Raises FormatError for a value without one."""
    blocks = list(_blocks(table, ()))
    return "\n\n".join(blocks) + "\n" if blocks else ""


def ordered(value: Value) -> Value:
    """VALUE with the keys of every table in sorted order, for tables that have no order of their own."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return {key: ordered(value[key]) for key in sorted(value)}
    if isinstance(value, Sequence):
        return [ordered(item) for item in value]
    return value


def read(data: bytes, what: str, *, limit: int) -> dict[str, Value]:
    """The table in DATA, a document of at most LIMIT bytes; a BOM and CRLF are accepted.

    Raises FormatError, which begins with WHAT and names the line where tomllib does.
    """
    if len(data) > limit:
        raise FormatError(f"{what} is larger than {limit:,} bytes")
    try:
        text = data.removeprefix(b"\xef\xbb\xbf").decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise FormatError(f"{what} is not valid UTF-8 (at line {line})") from None
    found = plain(text)
    if found is not None:
        return found
    _check_shape(text, what)
    import tomllib

    try:
        found = tomllib.loads(text, parse_float=_float)
    except RecursionError:
        raise FormatError(f"{what} is nested too deeply") from None
    except tomllib.TOMLDecodeError as error:
        raise FormatError(f"{what} is not valid TOML: {shown(error)}") from None
    except ValueError:  # int() refuses more than 4,300 digits, date() the 31st of February
        raise FormatError(f"{what} is not valid TOML: a number or a date in it is impossible") from None
    _check_values(found, what, ())
    return found


def plain(text: str) -> dict[str, Value] | None:
    """The table in TEXT, if every line is a plain value or the header of a table; None where tomllib has to read it.

    mvc writes such lines most, and reads pointers by the thousand: tomllib takes four times as long.
    """
    top: dict[str, Value] = {}
    table = top
    for line in text.split("\n"):
        if not line:
            continue
        key, equals, value = line.partition(" = ")
        if not equals:
            table = {}
            key = line[1:-1]
            if line != f"[{key}]" or not _BARE.issuperset(key) or not key or key in top:
                return None
            top[key] = table
            continue
        if key[:1] == '"':
            key = _inside(key)
        elif not _BARE.issuperset(key):
            return None
        found = _simple(value)
        if not key or found is None or key in table:
            return None
        table[key] = found
    return top


def _inside(text: str) -> str:
    """The string between the quotes of TEXT; "" for one that is empty, has escapes, or is no string."""
    found = text[1:-1]
    plain = len(text) > 2 and text[0] == text[-1] == '"' and '"' not in found and "\\" not in found
    return found if plain and found.isprintable() else ""


def _simple(value: str) -> str | int | float | list[str] | None:
    """The string, number, true, or list of strings that VALUE is; None for anything else."""
    if value[:1] == '"':
        return _inside(value) or None
    if value[:1] == "[":
        return _strings(value)
    return True if value == "true" else parse_number(value)


def _strings(value: str) -> list[str] | None:
    """The strings in the array VALUE; None if it is written unusually, or if a string is empty or has escapes."""
    inside = value[2:-2]
    if value[:2] != '["' or value[-2:] != '"]' or "\\" in inside or not inside.isprintable():
        return None
    found = inside.split('", "')
    return found if all(found) and inside.count('"') == 2 * (len(found) - 1) else None


def parse_number(value: str) -> int | float | None:
    """The number that VALUE is in its usual spelling, `123` or `-0.5`; None for anything else."""
    if value.isascii() and value.isdigit() and len(value) < _DIGITS and (value[0] != "0" or value == "0"):
        return int(value)
    return float(value) if _DECIMAL.fullmatch(value) else None


def _blocks(table: Mapping[str, Value], name: tuple[str, ...]) -> Iterator[str]:
    """Yield the text of TABLE, whose dotted name is NAME, and of each table below it."""
    if len(name) > DEPTH:
        raise FormatError(f"tables are nested deeper than {DEPTH}")
    lines, tables = [], []
    for key, value in table.items():
        if type(value) not in _PLAIN and isinstance(value, Mapping):
            tables.append((key, value))
        else:
            lines.append(f"{_key(key)} = {_value(value, 0)}")
    if name and (lines or not tables):
        lines.insert(0, f"[{'.'.join(map(_key, name))}]")
    if lines:
        yield "\n".join(lines)
    for key, value in tables:
        yield from _blocks(value, (*name, key))


def _key(key: str) -> str:
    return key if key and _BARE.issuperset(key) else _string(key)


def _string(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise FormatError(f'"{shown(text)}" is not valid Unicode') from None
    return f'"{text.translate(_ESCAPES)}"'


def _value(value: Value, depth: int) -> str:
    if depth > DEPTH:
        raise FormatError(f"arrays are nested deeper than {DEPTH}")
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if not INT_MIN <= value <= INT_MAX:
            raise FormatError("a whole number does not fit into 64 bits")
        return str(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, Mapping):
        inside = ", ".join(f"{_key(key)} = {_value(item, depth + 1)}" for key, item in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, Sequence):
        return f"[{', '.join(_value(item, depth + 1) for item in value)}]"
    return value.isoformat()


def _float(text: str) -> float:
    number = float(text)
    return number if number == number else NAN  # noqa: PLR0124 - nan is not equal to itself


def _check_shape(text: str, what: str) -> None:
    """Refuse deep nesting before tomllib reads it: tomllib recurses, and a long dotted key takes it quadratic time."""
    structure = _OPAQUE.sub("_", text)
    depth = 0
    for bracket in _BRACKETS.findall(structure):
        if bracket in "[{":
            depth += 1
            if depth > DEPTH:
                raise FormatError(f"{what} is nested too deeply")
        elif bracket in "]}":
            depth -= 1
    if structure.count(".") > DEPTH and any(key.count(".") > DEPTH for key in _BETWEEN_KEYS.split(structure)):
        raise FormatError(f"{what} is nested too deeply")


def _check_values(value: Value, what: str, name: tuple[str, ...]) -> None:
    """Refuse deep nesting and numbers that do not fit into 64 bits. NAME: where VALUE is in the document."""
    kind = type(value)
    if kind in _PLAIN and kind is not int:
        return
    if isinstance(value, dict | list) and len(name) > DEPTH:
        raise FormatError(f"{what} is nested too deeply")
    if isinstance(value, dict):
        for key, item in value.items():
            _check_values(item, what, (*name, key))
    elif isinstance(value, list):
        for item in value:
            _check_values(item, what, (*name, "[]"))
    elif isinstance(value, int) and not INT_MIN <= value <= INT_MAX:
        raise FormatError(f"{what}: {shown('.'.join(name))} does not fit into 64 bits")
