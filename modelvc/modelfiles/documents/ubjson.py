"""Read UBJSON (Universal Binary JSON, draft 12) as XGBoost writes it: big-endian, strictly, and within a budget."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from modelvc.modelfiles.documents.building import NUMBERS, TEXT, Builder, Many
from modelvc.modelfiles.source import Unreadable

if TYPE_CHECKING:
    from modelvc.modelfiles.documents.building import Fold
    from modelvc.modelfiles.source import Budget, Source

_WINDOW = 1 << 16  # bytes
_INTEGERS = {b"i": "b", b"U": "B", b"I": "h", b"l": "i", b"L": "q"}
_NUMBERS = _INTEGERS | {b"d": "f", b"D": "d"}
_CONSTANTS = {b"Z": None, b"T": True, b"F": False}
_COUNT, _TYPE = b"#", b"$"


def read(source: Source, budget: Budget, what: str, fold: Fold | None = None) -> object:
    """Return the UBJSON value in SOURCE, which the messages call WHAT.

    Lists and objects that are too long to be kept are Many. FOLD: see `building.Fold`. Raises Unreadable if SOURCE is
    not UBJSON or exceeds the budget.
    """
    return _Reader(source, what).document(Builder(budget, what, fold))


class _Reader:
    def __init__(self, source: Source, what: str) -> None:
        self._source, self._what = source, what
        self._at = 0  # in the source
        self._window, self._start = b"", 0  # where the window begins in the source

    def document(self, builder: Builder) -> object:
        """Read the whole document."""
        left: list[int | None] = []  # entries that open lists and objects still have; None: up to their end marker
        self._value(builder, left, self._take(1))
        while left:
            remaining = left[-1]
            if remaining == 0:
                self._close(builder, left)
                continue
            if remaining is not None:
                left[-1] = remaining - 1
            if builder.in_object:
                if remaining is None and self._peek() == b"}":
                    self._take(1)
                    self._close(builder, left)
                    continue
                builder.key(self._string())
            marker = self._take(1)
            if remaining is None and marker == b"]" and not builder.in_object:
                self._close(builder, left)
                continue
            self._value(builder, left, marker)
        if self._at != self._source.size:
            raise Unreadable(f"{self._what} has bytes behind its end")
        return builder.root

    @staticmethod
    def _close(builder: Builder, left: list[int | None]) -> None:
        left.pop()
        builder.close()

    def _value(self, builder: Builder, left: list[int | None], marker: bytes) -> None:
        """Read a value, or the beginning of a list or object that is not an array of one type."""
        if marker in _NUMBERS:
            builder.put(self._number(marker))
        elif marker in {b"S", b"H"}:  # H: a number in digits
            builder.put(self._string())
        elif marker == b"C":
            builder.put(self._text(1))
        elif marker in _CONSTANTS:
            builder.put(_CONSTANTS[marker])
        elif marker == b"[" and self._peek() == _TYPE:
            builder.put(self._array())
        elif marker in {b"[", b"{"}:
            left.append(self._count() if self._peek() == _COUNT else None)
            builder.open(is_object=marker == b"{")
        else:
            raise self._bad()

    def _bad(self) -> Unreadable:
        return Unreadable(f"{self._what} is not valid UBJSON")

    def _take(self, size: int) -> bytes:
        """Return the next SIZE bytes."""
        offset = self._at - self._start
        if not 0 <= offset <= len(self._window) - size:
            self._window = self._source.exactly(self._at, min(max(size, _WINDOW), self._source.size - self._at))
            self._start, offset = self._at, 0
            if len(self._window) < size:
                raise Unreadable(f"{self._what} ends too early")
        self._at += size
        return self._window[offset : offset + size]

    def _peek(self) -> bytes:
        found = self._take(1)
        self._at -= 1
        return found

    def _number(self, marker: bytes) -> int | float:
        form = ">" + _NUMBERS[marker]
        value: int | float = struct.unpack(form, self._take(struct.calcsize(form)))[0]
        return value

    def _size(self) -> int:
        """Read the length of what follows. Each thing that has a length takes a byte for each unit of it, or more."""
        marker = self._take(1)
        if marker not in _INTEGERS:
            raise self._bad()
        size = int(self._number(marker))
        if not 0 <= size <= self._source.size - self._at:
            raise Unreadable(f"{self._what} claims a length behind its end")
        return size

    def _count(self) -> int:
        self._take(1)
        return self._size()

    def _string(self) -> str:
        return self._text(self._size())

    def _text(self, size: int) -> str:
        if size > TEXT:
            raise Unreadable(f"{self._what} holds a text that is too long")
        try:
            return self._take(size).decode()
        except UnicodeDecodeError:
            raise self._bad() from None

    def _array(self) -> object:
        """Read an array of numbers of one type."""
        self._take(1)
        marker = self._take(1)
        if marker not in _NUMBERS or self._peek() != _COUNT:
            raise self._bad()
        number = self._count()
        width = struct.calcsize(">" + _NUMBERS[marker])
        if number * width > self._source.size - self._at:
            raise Unreadable(f"{self._what} claims a length behind its end")
        if number > NUMBERS:
            self._at += number * width
            return Many(number)
        return list(struct.unpack(f">{number}{_NUMBERS[marker]}", self._take(number * width)))
