"""Where no model can be: in another Git repository, or in the place of a file that Git or mvc reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.clone import Clone

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone.new(tmp_path / "project")


@pytest.fixture
def with_submodule(tmp_path: Path, clone: Clone) -> Clone:
    other = Clone.new(tmp_path / "other")
    clone.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(other.path), "sub")
    clone.git("commit", "-qm", "a submodule")
    return clone


def test_a_path_in_a_submodule_is_refused_and_nothing_is_left_behind(with_submodule: Clone) -> None:
    clone = with_submodule
    clone.write("sub/model.bin", 1)
    done = clone.mvc("add", "sub/model.bin", code=2)
    assert done.err == (
        "error: sub/model.bin lies in the submodule sub, not in this repository\n"
        "hint: run mvc there: `mvc --repo sub add model.bin`\n"
    )
    assert clone.git("status", "--short", "--ignore-submodules=none") == " ? sub\n"
    assert clone.git("-C", "sub", "status", "--short") == "?? model.bin\n"
    assert not (clone.path / ".git/mvc/store/b").exists()  # not even its bytes
    clone.mvc("--repo", "sub", "add", "model.bin")  # as the hint says


def test_a_submodule_that_is_not_there_yet_is_one_all_the_same(with_submodule: Clone) -> None:
    clone = with_submodule
    clone.git("submodule", "deinit", "-q", "-f", "sub")
    clone.write("sub/model.bin", 1)
    assert "lies in the submodule sub" in clone.mvc("add", "sub/model.bin", code=2).err


def test_a_model_is_not_moved_into_a_submodule(with_submodule: Clone) -> None:
    clone = with_submodule
    clone.commit_model(1)
    assert "lies in the submodule sub" in clone.mvc("mv", "model.bin", "sub/model.bin", code=2).err
    assert clone.git("status", "--short") == ""
    assert clone.agrees()


def test_a_git_repository_is_called_one(clone: Clone) -> None:
    Clone.new(clone.path / "nested", mvc=False).write("model.bin", 1)
    assert "nested is a Git repository of its own" in clone.mvc("add", "nested", code=2).err
    assert "lies in the Git repository nested" in clone.mvc("add", "nested/model.bin", code=2).err
    Clone.new(clone.path / "folder/nested", mvc=False).write("model.bin", 1)
    clone.write("folder/weights", b"weights")
    assert "folder/nested is a Git repository of its own" in clone.mvc("add", "folder", code=2).err
    assert clone.git("status", "--short") == "?? folder/\n?? nested/\n"


@pytest.mark.parametrize("name", [".gitattributes", ".gitignore", ".gitmodules", "sub/.gitignore", ".mvcignore"])
def test_what_git_or_mvc_reads_is_no_model(clone: Clone, name: str) -> None:
    clone.write(name, b"*.png binary\n")
    clone.git("add", name)
    clone.git("commit", "-qm", "a file")
    before = clone.read(name)
    clone.mvc("add", name, code=2)
    clone.commit_model(1)
    clone.mvc("mv", "model.bin", f"below/{name.rpartition('/')[2]}", code=2)
    assert clone.read(name).startswith(before)
    assert clone.git("ls-files", name) == f"{name}\n"


def test_a_folder_of_somebody_else_s_may_hold_such_names(clone: Clone) -> None:
    """What a hub hands out has a .gitattributes in it, and inside a folder nobody reads it."""
    clone.write("folder/.gitattributes", b"*.bin filter=lfs\n")
    clone.write("folder/weights", b"weights")
    clone.mvc("add", "folder")
    assert clone.mvc("status").out == "1 model, all clean\n"
