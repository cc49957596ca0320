"""Models that Git sees otherwise than mvc: not ignored, without a pointer, or in Git's own history as well."""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.clone import Clone
from tests.support.disk import FULL, on_dying_disk
from tests.support.world import hook

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    found = Clone.new(tmp_path / "clone")
    found.write("folder/a", b"a")
    found.mvc("add", "folder")
    found.commit_model(1)
    return found


def _states(clone: Clone) -> dict[str, str]:
    return {row["path"]: row["state"] for row in clone.json("status")["models"]}


# -- not ignored


def test_a_model_that_git_does_not_ignore_is_named(clone: Clone) -> None:
    assert _states(clone) == {"folder": "clean", "model.bin": "clean"}
    assert "all clean" in clone.mvc("status").out  # from now on by stat data alone
    ignored = clone.read(".gitignore")
    clone.write(".gitignore", b"")
    assert "unignored" in clone.mvc("status", "--exit-code", code=1).out
    assert _states(clone) == {"folder": "unignored", "model.bin": "unignored"}
    assert "mvc add folder" in clone.mvc("doctor", "--offline").err
    clone.mvc("add", "model.bin", "folder")
    assert clone.read(".gitignore") == ignored
    clone.write(".git/info/exclude", b"!model.bin\n")  # weaker than the entry beside the model
    assert "all clean" in clone.mvc("status").out


@pytest.mark.parametrize(("given", "model"), [("model.bin", "model.bin"), ("folder/a", "folder")])
def test_a_model_that_git_ignores_and_tracks_is_named(clone: Clone, given: str, model: str) -> None:
    clone.git("add", "-f", given)
    assert {path for path, state in _states(clone).items() if state == "unignored"} == {model}


@pytest.mark.parametrize("name", ["model.bin", "folder"])
def test_no_commit_takes_a_model_into_git(clone: Clone, name: str) -> None:
    clone.write(".gitignore", b"")
    clone.git("add", "-A")
    said = clone.run("git", "commit", "-qm", "all", code=1).err
    assert f"mvc: {name} is a model" in said
    cure = said.partition(f"git rm -rq --cached {name}")[2].splitlines()[0]
    for model in ("model.bin", "folder"):
        clone.git("rm", "-rq", "--cached", model)
    clone.mvc(*cure.removeprefix(" && mvc ").split())
    clone.mvc("add", "model.bin", "folder")
    clone.git("commit", "--allow-empty", "-qm", "all")
    assert "model.bin\n" not in clone.git("ls-files")


@pytest.mark.parametrize("name", ["a b.bin", "ü.bin", '"q".bin', "sub/deep/m.bin"])
def test_a_model_of_an_odd_name_stays_out_too(clone: Clone, name: str) -> None:
    clone.write(name, 3)
    clone.mvc("add", "--", name)
    clone.git("commit", "-qm", "odd")
    clone.git("add", "-f", "--", name)
    assert "is a model" in clone.run("git", "commit", "-qm", "forced", code=1).err
    clone.git("rm", "-q", "--cached", "--", name)
    clone.write("code.mvc.py", b"x")
    clone.write("model.bin.mvcx", b"x")
    clone.git("add", "code.mvc.py", "model.bin.mvcx")
    clone.git("commit", "-qm", "names that only look alike")


def test_a_pointer_beside_a_file_that_git_holds_already(clone: Clone) -> None:
    """A merge where one side made a model of a file and the other went on with it."""
    clone.write("late.bin", b"in Git")
    clone.git("add", "late.bin")
    clone.git("commit", "-qm", "in Git")
    clone.write("late.bin.mvc", clone.read("model.bin.mvc"))
    clone.git("add", "late.bin.mvc")
    assert "late.bin is a model" in clone.run("git", "commit", "-qm", "both", code=1).err
    clone.mvc("add", "late.bin")
    clone.git("commit", "-qm", "a model")
    assert "late.bin\n" not in clone.git("ls-files")


# -- without a pointer


def test_git_rm_of_a_pointer(clone: Clone) -> None:
    clone.git("rm", "-q", "model.bin.mvc")
    assert _states(clone)["model.bin"] == "leftover"
    said = clone.run("git", "commit", "-qm", "gone").err
    assert "model.bin: Git removed its pointer" in said
    clone.git("checkout", "-q", "-b", "new")
    assert not (clone.path / "model.bin").exists()
    assert _states(clone) == {"folder": "clean"}


def test_git_mv_of_a_pointer(clone: Clone) -> None:
    content = clone.read("model.bin")
    clone.git("mv", "model.bin.mvc", "other.bin.mvc")
    assert "other.bin.mvc" in clone.mvc("status").out
    assert _states(clone) == {"folder": "clean", "model.bin": "leftover", "other.bin": "missing"}
    said = clone.run("git", "commit", "-qm", "renamed").err
    assert "model.bin: Git renamed its pointer to other.bin.mvc" in said
    said = clone.run("git", "checkout", "-q", "-b", "new").err
    assert "Git does not ignore other.bin" in said
    assert clone.read("other.bin") == content
    assert not (clone.path / "model.bin").exists()
    clone.mvc("add", "other.bin")
    assert _states(clone) == {"folder": "clean", "other.bin": "clean"}


# -- in Git's own history


@pytest.fixture
def adopted(tmp_path: Path) -> Clone:
    """A file, and one in a folder, that Git held before they became models."""
    found = Clone.new(tmp_path / "clone")
    found.write("old.bin", b"in Git")
    found.write("models/m.bin", b"in Git")
    found.git("add", "old.bin", "models")
    found.git("commit", "-qm", "in Git")
    return found


def test_add_and_status_warn_of_what_git_would_overwrite(adopted: Clone) -> None:
    held = adopted.git("rev-parse", "HEAD").strip()
    adopted.write("new.bin", 1)
    said = adopted.mvc("add", "old.bin", "models/m.bin", "new.bin").err
    assert said.count(f"git checkout {held[:10]}") == 2
    adopted.git("commit", "-qm", "models")
    for name in ("old.bin", "models/m.bin", "new.bin"):
        adopted.write(name, b"unsaved")
    rows = {row["path"]: row["detail"] for row in adopted.json("status")["models"]}
    assert held[:10] in rows["old.bin"]
    assert held[:10] in rows["models/m.bin"]
    assert not rows["new.bin"]
    for torn in ("[1]", '{"old.b', "[" * 100_000):  # whatever stands there: it is a cache
        (adopted.path / ".git/mvc/in-git").write_text(torn)
        assert held[:10] in adopted.mvc("status", "old.bin").out
    assert "overwrites" not in adopted.mvc("add", "-u").err


def test_history_is_asked_once_for_a_path(adopted: Clone) -> None:
    adopted.mvc("add", "old.bin")
    adopted.git("commit", "-qm", "a model")
    (adopted.path / ".git/objects").rename(adopted.path / ".git/hidden")
    (adopted.path / ".git/objects").mkdir()
    adopted.write("old.bin", b"unsaved")
    assert "overwrites" in adopted.mvc("status").out
    (adopted.path / ".git/objects").rmdir()
    (adopted.path / ".git/hidden").rename(adopted.path / ".git/objects")


@pytest.mark.parametrize("other", ["branch", "merge", "above", "below"])
def test_other_shapes_of_history(tmp_path: Path, other: str) -> None:
    """Held on another branch alone, by a merge that added it itself, as a folder, or as a file above."""
    clone = Clone.new(tmp_path / "clone")
    clone.git("checkout", "-q", "-b", "side")
    clone.write({"above": "data", "below": "data/m.bin/x"}.get(other, "data/m.bin"), b"in Git")
    if other == "merge":
        clone.git("checkout", "-q", "main")
        clone.git("checkout", "-q", "-b", "third")
        clone.git("commit", "-q", "--allow-empty", "-m", "third")
        clone.git("checkout", "-q", "side")
        clone.git("commit", "-q", "--allow-empty", "-m", "side")
        clone.git("merge", "-q", "--no-commit", "third")
    clone.git("add", "data")
    clone.git("commit", "-qm", "in Git")
    clone.git("checkout", "-q", "main")
    clone.write("data/m.bin", 1)
    assert "overwrites what was not added" in clone.mvc("add", "data/m.bin").err


def test_what_git_overwrote_is_said(adopted: Clone) -> None:
    adopted.mvc("add", "old.bin")
    adopted.git("commit", "-qm", "a model")
    assert "old.bin" not in adopted.run("git", "checkout", "-q", "HEAD~1").err  # it has the same bytes
    adopted.git("checkout", "-q", "main")
    adopted.write("old.bin", b"newer")
    adopted.mvc("add", "old.bin")
    adopted.git("commit", "-qm", "newer")
    said = adopted.run("git", "checkout", "-q", "HEAD~2").err
    assert "old.bin was replaced by a file that Git tracks" in said
    adopted.git("checkout", "-q", "main~1")
    adopted.write("old.bin", b"unsaved")
    time.sleep(0.05)  # what was written within a tick of the clock is looked at again, and noted then
    adopted.mvc("status")
    said = adopted.run("git", "checkout", "-q", "HEAD~1").err
    assert "old.bin was replaced by Git; its changes that were not added are lost" in said
    assert adopted.read("old.bin") == b"in Git"
    assert "old.bin" not in adopted.run("git", "checkout", "-q", "HEAD~1").err


# -- what a commit must not break


def test_a_broken_policy_is_stopped(clone: Clone) -> None:
    clone.write(".mvc/policy.toml", b"[[metric]\n")
    assert "policy.toml" in clone.mvc("doctor", "--offline", code=1).out
    clone.git("add", ".mvc/policy.toml")
    assert "policy.toml" in clone.run("git", "commit", "-qm", "policy", code=1).err
    clone.write(".mvc/policy.toml", b"")
    clone.git("add", ".mvc/policy.toml")
    clone.git("commit", "-qm", "policy")
    assert "policy.toml" not in clone.mvc("doctor", "--offline").out


# -- no file at all


@pytest.mark.parametrize("kind", ["link", "pipe", "socket", "link in a folder", "folder that is a link"])
def test_what_stands_in_the_place_of_a_model_is_named_with_a_hint_that_works(clone: Clone, kind: str) -> None:
    clone.write("sub/m.bin", 5)
    clone.mvc("add", "sub/m.bin")
    clone.git("commit", "-qm", "sub")
    name, place = {"link in a folder": ("folder", "folder/b"), "folder that is a link": ("sub/m.bin", "sub")}.get(
        kind, ("model.bin", "model.bin")
    )
    path = clone.path / place
    if place == "sub":
        path.rename(clone.path / "elsewhere")
        path.symlink_to("elsewhere")
    else:
        path.unlink(missing_ok=True)
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "socket":
            with socket.socket(socket.AF_UNIX) as bound:
                os.chdir(clone.path)
                bound.bind(place)
        else:
            path.symlink_to("code.py")
    said = clone.mvc("status")
    if place == "sub":
        assert "sub/m.bin" in said.out
        path.unlink()
        (clone.path / "elsewhere").rename(path)
    else:
        assert "obstructed" in said.out
        assert f"mvc checkout {name}" in said.err
        path.rename(clone.path / "away")
    clone.mvc("checkout", name)
    assert _states(clone)[name] == "clean"


def test_a_full_disk_in_a_hook_is_said_in_words(clone: Clone) -> None:
    content = clone.read("model.bin")
    clone.commit_model(2)
    clone.git("-c", "core.hooksPath=/dev/null", "checkout", "-q", "HEAD~1")
    for calls in (1, 5):
        died = on_dying_disk((clone.path,), FULL, calls, hook(clone.path, "post-checkout"))
        assert died.code == 1
        assert "bug" not in died.said
        assert "space" in died.said
    clone.git("checkout", "-q", "-b", "new")  # the next hook finishes what that one could not
    assert clone.read("model.bin") == content
