"""Find the tensors in the files that frameworks write, without the frameworks.

The readers trust no claim of a file. They read a bounded number of bytes, and raise Unclear for anything unexpected.
The regions that they return may lie outside of the file.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from modelvc.modelfiles import zip_records

if TYPE_CHECKING:
    from collections.abc import Callable

    ReadAt = Callable[[int, int], bytes]

Region = tuple[int, int]  # the offsets of the first byte, and of the byte behind the last

KIB, MIB = 1 << 10, 1 << 20
# Bounds of these readers alone: a container above them gets no hints, which costs shared chunks and no correctness.
WORTHY = 64 * KIB  # smaller tensors get no cut of their own, so they are not looked up
SAFETENSORS_HEADER = 8 * MIB  # some 80,000 tensors: more than a file gets hints
ZIP_DIRECTORY = 4 * MIB
ZIP_END = 64 * KIB + 22 + 20  # the end record with the longest comment, and the locator before it


class Container(NamedTuple):
    """The content of a container.

    `tensors`: the regions of its tensors of 64 KiB and more. `compressed`: whether it is deflated nearly as a whole.
    """

    tensors: list[Region]
    compressed: bool = False


class Unclear(Exception):
    """The bytes are not of the format that they began like. This never leaves the module."""


def read_container(head: bytes, read_at: ReadAt, size: int) -> Container:
    """The container that a file of SIZE bytes is, beginning with HEAD; an empty one for an unknown format."""
    try:
        if head.startswith(zip_records.LOCAL):
            return _zip(read_at, size)
        if head.startswith(b"\x93NUMPY"):
            return Container([(_npy_data(head), size)])
        if head[8:9] == b"{":
            return Container(_safetensors(head, read_at, size))
    except (Unclear, zip_records.Damaged, struct.error):
        pass
    return Container([])


def _npy_data(head: bytes) -> int:
    """The offset of the numbers: behind magic, version, the length of the header, and the header."""
    if head[6:7] == b"\x01":
        (length,) = struct.unpack_from("<H", head, 8)
        return 10 + int(length)
    (length,) = struct.unpack_from("<I", head, 8)
    if length > WORTHY:
        raise Unclear
    return 12 + int(length)


def _safetensors(head: bytes, read_at: ReadAt, size: int) -> list[Region]:
    """The regions of tensors in a safetensors file: a length, a JSON object with data_offsets by name, and the data."""
    import re

    (length,) = struct.unpack_from("<Q", head)
    if length > min(size - 8, SAFETENSORS_HEADER):
        raise Unclear
    header = read_at(8, length)
    if len(header) != length or not header.rstrip(b" ").endswith(b"}"):
        raise Unclear
    # This does not parse JSON: eight hostile MiB of it would take a hundred times that in memory. Inside a JSON string
    # each quote has a backslash before it, so that no name or note can look like data_offsets.
    offsets = re.compile(rb'"data_offsets"\s{0,8}:\s{0,8}\[\s{0,8}(\d{1,18})\s{0,8},\s{0,8}(\d{1,18})\s{0,8}\]')
    data = 8 + length
    spans = ((int(found[1]), int(found[2])) for found in offsets.finditer(header))
    return [(data + start, data + end) for start, end in spans if end - start >= WORTHY]


def _zip(read_at: ReadAt, size: int) -> Container:
    """The entries of a zip that are not compressed: the tensors of torch, the arrays of an .npz file."""
    found = {(one.header, one.method, one.stored) for one in zip_records.entries(_directory(read_at, size))}
    packed = sum(stored for _, method, stored in found if method)
    tensors: list[Region] = []
    end = 0
    for header, method, stored in sorted(found):
        # Entries that overlap are a trick to make few bytes look like many; they are skipped unread.
        if method or stored < WORTHY or header < end or header + stored > size:
            continue
        local = read_at(header, 30)
        if len(local) != 30 or not local.startswith(zip_records.LOCAL):
            raise Unclear
        name, extra = struct.unpack_from("<HH", local, 26)
        start = header + 30 + name + extra
        end = start + stored
        tensors.append((start, end))
    return Container(tensors, compressed=packed > 0.9 * size)


def _directory(read_at: ReadAt, size: int) -> bytes:
    """The central directory of a zip, found from the end of the file."""
    tail_at = max(0, size - ZIP_END)
    tail = read_at(tail_at, size - tail_at)
    at = tail.rfind(zip_records.END)
    if at < 0:
        raise Unclear
    end = zip_records.end_record(read_at, tail, at, tail_at)
    if end.length > ZIP_DIRECTORY or end.start + end.length > size:
        raise Unclear
    return read_at(end.start, end.length)
