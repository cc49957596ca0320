"""The bytes of a pickle, from a file at random or from a decompressor in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from modelvc.modelfiles.source import Unreadable

if TYPE_CHECKING:
    from modelvc.modelfiles.source import Source

WINDOW = 1 << 20  # bytes that are looked at together
LINE = 64 << 20  # bytes of the longest line


class Ends(Unreadable):
    """The stream ends where more is needed."""

    def __init__(self) -> None:
        super().__init__("the file ends before the pickle does")


class Stream(Protocol):
    """Bytes that are read from front to back. Offsets count from the start of the stream."""

    seekable: bool  # whether offsets are those of a file

    def window(self, at: int, size: int) -> bytes:
        """Return SIZE bytes at AT, fewer at the end. AT never goes back behind the AT of a call before."""

    def ends(self, at: int) -> bool:
        """Return whether the stream has no byte at AT. It has all bytes before AT."""


class FileStream:
    """A stream over a source."""

    seekable = True

    def __init__(self, source: Source) -> None:
        self._source = source

    def window(self, at: int, size: int) -> bytes:
        """Return SIZE bytes at AT, fewer at the end."""
        return self._source.read_at(at, min(size, max(0, self._source.size - at)))

    def ends(self, at: int) -> bool:
        """Return whether AT is the end. Raises Unreadable behind it."""
        if at > self._source.size:
            raise Unreadable("a length leads behind the end of the file")
        return at == self._source.size


def line(stream: Stream, at: int, keep: int) -> tuple[bytes, int]:
    """Return the first KEEP bytes of the line at AT, without its end, and the offset behind its end.

    A last line without an end loses its last byte, as it does in Python. Raises Unreadable for a line over LINE.
    """
    first = b""
    start = at
    while at - start <= LINE:
        block = stream.window(at, 4096 if at == start else WINDOW)
        end = block.find(b"\n")
        if len(first) < keep:
            first += block[: end if end >= 0 else len(block)][: keep - len(first)]
        if end >= 0:
            return first, at + end + 1
        if not block:
            return (first[:-1] if at - start <= keep else first), at
        at += len(block)
    raise Unreadable("a line is longer than is read")
