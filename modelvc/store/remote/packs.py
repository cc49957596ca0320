"""Read the trailers of a remote's packs, note which of their chunks are needed, and compare the bytes of these.

A needed chunk costs one bit beside the trailer of its pack, so memory stays small. Checked bytes are not read again.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from modelvc.errors import FormatError, KeyMissing
from modelvc.formats.binary import pack
from modelvc.formats.binary.pack import Located, PackRef, Trailer
from modelvc.store.backends.api import KeyDenied
from modelvc.store.backends.spans import merge
from modelvc.store.objects import codec
from modelvc.store.remote.store import pack_key
from modelvc.store.remote.workers import Workers, windowed

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable

    from modelvc.formats.binary.pack import Stored
    from modelvc.store.remote.store import Listing, RemoteStore

_TAIL = 16 << 10  # bytes that hold the trailer of nearly every pack of 16 MiB
_READ = 9 << 20  # bytes of one request for chunks: half a pack of 16 MiB
_KEPT = 48 << 20  # bytes of trailers in memory; a dropped trailer is read again
GONE = "is not there"
DENIED = "cannot be read by this account"

Content = bytes | memoryview
Trailers = dict[bytes, Trailer | None]


class Spot(NamedTuple):
    """The place of a chunk in its pack, as a root names it."""

    offset: int
    cid: bytes


@dataclass(slots=True)
class RemotePack:
    """One pack that some object needs. `trouble` says why the pack as a whole is unusable, "" if it is usable."""

    name: bytes
    size: int
    trouble: str = ""
    readable: bool = True  # its chunks can be read where roots say they are
    needed: bytearray = field(default_factory=bytearray)  # one bit for each record of the trailer
    done: bytearray = field(default_factory=bytearray)  # of these, which were compared
    unlisted: dict[Spot, Stored] = field(default_factory=dict)  # needed chunks that the trailer lacks
    unlisted_done: set[Spot] = field(default_factory=set)
    bad: set[bytes] = field(default_factory=set)  # cids

    @property
    def ref(self) -> PackRef:
        """Its name, and the size that roots give."""
        return PackRef(self.name, self.size)

    @property
    def short(self) -> str:
        """The first ten hex digits of its name: what people compare."""
        return self.name.hex()[:10]

    @property
    def why(self) -> str:
        """What is wrong with it, in words for people."""
        return self.trouble or f"has {len(self.bad)} damaged chunk{'' if len(self.bad) == 1 else 's'}"

    @property
    def lost(self) -> set[bytes]:
        """The chunks that cannot be read from it."""
        return self.bad if self.readable else {chunk.cid for chunk in self.unlisted.values()}

    @property
    def gone(self) -> bool:
        """True if the remote has no such pack."""
        return self.trouble == GONE

    @property
    def denied(self) -> bool:
        """True if this account cannot read it."""
        return self.trouble == DENIED


class RemotePacks:
    """All packs of one remote that some object needs. Safe from many threads."""

    def __init__(self, remote: RemoteStore, listing: Listing, jobs: int) -> None:
        self._remote = remote
        self._listing = listing
        self._jobs = jobs
        self._lock = threading.Lock()
        self._loader = ThreadPoolExecutor(jobs, "mvc-trailer")
        self._trailers: dict[bytes, Future[Trailer | None]] = {}
        self._kept = 0
        self.packs: dict[bytes, RemotePack] = {}
        self.needed_bytes = 0
        self.done_bytes = 0  # of needed chunks
        self.read_bytes = 0  # trailers and gaps included

    def close(self) -> None:
        """Stop reading trailers."""
        self._loader.shutdown(cancel_futures=True)

    # -- what is needed

    def open(self, packs: Iterable[PackRef]) -> Trailers:
        """Return the trailers of PACKS: None for a pack without a usable trailer."""
        asked = [(name, self._start_loading(name, size)) for name, size in packs]
        return {name: future.result() for name, future in asked}

    def _start_loading(self, name: bytes, size: int) -> Future[Trailer | None]:
        with self._lock:
            known = self.packs.get(name)
            if known is None:
                known = self.packs[name] = RemotePack(name, size)
            elif known.size != size:
                known.trouble, known.readable = "has another size than some root says", False
            future = self._trailers.get(name)
            if future is None:
                future = self._trailers[name] = self._loader.submit(self._load, known)
            return future

    def _load(self, one: RemotePack) -> Trailer | None:
        listed = one.trouble or self._listed(one)
        with self._lock:
            one.trouble = one.trouble or listed  # another root may name another size meanwhile
            one.readable = not one.trouble
        if one.trouble:
            return None
        try:
            read_at = partial(self.read, one.name)
            found = pack.read_trailer(one.size, read_at, one.name, ahead=_TAIL, strict=True)
        except KeyMissing:
            one.trouble, one.readable = GONE, False
            return None
        except KeyDenied:
            one.trouble, one.readable = DENIED, False
            return None
        except FormatError as error:
            one.trouble = f"has a damaged trailer ({error})"
            return None
        with self._lock:
            if not one.needed:
                one.needed, one.done = bytearray(-(-found.count // 8)), bytearray(-(-found.count // 8))
            self._kept += found.size
            for name in list(self._trailers):
                future = self._trailers[name]
                if self._kept <= _KEPT:
                    break
                if future.done() and name != one.name:
                    del self._trailers[name]
                    dropped = future.result()
                    self._kept -= dropped.size if dropped else 0
        return found

    def _listed(self, one: RemotePack) -> str:
        """Return what the listing, or else a second look-up, says against a pack; "" if it says nothing."""
        key = pack_key(one.name)
        entry = self._listing.keys.get(key) or self._remote.backend.stat([key]).get(
            key
        )  # it may have come since the listing
        if entry is None:
            return GONE
        return "" if entry.size == one.size else f"has {entry.size:,} of {one.size:,} bytes"

    def need(self, chunks: Iterable[Located], trailers: Trailers, *, read: bool = False) -> None:
        """Note CHUNKS as needed. With READ, they were compared already."""
        with self._lock:
            for name, chunk in chunks:
                self._mark(self.packs[name], chunk, trailers.get(name), read=read)

    def _mark(self, one: RemotePack, chunk: Stored, trailer: Trailer | None, *, read: bool) -> None:
        place = _place(trailer, chunk)
        spot = Spot(chunk.offset, chunk.cid)
        if place is None:
            known, done = spot in one.unlisted, spot in one.unlisted_done
            one.unlisted[spot] = chunk
        else:
            known, done = _bit(one.needed, place), _bit(one.done, place)
            _set(one.needed, place)
        self.needed_bytes += 0 if known else chunk.stored
        if read and not done:
            self.done_bytes += chunk.stored
            if place is None:
                one.unlisted_done.add(spot)
            else:
                _set(one.done, place)

    def is_done(self, name: bytes, chunk: Stored, trailer: Trailer | None) -> bool:
        """Return True if a chunk was compared already."""
        place = _place(trailer, chunk)
        if place is None:
            return Spot(chunk.offset, chunk.cid) in self.packs[name].unlisted_done
        return _bit(self.packs[name].done, place)

    def compare(
        self, name: bytes, chunk: Stored, stored: bytes | memoryview, trailer: Trailer | None
    ) -> Content | None:
        """Return the content of a chunk that was read as STORED. Return None for a damaged chunk, and note it."""
        content = codec.verified_content(chunk, stored)
        with self._lock:
            one = self.packs[name]
            self._mark(one, chunk, trailer, read=True)
            if content is None:
                one.bad.add(chunk.cid)
        return content

    # -- bytes

    def read_needed(
        self, packs: Iterable[RemotePack], choose: Callable[[int], bool], on_bytes: Callable[[int], None]
    ) -> None:
        """Read and compare the needed chunks of PACKS that were not compared yet.

        CHOOSE gets the bytes of each and may skip it.
        """
        with Workers(self._remote.backend, self._jobs, "mvc-verify") as pool:
            asked = ((one, wanted) for one in packs if one.readable and (wanted := self._chosen(one, choose)))
            for size in windowed(pool, self._jobs * 2, lambda each: self._read_pack(*each), asked):
                on_bytes(size)

    def _chosen(self, one: RemotePack, choose: Callable[[int], bool]) -> list[Stored]:
        (trailer,) = self.open([one.ref]).values()
        found = [chunk for spot, chunk in one.unlisted.items() if spot not in one.unlisted_done]
        if trailer is not None:
            left = (place for place in range(trailer.count) if _bit(one.needed, place) and not _bit(one.done, place))
            found += [trailer.at(place) for place in left]
        return sorted((chunk for chunk in found if choose(chunk.stored)), key=lambda chunk: chunk.offset)

    def _read_pack(self, one: RemotePack, chunks: list[Stored]) -> int:
        size = 0
        (trailer,) = self.open([one.ref]).values()
        for span in merge([(chunk.offset, chunk.stored) for chunk in chunks], most=_READ):
            try:
                data = self.read(one.name, span.start, span.stop - span.start)
            except KeyMissing:  # a gc of the remote was faster
                one.trouble, one.readable = GONE, False
                return size
            except KeyDenied:
                one.trouble, one.readable = DENIED, False
                return size
            view = memoryview(data)
            for chunk in (chunks[place] for place in span.members):
                at = chunk.offset - span.start
                self.compare(one.name, chunk, view[at : at + chunk.stored], trailer)
                size += chunk.stored
        return size

    def read(self, name: bytes, start: int, length: int) -> bytes:
        """Read bytes of a pack, and count them."""
        (found,) = self._remote.backend.read_ranges(pack_key(name), [(start, length)])
        self.count(length)
        return found

    def count(self, size: int) -> None:
        """Count SIZE bytes of packs as read."""
        with self._lock:
            self.read_bytes += size


def share_of(total: int, share: float, rng: random.Random) -> Callable[[int], bool]:
    """Return a function that chooses chunks at random until SHARE of TOTAL bytes is chosen, and at least one chunk."""
    wanted, left, some = total * share, total, False

    def choose(size: int) -> bool:
        nonlocal wanted, left, some
        chosen = rng.random() * left < wanted or (size >= left and not some)
        left -= size
        if chosen:
            wanted, some = wanted - size, True
        return chosen

    return choose


def _place(trailer: Trailer | None, chunk: Stored) -> int | None:
    """Return the position of the record that agrees with CHUNK, or None if the trailer has no such record."""
    place = None if trailer is None else trailer.place(chunk.cid)
    return place if place is not None and trailer is not None and trailer.at(place) == chunk else None


def _bit(bits: bytearray, place: int) -> bool:
    return bool(bits[place >> 3] >> (place & 7) & 1)


def _set(bits: bytearray, place: int) -> None:
    bits[place >> 3] |= 1 << (place & 7)
