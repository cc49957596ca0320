"""kill -9 at twenty points of add, push, fetch and checkout: the next run completes, and nothing is lost."""

from __future__ import annotations

import os
import random
import shutil
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.clone import MVC, Clone

if TYPE_CHECKING:
    from pathlib import Path

POINTS = 20
MIB = 1 << 20


def points(clone: Clone, reset: object, *words: str) -> list[float]:
    """Twenty moments of the time that the command takes when nobody kills it."""
    whole = 1e9
    for _ in range(3):  # the shortest: a busy machine must not spread the points over time when nothing runs any more
        reset()  # type: ignore[operator]
        start = time.perf_counter()
        clone.mvc(*words)
        whole = min(whole, time.perf_counter() - start)
    return [whole * (place + 0.5) / POINTS for place in range(POINTS)]


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """Two versions of a model and a folder of small files, and a folder remote that has the first version."""
    found = Clone.new(tmp_path / "clone")
    found.mvc("remote", "add", "origin", str(tmp_path / "far"))
    found.git("commit", "-qm", "remote")
    found.write("model.bin", random.Random(1).randbytes(24 * MIB))
    for i in range(300):
        found.write(f"folder/{i % 7}/{i}.bin", random.Random(i).randbytes(3000))
    found.mvc("add", "model.bin", "folder")
    found.git("commit", "-qm", "one")
    found.mvc("push")
    found.write("model.bin", random.Random(2).randbytes(24 * MIB))
    found.write("folder/1/1.bin", b"changed")
    return found


def whole(clone: Clone) -> None:
    """The clone is as good as if nothing had happened."""
    clone.mvc("fsck")
    assert clone.agrees()
    assert not [name for name in os.listdir(clone.path / ".git") if "lock" in name or name.startswith("mvc-index")]
    assert os.listdir(clone.path / ".git/mvc/tmp") == []


def test_add(clone: Clone) -> None:
    spare = clone.path.parent / "spare"
    shutil.copytree(clone.path, spare, symlinks=True)

    def reset() -> None:
        shutil.rmtree(clone.path)
        shutil.copytree(spare, clone.path, symlinks=True)

    hits = 0
    for moment in points(clone, reset, "add", "model.bin", "folder"):
        reset()
        hits += clone.killed_after(moment, *MVC, "add", "model.bin", "folder")
        old = clone.git("show", "HEAD:model.bin.mvc")
        assert (clone.path / "model.bin.mvc").read_text().splitlines()[0] == old.splitlines()[0]
        clone.mvc("add", "model.bin", "folder")
        clone.git("commit", "-qm", "two")
        assert "clean" in clone.mvc("status").out
        whole(clone)
        clone.mvc("checkout", "HEAD~1")  # the version before is still complete
        assert clone.agrees()
    assert hits >= POINTS / 4  # most do; how many depends on what else the machine does


def test_push_and_fetch(clone: Clone, tmp_path: Path) -> None:
    clone.mvc("add", "model.bin", "folder")
    clone.git("commit", "-qm", "two")
    far, spare = tmp_path / "far", tmp_path / "far-spare"
    shutil.copytree(far, spare)

    def reset_far() -> None:
        shutil.rmtree(far)
        shutil.copytree(spare, far)

    hits = 0
    for moment in points(clone, reset_far, "push"):
        reset_far()
        hits += clone.killed_after(moment, *MVC, "push")
        clone.mvc("push")
    assert hits >= POINTS / 4  # most do; how many depends on what else the machine does

    other = tmp_path / "other"
    clone.git("clone", "-q", "--no-local", str(clone.path), str(other))
    reader = Clone(other)
    reader.mvc("install", "--trust")
    store = other / ".git/mvc/store"

    def reset_store() -> None:
        shutil.rmtree(store, ignore_errors=True)

    hits = 0
    for moment in points(reader, reset_store, "fetch"):
        reset_store()
        hits += reader.killed_after(moment, *MVC, "fetch")
        reader.mvc("fetch")
    assert hits >= POINTS / 4  # most do; how many depends on what else the machine does
    reader.mvc("checkout")
    assert reader.read("model.bin") == clone.read("model.bin")
    whole(reader)


def test_checkout(clone: Clone) -> None:
    clone.mvc("add", "model.bin", "folder")
    clone.git("commit", "-qm", "two")
    versions = {rev: clone.git("show", f"{rev}:model.bin.mvc") for rev in ("HEAD", "HEAD~1")}
    contents = {"HEAD": clone.read("model.bin")}
    clone.mvc("checkout", "HEAD~1")
    contents["HEAD~1"] = clone.read("model.bin")

    def reset() -> None:
        clone.mvc("checkout", "HEAD")

    hits = 0
    for moment in points(clone, reset, "checkout", "HEAD~1"):
        reset()
        hits += clone.killed_after(moment, *MVC, "checkout", "HEAD~1")
        assert clone.read("model.bin") in contents.values()  # old or new, never between
        assert (clone.path / "model.bin.mvc").read_text() in versions.values()
        clone.mvc("checkout", "HEAD~1")
        assert clone.read("model.bin") == contents["HEAD~1"]
        assert clone.read("folder/1/1.bin") != b"changed"
        assert clone.mvc("status", "--exit-code").code == 0
    assert hits >= POINTS / 4  # most do; how many depends on what else the machine does
    whole(clone)
