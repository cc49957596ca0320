"""Git's merge driver for notebooks. It always writes a result, and the result holds the lines of both sides."""

from __future__ import annotations

import os

from modelvc.atomic import write_atomically
from modelvc.drivers.notebooks.rules import read_rules
from modelvc.drivers.say import CONFLICT, say
from modelvc.errors import FormatError, ModelvcError, shown
from modelvc.formats.notebook_rules import MAX_SIZE
from modelvc.git import mergefile
from modelvc.git.merge_sides import names
from modelvc.notebook import conflict
from modelvc.notebook.document import cells, parse
from modelvc.notebook.merge import merge as merge_notebooks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_VALUES = 10  # most values that stderr shows; the notebook shows all


def merge(args: Sequence[str]) -> int:
    """Merge a notebook. Return CONFLICT or 0.

    ARGS: the files of base, ours (the result goes there) and theirs, the size of markers, the path, names of the sides.
    """
    base_file, ours_file, theirs_file, _, path, *given = args
    files = (base_file, ours_file, theirs_file)
    sides = _names(given)
    try:
        if max(map(os.path.getsize, files)) > _max_size():
            raise FormatError("a version of it is larger than max_size")  # noqa: TRY301 - merged as text below
        base, ours, theirs = map(_read, files)
        data, conflicts = merge_notebooks(base, ours, theirs, sides, lambda *texts: _lines(texts, sides))
    except Exception as error:  # noqa: BLE001 - an invalid notebook is merged as text, as Git does without a driver
        hint = "" if isinstance(error, FormatError) else f"this is a bug in modelvc ({type(error).__name__})"
        say(f"{shown(path)} is merged as text: {shown(error)}", hint)
        data, clean = mergefile.files(files, sides)
        if clean and not _is_json(data):
            clean = False
            say(f"{shown(path)} is not a notebook after the merge", conflict_hint(path))
        conflicts = 0 if clean else 1
    else:
        if conflicts:
            words = "1 conflict" if conflicts == 1 else f"{conflicts} conflicts"
            say(f"{shown(path)}: {words} between {shown(sides[0])} and {shown(sides[1])}", conflict_hint(path))
            for key, mine, other in _values(data):
                say(f"  {key}: {shown(sides[0])} has {mine}, {shown(sides[1])} has {other}")
    write_atomically(ours_file, data)
    return CONFLICT if conflicts else 0


def _max_size() -> int:
    try:
        return read_rules().max_size
    except ModelvcError:  # the filter reports it
        return MAX_SIZE


def _values(data: bytes) -> list[tuple[str, str, str]]:
    """Return (key, our value, their value) of metadata in conflict."""
    notebook = parse(data).notebook
    return [one for owner in (*cells(notebook), notebook) for one in conflict.values(owner)][:_MOST_VALUES]


def conflict_hint(path: str) -> str:
    """Return the hint that says how to resolve the conflicts of the notebook at PATH."""
    return f"open it in Jupyter and resolve them, or: mvc notebook resolve {shown(path)} --ours (--theirs, --union)"


def _lines(texts: Sequence[str], sides: tuple[str, str]) -> tuple[str, bool]:
    text, marked = mergefile.lines(texts, sides)
    if marked and any(conflict.has_markers(one) for one in texts):
        raise FormatError("there are conflict markers in it already")
    return text, marked


def _names(given: Sequence[str]) -> tuple[str, str]:
    from modelvc.git.layout import discover

    ours, theirs = (*given, "", "")[:2]
    try:
        return names(discover(".", os.environ), os.environ, (ours, theirs))
    except (ModelvcError, OSError):
        return "ours", "theirs"


def _is_json(data: bytes) -> bool:
    try:
        parse(data)
    except FormatError:
        return not data.strip()
    return True


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
