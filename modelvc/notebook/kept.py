"""What was stripped from the worktree's notebooks, kept in this clone so that a checkout can put it back.

One file for a notebook's path. It is a cache of runs, never the only copy of a source: a torn or lost file costs a run,
so nothing is synced. Layout: docs/format.md#outputs.
"""

from __future__ import annotations

import json
import os
from hashlib import sha256

from modelvc.atomic import replace_file
from modelvc.errors import FormatError
from modelvc.notebook import platforms
from modelvc.notebook.document import JUPYTER, LOOSE, cell_lists, dumps, keys, major, parse
from modelvc.notebook.strip import Taken, clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from modelvc.formats.notebook_rules import NotebookRules
    from modelvc.notebook.document import Cell, Notebook

_DIGEST = 32  # bytes in front of a file: of what was taken last, so that the same is not written again
_LARGEST = 1 << 28  # bytes of one unpacked file, which is local, and may be damaged
_GENERATIONS = 4  # cells that are kept, as a multiple of those that the notebook has: earlier sources, other branches
_FEWEST = 100  # but at least so many
_IDS_SINCE = 5  # minor version of nbformat 4 from which on each cell has an id
_TYPES = {  # of outputs, by the major version of nbformat
    3: ("display_data", "pyerr", "pyout", "stream"),
    4: ("display_data", "error", "execute_result", "stream"),
}


class Kept:
    """The outputs that one clone keeps, in FOLDER, at most LIMIT bytes (0: none)."""

    def __init__(self, folder: str, limit: int) -> None:
        self._folder = folder
        self._limit = limit
        self._written = False

    def keep(self, path: str, taken: Taken) -> None:
        """Keep what was TAKEN from the notebook at PATH.

        A cell without outputs forgets those it had, unless no cell has any: then somebody else stripped the file, and
        the last run is worth keeping.
        """
        if not self._limit or not taken:
            return
        now = {"cells": taken.cells, "bare": taken.bare, "notebook": taken.notebook, "dropped": taken.dropped}
        digest = sha256(dumps(now).encode()).digest()
        place = self._of(path)
        if _head(place) == digest:
            return
        before = _read(place) or {}
        cells: dict[str, Any] = before.get("cells", {})
        for key in (*taken.cells, *(taken.bare if taken.has_outputs else ())):
            cells.pop(key, None)  # what is put back in goes to the end: the oldest are the first
        cells.update(taken.cells)
        for key in list(cells)[: max(0, len(cells) - max(_FEWEST, _GENERATIONS * len(taken.cells)))]:
            del cells[key]
        found = {"cells": cells, "notebook": taken.notebook, "dropped": taken.dropped, "nbformat": taken.version}
        self._write(place, digest, dumps(found).encode())

    def attach(self, data: bytes, rules: NotebookRules, path: str) -> bytes:
        """DATA, a stripped notebook, with what is kept for PATH; as it is where stripping that would not give DATA."""
        place = self._of(path)
        if not self._limit or not os.path.exists(place) or rules.skips(path):
            return data
        try:
            kept = _read(place)
            document = parse(data)
            if document.kind not in {JUPYTER, LOOSE} or not kept:
                return data
            document.keep_form(data)
            if not _attach(document.notebook, kept):
                return data
            found = document.encode()
            again, _ = clean(found, rules, path, data)
        except (FormatError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
            return data  # the notebook of somebody, or a kept file that is damaged: outputs are not worth failing for
        return found if again == data else data

    def trim(self) -> None:
        """Remove the oldest when there is too much; looks only if something was written."""
        if not self._written:
            return
        found = sorted(self._files())
        excess = sum(size for _, size, _ in found) - self._limit
        for _, size, path in found:
            if excess <= 0:
                break
            _remove(path)
            excess -= size

    def _of(self, path: str) -> str:
        name = sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:40]
        return os.path.join(self._folder, name)

    def _files(self) -> Iterator[tuple[int, int, str]]:
        for name in os.listdir(self._folder):
            path = os.path.join(self._folder, name)
            try:
                found = os.stat(path)
            except OSError:  # another process was quicker
                continue
            yield found.st_mtime_ns, found.st_size, path

    def _write(self, path: str, digest: bytes, data: bytes) -> None:
        import zlib

        os.makedirs(self._folder, exist_ok=True)
        replace_file(path, digest + zlib.compress(data, 1))
        self._written = True


def _attach(notebook: Notebook, kept: dict[str, Any]) -> bool:
    """Put back what is KEPT; whether there was anything. Nothing that belongs to another format is put back."""
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
    """Whether the outputs are of a type that this version of the format knows."""
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
    """Put whole cells back, each behind the cell that it was behind; at the end if that is gone."""
    after: dict[str, list[Any]] = {}
    minor = notebook.get("nbformat_minor")
    named = type(minor) is int and minor >= _IDS_SINCE
    for place, (key, cell) in enumerate(dropped):
        whole = {name: value for name, value in cell.items() if named or name != "id"}
        if named and "id" not in whole:
            whole["id"] = f"dropped-{place}"
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
    """What is kept in a file; None for one that is gone or damaged."""
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
    except OSError:  # another process was quicker
        pass
