"""What was stripped from the worktree's notebooks, kept in this clone so that a checkout can put it back.

One file for a cell's outputs, below a folder for the notebook's path. It is a cache of runs, never the only copy of a
source: torn or lost files cost a run, so nothing is synced. Layout: docs/format.md#outputs.
"""

from __future__ import annotations

import json
import os
from hashlib import sha256

from modelvc.errors import FormatError
from modelvc.notebook.document import JUPYTER, cell_lists, dumps, keys, parse
from modelvc.notebook.strip import Taken, clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from modelvc.formats.rules import Rules
    from modelvc.notebook.document import Notebook

_NOTEBOOK, _DROPPED = "notebook", "dropped"  # keys beside those of cells, which hold a colon
_DIGEST = 32  # bytes in front of a file: of what it holds, so that what is there already is not written again
_LARGEST = 1 << 28  # bytes of one unpacked file, which is local, and may be damaged


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
        folder = self._of(path)
        for key, cell in taken.cells.items():
            self._write(folder, key, cell)
        if taken.notebook:
            self._write(folder, _NOTEBOOK, taken.notebook)
        if taken.dropped:
            self._write(folder, _DROPPED, taken.dropped)
        if taken.has_outputs:
            for key in taken.bare:
                _remove(_file(folder, key))

    def attach(self, data: bytes, rules: Rules, path: str) -> bytes:
        """DATA, a stripped notebook, with what is kept for PATH; as it is where stripping that would not give DATA."""
        folder = self._of(path)
        if not self._limit or not os.path.isdir(folder) or rules.skips(path):
            return data
        try:
            document = parse(data)
            if document.kind != JUPYTER or not _attach(document.notebook, folder):
                return data
            found = document.encode()
            again, _ = clean(found, rules, path)
        except (FormatError, ValueError, TypeError, KeyError, AttributeError):
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
        return os.path.join(self._folder, _name(path))

    def _files(self) -> Iterator[tuple[int, int, str]]:
        for folder, _, names in os.walk(self._folder):
            for name in names:
                path = os.path.join(folder, name)
                try:
                    found = os.stat(path)
                except OSError:  # another process was quicker
                    continue
                yield found.st_mtime_ns, found.st_size, path

    def _write(self, folder: str, key: str, value: Any) -> None:
        import zlib

        data = dumps(value, indent=None).encode()
        digest = sha256(data).digest()
        path = _file(folder, key)
        try:
            with open(path, "rb") as file:
                if file.read(_DIGEST) == digest:
                    return
        except FileNotFoundError:
            os.makedirs(folder, exist_ok=True)
        temporary = f"{path}.{os.getpid()}"
        with open(temporary, "wb") as file:
            file.write(digest + zlib.compress(data, 1))
        os.replace(temporary, path)
        self._written = True


def _attach(notebook: Notebook, folder: str) -> bool:
    """Put back what is kept in FOLDER; whether there was anything."""
    some = False
    for cells in cell_lists(notebook):
        for key, cell in list(keys(cells)):
            if taken := _read(folder, key):
                _put_back(cell, taken)
                some = True
    if taken := _read(folder, _NOTEBOOK):
        _put_back(notebook, taken)
        some = True
    dropped = _read(folder, _DROPPED)
    if dropped and "cells" in notebook:
        _put_dropped(notebook, dropped)
        some = True
    return some


def _put_back(place: dict[str, Any], taken: dict[str, Any]) -> None:
    for name, value in taken.items():
        if name == "metadata":
            place.setdefault("metadata", {}).update(value)
        elif name == "extra":
            for (*above, last), was in value:
                at = place
                for part in above:
                    at = at.setdefault(part, {})
                at[last] = was
        elif name in place:
            place[name] = value


def _put_dropped(notebook: Notebook, dropped: list[list[Any]]) -> None:
    """Put whole cells back, each behind the cell that it was behind; at the end if that is gone."""
    after: dict[str, list[Any]] = {}
    for key, cell in dropped:
        after.setdefault(key, []).append(cell)
    cells = list(after.pop("", ()))
    for key, cell in list(keys(notebook["cells"])):
        cells += [cell, *after.pop(key, ())]
    notebook["cells"] = [*cells, *(cell for some in after.values() for cell in some)]


def _read(folder: str, key: str) -> Any:
    import zlib

    try:
        with open(_file(folder, key), "rb") as file:
            file.seek(_DIGEST)
            packed = zlib.decompressobj()
            data = packed.decompress(file.read(), _LARGEST)
    except FileNotFoundError:
        return None
    except (OSError, zlib.error):
        return None
    return json.loads(data) if packed.eof else None


def _remove(path: str) -> None:
    try:  # noqa: SIM105 - contextlib would cost 4 ms of every start
        os.unlink(path)
    except OSError:  # another process was quicker
        pass


def _file(folder: str, key: str) -> str:
    return os.path.join(folder, _name(key))


def _name(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:40]
