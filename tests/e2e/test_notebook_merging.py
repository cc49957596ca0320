"""Merges of notebooks by Git, in all the ways in which it merges: nothing is lost, and the result opens in Jupyter."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelvc.notebook import conflict
from modelvc.notebook.document import parse
from tests.support.clone import Clone
from tests.support.notebook_clone import (
    NAME,
    TEXTS,
    commit,
    copied,
    heard,
    pristine,
    ran,
    said,
    settled,
    slip,
    stored,
    with_notebook,
)
from tests.support.notebooks import cell, dump, notebook, sources, validate

Parted = Callable[..., Clone]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return with_notebook(tmp_path_factory.mktemp("first") / "project")


@pytest.fixture
def parted(first: Clone, tmp_path: Path) -> Parted:
    """`parted(ours, theirs, base)`: main, which is checked out, and side, each with a version of its own."""

    def part(ours: bytes, theirs: bytes, base: bytes | None = None) -> Clone:
        clone = copied(first, tmp_path / "project")
        if base is not None:
            commit(clone, base, "base")
        clone.git("branch", "side")
        commit(clone, ours, "ours")
        clone.git("switch", "-q", "side")
        commit(clone, theirs, "theirs")
        clone.git("switch", "-q", "main")
        return clone

    return part


def lost(clone: Clone, *revisions: str) -> list[str]:
    """Lines of sources that some of the REVISIONS hold and the worktree's notebook does not."""
    there = {line for text in sources(clone.read(NAME)) for line in text.splitlines()}
    wanted = {line for one in revisions for text in sources(stored(clone, at=one)) for line in text.splitlines()}
    return sorted(wanted - there)


def conflicts(clone: Clone) -> int:
    return conflict.count(parse(clone.read(NAME)).notebook)


def in_conflict(clone: Clone, count: int) -> None:
    """Git knows of the conflict, the notebook is valid, and history is clean."""
    assert clone.git("diff", "--name-only", "--diff-filter=U") == f"{NAME}\n"
    validate(clone.read(NAME))
    assert conflicts(clone) == count
    pristine(clone)


OURS = ran("one\nmore", "TWO", "three", "four", who="ours, at length")
THEIRS = ran("one\nmore", "two", "three", "FOUR", "five", who="theirs")
BOTH = ["one\nmore", "TWO", "three", "FOUR", "five"]


# -- git merge


def test_both_ran_all_of_it(parted: Parted) -> None:
    clone = parted(OURS, THEIRS)
    clone.git("merge", "-q", "--no-edit", "side")
    assert sources(clone.read(NAME)) == BOTH
    assert heard(clone.read(NAME))[1] == "ours, at length"
    assert heard(clone.read(NAME))[3:] == ["theirs", "theirs"]
    assert lost(clone, "main^1", "side") == ["four", "two"], "each side replaced one of these"
    settled(clone)


def test_different_cells_at_the_end(parted: Parted) -> None:
    ours = [cell("ours, first", "aaa-4f7a9e", outputs=[said("x")]), cell("ours, second", "bbb-4f7a9e")]
    theirs = [cell("# theirs", "ddd-4f7a9e", kind="markdown")]
    clone = parted(*(_with(ran(*TEXTS), *some) for some in (ours, theirs)))
    done = clone.run("git", "merge", "side", code=1)
    assert f"mvc: {NAME}: 1 conflict between main and side" in done.err
    assert f"mvc notebook resolve {NAME} --ours" in done.err
    assert sources(clone.read(NAME)) == [
        *TEXTS,
        "`<<<<<<<` main",
        "ours, first",
        "ours, second",
        "`=======`",
        "# theirs",
        "`>>>>>>>` side",
    ]
    in_conflict(clone, 1)
    clone.mvc("notebook", "resolve", NAME, "--union")
    clone.git("add", NAME)
    clone.git("commit", "-qm", "both")
    assert sources(clone.read(NAME)) == [*TEXTS, "ours, first", "ours, second", "# theirs"]
    assert lost(clone, "main^1", "side") == []
    settled(clone)


def _with(data: bytes, *cells: Any) -> bytes:
    value = json.loads(data)
    value["cells"] += cells
    return dump(value)


def test_the_same_lines(parted: Parted) -> None:
    clone = parted(ran("ours\nmore", *TEXTS[1:]), ran("theirs\nmore", *TEXTS[1:]))
    clone.git("merge", "side", code=1)
    assert sources(clone.read(NAME)) == ["<<<<<<< main\nours\n=======\ntheirs\n>>>>>>> side\nmore", *TEXTS[1:]]
    assert heard(clone.read(NAME)) == ["", "run", "run", "run"], "nobody ran a mixture"
    in_conflict(clone, 1)
    clone.git("checkout", "--theirs", NAME)
    assert sources(clone.read(NAME))[0] == "theirs\nmore"
    clone.git("checkout", "-m", "--", NAME)
    assert conflicts(clone) == 1
    assert "theirs" in sources(clone.read(NAME))[0]
    clone.git("merge", "--abort")
    assert sources(clone.read(NAME))[0] == "ours\nmore"
    settled(clone)


@pytest.mark.parametrize("who", ["ours", "theirs"])
def test_deleted_here_and_changed_there(parted: Parted, who: str) -> None:
    changed, deleted = ran("one\nmore", "two\nand a half", *TEXTS[2:]), _without(ran(*TEXTS), 1)
    clone = parted(*((changed, deleted) if who == "ours" else (deleted, changed)))
    clone.git("merge", "side", code=1)
    assert "two\nand a half" in sources(clone.read(NAME))
    words = ("main", "side") if who == "ours" else ("side", "main")
    assert f"{words[0]} changed this cell, {words[1]} deleted it" in sources(clone.read(NAME))[1]
    in_conflict(clone, 1)
    clone.mvc("notebook", "resolve", NAME, "--ours")
    assert sources(clone.read(NAME)) == sources(stored(clone, at="main"))
    clone.git("commit", "-qam", "ours")
    settled(clone)


def _without(data: bytes, at: int) -> bytes:
    value = json.loads(data)
    del value["cells"][at]
    return dump(value)


def test_deleted_here_and_run_again_there_is_no_conflict(parted: Parted) -> None:
    clone = parted(_without(ran(*TEXTS), 1), ran(*TEXTS[:3], "FOUR", who="again"))
    clone.git("merge", "-q", "--no-edit", "side")
    assert sources(clone.read(NAME)) == ["one\nmore", "three", "FOUR"]
    settled(clone)


def test_moved_here_and_changed_there(parted: Parted) -> None:
    value = json.loads(ran(*TEXTS))
    value["cells"].insert(0, value["cells"].pop())
    clone = parted(dump(value), ran("ONE\nmore", "two", "three", "FOUR"))
    clone.git("merge", "-q", "--no-edit", "side")
    assert sources(clone.read(NAME)) == ["FOUR", "ONE\nmore", "two", "three"]
    settled(clone)


# -- the other ways to merge: both sides changed the first cell, and each another one


MINE = ran("mine", "TWO", "three", "four")
OTHER = ran("other", "two", "three", "FOUR")


def _marked(ours: str, theirs: str) -> str:
    return f"<<<<<<< {ours}\nmine\n=======\nother\n>>>>>>> {theirs}"


def test_rebase_shows_whose_is_whose(parted: Parted) -> None:
    clone = parted(MINE, OTHER)
    clone.git("rebase", "main", "side", code=1)
    assert sources(clone.read(NAME)) == [_marked("main", "side"), "TWO", "three", "FOUR"]
    in_conflict(clone, 1)
    clone.mvc("notebook", "resolve", NAME, "--union")
    clone.git("add", NAME)
    clone.git("-c", "core.editor=true", "rebase", "--continue")
    assert sources(clone.read(NAME)) == ["mine\nother", "TWO", "three", "FOUR"]
    settled(clone)


def test_rebase_with_the_other_backend(parted: Parted) -> None:
    clone = parted(MINE, OTHER)
    clone.git("rebase", "--apply", "main", "side", code=1)
    # Git has not yet noted whose rebase it is: ours is a commit without a name
    onto = clone.git("rev-parse", "--short=10", "main").strip()
    assert sources(clone.read(NAME)) == [_marked(onto, "theirs"), "TWO", "three", "FOUR"]
    clone.mvc("notebook", "merge", NAME, code=1)
    assert sources(clone.read(NAME)) == [_marked("main", "side"), "TWO", "three", "FOUR"]
    validate(clone.read(NAME))
    clone.git("rebase", "--abort")
    assert sources(clone.read(NAME)) == ["other", "two", "three", "FOUR"]
    settled(clone)


def test_cherry_pick(parted: Parted) -> None:
    clone = parted(MINE, OTHER)
    clone.git("cherry-pick", "side", code=1)
    text = sources(clone.read(NAME))[0]
    assert text.startswith("<<<<<<< main\nmine\n=======\nother\n>>>>>>> ")
    assert sources(clone.read(NAME))[1:] == ["TWO", "three", "FOUR"]
    in_conflict(clone, 1)
    clone.mvc("notebook", "resolve", NAME, "--theirs")
    clone.git("add", NAME)
    clone.git("-c", "core.editor=true", "cherry-pick", "--continue")
    assert sources(clone.read(NAME)) == ["other", "TWO", "three", "FOUR"]
    settled(clone)


def test_revert(parted: Parted) -> None:
    clone = parted(MINE, OTHER)
    commit(clone, ran("later", "TWO", "three", "four"))
    clone.git("revert", "--no-edit", "HEAD~1", code=1)
    text = sources(clone.read(NAME))[0]
    assert text.startswith("<<<<<<< main\nlater\n=======\none\nmore\n>>>>>>> ")
    assert sources(clone.read(NAME))[1:] == ["two", "three", "four"]
    in_conflict(clone, 1)
    clone.git("revert", "--abort")
    settled(clone)


def test_stash_pop(parted: Parted) -> None:
    clone = parted(MINE, OTHER)
    clone.write(NAME, ran("stashed", "TWO", "three", "four, stashed"))
    clone.git("stash", "-q")
    commit(clone, ran("later", "TWO", "three", "four"))
    clone.git("stash", "pop", code=1)
    text = sources(clone.read(NAME))[0]
    assert text.startswith("<<<<<<< ")
    assert "\nlater\n=======\nstashed\n>>>>>>> " in text
    assert sources(clone.read(NAME))[3] == "four, stashed"
    in_conflict(clone, 1)
    assert clone.git("stash", "list").count("\n") == 1, "Git keeps it"
    clone.mvc("notebook", "resolve", NAME, "--theirs")
    clone.git("add", NAME)
    clone.git("commit", "-qm", "popped")
    clone.git("stash", "drop", "-q")
    settled(clone)


def test_pull_names_the_remote_branch(parted: Parted, tmp_path: Path) -> None:
    clone = parted(MINE, OTHER)
    clone.git("clone", "-q", "--bare", ".", str(tmp_path / "server"))
    clone.git("remote", "add", "origin", str(tmp_path / "server"))
    clone.git("pull", "-q", "--no-rebase", "origin", "side", code=1)
    text = sources(clone.read(NAME))[0]
    assert text in {_marked("main", "side"), _marked("main", "origin/side")}
    in_conflict(clone, 1)


@pytest.mark.parametrize("way", [("merge", "--squash", "side"), ("merge", "-s", "recursive", "side")])
def test_further_ways(parted: Parted, way: tuple[str, ...]) -> None:
    clone = parted(OURS, THEIRS)
    clone.git(*way)
    clone.git("commit", "-qm", "squashed", "--allow-empty")
    assert sources(clone.read(NAME)) == BOTH
    settled(clone)


def test_a_merge_in_a_linked_worktree(parted: Parted, tmp_path: Path) -> None:
    clone = parted(MINE, OTHER)
    clone.git("worktree", "add", "-q", str(tmp_path / "linked"), "side")
    linked = Clone(tmp_path / "linked")
    linked.git("merge", "main", code=1)
    assert sources(linked.read(NAME))[0] == "<<<<<<< side\nother\n=======\nmine\n>>>>>>> main"
    in_conflict(linked, 1)


def test_merge_tree_needs_no_worktree(parted: Parted) -> None:
    clone = parted(OURS, THEIRS)
    tree = clone.git("merge-tree", "--write-tree", "main", "side").strip()
    assert sources(stored(clone, at=tree)) == BOTH
    settled(clone)


# -- several bases, no base, many heads


@pytest.fixture
def crossed(parted: Parted) -> Clone:
    """Main and side have merged each other, each settling one conflict in its own way: two bases."""
    clone = parted(MINE, OTHER)
    main, side = clone.git("rev-parse", "main", "side").split()
    for branch, other in (("main", side), ("side", main)):
        clone.git("switch", "-q", branch)
        clone.git("merge", "--no-edit", other, code=1)
        commit(clone, ran(f"settled by {branch}", "TWO", "three", "FOUR"))
    clone.git("switch", "-q", "main")
    assert len(clone.git("merge-base", "--all", "main", "side").split()) == 2
    return clone


def test_two_bases(crossed: Clone) -> None:
    clone = crossed
    commit(clone, ran("settled by main", "TWO", "three", "FOUR", "five"))
    clone.git("merge", "--no-edit", "side", code=1)
    text = "<<<<<<< main\nsettled by main\n=======\nsettled by side\n>>>>>>> side"
    assert sources(clone.read(NAME)) == [text, "TWO", "three", "FOUR", "five"]
    in_conflict(clone, 1)
    clone.git("checkout", "-q", "--ours", NAME)
    clone.git("commit", "-qam", "ours")
    settled(clone)


@pytest.mark.parametrize("recursive", ["text", ""])
def test_why_bases_are_not_merged(crossed: Clone, recursive: str) -> None:
    """By any other driver their merge has markers in it, and what is merged on top of that is not a notebook."""
    key = "merge.mvc-notebook.recursive"
    crossed.git("config", key, recursive) if recursive else crossed.git("config", "--unset", key)
    done = crossed.run("git", "merge", "--no-edit", "side", code=1)
    assert f"{NAME} is merged as text" in done.err
    assert b"<<<<<<< " in crossed.read(NAME)
    crossed.mvc("install")
    crossed.git("merge", "--abort")
    crossed.git("merge", "--no-edit", "side", code=1)
    in_conflict(crossed, 1)


def test_added_on_both_sides(parted: Parted) -> None:
    clone = parted(OURS, THEIRS)
    versions = {"main": ["same", "mine", "last"], "side": ["same", "other", "last"]}
    for branch, texts in versions.items():
        clone.git("switch", "-q", branch)
        cells = [cell(text, f"{branch}{at}-4f7a", outputs=[said(branch)]) for at, text in enumerate(texts)]
        commit(clone, notebook(*cells), "new", "new.ipynb")
    clone.git("switch", "-q", "main")
    clone.git("merge", "side", code=1)
    found = sources(clone.read("new.ipynb"))
    assert [text for text in found if "`" not in text] == ["same", "mine", "other", "last"]
    validate(clone.read("new.ipynb"))
    clone.mvc("notebook", "resolve", "new.ipynb", "--union")
    clone.git("add", "new.ipynb")
    clone.git("commit", "-qm", "merged")
    settled(clone, NAME, "new.ipynb")


def test_added_on_both_sides_as_it_is(parted: Parted) -> None:
    clone = parted(OURS, THEIRS)
    for branch in ("main", "side"):
        clone.git("switch", "-q", branch)
        commit(clone, ran("a", "b", who=branch), "new", "new.ipynb")
    clone.git("switch", "-q", "main")
    clone.git("merge", "-q", "--no-edit", "side")
    assert sources(clone.read("new.ipynb")) == ["a", "b"]
    settled(clone, NAME, "new.ipynb")


def test_an_empty_file_as_base(parted: Parted) -> None:
    clone = parted(ran("mine"), ran("other"), b"")
    clone.git("merge", "side", code=1)
    assert {"mine", "other"} <= {line for text in sources(clone.read(NAME)) for line in text.splitlines()}
    in_conflict(clone, 1)


def test_an_octopus(parted: Parted) -> None:
    """Git merges these with its own program, which knows no drivers."""
    far = ran("one\nmore", "two", "three", "FOUR", who="theirs")
    clone = parted(ran("ONE\nmore", *TEXTS[1:]), far)
    clone.git("switch", "-q", "-c", "third", "main~1")
    commit(clone, b"x\n", "third", "third")
    clone.git("switch", "-q", "main")
    clone.git("merge", "-q", "--no-edit", "side", "third")
    assert len(clone.git("log", "-1", "--format=%P").split()) == 3
    assert sources(clone.read(NAME)) == ["ONE\nmore", "two", "three", "FOUR"]
    settled(clone)


def test_an_octopus_that_can_not_be(parted: Parted) -> None:
    clone = parted(MINE, OTHER)
    clone.git("switch", "-q", "-c", "third", "main~1")
    commit(clone, b"x\n", "third", "third")
    clone.git("switch", "-q", "main")
    before = clone.git("rev-parse", "HEAD")
    assert clone.run("git", "merge", "--no-edit", "third", "side", code=1).err
    assert clone.git("rev-parse", "HEAD") == before
    clone.git("reset", "-q", "--hard")
    settled(clone)


# -- formats


def _old(*texts: str, outputs: bool = True) -> bytes:
    """A notebook in nbformat 3."""
    said_so = [{"output_type": "stream", "stream": "stdout", "text": ["said\n"]}] if outputs else []
    cells = [
        {
            "cell_type": "code",
            "collapsed": False,
            "input": text.splitlines(keepends=True),
            "language": "python",
            "metadata": {},
            "outputs": said_so,
            "prompt_number": 1,
        }
        for text in texts
    ]
    sheet = {"cells": cells, "metadata": {}}
    return dump({"metadata": {"name": "old"}, "nbformat": 3, "nbformat_minor": 0, "worksheets": [sheet]})


def _without_ids(*texts: str) -> bytes:
    return notebook(*(cell(text, outputs=[said("x")]) for text in texts))


FORMATS: dict[str, tuple[bytes, bytes, bytes, tuple[int, int]]] = {
    "3 throughout": (_old("a", "b", "c"), _old("A", "b", "c"), _old("a", "b", "C"), (3, 0)),
    "3, ours is 4": (_old("a", "b", "c"), _without_ids("A", "b", "c"), _old("a", "b", "C"), (4, 4)),
    "3, theirs is 4.5": (_old("a", "b", "c"), _old("A", "b", "c"), ran("a", "b", "C"), (4, 5)),
    "3, both upgraded": (_old("a", "b", "c"), _without_ids("A", "b", "c"), ran("a", "b", "C"), (4, 5)),
    "4.4, theirs is 4.5": (_without_ids("a", "b", "c"), _without_ids("A", "b", "c"), ran("a", "b", "C"), (4, 5)),
    "4.4, ours is 4.5": (_without_ids("a", "b", "c"), ran("A", "b", "c"), _without_ids("a", "b", "C"), (4, 5)),
    "4.4, both with ids": (_without_ids("a", "b", "c"), ran("A", "b", "c", start="x"), ran("a", "b", "C"), (4, 5)),
}


@pytest.mark.parametrize("mixture", FORMATS)
def test_formats(parted: Parted, mixture: str) -> None:
    base, ours, theirs, expected = FORMATS[mixture]
    clone = parted(ours, theirs, base)
    clone.git("merge", "-q", "--no-edit", "side")
    found = json.loads(stored(clone))
    assert (found["nbformat"], found["nbformat_minor"]) == expected
    cells = found["cells"] if "cells" in found else found["worksheets"][0]["cells"]
    assert ["".join(one.get("source", one.get("input"))) for one in cells] == ["A", "b", "C"]
    validate(stored(clone))
    assert clone.git("status", "--short") == ""
    pristine(clone)


# -- files, not contents


def test_a_mode_that_one_side_changed(parted: Parted) -> None:
    clone = parted(OURS, THEIRS)
    os.chmod(clone.path / NAME, 0o755)
    clone.git("commit", "-qam", "runs")
    clone.git("merge", "-q", "--no-edit", "side")
    assert os.stat(clone.path / NAME).st_mode & 0o100
    assert sources(clone.read(NAME)) == BOTH
    settled(clone)


@pytest.mark.parametrize("who", ["ours", "theirs"])
def test_a_rename_on_one_side(parted: Parted, who: str) -> None:
    clone = parted(OURS, THEIRS)
    if who == "theirs":
        clone.git("switch", "-q", "side")
    clone.git("mv", NAME, "moved to $(x).ipynb")
    clone.git("commit", "-qm", "moved")
    clone.git("switch", "-q", "main")
    clone.git("merge", "-q", "--no-edit", "side")
    assert not (clone.path / NAME).exists()
    assert sources(clone.read("moved to $(x).ipynb")) == BOTH
    settled(clone, "moved to $(x).ipynb")


def test_deleted_on_one_side(parted: Parted) -> None:
    clone = parted(OURS, THEIRS)
    clone.git("rm", "-q", NAME)
    clone.git("commit", "-qm", "gone")
    clone.git("merge", "side", code=1)
    assert sources(clone.read(NAME)) == [*TEXTS[:3], "FOUR", "five"]
    clone.git("add", NAME)
    clone.git("commit", "-qm", "stays")
    settled(clone)


# -- what cannot be merged as a notebook


HOSTILE: dict[str, bytes] = {
    "a list for a type": b'{"nbformat":4,"cells":[{"cell_type":[]}]}',
    "a list for a source": b'{"nbformat":4,"metadata":{},"cells":[{"cell_type":"code","source":[[1]]}]}',
    "a number for an id": b'{"nbformat":4,"metadata":{},"cells":[{"cell_type":"code","id":7,"source":5}]}',
    "no cells": b'{"nbformat":4,"metadata":{}}',
    "format 99": b'{"nbformat":99,"metadata":{},"cells":[]}',
    "format 2": b'{"nbformat":2,"metadata":{},"worksheets":[]}',
    "outputs are a number": b'{"nbformat":4,"metadata":{},"cells":[{"cell_type":"code","outputs":3,"source":"a"}]}',
    "deep": b'{"nbformat":4,"metadata":{},"cells":[],"x":' + b"[" * 3000 + b"]" * 3000 + b"}",
    "no JSON": b"not JSON at all\n",
    "binary": b"\0\1\2",
    "nothing": b"",
}


@pytest.mark.parametrize(
    ("what", "where"),
    [*((what, "theirs") for what in HOSTILE), ("a list for a type", "ours"), ("no JSON", "ours"), ("binary", "base")],
)
def test_hostile(first: Clone, tmp_path: Path, what: str, where: str) -> None:
    """Whatever it is: Git gets an answer, what the other side wrote is there, and nothing of Python's is printed."""
    data = HOSTILE[what]
    texts = [["base"], ["base", "written by ours"], ["base", "written by theirs"]]
    versions = [notebook(*(cell(text, f"{text[-3:]}-4f7a9e") for text in some)) for some in texts]
    versions[["base", "ours", "theirs"].index(where)] = data
    clone = _committed_anyway(first, tmp_path / "project", versions)
    done = clone.run("sh", "-c", "git merge --no-edit side; echo status $?")
    assert "Traceback" not in done.err
    assert done.out.splitlines()[-1] in {"status 0", "status 1"}
    found = clone.read(NAME).decode("utf-8", "replace")
    state = clone.git("ls-files", "-u", "--", NAME)
    if state:
        blobs = [line.split()[1] for line in state.splitlines()]
        assert len(blobs) >= 2, "Git has all versions"
    for side in {"ours", "theirs"} - {where}:
        assert f"written by {side}" in found or (what == "binary" and state)
    clone.git("fsck", "--strict")


def _committed_anyway(first: Clone, path: Path, versions: list[bytes]) -> Clone:
    """Base, main and side, made without hooks and filters, as a server would take them."""
    clone = copied(first, path)
    for branch, data in zip(("base", "main", "side"), versions, strict=True):
        clone.git(
            "checkout", "-q", "-f", "-b" if branch != "main" else "-B", branch, "base" if branch != "base" else "main"
        )
        slip(clone, data)
        clone.git("commit", "-qm", branch, "--no-verify", "--allow-empty")
    clone.git("checkout", "-q", "-f", "main")
    return clone


BREAKAGES = {
    "exception": "def merge(args):\n    raise RuntimeError('boom')\n",
    "exit": "def merge(args):\n    raise SystemExit(9)\n",
    "killed": "import os\ndef merge(args):\n    os.kill(os.getpid(), 9)\n",
}


@pytest.mark.parametrize("how", BREAKAGES)
def test_a_driver_that_breaks(parted: Parted, how: str) -> None:
    """What Git would have done happens: here a clean merge, and a conflict where there is one."""
    clone = parted(MINE, ran(*TEXTS[:3], "FOUR"))
    (clone.path / ".git/mvc/package").write_text("/nowhere\n")
    (clone.path / ".git/mvc/lib/modelvc/drivers/notebooks/merge.py").write_text(BREAKAGES[how])
    clone.git("merge", "-q", "--no-edit", "side")
    assert sources(clone.read(NAME)) == ["mine", "TWO", "three", "FOUR"]
    settled(clone)
    clone.git("reset", "-q", "--hard", "HEAD~1")
    clone.git("switch", "-q", "side")
    commit(clone, OTHER)
    clone.git("switch", "-q", "main")
    clone.git("merge", "side", code=1)
    text = clone.read(NAME).decode()
    assert "<<<<<<< " in text
    assert "mine" in text
    assert "other" in text
    clone.mvc("install")
    clone.mvc("notebook", "merge", NAME, code=1)
    assert sources(clone.read(NAME)) == [_marked("main", "side"), "TWO", "three", "FOUR"]
    in_conflict(clone, 1)
