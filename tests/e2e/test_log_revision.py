"""`mvc log REV`: the versions in the history of another revision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.clone import Clone

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    clone = Clone.new(tmp_path / "project")
    clone.commit_model(1)
    clone.git("checkout", "-qb", "side")
    clone.commit_model(2)
    clone.commit_model(3, "of-side.bin")
    clone.git("checkout", "-q", "main")
    clone.commit_model(4)
    return clone


def _subjects(clone: Clone, *words: str) -> list[tuple[str, str]]:
    return [(one["path"], one["subject"]) for one in clone.json("log", *words)["versions"]]


def test_of_a_branch(clone: Clone) -> None:
    ours = [("model.bin", "version 4"), ("model.bin", "version 1")]
    theirs = [("model.bin", "version 2"), ("model.bin", "version 1")]
    assert _subjects(clone) == _subjects(clone, "HEAD") == _subjects(clone, "model.bin") == ours
    assert _subjects(clone, "side", "model.bin") == theirs
    assert sorted(_subjects(clone, "side")) == sorted([("of-side.bin", "version 3"), *theirs])  # its models, not ours
    assert _subjects(clone, "side~2") == _subjects(clone, "main~1", "--", "model.bin") == ours[1:]
    assert _subjects(clone, "-n", "1", "side", "model.bin") == theirs[:1]


def test_words_that_are_no_revision(clone: Clone) -> None:
    assert "no commit has it" in clone.mvc("log", "nowhere", code=10).err
    assert "range" in clone.mvc("log", "main..side", code=2).err
    assert "--all" in clone.mvc("log", "--all", "side", code=2).err
    clone.git("branch", "model.bin")
    assert "both a revision and a path" in clone.mvc("log", "model.bin", code=2).err
    assert len(_subjects(clone, "--", "model.bin")) == 2


def test_a_model_that_is_tracked_no_longer(clone: Clone) -> None:
    clone.mvc("rm", "model.bin")
    clone.git("commit", "-qm", "gone")
    assert _subjects(clone, "model.bin") == [("model.bin", "version 4"), ("model.bin", "version 1")]
    assert _subjects(clone, "HEAD~1") == [("model.bin", "version 4"), ("model.bin", "version 1")]
