"""A model under a new name is still that model: to log, diff, check and rollback, before and after the commit."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.clone import Clone

POLICY = b'[[metric]]\nname = "acc"\ndirection = "higher"\nmax_drop = { abs = 0.02 }\n'


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """Two versions of m.bin, the newer one with the branch `base`."""
    found = Clone.new(tmp_path / "project")
    found.write(".mvc/policy.toml", POLICY)
    found.git("add", ".mvc/policy.toml")
    for seed, acc in ((1, 0.8), (2, 0.9)):
        train(found, "m.bin", seed, acc)
        found.git("commit", "-qm", f"v{seed}")
    found.git("branch", "base")
    return found


def train(clone: Clone, path: str, seed: int, acc: float) -> None:
    clone.write(path, seed)
    clone.mvc("add", path, "-m", f"acc={acc}")


def worse(clone: Clone, *words: str) -> None:
    """A new name is no way around a gate."""
    done = clone.json("check", *words, code=1)["verdicts"]
    assert [(one["model"], one["old"], one["new"]) for one in done] == [("n.bin", 0.9, 0.5)]


def test_renamed_and_trained_anew_in_one_commit(clone: Clone) -> None:
    oid = clone.json("show", "m.bin")["oid"]
    clone.mvc("mv", "m.bin", "n.bin")
    train(clone, "n.bin", 3, 0.6)
    train(clone, "n.bin", 4, 0.5)  # before the commit, twice: what it replaces is what was committed
    assert clone.json("show", "n.bin")["lineage"][0] == oid
    worse(clone)
    worse(clone, "--against", "base")
    assert clone.json("rollback", "n.bin", "--dry-run")["new"]["oid"] == oid
    assert "mvc: n.bin: acc 0.9 -> 0.5 (worse)" in clone.run("git", "commit", "-qm", "both").err
    worse(clone)
    worse(clone, "--against", "base")
    worse(clone, "--against", "base...")
    worse(clone, "--against", "best")
    assert [one["path"] for one in clone.json("log", "n.bin")["versions"]] == ["n.bin", "m.bin", "m.bin"]
    clone.mvc("rollback", "n.bin")
    assert clone.json("show", "n.bin")["oid"] == oid
    assert clone.agrees("n.bin")


def test_renamed_in_a_commit_of_its_own(clone: Clone) -> None:
    clone.mvc("mv", "m.bin", "n.bin")
    assert clone.mvc("check").out.splitlines()[1].split()[:5] == ["ok", "n.bin", "acc", "0.8", "0.9"]
    assert clone.mvc("diff").out.splitlines()[1].split()[:4] == ["m.bin", "->", "n.bin", "renamed"]
    assert clone.run("git", "commit", "-qm", "renamed").err == "", "no metric changed"
    train(clone, "n.bin", 3, 0.5)
    worse(clone)
    worse(clone, "--against", "base")
    clone.git("commit", "-qm", "worse")
    worse(clone, "--against", "base")


def test_diff_shows_one_model_and_not_two(clone: Clone) -> None:
    clone.mvc("mv", "m.bin", "n.bin")
    train(clone, "n.bin", 3, 0.5)
    clone.git("commit", "-qm", "both")
    (found,) = clone.json("diff", "base", "HEAD")["models"]
    assert (found["path"], found["was"], found["change"]) == ("n.bin", "m.bin", "renamed")
    assert [(one["name"], one["old"], one["new"], one["better"]) for one in found["metrics"]] == [
        ("acc", 0.9, 0.5, False)
    ]
    assert clone.json("diff", "base", "HEAD", "m.bin")["models"][0]["change"] == "removed"
    clone.git("checkout", "-q", "base")
    assert [one["change"] for one in clone.json("diff", "main", "HEAD")["models"]] == ["added", "removed"]


def test_another_model_is_not_the_one_that_went(clone: Clone) -> None:
    clone.mvc("rm", "m.bin")
    train(clone, "n.bin", 3, 0.5)
    clone.mvc("check")
    assert [one["change"] for one in clone.json("diff")["models"]] == ["removed", "added"]
    clone.git("commit", "-qm", "another")
    clone.mvc("check", "--against", "base")
    assert len(clone.json("log", "n.bin")["versions"]) == 1


def test_half_of_history_does_not_tell_of_a_rename(clone: Clone, tmp_path: Path) -> None:
    clone.mvc("mv", "m.bin", "n.bin")
    clone.git("commit", "-qm", "renamed")
    train(clone, "n.bin", 3, 0.5)
    clone.git("commit", "-qm", "worse")
    shallow = Clone(tmp_path / "shallow")
    shallow.path.mkdir()
    shallow.git("clone", "-q", "--depth", "1", "--no-single-branch", clone.path.as_uri(), ".")
    done = shallow.mvc("check", "--against", "origin/base", code=14)
    assert done.err.startswith(
        "error: the history that tells what n.bin was called in origin/base is not in this shallow clone\nhint: git"
    )
    shallow.git("fetch", "-q", "--unshallow")
    worse(shallow, "--against", "origin/base")
