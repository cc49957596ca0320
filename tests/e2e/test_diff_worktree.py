"""`mvc diff` compares what lies in the worktree, added or not."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.support.clone import Clone

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone.new(tmp_path / "project")


def test_a_model_that_was_trained_again_differs_before_it_is_added(clone: Clone) -> None:
    clone.write("model.bin", 1)
    clone.mvc("add", "model.bin", "-m", "accuracy=0.9")
    clone.git("commit", "-qm", "one")
    clone.mvc("diff", "--exit-code")
    clone.write("model.bin", 2)
    done = clone.mvc("diff", "--exit-code", code=1)
    assert done.out == (
        "model      change   version                   size              content\n"
        "model.bin  changed  f5daa9e687 -> 7d713ff8b5  200 kB -> 200 kB  not added yet\n"
    )
    [found] = clone.json("diff")["models"]
    assert (found["unsaved"], found["new_size"], found["metrics"]) == (True, 200_000, [])
    assert found["new_oid"].startswith("blake3:7d713ff8b5")
    clone.mvc("diff", "--exit-code", "model.bin", code=1)
    clone.mvc("diff", "--exit-code", "HEAD", "HEAD")  # two commits: the worktree is none of it
    clone.mvc("add", "model.bin")
    [found] = clone.json("diff")["models"]
    assert not found["unsaved"]


def test_what_was_trained_again_is_compared_with_any_revision(clone: Clone) -> None:
    clone.commit_model(1)
    clone.commit_model(2)
    clone.write("model.bin", 1)  # back to the first version, by hand
    assert clone.json("diff", "HEAD~1")["models"] == []
    [found] = clone.json("diff")["models"]
    assert found["shared"] == 0
    assert found["new_oid"].startswith("blake3:f5daa9e687")


def test_files_of_a_folder_that_is_not_added(clone: Clone) -> None:
    for name in "abc":
        clone.write(f"folder/{name}", name.encode())
    clone.mvc("add", "folder")
    clone.git("commit", "-qm", "one")
    clone.write("folder/a", b"aaa")
    (clone.path / "folder/b").unlink()
    clone.write("folder/d", b"d")
    assert clone.mvc("diff", "--md").out.partition("\n\n")[2] == (
        "| file | change | old | new |\n"
        "|---|---|---|---|\n"
        "| folder/a | changed | 1 B | 3 B |\n"
        "| folder/b | removed | 1 B |  |\n"
        "| folder/d | added |  | 1 B |\n"
    )
    assert clone.mvc("diff", "--exit-code", "folder", code=1).out == clone.mvc("diff").out


def test_whatever_status_calls_modified_differs(clone: Clone) -> None:
    clone.commit_model(1)
    (clone.path / "model.bin").chmod(0o755)
    assert clone.mvc("diff", "--exit-code", code=1).out.splitlines()[1] == (
        "model.bin  changed  f5daa9e687  200 kB  same bytes"
    )
    (clone.path / "model.bin").unlink()
    clone.write("model.bin/weights", b"weights")  # a folder now
    [found] = clone.json("diff")["models"]
    assert (found["new_size"], found["files"][0]["path"]) == (7, "weights")
    (clone.path / "model.bin/weights").unlink()
    (clone.path / "model.bin").rmdir()
    os.mkfifo(clone.path / "model.bin")
    assert clone.json("diff")["unreadable"] == ["model.bin"]
    assert "not compared, since it cannot be read: model.bin" in clone.mvc("diff").err


def test_a_model_behind_a_link_is_not_compared(clone: Clone, tmp_path: Path) -> None:
    clone.commit_model(1, "below/model.bin")
    (clone.path / "below").rename(tmp_path / "below")
    (clone.path / "below").symlink_to(tmp_path / "below")
    found = clone.json("diff", "--", "below/model.bin")
    assert (found["models"], found["unreadable"]) == ([], ["below/model.bin"])
    assert "broken pointer" in clone.mvc("ls").out  # and the other models are listed


def test_a_model_that_is_not_here_is_no_change(clone: Clone) -> None:
    clone.commit_model(1)
    (clone.path / "model.bin").unlink()
    clone.mvc("diff", "--exit-code")
