"""Commands that only show leave nothing behind, in the worktree, in `.git` or on the remote."""

from __future__ import annotations

import os
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from tests.support.clone import Clone

if TYPE_CHECKING:
    from pathlib import Path


def digest(*folders: Path) -> dict[str, str]:
    """Kind and content of everything below FOLDERS."""
    found = {}
    for top in folders:
        for folder, names, files in os.walk(top):
            for name in names:
                found[os.path.join(folder, name)] = "folder"
            for name in files:
                with open(os.path.join(folder, name), "rb") as file:
                    found[os.path.join(folder, name)] = sha256(file.read()).hexdigest()
    return found


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """Versions that a remote has, one that no remote has, one that nothing reaches, in more packs than are merged."""
    clone = Clone.new(tmp_path / "project")
    clone.git("init", "-q", "--bare", str(tmp_path / "hub"))
    clone.git("remote", "add", "origin", str(tmp_path / "hub"))
    clone.mvc("remote", "add", "origin", str(tmp_path / "far"))
    clone.git("commit", "-qm", "remote")
    clone.commit_model(1)
    clone.commit_model(2)
    clone.git("push", "-q", "origin", "main")
    for seed in range(3, 22):
        clone.write("model.bin", b"%d" % seed)
        clone.mvc("add", "model.bin")
    clone.git("commit", "-qm", "last")
    clone.mvc("status")
    return clone


@pytest.mark.parametrize(
    "words", [[], ["--grace", "0"], ["--evict", "--grace", "0"], ["--remote", "--grace", "0"]], ids=" ".join
)
def test_gc_without_apply_leaves_nothing_behind(clone: Clone, tmp_path: Path, words: list[str]) -> None:
    before = digest(tmp_path)
    clone.mvc("gc", *words)
    assert digest(tmp_path) == before


def test_gc_of_a_clone_that_was_never_set_up_leaves_nothing_behind(clone: Clone, tmp_path: Path) -> None:
    clone.git("clone", "-q", str(clone.path), str(tmp_path / "second"))
    before = digest(tmp_path)
    Clone(tmp_path / "second").mvc("gc")
    assert digest(tmp_path) == before
