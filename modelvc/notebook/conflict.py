"""Conflicts inside a notebook: cells that say so in `metadata.mvc.conflict`, readable in Jupyter. Spec: docs/format.md.

Two shapes. In one cell, both sides' lines stand between text markers in its source. As a block, three markdown cells
(`begin`, `middle`, `end`) stand around the cells of one side and those of the other.
"""

from __future__ import annotations

from modelvc.notebook.document import cell_lists, metadata, set_source, source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from modelvc.notebook.document import Cell, Notebook

SOURCE, METADATA = "source", "metadata"  # conflicts in one cell
BEGIN, MIDDLE, END = "begin", "middle", "end"  # the markdown cells around a block
OURS, THEIRS = "ours", "theirs"  # the cells in it
_FENCES = (BEGIN, MIDDLE, END)
UNION = "union"
SIDES = (OURS, THEIRS, UNION)


def mark(cell: Cell, kind: str, number: int, **more: Any) -> None:
    """Say in CELL what part it has in conflict NUMBER."""
    about = cell.setdefault("metadata", {})
    own = about.get("mvc")
    about["mvc"] = (own if isinstance(own, dict) else {}) | {"conflict": {"kind": kind, "number": number, **more}}


def fence(kind: str, number: int, words: str) -> Cell:
    """A markdown cell that begins, divides or ends a block; WORDS tell whose cells follow or came before."""
    sign = {BEGIN: "<<<<<<<", MIDDLE: "=======", END: ">>>>>>>"}[kind]
    cell: Cell = {"cell_type": "markdown", "metadata": {}, "source": [f"`{sign}` {words}".rstrip()]}
    mark(cell, kind, number)
    return cell


def note(cell: Cell) -> dict[str, Any]:
    """What `mark` left in a cell, or in the notebook itself; empty where there is none."""
    own = metadata(cell).get("mvc")
    found = own.get("conflict") if isinstance(own, dict) else None
    return found if isinstance(found, dict) and isinstance(found.get("kind"), str) else {}


def open_conflicts(notebook: Notebook) -> list[Cell]:
    """The cells (or the notebook itself) that still hold a conflict: one whose markers a person removed is settled."""
    found = [cell for some in cell_lists(notebook) for cell in some if _is_open(cell)]
    return [*found, notebook] if note(notebook) else found


def count(notebook: Notebook) -> int:
    """How many conflicts are not settled."""
    return len({_number(cell) for cell in open_conflicts(notebook)})


def forget_settled(notebook: Notebook) -> bool:
    """Take the notes of conflicts away that a person settled by hand; whether there were any."""
    lists = cell_lists(notebook)
    still = {_number(cell) for some in lists for cell in some if _is_open(cell)}
    done = [cell for some in lists for cell in some if note(cell) and _number(cell) not in still]
    for cell in done:
        _unmark(cell)
    return bool(done)


def has_markers(text: str) -> bool:
    """Whether TEXT holds the lines that a text merge leaves."""
    lines = text.split("\n")
    return any(line.startswith("<<<<<<<") for line in lines) and any(line.startswith(">>>>>>>") for line in lines)


def resolve(notebook: Notebook, side: str, *, cell: str = "") -> int:
    """Settle conflicts for SIDE ("union": both, ours first); with CELL only the one that the cell of this id is in.

    Returns how many were settled.
    """
    lists = cell_lists(notebook)
    wanted = {_number(one) for one in open_conflicts(notebook) if not cell or one.get("id") == cell}
    if cell:  # any cell of a block names it
        wanted |= {_number(one) for some in lists for one in some if note(one) and one.get("id") == cell}
    for some in lists:
        some[:] = [one for one in some if _stays(one, side, wanted)]
        for one in some:
            if note(one) and _number(one) in wanted:
                _settle(one, side)
    if note(notebook) and _number(notebook) in wanted:
        _settle(notebook, side)
    return len(wanted)


def sides_of(text: str, side: str) -> str:
    """TEXT with the lines between its markers replaced by those of SIDE."""
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
    kind = note(cell).get("kind")
    return kind in _FENCES or kind == METADATA or (kind == SOURCE and has_markers(source(cell)))


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
    _unmark(cell)
    if found["kind"] == SOURCE:
        set_source(cell, sides_of(source(cell), side))
    theirs = found.get("theirs")
    if side == THEIRS and isinstance(theirs, list):
        for change in theirs:
            if isinstance(change, dict) and isinstance(change.get("path"), list):
                _put(cell, change["path"], change)


def _put(at: Any, path: Sequence[Any], change: dict[str, Any]) -> None:
    """Give the value at PATH the other side's, or take it away where that side has none."""
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
