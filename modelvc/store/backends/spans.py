"""Decide which ranges of one key to read in one request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.errors import RemoteError

if TYPE_CHECKING:
    from collections.abc import Sequence

GAP = 512 << 10  # bytes; to read so many unused bytes costs less than another request
MOST = 32 << 20  # bytes of one request for several ranges


@dataclass(frozen=True, slots=True)
class Span:
    """One request for the bytes from `start` to `stop`. `members`: the positions of the ranges that it serves."""

    start: int
    stop: int
    members: tuple[int, ...]


def merge(ranges: Sequence[tuple[int, int]], *, gap: int = GAP, most: int = MOST) -> list[Span]:
    """The requests for RANGES of (offset, length); an empty range needs none. Raises RemoteError for a negative one.

    GAP: the largest number of unused bytes between two ranges of one request. MOST: the bytes of one request.
    """
    if any(offset < 0 or length < 0 for offset, length in ranges):
        raise RemoteError("a range of an object is negative")
    wanted = sorted((offset, length, position) for position, (offset, length) in enumerate(ranges) if length)
    spans: list[Span] = []
    members: list[int] = []
    start = stop = 0
    for offset, length, position in wanted:
        end = max(stop, offset + length)
        if members and (offset - stop > gap or end - start > most):
            spans.append(Span(start, stop, tuple(members)))
            members = []
        if not members:
            start, end = offset, offset + length
        members.append(position)
        stop = end
    if members:
        spans.append(Span(start, stop, tuple(members)))
    return spans


def scatter(ranges: Sequence[tuple[int, int]], spans: Sequence[Span], bodies: Sequence[bytes]) -> list[bytes]:
    """The bytes of each range in RANGES, out of BODIES, the answers to SPANS. A body of one range is not copied."""
    found = [b""] * len(ranges)
    for span, body in zip(spans, bodies, strict=True):
        for position in span.members:
            offset, length = ranges[position]
            found[position] = body[offset - span.start : offset - span.start + length]
    return found
