"""Models follow Git, whatever Git does."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.clone import Clone

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """Three versions of one model on main."""
    found = Clone.new(tmp_path / "clone")
    for seed in (1, 2, 3):
        found.commit_model(seed)
    return found


def test_what_git_itself_tracks_is_not_taken_away(clone: Clone) -> None:
    """A file, and a folder, that Git held before they were models: its old commits hold them still."""
    clone.write("old.bin", 5)
    clone.write("folder/a", b"a")
    clone.write("folder/b", b"b")
    clone.git("add", "old.bin", "folder")
    clone.git("commit", "-qm", "in Git")
    clone.mvc("add", "old.bin")
    clone.git("rm", "-rq", "--cached", "folder")
    clone.mvc("add", "folder")
    clone.git("reset", "-q", "--hard")  # second thoughts
    assert clone.git("status", "--short") == ""
    clone.mvc("add", "old.bin")
    clone.git("rm", "-rq", "--cached", "folder")
    clone.mvc("add", "folder")
    clone.git("commit", "-qm", "models")
    for _ in range(2):
        clone.git("checkout", "-q", "HEAD~1")
        assert clone.git("status", "--short") == ""
        assert clone.read("folder/b") == b"b"
        clone.git("checkout", "-q", "main")
        assert clone.git("status", "--short") == ""
        assert clone.agrees()


def test_checkout_switch_and_reset(clone: Clone) -> None:
    versions = {seed: Clone.write(clone, "scratch", seed) for seed in (1, 2, 3)}
    (clone.path / "scratch").unlink()
    clone.git("checkout", "-q", "HEAD~1")
    assert clone.read("model.bin") == versions[2]
    clone.git("switch", "-q", "main")
    assert clone.read("model.bin") == versions[3]
    clone.git("reset", "-q", "--hard", "HEAD~2")
    assert clone.read("model.bin") == versions[1]
    clone.git("reset", "-q", "--hard", "ORIG_HEAD")
    assert clone.read("model.bin") == versions[3]
    clone.git("checkout", "-q", "HEAD~2", "--", "model.bin.mvc")
    assert clone.read("model.bin") == versions[1]
    clone.git("restore", "--staged", "--worktree", "model.bin.mvc")
    assert clone.read("model.bin") == versions[3]
    assert clone.git("status", "--short") == ""


def test_revert_cherry_pick_and_stash(clone: Clone) -> None:
    clone.git("revert", "--no-edit", "HEAD")
    assert clone.agrees()
    clone.git("cherry-pick", "HEAD~1")
    assert clone.agrees()
    clone.write("model.bin", 9)
    clone.mvc("add", "model.bin")
    clone.git("stash", "-q")
    assert clone.agrees()
    clone.git("stash", "pop", "-q")
    assert clone.agrees()
    assert clone.read("model.bin") == Clone.write(clone, "model.bin", 9)


def test_a_stash_of_what_a_stash_brought_back(clone: Clone) -> None:
    """`stash pop` leaves the pointer unstaged: the index is then the same before and after the next stash."""
    before = clone.read("model.bin")
    mine = clone.write("model.bin", 9)
    clone.mvc("add", "model.bin")
    for _ in range(2):
        clone.git("stash", "-q")
        assert clone.read("model.bin") == before
        assert "all clean" in clone.mvc("status").out
        clone.git("stash", "pop", "-q")
        assert clone.read("model.bin") == mine
    clone.git("checkout", "-q", "--", "model.bin.mvc")
    assert clone.read("model.bin") == before


OFF = ("-c", "core.hooksPath=/dev/null")


def test_what_mvc_checkout_brought_leaves_with_git_checkout(clone: Clone) -> None:
    """Git moved without hooks: the last pointers that these saw are those of a commit without a model."""
    clone.git("checkout", "-q", "HEAD~3")
    clone.git(*OFF, "checkout", "-q", "main")
    clone.mvc("checkout")
    assert clone.agrees()
    clone.git("checkout", "-q", "HEAD~3")
    assert not (clone.path / "model.bin").exists()
    assert clone.git("status", "--short") == ""


def test_models_that_a_command_left_alone_follow_the_next_hook(clone: Clone) -> None:
    """`mvc add` of one model says nothing of another that Git moved without hooks."""
    clone.commit_model(20, "other.bin")
    clone.git(*OFF, "checkout", "-q", "HEAD~2", "--", "model.bin.mvc")
    assert not clone.agrees()
    clone.write("other.bin", 21)
    clone.mvc("add", "other.bin")
    clone.git("checkout", "-q", "-b", "new")
    assert clone.agrees()
    assert clone.agrees("other.bin")


def test_an_add_in_the_middle_of_a_rebase(clone: Clone) -> None:
    """Models stand still between the steps; what is added there is no word about the others."""
    clone.git("checkout", "-q", "-b", "side", "HEAD~2")
    clone.commit_model(30, "other.bin")
    clone.write("code.py", b"side")
    clone.git("add", "code.py")
    clone.git("commit", "-qm", "side")
    clone.write("more.py", b"side")
    clone.git("add", "more.py")
    clone.git("commit", "-qm", "a step that is left to do")
    clone.git("checkout", "-q", "main")
    clone.write("code.py", b"main")
    clone.git("add", "code.py")
    clone.git("commit", "-qm", "main")
    clone.git("checkout", "-q", "side")
    clone.run("git", "rebase", "main", code=1)
    clone.write("code.py", b"both")
    clone.git("add", "code.py")
    clone.write("other.bin", 31)
    clone.mvc("add", "other.bin")
    clone.git("-c", "core.editor=true", "rebase", "--continue")
    assert clone.agrees()
    assert clone.agrees("other.bin")


def test_a_command_that_was_killed_is_no_word_about_models(clone: Clone) -> None:
    """After the index was staged and before the end: later pointers as they were before must still be followed."""
    last = clone.read("model.bin")
    killed = clone.run(
        sys.executable,
        "-c",
        "import os, sys; from modelvc.git import index; from modelvc.cli.app import run\n"
        "index.write_seen = lambda layout: os._exit(9)\n"
        "run(['checkout', 'HEAD~1', 'model.bin'])",
        code=9,
    )
    assert killed.code == 9
    assert clone.read("model.bin") != last
    clone.git("checkout", "-q", "HEAD", "--", "model.bin.mvc")
    assert clone.read("model.bin") == last


def test_bisect(clone: Clone) -> None:
    clone.git("bisect", "start", "HEAD", "HEAD~3")
    assert clone.agrees()
    clone.git("bisect", "reset", "-q") if False else clone.git("bisect", "reset")
    assert clone.agrees()


def test_rebase_follows_once_at_its_end(clone: Clone) -> None:
    clone.git("checkout", "-q", "-b", "side", "HEAD~2")
    for name in ("a", "b"):
        clone.write(name, name.encode())
        clone.git("add", name)
        clone.git("commit", "-qm", name)
    assert clone.agrees()
    done = clone.run("git", "rebase", "main")
    assert (done.out + done.err).count("model.bin updated") == 1
    assert clone.agrees()


def test_rebase_that_only_goes_forward(clone: Clone) -> None:
    clone.git("checkout", "-q", "-b", "behind", "HEAD~2")
    assert clone.agrees()
    clone.git("rebase", "-q", "main")
    assert clone.agrees()


def test_rebase_that_is_given_up(clone: Clone) -> None:
    clone.git("checkout", "-q", "-b", "side", "HEAD~2")
    clone.commit_model(7)
    clone.run("git", "rebase", "main", code=1)
    clone.git("rebase", "--abort")
    assert clone.agrees()


def test_mailed_patches(clone: Clone) -> None:
    patch = clone.git("format-patch", "-1", "--stdout", "HEAD")
    clone.git("checkout", "-q", "-b", "mailed", "HEAD~1")
    clone.run("git", "am", stdin=patch)
    assert clone.agrees()


def test_merge(clone: Clone) -> None:
    clone.git("checkout", "-q", "-b", "side", "HEAD~1")
    clone.write("a", b"a")
    clone.git("add", "a")
    clone.git("commit", "-qm", "a")
    clone.git("merge", "-q", "--no-edit", "main")
    assert clone.agrees()


def test_leaving_the_models_branch_takes_a_stored_model_away(clone: Clone) -> None:
    clone.git("checkout", "-q", "HEAD~3")
    assert not (clone.path / "model.bin").exists()
    assert clone.git("status", "--short") == ""
    clone.git("checkout", "-q", "main")
    assert clone.agrees()


def test_a_model_with_unsaved_changes_is_kept_and_named(clone: Clone) -> None:
    unsaved = clone.write("model.bin", 99)
    for target in ("HEAD~1", "HEAD~2"):
        done = clone.run("git", "checkout", target)
        assert "model.bin not updated" in done.err
        assert clone.read("model.bin") == unsaved


def test_linked_worktrees_have_models_of_their_own(clone: Clone, tmp_path: Path) -> None:
    clone.git("worktree", "add", "-q", str(tmp_path / "linked"), "HEAD~1")
    linked = Clone(tmp_path / "linked")
    assert linked.agrees()
    assert linked.read("model.bin") != clone.read("model.bin")
    linked.git("checkout", "-q", "--detach", "HEAD~1")
    assert linked.agrees()
    assert clone.agrees()
    assert linked.mvc("status").out == clone.mvc("status").out


def test_folders_follow(clone: Clone) -> None:
    for name in ("a", "sub/b", "sub/deep/c"):
        clone.write(f"models/{name}", name.encode())
    clone.mvc("add", "models")
    clone.git("commit", "-qm", "folder")
    clone.write("models/new", b"new")
    (clone.path / "models/sub/deep/c").unlink()
    clone.write("models/a", b"changed")
    clone.mvc("add", "models")
    clone.git("commit", "-qm", "folder 2")

    def files() -> dict[str, bytes]:
        top = clone.path / "models"
        return {str(p.relative_to(top)): p.read_bytes() for p in top.rglob("*") if p.is_file()}

    clone.git("checkout", "-q", "HEAD~1")
    assert files() == {"a": b"a", "sub/b": b"sub/b", "sub/deep/c": b"sub/deep/c"}
    clone.git("checkout", "-q", "main")
    assert files() == {"a": b"changed", "sub/b": b"sub/b", "new": b"new"}
    clone.write("models/mine", b"not saved")
    done = clone.run("git", "checkout", "-q", "HEAD~1")
    assert "mine" in done.err
    assert files() == {"a": b"a", "sub/b": b"sub/b", "sub/deep/c": b"sub/deep/c", "mine": b"not saved"}


def test_no_python_starts_when_no_pointer_changed(clone: Clone) -> None:
    witness = clone.path / ".git/started"
    (clone.path / ".git/mvc/python").write_text(str(clone.path / ".git/spy") + "\n")
    spy = clone.path / ".git/spy"
    spy.write_text(f"#!/bin/sh\necho started >> {witness}\nexit 0\n")
    spy.chmod(0o755)
    clone.write("code.py", b"print()")
    clone.git("add", "code.py")
    clone.git("commit", "-qm", "code")
    clone.git("checkout", "-q", "-b", "other")
    clone.git("stash", "list")
    clone.git("checkout", "-q", "main")
    clone.git("reset", "-q", "--hard", "HEAD")
    clone.git("status")
    clone.git("init", "-q", "--bare", str(clone.path / ".git/far.git"))
    assert not witness.exists(), witness.read_text()
    clone.git("checkout", "-q", "HEAD~2")
    assert witness.exists()  # the spy itself works


def test_sub_folders_and_git_dir(clone: Clone, tmp_path: Path) -> None:
    (clone.path / "sub").mkdir()
    clone.git("checkout", "-q", "HEAD~1", cwd=clone.path / "sub")
    assert clone.agrees()
    elsewhere = {"GIT_DIR": str(clone.path / ".git"), "GIT_WORK_TREE": str(clone.path)}
    Clone(clone.path, elsewhere).git("checkout", "-q", "main", cwd=tmp_path)
    assert clone.agrees()
    assert "clean" in Clone(clone.path, elsewhere).mvc("status", cwd=tmp_path).out


def test_submodules(clone: Clone, tmp_path: Path) -> None:
    outer = Clone.new(tmp_path / "outer", mvc=False)
    outer.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(clone.path), "inner")
    inner = Clone(outer.path / "inner")
    inner.mvc("install")
    inner.git("config", "user.name", "x")
    content = inner.commit_model(42)
    inner.git("checkout", "-q", "HEAD~1")
    inner.git("checkout", "-q", "-")
    assert inner.read("model.bin") == content


def test_a_sparse_checkout_has_only_its_own_models(clone: Clone) -> None:
    for folder in ("left", "right"):
        clone.write(f"{folder}/m.bin", folder.encode())
        clone.mvc("add", f"{folder}/m.bin")
    clone.git("commit", "-qm", "two folders")
    clone.git("sparse-checkout", "set", "left")
    assert not (clone.path / "right/m.bin").exists()
    assert "right" not in clone.mvc("status").out
    clone.git("sparse-checkout", "add", "right")
    assert clone.read("right/m.bin") == b"right"
    clone.git("sparse-checkout", "set", "right")
    assert not (clone.path / "left/m.bin").exists()
    clone.git("sparse-checkout", "disable")
    assert clone.read("left/m.bin") == b"left"
    assert "all clean" in clone.mvc("status").out


@pytest.mark.parametrize(
    "name", ["a b.bin", "ü.bin", "it's.bin", '"q".bin', "$(touch pwned).bin", "-rf.bin", "a#b;c&.bin"]
)
def test_odd_names(clone: Clone, name: str) -> None:
    first = clone.write(name, 11)
    clone.mvc("add", "--", name)
    clone.git("commit", "-qm", "odd")
    clone.write(name, 12)
    clone.mvc("add", "--", name)
    clone.git("commit", "-qm", "odd again")
    clone.git("checkout", "-q", "HEAD~1")
    assert clone.read(name) == first
    assert not (clone.path / "pwned").exists()
    assert clone.git("status", "--short") == ""


def test_a_repository_can_not_bring_a_module(clone: Clone) -> None:
    for module in ("json", "modelvc", "os", "xxhash", "backports"):
        clone.write(f"{module}.py", b"open('pwned', 'w')\nraise SystemExit(3)\n")
    for path in ("", "."):
        Clone(clone.path, {"PYTHONPATH": path}).run("git", "checkout", "-q", "HEAD~1")
        Clone(clone.path, {"PYTHONPATH": path}).run("git", "checkout", "-q", "main")
    assert not (clone.path / "pwned").exists()


def test_without_mvc_git_still_works(clone: Clone, tmp_path: Path) -> None:
    """A clone whose interpreter is gone, and no other has modelvc."""
    (clone.path / ".git/mvc/python").write_text("/nonexistent/python\n")
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("git", "sh", "awk", "cat", "find", "head", "tr", "sed"):
        for folder in os.environ["PATH"].split(":"):
            if os.access(f"{folder}/{tool}", os.X_OK):
                (tools / tool).symlink_to(f"{folder}/{tool}")
                break
    plain = Clone(clone.path, {"PATH": str(tools)})
    plain.git("checkout", "-q", "HEAD~1")
    plain.git("checkout", "-q", "main")
    clone.write("code.py", b"1")
    plain.git("add", "code.py")
    plain.git("commit", "-qm", "code")
    far = tmp_path / "far.git"
    plain.git("init", "-q", "--bare", str(far))
    done = plain.run("git", "push", str(far), "main")
    assert done.err.count("mvc: not installed here") == 1
