"""zstd of the standard library from Python 3.14 on, and its backport before. Import it late: it takes 4 ms."""

from __future__ import annotations

import sys

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdCompressor, ZstdDecompressor, ZstdError, get_frame_info
else:
    from backports.zstd import ZstdCompressor, ZstdDecompressor, ZstdError, get_frame_info

__all__ = ("ZstdCompressor", "ZstdDecompressor", "ZstdError", "get_frame_info")
