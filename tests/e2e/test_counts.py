"""What is counted as a version, and what is said of a version that this clone never asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.clone import Clone

if TYPE_CHECKING:
    from pathlib import Path

_ROWS = b"id,y_true,y_pred\n1,a,a\n2,b,a\n"


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    clone = Clone.new(tmp_path / "project")
    clone.mvc("remote", "add", "origin", str(tmp_path / "far"))
    clone.git("commit", "-qm", "remote")
    return clone


def _second(clone: Clone, tmp_path: Path) -> Clone:
    clone.git("clone", "-q", str(clone.path), str(tmp_path / "second"))
    second = Clone(tmp_path / "second")
    second.mvc("install", "--trust")
    return second


def test_predictions_are_no_versions(clone: Clone, tmp_path: Path) -> None:
    clone.write("model.bin", 1)
    clone.write("p.csv", _ROWS)
    clone.mvc("add", "model.bin", "--predictions", "p.csv")
    clone.git("commit", "-qm", "one")
    assert clone.mvc("push").out.startswith("1 version and the predictions of 1 sent to origin (")
    assert clone.mvc("push").out == "nothing to send: 1 version on origin, complete\n"
    assert "origin: 1 version, " in clone.mvc("fsck", "--remote").out
    assert "\n1 version in history, " in clone.mvc("fsck", "--remote").out
    total = clone.json("store", "stats", "--remote")["total"]
    assert (total["versions"], total["here"], total["pushed"]) == (1, 1, 1)
    assert total["logical"] == 200_000 + len(_ROWS)

    clone.write("p.csv", _ROWS + b"3,a,b\n")
    clone.mvc("metrics", "set", "model.bin", "--predictions", "p.csv")
    clone.git("commit", "-qam", "measured again")
    done = clone.json("push")
    assert (done["sent"], done["there"], done["predictions"]) == ([], 1, 1)

    second = _second(clone, tmp_path)
    assert "2 versions of history" not in second.mvc("fsck").out
    assert second.mvc("fetch").out.startswith("1 version and the predictions of 1 fetched from origin (")
    assert second.mvc("fetch").out == "nothing to fetch: 1 version here\n"


def test_gc_counts_predictions_apart(clone: Clone, tmp_path: Path) -> None:
    for seed in (1, 2):
        clone.write("model.bin", seed)
        clone.write("p.csv", _ROWS + b"%d,a,b\n" % (3 + seed))
        clone.mvc("add", "model.bin", "--predictions", "p.csv")
        clone.git("commit", "-qm", "one")
        clone.mvc("push")
    shown = clone.mvc("gc", "--evict")
    assert shown.out.splitlines()[-1].startswith("1 version and the predictions of 1 can be removed, ")
    assert sorted(item["what"] for item in clone.json("gc", "--evict")["items"]) == ["predictions", "version"]
    clone.git("init", "-q", "--bare", str(tmp_path / "hub"))
    clone.git("remote", "add", "origin", str(tmp_path / "hub"))
    clone.mvc("push")
    assert "not evicted: 1 version of commits" in clone.mvc("gc", "--evict").err


def test_gc_counts_objects_that_nothing_names(clone: Clone) -> None:
    """Whether they were versions or predictions nobody knows any more."""
    clone.write("model.bin", 1)
    clone.write("p.csv", _ROWS)
    clone.mvc("add", "model.bin", "--predictions", "p.csv")
    clone.mvc("push")
    clone.git("rm", "-q", "--cached", "model.bin.mvc")
    (clone.path / "model.bin.mvc").unlink()
    shown = clone.mvc("gc", "--grace", "0")
    assert shown.out.splitlines()[-1].startswith("2 objects can be removed, ")
    assert {item["what"] for item in clone.json("gc", "--grace", "0")["items"]} == {"object"}


def test_predictions_alone_are_named(clone: Clone) -> None:
    clone.commit_model(1)
    clone.mvc("push")
    clone.write("p.csv", _ROWS)
    clone.mvc("metrics", "set", "model.bin", "--predictions", "p.csv")
    assert clone.mvc("push").out.startswith("the predictions of 1 version sent to origin (")


def test_a_model_that_is_also_somebody_s_predictions_is_a_version(clone: Clone) -> None:
    clone.write("model.bin", 1)
    clone.write("p.csv", _ROWS)
    clone.mvc("add", "model.bin", "--predictions", "p.csv")
    clone.mvc("add", "p.csv")
    done = clone.json("push")
    assert (sorted(done["sent"]), done["predictions"]) == (["model.bin", "p.csv"], 0)


def test_what_a_fresh_clone_never_asked_for_is_unknown(clone: Clone, tmp_path: Path) -> None:
    clone.commit_model(1)
    clone.mvc("push")
    clone.commit_model(2)
    assert clone.json("ls")["models"][0]["pushed"] is False  # made here, and never sent
    assert clone.json("ls", "HEAD~1")["models"][0]["pushed"] is True
    clone.mvc("push")
    second = _second(clone, tmp_path)
    for words in (["ls"], ["ls", "HEAD~1"], ["status"]):
        assert second.json(*words)["models"][0]["pushed"] is None
    assert second.json("show", "model.bin")["pushed"] is None
    assert "not pushed" not in second.mvc("status").out
    second.mvc("pull")
    assert second.json("ls")["models"][0]["pushed"] is True
    assert second.json("ls", "HEAD~1")["models"][0]["pushed"] is None
