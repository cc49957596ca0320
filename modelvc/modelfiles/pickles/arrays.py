"""Arrays, dtypes and scalars of numpy, as pickles hold them."""

from __future__ import annotations

import re
from typing import NamedTuple

from modelvc.modelfiles.pickles.values import Array, Blob, Entries, Global, Items, Made, Value

_SIMPLE = re.compile(r"([biufcOSUVMm])(\d{1,9})")
_NAMES = {"i": "int", "u": "uint", "f": "float", "c": "complex"}
_DEEP = 8  # dtypes inside of each other
_MOST = 1000  # dtypes inside of one
_HAS_OBJECTS = 1  # in the flags of a dtype
_STATE = 8  # entries of a dtype's state with flags
_MODULES = ("numpy.core.", "numpy._core.")
_SCALAR = tuple(f"{one}multiarray.scalar" for one in _MODULES)
_RECONSTRUCT = tuple(f"{one}multiarray._reconstruct" for one in _MODULES)
_FROMBUFFER = tuple(f"{one}numeric._frombuffer" for one in _MODULES)
LARGEST = 1 << 62  # bytes


class DType(NamedTuple):
    """A dtype. `size`: bytes of an element."""

    name: str
    size: int
    objects: bool


def dtype_of(value: Value) -> DType | None:
    """Return the dtype that VALUE makes; None if it is not exactly as numpy pickles one."""
    return _dtype(value, 0, {})


def is_odd_dtype(made: Made) -> bool:
    """Return whether MADE is a dtype with a state that numpy does not write.

    numpy believes the state: numbers become addresses of objects if the flags say so. Dtypes of other libraries are
    made of a class of theirs, which a list has or has not.
    """
    if made.name != "numpy.dtype":
        return False
    made.dtype = dtype_of(made)
    if made.dtype is not None:
        fields = made.state[4] if isinstance(made.state, tuple) else None
        if isinstance(fields, Entries):
            fields.closed = True
        return False
    match made.args:
        case (Global(name=name), *_):
            return name.startswith(("numpy.", "builtins."))
        case _:
            return True


def _dtype(value: Value, deep: int, known: dict[int, DType | None]) -> DType | None:
    """Return the dtype that VALUE makes, DEEP inside of others. KNOWN: those by id, since one may be in many fields."""
    if isinstance(value, Made) and value.dtype is not None and value.built == 1:
        return DType(*value.dtype)
    if id(value) not in known:
        if len(known) >= _MOST:
            return None
        known[id(value)] = None  # while it is looked at: no dtype holds itself
        known[id(value)] = _looked_at(value, deep, known)
    return known[id(value)]


def _looked_at(value: Value, deep: int, known: dict[int, DType | None]) -> DType | None:
    if not (isinstance(value, Made) and value.name == "numpy.dtype" and value.how == "REDUCE" and value.built == 1):
        return None
    match value.args, value.state:
        case (Global(name="numpy.record"), _, _), tuple() as state if len(state) >= _STATE and type(state[5]) is int:
            kind, number = "V", state[5]
        case (str() as code, _, _), tuple() as state if len(state) >= _STATE and (found := _SIMPLE.fullmatch(code)):
            kind, number = found[1], int(found[2])
        case _:
            return None
    version, _, base, names, fields, size, _, flags, *_ = state
    if version not in {3, 4} or not isinstance(flags, int) or not isinstance(size, int):
        return None
    claimed = 4 * number if kind == "U" else number
    if size not in ({claimed} if kind in "SUV" else {-1, claimed}):
        return None
    objects = kind == "O"
    if kind == "V":
        inner = None if deep > _DEEP else _fields((names, fields, base), deep, known)
        if inner is None or not _fit(base, fields, inner, claimed):
            return None
        objects = any(one.objects for one in inner)
    elif names is not None or fields is not None or base is not None:
        return None
    if bool(flags & _HAS_OBJECTS) != objects:
        return None
    return DType(_name(kind, claimed, structured=names is not None), claimed, objects)


def _fields(parts: tuple[Value, Value, Value], deep: int, known: dict[int, DType | None]) -> list[DType] | None:
    """Return the dtypes inside of a dtype, of its names, fields and base in PARTS; None if one is unclear."""
    names, fields, base = parts
    inner: list[Value] = []
    if isinstance(base, tuple) and base:
        inner.append(base[0])
    elif base is not None:
        return None
    if fields is not None:
        if not isinstance(fields, Entries) or not fields.whole or not isinstance(names, (tuple, Items)):
            return None
        inner += [one[0] if isinstance(one, tuple) and one else None for one in fields.values]
    found = [_dtype(one, deep + 1, known) for one in inner]
    return None if None in found else [one for one in found if one is not None]


def _fit(base: Value, fields: Value, inner: list[DType], size: int) -> bool:
    """Return whether the dtypes INNER of BASE and of FIELDS lie within SIZE bytes."""
    if isinstance(base, tuple):
        shape = shape_of(base[1]) if len(base) == 2 else None
        if shape is None or product(shape) * inner[0].size != size:
            return False
    if isinstance(fields, Entries):
        for value, one in zip(fields.values, inner[isinstance(base, tuple) :], strict=True):
            offset = value[1] if isinstance(value, tuple) and len(value) > 1 else None
            if type(offset) is not int or not 0 <= offset <= size - one.size:
                return False
    return True


def _name(kind: str, size: int, *, structured: bool) -> str:
    if kind in _NAMES:
        return f"{_NAMES[kind]}{8 * size}"
    names = {"b": "bool", "O": "object", "M": "datetime64", "m": "timedelta64", "U": f"str{8 * size}"}
    return "structured" if structured else names.get(kind, f"{'bytes' if kind == 'S' else 'void'}{8 * size}")


def shape_of(value: Value) -> tuple[int, ...] | None:
    """Return VALUE as a shape; None if it is none."""
    if not isinstance(value, tuple) or len(value) > 64:
        return None
    return value if all(type(one) is int and 0 <= one < LARGEST for one in value) else None


def array_of(value: Value) -> Array | None:
    """Return VALUE as an array; None if it is none, or is not as numpy pickles one."""
    if isinstance(value, Array):
        return value
    if not isinstance(value, Made) or not isinstance(value.function, Global):
        return None
    name, state, args = value.function.name, value.state, value.args
    if name in _RECONSTRUCT and isinstance(state, tuple) and len(state) == 5:
        return _array(state[1], state[2], state[4])
    if name in _FROMBUFFER and isinstance(args, tuple) and len(args) == 4:
        return _array(args[2], args[1], args[0])
    return None


def _array(shape: Value, dtype: Value, data: Value) -> Array | None:
    found, lengths = dtype_of(dtype), shape_of(shape)
    if found is None or lengths is None:
        return None
    array = Array(found.name, lengths, -1, -1)
    array.objects = found.objects
    if isinstance(data, Blob):
        if data.end - data.start == product(lengths) * found.size and data.end:
            array.start, array.end = data.start, data.end
    elif isinstance(data, Items):
        array.values = data
    return array


def scalar_of(value: Value) -> int | float | bool | None:
    """Return the number that VALUE, a scalar of numpy, is; None for all else."""
    from struct import unpack

    if not (isinstance(value, Made) and isinstance(value.function, Global) and value.function.name in _SCALAR):
        return None
    match value.args:
        case (dtype, Blob(data=bytes() as data)):
            found = dtype_of(dtype)
        case _:
            return None
    forms = {"float64": "<d", "float32": "<f", "float16": "<e", "bool": "<?", "int8": "<b", "uint8": "<B",
             "int16": "<h", "uint16": "<H", "int32": "<i", "uint32": "<I", "int64": "<q", "uint64": "<Q"}  # fmt: skip
    if found is None or found.name not in forms or found.size != len(data):
        return None
    number: int | float | bool = unpack(forms[found.name], data)[0]
    return number


def product(lengths: tuple[int, ...]) -> int:
    """Return how many elements an array of LENGTHS has."""
    total = 1
    for one in lengths:
        total *= one
    return total
