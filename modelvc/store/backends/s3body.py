"""Bodies of S3 requests and answers, without copies of the whole."""

from __future__ import annotations

import base64
import hashlib
import zlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from modelvc.store.backends.api import Data

_PIECE = 512 << 10  # bytes


class PiecewiseBody:
    """A buffer as a file for botocore and as a stream for aiohttp. aiohttp sends one slice before it takes the next."""

    __slots__ = ("_at", "_view")

    def __init__(self, data: Data) -> None:
        self._view = memoryview(data)
        self._at = 0

    def __len__(self) -> int:
        return len(self._view)

    def read(self, size: int = -1) -> memoryview:
        stop = len(self._view) if size < 0 else self._at + size
        part = self._view[self._at : stop]
        self._at += len(part)
        return part

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, len(self._view))[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    async def __aiter__(self) -> AsyncIterator[memoryview]:
        for at in range(0, len(self._view), _PIECE):
            yield self._view[at : at + _PIECE]


def request_body(data: Data, *, checksums: bool) -> dict[str, Any]:
    """The arguments of put_object for DATA, with a digest that the server verifies.

    CHECKSUMS: whether to send CRC32 in a header of S3; else MD5 in a header of HTTP.
    """
    if checksums:
        name, digest = "ChecksumCRC32", zlib.crc32(data).to_bytes(4, "big")
    else:
        name, digest = "ContentMD5", hashlib.md5(data, usedforsecurity=False).digest()
    return {"Body": PiecewiseBody(data), name: base64.b64encode(digest).decode("ascii")}


async def answer_body(stream: Any, size: int) -> bytes:
    """The SIZE bytes of STREAM that the server announced: no further bytes, and fewer if the server sends fewer."""
    parts = []
    left = size
    while left:
        part = await stream.read(left)
        if not part:
            break
        parts.append(part)
        left -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
