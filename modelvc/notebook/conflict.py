"""Conflicts inside a notebook, noted in `metadata.mvc.conflict` and readable in Jupyter. Format: docs/format.md.

A conflict has one of three shapes. In the source of a cell, text markers enclose the lines of both sides. As a block,
three markdown cells (`begin`, `middle`, `end`) enclose the cells of each side. Above metadata that both sides changed,
a markdown cell (`note`) shows keys and values.
"""

from __future__ import annotations

from modelvc.errors import shown
from modelvc.notebook.document import cell_lists, dumps, metadata, set_source, source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from modelvc.notebook.document import Cell, Notebook

SOURCE, METADATA = "source", "metadata"  # kinds of a conflict in one cell
BEGIN, MIDDLE, END = "begin", "middle", "end"  # the markdown cells around a block
NOTE = "note"  # the markdown cell that shows a conflict of metadata
OURS, THEIRS = "ours", "theirs"  # the cells of each side in a block
_FENCES = (BEGIN, MIDDLE, END, NOTE)
_ABSENT: Any = object()
UNION = "union"
SIDES = (OURS, THEIRS, UNION)
_WIDEST = 200  # most characters of a shown value


def mark(cell: Cell, kind: str, number: int, **more: Any) -> None:
    """Note in CELL its part (KIND) in conflict NUMBER."""
    about = cell.setdefault("metadata", {})
    own = about.get("mvc")
    about["mvc"] = (own if isinstance(own, dict) else {}) | {"conflict": {"kind": kind, "number": number, **more}}


def fence(kind: str, number: int, words: str) -> Cell:
    """Return a markdown cell that begins, divides or ends a block. WORDS name the side of the enclosed cells."""
    marker = {BEGIN: "<<<<<<<", MIDDLE: "=======", END: ">>>>>>>"}[kind]
    cell: Cell = {"cell_type": "markdown", "metadata": {}, "source": [f"`{marker}` {words}".rstrip()]}
    mark(cell, kind, number)
    return cell


def note_cell(marked: Cell, names: Sequence[str], *, below: bool = True) -> Cell:
    """Return a markdown cell that shows both sides' values of metadata in conflict in MARKED, which holds ours.

    NAMES are the names of the sides. BELOW: MARKED is the cell below; else it is the notebook.
    """
    where = "the cell below" if below else "this notebook"
    cell: Cell = {"cell_type": "markdown", "metadata": {}, "source": []}
    mark(cell, NOTE, _number(marked), names=list(names), below=below)
    lines = [f"**Conflict in the metadata of {where}.** It has the value of the first side.", ""]
    for key, ours, theirs in values(marked):
        lines += [f"    {key}", f"        {shown(names[0])}: {ours}", f"        {shown(names[1])}: {theirs}"]
    lines += ["", "Delete this cell to keep these values, or: mvc notebook resolve PATH --theirs (--key KEY)"]
    cell["source"] = "\n".join(lines).splitlines(keepends=True)
    return cell


def values(marked: Cell) -> list[tuple[str, str, str]]:
    """Return (key, our value, their value) of metadata in conflict in MARKED, a cell or the notebook.

    The strings are safe for a terminal.
    """
    found = []
    for change in _changes(marked):
        at: Any = marked
        for part in change["path"]:
            at = at.get(part, _ABSENT) if isinstance(at, dict) else _ABSENT
        found.append((shown(_key(change)), _shown(at), _shown(change.get("value", _ABSENT))))
    return found


def _changes(marked: Cell) -> list[dict[str, Any]]:
    """Return the notes of their values in MARKED."""
    theirs = note(marked).get("theirs")
    some = theirs if isinstance(theirs, list) else []
    return [one for one in some if isinstance(one, dict) and isinstance(one.get("path"), list)]


def _key(change: dict[str, Any]) -> str:
    return ".".join(map(str, change["path"]))


def _shown(value: Any) -> str:
    return "(not there)" if value is _ABSENT else shown(dumps(value), _WIDEST)


def note(cell: Cell) -> dict[str, Any]:
    """Return the note that `mark` left in CELL, a cell or the notebook; {} if there is none."""
    own = metadata(cell).get("mvc")
    found = own.get("conflict") if isinstance(own, dict) else None
    return found if isinstance(found, dict) and isinstance(found.get("kind"), str) else {}


def open_conflicts(notebook: Notebook) -> list[Cell]:
    """Return the cells, and the notebook, that still hold a conflict. Removing the markers settles a conflict."""
    found = [cell for some in cell_lists(notebook) for cell in some if _is_open(cell)]
    return [*found, notebook] if _is_open(notebook) else found


def count(notebook: Notebook) -> int:
    """Return the number of conflicts that are not settled."""
    return len({_number(cell) for cell in open_conflicts(notebook)})


def forget_settled(notebook: Notebook) -> bool:
    """Remove the notes of conflicts that a person settled by hand. Return True if there were any."""
    owners = [*(cell for some in cell_lists(notebook) for cell in some), notebook]
    still = {_number(owner) for owner in owners if _is_open(owner)}
    done = [owner for owner in owners if note(owner) and _number(owner) not in still]
    for cell in done:
        _unmark(cell)
    return bool(done)


def has_markers(text: str) -> bool:
    """Return True if TEXT holds the conflict markers of a text merge."""
    lines = text.split("\n")
    return any(line.startswith("<<<<<<<") for line in lines) and any(line.startswith(">>>>>>>") for line in lines)


def resolve(notebook: Notebook, side: str, *, cell: str = "") -> int:
    """Settle conflicts for SIDE ("union": both, ours first). CELL, an id, limits that to the conflict of its cell.

    Return the number of settled conflicts.
    """
    lists = cell_lists(notebook)
    wanted = {_number(one) for one in open_conflicts(notebook) if not cell or one.get("id") == cell}
    if cell:  # each cell of a block names the block's conflict
        wanted |= {_number(one) for some in lists for one in some if note(one) and one.get("id") == cell}
    for some in lists:
        some[:] = [one for one in some if _stays(one, side, wanted)]
        for one in some:
            if note(one) and _number(one) in wanted:
                _settle(one, side)
    if note(notebook) and _number(notebook) in wanted:
        _settle(notebook, side)
    return len(wanted)


def resolve_key(notebook: Notebook, side: str, key: str, *, cell: str = "") -> int:
    """Settle conflicts of metadata about one KEY, such as `metadata.name`. CELL, an id, limits that to one cell.

    Return the number of settled conflicts.
    """
    settled = 0
    for owner in [*(one for some in cell_lists(notebook) for one in some), notebook]:
        wanted = [change for change in _changes(owner) if _key(change) == key]
        if not wanted or (cell and owner.get("id") != cell):
            continue
        settled += len(wanted)
        if side == THEIRS:
            for change in wanted:
                _put(owner, change["path"], change)
        found = note(owner)
        found["theirs"] = [change for change in _changes(owner) if _key(change) != key]
        _renew_note(notebook, owner)
        if not found["theirs"]:
            del found["theirs"]
            if found["kind"] == METADATA:
                _unmark(owner)
    return settled


def _renew_note(notebook: Notebook, marked: Cell) -> None:
    """Update the note cell of MARKED to the remaining conflicts of metadata. Without any, delete the note cell."""
    for cells in cell_lists(notebook):
        for at, cell in enumerate(cells):
            found = note(cell)
            if found.get("kind") != NOTE or _number(cell) != _number(marked):
                continue
            names = found.get("names")
            known = names if isinstance(names, list) and len(names) == 2 else SIDES[:2]
            new = note_cell(marked, [str(name) for name in known], below=found.get("below") is not False)
            cells[at : at + 1] = [{**cell, **new}] if _changes(marked) else []
            return


def sides_of(text: str, side: str) -> str:
    """Return TEXT with only the lines of SIDE between its markers, and without the markers."""
    kept: list[str] = []
    where = ""
    for line in text.splitlines(keepends=True):
        if line.startswith("<<<<<<<") and not where:
            where = OURS
        elif line.startswith("|||||||") and where == OURS:
            where = "base"
        elif line.rstrip("\r\n") == "=" * len(line.rstrip("\r\n")) and line.startswith("=======") and where:
            where = THEIRS
        elif line.startswith(">>>>>>>") and where == THEIRS:
            where = ""
        elif not where or where == side or (side == UNION and where != "base"):
            kept.append(line if line.endswith("\n") else line + "\n")
    joined = "".join(kept)
    return joined if text.endswith("\n") else joined.removesuffix("\n")


def _is_open(cell: Cell) -> bool:
    """Return True if CELL keeps a conflict open. For metadata the note cell does, if there is one."""
    found = note(cell)
    kind = found.get("kind")
    unnoted = kind == METADATA and found.get("noted") is not True
    return kind in _FENCES or unnoted or (kind == SOURCE and has_markers(source(cell)))


def _number(cell: Cell) -> int:
    found = note(cell).get("number")
    return found if type(found) is int else 0


def _stays(cell: Cell, side: str, wanted: set[int]) -> bool:
    if not note(cell) or _number(cell) not in wanted:
        return True
    kind = note(cell)["kind"]
    return kind not in _FENCES and (kind not in {OURS, THEIRS} or side in {kind, UNION})


def _settle(cell: Cell, side: str) -> None:
    found = note(cell)
    changes = _changes(cell)
    _unmark(cell)
    if found["kind"] == SOURCE:
        set_source(cell, sides_of(source(cell), side))
    if side == THEIRS:
        for change in changes:
            _put(cell, change["path"], change)


def _put(at: Any, path: Sequence[Any], change: dict[str, Any]) -> None:
    """Set the value at PATH to the other side's value. Delete it if that side has none."""
    *above, last = path or [""]
    for key in above:
        at = at.setdefault(key, {}) if isinstance(at, dict) and isinstance(key, str) else None
    if isinstance(at, dict) and isinstance(last, str):
        if "value" in change:
            at[last] = change["value"]
        else:
            at.pop(last, None)


def _unmark(cell: Cell) -> None:
    own = cell["metadata"]["mvc"]
    own.pop("conflict")
    if not own:
        cell["metadata"].pop("mvc")
