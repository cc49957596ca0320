"""Read a zip so strictly that every library finds the same members in it.

Libraries differ in what they believe of a damaged zip: the directory or the local headers, the first or the last of two
members of one name. An attack shows one member to a scanner and another to `torch.load`. So the members must cover
the file from its first byte to the directory, without a gap, and each number that is written twice must be the same.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from modelvc.modelfiles import zip_records
from modelvc.modelfiles.source import Unreadable
from modelvc.modelfiles.zip_records import DEFLATED, END64_SIZE, END_SIZE, LOCAL, LOCATOR_SIZE, STORED, Damaged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelvc.modelfiles.source import Budget, Source
    from modelvc.modelfiles.zip_records import End, Entry

_BLOCK = 1 << 20  # bytes
_KEPT = 400  # bytes of memory for one member
_AHEAD = 256  # bytes behind a name that are read with it: where writers align members, they pad up to 64
_LATER, _UTF8 = 0x0008, 0x0800  # flags: the sizes follow the member; the name is UTF-8
_FLAGS = 0x0006 | _LATER | _UTF8  # 0x0006: how hard deflate tried
_OTHER_NAME = 0x7075  # the tag of a second name in Unicode, which some readers prefer
_WIDE_PART = 1  # the tag of sizes above 4 GiB
_EXPANDS = 1032  # the most bytes that deflate makes of one


class Member(NamedTuple):
    """One file in a zip. `start`: the offset of its stored bytes. `size`: bytes when decompressed."""

    name: str
    method: int
    start: int
    stored: int  # bytes
    size: int
    crc: int

    @property
    def end(self) -> int:
        """The offset behind its stored bytes."""
        return self.start + self.stored


def read_archive(source: Source, budget: Budget) -> tuple[Member, ...]:
    """Return the members of the zip that SOURCE is, in the order of its directory.

    Raises Unreadable for everything on which two libraries could disagree.
    """
    try:
        end, found = _directory(source, budget)
        names = [_name(entry) for entry in found]
        if len(set(names)) != len(names):
            _twice()
        places = _tiles(source, budget, found, end)
    except Damaged as error:
        raise Unreadable(f"zip: {error}") from error
    return tuple(
        Member(name, entry.method, places[entry.header], entry.stored, entry.size, entry.crc)
        for name, entry in zip(names, found, strict=True)
    )


def check_case(members: tuple[Member, ...]) -> None:
    """Raise Unreadable if two names of MEMBERS differ in case alone: for libraries that look them up in any case."""
    if len({member.name.casefold() for member in members}) != len(members):
        raise Unreadable("zip: two of its members have one name, but for case")


def _twice() -> NoReturn:
    raise Damaged("two of its members have one name")


def content(source: Source, member: Member, budget: Budget, *, checked: bool = True) -> bytes:
    """Return the bytes of MEMBER, decompressed. Raises Unreadable if they are not what the directory says.

    CHECKED: compare their checksum. Not for a library that ignores it: what it loads would stay unread.
    """
    budget.keep(member.size)
    return b"".join(blocks(source, member, budget, checked=checked))


def blocks(
    source: Source, member: Member, budget: Budget, *, size: int = _BLOCK, checked: bool = True
) -> Iterator[bytes]:
    """Yield the bytes of MEMBER, decompressed, in blocks of at most SIZE bytes.

    Raises Unreadable if they are not what the directory says: for a wrong checksum, if CHECKED, after the last block.
    """
    inside = source.part(member.start, member.end)
    crc = total = 0
    for block in _inflated(inside, size) if member.method == DEFLATED else _raw(inside, size):
        budget.look_at_clock()
        total += len(block)
        if total > member.size:
            raise Unreadable("zip: a member is longer than the directory says")
        if checked:
            crc = zlib.crc32(block, crc)
        yield block
    if total != member.size:
        raise Unreadable("zip: a member is shorter than the directory says")
    if checked and crc != member.crc:
        raise Unreadable("zip: the checksum of a member is wrong")


def _raw(source: Source, size: int) -> Iterator[bytes]:
    for at in range(0, source.size, size):
        yield source.exactly(at, min(size, source.size - at))


def _inflated(source: Source, size: int) -> Iterator[bytes]:
    machine = zlib.decompressobj(-zlib.MAX_WBITS)
    at, waiting = 0, b""
    while not machine.eof:
        if not waiting:
            waiting = source.exactly(at, min(size, source.size - at))
            at += len(waiting)
        given = len(waiting)
        try:
            block = machine.decompress(waiting, size)
        except zlib.error as error:
            raise Unreadable("zip: a member cannot be decompressed") from error
        waiting = machine.unconsumed_tail
        if block:
            yield block
        elif not given and not machine.eof:
            raise Unreadable("zip: a member ends too early")
    if machine.unused_data or at != source.size:
        raise Unreadable("zip: a member has bytes behind its end")


def _directory(source: Source, budget: Budget) -> tuple[End, list[Entry]]:
    """Return the end record and the entries of the directory, which must be the last of the file."""
    if source.size < END_SIZE:
        raise Damaged("it is too short")
    at = source.size - END_SIZE
    base = max(0, at - LOCATOR_SIZE)
    tail = source.exactly(base, source.size - base)
    end = zip_records.end_record(source.exactly, tail, at - base, base)
    if tail[-2:] != b"\0\0":
        raise Damaged("it has a comment")
    if end.at not in {at, at - LOCATOR_SIZE - END64_SIZE} or end.start + end.length != end.at:
        raise Damaged("its directory does not end where its end record begins")
    budget.open_members(end.entries)
    budget.keep(end.length + _KEPT * end.entries)
    directory = source.exactly(end.start, end.length)
    found, used = [], 0
    for entry in zip_records.entries(directory):
        found.append(entry)
        used += entry.length
        if len(found) > end.entries:
            break
    if used != end.length or len(found) != end.entries:
        raise Damaged("its directory is not as long as its end record says")
    for entry in found:
        _check(entry)
    return end, found


def _check(entry: Entry) -> None:
    """Raise Damaged if libraries could read this ENTRY of the directory in different ways."""
    if entry.flags & 0x2041:
        raise Damaged("a member is encrypted")
    if entry.flags & ~_FLAGS:
        raise Damaged("a member has an unknown flag")
    if entry.method not in {STORED, DEFLATED}:
        raise Damaged("a member is compressed by an unknown method")
    if entry.disk:
        raise Damaged("it is one of several disks")
    parts = list(zip_records.extras(entry.extra))
    tags = [tag for tag, _ in parts]
    if sum(4 + len(part) for _, part in parts) != len(entry.extra) or tags.count(_WIDE_PART) > 1:
        raise Damaged("an extra field of its directory is malformed")
    if _OTHER_NAME in tags:
        raise Damaged("a member has two names")
    if entry.wide != sum(len(part) for tag, part in parts if tag == _WIDE_PART):
        raise Damaged("a member has sizes that nothing asks for")
    if entry.size > (_EXPANDS * entry.stored if entry.method else entry.stored):
        raise Damaged("a member claims more bytes than it can hold")
    if not entry.method and entry.size != entry.stored:
        raise Damaged("a member that is not compressed has two sizes")


def _name(entry: Entry) -> str:
    """Return the name of ENTRY, as zipfile decodes it."""
    try:
        name = entry.name.decode("utf-8" if entry.flags & _UTF8 else "cp437")
    except UnicodeDecodeError as error:
        raise Damaged("the name of a member is not UTF-8") from error
    if not name or "\0" in name or "\\" in name:
        raise Damaged("the name of a member is not one")
    return name


def _tiles(source: Source, budget: Budget, found: list[Entry], end: End) -> dict[int, int]:
    """Return where the bytes of each member begin, by the offset of its local header.

    Raises Damaged if a local header differs from the directory, or if members leave a gap or overlap.
    """
    places: dict[int, int] = {}
    ordered = sorted(found, key=lambda entry: entry.header)
    at = 0
    for number, entry in enumerate(ordered):
        if not number % 1000:
            budget.look_at_clock()
        if entry.header != at:
            raise Damaged("its members overlap, or bytes lie between them")
        begin = _local(source, entry)
        places[at] = begin
        at = ordered[number + 1].header if number + 1 < len(ordered) else end.start
        behind = at - begin - entry.stored
        if behind < 0 or at > end.start:
            raise Damaged("its members overlap, or lie outside of the file")
        if not _descriptor(source, entry, at - behind, behind):
            raise Damaged("bytes lie between its members")
    if at != end.start:
        raise Damaged("bytes lie before its directory")
    return places


def _local(source: Source, entry: Entry) -> int:
    """Return where the bytes of ENTRY begin. Raises Damaged if its local header is not as the directory says."""
    fixed = 30 + len(entry.name)
    read = source.exactly(entry.header, min(fixed + _AHEAD, source.size - entry.header))
    if len(read) < fixed or not read.startswith(LOCAL):
        raise Damaged("a member has no local header")
    extras: int
    flags, method, _, _, crc, stored, size, named, extras = struct.unpack_from("<4H3I2H", read, 6)
    extra = read[fixed : fixed + extras]
    if len(extra) < extras:
        extra = source.exactly(entry.header + fixed, extras)
    (size, stored), others = zip_records.wide(extra, (size, stored))
    known = {entry.size, entry.stored, entry.header}
    absent = {0} if flags & _LATER else set()
    same = (
        (flags, method) == (entry.flags, entry.method)
        and named == len(entry.name)
        and read[30:fixed] == entry.name
        and size in {entry.size} | absent
        and stored in {entry.stored} | absent
        and crc in {entry.crc} | absent
        and known.issuperset(set(others) - absent)
    )
    if not same:
        raise Damaged("a local header differs from the directory")
    return entry.header + fixed + extras


def _descriptor(source: Source, entry: Entry, at: int, length: int) -> bool:
    """Whether LENGTH bytes AT an offset, behind the bytes of ENTRY, are what belongs there: its sizes, or nothing."""
    if not entry.flags & _LATER:
        return not length
    wide = length in {20, 24}
    if length not in {12, 16, 20, 24} or (not wide and max(entry.stored, entry.size) > 0xFFFFFFFF):
        return False
    mark = b"PK\x07\x08" if length in {16, 24} else b""
    numbers = struct.pack("<I2Q" if wide else "<3I", entry.crc, entry.stored, entry.size)
    return source.exactly(at, length) == mark + numbers
