"""The records of a zip: its end, and the entries of its central directory. They are claims until a reader checks them.

Layout: APPNOTE.TXT of PKWARE, sections 4.3 and 4.5.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    ReadAt = Callable[[int, int], bytes]

LOCAL, ENTRY, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
END_SIZE, LOCATOR_SIZE, END64_SIZE = 22, 20, 56  # bytes; an end record without its comment, a zip64 one without data
STORED, DEFLATED = 0, 8  # methods of compression

_LOCATOR, _END64 = b"PK\x06\x07", b"PK\x06\x06"
_WIDE = 0xFFFFFFFF  # of a field whose true number is in the zip64 part


class Damaged(Exception):
    """The records are not as the format demands. `str()` says why, in one clause."""


class End(NamedTuple):
    """What the end records claim. `at`: the offset of the first of them, where the directory should end."""

    entries: int
    length: int  # bytes of the directory
    start: int  # the offset of the directory
    at: int


class Entry(NamedTuple):
    """One file in the central directory.

    `header`: the offset of its local header. `length`: bytes of this entry. `wide`: bytes of its zip64 part that count.
    """

    flags: int
    method: int
    crc: int
    stored: int  # bytes
    size: int  # bytes when decompressed
    name: bytes
    extra: bytes
    disk: int
    header: int
    length: int
    wide: int


def end_record(read_at: ReadAt, tail: bytes, at: int, base: int) -> End:
    """Return what the end record says, and the zip64 one that its locator leads to. Raises Damaged.

    TAIL: bytes of the file from the offset BASE. AT: the offset of the end record in TAIL.
    """
    record, locator = tail[at : at + END_SIZE], tail[max(0, at - LOCATOR_SIZE) : at]
    if len(record) != END_SIZE or not record.startswith(END):
        raise Damaged("it has no end record")
    disk, first, here, entries, length, start = struct.unpack_from("<4H2I", record, 4)
    if disk or first or here != entries:
        raise Damaged("it is one of several disks")
    if not locator.startswith(_LOCATOR):
        return End(entries, length, start, base + at)
    (where,) = struct.unpack_from("<Q", locator, 8)
    wide = read_at(where, END64_SIZE) if where <= base + at - LOCATOR_SIZE - END64_SIZE else b""
    if len(wide) != END64_SIZE or not wide.startswith(_END64):
        raise Damaged("its zip64 locator leads nowhere")
    disk, first, here, *numbers = struct.unpack_from("<2I4Q", wide, 16)
    if disk or first or here != numbers[0]:
        raise Damaged("it is one of several disks")
    narrow = ((entries, 0xFFFF), (length, _WIDE), (start, _WIDE))
    if any(claim not in {most, number} for (claim, most), number in zip(narrow, numbers, strict=True)):
        raise Damaged("its two end records differ")
    entries, length, start = numbers
    return End(entries, length, start, where)


def entries(directory: bytes) -> Iterator[Entry]:
    """Yield the files in a central DIRECTORY, up to the first bytes that are no entry. Raises Damaged."""
    at = 0
    while directory.startswith(ENTRY, at):
        if at + 46 > len(directory):
            raise Damaged("an entry of its directory ends too early")
        flags, method, _, _, crc, stored, size, named, extras, comment, disk, _, _, header = struct.unpack_from(
            "<4H3I5H2I", directory, at + 8
        )
        middle = at + 46 + named
        extra = directory[middle : middle + extras]
        used = 8 * (size, stored, header).count(_WIDE)
        if used:
            (size, stored, header), _ = wide(extra, (size, stored, header))
        length = 46 + named + extras + comment
        if at + length > len(directory):
            raise Damaged("an entry of its directory ends too early")
        name = directory[at + 46 : middle]
        yield Entry(flags, method, crc, stored, size, name, extra, disk, header, length, used)
        at += length


def wide(extra: bytes, fields: Sequence[int]) -> tuple[list[int], list[int]]:
    """Return FIELDS, where those that do not fit into 32 bits come from the zip64 part of EXTRA, and its other numbers.

    Raises Damaged if a number is missing.
    """
    part = next((body for tag, body in extras(extra) if tag == 1), b"")
    numbers = list(struct.unpack_from(f"<{len(part) // 8}Q", part))
    found = []
    for field in fields:
        if field == _WIDE and not numbers:
            raise Damaged("a number of its zip64 part is missing")
        found.append(numbers.pop(0) if field == _WIDE else field)
    return found, numbers


def extras(extra: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the parts of an EXTRA field: a tag, and its bytes. A part that ends behind EXTRA is not one."""
    at = 0
    while at + 4 <= len(extra):
        tag, length = struct.unpack_from("<HH", extra, at)
        if at + 4 + length > len(extra):
            return
        yield tag, extra[at + 4 : at + 4 + length]
        at += 4 + length
