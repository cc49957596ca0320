"""Small JSON documents: strict and bounded."""

from __future__ import annotations

import json

import pytest

from modelvc.modelfiles.json_text import read_json
from modelvc.modelfiles.source import Budget, OutOfTime, Unreadable

LIKE_SAFETENSORS = json.dumps(
    {f"layer.{n}.weight": {"dtype": "F32", "shape": [64, n], "data_offsets": [n, n + 1]} for n in range(5_000)}
).encode()


@pytest.mark.parametrize("value", [None, True, 3, -2.5, "ä\u2028", [], {"a": [1, {"b": None}]}, {"": ""}])
def test_what_python_writes_is_read(value: object) -> None:
    assert read_json(json.dumps(value).encode(), Budget(), "it") == value
    assert read_json(json.dumps(value, ensure_ascii=False).encode(), Budget(), "it") == value


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b'{"a": 1, "a": 2}', "it has a key twice"),
        (b'[{"x": {"a": 1, "b": 0, "a": 1}}]', "it has a key twice"),
        (b'{"a": 1, "\\u0061": 2}', "it has a key twice"),
        (b"[1, NaN]", "it holds NaN, which is not JSON"),
        (b"[-Infinity]", "it holds -Infinity, which is not JSON"),
        (b'"\\ud800"', "it holds half a character"),
        (b'{"\\udC00": 1}', "it holds half a character"),
        (b'"\xff"', "it is not valid UTF-8"),
        (b"\xef\xbb\xbf{}", "it is not valid JSON"),
        (b"", "it is not valid JSON"),
        (b"{} {}", "it is not valid JSON"),
        (b"[1,]", "it is not valid JSON"),
        (b"9" * 5_000, "it is not valid JSON"),
        (b"[" * 200 + b"]" * 200, "it is nested too deeply"),
        (b"[" * 200_000, "it is nested too deeply"),
        (b'{"a":' * 101 + b"1" + b"}" * 101, "it is nested too deeply"),
    ],
)
def test_anything_else_is_unreadable(data: bytes, why: str) -> None:
    with pytest.raises(Unreadable, match=f"^{why}$"):
        read_json(data, Budget(), "it")


def test_a_pair_of_surrogates_is_a_character() -> None:
    assert read_json(b'"\\ud83d\\ude00"', Budget(), "it") == "\U0001f600"


def test_constants_are_accepted_on_request() -> None:
    assert read_json(b"[Infinity]", Budget(), "it", constants=True) == [float("inf")]


def test_small_inputs_cannot_exhaust_memory() -> None:
    for data in (
        b"[" + b"{}," * 400_000 + b"{}]",
        b"[" + b"[]," * 600_000 + b"[]]",
        b'"' + b"\xc3\xa4" * 5_000_000 + b'"',
    ):
        with pytest.raises(Unreadable, match="memory limit"):
            read_json(data, Budget(), "it")


def test_time_is_looked_at() -> None:
    with pytest.raises(OutOfTime):
        read_json(b"1", Budget(seconds=-1), "it")


def test_the_header_of_many_tensors_fits() -> None:
    assert len(read_json(LIKE_SAFETENSORS, Budget(), "its header")) == 5_000  # type: ignore[arg-type]
