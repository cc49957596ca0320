"""Hash an open file with BLAKE3."""

from __future__ import annotations

import os

from blake3 import blake3

_BLOCK = 4 << 20
_PARALLEL = 1 << 20  # bytes; for a smaller file, more threads cost more than they save


def digest_of(fd: int) -> bytes:
    """Return the BLAKE3 hash of the open file FD, from its first byte."""
    size = os.fstat(fd).st_size
    digest = blake3(max_threads=blake3.AUTO if size > _PARALLEL else 1)
    buffer = bytearray(min(_BLOCK, size + 1))
    view = memoryview(buffer)
    at = 0
    while got := os.preadv(fd, [buffer], at):
        digest.update(view[:got])
        at += got
    return digest.digest()
