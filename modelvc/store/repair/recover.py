"""Recover single chunks for the local store from good copies: in other versions, packs or remotes."""

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
    """Take chunks of WANTED from packs that the objects NAMES on a remote name. Recovered chunks leave WANTED.

    Raises RemoteError if the remote cannot be reached any more. Chunks recovered before that are kept.
    """
    with StoreWriter(local) as writer:
        try:
            for name in names:
                if not wanted:
                    break
                with suppress(IntegrityError, KeyMissing):  # a damaged object does not help
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
                continue  # gone; the next object may name another pack
            except RemoteError as error:
                if error.transient or isinstance(error, RemoteDenied):  # else each range would wait for all retries
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
    """Return what an object is made of by a remote, or None if its root or a manifest there is damaged or missing."""
    try:
        found = remote.read_root(*name)
        return None if found is None else manifest.read(remote, found.root)
    except (IntegrityError, KeyMissing):
        return None


def content_in_store(local: LocalStore, name: ObjectName) -> Content | None:
    """Return what an object is made of by the local store, or None likewise. Its chunks may be missing."""
    try:
        return manifest.read(local, local.read_root(*name))
    except (IntegrityError, NotFoundError):
        return None


def missing_chunks(local: LocalStore, content: Content) -> set[bytes]:
    """Return the chunks of a content that no local pack holds."""
    return {cid for cid, _ in content.recipe if local.find(cid) is None}


def rewrite_root(local: LocalStore, content: Content, folder: str) -> None:
    """Give an object a new root, and move the old one to FOLDER. All its chunks must be here."""
    local_store.set_root_aside(local, ObjectName(content.kind, content.oid), folder)
    with StoreWriter(local) as writer:
        writer.add(content, unproven=True)
        writer.commit()


class WantedChunks:
    """A sink for Ingest in place of a StoreWriter: of a whole file it keeps only chunks of WANTED."""

    def __init__(self, writer: StoreWriter, wanted: set[bytes]) -> None:
        self._writer = writer
        self._wanted = wanted

    def has(self, cid: bytes) -> bool:
        """Return True for a chunk that is not wanted, or that is stored already."""
        return cid not in self._wanted or self._writer.has(cid)

    def begin_blob(self, together: int = 0) -> None:
        """Start another blob, as StoreWriter does."""
        self._writer.begin_blob(together)

    def append(self, data: bytes | bytearray | memoryview, chunks: Sequence[NewChunk]) -> None:
        """Keep CHUNKS, as StoreWriter does."""
        self._writer.append(data, chunks)
