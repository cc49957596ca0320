"""Tensors of torch, as its pickles name them: a function that rebuilds one from a storage outside of the pickle."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from modelvc.modelfiles.facts import Tensor, clean
from modelvc.modelfiles.pickles.arrays import product, shape_of
from modelvc.modelfiles.pickles.values import Global, Made, Persistent, Value
from modelvc.modelfiles.source import Unreadable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelvc.modelfiles.pickles.seen import Seen

_STORAGES = {
    "DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
    "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8",
    "ByteStorage": "uint8", "BoolStorage": "bool", "ComplexDoubleStorage": "complex128",
    "ComplexFloatStorage": "complex64", "QInt8Storage": "qint8", "QUInt8Storage": "quint8", "QInt32Storage": "qint32",
    "QUInt4x2Storage": "quint4x2", "QUInt2x4Storage": "quint2x4", "UntypedStorage": "uint8",
}  # fmt: skip
_SIZES = {
    "float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "int64": 8, "int32": 4, "int16": 2, "int8": 1, "uint8": 1,
    "uint16": 2, "uint32": 4, "uint64": 8, "bool": 1, "complex128": 16, "complex64": 8, "complex32": 4, "qint8": 1,
    "quint8": 1, "qint32": 4, "quint4x2": 1, "quint2x4": 1, "float8_e4m3fn": 1, "float8_e5m2": 1,
    "float8_e4m3fnuz": 1, "float8_e5m2fnuz": 1, "float8_e8m0fnu": 1, "float4_e2m1fn_x2": 1,
}  # fmt: skip
_REBUILDS = ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_qtensor", "_rebuild_tensor_v3")
_INSIDE = frozenset({"_modules", "_parameters", "_buffers"})  # of a whole module, no part of a tensor's name
_LARGEST = 1 << 60  # elements
_ODD = "torch: a storage is not named as torch names it"


class Place(NamedTuple):
    """Where the bytes of a storage lie. `start`: -1 if they are compressed, or of the other byte order."""

    start: int
    size: int


class Storage(NamedTuple):
    """A storage, as a persistent id names it."""

    key: str
    dtype: str
    elements: int

    @property
    def size(self) -> int:
        """Its bytes."""
        return self.elements * _SIZES[self.dtype]


class Storages:
    """Takes persistent ids, for a machine's `persist`. `named`: the storages that the pickle names, by key."""

    def __init__(self, seen: Seen, *, legacy: bool = False) -> None:
        self.named: dict[str, Storage] = {}
        self._seen = seen
        self._legacy = legacy

    def __call__(self, key: Value) -> Value:
        """Return the value of the persistent id KEY."""
        match key:
            case ("module", Global() as module, *_) if self._legacy:
                return module  # a class, with its source to compare
            case ("storage", _, _, _, _, None) if self._legacy:
                found = storage_of(Persistent(key))
            case ("storage", _, _, _, _, _) if self._legacy:
                raise Unreadable("torch: a storage is a view of another")
            case ("storage", _, _, _, _):
                found = storage_of(Persistent(key))
            case _:
                found = None
        if found is None:
            self._seen.doubt(_ODD)
            return Persistent(key)
        known = self.named.get(found.key)
        if known is None:
            self._seen.budget.open_members(1)
            self._seen.budget.keep(300 + len(found.key))
            self.named[found.key] = found
        elif known.size != found.size:
            self._seen.doubt(_ODD)
        return Persistent(key)


def storage_of(value: Value) -> Storage | None:
    """Return the storage that VALUE, a persistent object, is; None for all else."""
    if not isinstance(value, Persistent):
        return None
    match value.key:
        case ("storage", Global(name=kind), str() as key, str(), int() as elements, *_) if 0 <= elements < _LARGEST:
            dtype = _STORAGES.get(kind.rpartition(".")[2])
            return Storage(key, dtype, elements) if dtype is not None else None
        case _:
            return None


class Tensors:
    """Describes tensors. `places`: where the bytes of each storage lie."""

    def __init__(self, seen: Seen, places: Mapping[str, Place]) -> None:
        self._seen = seen
        self._places = places

    def __call__(self, path: tuple[str, ...], value: Value) -> Tensor | None:
        """Return the tensor that VALUE at PATH is; None if it is none. Doubts one that lies outside of its storage."""
        if not isinstance(value, Made) or not isinstance(value.function, Global):
            return None
        owner, _, function = value.function.name.rpartition(".")
        if owner != "torch._utils" or function not in _REBUILDS or not isinstance(value.args, tuple):
            return None
        match value.args:
            case (storage, int() as offset, shape, strides, *more):
                found, lengths, steps = storage_of(storage), shape_of(shape), shape_of(strides)
            case _:
                found, lengths, steps, offset, more = None, None, None, 0, []
        if found is None or lengths is None or steps is None or len(steps) != len(lengths):
            self._seen.doubt("torch: a tensor is not rebuilt as torch does it")
            return None
        dtype = found.dtype
        if function == "_rebuild_tensor_v3":
            dtype = _named(more[2]) if len(more) > 2 else ""
        if dtype not in _SIZES:
            self._seen.doubt("torch: a tensor has an unknown dtype")
            return None
        name = clean(".".join(one for one in path if one not in _INSIDE))
        start, end = self._range(found, dtype, offset, (lengths, steps))
        return Tensor(name, dtype, lengths, start, end)

    def _range(
        self, storage: Storage, dtype: str, offset: int, form: tuple[tuple[int, ...], tuple[int, ...]]
    ) -> tuple[int, int]:
        """Return where the bytes of a tensor of FORM, lengths and strides, lie in the file; -1, -1 if not in order."""
        lengths, steps = form
        size, place = _SIZES[dtype], self._places.get(storage.key)
        last = offset + sum((length - 1) * step for length, step in zip(lengths, steps, strict=True))
        if place is None or offset < 0 or (product(lengths) and (last + 1) * size > place.size):
            self._seen.doubt("torch: a tensor lies outside of its storage")
            return -1, -1
        if place.start < 0 or not _in_order(lengths, steps):
            return -1, -1
        start = place.start + offset * size
        return start, start + product(lengths) * size


def _in_order(lengths: tuple[int, ...], steps: tuple[int, ...]) -> bool:
    expected = 1
    for length, step in zip(reversed(lengths), reversed(steps), strict=True):
        if length != 1 and step != expected:
            return False
        expected *= length
    return True


def _named(value: Value) -> str:
    """Return the dtype that a name such as `torch.float8_e5m2` is; "" for all else."""
    return value.name.removeprefix("torch.") if isinstance(value, Global) else ""
