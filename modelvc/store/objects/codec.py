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

    from modelvc.formats.binary.pack import Stored
    from modelvc.store.objects.zstd import ZstdCompressor

KNOWN = frozenset({RAW, ZSTD})  # a chunk in another encoding may need other chunks too
LEVEL = 1  # on models, level 3 gains two points and costs a quarter of the speed (docs/decisions/0005-store.md)
SAMPLE = 64 << 10
WORTH = 0.9  # compression must save at least a tenth
TINY = 64  # bytes; below, the header of a frame costs what compression saves

_local = threading.local()  # zstd contexts are not safe to share between threads


def _frame(raw: bytes | bytearray | memoryview) -> bytes:
    """Return RAW as one zstd frame that names its content size, without a checksum."""
    if not hasattr(_local, "compressor"):
        from modelvc.store.objects.zstd import ZstdCompressor

        _local.compressor = ZstdCompressor(level=LEVEL)
    compressor: ZstdCompressor = _local.compressor
    return compressor.compress(raw, compressor.FLUSH_FRAME)


def worth_compressing(size: int, read_at: Callable[[int, int], bytes]) -> bool:
    """Return True if three samples of SIZE bytes of content shrink by a tenth. READ_AT takes an offset and a length."""
    starts = {0, max(0, (size - SAMPLE) // 2), max(0, size - SAMPLE)}
    samples = [read_at(start, SAMPLE) for start in sorted(starts)]
    total = sum(map(len, samples))
    return total > 0 and sum(len(_frame(s)) for s in samples) < WORTH * total


def encode(raw: bytes | bytearray | memoryview, *, compress: bool) -> tuple[Encoding, bytes | bytearray | memoryview]:
    """Return the encoding for RAW, and the bytes to store."""
    if compress and len(raw) > TINY:
        packed = _frame(raw)
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
        raise FormatError(f"encoding {encoding.id} is unknown; a newer mvc may read it")
    from modelvc.store.objects.zstd import ZstdDecompressor, ZstdError, get_frame_info

    decompressor = ZstdDecompressor()  # for one frame
    try:
        # Compare the size that the frame claims before allocating: a few bytes can claim a terabyte.
        if get_frame_info(stored).decompressed_size != raw:
            raise FormatError(f"a compressed chunk does not hold the {raw} bytes it should")
        data = decompressor.decompress(stored, max_length=raw)
    except ZstdError as error:
        raise FormatError(f"a compressed chunk is damaged: {error}") from None
    if len(data) != raw or not decompressor.eof:
        raise FormatError(f"a compressed chunk is cut off at {len(data)} of {raw} bytes")
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
