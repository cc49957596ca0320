"""The rich diff: its words, what it hides from the terminal, and what it says about what is not a notebook."""

from __future__ import annotations

import base64
import copy
import json
import random
import re
import subprocess
import sys
from typing import Any

import pytest

from modelvc.errors import FormatError, ModelvcError
from modelvc.notebook.rich.diff import diff_text

COLOUR = re.compile(r"\x1b\[(?:1|1;34|31|32|36|0)m")


def _cell(source: Any, name: str = "abc", **more: Any) -> dict[str, Any]:
    plain = {"cell_type": "code", "execution_count": None, "id": name, "metadata": {}, "outputs": []}
    return {**plain, "source": source, **more}


def _made(*cells: Any, **more: Any) -> bytes:
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5, **more}).encode()


def _old(source: str) -> bytes:
    cell = {
        "cell_type": "code",
        "collapsed": False,
        "input": source,
        "language": "python",
        "metadata": {},
        "outputs": [],
    }
    return json.dumps(
        {"metadata": {"name": ""}, "nbformat": 3, "nbformat_minor": 0, "worksheets": [{"cells": [cell]}]}
    ).encode()


def _diff(before: bytes, after: bytes, *, color: bool = False) -> str:
    return diff_text(before, after, ("old", "new"), color=color)


def test_the_difference_in_words() -> None:
    text = _diff(_made(_cell("a"), _cell("b", "other")), _made(_cell("a"), _cell("c", "other")))
    assert text.startswith("--- old\n+++ new\n")
    assert "## modified /cells/1/source" in text
    assert "-  b\n" in text
    assert "+  c\n" in text
    assert "\x1b" not in text


def test_each_line_has_its_own_colour() -> None:
    text = _diff(_made(_cell("b")), _made(_cell("c")), color=True)
    assert "\x1b[31m-  b\x1b[0m\n" in text
    assert "\x1b[32m+  c\x1b[0m\n" in text
    assert COLOUR.sub("", text) == _diff(_made(_cell("b")), _made(_cell("c")))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        _made(_cell("a")),
        b"\xef\xbb\xbf" + _made(_cell("a")),
        _old("a"),
        _made(_cell("a", "same"), _cell("b", "same")),  # nbformat would draw another id
        _made({key: value for key, value in _cell("a").items() if key != "id"}),  # and here one
    ],
    ids=["empty", "4.5", "bom", "3", "id twice", "no id"],
)
def test_nothing_differs(data: bytes) -> None:
    assert _diff(data, data) == ""


def test_empty_bytes_are_an_empty_notebook() -> None:
    assert _diff(b"", _made()) == ""
    assert "inserted" in _diff(b"\n", _made(_cell("a")))
    assert "deleted" in _diff(_made(_cell("a")), b"")


def test_older_formats_are_upgraded() -> None:
    text = _diff(_old("a\nb"), _made(_cell("a\nc", metadata={"collapsed": False})))
    assert "-  b\n" in text
    assert "+  c\n" in text
    assert "/id" not in text
    assert "orig_nbformat" not in text


HOSTILE = ("\x1b]0;owned\x07", "\x1b[8m", "\x1b[31m", "\x9b31m", "\r", "\x08", "\u202e", "\u2028", "\x00", "\ud800")


@pytest.mark.parametrize("color", [False, True])
def test_a_notebook_does_not_talk_to_the_terminal(color: bool) -> None:  # noqa: FBT001
    text = f"before{''.join(HOSTILE)}after"
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": text},
        {"output_type": "error", "ename": text, "evalue": text, "traceback": [text]},
        {"output_type": "display_data", "data": {"text/plain": text, text: text}, "metadata": {text: text}},
    ]
    after = _made(_cell(text, outputs=outputs), metadata={text: {text: text}})
    said = diff_text(_made(_cell("a")), after, (text, text), color=color)
    assert "after" in said
    assert r"\x1b]0;owned\x07" in said
    plain = COLOUR.sub("", said) if color else said
    for one in HOSTILE:
        assert one not in plain
    assert all(char == "\n" or char.isprintable() for char in plain)
    assert "\x1b[31mafter" not in said


@pytest.mark.parametrize("lines", [76, 10**6])
def test_pictures_are_short(lines: int) -> None:
    picture = base64.b64encode(random.Random(1).randbytes(60_000)).decode()
    data = "".join(f"{picture[at : at + lines]}\n" for at in range(0, len(picture), lines))
    shown = {"output_type": "display_data", "data": {"image/png": data}, "metadata": {}}
    text = _diff(_made(_cell("a")), _made(_cell("a", outputs=[shown])))
    assert "image/png" in text
    assert len(text) < 500


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"<<<<<<< {", "not JSON: Expecting value"),
        (b'{"cells": "\xff"}', "not JSON: it is not valid UTF-8"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b"[]", "not a Jupyter notebook"),
        (b"{}", "not a Jupyter notebook"),
        (_made(nbformat=99), "nbformat 99 is not known"),
        (_made(_cell("a", outputs=[{}])), "outputs/0: .* is not valid"),
        (_made(_cell("a", outputs="\x1b[8m")), "outputs: "),
        (_made({"cell_type": "code", "source": "a"}), "'metadata' is a required property"),
    ],
)
def test_what_is_no_notebook_is_named(data: bytes, why: str) -> None:
    good = _made(_cell("a", outputs=[{"output_type": "stream", "name": "stdout", "text": "a"}]))
    for name, pair in (("new", (good, data)), ("old", (data, good))):
        with pytest.raises(FormatError, match=f"^{name} is not a notebook that can be compared: .*{why}") as found:
            _diff(*pair)
        assert str(found.value).isprintable()
        assert len(str(found.value)) < 300
        assert found.value.hint


def test_notebooks_broken_at_random_never_end_in_anything_else() -> None:
    picture = {"output_type": "display_data", "data": {"text/plain": ["a"], "image/png": "QUJD"}, "metadata": {}}
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": "a\nb"},
        picture,
        {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["a"]},
    ]
    words = {"cell_type": "markdown", "id": "q", "metadata": {}, "source": "hi", "attachments": {"a": {"b/c": "QUJD"}}}
    whole = json.loads(_made(_cell("x = 1\ny", outputs=outputs), words))
    chance = random.Random(7)
    ended = set()
    for _ in range(200):
        sides = []
        for _ in range(2):
            side = copy.deepcopy(whole)
            for _ in range(chance.randint(0, 2)):
                _break(side, chance)
            sides.append(json.dumps(side).encode())
        try:
            ended.add(bool(_diff(sides[0], sides[1])))
        except ModelvcError as error:
            ended.add(type(error).__name__)
    assert ended == {True, False, "FormatError"}


def _break(value: Any, chance: random.Random) -> None:
    """Replace or remove one thing somewhere in VALUE."""
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        if not keys:
            return
        key = chance.choice(keys)
        if isinstance(value[key], dict | list) and chance.random() < 0.8:
            value = value[key]
            continue
        if chance.random() < 0.3:
            del value[key]
        else:
            value[key] = chance.choice([None, 5, "x", [], {}, [1], {"a": 1}, True, 1.5, ["a", None]])
        return


def _python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.strip()


def test_importing_it_loads_nothing_heavy() -> None:
    code = (
        "import sys, modelvc.notebook.rich.diff; print({'nbdime', 'nbformat', 'jsonschema', 'json'} & set(sys.modules))"
    )
    assert _python(code) == "set()"


def test_the_grammar_is_not_built_and_can_be_imported_later() -> None:
    code = (
        "import sys\nfrom modelvc.notebook.rich.diff import diff_text\n"
        f"diff_text(b'', {_made(_cell('a'), _cell('b'))!r}, ('old', 'new'), color=False)\n"
        "print('nbdime' in sys.modules, 'rfc3987_syntax' in sys.modules, 'lark' in sys.modules)"
    )
    assert _python(code) == "True False False"
