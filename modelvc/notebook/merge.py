"""Three-way merge of notebooks: align cells, merge their order and their sources, keep outputs with their source.

If both sides change one thing differently, the result holds a conflict that Jupyter can show (`conflict`). No line that
a side wrote is lost: `merge` counts them, and raises FormatError rather than return a result that lacks one.
"""

from __future__ import annotations

import json
from hashlib import sha256

from modelvc.errors import FormatError
from modelvc.notebook import conflict, platforms
from modelvc.notebook.align import align, increasing
from modelvc.notebook.document import cell_id, cell_lists, identity, jupyter, source
from modelvc.notebook.merge_metadata import MetadataConflicts, merged_cell, merged_tables, without_runs
from modelvc.notebook.upgrade import upgraded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from modelvc.notebook.document import Cell, Notebook

    MergeLines = Callable[[str, str, str], tuple[str, bool]]

_IDS_SINCE = (4, 5)  # nbformat
_FIRST = -1  # the position before the first cell


def merge(
    base: bytes, ours: bytes, theirs: bytes, names: tuple[str, str], merge_lines: MergeLines
) -> tuple[bytes, int]:
    """Merge both sides' changes to BASE (b"": no base). Return the notebook and its number of conflicts.

    NAMES are the names of the sides in conflicts. MERGE_LINES(base, ours, theirs) merges texts; it returns the text,
    and True if it left markers. Raises FormatError if a side is not a notebook, or if a line would be lost.
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
    """One merge: the names of its sides, and the number of conflicts so far."""

    def __init__(self, names: tuple[str, str], merge_lines: MergeLines) -> None:
        self._ours, self._theirs = names
        self._merge_lines = merge_lines
        self.conflicts = 0

    def around(self, base: Notebook, ours: Notebook, theirs: Notebook) -> Notebook:
        """Merge everything but the cells. The lists of cells in the result are those of OURS."""
        changes = MetadataConflicts()
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
        """Merge the lists of cells."""
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
        """Merge a cell of the base. A side that deleted it has None."""
        if ours is not None and theirs is not None:
            return self._cell(base, ours, theirs)
        left = ours if ours is not None else theirs
        if left is None or (source(left) == source(base) and left.get("cell_type") == base.get("cell_type")):
            return []  # one side deleted it, and the other did not edit it
        words = (self._ours, self._theirs) if ours is not None else (self._theirs, self._ours)
        changed, deleted = words
        kept = ([left], []) if ours is not None else ([], [left])
        return self._block(*kept, f"{changed} changed this cell, {deleted} deleted it")

    def _inserted(self, ours: list[Cell], theirs: list[Cell], pairs: dict[int, Cell]) -> list[Cell]:
        """Merge the new cells in one gap. PAIRS maps the id() of each cell that both sides added to its twin."""
        found: list[Cell] = []
        mine: list[Cell] = []
        positions = {id(cell): at for at, cell in enumerate(theirs)}
        start = 0
        for cell in ours:
            other = pairs.get(id(cell))
            if other is None:
                mine.append(cell)
                continue
            at = positions.get(id(other), _FIRST)
            if at >= start:
                between = [one for one in theirs[start:at] if id(one) not in pairs]
                found += self._side_by_side(mine, between)
                start = at + 1
            else:  # theirs is in another gap: ours stays
                found += mine
            mine = []
            found += self._cell(None, cell, other)
        return [*found, *self._side_by_side(mine, [one for one in theirs[start:] if id(one) not in pairs])]

    def _side_by_side(self, ours: list[Cell], theirs: list[Cell]) -> list[Cell]:
        """Merge cells that both sides added to one gap: a conflict, unless those of one side are blank."""
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
        """Merge one cell. A note cell stands above it if both sides changed its metadata differently."""
        changes = MetadataConflicts()
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
        end = ends[1] if ends[1] != ends[0] else ends[2]  # of the side that changed it; if both did, ours
        if texts[1] in (texts[2], texts[0]):
            return texts[2] + end, False
        if texts[2] == texts[0]:
            return texts[1] + end, False
        text, marked = self._merge_lines(*texts)
        return text + end, marked


def _runs(cells: Sequence[Cell], known: Sequence[int | None]) -> dict[int, list[Cell]]:
    """Return the new cells by the position of the base's cell before them."""
    found: dict[int, list[Cell]] = {}
    after = _FIRST
    for cell, at in zip(cells, known, strict=True):
        if at is None:
            found.setdefault(after, []).append(cell)
        else:
            after = at
    return found


def _same_inserts(ours: dict[int, list[Cell]], theirs: dict[int, list[Cell]]) -> dict[int, Cell]:
    """Return the new cells that both sides have, with the same id or the same content.

    The result maps the id() of each such cell to the other side's cell.
    """
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
    """Return the id of a cell, or "" for one that only counts cells."""
    name = identity(cell)
    return "" if len(name) < 6 or name.isdigit() else name


def _by_content(cell: Cell) -> Any:
    return (str(cell.get("cell_type")), source(cell)) if source(cell).strip() else ()


def _order(count: int, ours: Sequence[int | None], theirs: Sequence[int | None]) -> list[int]:
    """Return the positions of the base's cells in the order of the side that moved some; of ours, if both did.

    Deleted cells keep a position.
    """
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


# -- properties of the result


def _give_ids(cells: list[Cell]) -> None:
    """Give each cell a unique id. Of two cells with the same id, the second gets a new one."""
    seen: set[str] = set()
    for at, cell in enumerate(cells):
        name = cell_id(cell)
        if not name or name in seen:
            salt = at
            while not name or name in seen:
                name = sha256(f"{salt}\0{source(cell)}".encode("utf-8", "surrogatepass")).hexdigest()[:8]
                salt += 1
            # The id goes to the position that Jupyter's sorted keys give it.
            rest = {key: value for key, value in cell.items() if key != "id"}
            cell.clear()
            cell.update({key: rest[key] for key in sorted(rest) if key < "id"})
            cell["id"] = name
            cell.update(rest)
        seen.add(name)


def _check_lines(lists: list[list[Cell]], found: list[Cell]) -> None:
    """Raise FormatError if FOUND lacks a line that a side wrote. LISTS are base, ours and theirs."""
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
