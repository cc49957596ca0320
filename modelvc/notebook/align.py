"""Which cells of two versions of a notebook are the same cell: by id, by what is in them, by likeness."""

from __future__ import annotations

import re
from bisect import bisect_left

from modelvc.notebook.document import cell_id, source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from modelvc.notebook.document import Cell

_WORD = re.compile(r"\w+|[^\w\s]")
_ALIKE = 0.4  # likeness from which two cells in the same place are one that was edited
_ALIKE_BUT_RENAMED = 0.6  # the same, where both have ids and these differ
_LARGEST_GAP = 20_000  # pairs of cells to compare in one place: beyond that only equal ones are found
_DIGITS = re.compile(r"(\d+)$")


def align(before: Sequence[Cell], after: Sequence[Cell]) -> list[int | None]:
    """For each cell of AFTER, which cell of BEFORE it is, or None for a new one. No cell is given twice."""
    found: list[int | None] = [None] * len(after)
    taken: set[int] = set()
    names = _unique_ids(before)
    if names and (others := _unique_ids(after)):
        for name, at in others.items():
            if name in names:
                found[at] = names[name]
                taken.add(names[name])
    places = _unique_contents(before, taken)
    for content, at in _unique_contents(after, {n for n, one in enumerate(found) if one is not None}).items():
        if content in places and content[1].strip():
            found[at] = places[content]
    _fill_gaps(before, after, found)
    return found


def likeness(one: str, other: str) -> float:
    """How much two texts share, from 0 to 1: Dice's coefficient over their words and signs."""
    if one == other:
        return 1.0
    mine, others = _words(one), _words(other)
    total = sum(mine.values()) + sum(others.values())
    shared = sum(min(count, others.get(word, 0)) for word, count in mine.items())
    return 2 * shared / total if total else 1.0


def increasing(numbers: Iterable[int]) -> bool:
    """Whether each number is larger than the one before."""
    last = -1
    for number in numbers:
        if number <= last:
            return False
        last = number
    return True


def _unique_ids(cells: Sequence[Cell]) -> dict[str, int]:
    """Where each id is; nothing if ids only count the cells, as some tools write them, or are given twice."""
    found: dict[str, int] = {}
    counting: dict[str, int] = {}  # by what stands before the number
    for at, cell in enumerate(cells):
        name = cell_id(cell)
        if not name:
            continue
        if name in found:
            return {}
        found[name] = at
        digits = _DIGITS.search(name)
        if digits and len(digits[1]) < 7 and int(digits[1]) in {at, at + 1}:
            start = name[: digits.start()]
            counting[start] = counting.get(start, 0) + 1
    return {} if max(counting.values(), default=0) * 2 > len(found) else found


def _unique_contents(cells: Sequence[Cell], without: set[int]) -> dict[tuple[str, str], int]:
    """Where each content is that only one of the cells has."""
    places: dict[tuple[str, str], list[int]] = {}
    for at, cell in enumerate(cells):
        if at not in without:
            places.setdefault((str(cell.get("cell_type")), source(cell)), []).append(at)
    return {content: where[0] for content, where in places.items() if len(where) == 1}


def _fill_gaps(before: Sequence[Cell], after: Sequence[Cell], found: list[int | None]) -> None:
    """Match what is left between cells that kept their order."""
    anchors = _in_order([(at, one) for at, one in enumerate(found) if one is not None])
    used = {one for one in found if one is not None}
    previous = (-1, -1)
    for anchor in [*anchors, (len(after), len(before))]:
        right = [at for at in range(previous[0] + 1, anchor[0]) if found[at] is None]
        left = [at for at in range(previous[1] + 1, anchor[1]) if at not in used]
        if left and right:
            for one, other in _best(before, after, left, right):
                found[other] = one
        previous = anchor


def _in_order(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest run of pairs that grows on both sides (patience sorting)."""
    tops: list[int] = []
    piles: list[int] = []
    back: list[int] = []
    for number, (_, value) in enumerate(pairs):
        at = bisect_left(tops, value)
        back.append(piles[at - 1] if at else -1)
        tops[at : at + 1] = [value]
        piles[at : at + 1] = [number]
    chain = []
    at = piles[-1] if piles else -1
    while at >= 0:
        chain.append(pairs[at])
        at = back[at]
    return chain[::-1]


def _best(
    before: Sequence[Cell], after: Sequence[Cell], left: Sequence[int], right: Sequence[int]
) -> list[tuple[int, int]]:
    """The pairs, in order on both sides, whose likeness adds up to most."""
    exact = len(left) * len(right) > _LARGEST_GAP
    scores = [[_score(before[one], after[other], exact=exact) for other in right] for one in left]
    best = [[0.0] * (len(right) + 1) for _ in range(len(left) + 1)]
    for one in range(len(left) - 1, -1, -1):
        for other in range(len(right) - 1, -1, -1):
            score = scores[one][other]
            pair = score + best[one + 1][other + 1] if score else 0.0
            best[one][other] = max(pair, best[one + 1][other], best[one][other + 1])
    found = []
    one = other = 0
    while one < len(left) and other < len(right):
        if scores[one][other] and best[one][other] == scores[one][other] + best[one + 1][other + 1]:
            found.append((left[one], right[other]))
            one, other = one + 1, other + 1
        elif best[one][other] == best[one + 1][other]:
            one += 1
        else:
            other += 1
    return found


def _score(one: Cell, other: Cell, *, exact: bool) -> float:
    if one.get("cell_type") != other.get("cell_type"):
        return 0.0
    mine, theirs = source(one), source(other)
    if mine == theirs:
        return 1.0
    if exact:
        return 0.0
    renamed = cell_id(one) != cell_id(other) and bool(cell_id(one)) and bool(cell_id(other))
    found = likeness(mine, theirs)
    return found if found >= (_ALIKE_BUT_RENAMED if renamed else _ALIKE) else 0.0


def _words(text: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for word in _WORD.findall(text):
        found[word] = found.get(word, 0) + 1
    return found
