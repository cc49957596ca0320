"""Read JSON documents of any size: in windows, strictly, and within a budget."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple

from modelvc.modelfiles.documents.building import NUMBERS, TEXT, Builder, Many
from modelvc.modelfiles.source import Unreadable

if TYPE_CHECKING:
    from modelvc.modelfiles.documents.building import Fold
    from modelvc.modelfiles.source import Budget, Source

_WINDOW = 1 << 20  # bytes
_PIECE = 1 << 16  # bytes of numbers that are parsed at a time
_CUT = 2  # bytes behind a number that may belong to it, if the window ends there: "e+"
_TOKEN = re.compile(
    rb"[ \t\n\r]*+(?:([\[\]{},:])"
    rb'|("(?:[^"\\\x00-\x1f]|\\[^\x00-\x1f])*+")'
    rb"|(-?(?:0|[1-9]\d*+)(?:\.\d++)?+(?:[eE][+-]?\d++)?+|true|false|null|NaN|-?Infinity))"
)
_ANY_ENTRY = re.compile(rb'[\[\]{}"]')
_CONSTANT = re.compile(rb"NaN|Infinity")


class _Token(NamedTuple):
    """One of three: a sign of the language, a string with its quotes, a scalar. The others are empty."""

    sign: bytes
    string: bytes
    scalar: bytes


def read(source: Source, budget: Budget, what: str, fold: Fold | None = None, *, constants: bool = False) -> object:
    """Return the JSON value in SOURCE, which the messages call WHAT.

    Lists and objects that are too long to be kept are Many. FOLD: see `building.Fold`. CONSTANTS: accept NaN and
    Infinity, as Python and C++ write them. Raises Unreadable if SOURCE is not JSON or exceeds the budget.
    """
    return _Reader(source, budget, what, constants=constants).document(Builder(budget, what, fold))


class _Reader:
    def __init__(self, source: Source, budget: Budget, what: str, *, constants: bool) -> None:
        self._source, self._budget, self._what, self._constants = source, budget, what, constants
        self._window, self._at, self._read = b"", 0, 0  # `at` in the window; bytes of the source that were read

    def document(self, builder: Builder) -> object:
        """Read the whole document."""
        self._value(builder, self._token())
        while builder.depth:
            first = not builder.entries
            token = self._token()
            if token.sign == (b"}" if builder.in_object else b"]"):
                builder.close()
                continue
            if not first:
                if token.sign != b",":
                    raise self._bad()
                token = self._token()
            if builder.in_object:
                if not token.string:
                    raise self._bad()
                builder.key(self._string(token.string))
                if self._token().sign != b":":
                    raise self._bad()
                token = self._token()
            self._value(builder, token)
        self._end()
        return builder.root

    def _value(self, builder: Builder, token: _Token) -> None:
        """Read a value, or the beginning of a list or object that is not flat."""
        if token.string:
            builder.put(self._string(token.string))
        elif token.scalar:
            builder.put(self._scalar(token.scalar))
        elif token.sign == b"{":
            builder.open(is_object=True)
        elif token.sign != b"[":
            raise self._bad()
        else:
            flat = self._flat()
            if flat is None:
                builder.open(is_object=False)
            else:
                builder.put(flat)

    def _bad(self) -> Unreadable:
        return Unreadable(f"{self._what} is not valid JSON")

    def _more(self) -> bool:
        """Read on, and forget what lies before the current place. Return False at the end of the source."""
        rest = self._window[self._at :]
        left = self._source.size - self._read
        if not left:
            return False
        if len(rest) >= TEXT:
            raise Unreadable(f"{self._what} holds a text that is too long")
        size = min(max(_WINDOW, len(rest)), TEXT - len(rest), left)
        self._budget.operate(size >> 4)
        self._window = rest + self._source.exactly(self._read, size)
        self._read += size
        self._at = 0
        return True

    def _token(self) -> _Token:
        while True:
            found = _TOKEN.match(self._window, self._at)
            # A scalar at the end of the window may go on behind it.
            if found and (not found[3] or found.end() + _CUT < len(self._window) or not self._more()):
                self._at = found.end()
                return _Token(found[1] or b"", found[2] or b"", found[3] or b"")
            if not found and not self._more():
                raise self._bad()

    def _end(self) -> None:
        """Raise Unreadable if anything but spaces follows."""
        while True:
            if self._window[self._at :].strip(b" \t\n\r"):
                raise Unreadable(f"{self._what} has bytes behind its end")
            self._at = len(self._window)
            if not self._more():
                return

    def _string(self, quoted: bytes) -> str:
        try:
            if b"\\" not in quoted:
                return quoted[1:-1].decode()
            text: str = json.loads(quoted.decode())
            text.encode()  # half a character can be escaped
        except ValueError:
            raise self._bad() from None
        return text

    def _scalar(self, data: bytes) -> object:
        return self._scalars(data)[0]

    def _flat(self) -> object | None:
        """Return the list that begins here if it holds neither strings, lists nor objects; else None."""
        found = _ANY_ENTRY.search(self._window, self._at)
        if found and found[0] != b"]":
            return None
        if not found or found.start() - self._at > _PIECE:
            return self._long_flat()
        data = self._window[self._at : found.start()]
        self._at = found.end()
        values = self._scalars(data) if data.strip() else []
        return values if len(values) <= NUMBERS else Many(len(values))

    def _long_flat(self) -> object | None:
        """Return a list of scalars that is longer than a piece, or that the window cuts; None if it is no such list."""
        number, looked = 0, self._at
        kept: list[object] = []
        while True:
            found = _ANY_ENTRY.search(self._window, looked)
            if found and found[0] != b"]":
                if number:
                    raise Unreadable(f"{self._what} mixes numbers with others in a long list")
                return None
            end = found.start() if found else len(self._window)
            pieces = []
            while end - self._at > _PIECE:
                comma = self._window.rfind(b",", self._at, self._at + _PIECE)
                if comma < 0:
                    raise self._bad()
                pieces.append((self._at, comma))
                self._at = comma + 1
            if found:
                if number or pieces or self._window[self._at : end].strip():
                    pieces.append((self._at, end))
                self._at = found.end()
            for begin, stop in pieces:
                values = self._scalars(self._window[begin:stop])
                number += len(values)
                kept = kept + values if number <= NUMBERS else []
            if found:
                return Many(number) if number > NUMBERS else kept
            looked = len(self._window) - self._at
            if not self._more():
                raise self._bad()

    def _scalars(self, data: bytes) -> list[object]:
        """Return the values in DATA, which are separated by commas. They hold no others."""
        if not self._constants and _CONSTANT.search(data):
            raise self._bad()
        try:
            values: list[object] = json.loads(b"[%b]" % data)
        except ValueError:  # also for a number of thousands of digits
            raise self._bad() from None
        if not values:
            raise self._bad()
        return values
