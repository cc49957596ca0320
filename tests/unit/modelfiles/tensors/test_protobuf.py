from __future__ import annotations

import struct

import pytest

from modelvc.modelfiles.source import Budget, Unreadable, of_bytes
from modelvc.modelfiles.tensors.cursor import Cursor
from modelvc.modelfiles.tensors.protobuf import FIXED32, FIXED64, LENGTH, VARINT, Field, Known, Run, fields, signed
from tests.support.onnx_bytes import held, integer, varint

SPEC = {
    1: Known(VARINT), 2: Known(LENGTH, repeated=True), 3: Known(FIXED32), 4: Known(FIXED64),
    5: Known(VARINT, repeated=True, packed=True),
}  # fmt: skip


def read(data: bytes, end: int | None = None) -> list[Field]:
    return list(fields(Cursor(of_bytes(data)), len(data) if end is None else end, SPEC, Budget()))


def test_every_kind():
    data = integer(1, 300) + held(2, "ab") + held(2, "") + b"\x1d" + bytes(4) + b"\x21" + bytes(8)
    assert read(data) == [
        Field(1, VARINT, 300, 3, 3),
        Field(2, LENGTH, 0, 5, 7),
        Field(2, LENGTH, 0, 9, 9),
        Field(3, FIXED32, 0, 10, 14),
        Field(4, FIXED64, 0, 15, 23),
    ]


def test_packed_and_not():
    assert [(one.wire, one.value) for one in read(integer(5, 7) + held(5, varint(8)))] == [(VARINT, 7), (LENGTH, 0)]


def test_unknown_fields_are_skipped():
    assert read(held(99, "x") + integer(1, 2) + integer(98, 1))[0].value == 2


@pytest.mark.parametrize("value", [0, 1, -1, (1 << 63) - 1, -(1 << 63), 127, 128, 1 << 32])
def test_numbers(value: int):
    assert signed(read(integer(1, value))[0].value) == value


@pytest.mark.parametrize(
    "data",
    [
        b"\x08",  # a number that is missing
        b"\x08\x80",
        b"\x08" + b"\x80" * 11 + b"\x01",
        b"\x12\x05abc",  # a length behind the end
        b"\x12" + varint((1 << 64) - 1) + b"abc",
        b"\x1d\0\0",
        b"\x21\0",
        b"\x0b",  # a group
        b"\x0c",
        b"\x0e",
        b"\x0f",
        b"\x00\x01",  # field 0
        varint(1 << 32 | 0) + b"\x01",
        b"\x0a\x01a",  # field 1 as a text
        b"\x10\x01",  # field 2 as a number
        integer(1, 1) * 2,  # a single field twice
    ],
)
def test_lies(data: bytes):
    with pytest.raises(Unreadable):
        read(data)


def test_a_field_may_not_leave_its_message():
    with pytest.raises(Unreadable):
        read(held(2, "abcdef"), end=5)


def test_the_consumer_moves_the_cursor():
    data = held(2, integer(1, 5)) + integer(1, 6)
    cursor, budget = Cursor(of_bytes(data)), Budget()
    found = []
    for one in fields(cursor, len(data), SPEC, budget):
        found += [inner.value for inner in fields(cursor, one.end, SPEC, budget)] if one.number == 2 else [one.value]
    assert found == [5, 6]


@pytest.mark.parametrize(
    ("run", "piece", "counts"),
    [
        (Run(8, VARINT), b"\x40\x05", True),
        (Run(8, VARINT), b"\x40\xff\xff\x01", True),
        (Run(7, FIXED32), b"\x3d" + struct.pack("<f", 1.5), True),
        (Run(9, LENGTH), b"\x4a\x04LEAF", False),
        (Run(9, LENGTH), b"\x4a\x0aBRANCH\nLEQ", False),
    ],
)
@pytest.mark.parametrize("times", [0, 1, 500, 60_000])
def test_runs(run: Run, piece: bytes, times: int, *, counts: bool):
    data = piece * times + b"\x99" + piece
    cursor = Cursor(of_bytes(data))
    assert run.skip(cursor, len(data), Budget()) == (times if counts else 0)
    assert cursor.at == len(piece) * times


def test_a_run_ends_with_its_message():
    cursor = Cursor(of_bytes(b"\x40\x05" * 9))
    assert Run(8, VARINT).skip(cursor, 7, Budget()) == 3
    assert cursor.at == 6


def test_the_budget():
    with pytest.raises(Unreadable, match="operations"):
        list(fields(Cursor(of_bytes(integer(98, 1) * 5000)), 15000, SPEC, Budget(operations=50_000)))
