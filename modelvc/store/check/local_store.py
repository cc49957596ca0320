"""Check a local store, all bytes or only its structure.

The index is a cache: a wrong one is dropped.
"""

from __future__ import annotations

import os
import struct
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from modelvc.errors import IntegrityError, ModelvcError, NotFoundError
from modelvc.store.local import packfile
from modelvc.store.local.hash_whole import hash_whole
from modelvc.store.local.index import list_packs
from modelvc.store.objects import manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from modelvc.formats.binary.pack import Stored, Trailer
    from modelvc.ids import ObjectName
    from modelvc.store.local.store import LocalStore


_LOOK = 64  # chunks verified by one worker at a time


@dataclass(slots=True)
class PackHealth:
    """What is wrong with one pack: the whole (`unreadable`), or some of its chunks."""

    name: bytes
    size: int
    unreadable: str = ""
    damaged: list[bytes] = field(default_factory=list)  # cids


def check_pack(store: LocalStore, name: bytes, *, every_byte: bool) -> PackHealth:
    """Compare a pack with its name and, with EVERY_BYTE, each chunk with its cid. Raises FileNotFoundError."""
    path = packfile.path_of(store.root, name)
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        health = PackHealth(name, os.fstat(fd).st_size)
        try:
            trailer = packfile.check_pack(fd, name)
        except IntegrityError as error:
            health.unreadable = str(error)
            try:
                trailer = packfile.read_trailer(fd, name)
            except IntegrityError:
                return health
        if every_byte:
            chunks = sorted(trailer, key=lambda chunk: chunk.offset)
            batches = [chunks[at : at + _LOOK] for at in range(0, len(chunks), _LOOK)]
            with ThreadPoolExecutor(min(8, max(2, os.cpu_count() or 2))) as pool:
                for found in pool.map(lambda batch: _bad_chunks(fd, batch), batches):
                    health.damaged += found
        return health
    finally:
        os.close(fd)


def _bad_chunks(fd: int, chunks: Iterable[Stored]) -> list[bytes]:
    return [chunk.cid for chunk in chunks if packfile.verified_bytes(fd, chunk) is None]


def check_object(store: LocalStore, name: ObjectName, *, every_byte: bool) -> ModelvcError | None:
    """Return what is wrong with an object: its root, a manifest, a missing chunk or (with EVERY_BYTE) its content.

    None: nothing.
    """
    try:
        root = store.read_root(*name)
        for section in manifest.sections(store, root):
            for segment in section.segments:
                for cid, _ in segment.recipe:
                    store.locate(cid)
        if every_byte:
            hash_whole(store, root, "it")
    except (IntegrityError, NotFoundError) as error:
        return error
    return None


def check_index(store: LocalStore) -> bool:
    """Return True if the index agrees with the trailers of all packs. A wrong index is dropped."""
    try:
        agrees = all(_is_indexed(store, name) for name in list_packs(store.root))
    except (IndexError, ValueError, struct.error):  # damaged
        agrees = False
    if not agrees:
        store.index.drop()
        store.forget_packs()
    return agrees


def _is_indexed(store: LocalStore, name: bytes) -> bool:
    """Return True if every chunk of a pack is found, in this pack or truly in another."""
    trailer = _trailer(store, name)
    others: dict[bytes, Trailer | None] = {}
    for chunk in trailer or ():
        found = store.find(chunk.cid)
        if found is None:
            return False
        if found == (name, chunk):
            continue
        if found.pack not in others:
            others[found.pack] = _trailer(store, found.pack)
        other = others[found.pack]
        if found.pack == name or other is None or other.find(chunk.cid) != found.chunk:
            return False
    return True


def _trailer(store: LocalStore, name: bytes) -> Trailer | None:
    """Return the trailer of a pack, or None if the pack is damaged or gone: `check_packs` reports that."""
    try:
        return packfile.open_trailer(store.root, name)
    except (FileNotFoundError, IntegrityError):
        return None


def check_packs(store: LocalStore, *, every_byte: bool, on_bytes: Callable[[int], None]) -> list[PackHealth]:
    """Return the health of every pack, good ones included."""
    found = []
    for name in sorted(list_packs(store.root)):
        try:
            found.append(check_pack(store, name, every_byte=every_byte))
        except FileNotFoundError:  # merged into another pack since the listing
            continue
        on_bytes(found[-1].size)
    return found
