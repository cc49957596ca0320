from __future__ import annotations

import json
import os
import struct
import time
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from modelvc.modelfiles.facts import NAME, ModelFacts, Tensor
from modelvc.modelfiles.inspect import inspect
from modelvc.modelfiles.recognise import is_safetensors
from modelvc.modelfiles.source import Budget, Source, Unreadable, of_bytes
from modelvc.modelfiles.tensors import safetensors as reader

MODELS = os.path.join(os.path.dirname(__file__), "..", "..", "..", "fixtures", "models", "safetensors")


def pack(header: object, size: int = 0) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(size)


def info(dtype: str = "F32", shape: list[int] | None = None, start: int = 0, end: int = 16) -> dict[str, Any]:
    return {"dtype": dtype, "shape": [4] if shape is None else shape, "data_offsets": [start, end]}


def read(data: bytes) -> ModelFacts:
    assert is_safetensors(data[:4096])
    return reader.read(of_bytes(data), Budget())


def why(data: bytes) -> str:
    with pytest.raises(Unreadable) as caught:
        reader.read(of_bytes(data), Budget())
    assert inspect(of_bytes(data)).unreadable in {str(caught.value), ""}  # "": it is not recognised
    return str(caught.value)


def test_what_the_library_writes():
    arrays = {
        "b": np.arange(6, dtype=np.float32).reshape(2, 3),
        "a": np.arange(3, dtype=np.int64),
        "empty": np.zeros((0, 4), np.float16),
        "one": np.array(2.0),
        "flag": np.array([True, False]),
    }
    data = safetensors.numpy.save(arrays, {"format": "pt", "epoch": "3", "why": "a \u201cquote\u201d\n"})
    facts = inspect(of_bytes(data))
    assert (facts.format, facts.framework, facts.unreadable) == ("safetensors", "torch", "")
    assert facts.figures == (("epoch", "3"), ("why", "a \u201cquote\u201d\\n"))
    assert facts.parameters == 6 + 3 + 0 + 1 + 2
    assert {one.name: (one.dtype, one.shape) for one in facts.tensors} == {
        name: (array.dtype.name, array.shape) for name, array in arrays.items()
    }
    for one in facts.tensors:
        assert data[one.start : one.end] == arrays[one.name].tobytes()


@pytest.mark.parametrize("name", ["v1", "v2"])
def test_fixtures(name: str):
    path = os.path.join(MODELS, f"{name}.safetensors")
    with open(path, "rb") as file:
        facts = read(file.read())
    loaded = safetensors.numpy.load_file(path)
    assert {one.name: one.shape for one in facts.tensors} == {key: value.shape for key, value in loaded.items()}


def test_any_spacing_and_order_of_fields():
    text = (
        b'{ "a" : { "shape":[ 2 , 2 ],\n"data_offsets" : [0,16 ] , "dtype":"F32" } , "__metadata__":{ "k" : "v" } }  '
    )
    facts = read(pack(text, 16))
    assert facts.tensors == (Tensor("a", "float32", (2, 2), 8 + len(text), 24 + len(text)),)
    assert facts.figures == (("k", "v"),)


def test_no_tensors():
    assert read(pack({})).tensors == ()
    assert read(pack({"__metadata__": {}})).parameters == 0


def test_types_below_a_byte():
    facts = read(pack({"a": info("F4", [3], 0, 2), "b": info("F6_E2M3", [4], 2, 5)}, 5))
    assert [(one.dtype, one.end - one.start) for one in facts.tensors] == [("float4_e2m1", 2), ("float6_e2m3", 3)]


@pytest.mark.parametrize(
    ("header", "size"),
    [
        ({"a": info(start=4, end=20)}, 20),  # a hole before
        ({"a": info(), "b": info(start=20, end=36)}, 36),  # between
        ({"a": info()}, 20),  # behind
        ({"a": info(), "b": info(start=8, end=24)}, 24),  # an overlap
        ({"a": info(), "b": info()}, 16),  # the same bytes twice
        ({"a": info(end=1 << 50)}, 16),  # out of the file
        ({"a": info(start=16, end=0)}, 16),
        ({"a": info(shape=[5])}, 16),
        ({"a": info(shape=[2, 3])}, 16),
        ({"a": info(shape=[10**17] * 60)}, 16),
        ({"a": info("F16")}, 16),
        ({"a": info("F33")}, 16),
        ({"a": info("F32", [1] * 70)}, 16),
        ({"a": {"dtype": "F32", "shape": [4]}}, 16),
        ({"a": {**info(), "more": 1}}, 16),
        ({"a": {**info(), "shape": "F32"}}, 16),
        ({"a": {**info(), "shape": [4.0]}}, 16),
        ({"a": {**info(), "shape": [-4]}}, 16),
        ({"a": {**info(), "dtype": [4]}}, 16),
        ({"a": {**info(), "data_offsets": [0, 16, 16]}}, 16),
        ({"a": []}, 0),
        ({"__metadata__": {"a": 1}}, 0),
        ({"__metadata__": "x"}, 0),
        (b'{"a":1', 0),
        (b"{}x", 0),
        (b"{}{}", 0),
        (b'{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},}', 16),
        (b'{"a":{"dtype":"F32","dtype":"F32","shape":[4],"data_offsets":[0,16]}}', 16),
        (b'{"a":{"dtype":"F32","dtype":"F32","data_offsets":[0,16]}}', 16),
        (b'{"\\ud800":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}', 16),
        (b'{"\\x":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}', 16),
        (b'{"\xff":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}', 16),
        (b'{"a\n":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}', 16),
        (b'{"a":{"dtype":"F32","shape":[04],"data_offsets":[0,16]}}', 16),
        (b"{" * 5000, 0),
        (b'{"a":' * 5000, 0),
    ],
)
def test_lies(header: object, size: int):
    assert why(pack(header, size))


@pytest.mark.parametrize("name", ["a", "__metadata__"])
def test_a_name_twice(name: str):
    value = "{}" if name != "a" else json.dumps(info("U8", [0], 0, 0))
    assert "twice" in why(pack(f'{{"{name}":{value},"{name}":{value}}}'.encode()))


def test_a_name_twice_by_an_escape():
    one = json.dumps(info("U8", [0], 0, 0))
    assert "twice" in why(pack(f'{{"a":{one},"\\u0061":{one}}}'.encode()))
    assert "twice" in why(pack(b'{"__metadata__":{"k":"1","\\u006b":"2"}}'))


@pytest.mark.parametrize("length", [0, 1, 3, 1 << 20, 100_000_001, 1 << 63, (1 << 64) - 1])
def test_a_lying_length_of_the_header(length: int):
    assert why(struct.pack("<Q", length) + pack({"a": info()}, 16)[8:])


def test_every_truncation():
    data = pack({"__metadata__": {"k": "v"}, "a": info()}, 16)
    for end in range(len(data)):
        assert why(data[:end])


def test_names_are_hostile():
    name = "\x1b[2J" + "x" * 1000
    facts = read(pack({name: info()}, 16))
    assert facts.tensors[0].name.isprintable()
    assert len(facts.tensors[0].name) == NAME


def test_many_notes_are_cut():
    facts = read(pack({"__metadata__": {f"{n:03}": "x" * 3000 for n in range(80)} | {"format": "pt"}}))
    assert len(facts.figures) == 50
    assert facts.framework == "torch"
    assert facts.notes == ("30 more notes in its header",)
    assert max(len(str(value)) for _, value in facts.figures) == NAME


def test_a_long_note_is_read_in_windows():
    facts = read(pack({"__metadata__": {"k": "x" * (3 << 20)}, "a": info()}, 16))
    assert len(facts.tensors) == 1
    assert "not JSON" in why(pack({"__metadata__": {"k": "x" * (40 << 20)}}))


def test_the_budget():
    data = pack({f"{number}": info("U8", [0], 0, 0) for number in range(50)})
    with pytest.raises(Unreadable, match="members"):
        reader.read(of_bytes(data), Budget(members=40))
    with pytest.raises(Unreadable, match="memory"):
        reader.read(of_bytes(data), Budget(memory=4000))


def test_a_large_header_is_read_in_a_tenth_of_a_second():
    rows = {f"model.layers.{n}.q_proj.weight": info("BF16", [1000, 1000], n * 2000000, n * 2000000 + 2000000)
            for n in range(5000)}  # fmt: skip
    data = pack(rows)
    source = Source(len(data) + 5000 * 2000000, lambda at, length: data[at : at + length])
    reader.read(of_bytes(pack({})), Budget())
    began = time.process_time()
    assert reader.read(source, Budget()).parameters == 5_000_000_000
    assert time.process_time() - began < 0.3  # a third of which a quiet machine needs
