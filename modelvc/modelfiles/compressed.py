"""Recognise files that are compressed: compressing them again gains nothing, and versions share hardly a chunk."""

from __future__ import annotations

MAGIC = (
    b"\x1f\x8b\x08",  # gzip
    b"\x28\xb5\x2f\xfd",  # zstd
    b"\xfd7zXZ\x00",  # xz
    b"\x04\x22\x4d\x18",  # lz4
    b"7z\xbc\xaf\x27\x1c",
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",  # jpeg
    b"]\x00\x00",  # lzma, as joblib writes it
)
_BZIP2 = tuple(b"BZh%d1AY&SY" % level for level in range(1, 10))
_ZLIB = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
_TRY = 4096  # bytes


def is_compressed(head: bytes) -> bool:
    """Whether HEAD, the first bytes of a file, is of a format that compresses the whole file."""
    return head.startswith(MAGIC) or head.startswith(_BZIP2) or (head.startswith(_ZLIB) and _inflates(head[:_TRY]))


def _inflates(head: bytes) -> bool:
    """Whether HEAD is compressed by zlib. Its two magic bytes prove little, and level 0 compresses nothing."""
    import zlib

    try:
        return len(zlib.decompressobj().decompress(head, 16 * _TRY)) > len(head)
    except zlib.error:
        return False
