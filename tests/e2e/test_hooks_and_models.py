"""The shims with the real mvc behind them: models that cannot follow at once, and commits that need no Python."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.clone import Clone


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    found = Clone.new(tmp_path / "clone")
    for seed in (1, 2):
        found.commit_model(seed)
    return found


def spy(clone: Clone) -> Path:
    """From now on the recorded interpreter only notes that it was started."""
    witness, program = clone.path / ".git/started", clone.path / ".git/spy"
    program.write_text(f"#!/bin/sh\necho started >>'{witness}'\n")
    program.chmod(0o755)
    (clone.path / ".git/mvc/python").write_text(f"{program}\n")
    return witness


def commit_code(clone: Clone, text: bytes) -> str:
    clone.write("code.py", text)
    clone.git("add", "code.py")
    return clone.run("git", "commit", "-qm", "code").err


@pytest.mark.parametrize("side", ["--ours", "--theirs"])
def test_a_conflict_that_git_settles(clone: Clone, side: str) -> None:
    clone.git("checkout", "-q", "-b", "side", "HEAD~1")
    clone.commit_model(3)
    clone.run("git", "merge", "main", code=1)
    clone.git("checkout", side, "--", "model.bin.mvc")
    clone.git("add", "model.bin.mvc")
    assert clone.agrees()
    assert clone.run("git", "commit", "-qm", "merged").err == ""
    assert not (clone.path / ".git/mvc/kept").exists()
    witness = spy(clone)
    commit_code(clone, b"1")
    assert not witness.exists()


def test_a_model_that_was_kept_is_told_of_again_at_the_commit(clone: Clone) -> None:
    """Its pointer is now younger than the model, so time alone would not tell."""
    clone.write("model.bin", 9)
    assert "not updated" in clone.run("git", "checkout", "HEAD~1").err
    assert "model.bin has changes" in commit_code(clone, b"1")
    clone.mvc("checkout", "--force")
    assert "model.bin" not in commit_code(clone, b"2")
    witness = spy(clone)
    commit_code(clone, b"3")
    assert not witness.exists()


@pytest.mark.parametrize("how", ["git checkout", "mvc checkout", "mvc checkout REV", "git stash"])
def test_no_false_alarm_after_a_checkout(clone: Clone, how: str) -> None:
    if how == "git checkout":
        clone.git("checkout", "-q", "HEAD~1")
    elif how == "mvc checkout":
        (clone.path / "model.bin").unlink()
        clone.mvc("checkout")
    elif how == "mvc checkout REV":
        clone.mvc("checkout", "HEAD~1", "model.bin")
        clone.git("commit", "-qm", "rollback")
    else:
        clone.write("model.bin", 9)
        clone.mvc("add", "model.bin")
        clone.git("stash", "-q")
    assert clone.agrees()
    witness = spy(clone)
    commit_code(clone, b"1")
    assert not witness.exists()


def test_a_hook_that_is_not_wholly_installed_stops_nothing(clone: Clone, tmp_path: Path) -> None:
    """A dependency is gone, as in a venv that was made anew."""
    (tmp_path / "blake3.py").write_text("raise ModuleNotFoundError(\"No module named 'blake3'\")\n")
    broken = Clone(clone.path, {"PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}"})
    clone.write("model.bin", 5)
    clone.mvc("add", "model.bin")
    said = broken.run("git", "commit", "-qm", "x").err
    assert "incomplete" in said
    broken.git("checkout", "-q", "HEAD~1")
    broken.git("init", "-q", "--bare", str(tmp_path / "far.git"))
    assert "mvc push" in broken.run("git", "push", "-q", str(tmp_path / "far.git"), "main").err
