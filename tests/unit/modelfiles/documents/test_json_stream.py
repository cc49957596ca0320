"""JSON of any size: in windows, strict, and in bounded memory."""

from __future__ import annotations

import json
import random
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelvc.modelfiles.documents import json_stream
from modelvc.modelfiles.documents.building import Many
from modelvc.modelfiles.source import Budget, OutOfTime, Source, Unreadable, of_bytes

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=30,
)


def read(data: bytes, **how: Any) -> object:
    return json_stream.read(of_bytes(data), Budget(), "it", **how)


@settings(max_examples=200, database=None)
@given(VALUES, st.sampled_from([None, 1]), st.booleans())
def test_what_python_writes_is_read(value: object, indent: int | None, ascii_: bool) -> None:  # noqa: FBT001
    assert read(json.dumps(value, indent=indent, ensure_ascii=ascii_).encode()) == value


@settings(max_examples=100, database=None)
@given(VALUES, st.integers(1, 7))
def test_windows_of_any_size_give_one_value(value: object, window: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "_WINDOW", window)
        assert read(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b'{"a": 1, "a": 2}', "it has a key twice"),
        (b'{"a": 1, "\\u0061": 2}', "it has a key twice"),
        (b"[1, NaN]", "it is not valid JSON"),
        (b"Infinity", "it is not valid JSON"),
        (b'"\\ud800"', "it is not valid JSON"),
        (b'"\xff"', "it is not valid JSON"),
        (b'"a\nb"', "it is not valid JSON"),
        (b"\xef\xbb\xbf{}", "it is not valid JSON"),
        (b"", "it is not valid JSON"),
        (b"{} {}", "it has bytes behind its end"),
        (b"[1,]", "it is not valid JSON"),
        (b"[,1]", "it is not valid JSON"),
        (b"[1 2]", "it is not valid JSON"),
        (b"[1, [2]", "it is not valid JSON"),
        (b"[[1], 2]]", "it has bytes behind its end"),
        (b'["a",]', "it is not valid JSON"),
        (b'["a" "b"]', "it is not valid JSON"),
        (b'{"a" 1}', "it is not valid JSON"),
        (b'{"a": 1,}', "it is not valid JSON"),
        (b'{"a": }', "it is not valid JSON"),
        (b"{1: 2}", "it is not valid JSON"),
        (b'{"a": 1]', "it is not valid JSON"),
        (b"[01]", "it is not valid JSON"),
        (b"[1.]", "it is not valid JSON"),
        (b"truefalse", "it has bytes behind its end"),
        (b"9" * 5_000, "it is not valid JSON"),
        (b"[" * 200 + b"]" * 200, "it is nested too deeply"),
        (b"[" * 200_000, "it is nested too deeply"),
        (b'{"a":' * 101 + b"1" + b"}" * 101, "it is nested too deeply"),
        (b"[" + b"1," * 60_000 + b"]", "it is not valid JSON"),
        (b"[" + b"1," * 60_000 + b"1", "it is not valid JSON"),
        (b"[" + b"1," * 600_000 + b'"a"]', "it mixes numbers with others in a long list"),
        (b"[" + b"1" * 200_000 + b"]", "it is not valid JSON"),
        (b'"' + b"a" * (17 << 20) + b'"', "it holds a text that is too long"),
    ],
)
def test_anything_else_is_unreadable(data: bytes, why: str) -> None:
    with pytest.raises(Unreadable, match=f"^{why}$"):
        read(data)


def test_constants_are_accepted_on_request() -> None:
    assert read(b"[Infinity, -Infinity]", constants=True) == [float("inf"), float("-inf")]


def test_long_lists_and_objects_become_their_length() -> None:
    assert read(json.dumps([1.5] * 101).encode()) == Many(101)
    assert read(json.dumps([random.random() for _ in range(500_000)], indent=1).encode()) == Many(500_000)
    assert read(json.dumps(["a"] * 10_001).encode()) == Many(10_001)
    assert read(json.dumps({str(n): n for n in range(10_001)}).encode()) == Many(10_001)
    assert len(read(json.dumps([1] * 100).encode())) == 100  # type: ignore[arg-type]


def test_a_complete_object_may_be_made_smaller() -> None:
    seen: list[str] = []

    def fold(key: str, value: dict[str, object]) -> object:
        seen.append(key)
        return len(value)

    assert read(b'{"trees": [{"a": 1, "b": [2]}, {}], "x": {"y": {}}}', fold=fold) == 2
    assert seen == ["trees", "trees", "y", "x", ""]


def large(trees: int, nodes: int) -> Source:
    """A document of many trees that is never in memory as a whole."""
    tree = json.dumps({"left_children": [7] * nodes, "weights": [0.125] * nodes}).encode()
    head, tail = b'{"trees": [' + tree, b"]}"
    step = b", " + tree
    size = len(head) + (trees - 1) * len(step) + len(tail)

    def read_at(offset: int, length: int) -> bytes:
        first = max(0, (offset - len(head)) // len(step))
        part = (head if offset < len(head) else b"") + step * (length // len(step) + 2)
        start = offset if offset < len(head) else len(head) + first * len(step)
        data = part[(offset - start) :][: min(length, size - offset)]
        body_end = size - len(tail)
        if offset + len(data) > body_end:
            data = data[: max(0, body_end - offset)] + tail[max(0, offset - body_end) :]
        return data[:length]

    return Source(size, read_at)


def test_a_large_document_needs_the_memory_of_a_part() -> None:
    source = large(trees=1_000, nodes=1_000)
    assert source.size > 10_000_000
    tracemalloc.start()
    try:
        found = json_stream.read(source, Budget(), "it", lambda key, value: 0 if key == "trees" else value)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(found["trees"]) == 1_000  # type: ignore[index,arg-type,call-overload]
    assert most < 6 << 20


@pytest.mark.parametrize("value", [b'{"a": {}}', b"[]", b'"xxxxxxxxxxxxxxxxxxxx"'])
def test_small_inputs_cannot_exhaust_memory(value: bytes) -> None:
    part = b"[%b]" % b",".join([value] * 9_000)
    with pytest.raises(Unreadable, match="memory limit"):
        json_stream.read(of_bytes(b"[%b]" % b",".join([part] * 10)), Budget(memory=4 << 20), "it")


def test_time_is_looked_at() -> None:
    with pytest.raises(OutOfTime):
        json_stream.read(of_bytes(b"[1]"), Budget(seconds=-1), "it")
