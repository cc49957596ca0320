"""Plan how to cut a file, from its content alone: never from its name, nor from a size that it may outgrow.

A plan is advice. A wrong plan costs shared chunks and nothing else, so a file that looks odd gets no hints. Files are
hostile: no claim in a file makes this module read more than a few MiB.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from modelvc.chunking.fastcdc import COARSE, FINE, TENSORS, WHOLE
from modelvc.modelfiles import compressed, containers

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelvc.modelfiles.containers import Region

KIB = 1 << 10
ONE_PIECE = 64 * KIB  # a file of at most so many bytes is one chunk
TENSOR = 64 * KIB  # smaller tensors share chunks with their neighbours
MOST_HINTS = 65_536  # advice to a writer alone: no reader needs the hints, so that it is no limit of a format

_PROTOCOLS = (b"\x02", b"\x03", b"\x04", b"\x05")  # of pickle
_XGBOOST = b"{L\0\0\0\0\0\0\0"
_TEXT = bytes([*b"\t\n\f\r", *range(0x20, 0x7F), *range(0x80, 0x100)])
_TRY = 1024  # bytes at the start that must be text in a text file


class CutPlan(NamedTuple):
    """How to cut one file.

    `hints`: offsets of forced cuts. `compressible`: False if compression is known to gain nothing, None if only a try
    can tell.
    """

    chunker: int
    hints: tuple[int, ...]
    compressible: bool | None


def plan(head: bytes, read_at: Callable[[int, int], bytes], size: int) -> CutPlan:
    """The plan for a file of SIZE bytes. HEAD: its first 64 KiB. READ_AT: (offset, length) to bytes of the file."""
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
    """Whether the file holds trees and objects instead of tensors: a pickle, UBJSON of xgboost, or text."""
    pickled = head[:1] == b"\x80" and head[1:2] in _PROTOCOLS
    return pickled or head.startswith(_XGBOOST) or not head[:_TRY].translate(None, _TEXT)


def forced_cuts(tensors: list[Region], size: int) -> tuple[int, ...]:
    """Offsets at which to cut a file of SIZE bytes for its TENSORS, sorted: one per 64 KiB at most, 65,536 in all."""
    regions = sorted(region for region in tensors if 0 <= region[0] < region[1] <= size)
    starts_from = ends_from = TENSOR
    while True:
        cuts = _edges(regions, starts_from, ends_from) - {0, size}
        if len(cuts) <= min(MOST_HINTS, size // TENSOR):
            return tuple(sorted(cuts))
        # First ends are dropped, then the smallest tensors: every version of a file drops the same, and shares chunks.
        if ends_from == starts_from:
            ends_from *= 2
        else:
            starts_from *= 2


def _edges(regions: list[Region], starts_from: int, ends_from: int) -> set[int]:
    """The starts of the REGIONS of at least STARTS_FROM bytes, and the ends of those of at least ENDS_FROM bytes.

    An end is worth a cut where something small follows that changes without the tensor: a zip header that names the
    file, a bias, a running mean.
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
