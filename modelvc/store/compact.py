"""Rewrite packs of the local store: chunks are copied, verified, into new packs before old ones go.

Manifests name chunks and not packs, so nothing else changes; a reader that meets a pack that is gone looks again.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from modelvc.errors import IntegrityError
from modelvc.formats import limits, storeconfig
from modelvc.store import packfile
from modelvc.store.packfile import NewChunk
from modelvc.store.verify import good_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from modelvc.formats.pack import Stored
    from modelvc.oid import Oid
    from modelvc.store.local import LocalStore
    from modelvc.store.writer import StoreWriter

SMALL, MANY = 8 << 20, 32  # more packs than MANY under SMALL bytes are merged


def check_allowed(store: LocalStore) -> None:
    """Refuse a store of a later release, whose rules for what may go are not known here."""
    path = os.path.join(store.root, "config")
    with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
        storeconfig.parse(file.read(limits.STORE_CONFIG + 1), path).check_gc(path)


def chunks_of(store: LocalStore, name: bytes) -> list[Stored]:
    """What a pack holds, from its own trailer; FormatError when that is damaged."""
    fd = os.open(packfile.path_of(store.root, name), os.O_RDONLY | os.O_CLOEXEC)
    try:
        return list(packfile.read_trailer(fd, name))
    finally:
        os.close(fd)


def small_packs(store: LocalStore) -> list[bytes]:
    """Packs that are worth merging; none while there are few."""
    small = [name for name, size in store.packs() if size < SMALL]
    return small if len(small) > MANY else []


def copy_chunks(
    store: LocalStore, names: Iterable[bytes], keep: Callable[[bytes, bytes], bool] | None, writer: StoreWriter
) -> list[bytes]:
    """Copy the chunks of packs NAMES to WRITER; the packs that were copied as wanted.

    KEEP, given a pack and a cid, says whether that copy of the chunk is wanted; None: all are.

    A pack with a damaged chunk stays as it is: fsck is there to say so.
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
                stored = good_bytes(fd, chunk)
                if stored is None:
                    break
                writer.copy(stored, NewChunk(chunk.cid, chunk.stored, chunk.raw, chunk.xxh3, chunk.encoding))
            else:
                done.append(name)
        except IntegrityError:
            continue
        finally:
            os.close(fd)
    return done


def remove_roots(store: LocalStore, names: Iterable[tuple[str, Oid]]) -> None:
    """Delete roots for good: one that came back after a power cut would promise chunks that are gone."""
    folders = set()
    for name in names:
        path = store.root_path(*name)
        with contextlib.suppress(FileNotFoundError):
            store.disk.unlink(path)
        folders.add(os.path.dirname(path))
    for folder in sorted(folders):
        store.disk.fsync_dir(folder)


def remove_packs(store: LocalStore, names: Iterable[bytes]) -> None:
    """Delete packs whose live chunks are elsewhere, durably, by now."""
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            store.disk.unlink(packfile.path_of(store.root, name))
