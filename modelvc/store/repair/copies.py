"""Bring single chunks into the local store from wherever a good copy lies: another version, pack or remote."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from modelvc.errors import IntegrityError, KeyMissing, NotFoundError, RemoteDenied, RemoteError
from modelvc.ids import ObjectName
from modelvc.store.backends.spans import merge
from modelvc.store.local.writer import StoreWriter
from modelvc.store.objects import codec, manifest
from modelvc.store.remote.store import pack_key
from modelvc.store.repair import local_store

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from modelvc.formats.binary.pack import NewChunk, Stored
    from modelvc.store.local.store import LocalStore
    from modelvc.store.objects.manifest import Content
    from modelvc.store.remote.store import RemoteStore


_READ = 8 << 20  # bytes of one request


def recover_chunks(local: LocalStore, remote: RemoteStore, wanted: set[bytes], names: Iterable[ObjectName]) -> None:
    """Take chunks of WANTED from a remote, as far as the objects NAMES there lead to good copies; WANTED shrinks.

    Raises RemoteError when it cannot be asked any more; what came before is kept.
    """
    with StoreWriter(local) as writer:
        try:
            for name in names:
                if not wanted:
                    break
                with suppress(IntegrityError, KeyMissing):  # what is damaged there is no help
                    _recover_from_object(remote, writer, wanted, name)
        except RemoteError:
            writer.commit()
            raise
        writer.commit()


def _recover_from_object(remote: RemoteStore, writer: StoreWriter, wanted: set[bytes], name: ObjectName) -> None:
    found = remote.read_root(*name)
    for segment in manifest.read_segments(remote, found.root) if found else ():
        places: dict[bytes, dict[bytes, Stored]] = {}
        for pack, stored in segment.all_places():
            if stored.cid in wanted:
                places.setdefault(pack, {})[stored.cid] = stored
        for where, chunks in places.items():
            try:
                _recover_from_pack(
                    remote, writer, wanted, where, sorted(chunks.values(), key=lambda chunk: chunk.offset)
                )
            except KeyMissing:
                continue  # gone: the next object may know another place
            except RemoteError as error:
                if error.transient or isinstance(error, RemoteDenied):  # or each range would wait for all retries
                    raise


def _recover_from_pack(
    remote: RemoteStore, writer: StoreWriter, wanted: set[bytes], where: bytes, chunks: list[Stored]
) -> None:
    for span in merge([(chunk.offset, chunk.stored) for chunk in chunks], most=_READ):
        (data,) = remote.backend.read_ranges(pack_key(where), [(span.start, span.stop - span.start)])
        for chunk in (chunks[place] for place in span.members):
            stored = data[chunk.offset - span.start : chunk.offset - span.start + chunk.stored]
            if codec.verified_content(chunk, stored) is not None:
                writer.append(stored, [chunk.as_new()])
                wanted.discard(chunk.cid)


def content_on_remote(remote: RemoteStore, name: ObjectName) -> Content | None:
    """What an object is made of, from a remote whose manifests of it are whole; None where they are not."""
    try:
        found = remote.read_root(*name)
        return None if found is None else manifest.read(remote, found.root)
    except (IntegrityError, KeyMissing):
        return None


def content_in_store(local: LocalStore, name: ObjectName) -> Content | None:
    """The same from the local store, whose chunks may be gone."""
    try:
        return manifest.read(local, local.read_root(*name))
    except (IntegrityError, NotFoundError):
        return None


def missing_chunks(local: LocalStore, content: Content) -> set[bytes]:
    """Chunks of a content that no local pack has."""
    return {cid for cid, _ in content.recipe if local.find(cid) is None}


def rewrite_root(local: LocalStore, content: Content, folder: str) -> None:
    """Give an object a new root; the old one goes to FOLDER. All its chunks are here."""
    local_store.set_root_aside(local, ObjectName(content.kind, content.oid), folder)
    with StoreWriter(local) as writer:
        writer.add(content, unproven=True)
        writer.commit()


class WantedChunks:
    """What an Ingest is given in place of a StoreWriter, so that of a whole file it keeps only chunks of WANTED."""

    def __init__(self, writer: StoreWriter, wanted: set[bytes]) -> None:
        self._writer = writer
        self._wanted = wanted

    def has(self, cid: bytes) -> bool:
        return cid not in self._wanted or self._writer.has(cid)

    def begin_blob(self, together: int = 0) -> None:
        self._writer.begin_blob(together)

    def append(self, data: bytes | bytearray | memoryview, chunks: Sequence[NewChunk]) -> None:
        self._writer.append(data, chunks)
