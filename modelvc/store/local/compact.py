"""Rewrite packs of the local store: verified chunks are copied into new packs before old packs are deleted.

Manifests name chunks, not packs, so they stay valid. A reader that misses a pack refreshes the index.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, NamedTuple

from modelvc.errors import IntegrityError
from modelvc.formats import limits
from modelvc.formats.text import store_config
from modelvc.store.local import packfile
from modelvc.store.local.index import LOOSE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from modelvc.formats.binary.pack import Stored
    from modelvc.ids import ObjectName
    from modelvc.store.local.store import LocalStore
    from modelvc.store.local.writer import StoreWriter

SMALL, MANY = 8 << 20, 32  # more packs than MANY under SMALL bytes are merged


def check_allowed(store: LocalStore) -> None:
    """Raise ConfigError for a store of a later release, whose rules for deleting are unknown."""
    path = os.path.join(store.root, "config")
    with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
        store_config.parse(file.read(limits.STORE_CONFIG + 1), path).check_gc(path)


def chunks_of(store: LocalStore, name: bytes) -> list[Stored]:
    """Return the chunks of a pack, by its own trailer. Raises FormatError for a damaged trailer."""
    return list(packfile.open_trailer(store.root, name))


def small_packs(store: LocalStore) -> list[bytes]:
    """Return the packs that are worth merging, or none while they are few."""
    small = [name for name, size in store.packs() if size < SMALL]
    return small if len(small) > MANY else []


def tidy(store: LocalStore, writer: StoreWriter) -> None:
    """Merge many small packs into one, and many trailers into one index. WRITER has committed."""
    small = small_packs(store) if store.index.loose > LOOSE else []
    if small:
        before, writer.packs = writer.packs, set()
        copied = copy_chunks(store, small, None, writer)
        writer.commit()
        writer.packs |= before - remove_copied(store, copied, writer.packs)
        store.forget_packs()
    if small or store.index.loose > LOOSE:
        store.index.merge()


class Copied(NamedTuple):
    """A pack, and the cids of its chunks that were copied: all that were wanted of it."""

    pack: bytes
    cids: tuple[bytes, ...]


def copy_chunks(
    store: LocalStore, names: Iterable[bytes], keep: Callable[[bytes, bytes], bool] | None, writer: StoreWriter
) -> list[Copied]:
    """Copy the chunks of packs NAMES to WRITER, each compared with its cid. Return the packs that were copied.

    KEEP, given a pack and a cid, returns True if that copy of the chunk is wanted; None: every copy. A pack with a
    damaged chunk is not copied: fsck reports it.
    """
    done = []
    for name in names:
        try:
            fd = os.open(packfile.path_of(store.root, name), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            chunks = sorted(packfile.read_trailer(fd, name), key=lambda chunk: chunk.offset)
            wanted = [chunk for chunk in chunks if keep is None or keep(name, chunk.cid)]
            for chunk in wanted:
                stored = packfile.verified_bytes(fd, chunk)
                if stored is None:
                    break
                writer.append(stored, (chunk.as_new(),))
            else:
                done.append(Copied(name, tuple(chunk.cid for chunk in wanted)))
        except IntegrityError:
            continue
        finally:
            os.close(fd)
    return done


def remove_copied(store: LocalStore, copied: Sequence[Copied], packs: Collection[bytes]) -> set[bytes]:
    """Delete the packs COPIED whose chunks are all in PACKS, by the trailers of PACKS.

    Return the names of deleted packs. A pack is named by its chunks, so a new pack may have the name of a copied one.
    Such a pack stays.
    """
    going = [one for one in copied if one.pack not in packs]
    left = packfile.missing_chunks(store.root, (cid for one in going for cid in one.cids), packs)
    done = {one.pack for one in going if left.isdisjoint(one.cids)}
    remove_packs(store, done)
    return done


def remove_roots(store: LocalStore, names: Iterable[ObjectName]) -> None:
    """Delete roots and sync their folders. A root that came back after a power cut would name chunks that are gone."""
    folders = set()
    for name in names:
        path = store.root_path(*name)
        with contextlib.suppress(FileNotFoundError):
            store.disk.unlink(path)
        folders.add(os.path.dirname(path))
    for folder in sorted(folders):
        store.disk.fsync_dir(folder)


def remove_packs(store: LocalStore, names: Iterable[bytes]) -> None:
    """Delete packs that hold no needed chunk."""
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            store.disk.unlink(packfile.path_of(store.root, name))
