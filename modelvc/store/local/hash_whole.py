"""Hash the whole of an object of the local store, and read what it is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelvc.errors import FormatError, ObjectCorrupt
from modelvc.store.local.content import ContentReader
from modelvc.store.objects import manifest

if TYPE_CHECKING:
    from modelvc.formats.binary.root import Root
    from modelvc.ids import Oid
    from modelvc.store.local.store import LocalStore
    from modelvc.store.objects.manifest import Content


def read_content(local: LocalStore, kind: str, oid: Oid, path: str, *, hash_unproven: bool = True) -> Content:
    """Return what an object of the local store is made of. PATH is for messages.

    With HASH_UNPROVEN, hash the object if it is unproven. Raises ObjectMissing, and ObjectCorrupt for a damaged object.
    """
    root = local.read_root(kind, oid)
    try:
        content = manifest.read(local, root)
    except FormatError as error:
        raise ObjectCorrupt(f"{path} ({oid.short}, its manifest: {error})", local.name) from None
    if root.unproven and hash_unproven:
        hash_whole(local, root, path)
    return content


def hash_whole(local: LocalStore, root: Root, path: str) -> None:
    """Hash the whole of an object. PATH is for messages.

    Raises ObjectCorrupt if a chunk or the whole does not match its name, FormatError for a damaged manifest.
    """
    with ContentReader(local) as reader:
        if root.kind == "file":
            reader.write_blob(root, _drop, path)
            return
        for section in manifest.sections(local, root):
            for entry, start, stop in section.files:
                reader.write_file(entry.oid, section.recipe.cut(start, stop), _drop, f"{path}/{entry.path}")


def _drop(piece: memoryview) -> None:
    del piece
