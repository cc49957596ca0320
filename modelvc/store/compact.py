"""Rewrite packs of the local store: chunks are copied, verified, into new packs before old ones go.

Manifests name chunks and not packs, so nothing else changes; a reader that meets a pack that is gone looks again.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from modelvc.errors import IntegrityError
from modelvc.store import packfile
from modelvc.store.packfile import NewChunk
from modelvc.store.verify import good_bytes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from modelvc.store.local import LocalStore
    from modelvc.store.writer import StoreWriter

SMALL, MANY = 8 << 20, 32  # more packs than MANY under SMALL bytes are merged


def small_packs(store: LocalStore) -> list[bytes]:
    """Packs that are worth merging; none while there are few."""
    small = [name for name, size in store.packs() if size < SMALL]
    return small if len(small) > MANY else []


def copy_chunks(
    store: LocalStore, names: Iterable[bytes], live: Collection[bytes] | None, writer: StoreWriter
) -> list[bytes]:
    """Copy the chunks of packs NAMES (those in LIVE; None: all) to WRITER; the packs that were copied whole.

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
            wanted = [chunk for chunk in chunks if live is None or chunk.cid in live]
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


def remove_packs(store: LocalStore, names: Iterable[bytes]) -> None:
    """Delete packs whose live chunks are elsewhere, durably, by now."""
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            store.disk.unlink(packfile.path_of(store.root, name))
