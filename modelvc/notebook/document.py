"""Notebooks as JSON: parse without loss, and write as Jupyter does.

The drivers that are copied into clones load this module, so it needs the standard library alone.
"""

from __future__ import annotations

import json
import re
from hashlib import sha256

from modelvc.errors import FormatError
from modelvc.notebook.form import BOM, Form, form_of, guess

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, TypeAlias

    Cell: TypeAlias = dict[str, Any]
    Notebook: TypeAlias = dict[str, Any]

JUPYTER, ZEPPELIN, OTHER = "jupyter", "zeppelin", "other"
LOOSE = "loose"  # an object with cells that is no valid notebook: only the filter reads it, and strips it
SUFFIXES = (".ipynb", ".zpln")
FIRST_WORDS = b"%notebook "  # the text that `view` makes of a notebook begins with this
NOTE = "note.json"  # older Zeppelins give every note this name
MOST_VALUES = 1_000_000  # in one file: a parsed value takes up to 100 bytes of memory

# Zeppelin writes with Gson, which escapes these in every string. An escape of the first five shows that Gson wrote it.
_GSON = "<>&='\u2028\u2029"
_GSON_ESCAPES = tuple(f"\\u{ord(char):04x}".encode() for char in _GSON[:5])
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)


class Twice(dict):  # type: ignore[type-arg] # a parameter would cost an import of typing
    """An object that has a key twice. Reading gives the last value, as in Jupyter; writing keeps both."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self._pairs = pairs

    def items(self) -> Any:
        """Return all pairs, because json writes them."""
        return list(self._pairs)

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        at = next((n for n, pair in enumerate(self._pairs) if pair[0] == key), len(self._pairs))
        rest = [pair for pair in self._pairs[at:] if pair[0] != key]
        self._pairs = [*self._pairs[:at], (key, value), *rest]

    def pop(self, key: str, *default: Any) -> Any:
        self._pairs = [pair for pair in self._pairs if pair[0] != key]
        return super().pop(key, *default)

    def __delitem__(self, key: str) -> None:
        self.pop(key)


class Document:
    """A notebook, and the form in which `encode` writes it: that of Jupyter or Zeppelin.

    `kind`: "jupyter", "zeppelin", "loose", or "other" for any other JSON.
    """

    __slots__ = ("form", "kind", "notebook")

    def __init__(self, notebook: Notebook, data: bytes = b"\n") -> None:
        self.notebook = notebook
        self.kind = _kind(notebook)
        self.form = Form()
        self.form.bom = data.startswith(BOM)
        if self.kind == ZEPPELIN:
            self.form.indent = "  "
            self.form.end = b"\n" * data.endswith(b"\n")
            self.form.escaped = _GSON if any(escape in data for escape in _GSON_ESCAPES) else ""

    def keep_form(self, data: bytes) -> None:
        """Make `encode` use the form of DATA, if that form is known. This notebook is DATA as it was parsed."""
        if self.kind != ZEPPELIN and not guess(data).is_jupyter:
            self.form = form_of(data, self.notebook) or self.form

    def encode(self) -> bytes:
        """Return the bytes of the file."""
        return self.form.encode(self.notebook)


def dumps(value: Any) -> str:
    """Return VALUE as JSON in one line, without spaces and without ASCII escapes. Lone surrogates stay escaped."""
    form = Form()
    form.indent, form.separators, form.end = None, (",", ":"), b""
    return form.encode(value).decode()


def parse(data: bytes) -> Document:
    """Parse DATA. Raises FormatError if it is not JSON, or holds too many values."""
    if not _is_bounded(data):
        raise FormatError(f"JSON beyond the limits: it holds more than {MOST_VALUES:,} values")
    try:
        found = json.loads(data.removeprefix(BOM).decode(), object_pairs_hook=_object, parse_float=_float)
    except UnicodeDecodeError:
        raise FormatError("not JSON: it is not valid UTF-8") from None
    except RecursionError:
        raise FormatError("not JSON that can be read: it is nested too deeply") from None
    except ValueError as error:
        raise FormatError(f"not JSON: {error}") from None
    return Document(found if isinstance(found, dict) else {"": found}, data)


def jupyter(data: bytes) -> Document:
    """Parse DATA as a Jupyter notebook. Raises FormatError for anything else."""
    found = parse(data)
    if found.kind != JUPYTER:
        raise FormatError("not a Jupyter notebook")
    return found


def is_notebook(path: str) -> bool:
    """Return True if PATH is named like a notebook. The content of a `note.json` then decides."""
    return path.endswith(SUFFIXES) or path == NOTE or path.endswith("/" + NOTE)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else Twice(pairs)


def _float(text: str) -> float:
    number = float(text)
    if number in {float("inf"), float("-inf")}:
        raise ValueError(f"the number {text[:40]} is too large")
    return number


def _is_bounded(data: bytes) -> bool:
    """Return True if the JSON DATA holds at most MOST_VALUES values. DATA is not parsed."""

    def bound(text: bytes) -> int:
        return text.count(b",") + text.count(b"[") + text.count(b"{")

    return bound(data) < MOST_VALUES or bound(_STRING.sub(b"", data)) < MOST_VALUES


def _kind(notebook: Notebook) -> str:
    lists = _lists(notebook)
    sound = type(notebook.get("nbformat")) is int and isinstance(notebook.get("metadata", {}), dict)
    if lists is not None and sound and all(_is_cell(cell) for some in lists for cell in some):
        return JUPYTER
    paragraphs = notebook.get("paragraphs")
    if isinstance(paragraphs, list) and ("name" in notebook or "id" in notebook):
        return ZEPPELIN if all(isinstance(one, dict) for one in paragraphs) else OTHER
    return LOOSE if lists else OTHER


def _lists(notebook: Notebook) -> list[list[Any]] | None:
    """Return the lists of cells, or None if one of them is no list."""
    sheets = notebook.get("worksheets", []) if "cells" not in notebook else [notebook]
    if not isinstance(sheets, list) or not all(isinstance(sheet, dict) for sheet in sheets):
        return None
    lists = [sheet.get("cells", []) for sheet in sheets]
    return lists if all(isinstance(some, list) for some in lists) else None


def _is_cell(cell: Any) -> bool:
    return isinstance(cell, dict) and isinstance(cell.get("metadata", {}), dict)


# -- cells


def cell_lists(notebook: Notebook) -> list[list[Any]]:
    """Return the lists of cells: one, or in nbformat 3 one for each worksheet. A loose notebook may have both."""
    sheets = notebook.get("worksheets", []) if "cells" not in notebook else [notebook]
    return [sheet["cells"] for sheet in sheets if "cells" in sheet]


def cells(notebook: Notebook) -> list[Cell]:
    """Return the cells of a Jupyter notebook, in order."""
    return [cell for some in cell_lists(notebook) for cell in some]


def source(cell: Cell) -> str:
    """Return the text that a person wrote into a cell."""
    text = cell.get("source", cell.get("input", ""))
    if isinstance(text, list):
        return "".join(line for line in text if isinstance(line, str))
    return text if isinstance(text, str) else ""


def set_source(cell: Cell, text: str) -> None:
    """Set the source of CELL. It becomes a list of lines, unless the cell had one string."""
    key = "source" if "source" in cell or "input" not in cell else "input"
    cell[key] = text if isinstance(cell.get(key), str) else text.splitlines(keepends=True)


def metadata(owner: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata of OWNER, a cell or a notebook; {} if it has none, or no object."""
    found = owner.get("metadata")
    return found if isinstance(found, dict) else {}


def cell_id(cell: Cell) -> str:
    """Return the id of a cell, or ""."""
    found = cell.get("id", "")
    return found if isinstance(found, str) else ""


def identity(cell: Cell) -> str:
    """Return the id of a cell, else the id that Colab (`id`) or Deepnote (`cell_id`) writes into metadata, else ""."""
    own = metadata(cell)
    names = (cell.get("id"), own.get("id"), own.get("cell_id"))
    return next((name for name in names if isinstance(name, str) and name), "")


def tags(cell: Cell) -> list[str]:
    """Return the tags of a cell."""
    found = metadata(cell).get("tags", [])
    return [tag for tag in found if isinstance(tag, str)] if isinstance(found, list) else []


def major(notebook: Notebook) -> int:
    """Return the major version of a notebook's format; 4 if the notebook names none."""
    found = notebook.get("nbformat")
    return found if type(found) is int else 4


def keys(some: Iterable[Cell], version: int = 4) -> Iterator[tuple[str, Cell]]:
    """Yield each cell with the key of its outputs: the format's VERSION (left out for 4), the cell's id and source.

    Equal cells are numbered.
    """
    seen: dict[str, int] = {}
    start = "" if version == 4 else f"{version}/"
    for cell in some:
        text = source(cell).encode("utf-8", "surrogatepass")
        key = f"{start}{cell_id(cell)}:{sha256(text).hexdigest()[:32]}"
        count = seen[key] = seen.get(key, 0) + 1
        yield f"{key}#{count}", cell
