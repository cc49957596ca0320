"""A blob written to a file: by the kernel where it copies, by hand where it does not, and proven either way."""

from __future__ import annotations

import errno
import os
import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from blake3 import blake3

from modelvc.errors import ObjectCorrupt
from modelvc.store.local import content as contents
from modelvc.store.local import packfile
from modelvc.store.local.content import ContentReader
from modelvc.store.local.store import LocalStore
from tests.support.stores import add_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from modelvc.ids import Oid

MIB = 1 << 20
NOISE = random.Random(1).randbytes(11 * MIB + 5)
TEXT = b"".join(b"%d,%d\n" % (i, i * i) for i in range(300_000))
COPY = os.copy_file_range


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(str(tmp_path / "store"))


def written(store: LocalStore, oid: Oid, path: Path) -> tuple[bytes, list[int]]:
    """What the file holds, and the sizes that were told."""
    told: list[int] = []
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    try:
        with ContentReader(store) as reader:
            reader.write_blob_to(store.read_root("file", oid), fd, told.append, "the blob")
    finally:
        os.close(fd)
    return path.read_bytes(), told


def refused(*_: int) -> int:
    raise OSError(errno.EXDEV, "another file system")


def halting(source: int, target: int, count: int, *rest: int) -> int:
    return COPY(source, target, min(count, 70_001), *rest)


@pytest.mark.parametrize("copy", [COPY, refused, halting])
@pytest.mark.parametrize("data", [b"", b"x", NOISE, TEXT, NOISE[: 3 * MIB] + TEXT + NOISE[3 * MIB :]])
def test_every_byte_is_written_and_told(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copy: object, data: bytes
) -> None:
    monkeypatch.setattr(os, "copy_file_range", copy)
    oid = add_bytes(store, tmp_path, data).oid
    found, told = written(store, oid, tmp_path / "out")
    assert found == data
    assert sum(told) == len(data)


def test_a_kernel_that_fails_half_way_loses_nothing(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def some(source: int, target: int, count: int, *rest: int) -> int:
        calls.append(count)
        if len(calls) > 2:
            raise OSError(errno.EIO, "no more")
        return COPY(source, target, min(count, 100_000), *rest)

    monkeypatch.setattr(os, "copy_file_range", some)
    assert written(store, add_bytes(store, tmp_path, NOISE).oid, tmp_path / "out")[0] == NOISE
    assert len(calls) == 3


def test_the_kernel_copies_long_raw_runs(store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents.ContentReader, "_pieces_of", None)
    assert written(store, add_bytes(store, tmp_path, NOISE).oid, tmp_path / "out")[0] == NOISE


@pytest.mark.parametrize("copy", [COPY, refused])
def test_a_corrupt_chunk_is_named(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copy: object
) -> None:
    monkeypatch.setattr(os, "copy_file_range", copy)
    oid = add_bytes(store, tmp_path, NOISE).oid
    ((name, _),) = store.packs()
    path = packfile.path_of(store.root, name)
    os.chmod(path, 0o600)
    with open(path, "r+b") as file:
        file.seek(5 * MIB)
        byte = file.read(1)
        file.seek(5 * MIB)
        file.write(bytes([byte[0] ^ 1]))
    with pytest.raises(ObjectCorrupt, match="chunk"):
        written(LocalStore(store.root), oid, tmp_path / "out")


@pytest.mark.parametrize("claims", [64, -64])
@pytest.mark.parametrize("copy", [COPY, refused])
def test_an_index_that_lies_about_a_raw_chunk_hands_nothing_out(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copy: object, claims: int
) -> None:
    """The index has no sum of its own: one flipped bit must not add bytes that nobody hashed."""
    monkeypatch.setattr(os, "copy_file_range", copy)
    made = add_bytes(store, tmp_path, NOISE)
    last = bytes(made.recipe.cids[-32:])
    locate = LocalStore.locate

    def lying(self: LocalStore, cid: bytes) -> object:
        found = locate(self, cid)
        return (
            found
            if bytes(cid) != last
            else found._replace(chunk=found.chunk._replace(stored=found.chunk.stored + claims))
        )

    monkeypatch.setattr(LocalStore, "locate", lying)
    with pytest.raises(ObjectCorrupt):
        written(store, made.oid, tmp_path / "out")


def test_a_manifest_that_is_shorter_than_the_root_hands_nothing_out(store: LocalStore, tmp_path: Path) -> None:
    """The file may have bytes reserved behind what is written."""
    made = add_bytes(store, tmp_path, NOISE)
    root = store.read_root("file", made.oid)
    fd = os.open(tmp_path / "out", os.O_RDWR | os.O_CREAT)
    try:
        with ContentReader(store) as reader, pytest.raises(ObjectCorrupt):
            reader.write_blob_to(replace(root, size=root.size + 1), fd, lambda _: None, "the blob")
    finally:
        os.close(fd)


def test_a_kernel_that_copies_nothing_is_not_a_damaged_store(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    oid = add_bytes(store, tmp_path, NOISE).oid
    for number, copy in enumerate((lambda *_: 0, lambda _source, _target, count, *_: count)):
        monkeypatch.setattr(os, "copy_file_range", copy)
        assert written(store, oid, tmp_path / f"out{number}")[0] == NOISE


def test_a_platform_without_calls_of_linux(store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("copy_file_range", "posix_fadvise", "posix_fallocate"):
        monkeypatch.delattr(os, name)
    assert written(store, add_bytes(store, tmp_path, NOISE).oid, tmp_path / "out")[0] == NOISE


def test_what_reached_the_file_is_hashed(store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not what the pack holds: where a kernel copied wrongly, mvc writes the file again by itself."""

    def wrong(source: int, target: int, count: int, start: int, at: int) -> int:
        done = COPY(source, target, count, start, at)
        os.pwrite(target, b"\0" * 64, at)
        return done

    monkeypatch.setattr(os, "copy_file_range", wrong)
    oid = add_bytes(store, tmp_path, NOISE).oid
    assert oid == blake3(NOISE).digest()
    found, told = written(store, oid, tmp_path / "out")
    assert found == NOISE
    assert sum(told) == len(NOISE)
