"""Which tensors of two versions changed, and how: names, types, shapes and numbers."""

from __future__ import annotations

from math import isfinite, prod
from typing import TYPE_CHECKING, NamedTuple

from modelvc.errors import UsageError
from modelvc.modelfiles.difference import Numbers, TensorChange, TensorChanges
from modelvc.modelfiles.source import Budget, OutOfTime, Source, Unreadable
from modelvc.modelfiles.tensors.compare import compare
from modelvc.modelfiles.tensors.dtypes import size_of
from modelvc.modelfiles.tensors.pairing import digest_of, pair
from modelvc.modelfiles.tensors.places import Places

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from modelvc.modelfiles.facts import Tensor
    from modelvc.modelfiles.tensors.pairing import Pair

COMPARED = 10  # changed tensors whose numbers are compared, unless all are wanted or they are small together
_SMALL = 256 << 20  # bytes of changed tensors that are always compared
_BLOCK = 1 << 20
_FORTRAN = "Fortran order"


class Side(NamedTuple):
    """One version. `files`: a source for each file of a folder, "" for a file; `notes`: of its facts.

    `content`: a value that is equal for two parts of files with equal bytes, or None if only the bytes tell. It takes
    a file, start and end.
    """

    tensors: Sequence[Tensor]
    files: Mapping[str, Source]
    notes: Sequence[str] = ()
    content: Callable[[str, int, int], object | None] = lambda *_: None


def tensor_changes(old: Side, new: Side, budget: Budget, *, deep: bool = False) -> TensorChanges:
    """Compare the tensors of OLD and NEW. DEEP: compare the numbers of all that changed.

    Raises UsageError without numpy if DEEP.
    """
    left = _Reader(old, budget)
    right = _Reader(new, budget)
    found = pair(old.tensors, new.tensors, left.digest, right.digest)
    changed: list[tuple[Pair, Numbers | None]] = []
    unread = ""
    same = 0
    for one in found.both:
        try:
            if _same(left, right, one, budget):
                same += 1
            else:
                changed.append((one, None))
        except OutOfTime:
            raise
        except Unreadable as error:
            unread = unread or str(error)
    changed, why = _with_numbers(left, right, changed, deep=deep)
    rows = [_row("changed", *one, numbers=numbers) for one, numbers in changed]
    rows += [_row("reshaped", *one) for one in found.reshaped]
    rows += [_row("renamed", *one) for one in found.renamed]
    rows += [_row("added", None, one) for one in found.added]
    rows += [_row("removed", one, None) for one in found.removed]
    return TensorChanges(len(new.tensors), same, tuple(rows), unread or left.unread or right.unread or why)


def _with_numbers(
    left: _Reader, right: _Reader, changed: Sequence[tuple[Pair, Numbers | None]], *, deep: bool
) -> tuple[list[tuple[Pair, Numbers | None]], str]:
    """Return CHANGED with the numbers of those that are compared, which come first, and why others are not."""
    by_size = sorted(changed, key=lambda row: -row[0][0].elements)
    sizes = (size_of(one.dtype, one.shape) or one.end - one.start for (one, _), _ in by_size)
    wanted = len(by_size) if deep or sum(sizes) <= _SMALL else COMPARED
    rows: list[tuple[Pair, Numbers | None]] = []
    why = ""
    for position, (one, _) in enumerate(by_size):
        numbers = None
        if position < wanted and not why:
            try:
                numbers = _numbers(left, right, one)
            except OutOfTime:
                raise
            except Unreadable as error:
                why = str(error)
            except UsageError as error:
                if deep:
                    raise
                why = f"{error}: {error.hint}"
        rows.append((one, numbers))
    return sorted(rows, key=_rank), why


def _rank(row: tuple[Pair, Numbers | None]) -> tuple[bool, float]:
    numbers = row[1]
    norm = numbers.relative_norm if numbers else None
    return numbers is None, -1.0 if norm is None else -norm


def _numbers(left: _Reader, right: _Reader, one: Pair) -> Numbers:
    old, new = one
    left.budget.look_at_clock()
    if left.fortran or right.fortran:
        raise Unreadable("arrays in Fortran order are not compared by their numbers")
    found = compare(left.open(old), right.open(new), old.dtype, prod(old.shape))
    values = (value if isfinite(value) else None for value in (found.largest, found.relative_norm, found.cosine))
    largest, norm, cosine = (None, None, None) if found.by_bytes else values
    return Numbers(found.changed, found.total, largest, norm, cosine, found.by_bytes, found.remarks)


def _same(left: _Reader, right: _Reader, one: Pair, budget: Budget) -> bool:
    """Return whether both tensors have the same bytes."""
    old, new = one
    known = left.content(old)
    if known is not None and known == right.content(new):
        return True
    before, after = left.open(old), right.open(new)
    if before.size != after.size:
        return False
    for at in range(0, before.size, _BLOCK):
        budget.look_at_clock()
        length = min(_BLOCK, before.size - at)
        if before.exactly(at, length) != after.exactly(at, length):
            return False
    return True


class _Reader:
    """The tensors of one side."""

    def __init__(self, side: Side, budget: Budget) -> None:
        self._side = side
        self.budget = budget
        self.fortran = any(_FORTRAN in note for note in side.notes)
        self.unread = ""
        self._places: dict[str, Places] = {}

    def open(self, tensor: Tensor) -> Source:
        """Return the bytes of TENSOR. Raises Unreadable."""
        source = self._side.files.get(tensor.member)
        if source is None:
            raise Unreadable("a file that holds tensors is missing")
        if tensor.member not in self._places:
            self._places[tensor.member] = Places(source, self.budget)
        opened = self._places[tensor.member].open(tensor)
        if opened is None:
            raise Unreadable("compressed tensors of this format are not compared")
        return opened

    def content(self, tensor: Tensor) -> object | None:
        """Return a value that is equal for tensors with equal bytes; None if only the bytes tell."""
        return self._side.content(tensor.member, tensor.start, tensor.end) if tensor.start >= 0 else None

    def digest(self, tensor: Tensor) -> bytes | None:
        """Return the digest of the content of TENSOR; None if it cannot be read."""
        try:
            return digest_of(self.open(tensor), tensor, self.budget)
        except OutOfTime:
            raise
        except Unreadable as error:
            self.unread = self.unread or str(error)
            return None


def _row(change: str, old: Tensor | None, new: Tensor | None, *, numbers: Numbers | None = None) -> TensorChange:
    named = new or old
    assert named is not None  # noqa: S101 - for the type checker: a side has it
    was = old.name if old and new and old.name != new.name else None
    return TensorChange(
        named.name,
        change,
        was,
        old.dtype if old else "",
        old.shape if old else None,
        new.dtype if new else "",
        new.shape if new else None,
        numbers,
    )
