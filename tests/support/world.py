"""A clone and its remote, made once and copied. Commands run in forked processes, on a disk that may die.

A fork costs a few milliseconds, where a new Python costs a third of a second.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import random
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from blake3 import blake3

from tests.support.clone import Clone
from tests.support.disk import Died, forked, on_dying_disk

FOLDER = [f"folder/{n}.bin" for n in range(3)]


def old(name: str) -> bytes:
    return b"old " * 5_000 + random.Random(name).randbytes(2_000)


def new(name: str) -> bytes:
    return b"new " * 5_000 + random.Random(name + "!").randbytes(2_000)


@cache
def _built() -> Callable[[], object]:
    """Load the commands, with every module that any of them needs, so that forks have them.

    Return a function that returns the commands.
    """
    import typer.main

    import modelvc
    from modelvc.cli.app import build

    for module in pkgutil.walk_packages(modelvc.__path__, "modelvc."):
        if not module.name.startswith(("modelvc.__main__", "modelvc.drivers.script")):
            importlib.import_module(module.name)
    built = typer.main.get_command(build())
    return lambda *_: built


def mvc(*words: str) -> Callable[[], int]:
    """A function that runs one command line, for a forked process."""
    import typer.main

    from modelvc.cli.app import run

    built = _built()

    def command() -> int:
        typer.main.get_command = built  # type: ignore[assignment]
        return run(words)

    return command


def hook(folder: Path, *words: str) -> Callable[[], int]:
    """A function that runs a hook at the top of a worktree, for a forked process."""
    from modelvc.drivers.dispatch import run

    _built()

    def command() -> int:
        os.chdir(folder)
        return run(list(words))

    return command


@dataclass(slots=True)
class World:
    """A clone and its remote as they are before a command, and copies of them to break."""

    top: Path

    @property
    def clone(self) -> Clone:
        return Clone(self.top / "work/clone")

    def keep(self) -> None:
        """Make the present state the one that `reset` restores."""
        shutil.rmtree(self.top / "kept", ignore_errors=True)
        shutil.copytree(self.top / "work", self.top / "kept", symlinks=True)

    def reset(self, source: str = "kept") -> None:
        shutil.rmtree(self.top / "work", ignore_errors=True)
        shutil.copytree(self.top / source, self.top / "work", symlinks=True)

    def run(self, *words: str, kind: str = "", fatal: int = 0) -> Died:
        """Run mvc in a process whose disk dies, and check that it raises no exception of others."""
        died = on_dying_disk((self.top / "work",), kind, fatal, self._command(words))
        assert died.code != 70, f"{words} {kind} {fatal}: {died.said}"
        return died

    def works(self, *words: str) -> Died:
        died = forked(self._command(words))
        assert died.code == 0, f"{words} -> {died.code}\n{died.said}"
        return died

    def killed(self, seconds: float, *words: str) -> bool:
        """Run mvc and kill it after SECONDS, with all its children. Return whether it was still at work."""
        return forked(self._command(words), seconds).code < 0

    def time(self, *words: str) -> float:
        start = time.perf_counter()
        self.works(*words)
        return time.perf_counter() - start

    def _command(self, words: tuple[str, ...]) -> Callable[[], int]:
        if words[0] == "hook":
            return hook(self.clone.path, *words[1:])
        return mvc("--repo", str(self.clone.path), *words)

    def read(self, name: str) -> bytes | None:
        path = self.clone.path / name
        return path.read_bytes() if path.is_file() else None


@cache
def _prepared(folder: str) -> World:
    found = World(Path(folder))
    clone = Clone.new(found.clone.path)
    clone.mvc("remote", "add", "origin", str(found.top / "work/far"))
    clone.git("commit", "-qm", "remote")
    for make, message in ((old, "old"), (new, "new")):
        clone.write("model.bin", make("model.bin"))
        for name in FOLDER:
            clone.write(name, make(name))
        clone.mvc("add", "model.bin", "-m", f"acc={len(message)}")
        clone.mvc("add", "folder")
        clone.git("commit", "-qm", message)
        clone.git("tag", message)
        if message == "old":
            clone.mvc("push")
    shutil.copytree(found.top / "work", found.top / "first", symlinks=True)
    return found


def two_versions(folder: Path) -> World:
    """Two committed versions of a model and of a folder; the remote has the older one, the worktree the newer one.

    The clone is made once below FOLDER and stays there, because it holds the absolute path of the remote.
    """
    found = _prepared(str(folder))
    found.reset("first")
    found.clone.git("status", "--short")  # other inodes: Git looks at everything once
    return found


def complete(world: World, *, remote: bool = False) -> None:
    """Check that both versions can be checked out, byte for byte."""
    world.works("fsck", *(["--remote"] if remote else []))
    from modelvc.repo import open_repo
    from modelvc.store.check.local_store import check_object

    repo = open_repo(str(world.clone.path), os.environ)
    for kind, oid in repo.store.roots():
        assert check_object(repo.store, (kind, oid), every_byte=True) is None
    names = {oid.hex() for _, oid in repo.store.roots()}
    for make in (old, new):
        assert blake3(make("model.bin")).hexdigest() in names


def tidy(world: World) -> None:
    """Check that the dead command left nothing behind that a person has to remove."""
    git = world.clone.path / ".git"
    assert not [name for name in os.listdir(git) if "lock" in name or name.startswith("mvc-index")]


def one_of(world: World, name: str, *contents: bytes | None) -> None:
    found = world.read(name)
    assert found in contents, f"{name} is torn: {found[:40] if found else found!r}..., {len(found or b'')} bytes"
