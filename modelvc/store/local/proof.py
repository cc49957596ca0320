"""What an object of the local store is made of, and whether its whole is what its name says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelvc.errors import FormatError, ObjectCorrupt
from modelvc.store.local.content import ContentReader
from modelvc.store.objects import manifest
from modelvc.store.objects.manifest import Content

if TYPE_CHECKING:
    from modelvc.formats.binary.root import Root
    from modelvc.ids import Oid
    from modelvc.store.local.store import LocalStore


def read_content(local: LocalStore, kind: str, oid: Oid, path: str, *, prove_it: bool = True) -> Content:
    """What an object in the local store is made of; with PROVE_IT a whole that was never verified here is now."""
    root = local.read_root(kind, oid)
    try:
        if kind == "tree":
            manifest.check_tree(root)
            leaves = [manifest.read_leaf(local, root, ref) for ref in root.leaves]
            recipe = manifest.join([manifest.read_segment(local, root, part).content() for part in root.records()])
            content = Content(oid, root.size, recipe, tuple(leaves))
        else:
            recipe = manifest.join([found.content() for found in manifest.read_segments(local, root)])
            content = Content(oid, root.size, recipe)
    except FormatError as error:
        raise ObjectCorrupt(f"{path} ({oid.short}, its manifest: {error})", local.name) from None
    if root.unproven and prove_it:
        prove(local, root, content, path)
    return content


def prove(local: LocalStore, root: Root, content: Content, path: str) -> None:
    """Hash the whole of an object; ObjectCorrupt when it is not what its name says."""
    with ContentReader(local) as reader:
        if root.kind == "file":
            reader.write_blob(root, _drop, path)
            return
        start = 0
        for leaf in content.leaves:
            size = leaf.size
            stop = start
            while size > 0:
                size -= content.recipe.lengths[stop]
                stop += 1
            piece = content.recipe.cut(start, stop)
            for entry, first, last in manifest.files_of(leaf, piece):
                reader.write_file(entry.oid, piece.cut(first, last), _drop, f"{path}/{entry.path}")
            start = stop


def _drop(piece: memoryview) -> None:
    del piece
