"""Send one batch of a push: chunks that the remote lacks, in packs, then the roots made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import xxhash

from modelvc.errors import FormatError, IntegrityError, ObjectCorrupt, ObjectMissing, RemoteChanged
from modelvc.formats.binary.pack import RAW
from modelvc.ids import ObjectName
from modelvc.store.backends.api import KeyDenied
from modelvc.store.local.hash_whole import read_content
from modelvc.store.objects import codec, manifest
from modelvc.store.remote.seen_root import SeenRoot
from modelvc.store.remote.store import pack_key, root_key
from modelvc.store.remote.workers import Workers
from modelvc.store.transfer.pack_sender import PackSender

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from modelvc.errors import ModelvcError
    from modelvc.formats.binary.root import Root
    from modelvc.formats.binary.segment import Recipe
    from modelvc.store.local.store import LocalStore
    from modelvc.store.remote.store import RemoteStore
    from modelvc.store.transfer.pack_sender import Packs, RemoteState, Source
    from modelvc.store.transfer.to_push import ToPush


LEAST_RUN, LEAST_CHUNKS = 1 << 20, 8  # bytes, chunks; shorter runs cost readers more requests than they save bytes


class RootToWrite(NamedTuple):
    """A root to write, and every pack that its object needs."""

    root: Root
    packs: Packs


class Batch:
    """Sends several objects together, so that many small ones share packs."""

    def __init__(self, local: LocalStore, remote: RemoteStore, state: RemoteState, jobs: int) -> None:
        self._local = local
        self._remote = remote
        self._state = state
        self._jobs = jobs
        self.sent_bytes = 0
        self.sizes: dict[str, int] = {}  # of the keys that were written
        self.unreadable: dict[ObjectName, ModelvcError] = {}  # that the local store has, but not whole

    def send_packs(self, wanted: Sequence[ToPush], on_bytes: Callable[[int], None]) -> list[RootToWrite]:
        """Send the packs of WANTED. Return the roots to write after that.

        An object that the local store cannot read is noted in `unreadable` and does not stop the others.
        """
        with PackSender(self._remote, self._state, self._jobs, on_bytes) as sender:
            contents = []
            for want in wanted:
                try:
                    content = read_content(self._local, want.kind, want.oid, want.path)
                    self._reuse(want, sender)
                    self._place(content.recipe, want.path, sender)
                except (IntegrityError, ObjectMissing) as error:
                    self.unreadable[want.name] = error
                    continue
                contents.append(content)
            roots = sender.finish(contents)
            self.sent_bytes = sender.sent_bytes
            self.sizes |= {pack_key(name): size for name, size in sender.sent}
            return [
                RootToWrite(root, sender.packs_of(content, root)) for content, root in zip(contents, roots, strict=True)
            ]

    def write_roots(self, roots: Sequence[RootToWrite]) -> dict[ObjectName, SeenRoot]:
        """Write ROOTS. Return the objects whose root was written, with what each needs."""
        if any(self._state.listing.has_root(root.kind, root.oid) for root, _ in roots):
            self._remote.confirm(self.sizes)  # a root that is replaced may be whole
        with Workers(self._remote.backend, self._jobs, "mvc-push") as pool:
            done = pool.map(self._write_root, [root for root, _ in roots])
            written = [root for root, good in zip(roots, done, strict=True) if good]
            return {ObjectName(root.kind, root.oid): SeenRoot(len(root.encode()), packs) for root, packs in written}

    def _reuse(self, want: ToPush, sender: PackSender) -> None:
        """Learn where the remote has chunks of related objects."""
        for kind, oid in want.related():
            if not self._state.listing.has_root(kind, oid):
                continue
            try:
                found = self._remote.read_root(kind, oid)
                if found is None:
                    continue
                root = found.root
                for segment in manifest.read_segments(self._remote, root):
                    sender.learn(segment)
                sender.learn_parts(root)
            except (ObjectCorrupt, FormatError, KeyDenied):
                continue  # a push works without a damaged relative; fsck --remote names it

    def _place(self, recipe: Recipe, path: str, sender: PackSender) -> None:
        """Send the chunks of RECIPE that are not reused from packs of the remote."""
        for cid, length, reuse in _choices(recipe, sender.sources):
            if not reuse:
                self._append(cid, length, path, sender)

    def _append(self, cid: bytes, length: int, path: str, sender: PackSender) -> None:
        chunk, stored = self._local.read_stored(cid)
        good = len(stored) == chunk.stored and xxhash.xxh3_64_intdigest(stored) == chunk.xxh3 and chunk.raw == length
        if good and chunk.encoding != RAW:
            good = codec.decode_verified(cid, chunk.encoding, stored, chunk.raw) is not None
        if not good:
            raise ObjectCorrupt(f"{path} (chunk {cid.hex()[:10]})", self._local.name)
        sender.append(stored, chunk.as_new())

    def _write_root(self, root: Root) -> bool:
        """Write a root if its key did not change since it was listed. Return False if another writer was faster."""
        key, data = root_key(root.kind, root.oid), root.encode()
        entry = self._state.listing.keys.get(key)
        try:
            if entry is None:
                self._remote.backend.create(key, data)
            else:
                self._remote.backend.replace(key, data, entry.etag)
        except RemoteChanged:
            try:
                found = self._remote.read_root(root.kind, root.oid)
            except (ObjectCorrupt, KeyDenied):
                return False
            if found is None or found.root.write_id != root.write_id:
                return False
            # this push wrote it: only the answer was lost
        self.sizes[key] = len(data)
        return True


class _Choice(NamedTuple):
    """A chunk of RAW bytes of content, and whether its copy on the remote is reused."""

    cid: bytes
    raw: int
    reuse: bool


def _choices(recipe: Recipe, sources: Mapping[bytes, Source]) -> Iterator[_Choice]:
    """Yield the chunks of RECIPE in order, each with whether its copy on the remote is reused.

    Short runs of old chunks between new ones are sent again.
    """
    run: list[tuple[bytes, int]] = []  # as a recipe has them
    size = 0
    lonely = len(recipe) > LEAST_CHUNKS

    def flush(*, inner: bool) -> Iterator[_Choice]:
        worth = not inner or not lonely or size >= LEAST_RUN or len(run) >= LEAST_CHUNKS
        for cid, length in run:
            yield _Choice(cid, length, worth)

    for cid, length in recipe:
        if cid in sources:
            run.append((cid, length))
            size += length
        else:
            yield from flush(inner=True)
            run, size = [], 0
            yield _Choice(cid, length, reuse=False)
    yield from flush(inner=bool(run) and len(run) < len(recipe))
