"""Build packs of 16 MiB and send them to a remote, then make the roots that name them.

Packs are built from chunks in the order in which they come. A second run after a crash builds the same packs and finds
those that arrived.
"""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from blake3 import blake3

from modelvc.formats.binary import pack
from modelvc.formats.binary.pack import RAW, PackRef, Stored
from modelvc.formats.binary.root import Part, PartPlace
from modelvc.formats.binary.segment import Placement, Recipe, Segment
from modelvc.store.objects import codec, manifest
from modelvc.store.remote.store import pack_key
from modelvc.store.remote.workers import Workers

if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Future
    from typing import Self

    from modelvc.formats.binary.pack import NewChunk
    from modelvc.formats.binary.root import Root
    from modelvc.store.objects.manifest import Content
    from modelvc.store.remote.store import Listing, RemoteStore

PACK = 16 << 20  # bytes from which a remote pack is sent

Packs = tuple[PackRef, ...]


@dataclass(slots=True, eq=False)
class PackHandle:
    """A pack that roots will name: one on the remote, or one that is being built and has no name yet."""

    name: bytes = b""
    size: int = 0
    records: pack.Building = field(default_factory=pack.Building)  # of a pack that is being built


class Source(NamedTuple):
    """Where a chunk lies on the remote, or will lie."""

    pack: PackHandle
    stored: Stored


class RemoteState(NamedTuple):
    """What a remote holds, and since when which of its packs are doomed: no new root may name these."""

    listing: Listing
    doomed: Mapping[bytes, float]

    def usable(self, name: bytes, size: int) -> bool:
        """Return True if a new root may name the pack."""
        return name not in self.doomed and self.listing.has_pack(name, size)


class PackSender:
    """Puts chunks and the parts of roots into packs, sends the packs, and returns roots. It writes no root.

    `sources` maps each cid to its place, `sent_bytes` counts.
    """

    def __init__(self, remote: RemoteStore, state: RemoteState, jobs: int, on_bytes: Callable[[int], None]) -> None:
        self._remote = remote
        self._state = state
        self._on_bytes = on_bytes
        self._jobs = jobs
        self._building = PackHandle(size=len(pack.MAGIC))
        self._body = bytearray(pack.MAGIC)
        self._flying: deque[Future[PackRef]] = deque()
        self._parts: dict[bytes, Part] = {}
        self._part_packs: list[PackHandle] = []  # PartPlace.pack is a position here until a root gets its own table
        self.sources: dict[bytes, Source] = {}
        self.sent: list[PackRef] = []  # packs
        self.sent_bytes = 0

    def __enter__(self) -> Self:
        self.pool = Workers(self._remote.backend, self._jobs, "mvc-push")
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.pool.__exit__(kind)

    # -- what the remote holds

    def learn(self, segment: Segment) -> None:
        """Note where the chunks of a segment lie, unless their packs are gone or doomed."""
        placement = segment.placement
        if placement is None:
            return
        usable = [PackHandle(name, size) if self._state.usable(name, size) else None for name, size in placement.packs]
        for place, stored in zip(placement.pack, placement.stored, strict=True):
            owner = usable[place]
            if owner is not None and stored.encoding in codec.KNOWN:
                self.sources.setdefault(stored.cid, Source(owner, stored))

    def learn_parts(self, root: Root) -> None:
        """Note where the segments and leaves of a root lie, so that unchanged ones are not sent again."""
        for part in root.parts():
            if part.place is not None and part.name not in self._parts:
                name, size = root.packs[part.place.pack]
                if self._state.usable(name, size):
                    self._part_packs.append(PackHandle(name, size))
                    self._parts[part.name] = replace(part, place=part.place._replace(pack=len(self._part_packs) - 1))

    # -- chunks

    def append(self, data: bytes, chunk: NewChunk) -> Source:
        """Send DATA, the stored bytes of CHUNK, in the next pack. Return where the chunk will lie."""
        if not self._building.records.fits((chunk.encoding,)):
            self._seal()
        placed = chunk.at(len(self._body))
        self._building.records.add(placed)
        self._body += data
        source = self.sources[placed.cid] = Source(self._building, placed)
        if len(self._body) + self._building.records.end >= PACK:
            self._seal()
        return source

    def _seal(self) -> None:
        """Name the pack that is being built, and start sending it."""
        built, body = self._building, self._body
        chunks = built.records.chunks.values()
        if not chunks:
            return
        self._building, self._body = PackHandle(), bytearray(pack.MAGIC)
        trailer = pack.encode_trailer(chunks)
        if pack.pack_id(trailer) in self._state.doomed:
            trailer = pack.encode_trailer(chunks, os.urandom(16))
        body += trailer + pack.footer(trailer)
        built.name, built.size = pack.pack_id(trailer), len(body)
        pack.check_pack(built.size, pack.bytes_at(body), built.name, len(chunks))
        built.records = pack.Building()
        if self._state.listing.has_pack(built.name, built.size):
            self._on_bytes(built.size)
            return
        while len(self._flying) >= self._jobs:
            self._wait_for_first()
        self._flying.append(self.pool.submit(self._put, built, body))

    def _put(self, built: PackHandle, body: bytearray) -> PackRef:
        self._remote.backend.put(pack_key(built.name), body)
        self._on_bytes(len(body))
        return PackRef(built.name, len(body))

    def _wait_for_first(self) -> None:
        """Wait for the pack that was sent first, and count it on this thread."""
        self.sent.append(self._flying.popleft().result())
        self.sent_bytes += self.sent[-1].size

    def _wait_for_packs(self) -> None:
        """Wait until every pack so far is complete on the remote."""
        self._seal()
        while self._flying:
            self._wait_for_first()

    # -- roots

    def finish(self, contents: Sequence[Content]) -> list[Root]:
        """Return the roots of CONTENTS, whose chunks all have a source. All packs and parts are on the remote then.

        Raises FormatError for a root above the limit.
        """
        self._wait_for_packs()
        roots = [manifest.write_root(content, self, placed=True) for content in contents]
        self._wait_for_packs()
        made = [_with_table(root, self._part_packs) for root in roots]
        for root in made:
            root.encode()  # raises FormatError before any of them is written
        return made

    def packs_of(self, content: Content, root: Root) -> Packs:
        """Return every pack that an object needs."""
        packs = {PackRef(source.pack.name, source.pack.size) for source in map(self._source, cids(content.recipe))}
        return tuple(sorted(packs | set(root.packs)))

    def _source(self, cid: bytes) -> Source:
        return self.sources[cid]

    # -- as a manifest.PartSink

    def put_part(self, data: bytes, content: int) -> Part:
        """Send a segment or leaf like a chunk."""
        name = blake3(data).digest()
        if name not in self._parts:
            owner, placed = self.append(data, codec.new_chunk(name, data, len(data)))
            if not self._part_packs or self._part_packs[-1] is not owner:
                self._part_packs.append(owner)
            place = PartPlace(len(self._part_packs) - 1, placed.offset, placed.stored, RAW.id, placed.xxh3)
            self._parts[name] = Part(None, name, len(data), content, place)
        return replace(self._parts[name], content=content)

    def segment(self, recipe: Recipe) -> Segment:
        """Return the segment of RECIPE with its placement on the remote."""
        table: dict[bytes, int] = {}
        packs: list[PackRef] = []
        numbers: array[int] = recipe.lengths[:0]
        stored = []
        for cid in cids(recipe):
            source = self.sources[cid]
            if source.pack.name not in table:
                table[source.pack.name] = len(packs)
                packs.append(PackRef(source.pack.name, source.pack.size))
            numbers.append(table[source.pack.name])
            stored.append(source.stored)
        return Segment(recipe, Placement(tuple(packs), numbers, tuple(stored)))


def cids(recipe: Recipe) -> Iterator[bytes]:
    """Yield the cids of a recipe in order."""
    for cid, _ in recipe:
        yield cid


def _with_table(root: Root, packs: Sequence[PackHandle]) -> Root:
    """Return ROOT with its own table of packs. Its parts had positions in PACKS."""
    used = sorted({part.place.pack for part in root.parts() if part.place is not None})
    number = {old: new for new, old in enumerate(used)}

    def moved(part: Part) -> Part:
        return part if part.place is None else replace(part, place=part.place._replace(pack=number[part.place.pack]))

    return replace(
        root,
        packs=tuple(PackRef(packs[old].name, packs[old].size) for old in used),
        segments=tuple(moved(part) for part in root.segments),
        leaves=tuple(
            replace(leaf, leaf=moved(leaf.leaf), segments=tuple(moved(part) for part in leaf.segments))
            for leaf in root.leaves
        ),
    )
