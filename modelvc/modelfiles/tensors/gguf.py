"""Read GGUF, versions 2 and 3: keys with values, then the list of tensors, then their bytes. Source: ggml/docs/gguf.md.

As in llama.cpp, tensors lie in the order of the list, each at the next multiple of the alignment.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from math import isfinite, prod
from typing import TYPE_CHECKING

from modelvc.modelfiles.chat_templates import judge_template
from modelvc.modelfiles.facts import ModelFacts, Tensor, clean
from modelvc.modelfiles.polyglots import also_as_pickle
from modelvc.modelfiles.source import Unreadable
from modelvc.modelfiles.tensors.cursor import Cursor

if TYPE_CHECKING:
    from modelvc.modelfiles.facts import Finding, Value
    from modelvc.modelfiles.source import Budget, Source

_KEPT = 600  # bytes of memory for one tensor or value
_PAIRS = 200  # values that are kept
_NAME = 1 << 16  # bytes of a name; ggml itself has 64
_TEXT = 16 << 20  # bytes of a text
_DIMENSIONS = 4
_ALIGNMENT = 32  # where the file says nothing
_HEADER = 24

_UINT8, _BOOL, _STRING, _ARRAY = 0, 7, 8, 9
_SCALARS = {
    _UINT8: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", _BOOL: "<B", 10: "<Q", 11: "<q", 12: "<d",
}  # fmt: skip

# Types of tensors by number: the name, how many numbers a block has, and how many bytes it takes.
_TYPES = {
    0: ("float32", 1, 4), 1: ("float16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 40), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136),
    24: ("int8", 1, 1), 25: ("int16", 1, 2), 26: ("int32", 1, 4), 27: ("int64", 1, 8), 28: ("float64", 1, 8),
    29: ("IQ1_M", 256, 56), 30: ("bfloat16", 1, 2), 34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17), 40: ("NVFP4", 64, 36), 41: ("Q1_0", 128, 18),
}  # fmt: skip


@dataclass(slots=True)
class _Values:
    """What the keys say. `arrays`: their lengths."""

    scalars: dict[str, Value] = field(default_factory=dict)
    arrays: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seen: set[bytes] = field(default_factory=set)
    alignment: int = _ALIGNMENT


def read(source: Source, budget: Budget) -> ModelFacts:
    """Return the facts of the GGUF file SOURCE."""
    head = source.exactly(0, _HEADER)
    version, count, pairs = struct.unpack("<IQQ", head[4:])
    if version not in {2, 3}:
        raise Unreadable("it is of a version other than 2 and 3, or its numbers have the highest byte first")
    budget.open_members(count + pairs)
    cursor = Cursor(source, _HEADER)
    values = _Values()
    for _ in range(pairs):
        _value(cursor, values, budget)
    tensors = _tensors(cursor, count, values.alignment, budget)
    placed = _place(tensors, cursor.at, values.alignment, source.size)
    own = {key: value for key, value in values.scalars.items() if not key.startswith("tokenizer.")}
    architecture = str(own.pop("general.architecture", ""))
    figures = {**values.arrays, **{key: one for key, one in values.scalars.items() if key not in own}}
    figures.pop("general.architecture", None)
    facts = ModelFacts(
        "gguf",
        framework="ggml",
        class_name=architecture,
        hyper_parameters=tuple(sorted(own.items())),
        figures=tuple(sorted(figures.items())),
        parameters=sum(one.elements for one in placed),
        tensors=tuple(placed),
        findings=tuple(values.findings),
        notes=tuple(values.notes),
    )
    return also_as_pickle(source, facts, budget)  # its magic number begins with the opcode of a float


def _value(cursor: Cursor, values: _Values, budget: Budget) -> None:
    """Take a key and its value."""
    key = _text(cursor, _NAME)
    budget.look_at_clock()
    budget.keep(_KEPT + len(key))
    if key in values.seen:
        raise Unreadable("a key is there twice")
    values.seen.add(key)
    name = clean(_decoded(key))
    kept = len(values.scalars) + len(values.arrays) < _PAIRS or key == b"general.architecture"
    kind = cursor.number(4)
    if kind == _ARRAY:
        length = _skip_array(cursor, budget, budget.depth)
        if kept:
            values.arrays[name] = length
        return
    value = _scalar(cursor, kind)
    if key == b"general.alignment":
        _align(values, kind, value)
    elif key.startswith(b"tokenizer.chat_template") and isinstance(value, bytes):
        finding = judge_template(_decoded(value))
        values.findings += [finding] if finding else []
        values.notes.append(f"a chat template of {len(value):,} bytes")
    elif kept:
        values.scalars[name] = clean(_decoded(value)) if isinstance(value, bytes) else value


def _align(values: _Values, kind: int, value: Value | bytes) -> None:
    if kind != 4 or not isinstance(value, int) or value not in {1 << power for power in range(17)}:
        raise Unreadable("its alignment is not a power of two")
    values.alignment = value


def _scalar(cursor: Cursor, kind: int) -> Value | bytes:
    """Return a value that is no array; a text as its bytes."""
    if kind == _STRING:
        return _text(cursor, _TEXT)
    if kind not in _SCALARS:
        raise Unreadable("a value has an unknown type")
    form = _SCALARS[kind]
    number: int | float = struct.unpack(form, cursor.take(struct.calcsize(form)))[0]
    if kind == _BOOL:
        if number not in {0, 1}:
            raise Unreadable("a truth value is neither 0 nor 1")
        return bool(number)
    return number if isfinite(number) else str(number)


def _skip_array(cursor: Cursor, budget: Budget, depth: int) -> int:
    """Pass an array. Return how many values it has."""
    kind, count = cursor.number(4), cursor.number(8)
    if not depth:
        raise Unreadable("its arrays are nested too deeply")
    if kind in _SCALARS:
        cursor.skip(struct.calcsize(_SCALARS[kind]) * count)
    elif kind == _STRING:
        budget.operate(10 * count)
        cursor.skip_texts(count)
    elif kind == _ARRAY:
        budget.operate(100 * count)
        for _ in range(count):
            _skip_array(cursor, budget, depth - 1)
    else:
        raise Unreadable("a value has an unknown type")
    return count


def _text(cursor: Cursor, most: int) -> bytes:
    length = cursor.number(8)
    if length > most:
        raise Unreadable("a text is longer than is read")
    return cursor.take(length)


def _decoded(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise Unreadable("a text is not UTF-8") from error


def _tensors(cursor: Cursor, count: int, alignment: int, budget: Budget) -> list[Tensor]:
    """Return the tensors in the list, with offsets in the data."""
    found: list[Tensor] = []
    names: set[bytes] = set()
    at = 0
    for _ in range(count):
        name = _text(cursor, _NAME)
        budget.keep(_KEPT + len(name))
        budget.look_at_clock()
        if name in names:
            raise Unreadable("two tensors have one name")
        names.add(name)
        dimensions = cursor.number(4)
        if dimensions > _DIMENSIONS:
            raise Unreadable("a tensor has too many dimensions")
        shape = struct.unpack(f"<{dimensions}Q", cursor.take(8 * dimensions))
        kind, offset = cursor.number(4), cursor.number(8)
        if kind not in _TYPES:
            raise Unreadable("a tensor has an unknown type")
        dtype, block, width = _TYPES[kind]
        if (shape[0] if shape else 1) % block:
            raise Unreadable("a row of a tensor is not made of whole blocks")
        if offset != at:
            raise Unreadable("its tensors overlap, or leave a hole")
        end = at + prod(shape) // block * width
        found.append(Tensor(clean(_decoded(name)), dtype, shape, at, end))
        at = end + -end % alignment
    return found


def _place(tensors: list[Tensor], header: int, alignment: int, size: int) -> list[Tensor]:
    """Return TENSORS with their places in a file of SIZE bytes, whose list of tensors ends at HEADER."""
    begin = header + -header % alignment
    end = begin + tensors[-1].end if tensors else header
    # The last tensor is padded by some writers. A file without tensors may end with the list.
    if not end <= size <= max(end + -end % alignment, begin):
        raise Unreadable("its tensors do not end where the file ends")
    return [one._replace(start=begin + one.start, end=begin + one.end) for one in tensors]
