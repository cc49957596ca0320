"""Conflicts that cannot be seen in a source, and what `mvc notebook resolve` makes of each kind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from modelvc.notebook import conflict
from modelvc.notebook.document import parse
from tests.support.clone import Clone
from tests.support.notebook_clone import NAME, TEXTS, commit, copied, pristine, ran, slip, stored, with_notebook
from tests.support.notebooks import cell, notebook, sources, validate


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return with_notebook(tmp_path_factory.mktemp("first") / "project")


@pytest.fixture
def clone(first: Clone, tmp_path: Path) -> Clone:
    return copied(first, tmp_path / "project")


def part(clone: Clone, base: bytes, ours: bytes, theirs: bytes) -> None:
    """Main, which is checked out, and side, each with a version of its own."""
    commit(clone, base, "base")
    clone.git("branch", "side")
    commit(clone, ours, "ours")
    clone.git("switch", "-q", "side")
    commit(clone, theirs, "theirs")
    clone.git("switch", "-q", "main")


def about(cell_value: Any, notebook_value: Any) -> bytes:
    cells = [cell("one", "c0-4f7a9e"), cell("two", "c1-4f7a9e", mood=cell_value)]
    return notebook(*cells, title=notebook_value)


@pytest.fixture
def open_one(clone: Clone) -> Clone:
    """A merge in which metadata of a cell and of the notebook are in conflict, and nothing else."""
    part(clone, about(1, "x"), about({"a": "ours\x1b[31m" + "y" * 300}, "ours"), about(None, "theirs"))
    clone.git("merge", "-q", "side", code=1)
    return clone


def metadata(clone: Clone) -> tuple[Any, Any]:
    found = json.loads(clone.read(NAME))
    (one,) = (one for one in found["cells"] if one.get("id") == "c1-4f7a9e")
    return one["metadata"].get("mood"), found["metadata"]["title"]


def test_a_conflict_of_metadata_alone_is_seen_in_jupyter_and_in_git(open_one: Clone) -> None:
    clone = open_one
    validate(clone.read(NAME))
    texts = sources(clone.read(NAME))
    assert len(texts) == 4
    assert "metadata.title" in texts[0]
    assert 'main: "ours"' in texts[0]
    assert 'side: "theirs"' in texts[0]
    assert "metadata.mood" in texts[2]
    assert "side: null" in texts[2]
    assert max(map(len, texts[2].splitlines())) < 250
    assert "\x1b" not in texts[2]
    assert texts[1::2] == ["one", "two"]
    shown = clone.git("diff")
    assert "metadata.title" in shown
    assert "metadata.mood" in shown
    assert "side: null" in shown


def test_status_names_the_notebook_until_it_is_resolved(open_one: Clone) -> None:
    done = open_one.mvc("status")
    assert f"notebooks in conflict:\n  {NAME}\n" in done.out
    assert f"mvc notebook resolve {NAME} --ours (or --theirs, --union)" in done.err
    assert open_one.json("status")["notebooks"] == [NAME]
    said = open_one.mvc("resolve", NAME, "--ours", code=2).err
    assert f"{NAME} is a notebook\nhint: mvc notebook resolve {NAME} --ours" in said
    open_one.mvc("notebook", "resolve", NAME, "--ours")
    assert open_one.json("status")["notebooks"] == []


def test_the_message_names_key_and_values(clone: Clone) -> None:
    part(clone, about(1, "x"), about(2, "x"), about(3, "x"))
    done = clone.run("git", "merge", "side", code=1)
    assert "metadata.mood: main has 2, side has 3" in done.err
    clone.git("add", NAME)
    done = clone.run("git", "commit", "-qm", "x", code=1)
    assert f"{NAME} still holds a conflict (metadata.mood)" in done.err


def test_deleting_the_cell_in_jupyter_settles_it(open_one: Clone) -> None:
    clone = open_one
    value = json.loads(clone.read(NAME))
    value["cells"] = [one for one in value["cells"] if one["cell_type"] == "code"]
    clone.write(NAME, json.dumps(value).encode())
    clone.git("add", NAME)
    clone.git("commit", "-qm", "merged")
    assert b"mvc" not in stored(clone)
    assert json.loads(stored(clone))["metadata"]["title"] == "ours"


@pytest.mark.parametrize("side", ["ours", "theirs", "union"])
def test_a_side_is_taken(open_one: Clone, side: str) -> None:
    clone = open_one
    clone.mvc("notebook", "resolve", NAME, f"--{side}")
    assert clone.git("diff", "--name-only", "--diff-filter=U") == ""
    assert sources(clone.read(NAME)) == ["one", "two"]
    name, title = metadata(clone)
    assert (name is None, title) == ((True, "theirs") if side == "theirs" else (False, "ours"))
    assert b'"mvc"' not in clone.read(NAME)
    clone.git("commit", "-qm", "merged")


def test_key_by_key(open_one: Clone) -> None:
    clone = open_one
    clone.mvc("notebook", "resolve", NAME, "--theirs", "--key", "metadata.none", code=10)
    done = clone.json("notebook", "resolve", NAME, "--theirs", "--key", "metadata.title", code=1)
    assert done["notebooks"] == [{"path": NAME, "settled": 1, "left": 1, "staged": False, "whole": False}]
    assert metadata(clone)[1] == "theirs"
    assert len(sources(clone.read(NAME))) == 3
    clone.mvc("notebook", "resolve", NAME, "--ours", "--key", "metadata.mood")
    assert metadata(clone)[0] == {"a": "ours\x1b[31m" + "y" * 300}
    assert b'"mvc"' not in clone.read(NAME)
    clone.git("commit", "-qm", "merged")


def test_several_keys_of_one_cell_and_its_source(clone: Clone) -> None:
    """Each key can be settled alone; the conflict is open until the last, and the lines, are settled."""
    base, ours, theirs = (cell(text, "c0-4f7a9e", a=text, b=text) for text in ("x", "ours", "theirs"))
    part(clone, *(notebook(one) for one in (base, ours, theirs)))
    clone.git("merge", "-q", "side", code=1)
    clone.mvc("notebook", "resolve", NAME, "--theirs", "--key", "metadata.a", code=1)
    note, one = json.loads(clone.read(NAME))["cells"]
    assert "metadata.a" not in "".join(note["source"])
    assert 'side: "theirs"' in "".join(note["source"])
    assert (one["metadata"]["a"], one["metadata"]["b"]) == ("theirs", "ours")
    clone.mvc("notebook", "resolve", NAME, "--ours", "--key", "metadata.b", code=1)
    assert len(sources(clone.read(NAME))) == 1
    assert conflict.count(parse(clone.read(NAME)).notebook) == 1, "the lines are still in conflict"
    clone.mvc("notebook", "resolve", NAME, "--ours")
    clone.git("commit", "-qm", "merged")
    assert b"mvc" not in stored(clone)


def test_a_note_of_an_earlier_release_is_open_still(clone: Clone) -> None:
    marked = cell("a", "c0-4f7a9e", mood=1)
    conflict.mark(marked, conflict.METADATA, 1, theirs=[{"path": ["metadata", "mood"], "value": 2}])
    clone.write(NAME, notebook(marked))
    clone.git("add", NAME)
    assert "still holds a conflict (metadata.mood)" in clone.run("git", "commit", "-qm", "x", code=1).err


def test_after_an_early_add_it_is_staged(clone: Clone) -> None:
    part(clone, ran("base", *TEXTS[1:]), ran("ours", *TEXTS[1:]), ran("theirs", *TEXTS[1:]))
    clone.git("merge", "-q", "side", code=1)
    clone.git("add", NAME)
    assert clone.json("notebook", "resolve", NAME, "--theirs")["notebooks"][0]["staged"]
    clone.git("commit", "-qm", "merged")
    assert sources(stored(clone))[0] == "theirs"


@pytest.mark.parametrize("broken", ["ours", "theirs"])
def test_where_a_side_is_no_notebook_the_other_is_taken_whole(clone: Clone, broken: str) -> None:
    for branch, text in (("main", "ours"), ("side", "theirs")):
        clone.git("switch", "-q", branch) if branch == "main" else clone.git("switch", "-qc", branch, "HEAD~1")
        data = notebook(cell(text, "c0-4f7a9e"), *(cell(one, f"c{n}-4f7a9f") for n, one in enumerate(TEXTS)))
        slip(clone, data[:-20].replace(b"two", text.encode()) if broken == text else data)
        clone.git("commit", "-qm", text, "--no-verify")
        clone.git("reset", "-q", "--hard")
    clone.git("switch", "-q", "main")
    clone.git("merge", "-q", "side", code=1)
    clone.mvc("notebook", "resolve", NAME, f"--{broken}", code=11)
    clone.mvc("notebook", "resolve", NAME, "--union", code=11)
    good = "ours" if broken == "theirs" else "theirs"
    assert clone.json("notebook", "resolve", NAME, f"--{good}")["notebooks"][0]["whole"]
    assert sources(clone.read(NAME))[0] == good
    clone.git("commit", "-qm", "merged")
    pristine(clone)


def test_one_that_cannot_be_settled_stops_no_other(clone: Clone) -> None:
    part(clone, ran("base", *TEXTS[1:]), ran("ours", *TEXTS[1:]), ran("theirs", *TEXTS[1:]))
    clone.git("merge", "-q", "side", code=1)
    clone.write("whole.ipynb", ran("a"))
    done = clone.json("notebook", "resolve", "none.ipynb", "whole.ipynb", NAME, "--theirs", code=1)
    assert [one["path"] for one in done["notebooks"]] == [NAME]
    assert [path for path, _ in done["failed"]] == ["none.ipynb", "whole.ipynb"]
    clone.git("commit", "-qm", "merged")
    assert sources(stored(clone))[0] == "theirs"
