"""`mvc resolve`, and what may go wrong when a person chooses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blake3 import blake3

from tests.support.clone import Clone
from tests.support.merging import content, part, pointer, settled, shared

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return shared(tmp_path / "clone")


@pytest.fixture
def parted(clone: Clone) -> Clone:
    return part(clone)


def measured(clone: Clone, ours: tuple[str, ...], theirs: tuple[str, ...]) -> None:
    """Stop in a merge of two versions with these metrics."""
    for branch, seed, metrics in (("topic", 2, theirs), ("main", 3, ours)):
        clone.git("checkout", "-q", branch)
        clone.write("model.bin", seed)
        clone.mvc("add", "model.bin", *(word for metric in metrics for word in ("-m", metric)))
        clone.git("commit", "-qm", "measured")
    clone.run("git", "merge", "topic", code=1)


def directed(clone: Clone, direction: str) -> None:
    """Write a policy that says which DIRECTION of auc is better; none for ""."""
    if direction:
        clone.write(".mvc/policy.toml", f'[[metric]]\nname = "auc"\ndirection = {direction}\n'.encode())


@pytest.mark.parametrize(
    ("direction", "words", "seed", "compared"),
    [
        ('"higher"', (), 2, "auc 0.5 against 0.25"),
        ('"lower"', (), 3, "auc 0.25 against 0.5"),
        ('"lower"', ("--lower",), 3, "auc 0.25 against 0.5"),
        ('"target"\ntarget = 0.3', (), 3, "auc 0.25 against 0.5"),
        ('"info"', ("--lower",), 3, "auc 0.25 against 0.5"),
        ("", ("--lower",), 3, "auc 0.25 against 0.5"),
    ],
)
def test_the_better_one_by_the_policy(
    clone: Clone, direction: str, words: tuple[str, ...], seed: int, compared: str
) -> None:
    measured(clone, ("auc=0.25", "data=test-1"), ("auc=0.5", "data=test-1"))
    directed(clone, direction)
    (row,) = clone.json("resolve", "model.bin", "--best", "auc", *words)["models"]
    assert row["side"] == ("theirs" if seed == 2 else "ours")
    assert row["compared"] == compared
    assert clone.read("model.bin") == content(clone, seed)
    clone.git("commit", "-qm", "merged")
    assert settled(clone)


@pytest.mark.parametrize(
    ("ours", "theirs", "why"),
    [
        (("auc=0.25",), ("auc=0.5",), "main's version does not say on which data"),
        (("auc=0.25", "data=a"), ("auc=0.5",), "topic's version does not say on which data"),
        (("auc=0.25", "data=a"), ("auc=0.5", "data=b"), "different data: main on a and topic on b"),
        (("auc=0.25", "data=1"), ("auc=0.5", "data=1"), "does not say on which data"),
        (("data=a",), ("auc=0.5", "data=a"), "main's version has no metric auc"),
        (("auc=0.25", "data=a"), ("auc=nan", "data=a"), "topic's version has auc = nan"),
        (("auc=high", "data=a"), ("auc=0.5", "data=a"), "not a number"),
        (("auc=true", "data=a"), ("auc=0.5", "data=a"), "not a number"),
        (("auc=0.5", "data=a"), ("auc=0.5", "data=a"), "both versions have auc = 0.5"),
    ],
)
def test_versions_that_can_not_be_compared(
    clone: Clone, ours: tuple[str, ...], theirs: tuple[str, ...], why: str
) -> None:
    measured(clone, ours, theirs)
    text = pointer(clone)
    done = clone.mvc("resolve", "model.bin", "--best", "auc", code=2)
    assert why in done.err
    assert pointer(clone) == text


@pytest.mark.parametrize(
    ("direction", "words", "why"),
    [
        ("", (), "the policy does not say which way auc is better"),
        ('"info"', (), "the policy does not say which way auc is better"),
        ('"higher"', ("--lower",), "--lower contradicts the policy, which says higher of auc"),
        ('"target"\ntarget = 0.375', (), "auc 0.25 of main and 0.5 of topic are equally good"),
    ],
)
def test_a_direction_that_decides_nothing(clone: Clone, direction: str, words: tuple[str, ...], why: str) -> None:
    measured(clone, ("auc=0.25", "data=a"), ("auc=0.5", "data=a"))
    directed(clone, direction)
    text = pointer(clone)
    assert why in clone.mvc("resolve", "model.bin", "--best", "auc", *words, code=2).err
    assert pointer(clone) == text


def test_a_mistyped_metric_is_named_and_the_values_that_decided(clone: Clone) -> None:
    measured(clone, ("accuracy=0.25", "f1=0.1", "data=a"), ("accuracy=0.5", "data=a"))
    clone.write(".mvc/policy.toml", b'[[metric]]\nname = "accuracy"\ndirection = "higher"\n')
    said = clone.mvc("resolve", "model.bin", "--best", "acuracy", code=2).err
    assert "model.bin: neither version has a metric acuracy" in said
    assert "did you mean accuracy? known metrics: accuracy, f1" in said
    assert "main's version has no metric" not in said
    assert "accuracy 0.5 against 0.25" in clone.mvc("resolve", "model.bin", "--best", "accuracy").out


def test_a_file_of_git_that_is_still_in_conflict_is_named(clone: Clone) -> None:
    for branch, seed in (("topic", 2), ("main", 3)):
        clone.git("checkout", "-q", branch)
        clone.write("model.bin", seed)
        clone.mvc("add", "model.bin")
        clone.write("metrics.json", f"{seed}\n".encode())
        clone.git("add", "metrics.json")
        clone.git("commit", "-qm", "measured")
    clone.run("git", "merge", "topic", code=1)
    done = clone.mvc("resolve", "model.bin", "--ours")
    assert "still in conflict for Git: metrics.json (edit, then git add)" in done.err
    assert "git commit" not in done.err
    clone.git("checkout", "--ours", "metrics.json")
    clone.git("add", "metrics.json")
    clone.git("commit", "-qm", "merged")
    assert settled(clone)


def test_stale_metrics_decide_nothing(clone: Clone) -> None:
    measured(clone, ("auc=0.25", "data=a"), ("auc=0.5", "data=a"))
    theirs = blake3(content(clone, 2)).hexdigest()
    text = pointer(clone).replace(
        f'[conflict.metrics]\nof = "blake3:{theirs}', f'[conflict.metrics]\nof = "blake3:{"0" * 64}'
    )
    clone.write("model.bin.mvc", text.encode())
    assert "measured on another" in clone.mvc("resolve", "model.bin", "--best", "auc", code=2).err


def test_both_are_kept(parted: Clone) -> None:
    parted.git("branch", "-m", "topic", "feature/über wide".replace(" ", "-"))
    parted.write("model-feature--ber-wide.bin", b"in the way")
    parted.run("git", "merge", "feature/über-wide", code=1)
    done = parted.json("resolve", "model.bin", "--keep-both")
    assert [row["path"] for row in done["models"]] == ["model.bin", "model-feature--ber-wide-2.bin"]
    assert parted.read("model.bin") == content(parted, 3)
    assert parted.read("model-feature--ber-wide-2.bin") == content(parted, 2)
    assert parted.read("model-feature--ber-wide.bin") == b"in the way"
    assert pointer(parted, "model-feature--ber-wide-2.bin") == parted.git("show", "feature/über-wide:model.bin.mvc")
    staged = parted.git("diff", "--cached", "--name-only").split()
    assert staged == [".gitignore", "model-feature--ber-wide-2.bin.mvc"]
    parted.git("commit", "-qm", "both")
    assert settled(parted)


def test_without_a_driver_the_index_tells_the_sides(parted: Clone) -> None:
    (parted.path / ".git/info/attributes").write_text("*.mvc text eol=lf merge=text\n")
    parted.run("git", "merge", "topic", code=1)
    assert "<<<<<<<" in pointer(parted)
    assert "mvc resolve" in parted.mvc("status").err
    (row,) = parted.json("resolve", "model.bin", "--theirs")["models"]
    assert row["label"] == "topic"
    assert parted.read("model.bin") == content(parted, 2)
    parted.git("commit", "-qm", "merged")
    assert settled(parted)


def test_one_side_deleted_the_model(parted: Clone) -> None:
    parted.git("rm", "-q", "model.bin.mvc")
    parted.git("commit", "-qm", "gone")
    parted.run("git", "merge", "topic", code=1)
    assert "one deleted it" in parted.mvc("status").out
    done = parted.mvc("resolve", "model.bin", "--ours", code=2)
    assert "main deleted model.bin" in done.err
    assert "mvc rm model.bin" in done.err
    parted.mvc("resolve", "model.bin", "--theirs")
    assert parted.read("model.bin") == content(parted, 2)
    parted.git("commit", "-qm", "merged")
    assert settled(parted)
    parted.git("reset", "-q", "--hard", "HEAD~1")
    parted.run("git", "merge", "topic", code=1)
    parted.mvc("rm", "model.bin")
    parted.git("commit", "-qm", "merged")
    assert not (parted.path / "model.bin").exists()
    assert settled(parted)


def test_unsaved_changes_are_never_replaced(parted: Clone) -> None:
    parted.run("git", "merge", "topic", code=1)
    unsaved = parted.write("model.bin", 9)
    text = pointer(parted)
    for side in ("--ours", "--theirs", "--keep-both"):
        parted.mvc("resolve", "model.bin", side, code=11)
        assert parted.read("model.bin") == unsaved
        assert pointer(parted) == text
    (row,) = parted.json("resolve", "model.bin", "--theirs", "--force")["models"]
    assert row["was"] == f"blake3:{blake3(unsaved).hexdigest()}"
    parted.mvc("checkout", row["was"][:17], "model.bin")
    assert parted.read("model.bin") == unsaved


def test_what_resolve_does_not_do(parted: Clone) -> None:
    parted.commit_model(8, "other.bin")
    assert "not in conflict" in parted.mvc("resolve", "model.bin", "--ours", code=2).err
    parted.run("git", "merge", "topic", code=1)
    assert "in conflict: model.bin" in parted.mvc("resolve", "other.bin", "--ours", code=2).err
    assert "no side is chosen" in parted.mvc("resolve", "model.bin", code=2).err
    assert "cannot be combined" in parted.mvc("resolve", "model.bin", "--ours", "--theirs", code=2).err
    assert "--lower goes with" in parted.mvc("resolve", "model.bin", "--ours", "--lower", code=2).err
    assert "no model is named" in parted.mvc("resolve", "--ours", code=2).err
    parted.mvc("resolve", "nowhere", "--ours", code=10)


def test_a_conflict_that_was_committed_is_found_and_settled(parted: Clone) -> None:
    parted.run("git", "merge", "topic", code=1)
    parted.git("add", "model.bin.mvc")
    assert "mvc resolve model.bin" in parted.run("git", "commit", "-qm", "oops", code=1).err
    parted.git("commit", "-q", "--no-verify", "-m", "oops")
    assert parted.mvc("fsck", "--markers", "HEAD", code=1).out == "model.bin\n"
    assert "conflict" in parted.mvc("status", "--exit-code", code=1).out
    assert "is in conflict at" in parted.mvc("get", ".", "model.bin", "-o", "out.bin", code=11).err
    parted.git("init", "-q", "--bare", "../far.git")
    parted.git("remote", "add", "origin", "../far.git")
    parted.mvc("remote", "add", "origin", "../models")
    assert "still in conflict: model.bin" in parted.run("git", "push", "-q", "origin", "HEAD:next").err
    parted.mvc("resolve", "model.bin", "--theirs")
    parted.git("commit", "-qm", "mended")
    assert parted.read("model.bin") == content(parted, 2)
    assert settled(parted)


def test_gc_keeps_both_sides(parted: Clone) -> None:
    parted.run("git", "merge", "topic", code=1)
    parted.git("add", "model.bin.mvc")
    parted.git("commit", "-q", "--no-verify", "-m", "oops")
    parted.git("branch", "-qD", "topic")
    parted.git("update-ref", "HEAD", parted.git("commit-tree", "HEAD^{tree}", "-m", "one").strip())
    parted.git("reflog", "expire", "--expire=all", "--all")
    parted.let_go()
    parted.mvc("resolve", "model.bin", "--theirs")
    assert parted.read("model.bin") == content(parted, 2)


def test_a_base_that_git_made_up(tmp_path: Path) -> None:
    """Two histories that merged each other have two merge bases; of a model that both added Git merges nothing."""
    clone = Clone.new(tmp_path / "clone")
    clone.git("branch", "topic")
    clone.commit_model(1)
    clone.git("checkout", "-q", "topic")
    clone.commit_model(2)
    clone.git("branch", "second")
    for branch, other in (("topic", "main"), ("main", "second")):
        clone.git("checkout", "-q", branch)
        clone.git("merge", "-q", other, code=1)
        clone.mvc("resolve", "model.bin", "--ours")
        clone.git("commit", "-qm", f"merge {other}")
    clone.commit_model(3)
    clone.git("checkout", "-q", "topic")
    clone.commit_model(4)
    clone.git("merge", "-q", "main", code=1)
    stages = clone.git("ls-files", "-s", "model.bin.mvc").split("\n")
    assert clone.git("cat-file", "blob", stages[0].split()[1]) == "", "the base is no pointer"
    clone.mvc("resolve", ".", "--theirs")
    assert clone.read("model.bin") == content(clone, 3)
    assert settled(clone)


def test_status_offers_the_better_one_where_it_can_be_told(clone: Clone) -> None:
    measured(clone, ("auc=0.25", "data=a"), ("auc=0.5", "data=a"))
    assert "mvc resolve model.bin --ours (or --theirs, --best METRIC, --keep-both)" in clone.mvc("status").err
    clone.git("merge", "--abort")
    measured(clone, ("auc=0.75", "data=a"), ("auc=0.6", "data=b"))
    assert "mvc resolve model.bin --ours (or --theirs, --keep-both)" in clone.mvc("status").err
