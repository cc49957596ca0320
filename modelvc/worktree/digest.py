"""BLAKE3 of an open file."""

from __future__ import annotations

import os

from blake3 import blake3

_BLOCK = 4 << 20
_PARALLEL = 1 << 20  # below this more threads cost more than they save


def digest_of(fd: int) -> bytes:
    """BLAKE3 of an open file, from its beginning."""
    size = os.fstat(fd).st_size
    digest = blake3(max_threads=blake3.AUTO if size > _PARALLEL else 1)
    buffer = bytearray(min(_BLOCK, size + 1))
    view = memoryview(buffer)
    at = 0
    while got := os.preadv(fd, [buffer], at):
        digest.update(view[:got])
        at += got
    return digest.digest()
