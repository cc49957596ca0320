"""Compare the numbers of two tensors, in blocks. It needs numpy, which the extra `arrays` installs."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite, isnan, nan
from typing import TYPE_CHECKING, Any

from modelvc.errors import UsageError
from modelvc.modelfiles.source import Unreadable
from modelvc.modelfiles.tensors import small_floats
from modelvc.modelfiles.tensors.dtypes import BITS

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import NDArray

    from modelvc.modelfiles.source import Source

    Numbers = NDArray[Any]

_READ = 1 << 20  # bytes that are read at once
# Numbers that are compared at once: they stay in the caches, and OpenBLAS, which adds up their squares, starts threads
# only for 10,000 and more.
_STEP = 8192


@dataclass(frozen=True, slots=True)
class Change:
    """How the numbers of a tensor changed.

    `changed` of `total` differ: NaN equals NaN, and 0 equals -0. The others are of the pairs that are finite on both
    sides: the `largest` difference; `relative_norm`, the length of the difference by that of the old tensor (inf if
    that is 0); `cosine` of the angle between both (1 if both are 0, else 0 if one is). They are NaN if the numbers are
    too large, and if `by_bytes`.
    `by_bytes`: the type packs several numbers into a byte or block; `changed` and `total` count bytes.
    `remarks`: clauses about NaN and infinity.
    """

    changed: int
    total: int
    largest: float
    relative_norm: float
    cosine: float
    by_bytes: bool = False
    remarks: tuple[str, ...] = ()


def compare(old: Source, new: Source, dtype: str, count: int) -> Change:
    """Compare the bytes OLD and NEW of two tensors of COUNT numbers of DTYPE, in C order. Both are read forward once.

    DTYPE: as in facts; one that numpy writes with its byte order, such as `>f4`, is of that order.
    Raises Unreadable if OLD or NEW is not as long as COUNT numbers are, and UsageError without numpy.
    """
    if old.size != new.size:
        raise Unreadable("tensors of one type and shape differ in length")
    sums = _Sums(_numpy(), dtype)
    if sums.width and old.size != sums.width * count:
        raise Unreadable("a tensor is not as long as its shape says")
    step = _READ // (sums.width or 1) * (sums.width or 1)
    for at in range(0, old.size, step):
        length = min(step, old.size - at)
        sums.add(old.exactly(at, length), new.exactly(at, length))
    return sums.result(count if sums.width else old.size)


def _numpy() -> ModuleType:
    try:
        import numpy as np
    except ImportError as error:
        raise UsageError(
            "comparing tensors needs numpy, which is not installed", hint="run `pip install 'modelvc[arrays]'`"
        ) from error
    return np


class _Sums:
    """The sums of two tensors, block by block."""

    def __init__(self, np: ModuleType, dtype: str) -> None:
        self._np = np
        self._read, self.width = _reader(np, dtype)
        self._complex = dtype.startswith("complex") or dtype[1:2] == "c"
        self._changed = 0
        self._old: Any = 0.0  # squares; of a wider type once they are large
        self._new: Any = 0.0
        self._difference: Any = 0.0
        self._largest = 0.0
        self._odd = [0] * 4  # became NaN, stopped being NaN; became infinite, stopped being infinite
        self._at_once = _STEP // 2 if self._complex else _STEP
        self._x, self._y = np.empty(_STEP), np.empty(_STEP)

    def add(self, old: bytes, new: bytes) -> None:
        """Take a block of both, of whole numbers and of one length."""
        if not self.width:
            one, other = (self._np.frombuffer(side, "u1") for side in (old, new))
            self._changed += int(self._np.count_nonzero(one != other)) if old != new else 0
            return
        same = old == new
        one, other = self._read(old), self._read(old if same else new)
        with self._np.errstate(all="ignore"):
            for at in range(0, len(one), self._at_once):
                end = at + self._at_once
                self._step(one[at:end], other[at:end], same=same)

    def _step(self, one: Numbers, other: Numbers, *, same: bool) -> None:
        # numpy compares float16 in software; doubles say the same of it.
        differ = None if same or one.dtype.itemsize == 2 else one != other
        if self._complex:  # lengths are as those of twice as many numbers
            one, other = one.view(one.real.dtype), other.view(other.real.dtype)
        x, y = self._x[: len(one)], self._y[: len(one)]
        self._np.copyto(x, one)
        old = float(x.dot(x))
        if same and isfinite(old):
            self._old += old
            self._new += old
            return
        self._np.copyto(y, other)
        new = float(y.dot(y))
        if not isfinite(old + new):
            self._odd_step(one, other)
            return
        self._changed += int(self._np.count_nonzero(x != y if differ is None else differ))
        self._np.subtract(y, x, out=y)
        self._old += old
        self._new += new
        self._difference += float(y.dot(y))
        self._largest = max(self._largest, self._most(y))

    def _most(self, difference: Numbers) -> float:
        if self._complex:
            return float(self._np.hypot(difference[::2], difference[1::2]).max(initial=0.0))
        return max(float(difference.max(initial=0.0)), -float(difference.min(initial=0.0)))

    def _odd_step(self, one: Numbers, other: Numbers) -> None:
        """Take numbers of which some are NaN, infinite, or too large to be squared."""
        np = self._np
        nan_before, nan_after = np.isnan(one), np.isnan(other)
        inf_before, inf_after = np.isinf(one), np.isinf(other)
        differ = (one != other) & ~(nan_before & nan_after)
        parts = 2 if self._complex else 1
        self._changed += int(np.count_nonzero(differ.reshape(-1, parts).any(axis=1)))
        for number, (before, after) in enumerate(((nan_before, nan_after), (inf_before, inf_after))):
            self._odd[2 * number] += int(np.count_nonzero(after & ~before))
            self._odd[2 * number + 1] += int(np.count_nonzero(before & ~after))
        finite = ~(nan_before | nan_after | inf_before | inf_after)
        wide = np.longdouble
        x, y = np.where(finite, one, 0).astype(wide), np.where(finite, other, 0).astype(wide)
        self._old += x.dot(x)
        self._new += y.dot(y)
        y -= x
        self._difference += y.dot(y)
        self._largest = max(self._largest, self._most(y))

    def result(self, total: int) -> Change:
        """Return what was added up."""
        if not self.width:
            return Change(self._changed, total, nan, nan, nan, by_bytes=True)
        with self._np.errstate(all="ignore"):
            old, new, difference = (self._np.sqrt(one) for one in (self._old, self._new, self._difference))
            norm = float(difference / old) if old else inf if difference else 0.0
            cosine = 1.0 if old == new else 0.0
            if old and new:
                # |a|^2 + |b|^2 - |a-b|^2 is 2ab; nothing is lost where a and b are nearly one.
                ratio = float(old / new + new / old - (difference / old) * (difference / new)) / 2
                cosine = ratio if isnan(ratio) else min(1.0, max(-1.0, ratio))
        return Change(self._changed, total, self._largest, norm, cosine, remarks=self._remarks())

    def _remarks(self) -> tuple[str, ...]:
        words = ("became NaN", "were NaN before", "became infinite", "were infinite before")
        return tuple(f"{count:,} {word}" for count, word in zip(self._odd, words, strict=True) if count)


def _reader(np: ModuleType, dtype: str) -> tuple[Any, int]:
    """Return how to read bytes as numbers of DTYPE, and the width of one in bytes; 0 for types that pack numbers."""
    if dtype == "bfloat16":
        return lambda data: (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4"), 2
    if dtype in small_floats.TABLES:
        table = np.array(small_floats.table(dtype), "<f4")
        return lambda data: table[np.frombuffer(data, "u1")], 1
    if dtype in BITS and BITS[dtype] % 8 == 0:
        form = np.dtype(dtype).newbyteorder("<")
    elif dtype[:1] == ">":
        form = np.dtype(dtype)
    else:
        return None, 0
    if form.kind == "b":
        form = np.dtype("u1")
    return lambda data: np.frombuffer(data, form), form.itemsize
