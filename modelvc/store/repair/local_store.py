"""Repair a local store: move damaged packs and roots aside, so that good copies can take their place."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from modelvc.atomic import make_folder
from modelvc.errors import IntegrityError
from modelvc.store.local import packfile
from modelvc.store.local.writer import StoreWriter
from modelvc.store.repair import damaged_local_pack

if TYPE_CHECKING:
    from modelvc.ids import ObjectName
    from modelvc.store.local.store import LocalStore


def repair_local_pack(store: LocalStore, name: bytes, folder: str) -> int:
    """Copy the good chunks of a damaged pack to a new one, then move the pack to FOLDER.

    Return the number of lost chunks. The damaged pack stays in FOLDER for a person to examine.
    """
    path = packfile.path_of(store.root, name)
    lost = 0
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with StoreWriter(store) as writer:
            try:
                trailer = packfile.read_trailer(fd, name)
            except IntegrityError:
                for chunk, stored in damaged_local_pack.recoverable_chunks(fd):
                    writer.append(stored, [chunk])
            else:
                for place in sorted(trailer, key=lambda one: one.offset):
                    good = packfile.verified_bytes(fd, place)
                    if good is None:
                        lost += 1
                    else:
                        writer.append(good, [place.as_new()])
            writer.commit()
            make_folder(store.disk, folder)
            store.index.drop()
            if name not in writer.packs:  # else all chunks were good and the pack was rewritten in place
                store.disk.rename(path, os.path.join(folder, name.hex()))
                store.disk.fsync_dir(folder)
    finally:
        os.close(fd)
    store.forget_packs()
    return lost


def set_root_aside(store: LocalStore, name: ObjectName, folder: str) -> None:
    """Move a damaged root to FOLDER, so that a good one can be written."""
    make_folder(store.disk, folder)
    path = store.root_path(*name)
    if os.path.exists(path):
        store.disk.rename(path, os.path.join(folder, f"root-{name.oid.hex()}"))
