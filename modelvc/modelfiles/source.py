"""What a reader of model files reads from, and how much it may read. Spec: docs/inside.md.

A file is hostile until it was read: no length that it claims is believed before it was compared with the file's size
and the budget.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    ReadAt = Callable[[int, int], bytes]


class Unreadable(Exception):
    """The bytes are not what their format demands, or more than the budget allows. `str()` says why, in one clause."""


class OutOfTime(Unreadable):
    """The budget has no time left. The file may be fine."""


class Source(NamedTuple):
    """A file that is read at random.

    `size`: bytes. `read_at`: takes an offset and a length in bytes, and returns those bytes, or fewer at the end.
    """

    size: int
    read_at: ReadAt

    def exactly(self, offset: int, length: int) -> bytes:
        """Return LENGTH bytes at OFFSET. Raises Unreadable if the file ends before."""
        if offset < 0 or length < 0 or offset + length > self.size:
            raise Unreadable("a length leads behind the end of the file")
        data = self.read_at(offset, length)
        if len(data) != length:
            raise Unreadable("the file ends too early")
        return data

    def part(self, start: int, end: int) -> Source:
        """Return the bytes from START up to END as a source of their own. Raises Unreadable if they lie outside."""
        if not 0 <= start <= end <= self.size:
            raise Unreadable("a part leads behind the end of the file")

        def read_at(offset: int, length: int) -> bytes:
            return self.read_at(start + offset, max(0, min(length, end - start - offset)))

        return Source(end - start, read_at)


def of_bytes(data: bytes) -> Source:
    """Return DATA as a source."""
    return Source(len(data), lambda offset, length: data[offset : offset + length])


class Budget:
    """How much one inspection may do. Every method raises Unreadable when its share is used up."""

    def __init__(
        self,
        *,
        seconds: float = 60.0,
        operations: int = 400_000_000,
        memory: int = 64 << 20,
        members: int = 100_000,
        depth: int = 100,
    ) -> None:
        """Take limits: SECONDS of this clock, OPERATIONS of a machine, MEMORY in bytes kept, MEMBERS, DEPTH."""
        self._deadline = time.monotonic() + seconds
        self._operations = operations
        self._memory = memory
        self._members = members
        self.depth = depth

    def operate(self, count: int) -> None:
        """Spend COUNT operations, and look at the clock; call it once for some thousand operations."""
        self._operations -= count
        if self._operations < 0:
            raise Unreadable("it has more operations than are read")
        self.look_at_clock()

    def keep(self, size: int) -> None:
        """Spend SIZE bytes of memory."""
        self._memory -= size
        if self._memory < 0:
            raise Unreadable("it is too large to be read within the memory limit")

    def open_members(self, count: int) -> None:
        """Spend COUNT members of an archive, tensors of a header, or files of a folder."""
        self._members -= count
        if self._members < 0:
            raise Unreadable("it has more members than are read")

    def look_at_clock(self) -> None:
        """Raise OutOfTime once the time is up."""
        if time.monotonic() > self._deadline:
            raise OutOfTime("reading it takes longer than is allowed")
