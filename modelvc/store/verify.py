"""Read what a local store holds, all of it or only its structure, and mend it with verified bytes."""

from __future__ import annotations

import contextlib
import os
import struct
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import xxhash
from blake3 import blake3

from modelvc.errors import FormatError, IntegrityError, ModelvcError, NotFoundError
from modelvc.store import codec, manifest, packfile
from modelvc.store.content import ContentReader
from modelvc.store.disk import make_folder
from modelvc.store.index import list_packs
from modelvc.store.packfile import NewChunk
from modelvc.store.upload import prove, read_content
from modelvc.store.writer import StoreWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from modelvc.formats.pack import Stored, Trailer
    from modelvc.oid import Oid
    from modelvc.store.local import LocalStore

    Named = tuple[str, Oid]

_LOOK = 64  # chunks verified by one worker at a time


@dataclass(slots=True)
class PackHealth:
    """What is wrong in one pack: the whole, or some of its chunks."""

    name: bytes
    size: int
    unreadable: str = ""
    damaged: list[bytes] = field(default_factory=list)  # cids


def check_pack(store: LocalStore, name: bytes, *, every_byte: bool) -> PackHealth:
    """Compare a pack's trailer with its name and, with EVERY_BYTE, each chunk with its cid."""
    path = packfile.path_of(store.root, name)
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        health = PackHealth(name, os.fstat(fd).st_size)
        try:
            trailer = packfile.read_trailer(fd, name)
        except IntegrityError as error:
            health.unreadable = str(error)
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
    return [chunk.cid for chunk in chunks if good_bytes(fd, chunk) is None]


def good_bytes(fd: int, chunk: Stored) -> bytes | None:
    """The stored bytes of a chunk, if they are what the trailer says and the content is what the cid says."""
    stored = os.pread(fd, chunk.stored, chunk.offset)
    if len(stored) != chunk.stored or xxhash.xxh3_64_intdigest(stored) != chunk.xxh3:
        return None
    try:
        raw = codec.decode(chunk.encoding, stored, chunk.raw)
    except FormatError:
        return None
    return stored if blake3(raw).digest() == chunk.cid else None


def check_object(store: LocalStore, name: Named, *, every_byte: bool) -> ModelvcError | None:
    """What is wrong with an object: its root, its manifests, chunks that are nowhere, or (EVERY_BYTE) its content."""
    kind, oid = name
    try:
        root = store.read_root(kind, oid)
        if kind == "tree":
            manifest.check_tree(root)
        for part in root.parts():
            store.read_part(root, part)
        leaves = [manifest.read_leaf(store, root, ref) for ref in root.leaves]
        parts = list(root.records())
        size = 0
        for part in parts:
            recipe = manifest.read_segment(store, root, part).recipe
            size += recipe.size
            for cid, _ in recipe:
                store.locate(cid)
        if size != root.size:
            raise FormatError("its manifests do not hold as many bytes as it has")
        if every_byte and kind == "file":
            with ContentReader(store) as reader:
                reader.write_blob(root, _drop, "it")
        elif every_byte:
            prove(store, root, read_content(store, kind, oid, "it", prove_it=False), "it")
        del leaves
    except (IntegrityError, NotFoundError) as error:
        return error
    return None


def _drop(piece: memoryview) -> None:
    del piece


def check_index(store: LocalStore) -> bool:
    """Whether the pack index says what the trailers of the packs say. A cache: where it does not, it is dropped."""
    try:
        agrees = all(_is_indexed(store, name) for name in list_packs(store.root))
    except (IndexError, ValueError, struct.error):  # it leads outside of itself
        agrees = False
    if not agrees:
        store.index.drop()
        store.forget_packs()
    return agrees


def _is_indexed(store: LocalStore, name: bytes) -> bool:
    """Whether every chunk of a pack is found, in this pack or, as it is there, in another."""
    trailer = _trailer(store, name)
    others: dict[bytes, Trailer | None] = {}
    for chunk in trailer or ():
        found = store.find(chunk.cid)
        if found is None:
            return False
        if found == (name, chunk):
            continue
        if found[0] not in others:
            others[found[0]] = _trailer(store, found[0])
        other = others[found[0]]
        if found[0] == name or other is None or other.find(chunk.cid) != found[1]:
            return False
    return True


def _trailer(store: LocalStore, name: bytes) -> Trailer | None:
    """The trailer of a pack; None when it is damaged or gone, which check_packs says."""
    try:
        fd = os.open(packfile.path_of(store.root, name), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return packfile.read_trailer(fd, name)
    except IntegrityError:
        return None
    finally:
        os.close(fd)


def set_aside(store: LocalStore, name: bytes, folder: str) -> int:
    """Copy the good chunks of a damaged pack to a new one, then move the pack to FOLDER; the number of chunks lost.

    Nothing is destroyed: who knows better than we do can still look at the damaged pack.
    """
    path = packfile.path_of(store.root, name)
    lost = 0
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with StoreWriter(store) as writer:
            with contextlib.suppress(IntegrityError):
                for chunk in sorted(packfile.read_trailer(fd, name), key=lambda one: one.offset):
                    stored = good_bytes(fd, chunk)
                    if stored is None:
                        lost += 1
                    else:
                        writer.append(
                            stored, [NewChunk(chunk.cid, chunk.stored, chunk.raw, chunk.xxh3, chunk.encoding)]
                        )
            writer.commit()
            make_folder(store.disk, folder)
            store.index.drop()
            store.disk.rename(path, os.path.join(folder, name.hex()))
            store.disk.fsync_dir(folder)
    finally:
        os.close(fd)
    store.forget_packs()
    return lost


def forget_root(store: LocalStore, name: Named, folder: str) -> None:
    """Move a damaged root out of the way, so that a good one can be written."""
    make_folder(store.disk, folder)
    path = store.root_path(*name)
    if os.path.exists(path):
        store.disk.rename(path, _aside(name, folder))


def restore_root(store: LocalStore, name: Named, folder: str) -> None:
    """Put a root back that was moved away for a good one that did not come."""
    if not store.has_root(*name) and os.path.exists(_aside(name, folder)):
        store.disk.rename(_aside(name, folder), store.root_path(*name))


def _aside(name: Named, folder: str) -> str:
    return os.path.join(folder, f"root-{name[1].hex()}")


def check_packs(store: LocalStore, *, every_byte: bool, on_bytes: Callable[[int], None]) -> list[PackHealth]:
    """The health of every pack, the good ones included."""
    found = []
    for name in sorted(list_packs(store.root)):
        found.append(check_pack(store, name, every_byte=every_byte))
        on_bytes(found[-1].size)
    return found
