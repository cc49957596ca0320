"""The order of writes: bytes before names, names before whatever names them. tests/faults cuts the power."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from modelvc.atomic import RealDisk
from modelvc.formats.paths import SafeRelPath
from modelvc.git import index
from modelvc.git.layout import Layout
from modelvc.store.local import compact
from modelvc.store.local.store import LocalStore
from modelvc.worktree import descriptors, swap
from modelvc.worktree.files import Worktree
from tests.support.stores import add_bytes

Log = list[tuple[str, ...]]


class Noted(RealDisk):
    """Writes down what it does."""

    def __init__(self) -> None:
        self.log: Log = []

    def write(self, fd: int, data: bytes | bytearray | memoryview) -> None:
        self.log.append(("write", os.readlink(f"/proc/self/fd/{fd}")))
        super().write(fd, data)

    def fsync(self, fd: int) -> None:
        self.log.append(("fsync", os.readlink(f"/proc/self/fd/{fd}")))

    def rename(self, old: str, new: str) -> None:
        self.log.append(("rename", old, new))
        super().rename(old, new)

    def unlink(self, path: str) -> None:
        self.log.append(("unlink", path))
        super().unlink(path)

    def fsync_dir(self, path: str) -> None:
        self.log.append(("fsync_dir", path))


def hold(log: Log) -> None:
    """Each name was given to synced bytes, and is on the disk before the next one is given."""
    for at, (what, *paths) in enumerate(log):
        if what == "rename":
            old, new = paths
            before = [step for step in log[:at] if step[1] == old]
            assert before[-1][0] == "fsync", (old, before)
            assert log[at + 1] == ("fsync_dir", os.path.dirname(new)), log[at:]


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_an_add_and_what_a_gc_removes(tmp_path: Path) -> None:
    disk = Noted()
    store = LocalStore(str(tmp_path / "deep/store"), disk)
    content = add_bytes(store, tmp_path, os.urandom(3 << 20))
    hold(disk.log)
    named = [step[2].removeprefix(store.root) for step in disk.log if step[0] == "rename"]
    assert [name.split("/")[1] for name in named] == ["config", "packs", "b"]  # what is named is there before
    made = [path for path in Path(store.root).rglob("*") if path.is_dir()]
    for folder in (Path(store.root), *made):
        assert ("fsync_dir", str(folder.parent)) in disk.log, folder
    disk.log.clear()
    compact.remove_roots(store, [("file", content.oid)])
    path = store.root_path("file", content.oid)
    assert disk.log == [("unlink", path), ("fsync_dir", os.path.dirname(path))]


def test_a_write_that_is_cut_short_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, bytes(data)[: max(1, len(data) // 2)]))
    with open(tmp_path / "x", "wb", buffering=0) as file:
        RealDisk().write(file.fileno(), b"0123456789")
    assert (tmp_path / "x").read_bytes() == b"0123456789"


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    """What the process does to files, below the layer that tests/faults replaces."""
    found: Log = []

    def note(name: str, module: object = os) -> None:
        real = getattr(module, name)

        def noted(*args: object, **kwargs: object) -> object:
            folder = name == "fsync" and os.path.isdir(f"/proc/self/fd/{args[0]}")
            found.append(("fsync_dir" if folder else name,))
            return real(*args, **kwargs)

        monkeypatch.setattr(module, name, noted)

    for name in ("fsync", "rename", "replace", "link"):
        note(name)
    note("_rename2", swap)
    monkeypatch.setattr(descriptors, "sync_file_system", lambda _: found.append(("sync",)))
    return found


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_a_worktree_and_the_lock_of_an_index(tmp_path: Path, log: Log) -> None:
    tree = Worktree(str(tmp_path), str(tmp_path / "tmp"))
    tree.write_bytes(SafeRelPath("a/b"), b"x")
    assert [name for (name,) in log] == ["fsync", "rename", "fsync_dir"]
    log.clear()
    with tree.new_folder(SafeRelPath("new")) as folder:
        folder.write("c/d", b"x", executable=False)
    assert [name for (name,) in log] == ["sync", "_rename2"]
    log.clear()
    (tmp_path / ".git/mvc").mkdir(parents=True)
    with index._index_lock(Layout(str(tmp_path), str(tmp_path / ".git"), str(tmp_path / ".git"))):
        names = [name for (name,) in log]
        assert names == ["fsync", "fsync", "replace", "fsync_dir", "link"]  # the note is there before the lock is
