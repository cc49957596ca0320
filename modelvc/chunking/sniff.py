"""How to cut a file, told from its content alone: never from its name, nor from a size that it may outgrow.

What is read here was written by anyone. All of it is advice: a wrong answer costs shared chunks and nothing else, so
whatever looks odd gives no hints, and no claim of a file makes this read more than a few MiB.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from modelvc.chunking.fastcdc import COARSE, FINE, TENSORS, WHOLE
from modelvc.modelfiles import compressed, containers

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelvc.modelfiles.containers import Region

KIB = 1 << 10
ONE_PIECE = 64 * KIB  # files up to this are one chunk
TENSOR = 64 * KIB  # smaller tensors share chunks with their neighbours
MOST_HINTS = 65_536

_PROTOCOLS = (b"\x02", b"\x03", b"\x04", b"\x05")
_XGBOOST = b"{L\0\0\0\0\0\0\0"
_TEXT = bytes([*b"\t\n\f\r", *range(0x20, 0x7F), *range(0x80, 0x100)])
_TRY = 1024


class CutPlan(NamedTuple):
    """How to cut one file.

    Hints are offsets of forced cuts. `compressible` is False when compressing is known to be in vain, None when
    only a try can tell.
    """

    chunker: int
    hints: tuple[int, ...]
    compressible: bool | None


def plan(head: bytes, read_at: Callable[[int, int], bytes], size: int) -> CutPlan:
    """The plan for SIZE bytes that begin with HEAD (64 KiB are enough); READ_AT takes an offset and a length."""
    if compressed.is_compressed(head):
        return CutPlan(WHOLE if size <= ONE_PIECE else COARSE, (), compressible=False)
    if size <= ONE_PIECE:
        return CutPlan(WHOLE, (), None)
    if _many_small_parts(head):
        return CutPlan(FINE, (), None)
    found = containers.read_container(head, read_at, size)
    hints = forced_cuts(found.tensors, size)
    return CutPlan(TENSORS if hints else COARSE, hints, False if found.compressed else None)


def _many_small_parts(head: bytes) -> bool:
    """Whether HEAD begins what holds trees and objects rather than tensors: a pickle, xgboost's UBJSON, text."""
    pickled = head[:1] == b"\x80" and head[1:2] in _PROTOCOLS
    return pickled or head.startswith(_XGBOOST) or not head[:_TRY].translate(None, _TEXT)


def forced_cuts(tensors: list[Region], size: int) -> tuple[int, ...]:
    """Where a file of SIZE bytes is cut for its TENSORS: at most once per 64 KiB, and 65,536 times in all."""
    regions = sorted(region for region in tensors if 0 <= region[0] < region[1] <= size)
    starts_from = ends_from = TENSOR
    while True:
        cuts = _edges(regions, starts_from, ends_from) - {0, size}
        if len(cuts) <= min(MOST_HINTS, size // TENSOR):
            return tuple(sorted(cuts))
        # Ends are given up before starts, then the smallest tensors: every version of a file gives up the same.
        if ends_from == starts_from:
            ends_from *= 2
        else:
            starts_from *= 2


def _edges(regions: list[Region], starts_from: int, ends_from: int) -> set[int]:
    """The starts of all REGIONS of STARTS_FROM bytes, and the ends of those of ENDS_FROM.

    An end matters where something small follows that changes without the tensor: a zip header that names the file,
    a bias, a running mean.
    """
    cuts: set[int] = set()
    taken = 0
    for start, end in regions:
        if start < taken or end - start < starts_from:
            continue
        taken = end
        cuts.add(start)
        if end - start >= ends_from:
            cuts.add(end)
    return cuts
