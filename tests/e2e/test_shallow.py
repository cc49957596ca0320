"""A clone without all of history says so, where an answer may lie in what it lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.clone import Clone

if TYPE_CHECKING:
    from pathlib import Path

_HINT = "git fetch --deepen=100, or --unshallow for all of it (in pipelines: fetch the whole history)"


@pytest.fixture
def shallow(tmp_path: Path) -> Clone:
    clone = Clone.new(tmp_path / "project")
    for seed in (1, 2, 3):
        clone.commit_model(seed)
    clone.commit_model(4, "first.bin")
    clone.git("clone", "-q", "--depth=2", f"file://{clone.path}", str(tmp_path / "shallow"))
    found = Clone(tmp_path / "shallow")
    found.mvc("install")
    return found


def test_log_names_the_models_whose_versions_it_cannot_see(shallow: Clone) -> None:
    found = shallow.json("log")
    assert [version["path"] for version in found["versions"]] == ["first.bin", "model.bin"]
    assert found["cut_off"] == ["model.bin"]  # the other one has no earlier version
    done = shallow.mvc("log", "model.bin")
    assert f"earlier versions of model.bin are not in this shallow clone: {_HINT}\n" in done.err
    assert "shallow" not in shallow.mvc("log", "first.bin").err
    assert "shallow" not in shallow.mvc("log", "-n", "1").err  # as many as were asked for
    shallow.git("fetch", "-q", "--unshallow")
    assert shallow.json("log")["cut_off"] == []


@pytest.mark.parametrize(
    "words",
    [
        ["diff", "HEAD~3"],
        ["diff", "HEAD~3..HEAD"],
        ["ls", "HEAD~3"],
        ["checkout", "HEAD~3", "model.bin"],
    ],
)
def test_a_revision_that_git_left_out_is_named_as_such(shallow: Clone, words: list[str]) -> None:
    err = shallow.mvc(*words, code=10).err
    assert f"hint: older commits are not in this shallow clone: {_HINT}\n" in err


def test_so_is_one_that_can_only_be_a_revision(shallow: Clone) -> None:
    for words in (["show", "HEAD~3:model.bin"], ["rollback", "model.bin", "--to", "HEAD~3"], ["push", "HEAD~3"]):
        err = shallow.mvc(*words, code=10 if words == ["push", "HEAD~3"] else 2).err
        if words[0] != "push":  # which looks for a remote first
            assert err == f"error: HEAD~3 is not a commit, branch or tag in this shallow clone\nhint: {_HINT}\n"


@pytest.mark.parametrize("words", [[], ["--steps", "1"], ["--best", "acc"], ["--where", "acc > 1"], ["--dry-run"]])
def test_rollback_does_not_take_the_end_of_a_shallow_history_for_the_first_version(
    shallow: Clone, words: list[str]
) -> None:
    shallow.write(".mvc/policy.toml", b'[[metric]]\nname = "acc"\ndirection = "higher"\n')
    done = shallow.mvc("rollback", "model.bin", *words, code=14)
    assert done.err.startswith("error: the version of model.bin before ")
    assert done.err.endswith(f"is not in this shallow clone\nhint: {_HINT}\n")


def test_rollback_takes_what_a_shallow_clone_has(shallow: Clone) -> None:
    shallow.git("fetch", "-q", "--deepen=1")
    assert shallow.json("rollback", "model.bin", "--dry-run")["new"]["subject"] == "version 2"
    shallow.mvc("rollback", "model.bin", "--steps", "2", code=14)
