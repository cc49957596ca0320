"""What becomes of cells that two people changed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from modelvc.errors import FormatError
from modelvc.git import mergefile
from modelvc.notebook import conflict
from modelvc.notebook.document import parse
from modelvc.notebook.merge import merge
from tests.support.notebooks import SAID, cell, dump, notebook, outputs, sources, validate

NAMES = ("main", "feature")


def merged(base: bytes, ours: bytes, theirs: bytes) -> tuple[bytes, int]:
    found, conflicts = merge(base, ours, theirs, NAMES, lambda *texts: mergefile.lines(texts, NAMES))
    validate(found)
    return found, conflicts


def ids(*texts: str) -> list[Any]:
    """Cells with ids that a person's program made up, the same for the same place."""
    return [cell(text, f"c{place}-4f7a9e") for place, text in enumerate(texts)]


BASE = ids("one", "two", "three", "four")


def test_changes_in_different_cells_and_in_different_lines() -> None:
    base = notebook(*ids("a\nb\nc\nd\ne", "two"))
    ours, theirs = notebook(*ids("A\nb\nc\nd\ne", "two")), notebook(*ids("a\nb\nc\nd\nE", "TWO"))
    found, conflicts = merged(base, ours, theirs)
    assert (sources(found), conflicts) == (["A\nb\nc\nd\nE", "TWO"], 0)


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "right"),
    [
        ("a\nb\n", "a\nb", "a\nb2\n", "a\nb2"),
        ("a\nb\n", "a\nb", "a\nb2", "a\nb2"),
        ("a\nb", "a\nb\n", "a\nb2", "a\nb2\n"),
        ("a\nb\n\n", "a\nb", "a\nb2\n\n", "a\nb2"),
        ("a\nb\n", "a\nb", "a\nb\nc\n", "a\nb\nc"),
        ("a\nb\n", "a\nb", "a2\nb\n", "a2\nb"),
        ("a\nb\nc", "a2\nb\nc", "a\nb\nc2\n", "a2\nb\nc2\n"),
        ("a\n", "a", "a\n\n", "a"),
    ],
)
def test_the_newline_at_the_end_is_merged_apart(base: str, ours: str, theirs: str, right: str) -> None:
    sides = [notebook(*ids(text)) for text in (base, ours, theirs)]
    found, conflicts = merged(*sides)
    assert (sources(found), conflicts) == ([right], 0)
    found, conflicts = merged(sides[0], sides[2], sides[1])
    assert conflicts == 0
    if (base, ours, theirs) != ("a\n", "a", "a\n\n"):
        assert sources(found) == [right]


def test_a_newline_at_the_end_hides_no_conflict() -> None:
    found, conflicts = merged(notebook(*ids("a\nb\n")), notebook(*ids("a\nB")), notebook(*ids("a\nbb\n")))
    assert (sources(found), conflicts) == (["a\n<<<<<<< main\nB\n=======\nbb\n>>>>>>> feature"], 1)


def test_a_cell_of_another_type_is_the_same_cell() -> None:
    plain = [cell(text) for text in ("first one", "x = 1\ny = 2", "third one")]
    retyped = [plain[0], cell("x = 1\ny = 2", kind="markdown"), plain[2]]
    edited = [plain[0], cell("x = 1\ny = 3"), plain[2]]
    for sides in ((retyped, edited), (edited, retyped)):
        found, conflicts = merged(notebook(*plain), *(notebook(*side) for side in sides))
        assert conflicts == 0
        assert sources(found) == ["first one", "x = 1\ny = 3", "third one"]
        assert json.loads(found)["cells"][1]["cell_type"] == "markdown"


def test_ids_of_colab_and_deepnote_align_cells() -> None:
    for key in ("id", "cell_id"):
        base = [cell(text, **{key: f"{place}-4f7a9e"}) for place, text in enumerate(("one", "two"))]
        ours = [cell("quite another text", **{key: "0-4f7a9e"}), base[1]]
        theirs = [base[1], base[0]]
        found, conflicts = merged(*(notebook(*side) for side in (base, ours, theirs)))
        assert (sources(found), conflicts) == (["two", "quite another text"], 0)
        mine, other = (cell("the same", **{key: f"{who}-4f7a9e"}) for who in ("mine", "other"))
        found, conflicts = merged(notebook(*base), notebook(*base, mine), notebook(*base, other))
        assert (sources(found), conflicts) == (["one", "two", "the same"], 0)


def test_many_small_cells_cost_no_table_of_all_pairs() -> None:
    texts = [str(place % 97) for place in range(8_000)]
    base = notebook(*(cell(text) for text in texts))
    ours = notebook(*(cell(text) for text in ["mine", *texts]))
    theirs = notebook(*(cell(text) for text in [*texts[:-1], "theirs"]))
    found, conflicts = merge(base, ours, theirs, NAMES, lambda *some: (some[1], True))
    assert (sources(found), conflicts) == (["mine", *texts[:-1], "theirs"], 0)


def test_too_many_cells_in_one_place_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelvc.notebook.align._LARGEST_TABLE", 10_000)
    base, ours, theirs = (notebook(*(cell(str(place * step % 97)) for place in range(200))) for step in (1, 7, 5))
    with pytest.raises(FormatError, match="too many to compare"):
        merge(base, ours, theirs, NAMES, lambda *some: (some[1], True))


def test_the_same_line_is_a_conflict_in_its_cell() -> None:
    found, conflicts = merged(notebook(*ids("x\ny")), notebook(*ids("ours\ny")), notebook(*ids("theirs\ny")))
    assert conflicts == 1
    assert sources(found) == ["<<<<<<< main\nours\n=======\ntheirs\n>>>>>>> feature\ny"]
    assert json.loads(found)["cells"][0]["metadata"]["mvc"]["conflict"]["kind"] == "source"


def test_new_cells_in_different_places_and_in_one() -> None:
    mine, other = cell("mine", "mine-1a2b"), cell("other", "other-3c4d")
    found, conflicts = merged(notebook(*BASE), notebook(BASE[0], mine, *BASE[1:]), notebook(*BASE, other))
    assert (sources(found), conflicts) == (["one", "mine", "two", "three", "four", "other"], 0)
    found, conflicts = merged(notebook(*BASE), notebook(*BASE, mine), notebook(*BASE, other))
    assert conflicts == 1
    assert sources(found)[4:] == ["`<<<<<<<` main", "mine", "`=======`", "other", "`>>>>>>>` feature"]


def test_the_same_new_cell_is_taken_once() -> None:
    mine = cell("the same", "mine-1a2b")
    other = cell("the same", "other-3c4d")
    found, conflicts = merged(notebook(*BASE), notebook(*BASE, mine), notebook(*BASE, other))
    assert (sources(found)[4:], conflicts) == (["the same"], 0)
    more = cell("more", "more-5e6f")
    found, conflicts = merged(notebook(*BASE), notebook(*BASE, mine), notebook(*BASE, other, more))
    assert (sources(found)[4:], conflicts) == (["the same", "more"], 0)
    blank = cell("", "blank-7a8b")
    found, conflicts = merged(notebook(*BASE), notebook(*BASE, blank), notebook(*BASE, more))
    assert (sources(found)[4:], conflicts) == (["more"], 0)
    # in another place: ours stands, once
    found, conflicts = merged(notebook(*BASE), notebook(mine, *BASE), notebook(*BASE, other))
    assert (sources(found), conflicts) == (["the same", "one", "two", "three", "four"], 0)


def test_a_cell_with_one_id_that_both_wrote_differently() -> None:
    mine, other = cell("a\nmine\nz", "same-1a2b"), cell("a\nother\nz", "same-1a2b")
    found, conflicts = merged(notebook(*BASE), notebook(*BASE, mine), notebook(*BASE, other))
    assert conflicts == 1
    assert sources(found)[4] == "a\n<<<<<<< main\nmine\n=======\nother\n>>>>>>> feature\nz"


def test_deleted_cells() -> None:
    found, conflicts = merged(notebook(*BASE), notebook(*BASE[1:]), notebook(*BASE[:3]))
    assert (sources(found), conflicts) == (["two", "three"], 0)
    ran = [{**one, "outputs": [SAID], "execution_count": 3} for one in BASE]
    found, conflicts = merged(notebook(*BASE), notebook(*BASE[1:]), notebook(*ran))  # a run is no reason to keep it
    assert (sources(found), conflicts) == (["two", "three", "four"], 0)
    for swap in (False, True):
        sides = [notebook(*BASE[1:]), notebook(*ids("one, changed", "two", "three", "four"))]
        found, conflicts = merged(notebook(*BASE), *(reversed(sides) if swap else sides))
        assert conflicts == 1
        said = sources(found)
        assert said[0] == "`<<<<<<<` main (" + (
            "main changed this cell, feature deleted it)" if swap else "feature changed this cell, main deleted it)"
        )
        assert said[2 if not swap else 1] == "one, changed"
        assert said[4:] == ["two", "three", "four"]


def test_moved_cells() -> None:
    moved = [BASE[2], BASE[0], BASE[1], BASE[3]]
    changed = ids("one", "two", "three, changed", "four")
    for sides in ((moved, changed), (changed, moved)):
        found, conflicts = merged(notebook(*BASE), *(notebook(*side) for side in sides))
        assert (sources(found), conflicts) == (["three, changed", "one", "two", "four"], 0)
    shorter = [BASE[2], BASE[0], BASE[3]]  # moved one and deleted another
    found, conflicts = merged(notebook(*BASE), notebook(*shorter), notebook(*ids("one", "two!", "three", "four")))
    assert conflicts == 1
    assert [text for text in sources(found) if not text.startswith("`")] == ["three", "one", "two!", "four"]


def test_outputs_follow_the_source() -> None:
    base = notebook(*ids("a\nb\nc", "z"))
    ran = [cell("a\nb\nc", "c0-4f7a9e", outputs=[SAID]), cell("z", "c1-4f7a9e", outputs=[SAID])]
    theirs = [cell("A\nb\nc", "c0-4f7a9e", outputs=[{**SAID, "text": ["A"]}]), ran[1]]
    found, conflicts = merged(base, notebook(*ran), notebook(*theirs))
    assert conflicts == 0
    assert json.loads(found)["cells"][0]["outputs"][0]["text"] == ["A"]
    mine = [cell("a\nb\nC", "c0-4f7a9e", outputs=[SAID]), ran[1]]
    found, conflicts = merged(base, notebook(*mine), notebook(*theirs))
    assert (sources(found)[0], outputs(found)) == ("A\nb\nC", 1)  # a mixture was never run
    assert json.loads(found)["cells"][0]["execution_count"] is None


def test_metadata_by_key() -> None:
    def one(**metadata: Any) -> bytes:
        return notebook(cell("a", "c0-4f7a9e", **metadata), kernelspec={"name": "k", "display_name": "K"})

    base, ours, theirs = one(tags=["x", "y"], a=1), one(tags=["x", "mine"], a=1, b=2), one(tags=["x", "y", "t"], a=3)
    found, conflicts = merged(base, ours, theirs)
    metadata = json.loads(found)["cells"][0]["metadata"]
    assert (metadata, conflicts) == ({"tags": ["x", "mine", "t"], "a": 3, "b": 2}, 0)
    found, conflicts = merged(one(a=1), one(a=2), one(a=3))
    assert conflicts == 1
    document = parse(found)
    assert conflict.resolve(document.notebook, "theirs") == 1
    assert document.notebook["cells"][0]["metadata"] == {"a": 3}
    found, conflicts = merged(one(scrolled=True), one(scrolled=False), one())  # an editor's, never a conflict
    assert conflicts == 0


def test_kernels_never_conflict_and_other_notebook_metadata_may() -> None:
    def one(kernel: str, **metadata: Any) -> bytes:
        return notebook(*BASE, kernelspec={"name": kernel, "display_name": kernel}, **metadata)

    found, conflicts = merged(one("a"), one("b"), one("c"))
    assert (json.loads(found)["metadata"]["kernelspec"]["name"], conflicts) == ("b", 0)
    found, conflicts = merged(one("a", title="x"), one("a", title="y"), one("a", title="z"))
    assert conflicts == 1
    document = parse(found)
    assert conflict.resolve(document.notebook, "theirs") == 1
    assert document.notebook["metadata"] == {"kernelspec": {"display_name": "a", "name": "a"}, "title": "z"}


def test_added_on_both_sides() -> None:
    found, conflicts = merged(b"", notebook(*ids("one", "two")), notebook(*ids("one", "two", "three")))
    assert (sources(found), conflicts) == (["one", "two", "three"], 0)


def test_without_ids_cells_are_found_by_what_is_in_them() -> None:
    texts = ["import numpy as np\nimport pandas as pd", "frame = pd.read_csv('a.csv')", "frame.describe()"]
    base = [cell(text) for text in texts]
    ours = [cell(texts[0]), cell("# new\nprint(1)"), cell("frame = pd.read_csv('b.csv')"), cell(texts[2])]
    theirs = [cell(texts[0] + "\nimport torch"), *base[1:], cell("last")]
    found, conflicts = merged(notebook(*base), notebook(*ours), notebook(*theirs))
    assert conflicts == 0
    assert sources(found) == [texts[0] + "\nimport torch", "# new\nprint(1)", ours[2]["source"][0], texts[2], "last"]


def test_ids_that_count_cells_are_not_believed() -> None:
    """As a tool writes them that renumbers: after an insertion every id means another cell."""
    base = [cell(f"cell number {place} of all", str(place)) for place in range(5)]
    ours = [cell("new at the top", "0")] + [cell(f"cell number {place} of all", str(place + 1)) for place in range(5)]
    theirs = [*base[:2], cell("cell number 2 of all\nand more", "2"), *base[3:]]
    found, conflicts = merged(notebook(*base), notebook(*ours), notebook(*theirs))
    assert conflicts == 0
    assert sources(found) == [
        "new at the top",
        *(f"cell number {n} of all" + "\nand more" * (n == 2) for n in range(5)),
    ]


def test_two_new_cells_with_one_counted_id_are_two() -> None:
    """Both tools called their new cell the same; with an id that one of them made up it would be one cell."""
    for name, conflicts in (("3", 1), ("made-up-1", 1)):
        mine, yours = cell("alpha beta gamma", name), cell("delta epsilon zeta", name)
        found, marked = merged(notebook(*BASE), notebook(*BASE, mine), notebook(*BASE, yours))
        assert marked == conflicts
        shape = [one for one in sources(found) if one.startswith("`")]
        assert len(shape) == (3 if name == "3" else 0)  # a block of cells, or lines in one cell


def test_formats_in_a_mixture() -> None:
    with_ids = notebook(*BASE, cell("new", "new-1234"))
    without = notebook(*(cell(text) for text in ("one", "two", "three", "four, changed")))
    base = notebook(*(cell(text) for text in ("one", "two", "three", "four")))
    found, conflicts = merged(base, with_ids, without)
    assert (sources(found), conflicts) == (["one", "two", "three", "four, changed", "new"], 0)
    assert json.loads(found)["nbformat_minor"] == 5
    found, conflicts = merged(base, without, with_ids)
    assert (sources(found), conflicts) == (["one", "two", "three", "four, changed", "new"], 0)
    assert json.loads(found)["nbformat_minor"] == 5


def test_format_3_with_4() -> None:
    def old(*texts: str) -> bytes:
        some = [
            {"cell_type": "code", "input": [text], "language": "python", "metadata": {}, "outputs": []}
            for text in texts
        ]
        some[0] = {"cell_type": "heading", "level": 2, "metadata": {}, "source": ["Title"]}
        return dump(
            {
                "metadata": {"name": ""},
                "nbformat": 3,
                "nbformat_minor": 0,
                "worksheets": [{"cells": some, "metadata": {}}],
            }
        )

    new = notebook(cell("## Title", kind="markdown"), cell("b"), cell("c, changed"))
    found, conflicts = merged(old("", "b", "c"), old("", "b, changed", "c"), new)
    assert (sources(found), conflicts) == (["## Title", "b, changed", "c, changed"], 0)
    data, conflicts = merge(old("", "b"), old("", "b", "c"), old("", "B"), NAMES, lambda *_: ("", False))
    assert (json.loads(data)["nbformat"], conflicts) == (3, 0)
    assert [one.get("input") for one in json.loads(data)["worksheets"][0]["cells"]] == [None, ["B"], ["c"]]


@pytest.mark.parametrize("bad", [b"", b"{", b"[]", b'{"nbformat": 4, "cells": [1]}', b'{"nbformat": 4}'])
def test_what_is_no_notebook_is_left_to_git(bad: bytes) -> None:
    with pytest.raises(FormatError):
        merge(notebook("a"), notebook("b"), bad, NAMES, lambda *_: ("", False))


def test_a_lost_line_is_noticed() -> None:
    """Whatever a line merge does: a result that lacks a line is not handed out."""
    with pytest.raises(FormatError, match="would be lost"):
        merge(notebook("a\nb"), notebook("a\nours"), notebook("theirs\nb"), NAMES, lambda *_: ("nothing", False))


def test_without_ids_an_edited_cell_is_still_the_same_cell() -> None:
    lines = [f"step_{n} = compute(step_{n - 1})" for n in range(1, 8)]
    ours, theirs = ["# mine", *lines], [*lines, "# theirs"]
    sides = [notebook(cell("\n".join(some)), cell("end")) for some in (lines, ours, theirs)]
    found, conflicts = merged(sides[0], sides[1], sides[2])
    assert (sources(found), conflicts) == (["\n".join(["# mine", *lines, "# theirs"]), "end"], 0)
