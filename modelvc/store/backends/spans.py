"""Which ranges of an object to ask for together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.errors import RemoteError

if TYPE_CHECKING:
    from collections.abc import Sequence

GAP = 512 << 10  # bytes: reading them for nothing costs less than another request
MOST = 32 << 20  # bytes of one request that was merged from several ranges


@dataclass(frozen=True, slots=True)
class Span:
    """One request, from `start` to `stop`, that serves the ranges at `members`."""

    start: int
    stop: int
    members: tuple[int, ...]


def merge(ranges: Sequence[tuple[int, int]], *, gap: int = GAP, most: int = MOST) -> list[Span]:
    """The requests that serve RANGES of (offset, length). Empty ranges need none."""
    if any(offset < 0 or length < 0 for offset, length in ranges):
        raise RemoteError("a range of an object is negative")
    wanted = sorted((offset, length, place) for place, (offset, length) in enumerate(ranges) if length)
    spans: list[Span] = []
    members: list[int] = []
    start = stop = 0
    for offset, length, place in wanted:
        end = max(stop, offset + length)
        if members and (offset - stop > gap or end - start > most):
            spans.append(Span(start, stop, tuple(members)))
            members = []
        if not members:
            start, end = offset, offset + length
        members.append(place)
        stop = end
    if members:
        spans.append(Span(start, stop, tuple(members)))
    return spans


def scatter(ranges: Sequence[tuple[int, int]], spans: Sequence[Span], bodies: Sequence[bytes]) -> list[bytes]:
    """The answer to each range, from the answers to SPANS. A body that serves one range is not copied."""
    found = [b""] * len(ranges)
    for span, body in zip(spans, bodies, strict=True):
        for place in span.members:
            offset, length = ranges[place]
            found[place] = body[offset - span.start : offset - span.start + length]
    return found
