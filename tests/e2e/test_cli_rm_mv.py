"""Stop tracking, and rename: nothing is lost, and Git sees exactly what was meant."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support.clone import Clone

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    clone = Clone.new(tmp_path / "project")
    clone.commit_model(1)
    return clone


def test_rm_takes_file_pointer_and_ignore_entry(clone: Clone) -> None:
    clone.write("other.bin", 2)
    clone.mvc("add", "other.bin")
    clone.git("commit", "-qm", "other")
    done = clone.mvc("rm", "model.bin.mvc")
    assert done.out == "removed  model.bin\n"
    assert not (clone.path / "model.bin").exists()
    assert clone.git("status", "--short") == "M  .gitignore\nD  model.bin.mvc\n"
    assert clone.read(".gitignore") == b"/other.bin\n"
    clone.git("commit", "-qm", "gone")
    assert "1 model, all clean" in clone.mvc("status").out
    clone.git("revert", "--no-edit", "HEAD")
    assert clone.agrees()


def test_rm_refuses_what_is_saved_nowhere_and_by_force_saves_it(clone: Clone) -> None:
    precious = clone.write("model.bin", b"precious")
    done = clone.mvc("rm", "model.bin", code=11)
    assert done.err.startswith("error: model.bin has unsaved changes\n")
    assert clone.read("model.bin") == precious
    assert clone.git("status", "--short") == ""
    done = clone.mvc("rm", "--force", "model.bin")
    assert not (clone.path / "model.bin").exists()
    found = re.search(r"stored: mvc (checkout blake3:\w+ model\.bin) restores it", done.err)
    assert found
    clone.mvc(*found[1].split())
    assert clone.read("model.bin") == precious


def test_rm_of_several_refuses_before_it_removes_any(clone: Clone) -> None:
    clone.write("a.bin", 3)
    clone.mvc("add", "a.bin")
    clone.write("model.bin", b"changed")
    clone.mvc("rm", "a.bin", "model.bin", code=11)
    assert clone.agrees("a.bin")


def test_rm_keep_leaves_the_file_and_lets_git_see_it(clone: Clone) -> None:
    content = clone.read("model.bin")
    clone.write("model.bin", content + b"unsaved")
    assert clone.mvc("rm", "--keep", "model.bin").out == "no longer tracked  model.bin\n"
    assert clone.read("model.bin") == content + b"unsaved"
    assert clone.git("status", "--short") == "D  .gitignore\nD  model.bin.mvc\n?? model.bin\n"


def test_rm_writes_down_what_no_commit_has(clone: Clone) -> None:
    """A version that was added, never committed, and then changed once more."""
    clone.write("model.bin", 2)
    clone.mvc("add", "model.bin")
    oid = clone.json("show", "model.bin")["oid"]
    clone.write("model.bin", 1)
    clone.mvc("rm", "model.bin")
    assert oid in (clone.path / ".git/mvc/reflog").read_text()


def test_rm_of_a_folder_and_of_what_lies_in_it(clone: Clone) -> None:
    for name in ("models/a.bin", "models/b.bin"):
        clone.write(name, name.encode())
    clone.mvc("add", "models/a.bin", "models/b.bin")
    clone.write("tree/x/y", b"y")
    clone.mvc("add", "tree")
    clone.git("commit", "-qm", "more")
    clone.write("tree/extra", b"not saved")
    clone.mvc("rm", "tree", code=11)
    (clone.path / "tree/extra").unlink()
    clone.mvc("rm", "tree", "models")
    assert not (clone.path / "tree").exists()
    assert not (clone.path / "models/a.bin").exists()
    assert [m["path"] for m in clone.json("ls")["models"]] == ["model.bin"]


def test_mv_takes_everything_along(clone: Clone) -> None:
    content = clone.read("model.bin")
    assert clone.mvc("mv", "model.bin", "models/best.bin").out == "model.bin -> models/best.bin\n"
    assert clone.read("models/best.bin") == content
    staged = clone.git("status", "--short", "--no-renames").splitlines()
    assert staged == ["D  .gitignore", "D  model.bin.mvc", "A  models/.gitignore", "A  models/best.bin.mvc"]
    clone.git("commit", "-qm", "renamed")
    assert clone.mvc("status").out == "1 model, all clean\n"
    subjects = [v["subject"] for v in clone.json("log", "models/best.bin")["versions"]]
    assert subjects == ["renamed", "version 1"]
    clone.git("checkout", "-q", "HEAD~1")
    assert clone.agrees()
    assert not (clone.path / "models/best.bin").exists()


def test_mv_into_a_folder_and_back(clone: Clone) -> None:
    (clone.path / "there").mkdir()
    assert clone.mvc("mv", "model.bin", "there").out == "model.bin -> there/model.bin\n"
    assert clone.mvc("mv", "there/model.bin", "new/").out == "there/model.bin -> new/model.bin\n"
    assert clone.mvc("mv", "model.bin.mvc", "..", cwd=clone.path / "new").out == "model.bin -> ../model.bin\n"
    assert clone.git("status", "--short") == ""
    assert clone.agrees()


def test_mv_keeps_unsaved_changes_and_does_not_take_them_for_saved(clone: Clone) -> None:
    clone.write("model.bin", b"unsaved")
    clone.mvc("mv", "model.bin", "b.bin")
    assert clone.read("b.bin") == b"unsaved"
    assert "modified:\n  b.bin\n" in clone.mvc("status").out
    clone.mvc("checkout", code=11)


def test_mv_of_a_folder(clone: Clone) -> None:
    for name in ("a", "b/c"):
        clone.write(f"tree/{name}", name.encode())
    clone.mvc("add", "tree")
    clone.git("commit", "-qm", "tree")
    clone.mvc("mv", "tree", "forest")
    assert clone.mvc("status").out == "2 models, all clean\n"
    assert clone.read("forest/b/c") == b"b/c"
    assert not (clone.path / "tree").exists()


REFUSED = {
    "onto a model": ("mv", "model.bin", "other.bin", 11, "other.bin is in the way"),
    "onto a file of Git": ("mv", "model.bin", "README", 11, "README is in the way"),
    "into itself": ("mv", "tree", "tree/x", 2, "tree/x/tree lies in tree itself"),
    "into another model": ("mv", "model.bin", "tree/model.bin", 2, "tree is tracked, and one would hold the other"),
    "outside": ("mv", "model.bin", "../model.bin", 2, "../model.bin is outside of this repository"),
    "of several": ("mv", "models", "elsewhere", 2, "models holds 2 models, such as models/a.bin"),
    "of nothing": ("mv", "nope", "other", 10, "nope is not tracked by mvc"),
    "where Git would not see it": ("mv", "model.bin", "hidden/model.bin", 2, None),
}


@pytest.mark.parametrize("case", REFUSED)
def test_mv_refuses_and_changes_nothing(clone: Clone, case: str) -> None:
    clone.write("README", b"read me")
    clone.write(".git/info/exclude", b"hidden/\n")
    for name in ("other.bin", "models/a.bin", "models/b.bin", "tree/x/y"):
        clone.write(name, name.encode())
    clone.mvc("add", "other.bin", "models/a.bin", "models/b.bin", "tree")
    clone.git("add", "README")
    clone.git("commit", "-qm", "more")
    command, old, new, code, words = REFUSED[case]
    done = clone.mvc(command, old, new, code=code)
    said = done.err.splitlines()[0].removeprefix("error: ")
    assert said == words if words else said.startswith("Git ignores hidden/model.bin.mvc: .git/info/exclude line 1")
    assert clone.git("status", "--short") == ""
    assert clone.mvc("status").out == "5 models, all clean\n"


@pytest.mark.parametrize("state", ["clean", "modified"])
def test_mv_after_mv(clone: Clone, state: str) -> None:
    """The file was moved first, as one is used to: the pointer follows it."""
    content = clone.write("model.bin", b"trained again") if state == "modified" else clone.read("model.bin")
    (clone.path / "model.bin").rename(clone.path / "other.bin")
    assert clone.mvc("mv", "model.bin", "other.bin").out == "model.bin -> other.bin\n"
    assert clone.read("other.bin") == content
    assert clone.git("status", "--short") == "M  .gitignore\nR  model.bin.mvc -> other.bin.mvc\n"
    assert clone.json("status")["models"][0]["state"] == state


def test_mv_after_mv_into_a_folder_and_of_a_folder(clone: Clone) -> None:
    clone.write("folder/a", b"a")
    clone.mvc("add", "folder")
    (clone.path / "below").mkdir()
    (clone.path / "model.bin").rename(clone.path / "below/model.bin")
    assert clone.mvc("mv", "model.bin", "below").out == "model.bin -> below/model.bin\n"
    (clone.path / "folder").rename(clone.path / "renamed")
    assert clone.mvc("mv", "folder", "renamed").out == "folder -> renamed\n"
    (clone.path / "renamed").rename(clone.path / "below/renamed")
    assert clone.mvc("mv", "renamed", "below/").out == "renamed -> below/renamed\n"
    assert clone.mvc("status").out == "2 models, all clean\n"


def test_mv_takes_nothing_else_for_what_was_moved(clone: Clone) -> None:
    clone.write("other.bin", b"of somebody else")
    clone.mvc("mv", "model.bin", "other.bin", code=11)  # both are there
    (clone.path / "model.bin").unlink()
    clone.git("add", "-f", "other.bin")
    clone.mvc("mv", "model.bin", "other.bin", code=11)  # Git's
    clone.write("folder/file", b"a folder")
    assert clone.mvc("mv", "model.bin", "folder").out == "model.bin -> folder/model.bin\n"  # into it, as ever
    assert clone.json("status")["models"][0]["state"] == "missing"
