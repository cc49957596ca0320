"""Measurements that no commit has are never replaced in silence, and `mvc status` names them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.clone import Clone

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    clone = Clone.new(tmp_path / "project")
    for seed in (1, 2):
        clone.write("model.bin", seed)
        clone.mvc("add", "model.bin", "-m", f"acc=0.{seed}")
        clone.git("commit", "-qm", f"v{seed}")
    return clone


def pointer(clone: Clone) -> str:
    return clone.read("model.bin.mvc").decode()


@pytest.mark.parametrize(
    "words",
    [
        ["checkout", "HEAD", "model.bin"],
        ["checkout", "HEAD~1"],
        ["checkout", "--dry-run", "HEAD~1"],
        ["rollback", "model.bin"],
        ["rm", "model.bin"],
        ["rm", "--keep", "model.bin"],
    ],
)
def test_no_command_replaces_them(clone: Clone, words: list[str]) -> None:
    clone.mvc("metrics", "set", "model.bin", "f1=0.5")
    before = pointer(clone)
    done = clone.mvc(*words, code=11)
    assert done.err == (
        "error: model.bin has metrics that no commit has\n"
        "hint: keep them with `git commit`, or repeat with --force (which keeps the old pointer in Git)\n"
    )
    assert pointer(clone) == before
    assert clone.agrees()
    clone.git("commit", "-qm", "measured")
    clone.mvc(*words)


@pytest.mark.parametrize(
    "words", [["checkout", "HEAD", "model.bin"], ["checkout", "HEAD~1"], ["rollback", "model.bin"], ["rm", "model.bin"]]
)
def test_force_keeps_the_pointer_in_git(clone: Clone, words: list[str]) -> None:
    clone.mvc("metrics", "set", "model.bin", "f1=0.5")
    before = pointer(clone)
    done = clone.mvc(*words, "--force")
    said = next(line for line in done.err.splitlines() if line.startswith("its old measurements"))
    command = said.partition(": ")[2].partition(", then")[0]
    clone.run("sh", "-c", command)
    assert pointer(clone) == before
    clone.git("add", "-f", "model.bin.mvc")
    clone.mvc("checkout", "model.bin")
    assert clone.agrees()


def test_what_a_commit_has_is_no_obstacle(clone: Clone) -> None:
    clone.mvc("checkout", "HEAD~1", "model.bin")  # now it differs from HEAD, and history has it
    clone.mvc("checkout", "HEAD", "model.bin")
    clone.git("switch", "-qc", "other")
    clone.mvc("metrics", "set", "model.bin", "f1=0.5")
    clone.git("commit", "-qm", "measured")
    clone.git("switch", "-q", "main")
    clone.mvc("checkout", "other", "model.bin")
    clone.mvc("checkout", "HEAD", "model.bin")  # another branch has them
    clone.git("checkout", "-q", "--detach")
    clone.mvc("metrics", "set", "model.bin", "f1=0.7")
    clone.git("commit", "-qm", "on no branch")
    clone.mvc("checkout", "HEAD~1", "model.bin")
    clone.mvc("metrics", "set", "model.bin", "f2=0.7")
    clone.mvc("checkout", "HEAD", "model.bin", code=11)


def test_a_target_that_has_them_is_no_obstacle(clone: Clone) -> None:
    clone.mvc("metrics", "set", "model.bin", "f1=0.5")
    clone.git("commit", "-qm", "measured")
    clone.git("tag", "measured")
    clone.git("reset", "-q", "--soft", "HEAD~1")
    clone.mvc("checkout", "measured", "model.bin")


def test_parameters_and_predictions_are_measurements(clone: Clone) -> None:
    clone.write("params.yaml", b"depth: 3\n")
    clone.write("preds.csv", b"id,y_true,y_pred\n1,0,0\n2,1,1\n")
    clone.mvc("metrics", "set", "model.bin", "--params", "params.yaml", "--predictions", "preds.csv")
    assert "model.bin has parameters and predictions that no" in clone.mvc("checkout", "HEAD", code=11).err


def test_a_version_that_no_commit_has_is_named_when_it_is_replaced(clone: Clone) -> None:
    for words in (["checkout", "HEAD", "model.bin"], ["rollback", "--to", "HEAD", "model.bin"]):
        content = clone.write("model.bin", 3)
        clone.mvc("add", "model.bin")
        done = clone.mvc(*words)
        assert "the old content is stored: mvc checkout blake3:" in done.err
        said = next(line for line in done.err.splitlines() if line.startswith("the old content"))
        clone.mvc(*said.partition(": mvc ")[2].partition(" restores")[0].split())
        assert clone.read("model.bin") == content
        clone.mvc("checkout", "HEAD", "model.bin")
    clone.write("model.bin", 4)
    assert "the old content is stored" in clone.mvc("rollback", "model.bin", "--force").err
    assert "the old content" not in clone.mvc("checkout", "HEAD", "model.bin").err


def test_status_names_them_until_they_are_committed(clone: Clone) -> None:
    assert "committed" not in clone.mvc("status").out
    clone.mvc("metrics", "set", "model.bin", "f1=0.5")
    done = clone.mvc("status")
    assert done.out == "not committed:\n  model.bin  (metrics)\n1 model, all clean\n"
    assert done.err == "  keep them in Git's history: git commit\n"
    assert clone.json("status")["not_committed"] == [{"path": "model.bin", "kinds": ["metrics"]}]
    clone.mvc("status", "--exit-code")
    clone.git("commit", "-qm", "measured")
    assert clone.mvc("status").out == "1 model, all clean\n"


def test_status_by_stat_data_sees_that_head_moved(clone: Clone) -> None:
    clone.mvc("metrics", "set", "model.bin", "f1=0.5")
    clone.git("commit", "-qm", "measured")
    for _ in range(2):
        assert clone.mvc("status").out == "1 model, all clean\n"
    clone.git("reset", "-q", "--soft", "HEAD~1")  # the index and the worktree stay
    clone.git("reflog", "expire", "--expire=now", "--all")
    assert clone.mvc("status").out.startswith("not committed:\n  model.bin  (metrics)\n")


def test_status_before_the_first_commit(tmp_path: Path) -> None:
    clone = Clone.new(tmp_path / "new", mvc=False)
    clone.mvc("init")
    clone.write("model.bin", 1)
    clone.mvc("add", "model.bin", "-m", "acc=0.1")
    assert clone.mvc("status").out.startswith("not committed:\n  model.bin  (metrics)\n")


def test_under_a_new_name_they_are_committed_still(clone: Clone) -> None:
    clone.mvc("mv", "model.bin", "renamed.bin")
    assert "committed" not in clone.mvc("status").out
    clone.mvc("metrics", "set", "renamed.bin", "f1=0.5")
    assert "not committed:\n  renamed.bin  (metrics)\n" in clone.mvc("status").out
    assert "renamed.bin has metrics that no commit has" in clone.mvc("rollback", "renamed.bin", code=11).err
