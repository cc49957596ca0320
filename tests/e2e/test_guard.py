"""What the pre-commit hook lets through, and what it stops."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.clone import Clone

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    found = Clone.new(tmp_path / "clone")
    found.commit_model(1)
    return found


def test_a_merge_of_what_was_never_fetched_passes(clone: Clone, tmp_path: Path) -> None:
    """`git pull URL` leaves no ref behind, and the clone has none of the bytes."""
    clone.git("clone", "-q", str(clone.path), str(tmp_path / "other"))
    other = Clone(tmp_path / "other")
    other.mvc("install")
    other.commit_model(2, "other.bin")
    clone.commit_model(3)
    clone.git("pull", "-q", "--no-rebase", "--no-commit", str(other.path), "main")
    clone.git("commit", "-qm", "merge")


def test_an_oid_that_is_nowhere_is_stopped(clone: Clone) -> None:
    pointer = (clone.path / "model.bin.mvc").read_text().splitlines()
    pointer[2] = f'oid = "blake3:{"5" * 64}"'
    (clone.path / "model.bin.mvc").write_text("\n".join(pointer) + "\n")
    done = clone.run("git", "commit", "-qam", "made up", code=1)
    assert "no store has" in done.err


@pytest.mark.parametrize("data", [b"", b"format = 1\nkind", b'format = 1\nkind = "file"\noid = "x"\nsize = 1\n'])
def test_a_torn_pointer_is_stopped(clone: Clone, data: bytes) -> None:
    clone.write("model.bin.mvc", data)
    done = clone.run("git", "commit", "-qam", "torn", code=1)
    assert "not a valid pointer" in done.err


def test_an_unsettled_conflict_is_stopped(clone: Clone) -> None:
    with (clone.path / "model.bin.mvc").open("a") as file:
        lines = ['ours = "main"', 'theirs = "side"', 'kind = "file"', f'oid = "blake3:{"5" * 64}"', "size = 7"]
        file.write("\n[conflict]\n" + "\n".join(lines) + "\n")
    done = clone.run("git", "commit", "-qam", "conflict", code=1)
    assert "model.bin is in conflict" in done.err
    assert "mvc resolve model.bin --ours" in done.err


def test_a_forgotten_model_is_told_of_or_stops(clone: Clone) -> None:
    clone.write("model.bin", 4)
    clone.write("code.py", b"1\n")
    clone.git("add", "code.py")
    assert "mvc add -u" in clone.run("git", "commit", "-qm", "code").err
    config = clone.path / ".mvc/config.toml"
    config.write_text(config.read_text().replace('"warn"', '"block"'))
    done = clone.run("git", "commit", "-qam", "config", code=1)
    assert "model.bin" in done.err
    config.write_text(config.read_text().replace('"block"', '"off"'))
    assert clone.run("git", "commit", "-qam", "config").err == ""
