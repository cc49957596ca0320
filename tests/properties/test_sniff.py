"""Whatever a file claims: no exception, hints that make sense, and little read."""

from __future__ import annotations

import functools
import io
import os
import struct
import time
import zipfile

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from modelvc.chunking import sniff
from modelvc.chunking.fastcdc import TENSORS, Cutter

KIB, MIB = 1 << 10, 1 << 20
HEAD = 64 * KIB
MODELS = os.path.join(os.path.dirname(__file__), "..", "fixtures", "models")


class Claims:
    """A file that says it has SIZE bytes: CONTENT, then zeros, then END. It counts what is read of it."""

    def __init__(self, content: bytes, size: int, end: bytes = b"") -> None:
        self.size = max(size, len(content) + len(end))
        self._content = content
        self._end = end
        self.asked = self.reads = 0

    def read_at(self, offset: int, length: int) -> bytes:
        assert offset >= 0
        assert length >= 0
        assert offset + length <= self.size
        self.asked += length
        self.reads += 1
        part = self._content[offset : offset + length].ljust(min(length, self.size - offset), b"\0")
        behind = self.size - len(self._end)
        if offset + length > behind:
            cut = max(0, behind - offset)
            part = part[:cut] + self._end[max(0, offset - behind) :][: length - cut]
        return part

    def plan(self) -> sniff.CutPlan:
        head = self.read_at(0, min(HEAD, self.size))
        self.asked = self.reads = 0
        found = sniff.plan(head, self.read_at, self.size)
        assert self.asked <= 9 * MIB
        assert self.reads <= self.size // (64 * KIB) + 3
        assert found.compressible in (None, False)
        assert list(found.hints) == sorted(set(found.hints))
        assert all(0 < hint < self.size for hint in found.hints)
        assert len(found.hints) <= min(65_536, self.size // (64 * KIB))
        assert (found.chunker == TENSORS) == bool(found.hints)
        Cutter(found.chunker, found.hints)
        return found


@functools.cache
def models() -> list[bytes]:
    found = []
    for folder in ("safetensors", "torch", "numpy", "onnx", "forest", "xgboost"):
        for name in sorted(os.listdir(os.path.join(MODELS, folder))):
            with open(os.path.join(MODELS, folder, name), "rb") as file:
                found.append(file.read())
    return found


EDGES = [0, 1, 7, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 62, (1 << 64) - 1]
NUMBERS = st.one_of(st.sampled_from(EDGES), st.integers(0, (1 << 64) - 1))
PATCHES = st.builds(
    lambda number, width: (number % (1 << 8 * width)).to_bytes(width, "little"), NUMBERS, st.sampled_from([1, 2, 4, 8])
)
SIZES = st.one_of(st.just(0), st.integers(0, 1 << 20), st.integers(0, (1 << 62)))


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_damaged_models(data: st.DataObject):
    content = bytearray(data.draw(st.sampled_from(models())))
    for patch in data.draw(st.lists(PATCHES, max_size=4)):
        near_end = data.draw(st.booleans())  # where a zip is told from
        at = data.draw(st.integers(0, 600)) if not near_end else len(content) - data.draw(st.integers(8, 900))
        content[at : at + len(patch)] = patch
    cut = data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))
    Claims(bytes(content[:cut]), data.draw(SIZES)).plan()


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from([b"", b"PK\x03\x04", b"\x93NUMPY\x01", b"\x93NUMPY\x02", b"\x80\x04", b"x\x9c", b"\x1f\x8b\x08"]),
    st.binary(max_size=200),
    st.sampled_from([b"", b"PK\x05\x06" + bytes(18), b"PK\x06\x07" + bytes(16) + b"PK\x05\x06" + bytes(18)]),
    SIZES,
)
@example(b"\x93NUMPY\x02", b"", b"", 70_000)
@example(b"PK\x03\x04", b"", b"PK\x05\x06", 70_000)
def test_heads_of_noise(magic: bytes, noise: bytes, end: bytes, size: int):
    Claims(magic + noise, size, end).plan()


@settings(deadline=None, max_examples=200)
@given(NUMBERS, st.lists(st.tuples(NUMBERS, NUMBERS), max_size=20), st.booleans(), SIZES)
def test_hostile_safetensors(length: int, spans: list[tuple[int, int]], honest: bool, size: int):  # noqa: FBT001
    header = b"{" + b",".join(b'"t":{"data_offsets":[%d,%d]}' % span for span in spans) + b"}"
    said = len(header) if honest else length
    Claims(struct.pack("<Q", said) + header, size).plan()


LINES = st.tuples(st.sampled_from([0, 8]), NUMBERS, NUMBERS, NUMBERS, st.binary(max_size=30))


@settings(deadline=None, max_examples=200)
@given(st.lists(LINES, max_size=20), NUMBERS, st.booleans(), st.booleans(), SIZES)
def test_hostile_zips(
    lines: list[tuple[int, int, int, int, bytes]],
    lie: int,
    honest: bool,  # noqa: FBT001
    wide: bool,  # noqa: FBT001
    size: int,
):
    directory = b""
    for method, stored, plain, header, noise in lines:
        narrow = [min(number, 0xFFFFFFFF) for number in (stored, plain, header)]
        extra = struct.pack("<HHQQQ", 1, 24, plain, stored, header) + noise if wide else noise
        directory += b"PK\x01\x02" + bytes(6) + struct.pack("<H8xII", method, *narrow[:2])
        directory += struct.pack("<HHHHHII", 1, len(extra), 0, 0, 0, 0, narrow[2]) + b"n" + extra
    size = max(size, 100 * KIB)
    local = b"PK\x03\x04" + bytes(26)
    start = size - 22 - len(directory) if honest else lie
    end = directory + b"PK\x05\x06" + struct.pack("<8xIIH", len(directory), min(start, 0xFFFFFFFF), 0)
    Claims(local * 50, size, end).plan()


@pytest.mark.parametrize(
    ("length", "start"), [(1 << 30, 0), (100, (1 << 32) - 2), (5 << 20, 5), (1 << 31, (1 << 32) - 2)]
)
def test_a_directory_that_is_too_large_or_elsewhere(length: int, start: int):
    end = b"PK\x05\x06" + struct.pack("<8xIIH", length, start, 0)
    for size in (100_000, 1 << 40):
        assert not Claims(b"PK\x03\x04", size, end).plan().hints


@pytest.mark.parametrize("where", [99_990, 1 << 41, 1 << 63, (1 << 64) - 1])
def test_a_zip64_record_that_is_elsewhere(where: int):
    end = b"PK\x06\x07" + struct.pack("<4xQ4x", where) + b"PK\x05\x06" + bytes(18)
    for size in (100_000, 1 << 40):
        assert not Claims(b"PK\x03\x04", size, end).plan().hints


@pytest.mark.parametrize("length", [100_000, 100_001 - 8, 8 << 20, (8 << 20) + 1, 1 << 40, (1 << 64) - 1])
def test_a_safetensors_header_longer_than_the_file_or_sense(length: int):
    header = b'{"data_offsets":[0,70000]}'
    for size in (100_000, 1 << 40):
        assert not Claims(struct.pack("<Q", length) + header, size).plan().hints


def test_an_npy_header_longer_than_sense():
    assert not Claims(b"\x93NUMPY\x02\0" + struct.pack("<I", 1 << 20), 1 << 30).plan().hints


def _many_entries() -> bytes:
    """A zip whose directory names one entry again and again, a few bytes further on each time."""
    line = (
        b"PK\x01\x02" + bytes(6) + struct.pack("<H8xII", 0, 65_536, 65_536) + struct.pack("<HHHHHI", 0, 0, 0, 0, 0, 0)
    )
    directory = b"".join(line + struct.pack("<I", at) for at in range(0, 65_536 * 2, 4))
    start = 65_536 * 3
    end = b"PK\x05\x06" + struct.pack("<8xIIH", len(directory), start, 0)
    return b"PK\x03\x04" * (start // 4) + directory + end


def _many_files() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for number in range(2_000):
            file.writestr(str(number), bytes(65_536))
    return out.getvalue()


def _safetensors(header: bytes) -> bytes:
    return struct.pack("<Q", len(header)) + header + bytes(1_000_000)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(_safetensors(b"{" + b"[" * 7_000_000 + b"}"), id="deep"),
        pytest.param(_safetensors(b"{" + b'"data_offsets":' * 500_000 + b"}"), id="names only"),
        pytest.param(_safetensors(b"{" + b'"data_offsets":[0,' * 400_000 + b"}"), id="halves"),
        pytest.param(_safetensors(b"{" + b'"data_offsets":[0,70000]' * 300_000 + b"}"), id="all the same"),
        pytest.param(_safetensors(b'{"data_offsets":' + b" " * 7_000_000 + b"}"), id="blanks"),
        pytest.param(_safetensors(b"{" + b'"data_offsets":[' + b"9" * 7_000_000 + b"}"), id="digits"),
        pytest.param(_many_entries(), id="overlapping entries"),
        pytest.param(_many_files(), id="many files"),
        pytest.param(b"PK\x03\x04" + b"PK\x05\x06" * 500_000, id="many ends"),
        pytest.param(b"x\x9c" + bytes(1_000_000), id="zeros as zlib"),
    ],
)
def test_what_is_made_to_be_slow_is_not(content: bytes):
    begun = time.process_time()
    Claims(content, 0).plan()
    assert time.process_time() - begun < 1
