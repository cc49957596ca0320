"""Align two versions of a notebook: find the same cells by id, by content, and by likeness."""

from __future__ import annotations

import re
from bisect import bisect_left
from itertools import takewhile

from modelvc.errors import FormatError
from modelvc.notebook.document import cell_id, identity, source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from modelvc.notebook.document import Cell

_WORD = re.compile(r"\w+|[^\w\s]")
_ALIKE = 0.4  # the least likeness of two cells in one gap that count as one edited cell
_ALIKE_BUT_RENAMED = 0.6  # the same for two cells with different ids
_RETYPED = 0.8  # the same for two cells of different types
_LARGEST_GAP = 20_000  # most pairs of cells in one gap that are compared; in a larger gap only equal cells match
_LARGEST_TABLE = 4_000_000  # most pairs of cells in one gap; a larger gap is not aligned
_MOST_COMPARED = 100_000_000  # most characters that the pairs of one gap hold; above, only equal cells match
_MOST_LONGER = 50  # times: a text that is longer by more than that is not compared
_DIGITS = re.compile(r"(\d+)$")


def align(before: Sequence[Cell], after: Sequence[Cell]) -> list[int | None]:
    """Return for each cell of AFTER the position of the same cell in BEFORE, or None for a new cell.

    No position is returned twice. Raises FormatError if too many cells are alike.
    """
    found: list[int | None] = [None] * len(after)
    taken: set[int] = set()
    names = _unique_ids(before)
    if names and (others := _unique_ids(after)):
        for name, at in others.items():
            if name in names:
                found[at] = names[name]
                taken.add(names[name])
    for typed in (True, False):  # a cell with the same text and another type is the same cell
        positions = _unique_contents(before, taken, typed=typed)
        known = {n for n, one in enumerate(found) if one is not None}
        for content, at in _unique_contents(after, known, typed=typed).items():
            if content in positions and content[1].strip():
                found[at] = positions[content]
                taken.add(positions[content])
    _fill_gaps(before, after, found)
    return found


def increasing(numbers: Iterable[int]) -> bool:
    """Return True if each number is larger than the one before."""
    last = -1
    for number in numbers:
        if number <= last:
            return False
        last = number
    return True


def _unique_ids(cells: Sequence[Cell]) -> dict[str, int]:
    """Return the position of each id; {} if ids are duplicate, or only count the cells, as in some tools."""
    found: dict[str, int] = {}
    counting: dict[str, int] = {}  # ids that equal their position, by the text before the number
    for at, cell in enumerate(cells):
        name = identity(cell)
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


def _unique_contents(cells: Sequence[Cell], without: set[int], *, typed: bool) -> dict[tuple[str, str], int]:
    """Return the position of each content that only one cell has. TYPED: the type is part of the content."""
    positions: dict[tuple[str, str], list[int]] = {}
    for at, cell in enumerate(cells):
        if at not in without:
            positions.setdefault((str(cell.get("cell_type")) if typed else "", source(cell)), []).append(at)
    return {content: where[0] for content, where in positions.items() if len(where) == 1}


def _fill_gaps(before: Sequence[Cell], after: Sequence[Cell], found: list[int | None]) -> None:
    """Match the remaining cells in the gaps between matched cells that kept their order."""
    anchors = _in_order([(at, one) for at, one in enumerate(found) if one is not None])
    used = {one for one in found if one is not None}
    previous = (-1, -1)
    for anchor in [*anchors, (len(after), len(before))]:
        right = [at for at in range(previous[0] + 1, anchor[0]) if found[at] is None]
        left = [at for at in range(previous[1] + 1, anchor[1]) if at not in used]
        if left and right:
            for one, other in _matched([_Text(before[at], at) for at in left], [_Text(after[at], at) for at in right]):
                found[other] = one
        previous = anchor


class _Text:
    """The compared values of a cell, computed once."""

    __slots__ = ("at", "content", "name", "text", "words")

    def __init__(self, cell: Cell, at: int) -> None:
        self.at = at
        self.name = cell_id(cell)
        self.text = source(cell)
        self.content = (str(cell.get("cell_type")), self.text)
        self.words: dict[str, int] | None = None


def _matched(left: list[_Text], right: list[_Text]) -> list[tuple[int, int]]:
    """Return pairs of positions, in order on both sides. In a large gap, equal cells at both ends match first.

    Raises FormatError if the rest of the gap is too large.
    """
    found: list[tuple[int, int]] = []
    if len(left) * len(right) > _LARGEST_GAP:
        for which in (1, -1):
            pairs = zip(left[::which], right[::which], strict=False)
            equal = [
                (one.at, other.at) for one, other in takewhile(lambda pair: pair[0].content == pair[1].content, pairs)
            ]
            found += equal
            left, right = (
                some[len(equal) :] if which == 1 else some[: len(some) - len(equal)] for some in (left, right)
            )
    if len(left) * len(right) > _LARGEST_TABLE:
        raise FormatError(f"{len(left):,} cells and {len(right):,} cells in one place are too many to compare")
    return found + _best(left, right)


def _in_order(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the longest sequence of pairs that increases on both sides (patience sorting)."""
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


def _best(left: Sequence[_Text], right: Sequence[_Text]) -> list[tuple[int, int]]:
    """Return the pairs, in order on both sides, with the largest sum of likenesses."""
    sizes = [sum(len(one.text) for one in some) for some in (left, right)]
    exact = len(left) * len(right) > _LARGEST_GAP or len(left) * sizes[1] + len(right) * sizes[0] > _MOST_COMPARED
    scores = [[_score(one, other, exact=exact) for other in right] for one in left]
    best = [[0.0] * (len(right) + 1) for _ in range(len(left) + 1)]
    for one in range(len(left) - 1, -1, -1):
        row, below, score_of = best[one], best[one + 1], scores[one]
        for other in range(len(right) - 1, -1, -1):
            score = score_of[other]
            pair = score + below[other + 1] if score else 0.0
            row[other] = max(pair, below[other], row[other + 1])
    found = []
    one = other = 0
    while one < len(left) and other < len(right):
        if scores[one][other] and best[one][other] == scores[one][other] + best[one + 1][other + 1]:
            found.append((left[one].at, right[other].at))
            one, other = one + 1, other + 1
        elif best[one][other] == best[one + 1][other]:
            one += 1
        else:
            other += 1
    return found


def _score(one: _Text, other: _Text, *, exact: bool) -> float:
    retyped = one.content[0] != other.content[0]
    if one.text == other.text:
        return 1.0 if not retyped else _RETYPED if one.text.strip() else 0.0
    if exact:
        return 0.0
    renamed = one.name != other.name and bool(one.name) and bool(other.name)
    least = _RETYPED if retyped else _ALIKE_BUT_RENAMED if renamed else _ALIKE
    shorter, longer = sorted((len(one.text), len(other.text)))
    if longer > _MOST_LONGER * (shorter + 1):
        return 0.0
    for side in (one, other):
        if side.words is None:
            side.words = _words(side.text)
    found = _alike(one.words or {}, other.words or {})
    return found if found >= least else 0.0


def _alike(mine: dict[str, int], others: dict[str, int]) -> float:
    total = sum(mine.values()) + sum(others.values())
    least = min(mine, others, key=len)
    shared = sum(min(count, others.get(word, 0), mine.get(word, 0)) for word, count in least.items())
    return 2 * shared / total if total else 1.0


def _words(text: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for word in _WORD.findall(text):
        found[word] = found.get(word, 0) + 1
    return found
