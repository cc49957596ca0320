"""Somebody edits a model while a command that replaces it runs: the edit stays and is named, the rest is done."""

from __future__ import annotations

import fcntl
import mmap
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from modelvc.errors import FileInUse
from modelvc.formats.paths import SafeRelPath
from modelvc.formats.pointer.pointer import Pointer
from modelvc.models.files import materialise
from modelvc.ops.notebooks import outputs
from modelvc.ops.tracking.add import add
from modelvc.ops.tracking.status import status
from modelvc.repo import Repo, open_repo
from modelvc.worktree import gitignore, lease
from modelvc.worktree.state import GRAIN
from tests.support.clone import Clone
from tests.support.disk import Died, forked
from tests.support.world import World, new, old, two_versions

EDIT = b"two hours of work, saved nowhere else"


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return two_versions(tmp_path_factory.getbasetemp() / "two-versions")


def meanwhile(world: World, change: Callable[[], object], *words: str) -> Died:
    """Run WORDS, with CHANGE between its look at all models and its first change."""

    def command() -> int:
        real = materialise.apply

        def apply(*args: object, **kwargs: object) -> object:
            change()
            return real(*args, **kwargs)  # type: ignore[arg-type]

        materialise.apply = apply  # type: ignore[assignment]
        return world._command(words)()

    return forked(command)


def write(world: World, name: str) -> Callable[[], object]:
    return lambda: world.clone.write(name, EDIT)


@pytest.mark.parametrize(
    "words",
    [("checkout", "old"), ("rollback", "model.bin", "--to", "old"), ("rm", "model.bin"), ("hook", "post-index-change")],
)
def test_a_model_that_is_edited_meanwhile_stays(world: World, words: tuple[str, ...]) -> None:
    if words[0] == "hook":
        world.clone.git("-c", "core.hooksPath=/dev/null", "checkout", "-q", "old")
        words = (*words, "1", "0")
    pointer = world.read("model.bin.mvc")
    died = meanwhile(world, write(world, "model.bin"), *words)
    assert died.code == (0 if words[0] == "hook" else 11), died
    assert "model.bin" in died.said
    assert "was changed while this command ran" in died.said
    assert world.read("model.bin") == EDIT
    assert world.read("model.bin.mvc") == pointer
    if words[0] in {"checkout", "hook"}:  # the others are done
        assert world.read("folder/1.bin") == old("folder/1.bin")
    assert "model.bin" in world.clone.mvc("status", "--exit-code", code=1).out
    world.works("add", "model.bin")
    assert "clean" in world.works("status", "--exit-code").said


def test_a_file_of_a_folder_that_is_edited_meanwhile_stays(world: World) -> None:
    def change() -> None:
        world.clone.write("folder/1.bin", EDIT)
        world.clone.write("folder/mine.bin", EDIT)

    died = meanwhile(world, change, "checkout", "old")
    assert (died.code, "folder/1.bin was changed" in died.said) == (11, True), died
    assert [world.read(f"folder/{name}.bin") for name in (0, 1, 2, "mine")] == [
        old("folder/0.bin"),
        EDIT,
        old("folder/2.bin"),
        EDIT,
    ]
    assert world.read("model.bin") == old("model.bin")
    (row,) = [row for row in world.clone.json("status")["models"] if row["path"] == "folder"]
    assert row["state"] == "modified"


def test_a_model_that_comes_to_be_there_meanwhile_stays(world: World) -> None:
    (world.clone.path / "model.bin").unlink()
    world.clone.run("rm", "-r", "folder")

    def change() -> None:
        world.clone.write("model.bin", EDIT)
        world.clone.write("folder/mine.bin", EDIT)

    died = meanwhile(world, change, "checkout")
    assert (died.code, "by another program" in died.said) == (11, True), died
    assert "so do model.bin" in died.said
    assert [world.read(name) for name in ("model.bin", "folder/mine.bin")] == [EDIT, EDIT]


def test_a_folder_becomes_a_file_and_back_unless_somebody_edits_it(world: World) -> None:
    clone = world.clone
    clone.git("switch", "-qc", "other")
    clone.mvc("rm", "folder")
    clone.write("folder", b"a file" * 100)
    clone.mvc("add", "folder")
    clone.git("commit", "-qm", "a file")
    clone.git("checkout", "-q", "main")
    assert world.read("folder/1.bin") == new("folder/1.bin")
    clone.git("checkout", "-q", "other")
    assert world.read("folder") == b"a file" * 100
    died = meanwhile(world, write(world, "folder"), "checkout", "main", "folder")
    assert (died.code, world.read("folder")) == (11, EDIT), died
    clone.mvc("checkout", "--force", "main", "folder")
    died = meanwhile(world, write(world, "folder/1.bin"), "checkout", "other", "folder")
    assert (died.code, world.read("folder/1.bin")) == (11, EDIT), died


def test_an_edit_between_a_look_and_a_change_of_mode_is_not_forgotten(world: World) -> None:
    (world.clone.path / "model.bin").chmod(0o755)
    died = meanwhile(world, write(world, "model.bin"), "checkout", "model.bin")
    assert died.code == 11, died
    assert "model.bin" in world.clone.mvc("status", "--exit-code", code=1).out


# -- shared mappings


@contextmanager
def mapped(path: Path) -> Iterator[mmap.mmap]:
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as view:
        yield view


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    found = Clone.new(tmp_path / "clone")
    for seed in (1, 2):
        found.write("m.bin", seed)
        found.write("f/a", bytes([seed]) * 5_000)
        found.write("f/large", seed)
        found.mvc("add", "m.bin", "f")
        found.git("commit", "-qm", f"version {seed}")
    return found


@pytest.mark.parametrize("name", ["m.bin", "f/a", "f/large"])
@pytest.mark.parametrize("command", ["add", "status", "keep"])
def test_an_edit_through_a_mapping_is_seen(clone: Clone, name: str, command: str) -> None:
    """It leaves no trace in stat data, when the page was dirty before and nobody wrote it back."""
    path = clone.path / name
    model = name.partition("/")[0]
    with mapped(path) as view:
        view[:5] = b"AAAAA"
        wait_a_grain(path)
        if command == "add":
            clone.mvc("add", model)
        elif command == "status":
            clone.mvc("add", model)
            clone.mvc("status")
        else:
            assert "is open in a program" in clone.mvc("checkout", "--force", model, code=11).err
        view[:5] = b"BBBBB"
        assert model in clone.mvc("status", "--exit-code", code=1).out
        clone.git("commit", "-qm", "again", "--allow-empty")
        clone.git("checkout", "-q", "HEAD~1")
        assert path.read_bytes()[:5] == b"BBBBB"
    assert path.read_bytes()[:5] == b"BBBBB"


def wait_a_grain(path: Path) -> None:
    while time.time_ns() < path.stat().st_mtime_ns + 2 * GRAIN:
        time.sleep(0.01)


def test_a_clean_status_hashes_nothing_and_takes_no_lease(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):  # the first one settles what was added within a tick of the clock
        wait_a_grain(clone.path / "f/large")
        assert status(open_repo(str(clone.path), {})).clean
    looks: list[int] = []
    real = lease.take
    monkeypatch.setattr(lease, "take", lambda fd: looks.append(fd) or real(fd))
    assert status(open_repo(str(clone.path), {})).clean
    assert looks == []
    clone.write("f/a", b"new")
    assert not status(open_repo(str(clone.path), {})).clean
    assert len(looks) == 1


# -- files that a command reads, changes and writes back


def test_an_ignore_entry_joins_what_somebody_saves_meanwhile(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    real = gitignore.with_entry
    saved: list[int] = []

    def edited(text: bytes, name: str) -> bytes:
        if not saved:
            saved.append(clone.path.joinpath(".gitignore").write_bytes(text + b"mine\n"))
        return real(text, name)

    monkeypatch.setattr(gitignore, "with_entry", edited)
    clone.write("new.bin", 3)
    add(open_repo(str(clone.path), {}), ["new.bin"])
    assert {b"mine", b"/new.bin"} <= set(clone.read(".gitignore").splitlines())


def test_a_notebook_that_somebody_saves_meanwhile_stays(clone: Clone) -> None:
    clone.write("a.ipynb", EDIT)
    with pytest.raises(FileInUse):
        outputs.write(open_repo(str(clone.path), {}), "a.ipynb", b"stripped", b"as it was read")
    assert clone.read("a.ipynb") == EDIT
    outputs.write(open_repo(str(clone.path), {}), "a.ipynb", b"stripped", EDIT)
    assert clone.read("a.ipynb") == b"stripped"


def test_a_pointer_that_is_replaced_while_status_looks_is_read_again(
    clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = clone.git("show", "HEAD~1:m.bin.mvc").encode()
    real = Repo.read_pointer

    def replaced(repo: Repo, path: SafeRelPath) -> Pointer | None:
        found = real(repo, path)
        if path == "m.bin":
            clone.write("m.bin.mvc", older)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(Repo, "read_pointer", replaced)
        assert status(open_repo(str(clone.path), {})).clean
    assert "m.bin" in clone.mvc("status", "--exit-code", code=1).out


@pytest.mark.skipif(sys.platform != "linux", reason="leases are Linux's")
def test_a_lease_of_another_program_is_named(world: World) -> None:
    world.clone.write("model.bin", EDIT)
    waiting = signal.signal(signal.SIGIO, signal.SIG_IGN)
    fd = os.open(world.clone.path / "model.bin", os.O_RDWR)
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        said = world.clone.mvc("add", "model.bin", code=11).err
    finally:
        os.close(fd)
        signal.signal(signal.SIGIO, waiting)
    assert "model.bin: another program holds a lease on it" in said
    assert "run the command again when that program releases it" in said
    world.clone.mvc("add", "model.bin")
    assert world.read("model.bin") == EDIT
