"""Three-way merges of pointers: every rule, and what no rule settles."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from modelvc.errors import BrokenPointer, PointerConflict
from modelvc.formats.binary.tree import TreeEntry
from modelvc.formats.paths import SafeRelPath
from modelvc.formats.pointer.model_table import ModelTable
from modelvc.formats.pointer.pointer import Conflict, Metrics, Pointer, parse
from modelvc.ids import Oid
from modelvc.models.files.store_present import store_present
from modelvc.models.files.trees import stored_files
from modelvc.ops.merging.merge_folders import merge_entries
from modelvc.ops.merging.merge_pointers import Merged, Sides, merge_pointers
from modelvc.repo import Repo, open_repo
from tests.support.clone import Clone

if TYPE_CHECKING:
    from pathlib import Path

PATH = SafeRelPath("model.bin")
LABELS = ("main", "topic")


def oid(letter: str) -> Oid:
    return Oid((letter * 32).encode())


def version(letter: str, parent: str = "", *, executable: bool = False, **metrics: float | str | bool) -> Pointer:
    """A version called LETTER, made from the one called PARENT."""
    return Pointer(
        "file",
        oid(letter),
        ord(letter),
        executable=executable,
        parent=oid(parent) if parent else None,
        metrics=Metrics(oid(letter), tuple(metrics.items())) if metrics else None,
    )


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    found = Clone.new(tmp_path / "clone", mvc=False)
    (found.path / ".git/mvc").mkdir()
    found.git("commit", "-q", "--allow-empty", "-m", "empty")
    return found


@pytest.fixture
def repo(clone: Clone) -> Repo:
    return open_repo(str(clone.path), {})


def merged(
    repo: Repo, base: Pointer | None, ours: Pointer, theirs: Pointer, commits: tuple[str, str] = ("", "")
) -> Merged:
    return merge_pointers(
        repo, PATH, Sides(base.encode() if base else b"", ours.encode(), theirs.encode(), LABELS, commits)
    )


def clean(repo: Repo, base: Pointer | None, ours: Pointer, theirs: Pointer) -> Pointer:
    """The result, the same from either side unless a test says otherwise."""
    done = merged(repo, base, ours, theirs)
    assert not done.conflict, done.words
    assert parse(done.data).conflict is None
    return parse(done.data)


def conflict(repo: Repo, base: Pointer | None, ours: Pointer, theirs: Pointer) -> tuple[Pointer, tuple[str, ...]]:
    done = merged(repo, base, ours, theirs)
    assert done.conflict
    found = parse(done.data)
    assert found.conflict is not None
    assert (found.conflict.ours, found.conflict.theirs) == LABELS
    assert found.oid == ours.oid
    assert found.conflict.other.oid == theirs.oid
    return found, done.words


def record(clone: Clone, *pointers: Pointer, why: str = "train") -> list[str]:
    """Commit versions one after the other; their commits."""
    commits = []
    for pointer in pointers:
        clone.write(f"{PATH}.mvc", pointer.encode())
        clone.git("add", "-A")
        clone.git("commit", "-q", "--allow-empty", "-m", f"{why} {pointer.oid.short}")
        commits.append(clone.git("rev-parse", "HEAD").strip())
    return commits


# -- the same on both sides, or changed on one


def test_what_only_one_side_changed_is_taken(repo: Repo) -> None:
    a, b = version("a", auc=0.5), version("b", "a", auc=0.6)
    assert clean(repo, a, a, b) == b
    assert clean(repo, a, b, a) == b
    assert clean(repo, a, b, b) == b
    assert clean(repo, b, a, b) == a  # a rollback is a change as well


def test_metadata_of_one_version_is_merged_by_key(repo: Repo) -> None:
    base = version("a", auc=0.5, loss=1.0)
    ours, theirs = version("a", auc=0.5, loss=1.0, f1=0.7), version("a", auc=0.6, loss=1.0, note="x")
    found = clean(repo, base, ours, theirs)
    assert found.metrics == Metrics(oid("a"), (("auc", 0.6), ("loss", 1.0), ("f1", 0.7), ("note", "x")))
    assert clean(repo, base, ours, version("a", loss=1.0)).metrics == Metrics(oid("a"), (("loss", 1.0), ("f1", 0.7)))
    assert clean(repo, None, version("a", auc=1.0), version("a", f1=2.0)).metrics == Metrics(
        oid("a"), (("auc", 1.0), ("f1", 2.0))
    )


def test_the_same_metric_with_two_values_is_a_conflict_and_loses_nothing(repo: Repo) -> None:
    base = version("a", auc=0.5)
    ours, theirs = version("a", auc=0.6, f1=0.1), version("a", auc=0.7, loss=3.0)
    found, words = conflict(repo, base, ours, theirs)
    assert "differ in auc" in words[0]
    assert found.metrics == Metrics(oid("a"), (("auc", 0.6), ("f1", 0.1), ("loss", 3.0)))
    assert found.conflict is not None
    assert found.conflict.other.metrics == Metrics(oid("a"), (("auc", 0.7), ("f1", 0.1), ("loss", 3.0)))


def test_one_and_true_are_two_values(repo: Repo) -> None:
    assert clean(
        repo, version("a", good=1, f1=1), version("a", good=True, f1=1), version("a", good=1, f1=2)
    ).metrics == (Metrics(oid("a"), (("good", True), ("f1", 2))))
    conflict(repo, version("a", good=0), version("a", good=True), version("a", good=1))


def test_a_metric_changed_here_and_removed_there_is_a_conflict(repo: Repo) -> None:
    base = version("a", auc=0.5, f1=1.0)
    conflict(repo, base, version("a", auc=0.6, f1=1.0), version("a", f1=1.0))
    conflict(repo, base, version("a", auc=0.6, f1=1.0), version("a"))


def test_metrics_that_one_side_forgot(repo: Repo) -> None:
    base = version("a", auc=0.5)
    ours, theirs = version("a"), version("a", executable=True, auc=0.5)
    assert clean(repo, base, ours, theirs) == version("a", executable=True)
    assert clean(repo, base, theirs, ours) == version("a", executable=True)


def test_stale_metrics_give_way(repo: Repo) -> None:
    stale = replace(version("a"), metrics=Metrics(oid("z"), (("auc", 0.1),)))
    fresh = version("a", auc=0.9)
    assert clean(repo, version("a"), stale, fresh).metrics == fresh.metrics
    assert clean(repo, version("a"), fresh, stale).metrics == fresh.metrics
    other = replace(version("a"), metrics=Metrics(oid("y"), (("auc", 0.2),)))
    conflict(repo, version("a"), stale, other)


def test_unknown_keys_are_merged_by_key(repo: Repo) -> None:
    base = replace(version("a"), extra={"kept": 1, "gone": 2, "mine": 3, "yours": 4})
    ours = replace(version("a"), extra={"kept": 1, "gone": 2, "mine": 30, "yours": 4})
    theirs = replace(version("a"), extra={"kept": 1, "mine": 3, "yours": {"deep": [1]}})
    assert clean(repo, base, ours, theirs).extra == {"kept": 1, "mine": 30, "yours": {"deep": [1]}}
    _, words = conflict(repo, base, ours, replace(theirs, extra={"mine": 31}))
    assert "differ in mine" in words[0]
    # of two versions each has its own, so that is no reason for a conflict
    newer = replace(version("b", "a"), extra={"mine": 31})
    assert clean(repo, base, ours, newer).extra == {"mine": 31}


@pytest.mark.parametrize("ours", [False, True])
def test_the_executable_bit(repo: Repo, *, ours: bool) -> None:
    changed = version("a", executable=True, f1=1.0) if ours else version("a", f1=1.0)
    other = version("a", auc=1.0) if ours else version("a", executable=True, auc=1.0)
    assert clean(repo, version("a"), changed, other).executable
    found, words = conflict(repo, None, changed, other)
    assert "executable" in words[0]
    assert found.executable is ours
    assert found.conflict is not None
    assert found.conflict.other.executable is not ours


def test_a_mode_here_and_content_there_are_both_taken(repo: Repo) -> None:
    found = clean(repo, version("a"), version("a", executable=True), version("b", "a", auc=1.0))
    assert (found.oid, found.executable, found.metrics) == (oid("b"), True, Metrics(oid("b"), (("auc", 1.0),)))


def test_metrics_never_move_to_another_version(repo: Repo) -> None:
    done = merged(repo, version("a"), version("a", auc=0.5), version("b", "a"))
    assert parse(done.data) == version("b", "a")
    assert "main recorded belong to the version before" in done.words[0]


def test_one_content_with_two_sizes_is_never_joined(repo: Repo) -> None:
    conflict(repo, version("a"), version("b", "a"), replace(version("b", "a"), size=1))


# -- descent


def test_the_descendant_is_taken(repo: Repo) -> None:
    a, b, c = version("a"), version("b", "a", auc=1.0), version("c", "b", auc=2.0)
    assert clean(repo, a, b, c) == c
    assert clean(repo, a, c, b) == c
    assert clean(repo, None, b, c) == c
    done = merged(repo, a, b, c)
    assert "topic's version" in done.words[0]


def test_a_long_chain_is_found_in_history(clone: Clone, repo: Repo) -> None:
    a, b, c, d = version("a"), version("b", "a"), version("c", "b"), version("d", "c")
    conflict(repo, a, b, d)  # nobody knows c
    record(clone, a, b, c, d)
    assert clean(repo, a, b, d) == d
    assert clean(repo, a, d, b) == d


def test_versions_side_by_side_are_a_conflict(clone: Clone, repo: Repo) -> None:
    a, b, c = version("a"), version("b", "a", auc=0.25), version("c", "a", auc=0.5)
    record(clone, a, b, c)
    _, words = conflict(repo, a, b, c)
    assert words[0] == "model.bin is in conflict: both sides changed it"
    assert words[1].split() == ["main", oid("b").short, "98", "B", "auc", "=", "0.25"]
    assert words[2].split() == ["topic", oid("c").short, "99", "B", "auc", "=", "0.5"]
    assert words[3] == "resolve it: mvc resolve model.bin --ours | --theirs | --keep-both"
    b, c = version("b", "a", auc=0.25, data="x"), version("c", "a", auc=0.5, data="x")
    assert "--best METRIC | --keep-both" in conflict(repo, a, b, c)[1][3]
    assert "both sides added it" in conflict(repo, None, b, c)[1][0]


def test_a_rollback_is_never_undone(clone: Clone, repo: Repo) -> None:
    a, b, c = version("a"), version("b", "a"), version("c", "b")
    record(clone, a, b, c)
    conflict(repo, b, a, c)  # we went back to a, they built upon b
    conflict(repo, b, c, a)


def test_a_rollback_within_a_branch_is_never_undone(clone: Clone, repo: Repo) -> None:
    a, b, c, d = version("a"), version("b", "a"), version("c", "b"), version("d", "c")
    first, *_, here = record(clone, a, b, c, b)
    clone.git("checkout", "-q", "-b", "topic", first)
    *_, there = record(clone, b, c, d, why="topic")
    for ours, theirs, commits in (
        (b, d, (here, there)),
        (d, b, (there, here)),
        (b, c, (here, there)),
        (b, d, (here, "")),
    ):
        done = merged(repo, a, ours, theirs, commits)
        assert done.conflict
        assert "went back" in done.words[0]
    # without a rollback the same versions merge
    clone.git("checkout", "-q", "-b", "calm", first)
    *_, calm = record(clone, b, why="calm")
    assert not merged(repo, a, b, d, (calm, there)).conflict


def test_a_chain_that_leads_past_the_base_is_no_descent(clone: Clone, repo: Repo) -> None:
    a, b, c = version("a"), version("b", "a"), version("c", "a")
    record(clone, a, b, c)
    conflict(repo, b, a, c)  # both went back to a; only one was trained anew, and nobody says which is meant


def test_circles_end(clone: Clone, repo: Repo) -> None:
    a, b, c = version("a", "c"), version("b", "a"), version("c", "b")
    record(clone, a, b, c)
    d, e = version("d", "b"), version("e", "c")
    conflict(repo, version("x"), d, e)


# -- what cannot be read


def test_pointers_that_can_not_be_read(repo: Repo) -> None:
    a, b = version("a").encode(), version("b").encode()
    with pytest.raises(BrokenPointer):
        merge_pointers(repo, PATH, Sides(a, b, b"format = 1\n"))
    with pytest.raises(PointerConflict):
        merge_pointers(repo, PATH, Sides(a, b"<<<<<<< x\n" + a, b))
    torn = merge_pointers(repo, PATH, Sides(b"torn", a, b))
    assert torn.conflict  # as if there were no base
    both = replace(version("c"), conflict=Conflict("x", "y", version("d"))).encode()
    with pytest.raises(PointerConflict):
        merge_pointers(repo, PATH, Sides(a, both, b))
    unsettled = replace(version("a"), conflict=Conflict("x", "y", version("d"))).encode()
    assert merge_pointers(repo, PATH, Sides(unsettled, a, b)).conflict  # a is what one side chose, so it is no base
    assert merge_pointers(repo, PATH, Sides(both, both, b)).data == b  # somebody settled it


def test_words_are_safe_for_a_terminal(repo: Repo) -> None:
    evil = Metrics(oid("b"), (("auc", "\u202e\u200b"),))
    ours, theirs = replace(version("b", "a"), metrics=evil), version("c", "a")
    _, words = conflict(repo, version("a"), ours, theirs)
    assert all(word.isprintable() for word in words)


# -- folders, by entry


def entry(path: str, letter: str = "x", *, executable: bool = False) -> tuple[SafeRelPath, TreeEntry]:
    return SafeRelPath(path), TreeEntry(SafeRelPath(path), executable, 1, oid(letter))


def entries(*found: tuple[SafeRelPath, TreeEntry]) -> dict[SafeRelPath, TreeEntry]:
    return dict(found)


KEPT = entry("kept")


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "result"),
    [
        ([], [entry("a")], [entry("b")], ["a", "b"]),
        ([], [entry("a")], [entry("a"), entry("b")], ["a", "b"]),
        ([entry("a")], [], [entry("a"), entry("b")], ["b"]),
        ([entry("a")], [entry("a"), entry("b")], [], ["b"]),
        ([entry("a")], [], [], []),
        ([entry("a"), entry("b")], [entry("a", "y"), entry("b")], [entry("a"), entry("b", "z")], ["a=y", "b=z"]),
        ([entry("a")], [entry("a", "y")], [entry("a", executable=True)], ["a=y+x"]),
        ([entry("a")], [entry("a", executable=True)], [entry("a", "y")], ["a=y+x"]),
        ([entry("a")], [entry("a", "y")], [entry("a", "y")], ["a=y"]),
        ([entry("a")], [entry("a/b")], [entry("a"), entry("c")], ["a/b", "c"]),
    ],
)
def test_files_that_merge(base: list, ours: list, theirs: list, result: list[str]) -> None:
    for mine, yours in ((ours, theirs), (theirs, ours)):
        found = merge_entries(entries(KEPT, *base), entries(KEPT, *mine), entries(KEPT, *yours))
        assert found.conflicts == ()
        letter = {bytes(oid(x)): "" if x == "x" else f"={x}" for x in "xyz"}
        said = [f"{e.path}{letter[bytes(e.oid)]}{'+x' if e.executable else ''}" for e in found.entries]
        assert sorted(said) == sorted(["kept", *result])


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "path", "why"),
    [
        ([], [entry("a", "y")], [entry("a", "z")], "a", "added on both sides"),
        ([], [entry("a")], [entry("a", executable=True)], "a", "executable on one side only"),
        ([entry("a")], [entry("a", "y")], [entry("a", "z")], "a", "changed on both sides"),
        ([entry("a")], [], [entry("a", "z")], "a", "deleted on one side, changed on the other"),
        ([entry("a")], [], [entry("a", executable=True)], "a", "deleted on one side, changed on the other"),
        ([], [entry("a")], [entry("a/b")], "a", "a file on one side, a folder on the other"),
        ([], [entry("a"), entry("a-b")], [entry("a/b/c")], "a", "a file on one side, a folder on the other"),
    ],
)
def test_files_that_do_not_merge(base: list, ours: list, theirs: list, path: str, why: str) -> None:
    for mine, yours in ((ours, theirs), (theirs, ours)):
        found = merge_entries(entries(KEPT, *base), entries(KEPT, *mine), entries(KEPT, *yours))
        assert found.conflicts == ((path, why),)


# -- folders, stored


def tree(clone: Clone, repo: Repo, parent: Pointer | None = None, **files: str | None) -> Pointer:
    """Store a folder of FILES (`a_b` is a/b)."""
    folder = clone.path / PATH
    if folder.exists():
        clone.run("rm", "-r", str(folder))
    for name, text in files.items():
        if text is not None:
            clone.write(f"{PATH}/{name.replace('_', '/')}", text.encode() * 50_000)
    found = store_present(repo, [PATH])[PATH]
    root = repo.store.read_root("tree", found)
    return Pointer("tree", found, root.size, files=root.files, parent=parent.oid if parent else None)


def test_two_people_add_files_to_one_folder(clone: Clone, repo: Repo) -> None:
    base = tree(clone, repo, a="a", empty="")
    ours = replace(tree(clone, repo, base, a="a", b_c="b", empty=""), metrics=None)
    theirs = tree(clone, repo, base, a="A", c="c", empty="")
    measured = replace(theirs, metrics=Metrics(theirs.oid, (("auc", 0.5),)))
    expected = tree(clone, repo, a="A", b_c="b", c="c", empty="").oid
    os.unlink(repo.store.root_path("tree", expected))
    done = merged(repo, base, ours, measured)
    found = parse(done.data)
    assert not done.conflict
    assert (found.oid, found.parent, found.metrics, found.files) == (expected, ours.oid, None, 4)
    assert "files of main and topic were merged" in done.words[0]
    assert "measure it again" in done.words[1]
    assert set(stored_files(repo.store, found.oid)) == {"a", "b/c", "c", "empty"}
    assert clean(repo, base, theirs, ours).oid == expected
    assert (
        clean(repo, None, tree(clone, repo, x="x"), tree(clone, repo, y="y")).oid == tree(clone, repo, x="x", y="y").oid
    )


def test_a_merged_tree_that_one_side_has_already_is_that_sides_version(clone: Clone, repo: Repo) -> None:
    base = tree(clone, repo, a="a")
    ours = replace(tree(clone, repo, base, a="a", b="b", c="c"))
    ours = replace(ours, metrics=Metrics(ours.oid, (("auc", 0.5),)))
    theirs = tree(clone, repo, base, a="a", b="b")
    assert clean(repo, base, ours, theirs) == ours
    assert clean(repo, base, theirs, ours) == ours


def test_a_rollback_of_a_folder_is_merged_by_file(clone: Clone, repo: Repo) -> None:
    a = tree(clone, repo, a="a")
    b = tree(clone, repo, a, a="a", b="b")
    c = tree(clone, repo, b, a="a", b="b", c="c")
    record(clone, a, b, c)
    assert set(stored_files(repo.store, clean(repo, b, a, c).oid)) == {"a", "c"}


def test_files_in_conflict_are_named(clone: Clone, repo: Repo) -> None:
    names = [f"f{number}" for number in range(7)]
    base = tree(clone, repo, **dict.fromkeys(names, "a"))
    ours = tree(clone, repo, base, **dict.fromkeys(names, "b"))
    theirs = tree(clone, repo, base, **dict.fromkeys(names, "c"))
    _, words = conflict(repo, base, ours, theirs)
    assert words[1:7] == (*(f"f{n}: changed on both sides" for n in range(5)), "and 2 more")


def test_a_folder_is_never_merged_away(clone: Clone, repo: Repo) -> None:
    base = tree(clone, repo, a="a", b="b")
    ours, theirs = tree(clone, repo, base, a="a"), tree(clone, repo, base, b="b")
    assert "removed all" in conflict(repo, base, ours, theirs)[1][0]


def test_a_file_here_and_a_folder_there(clone: Clone, repo: Repo) -> None:
    base = tree(clone, repo, a="a", b="b")
    theirs = tree(clone, repo, base, a="a")
    assert "a file on one side and a folder" in conflict(repo, base, version("f"), theirs)[1][0]
    conflict(repo, version("f"), tree(clone, repo, x="x"), theirs)  # the base was a file


def test_a_tree_that_is_not_here_can_not_be_merged(clone: Clone, repo: Repo) -> None:
    base, ours = tree(clone, repo, a="a"), tree(clone, repo, a="a", b="b")
    theirs = tree(clone, repo, a="a", c="c")
    os.unlink(repo.store.root_path("tree", theirs.oid))
    _, words = conflict(repo, base, ours, theirs)
    assert "no remote" in words[1]
    assert "git merge --abort" in words[2]


# -- what a version is goes with the version


def described(found: Pointer, words: str = "pickle") -> Pointer:
    return replace(found, model=ModelTable(found.oid, words))


UNREAD = {"model": {"later": 1}, "env": {"python": "3"}}


def test_the_description_of_the_version_that_is_taken(repo: Repo) -> None:
    base, ours, theirs = (described(version(*names), names[0]) for names in (("a",), ("a",), ("b", "a")))
    assert clean(repo, base, replace(ours, executable=True), theirs).model == theirs.model
    assert clean(repo, base, theirs, replace(ours, executable=True)).model == theirs.model
    plain = version("b", "a")
    assert clean(repo, base, replace(ours, executable=True), plain).model is None


def test_tables_of_the_other_version_are_not_taken_along(repo: Repo) -> None:
    loser = replace(version("a"), executable=True, extra=UNREAD | {"kept": 1})
    for pair in ((loser, version("b", "a")), (version("b", "a"), loser)):
        assert clean(repo, version("a"), *pair).extra == {"kept": 1}
    winner = replace(version("b", "a"), extra=UNREAD)
    assert clean(repo, loser, replace(loser, executable=False), winner).extra == UNREAD


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "chosen"),
    [
        ("", "", "one", "one"),
        ("", "one", "", "one"),
        ("", "one", "two", "one"),
        ("one", "one", "two", "two"),
        ("one", "two", "one", "two"),
        ("one", "one", "", ""),
        ("two", "one", "", "one"),
        ("one", "two", "three", "two"),
        (None, "", "one", "one"),
        (None, "one", "two", "one"),
    ],
)
def test_two_descriptions_of_one_version_are_no_conflict(
    repo: Repo, base: str | None, ours: str, theirs: str, chosen: str
) -> None:
    def made(word: str, **metrics: float) -> Pointer:
        found = version("a", **metrics)
        if word == "two":
            return replace(found, extra={"model": {"later": word}})
        return described(found, word) if word else found

    found = clean(repo, None if base is None else made(base), made(ours), made(theirs, auc=0.5))
    assert found.model == (None if chosen in {"", "two"} else described(version("a"), chosen).model)
    assert found.extra == ({"model": {"later": "two"}} if chosen == "two" else {})
    assert found.metrics == version("a", auc=0.5).metrics


def test_a_conflict_holds_no_description_of_theirs(repo: Repo) -> None:
    ours, theirs = described(version("b", "a")), described(version("c", "a"))
    found, _ = conflict(repo, version("a"), ours, theirs)
    assert found.model == ours.model
    assert found.conflict is not None
    assert found.conflict.other == replace(theirs, model=None)
