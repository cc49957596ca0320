"""Files of metrics in every format: what is in them, and where they are broken."""

from __future__ import annotations

import math

import pytest

from modelvc.errors import FormatError
from modelvc.formats.metricfiles import read

BOMB = b"a: &a [[],[],[],[],[],[],[],[],[],[]]\n"
for place in range(9):  # each line names the one before ten times
    before = b"x%d" % (place - 1) if place else b"a"
    BOMB += b"x%d: &x%d [%s]\n" % (place, place, b",".join([b"*" + before] * 10))


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("m.json", b'{"b": 1, "a": {"c": 0.5, "d": [1, 2]}}', (("b", 1), ("a.c", 0.5), ("a.d.0", 1), ("a.d.1", 2))),
        ("m.yaml", b"b: 1\na:\n  c: 1e-3\n  d: yes\n", (("b", 1), ("a.c", 0.001), ("a.d", True))),
        ("m.yml", b"a: 2026-01-02\n", (("a", "2026-01-02"),)),
        ("m.toml", b"b = 1\n[a]\nc = 0.10000000000000001\n", (("b", 1), ("a.c", 0.1))),
        ("m.csv", b"epoch,acc,note\n1,0.5,x\n2,0.75,\n\n", (("epoch", 2), ("acc", 0.75))),
        ("m.tsv", b"\xef\xbb\xbfa\tb\r\n1\ttrue\r\n", (("a", 1), ("b", True))),
        ("metrics", b'{"a": 1}', (("a", 1),)),
    ],
)
def test_what_is_in_it(name: str, data: bytes, expected: object):
    found = read(data, name)
    assert found == expected
    assert [type(value) for _, value in found] == [type(value) for _, value in expected]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "data"), [("a.yaml", b"a: .nan\nb: -.inf"), ("a.toml", b"a = nan\nb = -inf"), ("a.csv", b"a,b\nnan,-inf")]
)
def test_what_is_no_number_stays(name: str, data: bytes):
    found = dict(read(data, name))
    assert math.isnan(float(found["a"]))
    assert found["b"] == -math.inf


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("m.json", b"", "is empty"),
        ("m.json", b"{}", "there is no metric in it"),
        ("m.csv", b"a,b\n", "a header and no row"),
        ("m.csv", b"a,b\n1,2\n1\n", "line 3 has 1 fields, the header 2"),
        ("m.csv", b'a,b\n1,"x', "not valid CSV"),
        ("m.csv", b"a,a\n1,2\n", "is there twice (line 2)"),
        ("m.yaml", b"a: [1\n", "line 2"),
        ("m.yaml", b"a: 1\na: 2\n", "is there twice"),
        ("m.yaml", b"a: !!python/object/apply:os.system [x]\n", "not valid YAML"),
        ("m.yaml", b"just words\n", "single value without a name"),
        ("m.toml", b"a = \n", "not valid TOML"),
        ("m.json", b'{"a": \n]', "line 2"),
        ("m.yaml", b"\xff", "not valid UTF-8 (line 1)"),
        ("m.yaml", BOMB, "more than 100,000 values"),
    ],
)
def test_a_broken_one_says_where(name: str, data: bytes, words: str):
    with pytest.raises(FormatError) as caught:
        read(data, name)
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{name} is no file of metrics: ")
    assert caught.value.hint
