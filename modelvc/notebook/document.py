"""Notebooks as JSON: read without loss, written as Jupyter writes them.

Git waits for this: standard library only, as in everything that the notebook drivers load.
"""

from __future__ import annotations

import json
import re
from hashlib import sha256

from modelvc.errors import FormatError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, TypeAlias

    Cell: TypeAlias = dict[str, Any]
    Notebook: TypeAlias = dict[str, Any]

BOM = b"\xef\xbb\xbf"
JUPYTER, ZEPPELIN, OTHER = "jupyter", "zeppelin", "other"
SUFFIXES = (".ipynb", ".zpln")
FIRST_WORDS = b"%notebook "  # of the text that `view` makes of one
NOTE = "note.json"  # what older Zeppelins call every note

_SURROGATE = re.compile("[\ud800-\udfff]")
# Gson, with which Zeppelin writes, escapes these in every string; the first five tell that it wrote a file.
_GSON = {char: f"\\u{ord(char):04x}" for char in "<>&='\u2028\u2029"}
_GSON_SIGNS = tuple(_GSON[char].encode() for char in "<>&='")


class Twice(dict):  # type: ignore[type-arg] # a parameter would cost an import of typing
    """An object that has a key twice: reads as its last value, as in Jupyter, and is written as it was."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self._pairs = pairs

    def items(self) -> Any:
        """What json writes."""
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
    """A notebook and how its file was written. `kind`: "jupyter", "zeppelin", or "other" for any other JSON."""

    __slots__ = ("_newline", "_style", "bom", "kind", "notebook")

    def __init__(self, notebook: Notebook, data: bytes = b"\n") -> None:
        self.notebook = notebook
        self.bom = data.startswith(BOM)
        self.kind = _kind(notebook)
        self._newline = self.kind != ZEPPELIN or data.endswith(b"\n")
        self._style = self.kind == ZEPPELIN and any(sign in data for sign in _GSON_SIGNS)

    def encode(self) -> bytes:
        """The file as the program that owns it would write it."""
        text = dumps(self.notebook, indent=2 if self.kind == ZEPPELIN else 1)
        if self._style:  # these stand in strings and nowhere else
            for char, escape in _GSON.items():
                text = text.replace(char, escape)
        return BOM * self.bom + text.encode() + b"\n" * self._newline


def dumps(value: Any, *, indent: int | None = 1) -> str:
    """VALUE as JSON without ASCII escapes; lone surrogates, which UTF-8 can not hold, stay escaped."""
    separators = (",", ": ") if indent else (",", ":")
    try:
        text = json.dumps(value, ensure_ascii=False, indent=indent, separators=separators)
    except RecursionError:  # json reads deeper than it writes
        raise FormatError("not JSON that can be written again: it is nested too deeply") from None
    return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def parse(data: bytes) -> Document:
    """The notebook in DATA; FormatError says why it is not JSON or not shaped like what it claims to be."""
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
    """The Jupyter notebook in DATA; FormatError when it is anything else."""
    found = parse(data)
    if found.kind != JUPYTER:
        raise FormatError("not a Jupyter notebook")
    return found


def is_notebook(path: str) -> bool:
    """Whether a file of this name is looked at; one called `note.json` then decides by its content."""
    return path.endswith(SUFFIXES) or path == NOTE or path.endswith("/" + NOTE)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else Twice(pairs)


def _float(text: str) -> float:
    number = float(text)
    if number in {float("inf"), float("-inf")}:
        raise ValueError(f"the number {text[:40]} is too large")
    return number


def _kind(notebook: Any) -> str:
    if _is_jupyter(notebook):
        return JUPYTER
    paragraphs = notebook.get("paragraphs")
    if isinstance(paragraphs, list) and ("name" in notebook or "id" in notebook):
        return ZEPPELIN if all(isinstance(one, dict) for one in paragraphs) else OTHER
    return OTHER


def _is_jupyter(notebook: Notebook) -> bool:
    if type(notebook.get("nbformat")) is not int or not isinstance(notebook.get("metadata", {}), dict):
        return False
    sheets = notebook.get("worksheets", []) if "cells" not in notebook else [notebook]
    if not isinstance(sheets, list) or not all(isinstance(sheet, dict) for sheet in sheets):
        return False
    lists = [sheet.get("cells", []) for sheet in sheets]
    return all(isinstance(some, list) and all(_is_cell(cell) for cell in some) for some in lists)


def _is_cell(cell: Any) -> bool:
    return isinstance(cell, dict) and isinstance(cell.get("metadata", {}), dict)


# -- cells


def cell_lists(notebook: Notebook) -> list[list[Cell]]:
    """The lists of cells in a Jupyter notebook: one, but in nbformat 3 one for each worksheet."""
    sheets = notebook.get("worksheets", []) if "cells" not in notebook else [notebook]
    return [sheet["cells"] for sheet in sheets if "cells" in sheet]


def cells(notebook: Notebook) -> list[Cell]:
    """The cells of a Jupyter notebook, in order."""
    return [cell for some in cell_lists(notebook) for cell in some]


def source(cell: Cell) -> str:
    """What a person wrote into a cell."""
    text = cell.get("source", cell.get("input", ""))
    if isinstance(text, list):
        return "".join(line for line in text if isinstance(line, str))
    return text if isinstance(text, str) else ""


def set_source(cell: Cell, text: str) -> None:
    """Give CELL another source, kept as its format keeps it: a list of lines, unless it was one string."""
    key = "source" if "source" in cell or "input" not in cell else "input"
    cell[key] = text if isinstance(cell.get(key), str) else text.splitlines(keepends=True)


def cell_id(cell: Cell) -> str:
    """The id of a cell, "" where its format has none."""
    found = cell.get("id", "")
    return found if isinstance(found, str) else ""


def tags(cell: Cell) -> list[str]:
    """The tags of a cell."""
    found = cell.get("metadata", {}).get("tags", [])
    return [tag for tag in found if isinstance(tag, str)] if isinstance(found, list) else []


def keys(some: Iterable[Cell]) -> Iterator[tuple[str, Cell]]:
    """Each cell with a name made of its id and its source: what its outputs belong to."""
    seen: dict[str, int] = {}
    for cell in some:
        text = source(cell).encode("utf-8", "surrogatepass")
        key = f"{cell_id(cell)}:{sha256(text).hexdigest()[:32]}"
        count = seen[key] = seen.get(key, 0) + 1
        yield f"{key}#{count}", cell
