from __future__ import annotations

import json

import pytest

from modelvc.errors import FormatError, UsageError
from modelvc.formats.pointer import metrics
from modelvc.formats.text.metric_files import read
from modelvc.formats.toml import NAN


def test_flatten_keeps_order_and_kinds():
    data = b"""{"z": 1, "a": {"b": {"c": 0.1}, "x.y": true}, "list": [1, {"k": "v"}], "none": null, "e": {}, "f": []}"""
    assert read(data, "m.json") == (
        ("z", 1),
        ("a.b.c", 0.1),
        ("a.x.y", True),
        ("list.0", 1),
        ("list.1.k", "v"),
    )


def test_a_list_at_the_top_counts_from_zero():
    assert read(b"[0.5, 0.25]", "m.json") == (("0", 0.5), ("1", 0.25))


def test_numbers_keep_what_they_are():
    found = dict(read(b'{"i": 9007199254740993, "f": 5.0, "n": NaN, "p": Infinity, "m": -Infinity}', "m"))
    assert found == {"i": 9007199254740993, "f": 5.0, "n": NAN, "p": float("inf"), "m": float("-inf")}
    assert isinstance(found["f"], float)
    assert found["n"] is NAN


def test_a_mark_of_byte_order_is_tolerated():
    assert read(b'\xef\xbb\xbf{"a": 1}', "m") == (("a", 1),)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "is empty"),
        (b'{"a": 1,\n "b": }', "not valid JSON: .*line 2, column 7"),
        (b'{"a": "\xff"}', r"UTF-8 \(line 1\)"),
        (b"3", "a single value without a name"),
        (b'{"a": 1, "a": 2}', '"a" appears twice'),
        (b'{"a.b": 1, "a": {"b": 2}}', r'"a\.b" appears twice'),
        (b'{"": 1}', "empty name"),
        (b'{"a": {"": 1}}', "below a has an empty name"),
        (b'{"of": 1}', 'cannot be called "of"'),
        (b'{"a\\n": 1}', r'"a\\n" has a control character'),
        (b'{"a": "\\u001b"}', '"a" has a control character'),
        (b'{"a": "\\ud800"}', "not valid Unicode"),
        (b'{"a": 9223372036854775808}', '"a" does not fit into 64 bits'),
        (b'{"a": ' + b"9" * 5_000 + b"}", "64 bits"),
        (b'{"' + b"x" * 201 + b'": 1}', "longer than 200"),
        (b'{"a": "' + b"x" * 1_001 + b'"}', "longer than 1,000"),
        (json.dumps({str(n): n for n in range(1_001)}).encode(), "more than 1,000 metrics"),
        (b'{"a":' * 60 + b"1" + b"}" * 60, "deeper than 50"),
        (b"[" * 100_000, "deeper than 50"),
        (b" " * (4 << 20) + b"1", "larger than"),
    ],
)
def test_no_metrics(data: bytes, why: str):
    with pytest.raises(FormatError, match=f"out/m.json is not a file of metrics: .*{why}") as caught:
        read(data, "out/m.json")
    assert "JSON object" in caught.value.hint or "--only" in caught.value.hint
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("a=1", "a", 1),
        ("a=-7", "a", -7),
        ("a=+7", "a", 7),
        ("a=007", "a", 7),
        ("a=0.93", "a", 0.93),
        ("a=1e-3", "a", 0.001),
        ("a=.5", "a", 0.5),
        ("a=true", "a", True),
        ("a=False", "a", False),
        ("a=nan", "a", NAN),
        ("a=-NaN", "a", NAN),
        ("a=inf", "a", float("inf")),
        ("a=-inf", "a", float("-inf")),
        ("a=-Infinity", "a", float("-inf")),
        ("test.auc = 0.5", "test.auc", 0.5),
        ("a=x=y", "a", "x=y"),
        ("a=1.2.3", "a", "1.2.3"),
        ("a=-", "a", "-"),
        ("a=--1", "a", "--1"),
        ("a=+true", "a", "+true"),
        ("a=1_000", "a", "1_000"),
        ("a=٣", "a", "٣"),
        ("a=infinite", "a", "infinite"),
    ],
)
def test_assignments(text: str, name: str, value: metrics.MetricValue):
    found = metrics.parse_assignment(text)
    assert found == (name, value)
    assert type(found[1]) is type(value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("accuracy", 'has no "="'),
        ("=1", "empty name"),
        ("a= ", 'no value stands after "="'),
        ("of=1", '"of"'),
        ("a=9223372036854775808", "64 bits"),
        ("a=" + "9" * 5_000, "64 bits"),
        ("a\x1b=1", "control character"),
    ],
)
def test_no_assignments(text: str, why: str):
    with pytest.raises(UsageError, match=why) as caught:
        metrics.parse_assignment(text)
    assert caught.value.hint == "write NAME=VALUE, such as accuracy=0.93; a message belongs to `git commit -m`"
