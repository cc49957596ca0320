"""Compressed files, as joblib reads them: one stream of zlib, gzip, bz2, xz, lzma or lz4, and nothing behind it."""

from __future__ import annotations

import bz2
import lzma
import zlib
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from modelvc.modelfiles.source import OutOfTime, Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelvc.modelfiles.source import Budget, Source

_BLOCK = 1 << 18  # bytes that are decompressed at once
_LZMA_MEMORY = 80 << 20  # bytes: level 9 takes 65 MiB
_ZLIB_CHECK = 31  # the first two bytes of zlib are a multiple of it, as a big-endian number


class Compression(NamedTuple):
    """A compression. `open`: returns a decompressor, or None where its library is not installed."""

    name: str
    open: Callable[[], Any]


def _lz4() -> Any:
    try:
        return import_module("lz4.frame").LZ4FrameDecompressor()
    except ImportError:
        return None


_BY_MAGIC: tuple[tuple[bytes, Compression], ...] = (
    (b"\x1f\x8b", Compression("gzip", lambda: zlib.decompressobj(31))),
    (b"BZh", Compression("bz2", bz2.BZ2Decompressor)),
    (b"\xfd7zXZ", Compression("xz", lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, _LZMA_MEMORY))),
    (b"\x5d\x00", Compression("lzma", lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, _LZMA_MEMORY))),
    (b"\x04\x22\x4d\x18", Compression("lz4", _lz4)),
)
_ZLIB = Compression("zlib", zlib.decompressobj)


def compression_of(head: bytes) -> Compression | None:
    """Return the compression that HEAD begins like, or None."""
    for magic, found in _BY_MAGIC:
        if head.startswith(magic):
            return found
    is_zlib = head[:1] == b"\x78" and int.from_bytes(head[:2], "big") % _ZLIB_CHECK == 0
    return _ZLIB if is_zlib and len(head) > 2 else None


class Inflated:
    """A stream over what SOURCE holds compressed. It goes forward only, and keeps one window."""

    seekable = False

    def __init__(self, source: Source, compression: Compression, budget: Budget) -> None:
        self._source = source
        self._budget = budget
        self._decompressor = compression.open()
        if self._decompressor is None:
            raise Unreadable(f"reading it needs the library {compression.name}")
        self._read = 0  # bytes of the source
        self._base = 0  # the offset of the first byte in the buffer
        self._buffer = bytearray()
        self._failure = ""  # why there is no more
        self._pending = b""  # compressed bytes for zlib, which gives them back

    def window(self, at: int, size: int) -> bytes:
        """Return SIZE bytes at AT, fewer at the end and before corrupt data, whose error `ends` raises."""
        if at < self._base:
            raise Unreadable("the pickle leads back in a compressed file")
        while True:
            drop = min(len(self._buffer), at - self._base)
            del self._buffer[:drop]
            self._base += drop
            if len(self._buffer) >= at - self._base + size or not self._more():
                return bytes(self._buffer[:size]) if at == self._base else b""

    def ends(self, at: int) -> bool:
        """Return whether AT is the end. Raises Unreadable behind it, or if the data there are corrupt."""
        if self.window(at, 1):
            return False
        if self._failure:
            raise Unreadable(self._failure)
        if at > self._base:
            raise Unreadable("a length leads behind the end of the file")
        return True

    def _more(self) -> bool:
        """Decompress one more block. Return False at the end, and where the data are corrupt."""
        if self._failure:
            return False
        try:
            return self._inflate()
        except OutOfTime:
            raise
        except Unreadable as error:
            self._failure = str(error)
            return False

    def _inflate(self) -> bool:
        """Decompress one more block. Return False at the end. Raises Unreadable."""
        self._budget.look_at_clock()
        decompressor = self._decompressor
        while not decompressor.eof:
            data = self._pending
            if not data and getattr(decompressor, "needs_input", True):
                data = self._source.read_at(self._read, min(_BLOCK, self._source.size - self._read))
                self._read += len(data)
                if not data:
                    raise Unreadable("the compressed data end too early")
            try:
                block = decompressor.decompress(data, _BLOCK)
            except (zlib.error, OSError, lzma.LZMAError, EOFError, RuntimeError, ValueError, MemoryError) as error:
                raise Unreadable("the compressed data are corrupt") from error
            self._pending = getattr(decompressor, "unconsumed_tail", b"")
            if block:
                self._buffer += block
                return True
        if decompressor.unused_data or self._pending or self._read < self._source.size:
            raise Unreadable("more data follow the compressed stream")
        return False
