from __future__ import annotations

import math
import struct
from typing import Any

import pytest

from modelvc.modelfiles.facts import Finding, ModelFacts, Severity
from modelvc.modelfiles.inspect import inspect
from modelvc.modelfiles.source import Budget, Source, of_bytes
from modelvc.modelfiles.tensors import gguf
from modelvc.modelfiles.tensors.gguf import _TYPES

NUMBERS = {value[0]: number for number, value in _TYPES.items()}
FORMS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "B", 10: "Q", 11: "q", 12: "d"}


def text(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(data)) + data


def encoded(kind: int, value: Any) -> bytes:
    if kind == 8:
        return text(value)
    if kind == 9:
        inner, items = value
        return struct.pack("<IQ", inner, len(items)) + b"".join(encoded(inner, item) for item in items)
    return struct.pack("<" + FORMS[kind], value)


def pair(key: str | bytes, kind: int, value: Any) -> bytes:
    return text(key) + struct.pack("<I", kind) + encoded(kind, value)


def size(dtype: str, shape: tuple[int, ...]) -> int:
    _, block, width = _TYPES[NUMBERS[dtype]]
    return math.prod(shape) // block * width


def tensor(name: str | bytes, dtype: str | int, shape: tuple[int, ...], offset: int) -> bytes:
    kind = NUMBERS[dtype] if isinstance(dtype, str) else dtype
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


def pack(pairs: list[bytes], tensors: list[bytes], data: int = 0, version: int = 3, align: int = 32) -> bytes:
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(pairs)) + b"".join(pairs + tensors)
    return head + bytes(-len(head) % align) + bytes(data)


def read(data: bytes) -> ModelFacts:
    facts = inspect(of_bytes(data))
    assert (facts.format, facts.unreadable) == ("gguf", "")
    return facts


def why(data: bytes) -> str:
    facts = inspect(of_bytes(data))
    assert facts.format == "gguf"
    assert facts.unreadable
    return facts.unreadable


ARCHITECTURE = pair("general.architecture", 8, "llama")


@pytest.mark.parametrize("version", [2, 3])
def test_values(version: int):
    scalars = {0: 200, 1: -5, 2: 60_000, 3: -30_000, 4: 1 << 31, 5: -(1 << 31), 6: 0.5, 7: 1, 10: 1 << 63, 11: -1,
               12: 0.25}  # fmt: skip
    pairs = [ARCHITECTURE, *(pair(f"k{kind:02}", kind, value) for kind, value in scalars.items())]
    pairs += [
        pair("tokenizer.ggml.tokens", 9, (8, ["a", "bc", ""] * 5)),
        pair("tokenizer.ggml.model", 8, "gpt2"),
        pair("deep", 9, (9, [(4, [1, 2]), (8, ["x"])])),
        pair("llama.rope.freq", 6, math.inf),
    ]
    facts = read(pack(pairs, [], version=version))
    assert (facts.framework, facts.class_name) == ("ggml", "llama")
    wanted = [(f"k{kind:02}", True if kind == 7 else value) for kind, value in scalars.items()]
    assert facts.hyper_parameters == (*wanted, ("llama.rope.freq", "inf"))
    assert facts.figures == (("deep", 2), ("tokenizer.ggml.model", "gpt2"), ("tokenizer.ggml.tokens", 15))


def test_tensors_of_every_type():
    tensors, at = [], 0
    for dtype in NUMBERS:
        tensors.append(tensor(dtype, dtype, (256, 2), at))
        at += size(dtype, (256, 2))
        at += -at % 32
    facts = read(pack([ARCHITECTURE], tensors, at))
    assert [one.name for one in facts.tensors] == [one.dtype for one in facts.tensors] == list(NUMBERS)
    assert facts.parameters == 512 * len(NUMBERS)
    assert {one.end - one.start for one in facts.tensors if one.dtype == "Q4_K"} == {288}


def test_places_follow_the_alignment():
    tensors = [tensor("a", "float32", (3,), 0), tensor("b", "float32", (3,), 64)]
    data = pack([pair("general.alignment", 4, 64)], tensors, 76, align=64)
    data = data[:-76] + b"a" * 12 + bytes(52) + b"b" * 12
    facts = read(data)
    assert [data[one.start : one.end] for one in facts.tensors] == [b"a" * 12, b"b" * 12]
    assert read(data + bytes(52)).tensors == facts.tensors  # padded to the end
    assert facts.hyper_parameters == ()


def test_a_scalar_tensor():
    assert read(pack([], [tensor("a", "float32", (), 0)], 4)).tensors[0].shape == ()


@pytest.mark.parametrize("version", [0, 1, 4, 0x03000000])
def test_other_versions(version: int):
    assert "version" in why(pack([], [], version=version))


@pytest.mark.parametrize(
    ("pairs", "tensors", "data"),
    [
        ([ARCHITECTURE, ARCHITECTURE], [], 0),
        ([pair("a", 7, 2)], [], 0),
        ([text("a") + struct.pack("<I", 13)], [], 0),
        ([text("a") + struct.pack("<IIQ", 9, 13, 1)], [], 0),
        ([text("a") + struct.pack("<IIQ", 9, 4, 1 << 62)], [], 0),
        ([text("a") + struct.pack("<IIQ", 9, 8, 1 << 62)], [], 0),
        ([text("a") + struct.pack("<IIQ", 9, 9, 1 << 62)], [], 0),
        ([text("a") + struct.pack("<IIQQ", 9, 8, 1, 1 << 63)], [], 0),
        ([text("a") + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 200 + struct.pack("<IQ", 4, 0)], [], 0),
        ([text("a") + struct.pack("<IQ", 8, 1 << 63)], [], 0),
        ([struct.pack("<Q", 1 << 63)], [], 0),
        ([struct.pack("<Q", 1 << 16) + b"a"], [], 0),
        ([pair(b"\xff", 4, 1)], [], 0),
        ([pair("a", 8, b"\xff")], [], 0),
        ([pair("general.alignment", 4, 0)], [], 0),
        ([pair("general.alignment", 4, 24)], [], 0),
        ([pair("general.alignment", 4, 1 << 31)], [], 0),
        ([pair("general.alignment", 10, 32)], [], 0),
        ([], [tensor("a", "float32", (1,), 0), tensor("a", "float32", (1,), 32)], 64),
        ([], [tensor("a", "float32", (1, 1, 1, 1, 1), 0)], 4),
        ([], [tensor("a", "float32", (1 << 62, 1 << 62), 0)], 4),
        ([], [tensor("a", "float32", (2,), 0)], 4),
        ([], [tensor("a", "float32", (1,), 32)], 36),
        ([], [tensor("a", "float32", (1,), 0), tensor("b", "float32", (1,), 4)], 64),
        ([], [tensor("a", "float32", (1,), 0), tensor("b", "float32", (1,), 0)], 64),
        ([], [tensor("a", "float32", (1,), 0), tensor("b", "float32", (1,), 1 << 63)], 64),
        ([], [tensor("a", "float32", (1,), 0)], 33),
        ([], [tensor("a", "Q4_0", (33,), 0)], 64),
        ([], [tensor("a", "Q4_0", (), 0)], 64),
        ([], [tensor("a", 4, (32,), 0)], 64),
        ([], [tensor("a", 99, (1,), 0)], 64),
        ([], [tensor(b"\xff", "float32", (1,), 0)], 4),
        ([], [struct.pack("<Q", 1 << 63)], 0),
    ],
)
def test_lies(pairs: list[bytes], tensors: list[bytes], data: int):
    assert why(pack(pairs, tensors, data))


@pytest.mark.parametrize("counts", [(1 << 63, 0), (0, 1 << 63), (1, 0), (0, 1), (100_000, 1)])
def test_lying_counts(counts: tuple[int, int]):
    assert why(b"GGUF" + struct.pack("<IQQ", 3, *counts))


def test_every_truncation():
    data = pack([ARCHITECTURE, pair("t", 9, (8, ["a", "b"]))], [tensor("a", "float32", (3,), 0)], 12)
    assert all(why(data[:end]) for end in range(4, len(data)))


def test_a_chat_template():
    facts = read(pack([pair("tokenizer.chat_template", 8, "{{ messages }}")], []))
    assert (facts.notes, facts.findings) == (("a chat template of 14 bytes",), ())
    facts = read(pack([pair("tokenizer.chat_template.tools", 8, "{{ x.__class__ }}")], []))
    assert facts.findings == (Finding(Severity.KNOWN_BAD, "its chat template uses __class__"),)


def test_many_values_are_cut():
    facts = read(pack([*(pair(f"{n:04}", 4, n) for n in range(500)), ARCHITECTURE], []))
    assert len(facts.hyper_parameters) == 200
    assert facts.class_name == "llama"


def test_a_vocabulary_larger_than_the_window_is_passed_unread():
    words = pair("tokenizer.ggml.tokens", 9, (8, [f"word {number}" * 3 for number in range(60_000)]))
    scores = pair("tokenizer.ggml.scores", 9, (6, [0.5] * 60_000))
    data = pack([words, scores, ARCHITECTURE], [])
    reads: list[int] = []

    def read_at(offset: int, length: int) -> bytes:
        reads.append(length)
        return data[offset : offset + length]

    facts = gguf.read(Source(len(data), read_at), Budget(memory=100_000))
    assert dict(facts.figures)["tokenizer.ggml.tokens"] == 60_000
    assert facts.class_name == "llama"
    assert max(reads) <= 1 << 20


def test_the_budget():
    tensors = [tensor(str(n), "float32", (1,), 32 * n) for n in range(50)]
    data = pack([], tensors, 32 * 50)
    assert "members" in inspect(of_bytes(data), Budget(members=40)).unreadable
    assert "memory" in inspect(of_bytes(data), Budget(memory=4000)).unreadable
