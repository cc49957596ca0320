"""Read bytes from an untrusted source: every length is checked before it is used."""

from __future__ import annotations

import struct
import sys
from array import array

from modelvc.errors import FormatError


class Reader:
    """Reads the little-endian fields of one record in order.

    Every method raises FormatError at the end of the bytes.
    """

    __slots__ = ("_at", "_data", "_what")

    def __init__(self, data: bytes | memoryview, what: str) -> None:
        self._data = memoryview(data)
        self._at = 0
        self._what = what

    def fail(self, why: str) -> FormatError:
        """Return the error that says WHY the record is refused."""
        return FormatError(f"not a valid {self._what}: {why}")

    def take(self, size: int) -> memoryview:
        """Return a view of the next SIZE bytes."""
        end = self._at + size
        if size < 0 or end > len(self._data):
            raise self.fail("it ends too early")
        part = self._data[self._at : end]
        self._at = end
        return part

    def raw(self, size: int) -> bytes:
        """Return a copy of the next SIZE bytes."""
        return bytes(self.take(size))

    def fields(self, form: str) -> tuple[int, ...]:
        """Read fields in the notation of `struct`, without gaps."""
        layout = struct.Struct("<" + form)
        return layout.unpack(self.take(layout.size))

    def number(self, form: str) -> int:
        """Read one field."""
        return self.fields(form)[0]

    def column(self, code: str, count: int) -> array[int]:
        """Read COUNT numbers of array type CODE (H, I or Q)."""
        numbers: array[int] = array(code)
        numbers.frombytes(self.take(count * numbers.itemsize))
        if sys.byteorder == "big":  # the files are little-endian everywhere
            numbers.byteswap()
        return numbers

    def expect(self, value: bytes, why: str) -> None:
        """Raise FormatError unless VALUE is next; WHY is its text."""
        if self.take(len(value)) != value:
            raise self.fail(why)

    def end(self) -> None:
        """Raise FormatError if bytes are left."""
        if self._at != len(self._data):
            raise self.fail("bytes follow its end")

    @property
    def left(self) -> int:
        """Number of bytes not read yet."""
        return len(self._data) - self._at


def column(code: str, values: array[int]) -> bytes:
    """Return the bytes of a column, little-endian."""
    if values.typecode != code:
        raise ValueError(f"a column of {code} was given {values.typecode}")
    if sys.byteorder == "big":
        values = values[:]
        values.byteswap()
    return values.tobytes()
