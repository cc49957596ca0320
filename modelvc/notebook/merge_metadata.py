"""Three-way merge of everything but sources and lists of cells: metadata, outputs and attachments, key by key."""

from __future__ import annotations

from modelvc.notebook import platforms
from modelvc.notebook.document import set_source, source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from typing import Any

    from modelvc.notebook.document import Cell

    JsonObject = dict[str, Any]

ABSENT: Any = object()
# Keys that a kernel writes: never a conflict. If both sides changed one, ours stays.
_NO_CONFLICT = frozenset({"kernelspec", "language_info", "orig_nbformat"})
_OUTPUTS = ("outputs", "execution_count", "prompt_number")
_OWN = (*_OUTPUTS, "attachments", "cell_type", "id", "input", "source")


class MetadataConflicts:
    """The keys that both sides changed differently. Ours stays.

    `conflicts` has an object for each key: `path`, and `value` unless theirs deleted it.
    """

    __slots__ = ("conflicts",)

    def __init__(self) -> None:
        self.conflicts: list[JsonObject] = []

    @property
    def noted(self) -> JsonObject:
        """The fields for the note of a conflict; {} without conflicts."""
        return {"theirs": self.conflicts, "noted": True} if self.conflicts else {}


def merged_cell(base: Cell | None, ours: Cell, theirs: Cell, text: str, changes: MetadataConflicts) -> Cell:
    """Return a cell with the source TEXT and all else merged. The call changes OURS and THEIRS."""
    before = base or {}
    run = without_runs((before, ours, theirs), platforms.CELL)
    found = merged_tables((before, ours, theirs), changes, skip=_OWN)
    platforms.put_back(found, run)
    kind = _pick(before.get("cell_type"), ours.get("cell_type"), theirs.get("cell_type"))
    found["cell_type"] = kind
    if kind != ours.get("cell_type"):  # outputs come with the type
        for key in _OUTPUTS:
            found.pop(key, None)
            if key in theirs:
                found[key] = theirs[key]
    set_source(found, text)
    _outputs(found, before, ours, theirs)
    base_files, our_files, their_files = (_table(one.get("attachments")) for one in (before, ours, theirs))
    attached = merged_tables((base_files, our_files, their_files), changes, ("attachments",))
    if attached or "attachments" in found:
        found["attachments"] = attached
    return found


def without_runs(sides: Sequence[JsonObject], paths: Sequence[platforms.Path]) -> JsonObject:
    """Remove the keys that platforms write at each run from base, ours and theirs. Return those of ours."""
    taken: list[JsonObject] = []
    for side in sides:
        taken.append({})
        platforms.take(side, paths, taken[-1])
    return taken[1]


def merged_tables(
    sides: tuple[JsonObject, JsonObject, JsonObject],
    changes: MetadataConflicts,
    path: tuple[str, ...] = (),
    skip: Collection[str] = (),
) -> JsonObject:
    """Merge three objects (base, ours, theirs): return ours with the changes of theirs.

    Keys in SKIP stay ours. If both sides have an object, it is merged; if both have a list of words, it is joined.
    """
    base, ours, theirs = sides
    found = dict(ours)
    for key in dict.fromkeys((*base, *ours, *theirs)):
        if key in skip:
            continue
        was, mine, other = (one.get(key, ABSENT) for one in sides)
        if same(mine, other) or same(was, other):
            continue
        if same(was, mine):
            value = other
        elif isinstance(mine, dict) and isinstance(other, dict):
            inside = MetadataConflicts() if key in _NO_CONFLICT else changes
            value = merged_tables((_table(was), mine, other), inside, (*path, key))
        elif _are_words(mine) and _are_words(other):
            value = _joined(was if _are_words(was) else [], mine, other)
        else:
            value = mine
            if key not in _NO_CONFLICT and (*path, key) not in platforms.IDENTITIES:
                changes.conflicts.append({"path": [*path, key]} | ({} if other is ABSENT else {"value": other}))
        if value is ABSENT:
            found.pop(key, None)
        else:
            found[key] = value
    return found


def same(one: Any, other: Any) -> bool:
    """Return True if two values are the same JSON: true is not 1."""
    if type(one) is not type(other):
        return isinstance(one, dict) and isinstance(other, dict) and dict(one) == dict(other)
    return bool(one == other) or (one != one and other != other)  # noqa: PLR0124 - true for nan


def _outputs(found: Cell, base: Cell, ours: Cell, theirs: Cell) -> None:
    """Take outputs and count from the side that has the merged source; from neither if the source is a mixture."""
    if found["cell_type"] != "code":
        return
    text = source(found)
    mine, other = source(ours) == text, source(theirs) == text
    for key in _OUTPUTS:
        if key not in found:
            continue
        if mine and other:
            value = _pick(base.get(key), ours.get(key), theirs.get(key, ours.get(key)))
        else:
            value = ours.get(key) if mine else theirs.get(key) if other else None
        found[key] = ([] if key == "outputs" else None) if value is None else value


def _pick(base: Any, ours: Any, theirs: Any) -> Any:
    return theirs if same(ours, base) else ours


def _table(value: Any) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _are_words(value: Any) -> bool:
    """Return True for a list of words, such as tags, which is merged like a set."""
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _joined(base: list[str], ours: list[str], theirs: list[str]) -> list[str]:
    """Return ours without the words that theirs removed, and with the words that theirs added."""
    gone = set(base) - set(theirs)
    return [*(one for one in ours if one not in gone), *(one for one in theirs if one not in (*base, *ours))]
