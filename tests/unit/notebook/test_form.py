"""The form of a notebook's JSON: found, kept, and never guessed wrongly."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from modelvc.errors import FormatError
from modelvc.formats.notebook_rules import NotebookRules
from modelvc.notebook import document, form, match_form
from modelvc.notebook.strip import clean
from tests.support.notebooks import SAID, cell, dump, notebook

VALUE: Any = {
    "cells": [
        {
            "cell_type": "code",
            "execution_count": None,
            "metadata": {"é": [], "n": 1.5},
            "outputs": [],
            "source": ["a\n"],
        },
        {"cell_type": "markdown", "metadata": {}, "source": ["<a href='x'> & \\u00e9 \u2028 \U0001f680 \x7f"]},
    ],
    "metadata": {},
    "nbformat": 4,
    "nbformat_minor": 4,
}


def written(value: Any, *, newline: str = "\n", end: str = "\n", html: bool = False, **how: Any) -> bytes:
    text = json.dumps(value, **how)
    if html:  # as Colab and Go write
        text = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return (text.replace("\n", newline) + end).encode()


FORMS: list[dict[str, Any]] = [
    {"indent": indent, "ensure_ascii": escaped, "newline": newline, "end": end, "html": html}
    for indent in (None, 0, 1, 2, 4, "\t")
    for escaped in (False, True)
    for newline in ("\n", "\r\n")
    for end in ("", newline, newline * 2)
    for html in (False, True)
] + [{"separators": (",", ":")}, {"separators": (", ", " : "), "indent": 3}, {"separators": (", ", ": "), "indent": 4}]


@pytest.mark.parametrize("how", FORMS, ids=str)
def test_what_is_saved_in_jupyter_s_form_is_git_s_version_again(how: dict[str, Any]) -> None:
    before = written(VALUE, **how)
    ran = json.loads(json.dumps(VALUE))
    ran["cells"][0] |= {"outputs": [SAID], "execution_count": 3}
    assert clean(dump(ran), NotebookRules(), "n.ipynb", before)[0] == before
    assert clean(written(ran, **how), NotebookRules(), "n.ipynb")[0] == before  # a new file keeps its own
    assert clean(before, NotebookRules(), "n.ipynb", match_form.AS_JUPYTER)[0] == dump(VALUE)


def test_the_byte_order_mark_is_a_part_of_it() -> None:
    before = form.BOM + dump(VALUE)
    assert clean(dump(VALUE), NotebookRules(), "n.ipynb", before)[0] == before


@pytest.mark.parametrize(
    "other",
    [
        b"",
        b"{",
        b"[1]\n",
        b"null",
        b"{}",
        dump(VALUE).replace(b'"metadata": {}', b'"metadata": { }'),
        dump(VALUE).replace(b'"outputs": []', b'"outputs": [\n   ]'),
        dump(VALUE).replace(b"1.5", b"1.50"),
        dump(VALUE).replace(b"\n ", b"\n\n ", 1),
        written(VALUE).replace(b"\\u00e9", b"\\u00E9"),
        b" " + dump(VALUE),
    ],
)
def test_a_form_that_is_not_known_changes_nothing(other: bytes) -> None:
    ran = notebook(cell("a", "c0-4f7a9e", outputs=[SAID]))
    plain = notebook(cell("a", "c0-4f7a9e"))
    for data in (ran, plain, written(json.loads(plain), indent=4)):
        assert clean(data, NotebookRules(), "n.ipynb", other)[0] == clean(data, NotebookRules(), "n.ipynb")[0]


def test_nothing_but_the_form_depends_on_the_other_version() -> None:
    """Keys, values and cells that only the other version has do not come in."""
    other = json.loads(dump(VALUE))
    other["metadata"] = {"z": 1, "a": {"y": 1, "b": 2}}
    other["cells"].append(other["cells"][1])
    now = json.loads(dump(VALUE))
    now["metadata"] = {"a": {"b": 3, "c": 4, "y": 5}, "new": [1, 2]}
    now["nbformat_minor"] = 5
    found, _ = clean(dump(now), NotebookRules(), "n.ipynb", written(other, indent=2))
    assert json.loads(found) == now
    assert list(json.loads(found)["metadata"]["a"]) == ["y", "b", "c"]


def test_a_version_of_another_format_gives_its_layout_alone() -> None:
    """Upgraded from nbformat 3, where a source is called `input`; and a source that is no text."""
    old = {"cell_type": "code", "collapsed": False, "input": ["a"], "language": "python", "metadata": {}, "outputs": []}
    sheet = {"cells": [{**old, "prompt_number": None}], "metadata": {}}
    three = written({"metadata": {}, "nbformat": 3, "nbformat_minor": 0, "worksheets": [sheet]}, indent=2)
    four = json.loads(notebook(cell("a")))
    assert clean(dump(four), NotebookRules(), "n.ipynb", three)[0] == written(four, indent=2, ensure_ascii=False)
    for odd in (None, 3, [3], ["a", 3], {"a": 1}):
        value = json.loads(notebook(cell("a"), cell("a")))
        value["cells"][0]["source"] = odd
        for before, after in ((value, four), (four, value)):
            found, _ = clean(dump(after), NotebookRules(), "n.ipynb", dump(before))
            assert json.loads(found) == after


def test_values_are_counted_before_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "MOST_VALUES", 1_000)
    assert document.parse(b'["' + b"," * 5_000 + b'", "\\",{[", 1]')
    for many in (
        b"[" + b"{}," * 1_000 + b"{}]",
        b"[" * 1_001,
        b'{"a": "' + b"," * 5 + b'", "b": [' + b"1," * 1_000 + b"1]}",
    ):
        with pytest.raises(FormatError, match="more than 1,000 values"):
            document.parse(many)


def test_hostile_bytes_cost_no_more_than_their_length() -> None:
    """Guessing is linear: a second covers what takes milliseconds."""
    start = time.process_time()
    for unit in (b"\\", b'"', b'{"', b"\\u00e9", b",\n", b"{\n", b" ", b'":'):
        form.guess(b'{\n "' + unit * (300_000 // len(unit)))
        form.guess(b"{" + unit * (300_000 // len(unit)))
    assert time.process_time() - start < 60
