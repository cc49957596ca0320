"""Three-way merge of folders, file by file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from modelvc.errors import ModelvcError
from modelvc.models.files.trees import stored_files, stored_recipes
from modelvc.models.remotes import configured
from modelvc.models.remotes.fetching import fetch_objects
from modelvc.models.versions.scope import ScopedObject
from modelvc.store.local.writer import StoreWriter
from modelvc.store.objects import manifest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from modelvc.formats.binary.segment import Recipe
    from modelvc.formats.binary.tree import TreeEntry
    from modelvc.formats.paths import SafeRelPath
    from modelvc.formats.pointer.pointer import Pointer
    from modelvc.ids import Oid
    from modelvc.repo import Repo
    from modelvc.store.objects.manifest import Content

    Entries = Mapping[SafeRelPath, TreeEntry]

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class MergedEntries:
    """The merged files. `conflicts`: (path, why) of the files for which no rule decides."""

    entries: tuple[TreeEntry, ...]
    conflicts: tuple[tuple[str, str], ...]


def merge_entries(base: Entries, ours: Entries, theirs: Entries) -> MergedEntries:
    """Merge the files of OURS and THEIRS. BASE is empty if both sides added the folder."""
    found: dict[SafeRelPath, TreeEntry] = {}
    conflicts: list[tuple[str, str]] = []
    for path in sorted({*ours, *theirs}):
        entry, why = _one(base.get(path), ours.get(path), theirs.get(path))
        if why:
            conflicts.append((path, why))
        elif entry is not None:
            found[path] = entry
    conflicts += [(path, "a file on one side, a folder on the other") for path in _both_kinds(found)]
    return MergedEntries(tuple(found.values()), tuple(conflicts))


def _one(base: TreeEntry | None, ours: TreeEntry | None, theirs: TreeEntry | None) -> tuple[TreeEntry | None, str]:
    if theirs in {ours, base}:
        return ours, ""
    if ours == base:
        return theirs, ""
    if ours is None or theirs is None:
        return None, "deleted on one side, changed on the other"
    oid = merge_value(base and base.oid, ours.oid, theirs.oid)
    runs = merge_value(base and base.executable, ours.executable, theirs.executable)
    if oid is None:
        return None, "changed on both sides" if base else "added on both sides"
    if runs is None:
        return None, "executable on one side only"
    return (ours if oid == ours.oid else theirs)._replace(executable=runs), ""


def merge_value(base: _T | None, ours: _T, theirs: _T) -> _T | None:
    """Return the side that differs from BASE, or the value that both agree on; None if both differ."""
    if theirs in (ours, base):
        return ours
    return theirs if ours == base else None


def _both_kinds(paths: Iterable[SafeRelPath]) -> list[str]:
    files = {str(path) for path in paths}
    found = set()
    for path in files:
        at = path.rfind("/")
        while at > 0:
            if path[:at] in files:
                found.add(path[:at])
            at = path.rfind("/", 0, at)
    return sorted(found)


# -- the store


def absent_trees(repo: Repo, path: SafeRelPath, trees: Sequence[Pointer]) -> str:
    """Fetch those of TREES that the local store lacks. Return why some are still missing; "" if none is."""
    absent = [ScopedObject(path, one) for one in trees if not repo.store.has_root(one.kind, one.oid)]
    if not absent:
        return ""
    try:
        name = configured.default_name(repo)
        if name is None:
            return "there is no remote to fetch it from"
        done = fetch_objects(repo, "", absent)
    except ModelvcError as error:
        return str(error)
    return f"{done.url} does not have it" if done.missing else ""


def store_tree(repo: Repo, entries: Sequence[TreeEntry], sources: Sequence[Oid]) -> Content:
    """Store the tree of ENTRIES, which are all in the stored trees SOURCES. Copies no content."""
    wanted = {entry.oid for entry in entries}
    recipes: dict[Oid, Recipe] = {}
    with StoreWriter(repo.store) as writer:
        for oid in sources:
            for entry, recipe in stored_recipes(repo.store, oid, lambda entry: entry.oid in wanted):
                recipes.setdefault(entry.oid, recipe)
        content = manifest.tree_content(entries, recipes)
        writer.add(content)
        writer.commit()
    return content


def files_of(repo: Repo, tree: Pointer | None) -> Entries:
    """Return the files of a stored TREE; none for None."""
    return stored_files(repo.store, tree.oid) if tree is not None else {}
