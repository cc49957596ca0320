"""A pointer that moved on to a version that this clone does not have: nobody trained anything anew here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.clone import Clone

if TYPE_CHECKING:
    from pathlib import Path


def test_after_git_pull_the_older_file_is_not_taken_for_new_work(tmp_path: Path) -> None:
    first = Clone.new(tmp_path / "first")
    first.mvc("remote", "add", "origin", str(tmp_path / "far"))
    first.write("folder/a", b"a")
    first.mvc("add", "folder")
    first.commit_model(1)
    first.mvc("push")
    first.git("clone", "-q", str(first.path), str(tmp_path / "second"))
    second = Clone(tmp_path / "second")
    done = second.mvc("status")
    assert "mvc install" in done.err
    assert "not pushed" not in done.out
    second.mvc("install", "--trust")
    second.mvc("pull")
    new = first.commit_model(2)
    first.write("folder/a", b"b")
    first.mvc("add", "folder")
    first.git("commit", "-qm", "folder")
    first.mvc("push")
    second.git("pull", "-q")
    done = second.mvc("status")
    assert "modified" not in done.out
    assert done.out.count("the file is another version") == 2
    second.write("code.py", b"1")
    second.git("add", "code.py")
    assert second.run("git", "commit", "-qm", "code").err == ""
    second.mvc("add", "-u")
    assert second.git("status", "--short") == ""
    second.mvc("pull")
    assert second.read("model.bin") == new
    assert second.read("folder/a") == b"b"


def test_a_pointer_that_git_renamed_alone_is_ignored_under_its_new_name(tmp_path: Path) -> None:
    clone = Clone.new(tmp_path / "clone")
    clone.commit_model(1)
    clone.git("mv", "model.bin.mvc", "new.bin.mvc")
    clone.mvc("checkout")
    clone.git("add", "-A")
    assert "new.bin\n" not in clone.git("ls-files")
