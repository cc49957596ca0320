"""Convert between the files of a folder and its tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelvc.atomic import write_all
from modelvc.errors import FormatError, ObjectCorrupt, UsageError, shown
from modelvc.formats.binary import tree
from modelvc.formats.binary.tree import TreeEntry
from modelvc.formats.paths import SafeRelPath, is_pointer
from modelvc.ids import Oid
from modelvc.store.objects import manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from modelvc.formats.binary.segment import Recipe
    from modelvc.store.local.content import ContentReader
    from modelvc.store.local.store import LocalStore
    from modelvc.store.objects.manifest import Section
    from modelvc.worktree.state import Known


_EMPTY = Oid.parse("blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262")  # of no bytes at all


def entries_of(files: Mapping[str, Known]) -> list[TreeEntry]:
    """Return the tree entries of FILES from a survey. Raises UsageError for a name that a tree cannot hold."""
    return [
        TreeEntry(tree_path(name), known.stat.executable, known.stat.size, Oid(known.oid))
        for name, known in files.items()
    ]


def tree_path(name: str) -> SafeRelPath:
    """Return NAME as a path in a tree. Raises UsageError if a tree cannot hold it."""
    try:
        path = SafeRelPath(name)
    except FormatError as error:
        raise UsageError(str(error), hint=error.hint) from None
    if is_pointer(name):
        raise UsageError(
            f"the folder holds a pointer, {name}",
            hint="track the folder or what is in it, not both: see `mvc rm --keep`",
        )
    return path


def check_names(path: str, names: Collection[str]) -> None:
    """Raise UsageError if a tree cannot hold the files NAMES of the folder PATH."""
    for name in names:
        tree_path(name)
    try:
        tree.check_names(names)
    except FormatError as error:
        hint = "shorten its paths, or track the folders in it one by one"
        raise UsageError(f"{shown(path)} cannot be stored: {error}", hint=hint) from None


def oid_of(entries: Sequence[TreeEntry]) -> Oid:
    """Return the oid of the tree of ENTRIES."""
    leaves = tree.leaves(entries)
    return tree.tree_oid([leaf.digest for leaf in leaves], len(entries), sum(entry.size for entry in entries))


def stored_recipes(
    store: LocalStore, oid: Oid, only: Callable[[TreeEntry], bool] = lambda _: True
) -> Iterator[tuple[TreeEntry, Recipe]]:
    """Read the files of a tree in the local store (those that ONLY accepts) in order, with the recipe of each.

    Raises ObjectMissing, ObjectCorrupt or, for parts that do not belong together, FormatError.
    """
    for section in _sections(store, oid):
        for entry, start, stop in section.files:
            if only(entry):
                yield entry, section.recipe.cut(start, stop)


def _sections(store: LocalStore, oid: Oid) -> Iterator[Section]:
    return manifest.sections(store, store.read_root("tree", oid))


def stored_files(store: LocalStore, oid: Oid) -> dict[SafeRelPath, TreeEntry]:
    """Return the entries of a tree in the local store by path. Raises ObjectMissing or ObjectCorrupt."""
    try:
        found = {entry.path: entry for section in _sections(store, oid) for entry, _, _ in section.files}
        tree.check_shape(found.values())
    except FormatError:
        raise ObjectCorrupt(f"the tree {oid.short}", store.name) from None
    return found


def contents(
    store: LocalStore, reader: ContentReader, oid: Oid, what: str, only: Collection[str] | None = None
) -> Iterator[tuple[TreeEntry, Callable[[int], None]]]:
    """Yield each file of a tree (in ONLY, if given) with a function that writes its verified content to a descriptor.

    WHAT names the tree in errors. The functions raise ObjectMissing or ObjectCorrupt.
    """
    for entry, recipe in stored_recipes(store, oid, lambda entry: only is None or entry.path in only):

        def fill(fd: int, entry: TreeEntry = entry, recipe: Recipe = recipe) -> None:
            if not entry.size and entry.oid != _EMPTY:
                raise ObjectCorrupt(f"{what}/{entry.path}", store.name)
            if entry.size:
                reader.write_file(entry.oid, recipe, lambda data: write_all(fd, data), f"{what}/{entry.path}")

        yield entry, fill
