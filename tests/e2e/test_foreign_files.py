"""Files in a tracked folder that belong to no version: a checkout leaves and names them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.clone import Clone

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    clone = Clone.new(tmp_path / "project")
    clone.write("folder/a", b"a")
    clone.write("folder/b", b"b")
    clone.mvc("add", "folder")
    clone.git("commit", "-qm", "one")
    return clone


def test_force_keeps_foreign_files_and_names_them(clone: Clone) -> None:
    clone.write("folder/a", b"changed")
    clone.write("folder/notes/mine", b"mine")
    done = clone.mvc("checkout", "--force", "folder")
    assert "left in folder: 1 file that no store has, such as notes/mine\n" in done.err
    assert (clone.read("folder/a"), clone.read("folder/notes/mine")) == (b"a", b"mine")
    assert done.err.count("restores it") == 1
    assert clone.json("checkout", "--force", "folder")["models"][0]["extra"] == ["notes/mine"]
    assert clone.read("folder/notes/mine") == b"mine"


def test_status_does_not_recommend_what_changes_nothing(clone: Clone) -> None:
    clone.write("folder/mine", b"mine")
    clone.mvc("checkout", "--force", "folder")
    done = clone.mvc("status")
    assert done.out.startswith("modified:\n  folder  (1 new)\n")
    assert done.err == "  store the new content: mvc add folder · or move the new files out of it\n"
    clone.write("folder/a", b"changed")
    assert "mvc checkout --force folder" in clone.mvc("status").err
    clone.write("other.bin", b"1")
    clone.mvc("add", "other.bin")
    clone.write("other.bin", b"2")
    clone.write("folder/a", b"a")
    assert "a checkout leaves new files: move them out" in clone.mvc("status").err


def test_a_foreign_file_in_the_way_is_stored_and_replaced(clone: Clone) -> None:
    (clone.path / "folder/a").unlink()
    clone.write("folder/a/mine", b"mine")  # a folder where a file belongs
    done = clone.mvc("checkout", "--force", "folder")
    assert clone.read("folder/a") == b"a"
    words = done.err.partition("stored: mvc ")[2].partition(" restores")[0].split()
    clone.mvc("checkout", "--force", *words[1:])
    assert clone.read("folder/a/mine") == b"mine"
