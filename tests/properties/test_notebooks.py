"""Notebooks at random: stripped, put back, edited on two sides and merged."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelvc.errors import FormatError
from modelvc.formats.notebook_rules import NotebookRules
from modelvc.git import mergefile
from modelvc.notebook import conflict
from modelvc.notebook.document import cells as cells_of
from modelvc.notebook.document import parse, source
from modelvc.notebook.kept_outputs import KeptOutputs
from modelvc.notebook.merge import merge
from modelvc.notebook.strip import clean
from modelvc.notebook.view import text as shown
from tests.support.notebooks import SAID, cell, dump, is_valid, validate

RULES = NotebookRules()
LINES = st.sampled_from([f"line {word}" for word in "abcdefgh"] + ["", "x = 1", "plot()", "# ünï 🚀", "\t"])
TEXTS = st.lists(LINES, max_size=6).map("\n".join)
OUTPUTS = st.lists(st.just(SAID), max_size=2)
METADATA = st.fixed_dictionaries(
    {},
    optional={
        "collapsed": st.booleans(),
        "scrolled": st.booleans(),
        "note": st.sampled_from([1, "a"]),
        "jupyter": st.just({"source_hidden": True}),
    },
)
NAMES = st.one_of(
    st.lists(st.text("abcdef0123456789", min_size=8, max_size=8), min_size=8, max_size=8, unique=True),
    st.just([str(place) for place in range(8)]),  # as a tool writes them that counts cells
    st.just([""] * 8),
)


@st.composite
def notebooks(draw: st.DrawFn) -> bytes:
    names = draw(NAMES)
    made = [
        cell(
            draw(TEXTS),
            names[place],
            kind=draw(st.sampled_from(["code", "code", "markdown", "raw"])),
            outputs=draw(OUTPUTS),
            **draw(METADATA),
        )
        for place in range(draw(st.integers(0, 8)))
    ]
    minor = 5 if names[0] else 4
    return dump({"cells": made, "metadata": draw(METADATA), "nbformat": 4, "nbformat_minor": minor})


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                ["cells", "metadata", "nbformat", "cell_type", "outputs", "source", "worksheets", "paragraphs", "id",
                 "tags", "mvc", "conflict", "kind", "number", "theirs", "input", "results", "name", "output_type"]
            ),
            inner,
            max_size=5,
        ),
    ),
    max_leaves=20,
)  # fmt: skip
HOSTILE = st.builds(lambda found, cells: {**found, "nbformat": 4, "cells": cells} if isinstance(found, dict) else found,
                    JSON, st.lists(JSON, max_size=4))  # fmt: skip


@given(st.one_of(st.binary(max_size=40), JSON.map(dump), HOSTILE.map(dump)))
def test_no_bytes_break_the_filter(data: bytes) -> None:
    try:
        stripped, taken = clean(data, RULES, "n.ipynb")
    except FormatError:
        return
    assert clean(stripped, RULES, "n.ipynb")[0] == stripped
    assert bool(taken) or stripped == data or b"conflict" in data or b"paragraphs" in data
    shown(stripped)
    shown(data)


@given(notebooks())
def test_the_filter_is_idempotent_and_can_be_taken_back(data: bytes) -> None:
    import tempfile

    stripped, taken = clean(data, RULES, "n.ipynb")
    assert clean(stripped, RULES, "n.ipynb")[0] == stripped
    assert [source(one) for one in cells_of(parse(stripped).notebook)] == [
        source(one) for one in cells_of(parse(data).notebook)
    ]
    if is_valid(data):
        validate(stripped)
    with tempfile.TemporaryDirectory() as folder:
        kept = KeptOutputs(folder, 1 << 20)
        kept.keep("n.ipynb", taken)
        back = kept.attach(stripped, RULES, "n.ipynb")
    assert json.loads(back) == json.loads(data)
    assert clean(back, RULES, "n.ipynb")[0] == stripped


FORMS = st.fixed_dictionaries({"indent": st.sampled_from([None, 1, 2, 4, "\t"]), "ensure_ascii": st.booleans()})


@given(notebooks(), st.one_of(notebooks(), HOSTILE.map(dump), st.binary(max_size=40)), FORMS)
def test_another_version_gives_its_form_and_nothing_else(data: bytes, other: bytes, how: Any) -> None:
    with contextlib.suppress(ValueError):
        other = json.dumps(json.loads(other), **how).encode()
    plain, _ = clean(data, RULES, "n.ipynb")
    found, _ = clean(data, RULES, "n.ipynb", other)
    assert clean(found, RULES, "n.ipynb", other)[0] == found
    assert _values(found) == _values(plain)
    # and its own form is kept by any other program's save
    ours, _ = clean(json.dumps(json.loads(data), **how).encode(), RULES, "n.ipynb")
    assert clean(data, RULES, "n.ipynb", ours)[0] == ours


def _values(data: bytes) -> Any:
    """What a notebook says, however its sources are cut into lines."""
    value = json.loads(data)
    for one in value["cells"]:
        one["source"] = "".join(one["source"])
    return value


EDITS = st.lists(
    st.tuples(st.sampled_from(["edit", "line", "insert", "delete", "move", "copy", "tag", "type", "run"]),
              st.integers(0, 9), st.integers(0, 9), TEXTS),
    max_size=4,
)  # fmt: skip


def edited(data: bytes, edits: list[tuple[str, int, int, str]], who: str) -> bytes:
    """What a person makes of a notebook; each line that they write is theirs alone."""
    found = json.loads(data)
    some: list[Any] = found["cells"]
    named = found["nbformat_minor"] >= 5
    for number, (verb, first, second, text) in enumerate(edits):
        mine = f"{who} {number}\n{text}"
        at = first % len(some) if some else 0
        if verb == "insert" or not some:
            some.insert(at, cell(mine, f"{who}{number}insert" if named else ""))
        elif verb == "edit":
            some[at]["source"] = mine.splitlines(keepends=True)
        elif verb == "line":
            lines = "".join(some[at]["source"]).split("\n")
            lines.insert(second % (len(lines) + 1), f"{who} {number}")
            some[at]["source"] = "\n".join(lines).splitlines(keepends=True)
        elif verb == "delete":
            some.pop(at)
        elif verb == "move":
            some.insert(second % len(some), some.pop(at))
        elif verb == "copy":
            again = json.loads(json.dumps(some[at]))
            some.insert(at, again | ({"id": f"{who}{number}copied"} if named else {}))
        elif verb == "tag":
            some[at]["metadata"]["tags"] = [who, f"t{second}"]
        elif verb == "type" and some[at]["cell_type"] != "code":
            some[at]["cell_type"] = "raw" if some[at]["cell_type"] == "markdown" else "markdown"
        elif verb == "run" and some[at]["cell_type"] == "code":
            some[at]["outputs"] = [{**SAID, "text": [f"{who}\n"]}]
            some[at]["execution_count"] = second
    return dump(found)


def in_python(base: str, ours: str, theirs: str) -> tuple[str, bool]:
    """A line merge that finds a conflict wherever both sides changed anything: quick, and never wrong."""
    lines = [text.split("\n") for text in (base, ours, theirs)]
    shortest = min(map(len, lines))
    start = 0
    while start < shortest and lines[0][start] == lines[1][start] == lines[2][start]:
        start += 1
    middles = [found[start:] for found in lines]
    block = ["<<<<<<< ours", *middles[1], "=======", *middles[2], ">>>>>>> theirs"]
    return "\n".join(lines[1][:start] + block), True


def _check(base: bytes, ours: bytes, theirs: bytes, lines: Any) -> tuple[bytes, int]:
    merged, conflicts = merge(base, ours, theirs, ("ours", "theirs"), lines)
    if all(map(is_valid, (base, ours, theirs))):
        validate(merged)
    assert conflict.count(parse(merged).notebook) == conflicts
    there = {line for one in cells_of(parse(merged).notebook) for line in source(one).split("\n")}
    for who, side in (("ours", ours), ("theirs", theirs)):
        for one in cells_of(parse(side).notebook):
            for line in source(one).split("\n"):
                assert not line.startswith(who) or line in there, line
    return merged, conflicts


@settings(max_examples=300)
@given(notebooks(), EDITS, EDITS)
def test_two_people_edit_and_nothing_is_lost(base: bytes, mine: Any, others: Any) -> None:
    ours, theirs = edited(base, mine, "ours"), edited(base, others, "theirs")
    merged, conflicts = _check(base, ours, theirs, in_python)
    _, again = _check(base, theirs, ours, in_python)
    assert (conflicts > 0) == (again > 0)
    for side in ("ours", "theirs", "union"):
        document = parse(merged)
        conflict.resolve(document.notebook, side)
        assert conflict.count(document.notebook) == 0
        settled = document.encode()
        if is_valid(merged):
            validate(settled)
        assert b"<<<<<<<" not in settled


@given(notebooks(), EDITS)
def test_what_one_side_did_is_taken(base: bytes, mine: Any) -> None:
    ours = edited(base, mine, "ours")
    assert merge(base, ours, base, ("a", "b"), in_python) == (ours, 0)
    assert merge(base, base, ours, ("a", "b"), in_python) == (ours, 0)
    assert merge(base, ours, ours, ("a", "b"), in_python) == (ours, 0)


@given(st.lists(st.tuples(TEXTS, st.integers(0, 2)), min_size=1, max_size=8))
def test_changes_in_different_cells_never_conflict(plan: list[tuple[str, int]]) -> None:
    """Each cell is changed by one of the two, or by nobody; both ran everything."""
    cells = [cell(f"cell {place}\n{text}", f"{place:03d}-abcdef") for place, (text, _) in enumerate(plan)]
    base = dump({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    sides = []
    for who in (1, 2):
        found = json.loads(base)
        for one, (_, whose) in zip(found["cells"], plan, strict=True):
            one["outputs"], one["execution_count"] = [{**SAID, "text": [f"{who}"]}], who
            if whose == who:
                one["source"].append(f"\nwritten by {who}")
        sides.append(dump(found))
    merged, conflicts = merge(base, *sides, ("a", "b"), in_python)
    assert conflicts == 0
    for one, (_, whose) in zip(json.loads(merged)["cells"], plan, strict=True):
        text = "".join(one["source"])
        assert text.endswith(f"\nwritten by {whose}") == (whose > 0)
        if whose:
            assert one["outputs"] == [{**SAID, "text": [f"{whose}"]}]


@pytest.mark.parametrize("seed", range(12))
def test_with_git_s_own_line_merge(seed: int) -> None:
    import random

    chooser = random.Random(seed)
    verbs = ["edit", "line", "line", "insert", "delete", "move", "copy", "tag", "run"]

    def edits() -> list[tuple[str, int, int, str]]:
        return [(chooser.choice(verbs), chooser.randrange(9), chooser.randrange(9), "text") for _ in range(4)]

    texts = ["\n".join(f"line {place} {line}" for line in range(6)) for place in range(7)]
    cells = [cell(text, f"{place:03d}-abcdef") for place, text in enumerate(texts)]
    base = dump({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    ours, theirs = edited(base, edits(), "ours"), edited(base, edits(), "theirs")
    _check(base, ours, theirs, lambda *some: mergefile.lines(some, ("ours", "theirs")))
