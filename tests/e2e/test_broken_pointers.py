"""Pointers that cannot be read, or that name a version that never existed: each hint names a command that helps."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import pytest

from tests.support.clone import Clone

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAME = "sub/a model.bin"


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """Two versions of a model, whose name needs quotes."""
    clone = Clone.new(tmp_path / "clone")
    clone.commit_model(1, NAME)
    clone.commit_model(2, NAME)
    return clone


def _break(clone: Clone) -> None:
    clone.write(f"{NAME}.mvc", b"garbage\n")


def _stage(clone: Clone) -> None:
    _break(clone)
    clone.git("add", f"{NAME}.mvc")


def _commit(clone: Clone) -> None:
    _stage(clone)
    clone.git("commit", "-qnm", "broken")


def _stage_and_repair(clone: Clone) -> None:
    good = clone.read(f"{NAME}.mvc")
    _stage(clone)
    clone.write(f"{NAME}.mvc", good)


def _never_good(clone: Clone) -> None:
    clone.git("checkout", "-q", "--orphan", "other")
    _commit(clone)


BREAKS: dict[str, tuple[Callable[[Clone], None], str]] = {
    "unstaged": (_break, "git restore"),
    "staged": (_stage, "git restore --staged --worktree"),
    "committed": (_commit, "git restore --source="),
    "never good": (_never_good, "mvc rm --keep"),
}


@pytest.mark.parametrize("how", list(BREAKS))
def test_the_hint_repairs_it(clone: Clone, how: str) -> None:
    act, start = BREAKS[how]
    act(clone)
    folder = clone.path / "sub"
    found = re.search(r"^  repair its pointer: (.*)$", clone.mvc("status", cwd=folder).err, re.MULTILINE)
    assert found
    assert found[1].startswith(start)
    for words in (("checkout",), ("add", "a model.bin"), ("show", "a model.bin")):
        assert f"hint: run `{found[1]}`\n" in clone.mvc(*words, cwd=folder, code=12).err
    for program, *words in map(shlex.split, found[1].split(" && ")):
        clone.mvc(*words, cwd=folder) if program == "mvc" else clone.run(program, *words, cwd=folder)
    assert [row["state"] for row in clone.json("status")["models"]] == ["clean"]
    assert clone.agrees(NAME)
    clone.git("commit", "-qam", "repaired", code=1 if how in {"unstaged", "staged"} else 0)
    clone.mvc("fsck", "HEAD")


def test_a_pointer_that_is_good_again_is_staged(clone: Clone) -> None:
    _stage_and_repair(clone)
    said = clone.run("git", "commit", "-qm", "broken", code=1).err
    assert f"(run `git add '{NAME}.mvc'`)" in said
    clone.git("add", f"{NAME}.mvc")
    assert "all good" in clone.mvc("fsck").out


def test_fsck_names_the_command(clone: Clone) -> None:
    _stage(clone)
    for words in (("fsck",), ("fsck", "--repair")):  # which changes no pointer
        done = clone.mvc(*words, code=12)
        assert done.out.startswith(
            f"broken pointer: {NAME}.mvc (worktree) is not a valid pointer: it is not valid TOML"
        )
        assert "needed by" not in done.out
        assert done.err == f"next: git restore --staged --worktree '{NAME}.mvc'\n"
    (problem,) = clone.json("fsck", code=12)["problems"]
    assert problem["fix"] == f"git restore --staged --worktree '{NAME}.mvc'"
    clone.run("git", "restore", "--staged", "--worktree", f"{NAME}.mvc")
    clone.mvc("fsck")


def test_a_broken_pointer_of_published_history_stops_no_push(clone: Clone, tmp_path: Path) -> None:
    clone.mvc("remote", "add", "origin", str(tmp_path / "far"))
    clone.git("init", "-q", "--bare", str(tmp_path / "far.git"))
    clone.git("remote", "add", "origin", str(tmp_path / "far.git"))
    pointer = clone.path / f"{NAME}.mvc"
    good = pointer.read_bytes()
    for content, subject in ((b"torn", "torn"), (good, "good again")):
        pointer.write_bytes(content)
        clone.git("commit", "-qnam", subject)
    said = clone.mvc("push", code=12).err
    assert "cannot be pushed" in said
    assert "if only history has it: `mvc push HEAD`\n" in said
    said = clone.run("git", "push", "-q", "origin", "HEAD:main", code=1).err
    assert "`mvc push HEAD`, then `git push --no-verify` once\n" in said
    clone.mvc("push", "HEAD")
    clone.git("push", "-q", "--no-verify", "origin", "HEAD:main")
    assert "1 published pointer cannot be read (see `mvc fsck`)" in clone.mvc("push").err
    assert clone.json("push")["broken"] == 1
    pointer.write_bytes(b"torn")
    clone.mvc("push", code=12)  # a pointer of the worktree can be repaired


def test_a_pointer_of_a_later_release_is_not_restored(clone: Clone) -> None:
    pointer = clone.path / f"{NAME}.mvc"
    pointer.write_text(pointer.read_text().replace("format = 1", "format = 9"))
    assert clone.mvc("show", NAME, code=12).err.endswith("hint: upgrade mvc\n")
    assert "restore" not in clone.mvc("fsck", code=12).err


@pytest.mark.parametrize("committed", [False, True], ids=["unstaged", "committed"])
def test_a_digest_that_never_existed(clone: Clone, tmp_path: Path, *, committed: bool) -> None:
    clone.mvc("remote", "add", "origin", str(tmp_path / "far"))
    clone.mvc("push")
    pointer = clone.path / f"{NAME}.mvc"
    pointer.write_text(re.sub(r'(?m)^oid = "blake3:....', 'oid = "blake3:0000', pointer.read_text()))
    if committed:
        clone.git("add", f"{NAME}.mvc")
        clone.git("commit", "-qnm", "wrong")
    head = clone.git("rev-parse", "HEAD~1" if committed else "HEAD")[:10]
    options = f" --source={head} --staged --worktree" if committed else ""
    command = f"git restore{options} '{NAME}.mvc'"
    said = clone.mvc("fsck", code=10).err
    assert f"if no clone has it (its digest may be wrong), take the version before it: {command}\n" in said
    (clone.path / NAME).unlink()
    for words in (("checkout",), ("pull",)):
        assert f"if no clone has it, take the version before it: `{command}`\n" in clone.mvc(*words, code=10).err
    clone.run(*shlex.split(command))
    clone.mvc("checkout")
    assert clone.agrees(NAME)
    assert "all good" in clone.mvc("fsck", "HEAD~1" if committed else "HEAD").out
