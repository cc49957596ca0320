from __future__ import annotations

import io
import json
import sys
from dataclasses import dataclass

import pytest

from modelvc.cli.views import render
from modelvc.cli.words import clean_words


def test_numbers_stand_to_the_right() -> None:
    rows = [("a.bin", "1.5 MB", "0.91", "yes"), ("long/name.bin", "20 B", "0.8", "no")]
    assert render.table(("model", "size", "auc", "here"), rows) == [
        "model            size   auc  here",
        "a.bin          1.5 MB  0.91  yes",
        "long/name.bin    20 B   0.8  no",
    ]


def test_without_a_head_only_the_rows() -> None:
    assert render.table((), [("a", "1"), ("bcd", "22")]) == ["a     1", "bcd  22"]


def test_markdown_cells_can_not_end_early() -> None:
    assert render.table(("a|b",), [("x|y\n",)], markdown=True) == [
        "| a\\|b |",
        "|---|",
        "| x\\|y\\\\n |",
    ]


def test_hostile_names_do_not_reach_the_terminal() -> None:
    assert "\x1b" not in "".join(render.table((), [("\x1b]0;owned\x07",)]))


def test_what_a_terminal_would_obey_is_escaped_in_json() -> None:
    name = "\u202e\x9b2J\x7fü\U000e0001"
    text = render.as_json({name: [name]})
    assert text.replace("\n", "").isprintable()
    assert "ü" in text
    assert json.loads(text) == {name: [name]}


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.1, "0.1"), (1, "1"), (True, "true"), (False, "false"), ("text", "text"), (None, ""), (float("nan"), "nan")],
)
def test_metrics_are_shown_as_they_were_given(value: object, words: str) -> None:
    assert render.number(value) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.8266666666666667, "0.826667"),
        (0.93412, "0.93412"),
        (1.0, "1.0"),
        (0.0, "0.0"),
        (-123.456789, "-123.457"),
        (123456789.123, "123456789.0"),
        (1.23456789e-7, "1.23457e-07"),
        (3.0e20, "3e+20"),
        (float("nan"), "nan"),
        (12345678901, "12345678901"),
        ("0.8266666666666667", "0.8266666666666667"),
        (None, ""),
    ],
)
def test_a_metric_in_a_table_has_six_digits(value: object, words: str):
    assert render.brief(value) == words


def test_json_knows_no_nan_and_no_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    @dataclass(frozen=True)
    class Inner:
        raw: bytes

    @dataclass(frozen=True)
    class Outer:
        parts: tuple[Inner, ...]
        metrics: dict[str, float]
        name: str

    render.dump(Outer((Inner(b"\x01\xff"),), {"a": float("nan"), "b": float("-inf"), "c": 0.5}, "caf\udce9 é"))
    out = capsys.readouterr().out
    found = json.loads(out, parse_constant=pytest.fail)
    assert found == {"parts": [{"raw": "01ff"}], "metrics": {"a": "nan", "b": "-inf", "c": 0.5}, "name": "caf\udce9 é"}


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colour_only_where_somebody_looks_and_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR")
    assert render.colour("word", "red") == "word"
    monkeypatch.setattr(sys, "stdout", _Terminal())
    monkeypatch.setenv("TERM", "xterm")
    assert render.colour("word", "red") == "\x1b[31mword\x1b[0m"
    monkeypatch.setenv("TERM", "dumb")
    assert render.colour("word", "red") == "word"
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert render.colour("word", "red") == "word"


def test_words_of_a_status() -> None:
    assert clean_words(1, 1, 0, (0, ()), "") == ["1 model, all clean"]
    assert clean_words(1000, 1000, 0, (0, ()), "") == ["1,000 models, all clean"]
    assert clean_words(1, 3, 1, (1002, ("a\n", "sub/b")), "sub") == [
        "1 of 3 models clean",
        "1 not in the local store (mvc fetch)",
        "1,002 not pushed (mvc push):",
        "  ../a\\n",
        "  b",
        "  and 1,000 more",
    ]


def test_plurals() -> None:
    assert [render.count(n, "model") for n in (0, 1, 2, 1234)] == ["0 models", "1 model", "2 models", "1,234 models"]
    assert [render.yes(v) for v in (True, False, None)] == ["yes", "no", "-"]


def test_a_digest_is_no_number() -> None:
    """Of the digests of commits, one in a few hundred is digits and an e."""
    assert render.table(("commit", "size"), [("5037e940", "1 kB"), ("12345678", "20 kB")]) == [
        "commit     size",
        "5037e940   1 kB",
        "12345678  20 kB",
    ]
