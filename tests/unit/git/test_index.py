from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from modelvc.errors import GitError, NoRepository
from modelvc.git import index
from modelvc.git.layout import discover
from tests.support.clone import Clone


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    found = Clone.new(tmp_path / "clone", mvc=False)
    found.write("a.mvc", b"a")
    found.write("b c.mvc", b"b")
    found.write("code.py", b"1")
    found.git("add", "-A")
    found.git("commit", "-qm", "first")
    return found


def test_staging_takes_in_and_out(clone: Clone) -> None:
    layout = discover(str(clone.path), {})
    clone.write("n\u00fc.mvc", b"new")
    clone.write("a.mvc", b"changed")
    (clone.path / "b c.mvc").unlink()
    index.stage(layout, add=["n\u00fc.mvc", "a.mvc", "b c.mvc"], remove=["code.py"])
    assert sorted(clone.git("diff", "--cached", "--name-status", "-z").split("\0")) == sorted(
        ["M", "a.mvc", "D", "b c.mvc", "D", "code.py", "A", "n\u00fc.mvc", ""]
    )
    assert (clone.path / "code.py").exists()
    assert not (clone.path / ".git/index.lock").exists()
    assert [name for name in os.listdir(clone.path / ".git") if name.startswith("mvc-index")] == []


def test_a_lock_of_somebody_else_is_waited_for_and_left_alone(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = discover(str(clone.path), {})
    lock = clone.path / ".git/index.lock"
    lock.write_bytes(b"theirs")
    monkeypatch.setattr(index, "_PATIENCE", 0.2)
    start = time.monotonic()
    with pytest.raises(GitError, match=r"index\.lock"):
        index.stage(layout, add=["a.mvc"])
    assert time.monotonic() - start >= 0.2
    assert lock.read_bytes() == b"theirs"


def test_our_own_dead_lock_is_removed(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = discover(str(clone.path), {})

    def die(*_: object, **__: object) -> bytes:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(index, "git", die)
        patch.setattr(index.os, "unlink", lambda _: None)  # the process is gone: nothing is cleaned up
        with pytest.raises(SystemExit):
            index.stage(layout, add=["a.mvc"])
    assert (clone.path / ".git/index.lock").exists()
    clone.write("a.mvc", b"changed")
    index.stage(layout, add=["a.mvc"])
    assert clone.git("diff", "--cached", "--name-only") == "a.mvc\n"


def test_pointers_and_blobs(clone: Clone) -> None:
    layout = discover(str(clone.path), {})
    clone.write(".mvc/config.mvc", b"not a pointer")
    clone.git("add", "-f", ".mvc/config.mvc")
    found = index.pointers(layout)
    assert [(entry.path, entry.stage) for entry in found] == [("a.mvc", 0), ("b c.mvc", 0)]
    blobs = index.read_blobs(layout, [entry.blob for entry in found] + ["0" * 40])
    assert sorted(blobs.values()) == [b"a", b"b"]
    assert index.head_blobs(layout, ["a.mvc", "b c.mvc", "none.mvc"]) == {"a.mvc": b"a", "b c.mvc": b"b"}


def test_the_rule_that_ignores_is_named(clone: Clone) -> None:
    clone.write(".gitignore", b"# models\n\nmodels/*\n!models/*.mvc\n*.tmp\n")
    layout = discover(str(clone.path), {})
    assert index.ignore_rule(layout, "models/x.bin.mvc") is None
    found = index.ignore_rule(layout, "x.tmp")
    assert found is not None
    assert (os.path.basename(found.file), found.line, found.pattern) == (".gitignore", 5, "*.tmp")


def test_layouts(clone: Clone, tmp_path: Path) -> None:
    (clone.path / "deep/er").mkdir(parents=True)
    assert discover(str(clone.path / "deep/er"), {}).worktree == str(clone.path)
    clone.git("worktree", "add", "-q", str(tmp_path / "linked"))
    linked = discover(str(tmp_path / "linked"), {})
    assert linked.worktree == str(tmp_path / "linked")
    assert linked.common_dir == str(clone.path / ".git")
    assert linked.git_dir == str(clone.path / ".git/worktrees/linked")
    given = discover("/", {"GIT_DIR": str(clone.path / ".git"), "GIT_WORK_TREE": str(clone.path)})
    assert given.worktree == str(clone.path)
    with pytest.raises(NoRepository, match="not in its worktree"):
        discover(str(clone.path / ".git"), {})
    with pytest.raises(NoRepository, match="not in a Git repository"):
        discover(str(tmp_path), {"GIT_CEILING_DIRECTORIES": str(tmp_path.parent)})
    os.symlink(clone.path, tmp_path / "link")
    assert discover(str(tmp_path / "link/deep"), {}).worktree == str(clone.path)
