"""Strip the traces of a run from a notebook: the clean command of the filter. Pure; the stripped parts are returned."""

from __future__ import annotations

from modelvc.notebook import conflict, match_form, platforms
from modelvc.notebook.document import (
    JUPYTER,
    LOOSE,
    OTHER,
    ZEPPELIN,
    cell_lists,
    dumps,
    keys,
    major,
    metadata,
    parse,
    tags,
)
from modelvc.notebook.form import form_of, guess

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from modelvc.formats.notebook_rules import NotebookRules
    from modelvc.notebook.document import Cell, Notebook
    from modelvc.notebook.platforms import Path

_SUFFIX = ".ipynb"
_COUNTS = ("execution_count", "prompt_number")  # in nbformat 4 and 3
_ZEPPELIN_RESULTS = ("results", "result")
_ZEPPELIN_TIMES = (
    "aborted", "dateFinished", "dateStarted", "dateUpdated", "errorMessage", "progress", "progressUpdateIntervalMs",
    "runtimeInfos", "status",
)  # fmt: skip


class Stripped:
    """The parts that were stripped from a notebook, for `kept_outputs`.

    `cells`: the parts of cells, by the key of the cell. `bare`: keys of code cells without outputs. `notebook`: the
    parts outside of cells. `dropped`: whole cells, each with the key of the cell before it. `version`: the format's
    major version. `unread`: True if the file is no valid notebook and yet has outputs, which stay.
    """

    __slots__ = ("bare", "cells", "dropped", "notebook", "unread", "version")

    def __init__(self) -> None:
        self.cells: dict[str, dict[str, Any]] = {}
        self.bare: list[str] = []
        self.notebook: dict[str, Any] = {}
        self.dropped: list[tuple[str, Cell]] = []
        self.unread = False
        self.version = 4

    def __bool__(self) -> bool:
        return bool(self.cells or self.notebook or self.dropped)

    @property
    def has_outputs(self) -> bool:
        """True if a cell had outputs."""
        return any("outputs" in cell for cell in self.cells.values())


def clean(data: bytes, rules: NotebookRules, path: str, like: bytes = b"") -> tuple[bytes, Stripped]:
    """Strip DATA by RULES. Return the bytes and the stripped parts.

    LIKE is another version of this notebook; if its form is known, the result has that form. Otherwise, bytes with
    nothing to strip are returned as they are, and others in their own form, else in Jupyter's. Raises FormatError if
    DATA is not JSON.
    """
    taken = Stripped()
    if not data.strip() or rules.skips(path):
        return data, taken
    document = parse(data)
    if document.kind == ZEPPELIN:
        return (document.encode() if _zeppelin(document.notebook, rules) else data), taken
    if document.kind == OTHER or (document.kind == LOOSE and not path.endswith(_SUFFIX)):
        taken.unread = path.endswith(_SUFFIX) and b'"outputs"' in data
        return data, taken
    changed = document.kind == JUPYTER and conflict.forget_settled(document.notebook)
    _jupyter(document.notebook, rules, path, taken)
    changed = changed or bool(taken)
    found = match_form.like(document.notebook, like) if like and document.kind == JUPYTER else None
    if found is not None or not changed:
        return data if found is None else found, taken
    if not guess(data).is_jupyter:  # parse again: the notebook is stripped by now
        document.form = form_of(data, parse(data).notebook) or document.form
    return document.encode(), taken


def _jupyter(notebook: Notebook, rules: NotebookRules, path: str, taken: Stripped) -> None:
    keep = metadata(notebook).get("keep_output") is True or rules.keeps_outputs_of(path)
    version = taken.version = major(notebook)
    in_notebook, in_cells = _paths(rules)
    for cells in cell_lists(notebook):
        if rules.drop_tags and all(isinstance(cell, dict) for cell in cells):
            _drop(cells, rules.drop_tags, taken)
        for key, cell in keys((cell for cell in cells if isinstance(cell, dict)), version):
            found = _cell(cell, rules, in_cells, keep=keep)
            if found:
                taken.cells[key] = found
            elif cell.get("cell_type") == "code" and not cell.get("outputs"):
                taken.bare.append(key)
    gone: dict[str, Any] = {}
    if rules.strip_kernel:
        _kernel(metadata(notebook), gone)
    taken.notebook = {"metadata": gone} if gone else {}
    platforms.take(notebook, in_notebook, taken.notebook)


def _paths(rules: NotebookRules) -> tuple[Sequence[Path], Sequence[Path]]:
    """Return the paths that are stripped from the notebook, and from each cell."""
    stay = frozenset(rules.keep_keys)
    extra = [(name.startswith("cell."), tuple(name.removeprefix("cell.").split("."))) for name in rules.extra_keys]
    both = []
    for of_cells, known in ((False, platforms.NOTEBOOK), (True, platforms.CELL)):
        start = "cell." if of_cells else ""
        own = [path for path in known if not stay or start + ".".join(path) not in stay]
        both.append([*own, *(path for of_cell, path in extra if of_cell is of_cells)])
    return both[0], both[1]


def _drop(cells: list[Cell], unwanted: Sequence[str], taken: Stripped) -> None:
    """Drop cells that have a tag of UNWANTED."""
    kept = [cell for cell in cells if not any(tag in unwanted for tag in tags(cell))]
    if len(kept) == len(cells):
        return
    names = {id(cell): key for key, cell in keys(kept, taken.version)}
    before = ""
    for cell in cells:
        if id(cell) in names:
            before = names[id(cell)]
        else:
            taken.dropped.append((before, cell))
    cells[:] = kept


def _cell(cell: Cell, rules: NotebookRules, paths: Sequence[Path], *, keep: bool) -> dict[str, Any]:
    taken: dict[str, Any] = {}
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
    platforms.take(cell, paths, taken)
    return taken


def _keeps(cell: Cell, rules: NotebookRules, *, keep: bool) -> bool:
    """Return True if the outputs of a cell stay: its own metadata decide, else KEEP, the notebook's setting."""
    own = metadata(cell).get("keep_output")
    if isinstance(own, bool):
        return own
    if "keep_output" in tags(cell) or (metadata(cell).get("init_cell") is True and not rules.strip_init_cells):
        return True
    return keep


def _left(output: Any, rules: NotebookRules) -> Any:
    """Return the part of an output that stays: all, some MIME types of it, or None."""
    if not isinstance(output, dict):
        return None
    if rules.max_output and len(dumps(output).encode()) <= rules.max_output:
        return output
    if output.get("output_type") in rules.keep_types:
        return output
    data = output.get("data")
    some = {mime: value for mime, value in data.items() if mime in rules.keep_types} if isinstance(data, dict) else {}
    return {**output, "data": some} if some else None


def _count(output: Any, rules: NotebookRules) -> Any:
    """Return an output without its execution count."""
    if rules.keep_counts or not isinstance(output, dict):
        return output
    gone = [name for name in _COUNTS if output.get(name) is not None]
    return {**output, **dict.fromkeys(gone)} if gone else output


def _kernel(found: dict[str, Any], taken: dict[str, Any]) -> None:
    """Set the kernel's display name, which is required, to its name, and remove the language's version."""
    spec, language = found.get("kernelspec"), found.get("language_info")
    if isinstance(spec, dict) and isinstance(spec.get("name"), str) and spec.get("display_name", "") != spec["name"]:
        taken["kernelspec"] = dict(spec)
        spec["display_name"] = spec["name"]
    if isinstance(language, dict) and "version" in language:
        taken["language_info"] = dict(language)
        language.pop("version")


def _zeppelin(note: Notebook, rules: NotebookRules) -> bool:
    changed = False
    for paragraph in note["paragraphs"]:
        for name in _ZEPPELIN_RESULTS:
            if paragraph.get(name):
                paragraph[name] = {}
                changed = True
        for name in _ZEPPELIN_TIMES if rules.strip_zeppelin_times else ():
            changed = paragraph.pop(name, None) is not None or changed
    return changed
