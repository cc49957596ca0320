"""Whole-file writes and locks: what a failed write leaves, who waits for a lock, and for how long."""

from __future__ import annotations

import os
import stat
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from modelvc import atomic
from modelvc.atomic import FileLock, RealDisk, try_lock, unlock, write_atomically, write_durably
from modelvc.drivers.notebooks import merge as notebook_merge
from modelvc.drivers.pointers import merge as pointer_merge
from modelvc.errors import FileError, LockHeld, RemoteBusy
from modelvc.formats.binary.root import Root
from modelvc.formats.text.config import CloneConfig, Remote
from modelvc.formats.text.proofs import Proof
from modelvc.formats.text.server_support import ServerSupport
from modelvc.git import index
from modelvc.git.setup import drivers, hooks
from modelvc.ids import Oid
from modelvc.models import config_files
from modelvc.models.files import output_file, seen_by_git
from modelvc.models.remotes import proofs, seen_cache
from modelvc.notebook.kept_outputs import KeptOutputs
from modelvc.notebook.strip import Stripped
from modelvc.repo import open_repo
from modelvc.store.backends.folder import FolderBackend
from modelvc.store.local.store import LocalStore
from modelvc.store.remote.seen_root import SeenRoot
from modelvc.store.remote.servers import Servers
from tests.support.clone import Clone
from tests.support.notebook_clone import ran

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelvc.repo import Repo

OIDS = (Oid(bytes(32)), Oid(bytes([1]) * 32))
SUMS = ("1" * 64, "2" * 64)


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    clone = Clone.new(tmp_path / "clone")
    clone.write("model.bin", 1)
    clone.mvc("add", "model.bin")
    clone.git("commit", "-qm", "one")
    return open_repo(str(clone.path), {})


# -- every writer, once with the value 0 and then with the value 1


def _state(repo: Repo, value: int) -> None:
    repo.state.remember_file("x", repo.state.files["model.bin"][0], OIDS[value], settled=True)
    repo.state.save()


def _seen(repo: Repo, value: int) -> None:
    Path(repo.layout.worktree, "model.bin.mvc").write_text(str(value))
    index.write_seen(repo.layout)


def _journal(repo: Repo, value: int) -> None:
    with index._index_lock(repo.layout):
        assert not value, "the second one fails"


def _root(repo: Repo, value: int) -> None:
    root = Root("file", OIDS[0], 0, 0, bytes(16), unproven=True)
    path = repo.store.root_path("file", OIDS[0])
    if not value:
        repo.store.prepare()
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Path(path).write_bytes(root.encode())
    else:
        repo.store.mark_proven(root)


def _store_config(repo: Repo, value: int) -> None:
    path = Path(repo.store.root, "config")
    if not value:
        path.write_bytes(path.read_bytes()[:20])
    else:
        LocalStore(repo.store.root).restore_config()


def _server(repo: Repo, value: int) -> None:
    Servers(os.path.join(repo.layout.mvc_dir, "servers")).keep(
        ServerSupport("a" * 32, "s", bool(value), checksums=False)
    )


def _kept(repo: Repo, value: int) -> None:
    taken = Stripped()
    taken.notebook["x"] = value
    KeptOutputs(os.path.join(repo.layout.mvc_dir, "outputs"), 1 << 20).keep("n.ipynb", taken)


def _output(repo: Repo, value: int) -> None:
    output_file.write_file(os.path.join(repo.layout.worktree, "page.html"), b"%d" % value, "plot", force=False)


def _notebook(repo: Repo, value: int) -> None:
    sides = [Path(repo.layout.worktree, name) for name in ("base", "ours", "theirs")]
    if not value:
        for side, text in zip(sides, ("a", "a", "b"), strict=True):
            side.write_bytes(ran(text))
    else:
        notebook_merge.merge([*map(str, sides), "7", "n.ipynb"])


def _pointer(repo: Repo, value: int) -> None:
    folder = repo.layout.worktree
    if not value:
        for name in ("base", "ours", "theirs"):
            Path(folder, name).write_bytes(Path(folder, "model.bin.mvc").read_bytes())
    else:
        pointer_merge.merge_pointer(folder, {}, ["base", "ours", "theirs", "7", "model.bin.mvc"])


WRITERS: dict[str, Callable[[Repo, int], object]] = {
    "state": _state,
    "seen by hooks": _seen,
    "index journal": _journal,
    "root": _root,
    "store config": _store_config,
    "clone config": lambda repo, value: config_files.save_clone_config(
        repo, CloneConfig().with_pin("origin", Remote(f"/{value}"))
    ),
    "server": _server,
    "seen on a remote": lambda repo, value: seen_cache.save(repo, "origin", {("file", OIDS[value]): SeenRoot(1, ())}),
    "proof": lambda repo, value: proofs._save(repo, "origin", Proof("a" * 32, value, SUMS[0])),
    "in git": lambda repo, value: seen_by_git._save(repo, {"model.bin": SUMS[value]}),
    "hook": lambda repo, value: hooks.install(repo.layout, f"/python{value}"),
    "driver": lambda repo, value: drivers._write(os.path.join(repo.layout.mvc_dir, "driver.sh"), b"%d" % value),
    "kept outputs": _kept,
    "output file": _output,
    "notebook merge": _notebook,
    "pointer merge": _pointer,
}


def _files(repo: Repo) -> dict[str, bytes]:
    """Every file of the clone but those of Git, empty notes and its lock, by its path."""
    found = {}
    for folder, _, names in os.walk(repo.layout.worktree):
        if "/.git" not in folder or "/.git/mvc" in folder or folder.endswith("/hooks"):
            for name in names:
                path = os.path.join(folder, name)
                found[os.path.relpath(path, repo.layout.worktree)] = Path(path).read_bytes()
    return found


@pytest.mark.parametrize("name", WRITERS)
def test_a_write_that_fails_changes_nothing(repo: Repo, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the bytes, then a full disk."""
    write, failed = WRITERS[name], 0
    write(repo, 0)
    if name == "seen by hooks":
        Path(repo.layout.worktree, "model.bin.mvc").write_text("1")
    before = _files(repo)

    def fail(fd: int, data: bytes) -> None:
        nonlocal failed
        failed += 1
        os.write(fd, bytes(data)[: len(data) // 2])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(atomic, "write_all", fail)
        with suppress(OSError, FileError):  # some are a cache that a command can do without
            write(repo, 1)
    assert failed == 1
    assert _files(repo) == before
    write(repo, 1) if name != "index journal" else write(repo, 0)
    if name not in {"index journal", "pointer merge"}:
        assert _files(repo) != before


@pytest.mark.parametrize("step", ["open", "write", "fsync", "fchmod", "replace", "close"])
@pytest.mark.parametrize("durable", [True, False])
def test_a_write_that_fails_at_any_call(
    tmp_path: Path,
    step: str,
    durable: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def write() -> None:
        if durable:
            write_durably(RealDisk(), str(path), b"new", tmp=str(tmp_path))
        else:
            write_atomically(str(path), b"new", mode=0o640, sync=True)

    real, calls = getattr(os, step), []

    def fail(*args: object, **kwargs: object) -> object:
        calls.append(args)
        if step == "close":
            real(*args)  # the descriptor is free, whatever close(2) says
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, step, fail)
        if durable and step == "fchmod":
            write()
            assert not calls
            return
        with pytest.raises(OSError, match="Input/output error"):
            write()
    assert {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()} == {"file": b"old"}
    write()
    assert path.read_bytes() == b"new"


def test_an_interrupt_leaves_no_temporary_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(atomic, "write_all", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(str(tmp_path / "cache"), b"new")
    with pytest.raises(KeyboardInterrupt):
        write_durably(RealDisk(), str(tmp_path / "file"), b"new", tmp=str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_the_mode_of_a_replaced_file(tmp_path: Path) -> None:
    """By default the group of a setgid folder may write it; a file at a person's path has the umask alone."""
    path = tmp_path / "file"

    def mode(given: int | None) -> int:
        write_atomically(str(path), b"x", mode=given)
        return stat.S_IMODE(path.stat().st_mode)

    mask = os.umask(0o027)
    try:
        assert [mode(given) for given in (None, 0, 0o755, 0o604)] == [0o640, 0o640, 0o755, 0o604]
        tmp_path.chmod(0o2770)
        assert [mode(given) for given in (None, 0, 0o755, 0o604)] == [0o660, 0o640, 0o755, 0o604]
        write_durably(RealDisk(), str(path), b"x", tmp=str(tmp_path))
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
    finally:
        os.umask(mask)


def test_files_that_killed_processes_left_are_deleted_by_the_next_change(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    folder = Path(repo.layout.mvc_dir)
    before = set(folder.iterdir())

    def killed(process: int, age: float) -> Path:
        known = set(folder.iterdir())
        with monkeypatch.context() as broken:
            broken.setattr(os, "getpid", lambda: process)
            for call in ("replace", "unlink"):
                broken.setattr(os, call, fail)
            with pytest.raises(OSError, match="Input/output error"):
                write_atomically(str(folder / "file"), b"new")
        (left,) = set(folder.iterdir()) - known
        os.utime(left, (time.time() - age, time.time() - age))
        return left

    dead = 4_194_305  # above every process id of Linux
    old, young, of_a_living_process = killed(dead, 90), killed(dead, 30), killed(os.getpid(), 90)
    with repo.updating():
        pass
    assert set(folder.iterdir()) - before == {young, of_a_living_process}
    assert not old.exists()


def test_threads_take_names_of_their_own(tmp_path: Path) -> None:
    path = str(tmp_path / "file")
    contents = [bytes([n]) * 100_000 for n in range(8)]
    threads = [threading.Thread(target=write_atomically, args=(path, data)) for data in contents for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Path(path).read_bytes() in contents
    assert os.listdir(tmp_path) == ["file"]


# -- locks


def _clone_lock(repo: Repo) -> tuple[str, Callable[[], object]]:
    return os.path.join(repo.layout.state_dir, "lock"), lambda: repo.updating().__enter__()


def _writers_lock(repo: Repo) -> tuple[str, Callable[[], object]]:
    return os.path.join(repo.store.root, "lock"), repo.store.shared().__enter__


def _gc_lock(repo: Repo) -> tuple[str, Callable[[], object]]:
    return os.path.join(repo.store.root, "lock"), repo.store.exclusive().__enter__


def _remote_lock(repo: Repo) -> tuple[str, Callable[[], object]]:
    folder = os.path.join(os.path.dirname(repo.layout.worktree), "far")
    backend = FolderBackend(folder)
    backend.put("config", b"x")
    return os.path.join(folder, ".lock"), lambda: backend.put("config", b"y")


@pytest.mark.parametrize(
    ("lock", "words"),
    [
        (_clone_lock, "waited 0.1 s to change this worktree, and another mvc still changes it"),
        (_writers_lock, "waited 0.1 s to write to the local store, and another mvc still has it alone"),
        (_gc_lock, "waited 0.1 s to have the local store alone, and another mvc still uses it"),
        (_remote_lock, "waited 0.1 s to write to FAR, and another process still holds .lock there"),
    ],
)
def test_a_held_lock_is_waited_for_and_then_named(
    repo: Repo, lock: Callable[[Repo], tuple[str, Callable[[], object]]], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for constant in ("repo._LOCK_WAIT", "store.local.store._LOCK_WAIT", "store.backends.folder._PATIENCE"):
        monkeypatch.setattr(f"modelvc.{constant}", 0.1)
    path, take = lock(repo)
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    assert try_lock(fd)
    started = time.monotonic()
    with pytest.raises((LockHeld, RemoteBusy)) as caught:
        take()
    assert 0.1 <= time.monotonic() - started < 5
    assert str(caught.value) == words.replace("FAR", os.path.dirname(path))
    threading.Timer(0.05, unlock, [fd]).start()
    take()
    os.close(fd)


def test_readers_share_a_lock_and_a_writer_waits(tmp_path: Path) -> None:
    path, busy = str(tmp_path / "lock"), LockHeld("held", hint="wait")
    with FileLock(path, 0, busy, shared=True):
        with FileLock(path, 0, busy, shared=True):
            pass
        with pytest.raises(LockHeld, match="held"), FileLock(path, 0, busy):
            pass
    with FileLock(path, 0, busy):
        fd = os.open(path, os.O_RDWR)
        assert not try_lock(fd)
        assert not try_lock(fd, shared=True)
    assert try_lock(fd)
    os.close(fd)
