"""The strict reader of zips: what libraries write is read, and every lie is unreadable."""

from __future__ import annotations

import io
import os
import random
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING

import pytest

from modelvc.modelfiles.archive import Member, blocks, check_case, content, read_archive
from modelvc.modelfiles.source import Budget, OutOfTime, Source, Unreadable, of_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

MODELS = os.path.join(os.path.dirname(__file__), "..", "..", "fixtures", "models")
BODY = bytes(range(256)) * 8


class Unseekable(io.RawIOBase):
    """A pipe: zipfile then writes sizes behind each member."""

    def __init__(self) -> None:
        super().__init__()
        self.held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:
        self.held += data
        return len(data)


def a_zip(
    members: dict[str, bytes] | None = None,
    method: int = zipfile.ZIP_STORED,
    *,
    piped: bool = False,
    wide: bool = False,
) -> bytes:
    out = Unseekable() if piped else io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file:
        for name, data in (members or {"m/data.pkl": BODY, "m/data/0": b"x" * 100, "m/version": b"3\n"}).items():
            with file.open(name, "w", force_zip64=wide) as member:
                member.write(data)
    return bytes(out.held) if isinstance(out, Unseekable) else out.getvalue()


def read(data: bytes) -> dict[str, bytes]:
    source, budget = of_bytes(data), Budget()
    return {one.name: content(source, one, budget) for one in read_archive(source, budget)}


def why(data: bytes) -> str:
    with pytest.raises(Unreadable) as caught:
        read(data)
    return str(caught.value)


def change(data: bytes, at: int, form: str, *numbers: int) -> bytes:
    new = bytearray(data)
    struct.pack_into("<" + form, new, at, *numbers)
    return bytes(new)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("piped", [False, True])
@pytest.mark.parametrize("wide", [False, True])
def test_what_zipfile_writes(method: int, *, piped: bool, wide: bool):
    data = a_zip(method=method, piped=piped, wide=wide)
    assert read(data) == {"m/data.pkl": BODY, "m/data/0": b"x" * 100, "m/version": b"3\n"}
    for member in read_archive(of_bytes(data), Budget()):
        if method == zipfile.ZIP_STORED:
            assert data[member.start : member.end] == read(data)[member.name]


@pytest.mark.parametrize("path", ["torch/v1.pt", "torch/v2.pt", "numpy/v1.npz", "numpy/v2.npz"])
def test_what_libraries_write(path: str):
    path = os.path.join(MODELS, path)
    with open(path, "rb") as file:
        data = file.read()
    with zipfile.ZipFile(path) as file:
        assert read(data) == {name: file.read(name) for name in file.namelist()}


def test_a_zip_as_large_files_have_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 10)
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    data = a_zip(wide=True)
    assert b"PK\x06\x06" in data
    assert len(read(data)) == 3
    end = data.rindex(b"PK\x06\x06")
    for number in range(12, 56):
        assert number in range(12, 16) or why(change(data, end + number, "B", data[end + number] ^ 64))
    assert "locator" in why(change(data, end + 56 + 8, "Q", 1 << 60))


def test_an_empty_zip():
    assert read(a_zip({"a": b""})) == {"a": b""}
    out = io.BytesIO()
    zipfile.ZipFile(out, "w").close()
    assert read(out.getvalue()) == {}


def test_members_are_streamed():
    data = a_zip({"a": BODY * 1000}, zipfile.ZIP_DEFLATED)
    source, budget = of_bytes(data), Budget(memory=1 << 20)
    (member,) = read_archive(source, budget)
    found = list(blocks(source, member, budget, size=10_000))
    assert b"".join(found) == BODY * 1000
    assert max(map(len, found)) <= 10_000
    with pytest.raises(Unreadable, match="memory"):
        content(source, member, budget)


# -- lies


def entry_at(data: bytes, name: str) -> int:
    at = data.index(b"PK\x01\x02")
    while data[at + 46 : at + 46 + len(name)] != name.encode():
        at = data.index(b"PK\x01\x02", at + 4)
    return at


FIELDS_OF_AN_ENTRY = {"flags": 8, "method": 10, "crc": 16, "stored": 20, "size": 24, "name": 28, "extra": 30}


@pytest.mark.parametrize("field", [*FIELDS_OF_AN_ENTRY, "comment", "disk", "header"])
@pytest.mark.parametrize("by", [1, -1, 0x4000, 0xFFFF])
def test_a_lying_entry(field: str, by: int):
    data = a_zip()
    offset = {**FIELDS_OF_AN_ENTRY, "comment": 32, "disk": 34, "header": 42}[field]
    form, most = ("I", 0xFFFFFFFF) if field in {"crc", "stored", "size", "header"} else ("H", 0xFFFF)
    at = entry_at(data, "m/data/0") + offset
    (number,) = struct.unpack_from("<" + form, data, at)
    assert why(change(data, at, form, (number + by) & most))


@pytest.mark.parametrize("offset", [6, 8, 14, 16, 18, 20, 22, 24, 26, 28, 30, 36])
@pytest.mark.parametrize("bit", [0, 7])
def test_a_lying_local_header(offset: int, bit: int):
    data = bytearray(a_zip())
    data[data.index(b"m/data/0") - 30 + offset] ^= 1 << bit
    assert why(bytes(data))


@pytest.mark.parametrize("offset", range(4, 22))
@pytest.mark.parametrize("bit", [0, 3, 7])
def test_a_lying_end_record(offset: int, bit: int):
    data = bytearray(a_zip())
    data[len(data) - 22 + offset] ^= 1 << bit
    assert why(bytes(data))


def test_data_before_between_and_behind():
    data = a_zip()
    assert why(b"x" * 10 + data)
    assert why(data + b"x")
    assert why(data + data)
    assert why(data[:-1])
    first = data.index(b"PK\x03\x04", 4)
    directory = data.index(b"PK\x01\x02")
    shifted = bytearray(data[:first] + b"gap!" + data[first:])
    for name in ("m/data/0", "m/version"):
        at = entry_at(bytes(shifted), name)
        struct.pack_into("<I", shifted, at + 42, struct.unpack_from("<I", shifted, at + 42)[0] + 4)
    struct.pack_into("<I", shifted, len(shifted) - 6, directory + 4)
    with zipfile.ZipFile(io.BytesIO(shifted)) as file:
        assert file.read("m/version") == b"3\n"  # a library sees nothing wrong
    assert "between" in why(bytes(shifted))


def test_data_before_the_directory():
    data = a_zip()
    directory = data.index(b"PK\x01\x02")
    shifted = data[:directory] + b"gap!" + data[directory:]
    assert why(change(shifted, len(shifted) - 6, "I", directory + 4))


def test_data_before_the_first_member():
    """All offsets are right, so that no library sees anything wrong."""
    data = a_zip({"a": BODY})
    directory = entry_at(data, "a")
    shifted = b"x" * 10 + change(change(data, directory + 42, "I", 10), len(data) - 6, "I", directory + 10)
    with zipfile.ZipFile(io.BytesIO(shifted)) as file:
        assert file.read("a") == BODY
    assert "between" in why(shifted)


def test_data_behind_the_directory():
    data = a_zip({"a": BODY})
    assert "directory does not end" in why(data[:-22] + b"gap!" + data[-22:])


def test_a_member_that_the_directory_lacks():
    data = a_zip()
    last = entry_at(data, "m/version")
    shorter = data[:last] + data[-22:]
    start = data.index(b"PK\x01\x02")
    shorter = change(shorter, len(shorter) - 14, "HHII"[:2] + "II", 2, 2, last - start, start)
    with zipfile.ZipFile(io.BytesIO(shorter)) as file:
        assert len(file.namelist()) == 2
    assert why(shorter)


def test_two_end_records():
    first, second = a_zip({"a": b"1"}), a_zip({"a": b"2"})
    assert why(first + second)
    commented = io.BytesIO()
    with zipfile.ZipFile(commented, "w") as file:
        file.writestr("a", b"1")
        file.comment = b"PK\x05\x06" + bytes(18)
    assert why(commented.getvalue())


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("a", b"1")
        file.writestr("a", b"2")
    assert "one name" in why(out.getvalue())


def test_names_that_differ_in_case():
    data = a_zip({"m/data.pkl": b"1", "m/DATA.pkl": b"2"})
    members = read_archive(of_bytes(data), Budget())
    check_case(members[:1])
    with pytest.raises(Unreadable, match="case"):
        check_case(members)


def test_names_that_libraries_read_differently():
    assert why(a_zip({"m/data.pklX": b"1"}).replace(b"data.pklX", b"data.pkl\0"))
    assert why(a_zip({"m/data.pkl": b"1"}).replace(b"m/data.pkl", b"m\\data.pkl"))
    accented = a_zip({"m/\u00e9": b"1"})
    assert list(read(accented)) == ["m/\u00e9"]
    assert "UTF-8" in why(accented.replace("\u00e9".encode(), b"\xff\xfe"))


def test_a_second_name_in_unicode():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        info = zipfile.ZipInfo("m/data.pkl")
        info.extra = struct.pack("<HHBI", 0x7075, 11, 1, zlib.crc32(b"m/data.pkl")) + b"m/evil"
        file.writestr(info, b"1")
    assert "two names" in why(out.getvalue())


def test_encrypted():
    data = a_zip({"a": b"1"})
    data = change(data, 6, "H", 1)
    assert "encrypted" in why(change(data, entry_at(data, "a") + 8, "H", 1))


def test_an_unknown_method():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_BZIP2) as file:
        file.writestr("a", BODY)
    assert "unknown method" in why(out.getvalue())


def test_overlapping_members():
    """Two members that share their bytes make few bytes look like many."""
    data = a_zip({"a": BODY, "b": BODY})
    at = entry_at(data, "b")
    assert why(change(data, at + 42, "I", 0))


def test_a_size_beyond_what_deflate_makes():
    data = a_zip({"a": bytes(100_000)}, zipfile.ZIP_DEFLATED)
    at = entry_at(data, "a")
    assert "more bytes than it can hold" in why(change(data, at + 24, "I", 1 << 30))
    for size in (99_999, 100_001):
        lying = change(change(data, at + 24, "I", size), 22, "I", size)
        assert "than the directory says" in why(lying)


def test_a_member_that_is_longer_than_it_says_is_not_passed_on():
    data = a_zip({"a": bytes(5_000_000)}, zipfile.ZIP_DEFLATED)
    source = of_bytes(change(change(data, entry_at(data, "a") + 24, "I", 2000), 22, "I", 2000))
    (member,) = read_archive(source, Budget())
    passed = 0
    with pytest.raises(Unreadable, match="longer"):
        for block in blocks(source, member, Budget(), size=700):
            passed += len(block)
    assert passed <= 2000


def test_a_checksum():
    data = a_zip({"a": BODY})
    at = entry_at(data, "a")
    lying = change(change(data, 14, "I", 7), at + 16, "I", 7)
    assert "checksum" in why(lying)
    (member,) = read_archive(of_bytes(lying), Budget())
    assert content(of_bytes(lying), member, Budget(), checked=False) == BODY


def test_bytes_behind_a_compressed_member():
    data = a_zip({"a": BODY}, zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        stored = file.getinfo("a").compress_size
    directory = entry_at(data, "a")
    data = data[:directory] + b"hidden" + data[directory:]
    data = change(data, 18, "I", stored + 6)
    data = change(data, directory + 6 + 20, "I", stored + 6)
    data = change(data, len(data) - 6, "I", directory + 6)
    assert "behind its end" in why(data)


def test_sizes_of_zip64_that_nothing_asks_for():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        info = zipfile.ZipInfo("a")
        info.extra = struct.pack("<HHQ", 1, 8, 5)
        file.writestr(info, b"12345")
    assert why(out.getvalue())


def test_more_members_than_the_budget():
    data = a_zip({str(number): b"" for number in range(20)})
    with pytest.raises(Unreadable, match="more members"):
        read_archive(of_bytes(data), Budget(members=10))


def test_a_directory_larger_than_the_budget_is_not_read():
    data = a_zip({"x" * 60_000: b""})
    with pytest.raises(Unreadable, match="memory"):
        read_archive(of_bytes(data), Budget(memory=10_000))


def test_the_clock():
    data = a_zip()
    with pytest.raises(OutOfTime):
        read_archive(of_bytes(data), Budget(seconds=-1))


def test_a_source_that_shrinks():
    data = a_zip()
    for shorter in range(0, len(data), 7):
        source = Source(len(data), lambda at, length, end=shorter: data[at : min(end, at + length)])
        with pytest.raises(Unreadable):
            read_archive(source, Budget())


@pytest.mark.parametrize("make", [a_zip, lambda: a_zip(piped=True), lambda: a_zip(method=zipfile.ZIP_DEFLATED)])
def test_any_bytes_end_in_unreadable(make: Callable[[], bytes]):
    whole, dice = make(), random.Random(7)
    wanted = read(whole)
    for _ in range(3000):
        data = bytearray(whole)
        for _ in range(dice.randrange(1, 4)):
            at = dice.choice([dice.randrange(len(data)), dice.randrange(data.index(b"PK\x01\x02"), len(data))])
            data[at] = dice.choice([0, 1, 255, dice.randrange(256)])
        try:
            found = read(bytes(data))
        except Unreadable:
            continue
        assert list(found.values()) == list(wanted.values())  # dates and versions may differ, content may not


def test_a_member_outside_of_the_file():
    with pytest.raises(Unreadable):
        content(of_bytes(b"abc"), Member("a", 0, 1, 9, 9, 0), Budget())
