"""Notebooks as Git shows them: cells, not JSON; whatever the file holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.clone import Clone
from tests.support.notebook_clone import NAME, TEXTS, commit, copied, ran, slip, with_notebook
from tests.support.notebooks import cell, notebook

LONG = "def f():\n" + "\n".join(f"    line_{n} = {n}" for n in range(30))


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """Three versions of a notebook; the last changes one line deep in a long cell."""
    found = with_notebook(tmp_path_factory.mktemp("history") / "project")
    commit(found, ran("one\nMORE", LONG, *TEXTS[2:]), "second")
    commit(found, ran("one\nMORE", LONG.replace("line_25 = 25", "line_25 = 'changed'"), *TEXTS[2:]), "third")
    return found


@pytest.fixture
def clone(history: Clone, tmp_path: Path) -> Clone:
    return copied(history, tmp_path / "project")


SHOWN = {
    "diff": ("diff", "HEAD~1"),
    "diff of commits": ("diff", "HEAD~1", "HEAD"),
    "diff --cached": ("diff", "--cached", "HEAD~1"),
    "show": ("show",),
    "log -p": ("log", "-p", "-1"),
    "log -p --follow": ("log", "-p", "-1", "--follow", NAME),
    "diff of a range": ("diff", "HEAD~1..HEAD", "--", NAME),
}


@pytest.mark.parametrize("how", SHOWN)
def test_a_change_of_one_line(history: Clone, how: str) -> None:
    done = history.run("git", *SHOWN[how])
    assert done.err == ""
    changes = [line for line in done.out.splitlines() if line.startswith(("+", "-")) and line[:3] not in {"+++", "---"}]
    assert changes == ["-    line_25 = 25", "+    line_25 = 'changed'"]
    assert "@@ %% [code] c1-4f7a9e\n" in done.out
    assert '"source"' not in done.out


def test_words(history: Clone) -> None:
    assert "    line_25 = [-25-]{+'changed'+}\n" in history.git("diff", "--word-diff", "HEAD~1")


def test_a_word_ends_where_a_sign_stands(clone: Clone) -> None:
    commit(clone, ran("title('squares', 'größe')", *TEXTS[1:]), "before")
    commit(clone, ran("title('cubes', 'größer')", *TEXTS[1:]), "after")
    for locale in ("C", "C.UTF-8"):
        shown = clone.run("env", f"LC_ALL={locale}", "git", "diff", "--word-diff", "HEAD~1").out
        assert "title('[-squares-]{+cubes+}', '[-größe-]{+größer+}')\n" in shown


def test_stat_and_name_only_are_of_the_file(history: Clone) -> None:
    assert f" {NAME} | 2 +-" in history.git("diff", "--stat", "HEAD~1")
    assert history.git("diff", "--name-status", "HEAD~1") == f"M\t{NAME}\n"


def test_patches_can_be_applied(history: Clone) -> None:
    for words in (("format-patch", "--stdout", "-1"), ("diff", "--no-textconv", "HEAD~1")):
        assert """+    "    line_25 = 'changed'\\n",\n""" in history.git(*words)


@pytest.mark.parametrize("revision", [(), ("HEAD",), ("HEAD~1",)])
def test_blame(history: Clone, revision: tuple[str, ...]) -> None:
    done = history.run("git", "blame", "-s", *revision, "--", NAME)
    assert done.err == ""
    assert "%% [code] c1-4f7a9e" in done.out
    by = {line.split(") ", 1)[1]: line.split()[0] for line in done.out.splitlines() if ") " in line}
    names = [history.git("rev-parse", "--short=8", one).strip() for one in ("HEAD~1", "HEAD")]
    assert by["MORE"] == names[0]
    if revision != ("HEAD~1",):
        assert by["    line_25 = 'changed'"] == names[1]
    assert by["one"] not in names


def test_blame_of_a_change_that_is_not_committed(clone: Clone) -> None:
    clone.write(NAME, ran("one\nMORE", LONG, "THREE", "four", who="again"))
    done = clone.run("git", "blame", "-s", NAME)
    assert done.err == ""
    assert any(line.startswith("00000000") and line.endswith(" THREE") for line in done.out.splitlines())


def test_outputs_are_never_shown_not_even_those_that_history_holds(clone: Clone) -> None:
    slip(clone, ran("one", who="heard"))
    clone.git("commit", "-qm", "leaked", "--no-verify")
    for words in (("show",), ("log", "-p"), ("diff", "HEAD~1", "HEAD")):
        assert "heard" not in clone.git(*words)
    assert "heard" in clone.git("show", "--no-textconv")


def _changed(**metadata: Any) -> bytes:
    return notebook(cell("one", "c0-4f7a9e", nbgrader={"grade": True, "points": 1}), **metadata)


PNG = {"image/png": "iVBORw0KGgo"}
REAL: dict[str, tuple[bytes, bytes, list[str]]] = {
    "cell metadata": (
        _changed(),
        _changed().replace(b'"points": 1', b'"points": 2'),
        ["-%metadata nbgrader.points: 1", "+%metadata nbgrader.points: 2"],
    ),
    "a new key": (
        _changed(),
        _changed().replace(b'"nbgrader"', b'"editable": false,\n    "nbgrader"'),
        ["+%metadata editable: false"],
    ),
    "an attachment": (
        notebook(cell("a", "c0-4f7a9e", kind="markdown") | {"attachments": {"a.png": PNG}}),
        notebook(cell("a", "c0-4f7a9e", kind="markdown") | {"attachments": {"a.png": {"image/png": "iVBORw0KGgp"}}}),
        ["-%attachment a.png", "+%attachment a.png"],
    ),
    "the kernel's name for people": (
        _changed(kernelspec={"name": "k", "display_name": "Old"}),
        _changed(kernelspec={"name": "k", "display_name": "New"}),
        ['-%metadata kernelspec.display_name: "Old"', '+%metadata kernelspec.display_name: "New"'],
    ),
    "the language's version": (
        _changed(language_info={"name": "python", "version": "3.11"}),
        _changed(language_info={"name": "python", "version": "3.12"}),
        ['-%metadata language_info.version: "3.11"', '+%metadata language_info.version: "3.12"'],
    ),
    "a key beside the cells": (
        _changed(),
        _changed().replace(b' "nbformat":', b' "more": [1],\n "nbformat":'),
        ["+%metadata more: [1]"],
    ),
}


@pytest.mark.parametrize("what", REAL)
def test_a_real_change_is_never_an_empty_diff(clone: Clone, what: str) -> None:
    before, after, expected = REAL[what]
    commit(clone, before, name="x.ipynb")
    commit(clone, after, name="x.ipynb")
    lines = clone.git("diff", "HEAD~1").splitlines()
    changes = [line for line in lines if line.startswith(("+", "-")) and line[:3] not in {"+++", "---"}]
    if what == "an attachment":
        assert [line[:18] for line in changes] == expected
        assert changes[0][1:] != changes[1][1:]
    else:
        assert changes == expected


def test_much_metadata_is_cut_and_a_change_in_it_is_seen(clone: Clone) -> None:
    for last in ("a", "b"):
        many = {f"k{n:03d}": "x" * 500 + last if n in {3, 99} else n for n in range(100)}
        commit(clone, notebook(cell("one", "c0-4f7a9e", **many)), name="x.ipynb")
    lines = clone.git("diff", "HEAD~1").splitlines()
    changes = [line for line in lines if line.startswith(("+", "-")) and line[:3] not in {"+++", "---"}]
    assert len(changes) == 4
    assert max(map(len, changes)) < 250


def test_in_a_conflict(clone: Clone) -> None:
    clone.git("branch", "side")
    commit(clone, ran("ours", *TEXTS[1:]))
    clone.git("switch", "-q", "side")
    commit(clone, ran("theirs", *TEXTS[1:]))
    clone.git("merge", "main", code=1)
    done = clone.run("git", "diff")
    assert done.err == ""
    assert "(conflict: source)" in done.out
    assert "theirs" in done.out
    assert '"source"' not in done.out
    assert "(conflict: source)" in clone.git("diff", "HEAD")


@pytest.mark.parametrize("data", [b"{ broken\n", b"\0\xff\x1b[31m\n", b"", b"[1]\n", b'{"cells": 5}\n'])
def test_what_is_no_notebook(clone: Clone, data: bytes) -> None:
    clone.write(NAME, data)
    out = clone.git("diff")
    assert "-%notebook format 4.5" in out
    assert "\x1b" not in out
    clone.git("commit", "-qam", "broken", "--no-verify")
    assert clone.run("git", "show", "--format=").err == ""
    clone.git("checkout", "-q", "HEAD~1")
    assert "+%notebook format 4.5" in clone.git("diff", "main", "HEAD")


def test_controls_in_a_cell_reach_no_terminal(clone: Clone) -> None:
    commit(clone, notebook(cell("\x1b[2J\x1b]0;owned\x07 clear", "\x1b[31mx-4f7a")))
    assert "\x1b" not in clone.git("show")


def test_names(clone: Clone) -> None:
    for name in ("a b.ipynb", "$(touch owned).ipynb", "-x.ipynb", "q\"'.ipynb", "new\nline.ipynb", "x\udcff.ipynb"):
        commit(clone, ran("before"), name=name)
        commit(clone, ran("after"), name=name)
        for words in (("show",), ("diff", "HEAD~1")):
            assert "-before\n+after\n" in clone.git(*words)
        assert "after" in clone.git("blame", "-s", "--", name)
    assert not list(clone.path.rglob("owned"))


NOTE: dict[str, Any] = {
    "paragraphs": [
        {
            "title": "Load",
            "text": "%spark\nval x = 1",
            "id": "p1",
            "results": {"code": "SUCCESS", "msg": [{"type": "TEXT", "data": "leaked"}]},
        },
        {"text": "%md\n" + "\n".join(f"line {n}" for n in range(20)), "id": "p2"},
    ],
    "name": "A note",
    "id": "2A94M5J1Z",
}


@pytest.mark.parametrize("name", ["note.zpln", "2A94M5J1Z/note.json", "note.json"])
def test_zeppelin(clone: Clone, name: str) -> None:
    commit(clone, json.dumps(NOTE, indent=2).encode(), name=name)
    shown = clone.git("show")
    assert "+%% [paragraph] p1 Load\n+%spark\n+val x = 1\n" in shown
    assert "leaked" not in clone.git("show", "--no-textconv")
    commit(clone, json.dumps(NOTE, indent=2).replace("line 15", "LINE 15").encode(), name=name)
    out = clone.git("show")
    assert "-line 15\n+LINE 15\n" in out
    assert "@@ %% [paragraph] p2\n" in out
    assert b"leaked" in clone.read(name), "the worktree keeps its results"


@pytest.mark.parametrize("data", [b'{"title": "mine",   "text": 1}\n', b"free text\n", b"[]\n", b'{"paragraphs": 3}\n'])
def test_any_other_note_json(clone: Clone, data: bytes) -> None:
    clone.write("sub/note.json", data)
    done = clone.run("git", "add", "sub/note.json")
    assert done.err == ""
    done = clone.run("git", "commit", "-qm", "mine")
    assert done.err == ""
    done = clone.run("git", "show", "--format=")
    assert f"+{data.decode()}" in done.out
    assert done.err == ""
    (clone.path / "sub/note.json").unlink()
    clone.git("checkout", "-q", "--", ".")
    assert clone.read("sub/note.json") == data
    commit(clone, data + b" \n", name="sub/note.json")
    clone.git("revert", "--no-edit", "HEAD")
    assert clone.read("sub/note.json") == data
