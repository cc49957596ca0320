"""Read a file forward: through a window of it in small pieces, or as it is decompressed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelvc.modelfiles.source import Source, Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

_SMALL, _LARGE = 1 << 12, 1 << 20  # bytes of a window: after a jump, and after reading on for long


class Cursor:
    """A place in a file. `at`: its offset."""

    def __init__(self, source: Source, at: int = 0) -> None:
        self._source = source
        self._window, self._base = b"", at
        self._ahead = _SMALL
        self.at = at

    def take(self, length: int) -> bytes:
        """Return the next LENGTH bytes, and pass them. Raises Unreadable if the file ends before."""
        begin = self.at - self._base
        data = self._window[begin : begin + length] if begin >= 0 else b""
        if len(data) != length:
            self._fill(length)
            data = self._window[:length]
        self.at += length
        return data

    def skip(self, length: int) -> None:
        """Pass LENGTH bytes unread. Raises Unreadable if the file ends before."""
        if length > self._source.size - self.at:
            raise Unreadable("a length leads behind the end of the file")
        self.at += length

    def number(self, width: int) -> int:
        """Return the next WIDTH bytes as a number without sign, the lowest byte first."""
        return int.from_bytes(self.take(width), "little")

    def varint(self, end: int) -> int:
        """Return the next varint of 64 bits, which must end before END, and pass it."""
        begin = self.at - self._base
        if 0 <= begin < len(self._window) and self._window[begin] < 0x80 and self.at < end:
            self.at += 1
            return self._window[begin]
        value = shift = 0
        for byte in self.ahead(min(10, end - self.at)):
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                self.at += shift // 7
                return value & 0xFFFF_FFFF_FFFF_FFFF
        raise Unreadable("a number does not end")

    def ahead(self, length: int) -> bytes:
        """Return the next LENGTH bytes, without passing them. Raises Unreadable if the file ends before."""
        data = self.take(length)
        self.at -= length
        return data

    def skip_texts(self, count: int) -> None:
        """Pass COUNT texts, each behind its length in 8 bytes."""
        while count:
            window, i = self._window, self.at - self._base
            end = len(window) - 8
            while count and 0 <= i <= end:
                i += 8 + int.from_bytes(window[i : i + 8], "little")
                count -= 1
            if i + self._base > self._source.size:
                raise Unreadable("a length leads behind the end of the file")
            self.at = self._base + i
            if count:
                self._fill(8)

    def _fill(self, length: int) -> None:
        """Move the window here, so that it has at least LENGTH bytes."""
        rest = self._source.size - self.at
        if length > rest:
            raise Unreadable("a length leads behind the end of the file")
        reading_on = self._base <= self.at <= self._base + len(self._window)
        self._ahead = min(4 * self._ahead, _LARGE) if reading_on else _SMALL
        self._window = self._source.exactly(self.at, min(max(length, self._ahead), rest))
        self._base = self.at


def forward(blocks: Iterator[bytes], size: int) -> Source:
    """Return BLOCKS, of SIZE bytes together, as a source that is read forward alone: for a compressed member."""
    kept, start = b"", 0

    def read_at(offset: int, length: int) -> bytes:
        nonlocal kept, start
        if offset < start:
            raise Unreadable("compressed bytes are read forward alone")
        parts = []
        while length:
            if offset < start + len(kept):
                part = kept[offset - start : offset - start + length]
                parts.append(part)
                offset, length = offset + len(part), length - len(part)
                continue
            start += len(kept)
            kept = next(blocks, b"")
            if not kept:
                break
        return parts[0] if len(parts) == 1 else b"".join(parts)

    return Source(size, read_at)
