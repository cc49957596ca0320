"""Hostile repositories, made with an mvc that has no checks."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from modelvc.formats import paths
from modelvc.formats.binary import tree
from modelvc.formats.binary.tree import TreeEntry
from modelvc.formats.paths import SafeRelPath
from modelvc.formats.pointer.pointer import Pointer
from modelvc.repo import open_repo
from modelvc.store.local.writer import StoreWriter
from modelvc.store.objects.manifest import tree_content
from tests.support.stores import add_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelvc.formats.binary.segment import Recipe
    from tests.support.clone import Clone

LONG = "/".join(["d"] * 2_040)
EVIL = {
    "parent": "../evil",
    "parent in the middle": "a/../../evil",
    "absolute": "/tmp/mvc-evil",
    "two slashes": "a//b",
    "itself": "./a",
    "empty": "",
    "git": ".git/hooks/post-checkout",
    "git in capitals": ".GIT/hooks/post-checkout",
    "git inside": "a/.Git/config",
    "git with a dot": ".git./config",
    "git with a space": ".git /config",
    "git in 8.3": "GIT~1/config",
    "git in 8.3, later": "gi7eba~1/config",
    "git with what HFS+ ignores": ".g\u200cit/config",
    "git with a mark of byte order": "\ufeff.git/config",
    "parent with what HFS+ ignores": ".\u200c./evil",
    "an alternate stream": ".git::$INDEX_ALLOCATION/config",
    "a drive": "C:/evil",
    "a drive's folder": "C:evil",
    "backslashes": "..\\evil",
    "a share": "\\\\host\\share\\evil",
    "NUL": "a\0b",
    "CR": "a\rb",
    "LF": "a\nb",
    "escape": "a\x1b[2Jb",
    "C1": "a\x9b2Jb",
    "device": "con",
    "device with a suffix": "aux.bin",
    "device in a folder": "a/NUL",
    "console": "CONIN$",
    "dot at the end": "a./b",
    "space at the end": "a /b",
    "too long a part": "x" * 256,
    "too long": "/".join(["d" * 200] * 30),
}


@contextlib.contextmanager
def no_checks() -> Iterator[None]:
    """Switch the checks of mvc off."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "_ordinary", lambda text: True)
        patch.setattr(tree, "check_shape", lambda entries: None)
        yield


def write_tree(clone: Clone, name: str, entries: list[tuple[str, bytes]], tmp: Path) -> None:
    """A tree of ENTRIES in the clone's store, and a pointer NAME to it."""
    store = open_repo(str(clone.path), {}).store
    found: list[TreeEntry] = []
    recipes: dict[object, Recipe] = {}
    for path, data in entries:
        content = add_bytes(store, tmp, data)
        found.append(TreeEntry(SafeRelPath(path), False, len(data), content.oid))
        recipes[content.oid] = content.recipe
    content = tree_content(found, recipes)  # type: ignore[arg-type]
    with StoreWriter(store) as writer:
        writer.add(content)
        writer.commit()
    said = Pointer("tree", content.oid, content.size, files=content.files)
    clone.write(f"{name}.mvc", said.encode())


def everything(top: Path) -> dict[str, bytes]:
    """Every file below TOP, without the files of mvc itself: its store, its caches, its entries in .gitignore."""
    found = {}
    for folder, _, names in os.walk(top):
        if "/.git/mvc" not in folder and "/far" not in folder:
            kept = [name for name in names if name != ".gitignore"]
            found |= {os.path.join(folder, name): Path(folder, name).read_bytes() for name in kept}
    return found
