from __future__ import annotations

import datetime as dt
import time

import pytest

from modelvc.errors import FormatError
from modelvc.formats import toml


def read(data: bytes):
    return toml.read(data, "a/config.toml", limit=100_000)


def test_the_text():
    table = {
        "a": 1,
        "b": {"x": "é", "y": {"z": True}, "e": {}},
        "c d": [1, [2.5], {"k": "v", "m": {}}, []],
        "": 'tab\t quote" back\\ line\n bell\x07 del\x7f',
        "when": dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.UTC),
        "only": {"tables": {"here": 1}},
    }
    assert toml.encode(table) == (
        "a = 1\n"
        '"c d" = [1, [2.5], { k = "v", m = {} }, []]\n'
        '"" = "tab\\t quote\\" back\\\\ line\\n bell\\u0007 del\\u007F"\n'
        "when = 2024-01-02T03:04:05+00:00\n"
        "\n"
        "[b]\n"
        'x = "é"\n'
        "\n"
        "[b.y]\n"
        "z = true\n"
        "\n"
        "[b.e]\n"
        "\n"
        "[only.tables]\n"
        "here = 1\n"
    )
    assert read(toml.encode(table).encode()) == table
    assert toml.encode({}) == ""


@pytest.mark.parametrize(
    ("number", "text"),
    [(0.1, "0.1"), (1e16, "1e+16"), (1e-7, "1e-07"), (5.0, "5.0"), (float("-inf"), "-inf"), (float("nan"), "nan")],
)
def test_floats_are_as_short_as_they_can_be(number: float, text: str):
    assert toml.encode({"x": number}) == f"x = {text}\n"


def test_there_is_one_nan():
    assert read(b"a = nan\nb = [-nan]\n") == {"a": toml.NAN, "b": [toml.NAN]}


@pytest.mark.parametrize(
    ("value", "why"), [(1 << 63, "64 bits"), ("\ud800", "not valid Unicode"), ({"\udfff": 1}, "not valid Unicode")]
)
def test_what_can_not_be_said_is_refused(value: toml.Value, why: str):
    with pytest.raises(FormatError, match=why):
        toml.encode({"x": value})


def test_depth_is_capped_on_writing():
    deep: toml.Value = 1
    for _ in range(40):
        deep = {"x": deep}
    for value in ({"x": deep}, {"x": [deep]}):
        with pytest.raises(FormatError, match="deeper than 16"):
            toml.encode(value)


N = 65_000


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"a = 1\nb = \n", "a/config.toml is not valid TOML: .* line 2"),
        (b"a = 1\nb = '\xff'\n", r"not valid UTF-8 \(at line 2\)"),
        (b"a = 1\na = 2\n", "line 2"),
        (b"x" * 100_001, "larger than 100,000 bytes"),
        (b"a = " + b"[" * N, "nested too deeply"),
        (b"a = " + b"{a = " * (N // 5), "nested too deeply"),
        (b"a" + b".a" * (N // 2) + b" = 1", "nested too deeply"),
        (b"a" + b' . "a"' * (N // 6) + b" = 1", "nested too deeply"),
        (b"[a" + b".a" * (N // 2) + b"]", "nested too deeply"),
        (b"a = {" + b"a." * (N // 2) + b"a = 1}", "nested too deeply"),
        (b"a.a.a.a.a.a.a.a.a.a = {a.a.a.a.a.a.a.a.a.a.a = 1}", "nested too deeply"),
        (b"a = " + b"9" * N, "impossible"),
        (b"a.b = [0x" + b"f" * N + b"]", r"a\.b\.\[\] does not fit into 64 bits"),
        (b"a = 9223372036854775808", "64 bits"),
        (b"." * N, "nested too deeply"),
        (b'"' * N, "not valid TOML"),
        (b"'''" + b"''a" * (N // 3), "not valid TOML"),
        (b'a = "' + b"\\\\" * (N // 2), "not valid TOML"),
        (b"a = \x1b", "not valid TOML"),
    ],
)
def test_hostile_text_is_refused_in_no_time(data: bytes, why: str):
    started = time.perf_counter()
    with pytest.raises(FormatError, match=why) as caught:
        read(data)
    assert time.perf_counter() - started < 0.5
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("data", [b"a = " + b"{a=" * 17 + b"1" + b"}" * 17, b"a = " + b"[" * 17, b"a." * 17 + b"a = 1"])
def test_what_is_nested_never_reaches_the_reader_that_recurses(data: bytes, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tomllib.loads", None)
    with pytest.raises(FormatError, match="nested too deeply"):
        read(data)


def test_dots_and_brackets_in_text_are_no_nesting():
    text = "." * 500 + "[{" * 500
    table = {"a": text, "b": [0.5] * 500, text: 1}
    assert read(toml.encode(table).encode()) == table
    assert read(f'a = \'{text}\' # {text}\nb = \'\'\'\n{text}\'\'\'\nc = """"{text}\\"""""\n'.encode()) == {
        "a": text,
        "b": text,
        "c": f'"{text}""',
    }


def test_line_ends_and_a_mark_of_byte_order():
    assert read(b"\xef\xbb\xbfa = 1\r\nb = 2\r\n") == {"a": 1, "b": 2}
