from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import zipfile
import zlib

import numpy as np
import pytest
import zstandard
from blake3 import blake3

from modelvc.chunking import sniff
from modelvc.chunking.fastcdc import COARSE, FINE, TENSORS, WHOLE, Cutter
from modelvc.chunking.sniff import CutPlan, forced_cuts

KIB = 1 << 10
NOISE = blake3(b"noise").digest(length=4 << 20)
MODELS = os.path.join(os.path.dirname(__file__), "..", "..", "fixtures", "models")


def plan(data: bytes) -> CutPlan:
    return sniff.plan(data[: 64 * KIB], lambda offset, length: data[offset : offset + length], len(data))


def model(path: str) -> bytes:
    with open(os.path.join(MODELS, path), "rb") as file:
        return file.read()


def save(tensors: dict[str, np.ndarray], metadata: dict[str, str] | None = None) -> bytes:
    """A safetensors file, as the library writes one: tests/fixtures/models has what it did write."""
    header: dict[str, object] = {"__metadata__": metadata} if metadata else {}
    at = 0
    for name, value in tensors.items():
        header[name] = {"dtype": "U8", "shape": [len(value)], "data_offsets": [at, at + len(value)]}
        at += len(value)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(value.tobytes() for value in tensors.values())


def array(kib: int, seed: int = 0) -> np.ndarray:
    return np.frombuffer(NOISE[seed : seed + kib * KIB], np.uint8)


def cids(data: bytes) -> dict[bytes, int]:
    found = plan(data)
    ends = Cutter(found.chunker, found.hints).ends(memoryview(data), 0, last=True)
    return {blake3(data[a:b]).digest(): b - a for a, b in zip([0, *ends], ends, strict=False)}


def new(before: bytes, after: bytes) -> int:
    """Bytes of AFTER in chunks that BEFORE does not have."""
    known = cids(before)
    return sum(length for cid, length in cids(after).items() if cid not in known)


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("forest/v2.pkl", CutPlan(FINE, (), None)),
        ("forest-joblib/v2.joblib", CutPlan(FINE, (), None)),
        ("forest-joblib-compress3/v1.joblib", CutPlan(WHOLE, (), compressible=False)),
        ("lightgbm/v1.txt", CutPlan(WHOLE, (), None)),
        ("xgboost/v1.ubj", CutPlan(WHOLE, (), None)),
        ("onnx/v1.onnx", CutPlan(COARSE, (), None)),
        ("numpy/v1.npz", CutPlan(TENSORS, (74,), None)),
        ("numpy/v2.npz", CutPlan(COARSE, (), compressible=False)),
        ("numpy/v3.npy", CutPlan(TENSORS, (128,), None)),
        ("safetensors/v1.safetensors", CutPlan(TENSORS, (6992,), None)),
        ("safetensors/v2.safetensors", CutPlan(TENSORS, (8160,), None)),
        ("torch/v1.pt", CutPlan(TENSORS, (1024,), None)),
        ("torch/v2.pt", CutPlan(TENSORS, (1024,), None)),
    ],
)
def test_what_libraries_write(path: str, wanted: CutPlan):
    assert plan(model(path)) == wanted


@pytest.mark.parametrize("path", ["lightgbm/v1.txt", "xgboost/v1.ubj", "xgboost-json/v1.json", "forest/v1.pkl"])
def test_trees_are_cut_fine_once_they_are_large(path: str):
    """The first bytes decide, so that a model that grows keeps its chunker."""
    assert plan(model(path) * 40).chunker == FINE


def test_a_tensor_that_moved_is_shared():
    before, after = model("safetensors/v1.safetensors"), model("safetensors/v2.safetensors")
    assert new(before, after) < 0.15 * len(after)


@pytest.mark.parametrize("size", [0, 1, 4 * KIB, 64 * KIB])
def test_a_small_file_is_one_piece(size: int):
    assert plan(NOISE[:size]) == CutPlan(WHOLE, (), None)


def test_the_unknown_is_cut_coarsely():
    assert plan(NOISE) == CutPlan(COARSE, (), None)
    assert plan(bytes(100 * KIB)) == CutPlan(COARSE, (), None)


@pytest.mark.parametrize(
    "content", ["a text\n" * 20_000, "größer, straße\r\n" * 20_000, json.dumps(list(range(40_000)))]
)
def test_text_is_cut_finely(content: str):
    assert plan(content.encode()) == CutPlan(FINE, (), None)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_pickles_are_cut_finely(protocol: int):
    assert plan(pickle.dumps([NOISE[:200_000], 5], protocol)) == CutPlan(FINE, (), None)


PLAIN = bytes(range(256)) * 1_000 + NOISE[:200_000]


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(PLAIN),
        bz2.compress(PLAIN),
        lzma.compress(PLAIN),
        lzma.compress(PLAIN, lzma.FORMAT_ALONE),
        zstandard.compress(PLAIN),
        *(zlib.compress(PLAIN, level) for level in (1, 3, 6, 9)),
        b"\x89PNG\r\n\x1a\n" + NOISE,
        b"\xff\xd8\xff\xe0" + NOISE,
    ],
)
def test_what_was_compressed_before(data: bytes):
    assert plan(data) == CutPlan(COARSE, (), compressible=False)


@pytest.mark.parametrize(
    "data", [b"x^y is not x*y\n" * 9_000, zlib.compress(PLAIN, 0), b"\x78\x9c" + PLAIN, b"BZh9" + NOISE]
)
def test_what_only_looks_compressed(data: bytes):
    assert plan(data).compressible is None


def test_safetensors_is_cut_around_its_large_tensors():
    tensors = {"a": array(200), "b": array(1, 5), "c": array(2, 6), "d": array(64, 7), "e": array(63, 8)}
    data = save(tensors)
    start = 8 + int.from_bytes(data[:8], "little")
    # a; then b and c in one chunk; then d with e behind it
    assert plan(data) == CutPlan(TENSORS, (start, start + 200 * KIB, start + 203 * KIB, start + 267 * KIB), None)


def test_safetensors_with_new_metadata_share_all_tensors():
    tensors = {f"t{i}": array(300, i) for i in range(5)}
    before, after = save(tensors), save(tensors, {"note": 'looks like "data_offsets":[1,2] here', "epoch": "3"})
    assert new(before, after) == 8 + int.from_bytes(after[:8], "little")


def test_a_note_does_not_pass_for_a_tensor():
    data = save({"a": array(100)}, {"note": '"data_offsets":[7,99999]'})
    assert plan(data).hints == (8 + int.from_bytes(data[:8], "little"),)


def test_safetensors_of_small_tensors_only():
    assert plan(save({f"{i:03}": array(4, i) for i in range(100)})) == CutPlan(COARSE, (), None)


def test_a_header_that_is_too_large_is_not_read():
    reads: list[int] = []

    def read_at(offset: int, length: int) -> bytes:
        reads.append(offset)
        return bytes(length)

    head = (90 << 20).to_bytes(8, "little") + b'{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,999999]}'
    assert sniff.plan(head, read_at, 1 << 40) == CutPlan(COARSE, (), None)
    assert not reads


@pytest.mark.parametrize("wide", [False, True])
def test_stored_entries_of_a_zip(monkeypatch: pytest.MonkeyPatch, *, wide: bool):
    if wide:  # what a zip above 4 GiB looks like
        monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 10)
        monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("model/data.pkl", NOISE[:500])
        file.writestr("model/data/0", NOISE[: 130 * KIB])
        file.writestr("model/data/1", NOISE[: 70 * KIB])
        file.writestr("model/data/2", NOISE[: 90 * KIB], zipfile.ZIP_DEFLATED)
    data = out.getvalue()
    first, second = data.index(NOISE[: 130 * KIB]), data.rindex(NOISE[: 70 * KIB])
    cuts = (first, first + 130 * KIB, second, second + 70 * KIB)
    assert plan(data) == CutPlan(TENSORS, cuts, None)
    assert (b"PK\x06\x06" in data) is wide


def test_a_zip_under_another_name_shares_its_tensors():
    files = []
    for name in ("epoch-9", "epoch-10-best"):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as file:
            for number in range(5):
                file.writestr(f"{name}/data/{number}", NOISE[number : 300 * KIB])
        files.append(out.getvalue())
    assert new(*files) < 2_000


def test_a_zip_with_a_comment_and_a_false_end():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("a", NOISE[: 100 * KIB])
        file.comment = b"z" * 60_000
    assert plan(out.getvalue()).hints == (31, 31 + 100 * KIB)
    assert plan(out.getvalue() + b"PK\x05\x06").hints == ()


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_npy(version: tuple[int, int]):
    out = io.BytesIO()
    np.lib.format.write_array(out, array(500), version=version)
    assert plan(out.getvalue()) == CutPlan(TENSORS, (len(out.getvalue()) - 500 * KIB,), None)


def test_too_many_tensors_lose_the_smallest_first():
    size = 100 << 30
    small = [(i * 64 * KIB, (i + 1) * 64 * KIB) for i in range(100_000)]
    large = [((100_000 + i * 10) * 64 * KIB, (100_010 + i * 10) * 64 * KIB) for i in range(100)]
    hints = forced_cuts(small + large, size)
    assert hints == (*(start for start, _ in large), large[-1][1])


def test_tensors_that_overlap_or_lie_outside():
    far = [(-5, 100_000), (500_000, 2_000_000), (100, 100), (300_000, 200_000)]
    assert forced_cuts([*far, (70_000, 140_000), (70_001, 240_000), (139_999, 400_000)], 1_000_000) == (70_000, 140_000)


def test_ends_are_given_up_before_starts():
    apart = [(start, start + 70 * KIB) for start in range(1, 100 * 71 * KIB, 71 * KIB)]
    assert forced_cuts(apart, 100 * 71 * KIB) == tuple(start for start, _ in apart)
