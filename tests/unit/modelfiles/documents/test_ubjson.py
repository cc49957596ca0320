"""UBJSON: strict, bounded, and no length is believed."""

from __future__ import annotations

import struct

import pytest

from modelvc.modelfiles.documents import ubjson
from modelvc.modelfiles.documents.building import Many
from modelvc.modelfiles.source import Budget, OutOfTime, Unreadable, of_bytes


def read(data: bytes) -> object:
    return ubjson.read(of_bytes(data), Budget(), "it")


def long(count: int) -> bytes:
    return b"L" + struct.pack(">q", count)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"Z", None),
        (b"T", True),
        (b"F", False),
        (b"i\xff", -1),
        (b"U\xff", 255),
        (b"I\x01\x00", 256),
        (b"l\x00\x01\x00\x00", 65536),
        (long(1 << 40), 1 << 40),
        (b"d" + struct.pack(">f", 0.5), 0.5),
        (b"D" + struct.pack(">d", 0.1), 0.1),
        (b"Ca", "a"),
        (b"SU\x03a\xc3\xa4", "aä"),
        (b"HU\x0212", "12"),
        (b"[]", []),
        (b"[U\x01[T]]", [1, [True]]),
        (b"[#U\x02U\x01Z", [1, None]),
        (b"[$l#U\x02" + struct.pack(">2i", 5, -5), [5, -5]),
        (b"[$U#" + long(0), []),
        (b"{}", {}),
        (b"{U\x01aU\x01U\x01bZ}", {"a": 1, "b": None}),
        (b"{#U\x01U\x01a{}", {"a": {}}),
        (b"[[#U\x00T]", [[], True]),
    ],
)
def test_values(data: bytes, value: object) -> None:
    assert read(data) == value


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "the file ends too early|ends too early|behind the end"),
        (b"N", "is not valid UBJSON"),
        (b"x", "is not valid UBJSON"),
        (b"TT", "has bytes behind its end"),
        (b"[T", "ends too early"),
        (b"{U\x01a", "ends too early"),
        (b"{U\x01aTU\x01aT}", "has a key twice"),
        (b"{T}", "is not valid UBJSON"),
        (b"SU\x02\xff\xff", "is not valid UBJSON"),
        (b"SU\x09a", "claims a length behind its end"),
        (b"Si\xff", "claims a length behind its end"),
        (b"SD" + bytes(8), "is not valid UBJSON"),
        (b"[#" + long(1 << 40) + b"T", "claims a length behind its end"),
        (b"[#" + long(-1), "claims a length behind its end"),
        (b"[$D#" + long(10) + bytes(20), "claims a length behind its end"),
        (b"[$T#" + long(1), "is not valid UBJSON"),
        (b"[$[#" + long(1) + b"]", "is not valid UBJSON"),
        (b"[$U]", "is not valid UBJSON"),
        (b"{$U#U\x01U\x01a\x01", "is not valid UBJSON"),
        (b"[" * 200 + b"]" * 200, "is nested too deeply"),
        (b"[#U\x01" * 50_000, "is nested too deeply"),
    ],
)
def test_anything_else_is_unreadable(data: bytes, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        read(data)


def test_a_long_array_is_skipped_without_being_read() -> None:
    head = b"{U\x01a[$D#" + long(1 << 20)
    size = len(head) + (8 << 20) + len(b"U\x01bT}")
    read_bytes = [0]

    def read_at(offset: int, length: int) -> bytes:
        read_bytes[0] += length
        data = head if offset < len(head) else b""
        data += bytes(max(0, min(length, size - 5 - offset) - len(data)))
        return (
            (data + b"U\x01bT}"[max(0, offset - (size - 5)) :])[:length]
            if offset + length > size - 5
            else data[:length]
        )

    from modelvc.modelfiles.source import Source

    found = ubjson.read(Source(size, read_at), Budget(), "it")
    assert found == {"a": Many(1 << 20), "b": True}
    assert read_bytes[0] < 200_000


def test_time_and_memory_are_bounded() -> None:
    with pytest.raises(OutOfTime):
        ubjson.read(of_bytes(b"[#" + long(5_000) + b"T" * 5_000), Budget(seconds=-1), "it")
    with pytest.raises(Unreadable, match="memory limit"):
        ubjson.read(of_bytes(b"[" + (b"[#" + long(5_000) + b"[]" * 5_000) * 4 + b"]"), Budget(memory=1 << 20), "it")
