"""Arrays as joblib writes them: a wrapper object in the pickle, and the bytes of the array right behind its opcode.

The rules are those of joblib's own pickler (joblib/numpy_pickle.py, releases 0.10 to 1.6). Whatever deviates is
unreadable: bytes that are skipped here and executed there would hide an import.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from modelvc.modelfiles.pickles.arrays import LARGEST, dtype_of, shape_of
from modelvc.modelfiles.pickles.machine import Machine
from modelvc.modelfiles.pickles.names import JOBLIB, WRAPPERS
from modelvc.modelfiles.pickles.values import Array, Entries, Global, Made, Value
from modelvc.modelfiles.source import Unreadable

if TYPE_CHECKING:
    from modelvc.modelfiles.pickles.state import State

_OLD = frozenset(
    f"{place}{module}.{name}"
    for place in JOBLIB
    for module in ("numpy_pickle", "numpy_pickle_compat")
    for name in ("NDArrayWrapper", "ZNDArrayWrapper")
)
_CLASSES = frozenset({
    "numpy.ndarray", "numpy.matrix", "numpy.memmap", "numpy.matrixlib.defmatrix.matrix", "numpy.core.memmap.memmap",
})  # fmt: skip
_MUST = frozenset({"subclass", "shape", "order", "dtype", "allow_mmap"})
_MAY = frozenset({"numpy_array_alignment_bytes"})
_ALIGNMENT = 16  # bytes
_ODD = "an array of joblib is not as joblib writes it"


class JoblibArrays:
    """Takes the arrays out of the stream, for a machine's `on_build`. `found`: whether there was any."""

    def __init__(self) -> None:
        self.found = False

    def __call__(self, machine: State, made: Made, at: int) -> tuple[Value, int] | None:
        """Return the array that MADE stands for, and the offset behind it; None if MADE is no wrapper."""
        if made.name in _OLD:
            machine.seen.doubt("its arrays are in files of their own (joblib before 0.10)")
            return None
        if made.name not in WRAPPERS:
            return None
        self.found = True
        if at < machine.frame_end:  # joblib reads the array from behind the frame, and the rest of the frame later
            raise Unreadable(_ODD)
        state = _state(made)
        dtype, shape = dtype_of(state.get("dtype")), shape_of(state.get("shape"))
        if dtype is None or shape is None:
            raise Unreadable(_ODD)
        if dtype.objects:
            return _objects(machine, Array(dtype.name, shape, -1, -1), at)
        size = prod(shape) * dtype.size
        if size > LARGEST:
            raise Unreadable(_ODD)
        start = at if state.get("numpy_array_alignment_bytes") is None else _behind_padding(machine, at)
        array = Array(dtype.name, shape, -1, -1)
        if machine.stream.seekable:
            array.start, array.end = start, start + size
        return array, start + size


def _state(made: Made) -> Entries:
    """Return the attributes of the wrapper MADE. Raises Unreadable if joblib writes no such wrapper."""
    state = made.state
    born = (made.how == "NEWOBJ" and made.args == ()) or (
        made.how == "REDUCE" and isinstance(made.function, Global) and made.function.name == "copyreg._reconstructor"
    )
    if not born or made.built != 1 or not isinstance(state, Entries) or not state.whole:
        raise Unreadable(_ODD)
    names = {one for one in state.keys if isinstance(one, str)}
    subclass, alignment = state.get("subclass"), state.get("numpy_array_alignment_bytes")
    if (
        len(names) != len(state.keys)
        or not _MUST <= names <= _MUST | _MAY
        or not (isinstance(subclass, Global) and subclass.name in _CLASSES)
        or state.get("order") not in {"C", "F"}
        or not isinstance(state.get("allow_mmap"), bool)
        or not (alignment is None or (type(alignment) is int and alignment == _ALIGNMENT))
    ):
        raise Unreadable(_ODD)
    return state


def _behind_padding(machine: State, at: int) -> int:
    """Return the offset behind the padding at AT: one byte that says how long it is, and that many 0xff."""
    length = _ALIGNMENT - (at + 1) % _ALIGNMENT
    padding = machine.stream.window(at, 1 + length)
    if padding != bytes([length]) + b"\xff" * length:
        raise Unreadable(_ODD)
    return at + 1 + length


def _objects(machine: State, array: Array, at: int) -> tuple[Value, int]:
    """Read the pickle of an array of objects."""
    array.objects = True
    array.values, end = Machine(machine.stream, machine.seen).run(at)
    return array, end
