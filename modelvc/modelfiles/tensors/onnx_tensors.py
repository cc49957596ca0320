"""Read tensors and types of ONNX. Source: onnx.proto."""

from __future__ import annotations

import re
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from modelvc.modelfiles.facts import Field, Finding, Severity, Tensor, clean
from modelvc.modelfiles.source import Unreadable
from modelvc.modelfiles.tensors.dtypes import size_of
from modelvc.modelfiles.tensors.protobuf import FIXED32, FIXED64, LENGTH, VARINT, Known, count_varints, fields, signed

if TYPE_CHECKING:
    from modelvc.modelfiles.source import Budget
    from modelvc.modelfiles.tensors.cursor import Cursor

_NAME = 1 << 16  # bytes
_BLOCK = 1 << 16
_DIMENSIONS = 64
_MOST = (1 << 63) - 1

DTYPES = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 8: "string", 9: "bool",
    10: "float16", 11: "float64", 12: "uint32", 13: "uint64", 14: "complex64", 15: "complex128", 16: "bfloat16",
    17: "float8_e4m3fn", 18: "float8_e4m3fnuz", 19: "float8_e5m2", 20: "float8_e5m2fnuz", 21: "uint4", 22: "int4",
    23: "float4_e2m1", 24: "float8_e8m0fnu", 25: "uint2", 26: "int2",
}  # fmt: skip

_TEXT, _TEXTS = Known(LENGTH), Known(LENGTH, repeated=True)
_INT, _INTS = Known(VARINT), Known(VARINT, repeated=True, packed=True)
_DIMS, _TYPE, _SEGMENT, _FLOATS, _INT32S, _STRINGS, _INT64S, _NAMED, _RAW, _DOUBLES, _UINT64S = range(1, 12)
_EXTERNAL, _LOCATION = 13, 14
_TENSOR = {
    _DIMS: _INTS, _TYPE: _INT, _SEGMENT: _TEXT, _FLOATS: Known(FIXED32, repeated=True, packed=True), _INT32S: _INTS,
    _STRINGS: _TEXTS, _INT64S: _INTS, _NAMED: _TEXT, _RAW: _TEXT, _DOUBLES: Known(FIXED64, repeated=True, packed=True),
    _UINT64S: _INTS, _EXTERNAL: _TEXTS, _LOCATION: _INT,
}  # fmt: skip
_PAIR = {1: _TEXT, 2: _TEXT}
_VALUE_INFO = {1: _TEXT, 2: _TEXT}
_TYPE_PROTO = dict.fromkeys((1, 4, 5, 7, 8, 9), _TEXT)
_ELEMENT = {1: _INT, 2: _TEXT}
_INNER = {1: _TEXT}
_MAP = {1: _INT, 2: _TEXT}
_SHAPE = {1: _TEXTS}
_DIMENSION = {1: _INT, 2: _TEXT}

# Which field holds the numbers of each type when they are not raw, and how many numbers one value stands for.
_TYPED = {
    _FLOATS: {"float32", "complex64"}, _DOUBLES: {"float64", "complex128"}, _INT64S: {"int64"},
    _UINT64S: {"uint64", "uint32"}, _STRINGS: {"string"},
    _INT32S: set(DTYPES.values()) - {"float32", "float64", "int64", "uint64", "uint32", "string"},
}  # fmt: skip
_SUBBYTE = {"uint4": 4, "int4": 4, "float4_e2m1": 4, "uint2": 2, "int2": 2}

_ABSOLUTE = re.compile(r"[/\\]|[A-Za-z]:")


class Held(NamedTuple):
    """A tensor, its name as it is, and what its external data say: the file, or a finding."""

    tensor: Tensor
    name: str
    external: str = ""
    finding: Finding | None = None


def text(cursor: Cursor, start: int, end: int) -> str:
    """Return the text from START to END as it is. Raises Unreadable if it is not UTF-8, or longer than a name."""
    if end - start > _NAME:
        raise Unreadable("a text is longer than is read")
    cursor.at = start
    try:
        return cursor.take(end - start).decode()
    except UnicodeDecodeError as error:
        raise Unreadable("a text is not UTF-8") from error


def pair(cursor: Cursor, end: int, budget: Budget) -> tuple[str, str]:
    """Return the key and the value that are next, as they are."""
    found = {1: "", 2: ""}
    for one in fields(cursor, end, _PAIR, budget):
        found[one.number] = text(cursor, one.start, one.end)
    return found[1], found[2]


def tensor(cursor: Cursor, end: int, budget: Budget) -> Held:
    """Return the tensor that is next. Raises Unreadable if its data are not as many as its shape says."""
    reading = _Reading(cursor, budget)
    for one in fields(cursor, end, _TENSOR, budget):
        reading.take(one.number, one.wire, one.value, (one.start, one.end))
    return reading.held()


class _Reading:
    """A tensor that is being read."""

    def __init__(self, cursor: Cursor, budget: Budget) -> None:
        self._cursor = cursor
        self._budget = budget
        self._name = ""
        self._dtype = 0
        self._shape: list[int] = []
        self._typed = 0  # the field with the numbers
        self._values = 0  # in that field
        self._place: tuple[int, int] | None = None
        self._raw = False
        self._pieces = 0
        self._external: dict[str, str] = {}
        self._elsewhere = 0

    def take(self, number: int, wire: int, value: int, place: tuple[int, int]) -> None:
        start, end = place
        if number == _DIMS:
            self._dims(wire, value, start, end)
        elif number == _TYPE:
            self._dtype = value
        elif number == _SEGMENT:
            raise Unreadable("a tensor is one segment of several")
        elif number == _NAMED:
            self._name = text(self._cursor, start, end)
        elif number == _RAW:
            self._raw, self._place = True, place
        elif number == _EXTERNAL:
            self._cursor.at = start
            self._budget.open_members(1)
            key, word = pair(self._cursor, end, self._budget)
            if key in self._external:
                raise Unreadable("a tensor names its external data twice")
            self._external[key] = word
        elif number == _LOCATION:
            self._elsewhere = value
        else:
            self._numbers(number, wire, start, end)

    def _dims(self, wire: int, value: int, start: int, end: int) -> None:
        values = [value]
        if wire == LENGTH:
            if end - start > 10 * _DIMENSIONS:
                raise Unreadable("a tensor has too many dimensions")
            values = []
            self._cursor.at = start
            while self._cursor.at < end:
                values.append(self._cursor.varint(end))
        self._shape += values
        if len(self._shape) > _DIMENSIONS or max(self._shape, default=0) > _MOST:
            raise Unreadable("a tensor has too many or negative dimensions")

    def _numbers(self, number: int, wire: int, start: int, end: int) -> None:
        """Take values of a typed field: one, or many that are packed."""
        if self._typed not in {0, number}:
            raise Unreadable("a tensor has two kinds of data")
        self._typed = number
        self._pieces += 1
        self._place = (start, end) if self._pieces == 1 and wire == LENGTH and number != _STRINGS else None
        if wire != LENGTH or number == _STRINGS:
            self._values += 1
        elif number in {_FLOATS, _DOUBLES}:
            width = 4 if number == _FLOATS else 8
            if (end - start) % width:
                raise Unreadable("packed numbers are not whole")
            self._values += (end - start) // width
        else:
            self._values += self._count(start, end)

    def _count(self, start: int, end: int) -> int:
        """Return how many varints there are from START to END."""
        count, last = 0, b"\0"
        self._cursor.at = start
        while self._cursor.at < end:
            last = self._cursor.take(min(_BLOCK, end - self._cursor.at))
            self._budget.operate(len(last))
            count += count_varints(last)
        if last[-1] >= 0x80:
            raise Unreadable("packed numbers are not whole")
        return count

    def held(self) -> Held:
        """Return what was read."""
        if self._dtype not in DTYPES:
            raise Unreadable("a tensor has an unknown type")
        dtype = DTYPES[self._dtype]
        shape = tuple(self._shape)
        if self._elsewhere not in {0, 1}:
            raise Unreadable("the data of a tensor are at an unknown place")
        if self._elsewhere or self._external:
            return self._outside(dtype, shape)
        self._check(dtype, prod(shape))
        start, end = self._place if self._place and self._plain(dtype) else (-1, -1)
        return Held(Tensor(clean(self._name), dtype, shape, start, end), self._name)

    def _plain(self, dtype: str) -> bool:
        """Whether the bytes at the place are the numbers, as in memory."""
        return self._raw or (self._typed in {_FLOATS, _DOUBLES} and dtype in _TYPED[self._typed])

    def _check(self, dtype: str, count: int) -> None:
        if self._raw:
            if self._typed or dtype == "string":
                raise Unreadable("a tensor has two kinds of data")
            start, end = self._place or (0, 0)
            if end - start != _bytes(dtype, count):
                raise Unreadable("a tensor is not as long as its shape says")
            return
        if self._typed and dtype not in _TYPED[self._typed]:
            raise Unreadable("a tensor has data of another type")
        if dtype.startswith("complex"):
            count *= 2
        wanted = {count}
        if dtype in _SUBBYTE:  # two to a value, or one, as older writers have it
            wanted.add(_bytes(dtype, count))
        if self._values not in wanted:
            raise Unreadable("a tensor is not as long as its shape says")

    def _outside(self, dtype: str, shape: tuple[int, ...]) -> Held:
        """Return a tensor whose data are in another file."""
        if self._raw or self._typed or not self._elsewhere:
            raise Unreadable("a tensor has two kinds of data")
        where = self._external.get("location", "")
        size = _bytes(dtype, prod(shape))
        offset = self._number("offset", 0)
        length = self._number("length", size)
        if length != size:
            raise Unreadable("a tensor is not as long as its shape says")
        one = Tensor(clean(self._name), dtype, shape, offset, offset + length, clean(where))
        if not where or _leaves(where):
            what = clean(f"reads tensor data outside of its folder, from {where or 'nowhere'}")
            return Held(one, self._name, finding=Finding(Severity.KNOWN_BAD, what))
        return Held(one, self._name, where)

    def _number(self, key: str, default: int) -> int:
        word = self._external.get(key, str(default))
        if not re.fullmatch("[0-9]{1,18}", word):
            raise Unreadable("the place of external data is not a number")
        return int(word)


def _bytes(dtype: str, count: int) -> int:
    if dtype == "string":
        raise Unreadable("a tensor of texts is not in one place")
    return -(-_SUBBYTE[dtype] * count // 8) if dtype in _SUBBYTE else size_of(dtype, (count,)) or 0


def _leaves(path: str) -> bool:
    """Whether PATH leads out of the folder of the model, or names memory, as ONNX Runtime does inside of a process."""
    return bool(_ABSOLUTE.match(path)) or ".." in re.split(r"[/\\]", path) or "_ORT_MEM_ADDR_" in path or "\0" in path


def value_info(cursor: Cursor, end: int, budget: Budget) -> Field:
    """Return the input or output that is next."""
    name = ""
    kind: tuple[str, tuple[int, ...]] = ("", ())
    for one in fields(cursor, end, _VALUE_INFO, budget):
        if one.number == 1:
            name = clean(text(cursor, one.start, one.end))
        else:
            cursor.at = one.start
            kind = _type(cursor, one.end, budget, budget.depth)
    return Field(name, *kind)


def _type(cursor: Cursor, end: int, budget: Budget, depth: int) -> tuple[str, tuple[int, ...]]:
    """Return the name of the type that is next, and the shape of a tensor."""
    if not depth:
        raise Unreadable("a type is nested too deeply")
    found: tuple[str, tuple[int, ...]] = ("", ())
    for one in fields(cursor, end, _TYPE_PROTO, budget):
        if found != ("", ()):
            raise Unreadable("a value has two types")
        cursor.at = one.start
        if one.number in {1, 8}:
            found = _element(cursor, one.end, budget)
        elif one.number == 5:
            found = (_map(cursor, one.end, budget, depth), ())
        elif one.number == 7:
            found = ("opaque", ())
        else:
            word = "sequence" if one.number == 4 else "optional"
            found = (clean(f"{word}({_inner(cursor, one.end, budget, depth)})"), ())
    return found


def _inner(cursor: Cursor, end: int, budget: Budget, depth: int) -> str:
    found = ""
    for one in fields(cursor, end, _INNER, budget):
        cursor.at = one.start
        found = _type(cursor, one.end, budget, depth - 1)[0]
    return found


def _map(cursor: Cursor, end: int, budget: Budget, depth: int) -> str:
    key, value = "", ""
    for one in fields(cursor, end, _MAP, budget):
        if one.number == 1:
            key = DTYPES.get(one.value, "")
        else:
            cursor.at = one.start
            value = _type(cursor, one.end, budget, depth - 1)[0]
    return clean(f"map({key}, {value})")


def _element(cursor: Cursor, end: int, budget: Budget) -> tuple[str, tuple[int, ...]]:
    dtype = ""
    shape: tuple[int, ...] = ()
    for one in fields(cursor, end, _ELEMENT, budget):
        if one.number == 1:
            dtype = DTYPES.get(one.value, "")
        else:
            cursor.at = one.start
            shape = _shape(cursor, one.end, budget)
    return dtype, shape


def _shape(cursor: Cursor, end: int, budget: Budget) -> tuple[int, ...]:
    """Return the lengths; -1 for one that has a name or nothing."""
    lengths: list[int] = []
    for one in fields(cursor, end, _SHAPE, budget):
        cursor.at = one.start
        length = -1
        for part in fields(cursor, one.end, _DIMENSION, budget):
            if part.number == 1:
                length = max(-1, signed(part.value))
        lengths.append(length)
        if len(lengths) > _DIMENSIONS:
            raise Unreadable("a shape has too many dimensions")
    return tuple(lengths)
