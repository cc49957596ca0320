"""Recover chunks of a local pack whose trailer is damaged: try each record, and compare each chunk with its cid."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from modelvc.formats import limits
from modelvc.formats.binary import pack
from modelvc.formats.binary.pack import RAW, ZSTD, NewChunk
from modelvc.store.objects import codec

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOGETHER = 65_536 * pack.RECORD.size  # bytes of records read at once


def recoverable_chunks(fd: int) -> Iterator[tuple[NewChunk, bytes]]:
    """Yield the good chunks of a pack whose trailer is damaged, found through records that still lead to them."""
    size = os.fstat(fd).st_size
    end = size - pack.FOOTER.size
    if end < len(pack.MAGIC):
        return
    length, count, _, _ = pack.FOOTER.unpack(os.pread(fd, pack.FOOTER.size, end))
    for records in {count, length // pack.RECORD.size}:  # one of the two may be damaged
        start = end - records * pack.RECORD.size
        if records and start >= len(pack.MAGIC):
            for at in range(start, end, _TOGETHER):
                yield from _from_records(fd, os.pread(fd, min(_TOGETHER, end - at), at))


def _from_records(fd: int, data: bytes) -> Iterator[tuple[NewChunk, bytes]]:
    for cid, offset, stored, raw, _, _ in pack.RECORD.iter_unpack(data):
        if max(stored, raw) > limits.CHUNK or offset > 1 << 62:
            continue
        found = os.pread(fd, stored, offset)
        if len(found) != stored:
            continue
        for encoding, length in ((RAW, stored), (ZSTD, raw)):
            if codec.decode_verified(cid, encoding, found, length) is not None:
                yield codec.new_chunk(cid, found, length, encoding), found
                break
