"""The kept outputs: parts that were stripped from the worktree's notebooks, for a checkout to put back.

There is one file for each path of a notebook. The files are a cache of runs, never the only copy of a source. A torn or
lost file costs a run, so they are not synced. Format: docs/format.md#outputs.
"""

from __future__ import annotations

import json
import os
from hashlib import sha256

from modelvc.atomic import write_atomically
from modelvc.errors import FormatError
from modelvc.notebook import platforms
from modelvc.notebook.document import JUPYTER, LOOSE, cell_lists, dumps, keys, major, parse
from modelvc.notebook.strip import Stripped, clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from modelvc.formats.notebook_rules import NotebookRules
    from modelvc.notebook.document import Cell, Notebook

_DIGEST = 32  # bytes at the start of a file: the hash of the last stripped parts, so that equal ones are not rewritten
_LARGEST = 1 << 28  # most bytes of an unpacked file, which is local and may be corrupt
_GENERATIONS = 4  # kept cells, as a multiple of the notebook's cells: earlier sources, other branches
_FEWEST = 100  # the least number of kept cells
_IDS_SINCE = 5  # minor version of nbformat 4 from which on each cell has an id
_TYPES = {  # of outputs, by the major version of nbformat
    3: ("display_data", "pyerr", "pyout", "stream"),
    4: ("display_data", "error", "execute_result", "stream"),
}


class KeptOutputs:
    """The outputs that one clone keeps in FOLDER, of at most LIMIT bytes (0: none)."""

    def __init__(self, folder: str, limit: int) -> None:
        self._folder = folder
        self._limit = limit
        self._written = False

    def keep(self, path: str, taken: Stripped) -> None:
        """Keep the parts TAKEN from the notebook at PATH.

        If a cell has no outputs now, its kept ones are deleted. If no cell has outputs, all are kept: another program
        stripped the file, and the last run is worth keeping.
        """
        if not self._limit or not taken:
            return
        now = {"cells": taken.cells, "bare": taken.bare, "notebook": taken.notebook, "dropped": taken.dropped}
        digest = sha256(dumps(now).encode()).digest()
        file = self._file_of(path)
        if _head(file) == digest:
            return
        before = _read(file) or {}
        cells: dict[str, Any] = before.get("cells", {})
        for key in (*taken.cells, *(taken.bare if taken.has_outputs else ())):
            cells.pop(key, None)  # so that `update` adds it at the end: the oldest come first
        cells.update(taken.cells)
        for key in list(cells)[: max(0, len(cells) - max(_FEWEST, _GENERATIONS * len(taken.cells)))]:
            del cells[key]
        found = {"cells": cells, "notebook": taken.notebook, "dropped": taken.dropped, "nbformat": taken.version}
        self._write(file, digest, dumps(found).encode())

    def attach(self, data: bytes, rules: NotebookRules, path: str) -> bytes:
        """Return DATA, a stripped notebook, with the outputs that are kept for PATH.

        If stripping the result would not give DATA again, return DATA.
        """
        file = self._file_of(path)
        if not self._limit or not os.path.exists(file) or rules.skips(path):
            return data
        try:
            kept = _read(file)
            document = parse(data)
            if document.kind not in {JUPYTER, LOOSE} or not kept:
                return data
            document.keep_form(data)
            if not _attach(document.notebook, kept):
                return data
            found = document.encode()
            again, _ = clean(found, rules, path, data)
        except (FormatError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
            return data  # another kind of notebook, or a corrupt file: missing outputs must not make a checkout fail
        return found if again == data else data

    def trim(self) -> None:
        """Delete the oldest files above the limit. Without a write before, nothing is checked."""
        if not self._written:
            return
        found = sorted(self._files())
        excess = sum(size for _, size, _ in found) - self._limit
        for _, size, path in found:
            if excess <= 0:
                break
            _remove(path)
            excess -= size

    def _file_of(self, path: str) -> str:
        name = sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:40]
        return os.path.join(self._folder, name)

    def _files(self) -> Iterator[tuple[int, int, str]]:
        for name in os.listdir(self._folder):
            path = os.path.join(self._folder, name)
            try:
                found = os.stat(path)
            except OSError:  # another process deleted it
                continue
            yield found.st_mtime_ns, found.st_size, path

    def _write(self, path: str, digest: bytes, data: bytes) -> None:
        import zlib

        os.makedirs(self._folder, exist_ok=True)
        write_atomically(path, digest + zlib.compress(data, 1))
        self._written = True


def _attach(notebook: Notebook, kept: dict[str, Any]) -> bool:
    """Put the KEPT parts back. Return True if there were any. Parts of another version of the format are skipped."""
    some = False
    known = kept.get("cells", {})
    version = major(notebook)
    for cells in cell_lists(notebook):
        for key, cell in list(keys((cell for cell in cells if isinstance(cell, dict)), version)):
            if (taken := known.get(key)) and _fits(taken, version):
                _put_back(cell, taken)
                some = True
    if kept.get("nbformat", 4) != version:
        return some
    if taken := kept.get("notebook"):
        platforms.put_back(notebook, taken)
        some = True
    if kept.get("dropped") and "cells" in notebook:
        _put_dropped(notebook, kept["dropped"])
        some = True
    return some


def _fits(taken: dict[str, Any], version: int) -> bool:
    """Return True if this VERSION of the format knows the types of all outputs in TAKEN."""
    types = _TYPES.get(version)
    return types is None or all(
        not isinstance(one, dict) or one.get("output_type") in types for one in taken.get("outputs", ())
    )


def _put_back(cell: Cell, taken: dict[str, Any]) -> None:
    platforms.put_back(cell, taken)
    for name, value in taken.items():
        if name in cell and name not in {"metadata", "extra"}:
            cell[name] = value


def _put_dropped(notebook: Notebook, dropped: list[list[Any]]) -> None:
    """Put whole cells back, each behind its earlier predecessor; at the end, if that cell was deleted."""
    after: dict[str, list[Any]] = {}
    minor = notebook.get("nbformat_minor")
    named = type(minor) is int and minor >= _IDS_SINCE
    for at, (key, cell) in enumerate(dropped):
        whole = {name: value for name, value in cell.items() if named or name != "id"}
        if named and "id" not in whole:
            whole["id"] = f"dropped-{at}"
        after.setdefault(key, []).append(whole)
    cells = list(after.pop("", ()))
    for key, cell in list(keys(notebook["cells"])):
        cells += [cell, *after.pop(key, ())]
    notebook["cells"] = [*cells, *(cell for some in after.values() for cell in some)]


def _head(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(_DIGEST)
    except OSError:
        return b""


def _read(path: str) -> Any:
    """Return the content of a file, or None if it is missing or corrupt."""
    import zlib

    try:
        with open(path, "rb") as file:
            file.seek(_DIGEST)
            packed = zlib.decompressobj()
            data = packed.decompress(file.read(), _LARGEST)
        found = json.loads(data) if packed.eof else None
    except (OSError, ValueError, RecursionError, zlib.error):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("cells", {}), dict) else None


def _remove(path: str) -> None:
    try:  # noqa: SIM105 - contextlib would cost 4 ms of every start
        os.unlink(path)
    except OSError:  # another process deleted it
        pass
