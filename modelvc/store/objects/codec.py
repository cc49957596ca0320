"""Encode and decode the bytes of a chunk: raw, or one zstd frame. Ids and layout: docs/format.md#encodings."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import xxhash
from blake3 import blake3

from modelvc.errors import FormatError
from modelvc.formats.binary.pack import RAW, ZSTD, Encoding, NewChunk

if TYPE_CHECKING:
    from collections.abc import Callable

    import zstandard

    from modelvc.formats.binary.pack import Stored

KNOWN = frozenset({RAW, ZSTD})  # a chunk in another encoding may need other chunks too
LEVEL = 1  # on models, level 3 gains two points and costs a quarter of the speed (docs/decisions/0005-store.md)
SAMPLE = 64 << 10
WORTH = 0.9  # compression must save at least a tenth
TINY = 64  # bytes; below, the header of a frame costs what compression saves

_local = threading.local()  # zstd contexts are not safe to share between threads


def _compressor() -> zstandard.ZstdCompressor:
    if not hasattr(_local, "compressor"):
        import zstandard  # 5 ms that a command without chunks saves

        _local.compressor = zstandard.ZstdCompressor(level=LEVEL, write_content_size=True, write_checksum=False)
    found: zstandard.ZstdCompressor = _local.compressor
    return found


def _decompressor() -> zstandard.ZstdDecompressor:
    if not hasattr(_local, "decompressor"):
        import zstandard

        _local.decompressor = zstandard.ZstdDecompressor()
    found: zstandard.ZstdDecompressor = _local.decompressor
    return found


def worth_compressing(size: int, read_at: Callable[[int, int], bytes]) -> bool:
    """Return True if three samples of SIZE bytes of content shrink by a tenth. READ_AT takes an offset and a length."""
    starts = {0, max(0, (size - SAMPLE) // 2), max(0, size - SAMPLE)}
    samples = [read_at(start, SAMPLE) for start in sorted(starts)]
    total = sum(map(len, samples))
    return total > 0 and sum(len(_compressor().compress(s)) for s in samples) < WORTH * total


def encode(raw: bytes | bytearray | memoryview, *, compress: bool) -> tuple[Encoding, bytes | bytearray | memoryview]:
    """Return the encoding for RAW, and the bytes to store."""
    if compress and len(raw) > TINY:
        packed = _compressor().compress(raw)
        if len(packed) < WORTH * len(raw):
            return ZSTD, packed
    return RAW, raw


def new_chunk(cid: bytes, stored: bytes | bytearray | memoryview, raw: int, encoding: Encoding = RAW) -> NewChunk:
    """Return the record of the chunk CID, whose RAW bytes of content are stored as STORED."""
    return NewChunk(cid, len(stored), raw, xxhash.xxh3_64_intdigest(stored), encoding)


def decode(encoding: Encoding, stored: bytes | memoryview, raw: int) -> bytes | memoryview:
    """Return the RAW bytes that STORED encodes.

    Raises FormatError for an unknown encoding, damage, or another length.
    """
    if encoding == RAW:
        if len(stored) != raw:
            raise FormatError(f"a raw chunk of {raw} bytes is stored in {len(stored)}")
        return stored
    if encoding != ZSTD:
        raise FormatError(f"encoding {encoding.id} is not known; a newer mvc may read it")
    import zstandard

    try:
        # Compare the size that the frame claims before allocating: a few bytes can claim a terabyte.
        if zstandard.frame_content_size(stored) != raw:
            raise FormatError(f"a compressed chunk does not hold the {raw} bytes it should")
        data = _decompressor().decompress(stored, max_output_size=raw)
    except zstandard.ZstdError as error:
        raise FormatError(f"a compressed chunk is damaged: {error}") from None
    if len(data) != raw:
        raise FormatError(f"a compressed chunk holds {len(data)} bytes instead of {raw}")
    return data


def verified_content(chunk: Stored, stored: bytes | memoryview) -> bytes | memoryview | None:
    """Return the content of a chunk, or None unless STORED fits its record and the content its cid."""
    if len(stored) != chunk.stored or xxhash.xxh3_64_intdigest(stored) != chunk.xxh3:
        return None
    return decode_verified(chunk.cid, chunk.encoding, stored, chunk.raw)


def decode_verified(cid: bytes, encoding: Encoding, stored: bytes | memoryview, raw: int) -> bytes | memoryview | None:
    """Return the RAW bytes that STORED encodes, or None unless their hash is CID."""
    try:
        found = decode(encoding, stored, raw)
    except FormatError:
        return None
    return found if blake3(found).digest() == cid else None
