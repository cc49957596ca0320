"""Write a notebook in the form of another version of it, so that saving it in another program changes no byte.

Besides `form`, two things are matched: the order of keys, which Jupyter sorts, and whether a source is one string or a
list of lines. The drivers that are copied into clones load this module, so it needs the standard library alone.
"""

from __future__ import annotations

from modelvc.errors import FormatError
from modelvc.notebook.document import JUPYTER, Twice, cell_lists, cells, identity, parse, source
from modelvc.notebook.form import JUPYTER as JUPYTER_FORM
from modelvc.notebook.form import guess

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from modelvc.notebook.document import Cell, Notebook

AS_JUPYTER = b"as Jupyter writes"  # given to `like` instead of another version
_DEEPEST = 50  # levels of objects whose keys are put in order


def like(notebook: Notebook, other: bytes) -> bytes | None:
    """Return NOTEBOOK in the form of OTHER, or None if OTHER is not a notebook in a known form."""
    if other is AS_JUPYTER:
        return _as_jupyter(notebook)
    form = guess(other)
    found = form.encode(notebook)
    if found == other:
        return found
    try:
        before = parse(other)
        if before.kind != JUPYTER or form.encode(before.notebook) != other:
            return None
    except FormatError:
        return None
    return form.encode(_arranged(notebook, before.notebook))


def _as_jupyter(notebook: Notebook) -> bytes:
    for cell in cells(notebook):
        for key in ("source", "input"):
            if isinstance(text := cell.get(key), str):
                cell[key] = text.splitlines(keepends=True)
    try:
        return JUPYTER_FORM.encode(notebook, sort_keys=True)
    except TypeError:  # a key that comes twice, with values that cannot be sorted
        return JUPYTER_FORM.encode(notebook)


def _arranged(notebook: Notebook, before: Notebook) -> Notebook:
    found: Notebook = _sorted_as(notebook, before, skip=("cells", "worksheets"))
    templates = _Templates(cells(before))
    for some in cell_lists(found):
        some[:] = [_cell(cell, templates.of(cell)) for cell in some]
    return found


class _Templates:
    """Finds for each cell its template, whose form it takes: the same cell, else the first of its type."""

    def __init__(self, known: list[Cell]) -> None:
        self._named: dict[str, Cell] = {}
        self._alike: dict[tuple[str, str], Cell] = {}
        self._types: dict[str, Cell] = {}
        for cell in known:
            kind = str(cell.get("cell_type"))
            self._types.setdefault(kind, cell)
            self._alike.setdefault((kind, source(cell)), cell)
            if name := identity(cell):
                self._named.setdefault(name, cell)

    def of(self, cell: Cell) -> Cell | None:
        kind = str(cell.get("cell_type"))
        found = self._named.get(identity(cell)) or self._alike.get((kind, source(cell)))
        return found or self._types.get(kind)


def _cell(cell: Cell, template: Cell | None) -> Cell:
    if template is None:
        return cell
    found: Cell = _sorted_as(cell, template, skip=("source", "input"))
    for key in ("source", "input"):
        text, was = _lines(found.get(key)), _lines(template.get(key))
        if text is None or was is None:
            continue
        if "".join(text) == "".join(was):
            found[key] = template[key]  # split into lines at the same positions
        elif isinstance(template[key], str):
            found[key] = "".join(text)
        elif isinstance(found[key], str):
            found[key] = found[key].splitlines(keepends=True)
    return found if source(found) == source(cell) and _rest(found) == _rest(cell) else cell


def _lines(text: Any) -> list[str] | None:
    """Return a source as its list of strings, or None if it is no source."""
    some = [text] if isinstance(text, str) else text
    return some if isinstance(some, list) and all(isinstance(line, str) for line in some) else None


def _rest(cell: Cell) -> dict[str, Any]:
    return {key: value for key, value in cell.items() if key not in {"source", "input"}}


def _sorted_as(value: Any, other: Any, depth: int = 0, skip: tuple[str, ...] = ()) -> Any:
    """Return VALUE with the keys of its objects in the order of OTHER. A new key stays behind the key before it."""
    if depth > _DEEPEST or isinstance(value, Twice) or type(value) is not type(other):
        return value
    if isinstance(value, list):
        if len(value) != len(other):
            return value
        return [_sorted_as(one, was, depth + 1) for one, was in zip(value, other, strict=True)]
    if not isinstance(value, dict):
        return value
    after: dict[str | None, list[str]] = {}
    last = None
    for key in value:
        if key not in other:
            after.setdefault(last, []).append(key)
        last = key
    found: dict[str, Any] = {}
    waiting: list[str] = list(after.pop(None, ()))[::-1]
    for key in (None, *other):
        if key is not None and key in value:
            waiting.append(key)
        while waiting:
            name = waiting.pop()
            found[name] = value[name] if name in skip else _sorted_as(value[name], other.get(name), depth + 1)
            waiting += reversed(after.pop(name, ()))
    return found
