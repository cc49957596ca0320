"""Pointers on the short path: those that mvc wrote itself, read without tomllib (20 ms of start-up).

Only the canonical text is known here, whole: what is torn, edited by hand or has keys of a later version is left to
`formats.pointer`. Nothing is imported but modelvc.ids and limits.
"""

from __future__ import annotations

from modelvc.formats import limits
from modelvc.ids import Oid

_MAX_INT = (1 << 63) - 1
_BARE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
_PLAIN = frozenset(map(chr, range(0x20, 0x7F))) - {'"', "\\"}
_WORDS = frozenset({"true", "false", "nan", "inf", "-inf"})


def quick(data: bytes) -> tuple[str, Oid, int] | None:
    """(kind, oid, size) of a canonical pointer without unknown keys; None when `pointer.parse` has to look."""
    if len(data) > limits.POINTER or not data.isascii() or data[-1:] != b"\n":
        return None
    head, table, metrics = data[:-1].decode("ascii").partition("\n\n[metrics]\n")
    try:
        found = _head(head)
        return found if not table or _canonical_metrics(metrics) else None
    except (ValueError, IndexError):
        return None


def _head(text: str) -> tuple[str, Oid, int] | None:
    lines = text.split("\n")
    kind = lines[1][8:-1]
    if (
        lines[0] != "format = 1"
        or lines[1] not in {'kind = "file"', 'kind = "tree"'}
        or len(text) >= limits.POINTER_HEAD
    ):
        return None
    oid = _oid(lines[2], "oid")
    size = _count(lines[3], "size")
    at = 4
    if kind == "tree":
        if not _count(lines[4], "files") and size:
            return None
        at = 5
    elif lines[4:5] == ["executable = true"]:
        at = 5
    if lines[at:]:
        _oid(lines[at], "parent")
    return (kind, oid, size) if len(lines) <= at + 1 else None


def _oid(line: str, key: str) -> Oid:
    start = f'{key} = "'
    if not line.startswith(start) or line[-1] != '"':
        raise ValueError
    return Oid.parse(line[len(start) : -1])


def _count(line: str, key: str) -> int:
    start, digits = f"{key} = ", line[len(key) + 3 :]
    if not line.startswith(start) or not _canonical_int(digits) or digits[0] == "-":
        raise ValueError
    return int(digits)


def _canonical_int(text: str) -> bool:
    return len(text) <= 20 and str(int(text)) == text and -_MAX_INT - 1 <= int(text) <= _MAX_INT


def _canonical_metrics(text: str) -> bool:
    first, *lines = text.split("\n")
    _oid(first, "of")
    names = {"of"}
    for line in lines:
        if line[0] == '"':
            end = line.index('"', 1)
            name, rest = line[1:end], line[end + 1 :]
            if _BARE.issuperset(name) or not _PLAIN.issuperset(name):
                return False
        else:
            name, _, rest = line.partition(" ")
            rest = " " + rest
            if not _BARE.issuperset(name):
                return False
        if name in names or len(name) > limits.METRIC_NAME or rest[:3] != " = " or not _canonical_value(rest[3:]):
            return False
        names.add(name)
    return len(lines) <= limits.METRICS


def _canonical_value(text: str) -> bool:
    if text in _WORDS:
        return True
    if text[0] == '"':
        inside = text[1:-1]
        return len(text) >= 2 and text[-1] == '"' and len(inside) <= limits.METRIC_TEXT and _PLAIN.issuperset(inside)
    if text.lstrip("-").isdigit():
        return _canonical_int(text)
    return repr(float(text)) == text
