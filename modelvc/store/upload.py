"""Push: objects of the local store to a remote. Order is the crash safety: packs, parts, roots.

Packs are built from the wanted chunks in the order of the content, so a second run after a crash builds the same ones
and finds those that arrived. Nothing is taken to be there that a listing did not show, with its size.
"""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import xxhash
from blake3 import blake3

from modelvc.errors import FormatError, ObjectCorrupt, RemoteBusy, RemoteChanged
from modelvc.formats import limits, pack
from modelvc.formats.pack import RAW, Stored
from modelvc.formats.root import Part, Place
from modelvc.formats.segment import Placement, Recipe, Segment
from modelvc.oid import Oid
from modelvc.store import codec, manifest
from modelvc.store.content import ContentReader
from modelvc.store.manifest import Content
from modelvc.store.remote import pack_key, root_key

if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from modelvc.formats.root import Root
    from modelvc.store.local import LocalStore
    from modelvc.store.remote import Listing, RemoteStore

PACK = 16 << 20  # bytes of a remote pack
LEAST_RUN, LEAST_CHUNKS = 1 << 20, 8  # reusing shorter runs costs readers more requests than it saves bytes
_ATTEMPTS = 3

Named = tuple[str, Oid]  # kind, oid


class Wanted(NamedTuple):
    """An object to push, what to call it, and how to learn of objects that may share chunks with it."""

    kind: str
    oid: Oid
    path: str
    related: Callable[[], Sequence[Named]] = tuple


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What a push did: objects sent, bytes sent, objects that were there, and the packs that each object needs."""

    sent: tuple[Named, ...]
    sent_bytes: int
    there: tuple[Named, ...]
    packs: Mapping[Named, tuple[tuple[bytes, int], ...]]


class _Source(NamedTuple):
    """Where a chunk lies, or will lie, in the remote."""

    pack: _Pack
    stored: Stored


@dataclass(slots=True, eq=False)
class _Pack:
    """A pack of the remote: one that is there, or one that is being built and has no name yet."""

    name: bytes = b""
    size: int = 0
    chunks: dict[bytes, Stored] = field(default_factory=dict)


class Uploader:
    """One push to one remote. `known` tells the packs of objects that this clone has seen there."""

    def __init__(
        self, local: LocalStore, remote: RemoteStore, known: Mapping[Named, tuple[tuple[bytes, int], ...]], jobs: int
    ) -> None:
        self._local = local
        self._remote = remote
        self._known = known
        self._jobs = jobs
        self._doomed: frozenset[bytes] = frozenset()

    def run(self, wanted: Sequence[Wanted], on_bytes: Callable[[int], None] = lambda _: None) -> Uploaded:
        """Bring all of WANTED to the remote, complete. Raises ObjectMissing when the local store lacks one of them."""
        self._remote.prepare()
        listing = self._remote.listing()
        packs: dict[Named, tuple[tuple[bytes, int], ...]] = {}
        sent: list[Named] = []
        sent_bytes = 0
        dooms = listing.dooms
        for _ in range(_ATTEMPTS):
            self._doomed = self._remote.doomed(dooms)
            missing = [want for want in wanted if not self._is_there(want, listing, packs)]
            if not missing:
                break
            batch = _Batch(self._local, self._remote, _Far(listing, self._doomed), self._jobs, on_bytes)
            packs.update(batch.send(missing))
            sent += [(want.kind, want.oid) for want in missing]
            sent_bytes += batch.sent_bytes
            later = self._remote.doom_keys()  # a pack that was doomed meanwhile is sent anew
            if later <= dooms:
                break
            dooms, listing = later, self._remote.listing()
        else:
            raise RemoteBusy(
                f"{self._remote.name} is being cleaned up while this push runs", hint="run `mvc push` again"
            )
        done = dict.fromkeys(sent)
        there = tuple((w.kind, w.oid) for w in wanted if (w.kind, w.oid) not in done)
        return Uploaded(tuple(done), sent_bytes, there, packs)

    def _is_there(self, want: Wanted, listing: Listing, packs: dict[Named, tuple[tuple[bytes, int], ...]]) -> bool:
        """Whether the remote has the root and, with their sizes, all packs that it needs."""
        name = (want.kind, want.oid)
        if not listing.has_root(*name):
            return False
        needed = packs.get(name) or self._known.get(name)
        if needed is None:
            try:
                needed = needed_packs(self._remote, *name)
            except ObjectCorrupt:
                return False
        if needed is None or not all(listing.has_pack(*one) for one in needed):
            return False
        if any(one in self._doomed for one, _ in needed):
            return False
        packs[name] = needed
        return True


def needed_packs(remote: RemoteStore, kind: str, oid: Oid) -> tuple[tuple[bytes, int], ...] | None:
    """Every pack that an object on a remote needs; None when it has no root there."""
    found = remote.read_root(kind, oid)
    if found is None:
        return None
    root = found[0]
    packs = set(root.packs)
    for part in (*root.segments, *(part for leaf in root.leaves for part in leaf.segments)):
        placement = manifest.read_segment(remote, root, part).placement
        if placement:
            packs.update(placement.packs)
    return tuple(sorted(packs))


class _Far(NamedTuple):
    """What a remote holds, and which of its packs must not be referenced anew."""

    listing: Listing
    doomed: Collection[bytes]


class _Batch:
    """Sends a number of objects together, so that many small ones share packs."""

    def __init__(
        self,
        local: LocalStore,
        remote: RemoteStore,
        far: _Far,
        jobs: int,
        on_bytes: Callable[[int], None],
    ) -> None:
        self._local = local
        self._remote = remote
        self._listing = far.listing
        self._doomed = far.doomed
        self._on_bytes = on_bytes
        self._jobs = jobs
        self._sources: dict[bytes, _Source] = {}
        self._building = _Pack(size=len(pack.MAGIC))
        self._body = bytearray(pack.MAGIC)
        self._flying: deque[Future[None]] = deque()
        self._parts: dict[bytes, Part] = {}
        self._part_packs: list[_Pack] = []  # what Place.pack counts in until a root gets its own table
        self.sent_bytes = 0

    def send(self, wanted: Sequence[Wanted]) -> dict[Named, tuple[tuple[bytes, int], ...]]:
        contents = []
        reused: dict[Named, set[tuple[bytes, int]]] = {}
        with ThreadPoolExecutor(self._jobs, "mvc-push") as pool:
            self._pool = pool
            try:
                for want in wanted:
                    content = read_content(self._local, want.kind, want.oid, want.path)
                    self._reuse(want)
                    self._place(content.recipe, want.path)
                    contents.append(content)
                self._seal()
                self._settle()
                roots = [manifest.write_root(content, self, placed=True) for content in contents]
                self._seal()
                self._settle()
                done = [_with_table(root, self._part_packs) for root in roots]
                for future in [pool.submit(self._write_root, root) for root in done]:
                    future.result()
            except BaseException:
                for future in self._flying:
                    future.cancel()
                raise
        for content, root in zip(contents, done, strict=True):
            packs = {(source.pack.name, source.pack.size) for source in map(self._source, _cids(content.recipe))}
            reused[content.kind, content.oid] = packs | set(root.packs)
        return {name: tuple(sorted(packs)) for name, packs in reused.items()}

    # -- chunks

    def _source(self, cid: bytes) -> _Source:
        return self._sources[cid]

    def _reuse(self, want: Wanted) -> None:
        """Learn where chunks of related objects lie, as far as their packs are there and not doomed."""
        for kind, oid in want.related():
            if not self._listing.has_root(kind, oid):
                continue
            try:
                found = self._remote.read_root(kind, oid)
                if found is None:
                    continue
                root = found[0]
                for part in (*root.segments, *(part for leaf in root.leaves for part in leaf.segments)):
                    self._learn(manifest.read_segment(self._remote, root, part))
                self._learn_parts(root)
            except (ObjectCorrupt, FormatError):
                continue  # a damaged relative is no reason not to push; fsck --remote names it

    def _learn(self, segment: Segment) -> None:
        placement = segment.placement
        if placement is None:
            return
        usable = [
            _Pack(name, size) if self._listing.has_pack(name, size) and name not in self._doomed else None
            for name, size in placement.packs
        ]
        for place, stored in zip(placement.pack, placement.stored, strict=True):
            owner = usable[place]
            if owner is not None:
                self._sources.setdefault(stored.cid, _Source(owner, stored))

    def _learn_parts(self, root: Root) -> None:
        """Segments and leaves that did not change are not sent again either."""
        for part in root.parts():
            if part.place is not None and part.name not in self._parts:
                name, size = root.packs[part.place.pack]
                if self._listing.has_pack(name, size) and name not in self._doomed:
                    self._part_packs.append(_Pack(name, size))
                    self._parts[part.name] = replace(part, place=part.place._replace(pack=len(self._part_packs) - 1))

    def _place(self, recipe: Recipe, path: str) -> None:
        """Decide for every chunk whether it is reused or sent, and send what is."""
        for cid, length, reuse in _decide(recipe, self._sources):
            if not reuse:
                self._append(cid, length, path)

    def _append(self, cid: bytes, length: int, path: str) -> None:
        chunk, stored = self._local.read_stored(cid)
        if len(stored) != chunk.stored or xxhash.xxh3_64_intdigest(stored) != chunk.xxh3 or chunk.raw != length:
            raise ObjectCorrupt(f"{path} (chunk {cid.hex()[:10]})", self._local.name)
        if chunk.encoding != RAW:
            try:
                good = blake3(codec.decode(chunk.encoding, stored, chunk.raw)).digest() == cid
            except FormatError:
                good = False
            if not good:
                raise ObjectCorrupt(f"{path} (chunk {cid.hex()[:10]})", self._local.name)
        self._keep(stored, chunk._replace(offset=len(self._body)))

    def _keep(self, stored: bytes, chunk: Stored) -> None:
        self._body += stored
        self._building.chunks[chunk.cid] = chunk
        self._sources[chunk.cid] = _Source(self._building, chunk)
        if len(self._body) >= PACK:
            self._seal()

    def _seal(self) -> _Pack | None:
        """Name the pack that is being built, and start sending it."""
        built, body = self._building, self._body
        if not built.chunks:
            return None
        self._building, self._body = _Pack(), bytearray(pack.MAGIC)
        trailer = pack.encode_trailer(built.chunks.values())
        if pack.pack_id(trailer) in self._doomed:
            trailer = pack.encode_trailer(built.chunks.values(), os.urandom(16))
        body += trailer + pack.footer(trailer)
        built.name, built.size, built.chunks = pack.pack_id(trailer), len(body), {}
        if self._listing.has_pack(built.name, built.size):
            self._on_bytes(built.size)
            return built
        while len(self._flying) >= self._jobs:
            self._flying.popleft().result()
        self._flying.append(self._pool.submit(self._put, built, body))
        return built

    def _put(self, built: _Pack, body: bytearray) -> None:
        self._remote.backend.put(pack_key(built.name), body)
        self.sent_bytes += len(body)
        self._on_bytes(len(body))

    def _settle(self) -> None:
        while self._flying:
            self._flying.popleft().result()

    # -- what manifest.PartSink asks for

    def put_part(self, data: bytes, content: int) -> Part:
        name = blake3(data).digest()
        if name not in self._parts:
            xxh3 = xxhash.xxh3_64_intdigest(data)
            chunk = Stored(name, len(self._body), len(data), len(data), xxh3, RAW)
            if not self._part_packs or self._part_packs[-1] is not self._building:
                self._part_packs.append(self._building)
            place = Place(len(self._part_packs) - 1, chunk.offset, chunk.stored, RAW[0], xxh3)
            self._parts[name] = Part(None, name, len(data), content, place)
            self._keep(data, chunk)
        return replace(self._parts[name], content=content)

    def segment(self, recipe: Recipe) -> Segment:
        table: dict[bytes, int] = {}
        packs: list[tuple[bytes, int]] = []
        numbers: array[int] = recipe.lengths[:0]
        stored = []
        for cid in _cids(recipe):
            source = self._sources[cid]
            if source.pack.name not in table:
                table[source.pack.name] = len(packs)
                packs.append((source.pack.name, source.pack.size))
            numbers.append(table[source.pack.name])
            stored.append(source.stored)
        return Segment(recipe, Placement(tuple(packs), numbers, tuple(stored)))

    def _write_root(self, root: Root) -> None:
        key, data = root_key(root.kind, root.oid), root.encode()
        if len(data) > limits.ROOT:
            raise FormatError(f"the root of {root.oid.short} is larger than {limits.ROOT:,} bytes")
        entry = self._listing.keys.get(key)
        for _ in range(_ATTEMPTS):
            try:
                if entry is None:
                    self._remote.backend.create(key, data)
                else:
                    self._remote.backend.replace(key, data, entry.etag)
            except RemoteChanged:
                try:
                    found = self._remote.read_root(root.kind, root.oid)
                except ObjectCorrupt:
                    entry = self._remote.backend.stat([key]).get(key)
                    continue
                if found and found[0].write_id == root.write_id:
                    return  # it was ours: only the answer was lost
                entry = found[1] if found else None  # somebody else's, maybe complete; ours is known to be
            else:
                return
        raise RemoteBusy(f"others keep changing {key} on {self._remote.name}", hint="run `mvc push` again")


def read_content(local: LocalStore, kind: str, oid: Oid, path: str, *, prove_it: bool = True) -> Content:
    """What an object in the local store is made of; with PROVE_IT a whole that was never verified here is now."""
    root = local.read_root(kind, oid)
    try:
        if kind == "tree":
            manifest.check_tree(root)
            leaves = [manifest.read_leaf(local, root, ref) for ref in root.leaves]
            parts = [part for ref in root.leaves for part in ref.segments]
            recipe = manifest.join([manifest.read_segment(local, root, part).recipe for part in parts])
            content = Content(oid, root.size, recipe, tuple(leaves))
        else:
            recipe = manifest.join([found.recipe for found in manifest.read_segments(local, root)])
            content = Content(oid, root.size, recipe)
    except FormatError as error:
        raise ObjectCorrupt(f"{path} ({oid.short}, its manifest: {error})", local.name) from None
    if root.unproven and prove_it:
        prove(local, root, content, path)
    return content


def prove(local: LocalStore, root: Root, content: Content, path: str) -> None:
    """Hash the whole of an object; ObjectCorrupt when it is not what its name says."""
    with ContentReader(local) as reader:
        if root.kind == "file":
            reader.write_blob(root, _drop, path)
            return
        start = 0
        for leaf in content.leaves:
            size = leaf.size
            stop = start
            while size > 0:
                size -= content.recipe.lengths[stop]
                stop += 1
            piece = content.recipe.cut(start, stop)
            for entry, first, last in manifest.files_of(leaf, piece):
                reader.write_file(entry.oid, piece.cut(first, last), _drop, f"{path}/{entry.path}")
            start = stop


def _drop(piece: memoryview) -> None:
    del piece


def _decide(recipe: Recipe, sources: Mapping[bytes, _Source]) -> Iterator[tuple[bytes, int, bool]]:
    """(cid, raw length, whether to reuse it) in order. Short runs of old chunks between new ones are sent again."""
    run: list[tuple[bytes, int]] = []
    size = 0
    lonely = len(recipe) > LEAST_CHUNKS

    def flush(*, inner: bool) -> Iterator[tuple[bytes, int, bool]]:
        worth = not inner or not lonely or size >= LEAST_RUN or len(run) >= LEAST_CHUNKS
        for cid, length in run:
            yield cid, length, worth

    for cid, length in recipe:
        if cid in sources:
            run.append((cid, length))
            size += length
        else:
            yield from flush(inner=True)
            run, size = [], 0
            yield cid, length, False
    yield from flush(inner=bool(run) and len(run) < len(recipe))


def _cids(recipe: Recipe) -> Iterator[bytes]:
    for cid, _ in recipe:
        yield cid


def _with_table(root: Root, packs: Sequence[_Pack]) -> Root:
    """ROOT with a pack table of its own, in place of the places in PACKS that its parts were given."""
    used = sorted({part.place.pack for part in root.parts() if part.place is not None})
    number = {old: new for new, old in enumerate(used)}

    def moved(part: Part) -> Part:
        return part if part.place is None else replace(part, place=part.place._replace(pack=number[part.place.pack]))

    return replace(
        root,
        packs=tuple((packs[old].name, packs[old].size) for old in used),
        segments=tuple(moved(part) for part in root.segments),
        leaves=tuple(
            replace(leaf, leaf=moved(leaf.leaf), segments=tuple(moved(part) for part in leaf.segments))
            for leaf in root.leaves
        ),
    )
