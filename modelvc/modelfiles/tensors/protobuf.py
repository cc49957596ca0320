"""Read the fields of Protocol Buffers by their offsets, without copies of what is large.

A reader says which fields a message has. A known field of another wire type, or a single one that is there twice, is
unreadable: libraries merge or skip it. Unknown fields are skipped. Source: protobuf.dev, Encoding.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from modelvc.modelfiles.source import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from modelvc.modelfiles.source import Budget
    from modelvc.modelfiles.tensors.cursor import Cursor

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
_WIDTHS = {FIXED64: 8, FIXED32: 4}
_CONTINUED = bytes(range(0x80, 0x100))
_SHORT = 25  # bytes of a text that runs are made of


class Known(NamedTuple):
    """A field that a reader knows: its wire type, and whether it may be repeated, and then packed."""

    wire: int
    repeated: bool = False
    packed: bool = False


class Field(NamedTuple):
    """One field. `value`: its number, for VARINT. `start`, `end`: the place of its bytes, for the others."""

    number: int
    wire: int
    value: int
    start: int
    end: int


Spec: TypeAlias = "Mapping[int, Known]"


def fields(cursor: Cursor, end: int, spec: Spec, budget: Budget) -> Iterator[Field]:
    """Yield the known fields of the message from the CURSOR to END.

    The consumer may move the cursor: inside of the field, or behind it over a run of further values.
    Raises Unreadable if the message is not as SPEC says, or does not end at END.
    """
    seen = 0
    count = 0
    while cursor.at < end:
        tag = cursor.varint(end)
        number, wire = tag >> 3, tag & 7
        value = 0
        if wire == VARINT:
            value = cursor.varint(end)
            start = stop = cursor.at
        else:
            length = cursor.varint(end) if wire == LENGTH else _WIDTHS.get(wire, -1)
            start, stop = cursor.at, cursor.at + length
            if length < 0 or stop > end:
                raise Unreadable("a field is longer than its message, or of an unknown kind")
        count += 1
        if not count % 1000:
            budget.operate(20_000)
        if not 0 < number < 1 << 29:
            raise Unreadable("a field has no number")
        known = spec.get(number)
        if known:
            cursor.at = start
            if wire != known.wire and not (known.packed and wire == LENGTH):
                raise Unreadable("a field is of another kind than its format says")
            if not known.repeated:
                if seen >> number & 1:
                    raise Unreadable("a field is there twice")
                seen |= 1 << number
            yield Field(number, wire, value, start, stop)
        cursor.at = max(cursor.at, stop)
    budget.operate(20 * (count % 1000))
    if cursor.at != end:
        raise Unreadable("a field is longer than its message")


def raw_fields(cursor: Cursor, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield the place of each field from the CURSOR to END, with its tag, and its number."""
    while cursor.at < end:
        start = cursor.at
        tag = cursor.varint(end)
        if tag & 7 == VARINT:
            cursor.varint(end)
        else:
            length = cursor.varint(end) if tag & 7 == LENGTH else _WIDTHS.get(tag & 7, -1)
            if length < 0 or cursor.at + length > end:
                raise Unreadable("a field is longer than its message, or of an unknown kind")
            cursor.at += length
        stop = cursor.at
        yield start, stop, tag >> 3
        cursor.at = stop


def signed(value: int) -> int:
    """Return VALUE, a varint, as the int64 that it stands for."""
    return value - (1 << 64) if value >> 63 else value


class Run:
    """A repeated field with one value after the other, as onnx writes lists: passed by a regular expression."""

    def __init__(self, number: int, wire: int) -> None:
        self._wire = wire
        tag = re.escape(bytes([number << 3 | wire]))
        if wire == VARINT:
            one = tag + rb"[\x80-\xff]{0,9}[\x00-\x7f]"
        elif wire == FIXED32:
            one = tag + rb".{4}"
        else:
            texts = b"|".join(re.escape(bytes([length])) + rb".{%d}" % length for length in range(_SHORT))
            one = tag + rb"(?:" + texts + rb")"
        self._pattern = re.compile(rb"(?:" + one + rb")*+", re.DOTALL)

    def skip(self, cursor: Cursor, end: int, budget: Budget) -> int:
        """Pass the values that follow, up to END at most. Return how many they are; 0 for texts."""
        count, ahead = 0, 1 << 10
        while True:
            window = cursor.ahead(min(end - cursor.at, ahead))
            ahead = 1 << 16
            found = self._pattern.match(window)
            passed = found.end() if found else 0
            if not passed:
                return count
            budget.operate(passed)
            cursor.at += passed
            if self._wire == VARINT:
                count += count_varints(window[:passed]) // 2
            elif self._wire == FIXED32:
                count += passed // 5


def count_varints(data: bytes) -> int:
    """Return how many varints end in DATA."""
    return len(data.translate(None, _CONTINUED))
