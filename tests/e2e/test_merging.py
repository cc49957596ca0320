"""Merges of models with real Git: afterwards the worktree's models agree with their pointers."""

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


# -- what merges by itself


def test_a_merge_takes_the_version_that_was_made_from_the_other(clone: Clone) -> None:
    clone.git("checkout", "-q", "topic")
    clone.commit_model(2)
    clone.git("checkout", "-q", "main")
    clone.git("cherry-pick", "topic")
    clone.git("commit", "-q", "--amend", "-m", "another commit")
    newest = clone.commit_model(3)
    clone.mvc("add", "model.bin", "-m", "auc=0.5")
    clone.git("commit", "-qm", "measured")
    clone.git("checkout", "-q", "topic")
    done = clone.run("git", "merge", "--no-edit", "main")
    assert "main's version" in done.err
    assert clone.read("model.bin") == newest
    assert "auc = 0.5" in pointer(clone)
    assert settled(clone)


def test_a_merge_never_undoes_a_rollback(clone: Clone) -> None:
    clone.git("checkout", "-q", "topic")
    clone.commit_model(2)
    clone.commit_model(4)
    clone.git("checkout", "-q", "main")
    clone.git("cherry-pick", "topic~1")
    clone.git("commit", "-q", "--amend", "-m", "taken over")
    clone.mvc("checkout", "HEAD~1", "model.bin")
    clone.git("commit", "-qm", "back again: it was no good")
    clone.run("git", "merge", "-q", "--no-edit", "topic")  # to Git, only topic changed it since both parted
    assert settled(clone)
    clone.git("reset", "-q", "--hard", "HEAD~1")
    # main goes on, and back to a version that topic builds upon
    clone.git("cherry-pick", "topic~1")
    clone.git("commit", "-q", "--amend", "-m", "taken over again")
    clone.git("cherry-pick", "topic")
    clone.git("commit", "-q", "--amend", "-m", "this as well")
    clone.mvc("checkout", "HEAD~1", "model.bin")
    clone.git("commit", "-qm", "back: it was no good")
    done = clone.run("git", "merge", "topic", code=1)
    assert "went back" in done.err
    assert clone.read("model.bin") == content(clone, 2)
    clone.mvc("resolve", "model.bin", "--ours")
    clone.git("commit", "-qm", "merged")
    assert settled(clone)


def test_metrics_of_one_version_are_joined(clone: Clone) -> None:
    for branch, metric in (("topic", "auc=0.5"), ("main", "loss=1.5")):
        clone.git("checkout", "-q", branch)
        clone.mvc("add", "model.bin", "-m", metric)
        clone.git("commit", "-qm", metric)
    clone.git("merge", "-q", "--no-edit", "topic")
    assert "auc = 0.5" in pointer(clone)
    assert "loss = 1.5" in pointer(clone)
    assert settled(clone)


def test_a_model_renamed_here_and_trained_there(clone: Clone) -> None:
    clone.git("checkout", "-q", "topic")
    newest = clone.commit_model(2)
    clone.git("checkout", "-q", "main")
    clone.mvc("mv", "model.bin", "renamed.bin")
    clone.git("commit", "-qm", "renamed")
    clone.git("merge", "-q", "--no-edit", "topic")
    assert clone.read("renamed.bin") == newest
    assert not (clone.path / "model.bin").exists()
    assert settled(clone)


def folder(clone: Clone) -> None:
    """A folder that gained a file on either side of main and topic."""
    clone.write("encoder/weights.bin", 5)
    clone.write("encoder/config.json", b"{}\n")
    clone.mvc("add", "encoder")
    clone.git("commit", "-qm", "encoder")
    clone.git("branch", "-f", "topic")
    for branch, name in (("topic", "tokens.txt"), ("main", "merges.txt")):
        clone.git("checkout", "-q", branch)
        clone.write(f"encoder/{name}", name.encode())
        clone.mvc("add", "encoder", "-m", "auc=0.5")
        clone.git("commit", "-qm", name)


def test_two_people_add_files_to_one_folder(clone: Clone) -> None:
    folder(clone)
    done = clone.run("git", "merge", "--no-edit", "topic")
    assert "files of main and topic were merged" in done.err
    names = sorted(path.name for path in (clone.path / "encoder").iterdir())
    assert names == ["config.json", "merges.txt", "tokens.txt", "weights.bin"]
    assert clone.read("encoder/tokens.txt") == b"tokens.txt"
    assert "metrics" not in pointer(clone, "encoder")
    assert settled(clone)
    clone.mvc("fsck")


def test_a_folder_that_another_clone_has(clone: Clone, tmp_path: Path) -> None:
    """What a merge of folders needs is fetched; without it the merge is a conflict that says what to run."""
    clone.mvc("remote", "add", "origin", str(tmp_path / "models"))
    clone.git("add", "-A")
    clone.git("commit", "-qm", "remote")
    folder(clone)
    clone.mvc("push", "--all")
    clone.git("clone", "-q", str(clone.path), str(tmp_path / "other"))
    other = Clone(tmp_path / "other")
    other.mvc("install", "--trust")
    other.mvc("pull")
    (tmp_path / "models").rename(tmp_path / "away")
    done = other.run("git", "merge", "--no-edit", "origin/topic", code=1)
    assert "could not be compared" in done.err
    assert "mvc fetch --all" in done.err
    other.git("merge", "--abort")
    (tmp_path / "away").rename(tmp_path / "models")
    other.git("merge", "--no-edit", "origin/topic")
    assert (other.path / "encoder/tokens.txt").exists()
    assert settled(other)


# -- conflicts


@pytest.mark.parametrize(("side", "seed"), [("--ours", 3), ("--theirs", 2)])
def test_a_merge_in_conflict(parted: Clone, side: str, seed: int) -> None:
    done = parted.run("git", "merge", "topic", code=1)
    ours, theirs = (blake3(content(parted, n)).hexdigest()[:10] for n in (3, 2))
    for words in (f"main   {ours}  200 kB  no metrics", f"topic  {theirs}  200 kB  no metrics"):
        assert words in done.err
    assert done.err.count("model.bin is in conflict") == 1
    assert "resolve it: mvc resolve model.bin --ours | --theirs | --keep-both\n" in done.err
    assert "UU model.bin.mvc" in parted.git("status", "--short")
    assert 'ours = "main"\ntheirs = "topic"\n' in pointer(parted)
    assert parted.read("model.bin") == content(parted, 3)
    status = parted.mvc("status", "--exit-code", code=1)
    assert "main or topic" in status.out
    assert "mvc resolve model.bin --ours" in status.err
    assert parted.mvc("fsck", "--markers", code=1).out == "model.bin\n"
    done = parted.mvc("resolve", "model.bin", side)
    assert "next: git commit" in done.err
    assert parted.read("model.bin") == content(parted, seed)
    parted.git("commit", "-qm", "merged")
    assert settled(parted)


def test_a_conflict_that_git_merged_as_text_is_named_all_the_same(parted: Clone) -> None:
    parted.git("config", "--local", "--remove-section", "merge.mvc-pointer")
    done = parted.run("git", "merge", "topic", code=1)
    assert (
        done.err.count("model.bin is in conflict\n     resolve it: mvc resolve model.bin --ours (or --theirs)\n") == 1
    )


def test_what_can_be_shown_of_a_conflict_is(parted: Clone) -> None:
    parted.commit_model(8, "other.bin")
    parted.run("git", "merge", "topic", code=1)
    assert "(in conflict)" in parted.mvc("ls").out
    assert "topic: " in parted.mvc("show", "model.bin").out
    assert "no model differs" not in parted.mvc("diff").out
    assert parted.mvc("log").out
    parted.mvc("checkout", "model.bin")
    assert parted.read("model.bin") == content(parted, 3)
    text = pointer(parted)
    parted.write("model.bin.mvc", f"<<<<<<< HEAD\n{text}=======\n{text}>>>>>>> topic\n".encode())
    assert "in conflict" in parted.mvc("ls").out
    assert "other.bin" in parted.mvc("ls").out
    assert "not compared" in parted.mvc("diff").err
    assert "model.bin" in parted.mvc("log").out
    assert "mvc resolve" in parted.mvc("show", "model.bin", code=11).err


def test_a_new_version_settles_a_conflict(parted: Clone) -> None:
    before = pointer(parted).splitlines()[2].replace("oid", "parent")
    parted.run("git", "merge", "topic", code=1)
    parted.write("model.bin", 7)
    done = parted.mvc("add", "model.bin", "-m", "auc=1")
    assert "conflict is resolved" in done.err
    assert "[conflict]" not in pointer(parted)
    assert before in pointer(parted)
    parted.git("commit", "-qm", "trained on both")
    assert settled(parted)


def test_adding_either_side_settles_a_conflict_with_it(parted: Clone) -> None:
    theirs = parted.git("show", "topic:model.bin.mvc")
    parted.run("git", "merge", "topic", code=1)
    parted.write("model.bin", 2)
    parted.mvc("add", "model.bin")
    assert pointer(parted) == theirs
    parted.git("reset", "-q", "--hard")
    ours = pointer(parted)
    parted.run("git", "merge", "topic", code=1)
    assert "conflict is resolved" in parted.mvc("add", "model.bin").err
    assert pointer(parted) == ours


def test_rebase(parted: Clone) -> None:
    parted.git("checkout", "-q", "topic")
    done = parted.run("git", "rebase", "main", code=1)
    assert 'ours = "main"\ntheirs = "topic"\n' in pointer(parted)
    assert "mvc resolve model.bin" in done.err
    assert parted.read("model.bin") == content(parted, 3)
    done = parted.mvc("resolve", "model.bin", "--theirs")
    assert "next: git rebase --continue" in done.err
    parted.env["GIT_EDITOR"] = "true"
    parted.git("rebase", "--continue")
    assert parted.read("model.bin") == content(parted, 2)
    assert settled(parted)


def test_rebase_that_skips_its_own(parted: Clone) -> None:
    parted.git("checkout", "-q", "topic")
    parted.run("git", "rebase", "main", code=1)
    parted.git("rebase", "--skip")
    assert parted.read("model.bin") == content(parted, 3)
    assert settled(parted)


def test_cherry_pick(parted: Clone) -> None:
    parted.run("git", "cherry-pick", "topic", code=1)
    assert parted.read("model.bin") == content(parted, 3)
    done = parted.mvc("resolve", ".", "--theirs")
    assert "next: git cherry-pick --continue" in done.err
    parted.git("-c", "core.editor=true", "cherry-pick", "--continue")
    assert parted.read("model.bin") == content(parted, 2)
    assert settled(parted)


def test_revert_of_a_version_that_others_were_made_from(parted: Clone) -> None:
    parted.commit_model(4)
    done = parted.run("git", "revert", "--no-edit", "HEAD~1", code=1)
    assert "in conflict" in done.err
    done = parted.mvc("resolve", "model.bin", "--theirs")
    assert "next: git revert --continue" in done.err
    parted.git("-c", "core.editor=true", "revert", "--continue")
    assert parted.read("model.bin") == content(parted, 1)
    assert settled(parted)


def test_stash_pop(clone: Clone) -> None:
    clone.write("model.bin", 5)
    clone.mvc("add", "model.bin")
    clone.git("stash", "-q")
    clone.commit_model(6)
    clone.run("git", "stash", "pop", code=1)
    assert clone.read("model.bin") == content(clone, 6)
    clone.mvc("resolve", "model.bin", "--theirs")
    assert clone.read("model.bin") == content(clone, 5)
    clone.git("commit", "-qm", "from the stash")
    assert settled(clone)


def test_stash_pop_onto_a_version_it_was_not_made_from_but_that_merges(clone: Clone) -> None:
    clone.mvc("add", "model.bin", "-m", "auc=0.5")
    clone.git("stash", "-q")
    clone.mvc("add", "model.bin", "-m", "loss=0.25")
    clone.git("commit", "-qm", "loss")
    clone.git("stash", "pop", "-q")
    assert "auc = 0.5" in pointer(clone)
    assert "loss = 0.25" in pointer(clone)
    assert settled(clone)


def test_a_criss_cross_merge(parted: Clone) -> None:
    """Two merge bases, which Git merges with each other first: no table may come out of that."""
    for branch, other, side in (("main", "topic", "--ours"), ("topic", "main~1", "--ours")):
        parted.git("checkout", "-q", branch)
        parted.run("git", "merge", "topic" if branch == "main" else "main~1", code=1)
        parted.mvc("resolve", "model.bin", side)
        parted.git("commit", "-qm", f"{branch} merges {other}")
    assert len(parted.git("merge-base", "--all", "main", "topic").split()) == 2
    parted.git("checkout", "-q", "main")
    parted.run("git", "merge", "--no-edit", "topic", code=1)
    assert pointer(parted).count("[conflict]") == 1
    assert parted.read("model.bin") == content(parted, 3)
    parted.mvc("resolve", "model.bin", "--theirs")
    parted.git("commit", "-qm", "merged")
    assert parted.read("model.bin") == content(parted, 2)
    assert settled(parted)


def test_an_octopus(clone: Clone) -> None:
    for branch in ("topic", "other"):
        clone.git("checkout", "-q", "-B", branch, "main")
        clone.commit_model(len(branch), f"{branch}/model.bin")
    clone.git("checkout", "-q", "main")
    clone.git("merge", "-q", "--no-edit", "topic", "other")
    assert clone.agrees("topic/model.bin")
    assert clone.agrees("other/model.bin")
    assert settled(clone)


def test_an_octopus_whose_arms_changed_one_model(parted: Clone) -> None:
    """Git merges the text of these without asking any driver: whatever comes of that, it is no version of nobody."""
    parted.git("checkout", "-q", "-b", "third", "main~1")
    parted.write("other", b"file")
    parted.git("add", "other")
    parted.git("commit", "-qm", "other")
    parted.run("git", "merge", "--no-edit", "main", "topic", code=1)
    parted.git("reset", "-q", "--hard")
    assert parted.agrees()
    assert settled(parted)


def test_a_pull(parted: Clone, tmp_path: Path) -> None:
    parted.git("clone", "-q", str(parted.path), str(tmp_path / "other"))
    other = Clone(tmp_path / "other")
    other.mvc("install")
    done = other.run("git", "pull", "--no-rebase", "origin", "topic", code=1)
    assert 'theirs = "origin/topic"' in pointer(other)
    assert "origin/topic" in done.err
