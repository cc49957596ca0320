"""Take out of a notebook what a run leaves in it: the clean side of the filter. Pure; what was taken is returned."""

from __future__ import annotations

from modelvc.notebook import conflict
from modelvc.notebook.document import JUPYTER, ZEPPELIN, cell_lists, dumps, keys, parse, tags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from modelvc.formats.rules import Rules
    from modelvc.notebook.document import Cell, Notebook

# How a cell is shown and when it ran: of one screen and one run, not of the notebook.
TRANSIENT = ("ExecuteTime", "collapsed", "execution", "scrolled", "vscode")
_OF_NOTEBOOK = ("signature", "vscode", "widgets")
_COUNTS = ("execution_count", "prompt_number")  # the second in nbformat 3
_ZEPPELIN_RESULTS = ("results", "result")
_ZEPPELIN_TIMES = (
    "aborted", "dateFinished", "dateStarted", "dateUpdated", "errorMessage", "progress", "progressUpdateIntervalMs",
    "runtimeInfos", "status",
)  # fmt: skip


class Taken:
    """What was stripped, for `kept` to keep.

    `cells`: by the key of each cell that had anything. `bare`: keys of code cells that hold no outputs. `notebook`:
    from outside of cells. `dropped`: whole cells, each with the key of the cell before it.
    """

    __slots__ = ("bare", "cells", "dropped", "notebook")

    def __init__(self) -> None:
        self.cells: dict[str, dict[str, Any]] = {}
        self.bare: list[str] = []
        self.notebook: dict[str, Any] = {}
        self.dropped: list[tuple[str, Cell]] = []

    def __bool__(self) -> bool:
        return bool(self.cells or self.notebook or self.dropped)

    @property
    def has_outputs(self) -> bool:
        """Whether any cell had outputs."""
        return any("outputs" in cell for cell in self.cells.values())


def clean(data: bytes, rules: Rules, path: str) -> tuple[bytes, Taken]:
    """DATA without what RULES strip, and what that was. Bytes with nothing to strip come back as they are.

    Raises FormatError for what is not JSON.
    """
    taken = Taken()
    if not data.strip() or rules.skips(path):
        return data, taken
    document = parse(data)
    if document.kind == JUPYTER:
        changed = _jupyter(document.notebook, rules, path, taken)
    else:
        changed = document.kind == ZEPPELIN and _zeppelin(document.notebook, rules)
    return (document.encode() if changed else data), taken


def _jupyter(notebook: Notebook, rules: Rules, path: str, taken: Taken) -> bool:
    changed = conflict.forget_settled(notebook)
    metadata = notebook.get("metadata", {})
    keep = metadata.get("keep_output") is True or rules.keeps_outputs_of(path)
    for cells in cell_lists(notebook):
        if rules.drop_tags:
            _drop(cells, rules.drop_tags, taken)
        for key, cell in keys(cells):
            found = _cell(cell, rules, keep=keep)
            if found:
                taken.cells[key] = found
            elif cell.get("cell_type") == "code" and not cell.get("outputs"):
                taken.bare.append(key)
    gone: dict[str, Any] = {}
    for name in _OF_NOTEBOOK:
        _take(metadata, name, gone)
    if rules.strip_kernel:
        _kernel(metadata, gone)
    taken.notebook = {"metadata": gone} if gone else {}
    _take_extra(notebook, [name for name in rules.extra_keys if not name.startswith("cell.")], taken.notebook)
    return changed or bool(taken)


def _drop(cells: list[Cell], unwanted: Sequence[str], taken: Taken) -> None:
    """Leave out cells that have a tag of UNWANTED."""
    kept = [cell for cell in cells if not any(tag in unwanted for tag in tags(cell))]
    if len(kept) == len(cells):
        return
    names = {id(cell): key for key, cell in keys(kept)}
    before = ""
    for cell in cells:
        if id(cell) in names:
            before = names[id(cell)]
        else:
            taken.dropped.append((before, cell))
    cells[:] = kept


def _cell(cell: Cell, rules: Rules, *, keep: bool) -> dict[str, Any]:
    taken: dict[str, Any] = {}
    metadata = cell.get("metadata", {})
    outputs = cell.get("outputs")
    if isinstance(outputs, list) and outputs:
        left = [_count(one, rules) for one in outputs]
        if not _keeps(cell, rules, keep=keep):
            left = [some for some in (_left(one, rules) for one in left) if some is not None]
        if left != outputs:
            taken["outputs"] = outputs
            cell["outputs"] = left
    if not rules.keep_counts:
        for name in _COUNTS:
            if cell.get(name) is not None:
                taken[name] = cell[name]
                cell[name] = None
    gone: dict[str, Any] = {}
    for name in TRANSIENT:
        _take(metadata, name, gone)
    if gone:
        taken["metadata"] = gone
    _take_extra(cell, [name[5:] for name in rules.extra_keys if name.startswith("cell.")], taken)
    return taken


def _keeps(cell: Cell, rules: Rules, *, keep: bool) -> bool:
    """Whether the outputs of a cell stay: by its own word, else by the notebook's."""
    metadata = cell.get("metadata", {})
    own = metadata.get("keep_output")
    if isinstance(own, bool):
        return own
    if "keep_output" in tags(cell) or (metadata.get("init_cell") is True and not rules.strip_init_cells):
        return True
    return keep


def _left(output: Any, rules: Rules) -> Any:
    """What stays of an output: all, some MIME types of it, or None."""
    if not isinstance(output, dict):
        return None
    if rules.max_output and len(dumps(output, indent=None).encode()) <= rules.max_output:
        return output
    if output.get("output_type") in rules.keep_types:
        return output
    data = output.get("data")
    some = {mime: value for mime, value in data.items() if mime in rules.keep_types} if isinstance(data, dict) else {}
    return {**output, "data": some} if some else None


def _count(output: Any, rules: Rules) -> Any:
    """An output without the number of its run."""
    if rules.keep_counts or not isinstance(output, dict):
        return output
    gone = [name for name in _COUNTS if output.get(name) is not None]
    return {**output, **dict.fromkeys(gone)} if gone else output


def _kernel(metadata: dict[str, Any], taken: dict[str, Any]) -> None:
    """The kernel's name for people becomes its own name (one must be there), the language's version goes."""
    spec, language = metadata.get("kernelspec"), metadata.get("language_info")
    if isinstance(spec, dict) and isinstance(spec.get("name"), str) and spec.get("display_name", "") != spec["name"]:
        taken["kernelspec"] = dict(spec)
        spec["display_name"] = spec["name"]
    if isinstance(language, dict) and "version" in language:
        taken["language_info"] = dict(language)
        language.pop("version")


def _take(place: dict[str, Any], name: str, taken: dict[str, Any]) -> None:
    if name in place:
        taken[name] = place.pop(name)


def _take_extra(place: dict[str, Any], names: Sequence[str], taken: dict[str, Any]) -> None:
    """Take the values at dotted NAMES; they are kept with their path."""
    for name in names:
        *above, last = name.split(".")
        at: Any = place
        for part in above:
            at = at.get(part) if isinstance(at, dict) else None
        if isinstance(at, dict) and last in at:
            taken.setdefault("extra", []).append([[*above, last], at.pop(last)])


def _zeppelin(note: Notebook, rules: Rules) -> bool:
    changed = False
    for paragraph in note["paragraphs"]:
        for name in _ZEPPELIN_RESULTS:
            if paragraph.get(name):
                paragraph[name] = {}
                changed = True
        for name in _ZEPPELIN_TIMES if rules.strip_zeppelin_times else ():
            changed = paragraph.pop(name, None) is not None or changed
    return changed
