"""Three-way merge of notebooks. Cells are aligned, their order and their sources merged; outputs follow the source.

What both sides changed differently becomes a conflict that Jupyter can show (`conflict`). No line that a side wrote is
lost: `merge` counts them, and gives up (FormatError) rather than hand out a result that lacks one.
"""

from __future__ import annotations

import json
from hashlib import sha256

from modelvc.errors import FormatError
from modelvc.notebook import conflict, platforms
from modelvc.notebook.align import align, increasing
from modelvc.notebook.combine import Changes, merged_cell, merged_tables, without_runs
from modelvc.notebook.document import cell_id, cell_lists, identity, jupyter, source
from modelvc.notebook.upgrade import upgraded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from modelvc.notebook.document import Cell, Notebook

    MergeLines = Callable[[str, str, str], tuple[str, bool]]

_IDS_SINCE = (4, 5)  # nbformat
_FIRST = -1  # what stands before the first cell


def merge(
    base: bytes, ours: bytes, theirs: bytes, names: tuple[str, str], merge_lines: MergeLines
) -> tuple[bytes, int]:
    """The notebook that both sides' changes to BASE make (empty: there was none), and how many conflicts it holds.

    NAMES are what the sides are called in conflicts. MERGE_LINES(base, ours, theirs) merges texts and tells whether it
    left markers. Raises FormatError when a side is no notebook.
    """
    if ours in (theirs, base):
        return theirs, 0
    if theirs == base:
        return ours, 0
    mine = jupyter(ours)
    mine.keep_form(ours)
    sides = [_empty_like(mine.notebook) if not base.strip() else jupyter(base).notebook, mine.notebook]
    sides.append(jupyter(theirs).notebook)
    if len({side["nbformat"] for side in sides}) > 1:
        sides = [upgraded(side) for side in sides]
    lists = [cell_lists(side) for side in sides]
    if any(len(some) != 1 for some in lists):
        raise FormatError("not one list of cells")
    work = _Merge(names, merge_lines)
    cells = work.cells(*(some[0] for some in lists))
    notebook = work.around(*sides)
    if conflict.note(notebook):
        cells.insert(0, conflict.note_cell(notebook, names, below=False))
    cell_lists(notebook)[0][:] = cells
    minor = notebook.get("nbformat_minor", 0)
    if (notebook["nbformat"], minor if type(minor) is int else 0) >= _IDS_SINCE:
        _give_ids(cells)
    _check_lines([some[0] for some in lists], cells)
    mine.notebook = notebook
    return mine.encode(), work.conflicts


def _empty_like(notebook: Notebook) -> Notebook:
    copy: Notebook = json.loads(json.dumps({**notebook, "metadata": {}}))
    for cells in cell_lists(copy):
        cells.clear()
    return copy


class _Merge:
    """One merge under way: its names, and the number of conflicts so far."""

    def __init__(self, names: tuple[str, str], merge_lines: MergeLines) -> None:
        self._ours, self._theirs = names
        self._merge_lines = merge_lines
        self.conflicts = 0

    def around(self, base: Notebook, ours: Notebook, theirs: Notebook) -> Notebook:
        """Everything but the cells; the lists of cells are those of OURS."""
        changes = Changes()
        run = without_runs((base, ours, theirs), platforms.NOTEBOOK)
        found = merged_tables((base, ours, theirs), changes, skip=("cells", "worksheets", "nbformat_minor"))
        platforms.put_back(found, run)
        minors = [side["nbformat_minor"] for side in (ours, theirs) if type(side.get("nbformat_minor")) is int]
        if minors:
            found["nbformat_minor"] = max(minors)
        if changes.conflicts:
            self.conflicts += 1
            conflict.mark(found, conflict.METADATA, self.conflicts, **changes.noted)
        return found

    # -- the order of cells

    def cells(self, base: list[Cell], ours: list[Cell], theirs: list[Cell]) -> list[Cell]:
        in_ours, in_theirs = align(base, ours), align(base, theirs)
        mine = {one: ours[at] for at, one in enumerate(in_ours) if one is not None}
        others = {one: theirs[at] for at, one in enumerate(in_theirs) if one is not None}
        runs_ours, runs_theirs = _runs(ours, in_ours), _runs(theirs, in_theirs)
        pairs = _same_inserts(runs_ours, runs_theirs)
        order = _order(len(base), in_ours, in_theirs)
        found: list[Cell] = []
        for at in (_FIRST, *order):
            if at != _FIRST:
                found += self._known(base[at], mine.get(at), others.get(at))
            found += self._inserted(runs_ours.get(at, []), runs_theirs.get(at, []), pairs)
        return found

    def _known(self, base: Cell, ours: Cell | None, theirs: Cell | None) -> list[Cell]:
        """A cell of the base."""
        if ours is not None and theirs is not None:
            return self._cell(base, ours, theirs)
        left = ours if ours is not None else theirs
        if left is None or (source(left) == source(base) and left.get("cell_type") == base.get("cell_type")):
            return []  # deleted, and nothing was written into it
        words = (self._ours, self._theirs) if ours is not None else (self._theirs, self._ours)
        changed, deleted = words
        kept = ([left], []) if ours is not None else ([], [left])
        return self._block(*kept, f"{changed} changed this cell, {deleted} deleted it")

    def _inserted(self, ours: list[Cell], theirs: list[Cell], pairs: dict[int, Cell]) -> list[Cell]:
        """New cells in one place. PAIRS: by identity, which cell of theirs one of ours is, and the other way round."""
        found: list[Cell] = []
        mine: list[Cell] = []
        places = {id(cell): at for at, cell in enumerate(theirs)}
        start = 0
        for cell in ours:
            other = pairs.get(id(cell))
            if other is None:
                mine.append(cell)
                continue
            at = places.get(id(other), _FIRST)
            if at >= start:
                between = [one for one in theirs[start:at] if id(one) not in pairs]
                found += self._side_by_side(mine, between)
                start = at + 1
            else:  # they have it in another place: ours stands
                found += mine
            mine = []
            found += self._cell(None, cell, other)
        return [*found, *self._side_by_side(mine, [one for one in theirs[start:] if id(one) not in pairs])]

    def _side_by_side(self, ours: list[Cell], theirs: list[Cell]) -> list[Cell]:
        """Cells that both sides put into one place: a conflict, unless one side's are blank."""
        written = [any(source(cell).strip() for cell in side) for side in (ours, theirs)]
        if ours and theirs and all(written):
            return self._block(ours, theirs, "")
        return ours if written[0] or not theirs else theirs

    def _block(self, ours: list[Cell], theirs: list[Cell], words: str) -> list[Cell]:
        self.conflicts += 1
        number = self.conflicts
        for side, cells in ((conflict.OURS, ours), (conflict.THEIRS, theirs)):
            for cell in cells:
                conflict.mark(cell, side, number)
        begin = conflict.fence(conflict.BEGIN, number, f"{self._ours} ({words})" if words else self._ours)
        middle = conflict.fence(conflict.MIDDLE, number, "")
        return [begin, *ours, middle, *theirs, conflict.fence(conflict.END, number, self._theirs)]

    # -- one cell

    def _cell(self, base: Cell | None, ours: Cell, theirs: Cell) -> list[Cell]:
        """One cell, below a note if both sides changed its metadata differently."""
        changes = Changes()
        before = "" if base is None else source(base)
        text, marked = self._source(before, source(ours), source(theirs))
        found = merged_cell(base, ours, theirs, text, changes)
        if not marked and not changes.conflicts:
            return [found]
        self.conflicts += 1
        conflict.mark(found, conflict.SOURCE if marked else conflict.METADATA, self.conflicts, **changes.noted)
        above = [conflict.note_cell(found, (self._ours, self._theirs))] if changes.conflicts else []
        return [*above, found]

    def _source(self, base: str, ours: str, theirs: str) -> tuple[str, bool]:
        if ours in (theirs, base):
            return theirs, False
        if theirs == base:
            return ours, False
        texts = [text.rstrip("\r\n") for text in (base, ours, theirs)]
        ends = [text[len(line) :] for text, line in zip((base, ours, theirs), texts, strict=True)]
        end = ends[1] if ends[1] != ends[0] else ends[2]  # of the side that changed it; ours, if both did
        if texts[1] in (texts[2], texts[0]):
            return texts[2] + end, False
        if texts[2] == texts[0]:
            return texts[1] + end, False
        text, marked = self._merge_lines(*texts)
        return text + end, marked


def _runs(cells: Sequence[Cell], known: Sequence[int | None]) -> dict[int, list[Cell]]:
    """New cells, by the cell of the base that they come after."""
    found: dict[int, list[Cell]] = {}
    after = _FIRST
    for cell, at in zip(cells, known, strict=True):
        if at is None:
            found.setdefault(after, []).append(cell)
        else:
            after = at
    return found


def _same_inserts(ours: dict[int, list[Cell]], theirs: dict[int, list[Cell]]) -> dict[int, Cell]:
    """New cells that both sides have: with the same id, or the same to the letter. By identity, both ways."""
    found: dict[int, Cell] = {}
    for key in (_by_id, _by_content):
        waiting: dict[Any, list[Cell]] = {}
        for cell in reversed(list(_all(theirs))):
            if id(cell) not in found and (name := key(cell)):
                waiting.setdefault(name, []).append(cell)
        for cell in _all(ours):
            if id(cell) not in found and waiting.get(name := key(cell)):
                other = waiting[name].pop()
                found[id(cell)], found[id(other)] = other, cell
    return found


def _all(runs: dict[int, list[Cell]]) -> Iterator[Cell]:
    return (cell for run in runs.values() for cell in run)


def _by_id(cell: Cell) -> Any:
    """An id that a person's program made up: one that counts cells is nobody's."""
    name = identity(cell)
    return "" if len(name) < 6 or name.isdigit() else name


def _by_content(cell: Cell) -> Any:
    return (str(cell.get("cell_type")), source(cell)) if source(cell).strip() else ()


def _order(count: int, ours: Sequence[int | None], theirs: Sequence[int | None]) -> list[int]:
    """The cells of the base in the order of the side that moved some (ours, if both did); deleted ones keep a place."""
    mine = [at for at in ours if at is not None]
    others = [at for at in theirs if at is not None]
    if not increasing(mine):
        order = mine
    elif not increasing(others):
        order = others
    else:
        return list(range(count))
    there = set(order)
    found: list[int] = []
    for at in (_FIRST, *order):
        if at != _FIRST:
            found.append(at)
        after = at + 1
        while after < count and after not in there:
            found.append(after)
            after += 1
    return found


# -- what must hold of the result


def _give_ids(cells: list[Cell]) -> None:
    """Each cell an id that no other has: of two that came with the same, the second gets a new one."""
    seen: set[str] = set()
    for at, cell in enumerate(cells):
        name = cell_id(cell)
        if not name or name in seen:
            salt = at
            while not name or name in seen:
                name = sha256(f"{salt}\0{source(cell)}".encode("utf-8", "surrogatepass")).hexdigest()[:8]
                salt += 1
            # an id stands behind the type, where Jupyter's sorted keys put it
            rest = {key: value for key, value in cell.items() if key != "id"}
            cell.clear()
            cell.update({key: rest[key] for key in sorted(rest) if key < "id"})
            cell["id"] = name
            cell.update(rest)
        seen.add(name)


def _check_lines(lists: list[list[Cell]], found: list[Cell]) -> None:
    """FormatError when a line that a side wrote is not there. LISTS are base, ours and theirs."""
    before, *sides = map(_lines, lists)
    there = _lines(found)
    for side in sides:
        for line, count in side.items():
            if count > before.get(line, 0) and line not in there:
                raise FormatError("a line would be lost")


def _lines(cells: list[Cell]) -> dict[str, int]:
    found: dict[str, int] = {}
    for cell in cells:
        for line in source(cell).splitlines():
            text = line.strip()
            if text:
                found[text] = found.get(text, 0) + 1
    return found
