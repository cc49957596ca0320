"""A store that lies behind a backend: its config, roots, packs and dooms. Keys: docs/format.md#store."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from blake3 import blake3

from modelvc.errors import FormatError, KeyMissing, ObjectCorrupt, RemoteBusy, RemoteChanged
from modelvc.formats import limits
from modelvc.formats.binary import pack
from modelvc.formats.binary import root as rootformat
from modelvc.formats.binary.pack import Encoding
from modelvc.formats.text import doom_list, repository_registration, store_config
from modelvc.formats.text.server_support import ServerSupport
from modelvc.formats.text.store_config import StoreConfig
from modelvc.store.backends import retry
from modelvc.store.backends.api import MeasurableBackend
from modelvc.store.backends.probe import measure_server
from modelvc.store.objects import codec
from modelvc.store.remote.servers import Servers

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from modelvc.formats.binary.pack import PackRef
    from modelvc.formats.binary.root import Part, Root
    from modelvc.ids import Oid
    from modelvc.store.backends.api import Backend, Entry

_SHARD = {"file": "b", "tree": "t"}


def root_key(kind: str, oid: Oid) -> str:
    digits = oid.hex()
    return f"{_SHARD[kind]}/{digits[:2]}/{digits}"


def pack_key(name: bytes) -> str:
    digits = name.hex()
    return f"packs/{digits[:2]}/{digits}"


class RemoteRoot(NamedTuple):
    """The root of an object on a remote, and the entry of its key: who replaces the root names its etag."""

    root: Root
    entry: Entry


@dataclass(frozen=True, slots=True)
class Listing:
    """What a remote holds, as it was listed."""

    keys: Mapping[str, Entry]

    def has_pack(self, name: bytes, size: int) -> bool:
        entry = self.keys.get(pack_key(name))
        return entry is not None and entry.size == size

    def has_root(self, kind: str, oid: Oid) -> bool:
        return root_key(kind, oid) in self.keys

    def without(self, packs: Collection[bytes]) -> Listing:
        """The same, but for PACKS."""
        gone = {pack_key(name) for name in packs}
        return Listing({key: entry for key, entry in self.keys.items() if key not in gone}) if gone else self

    @property
    def dooms(self) -> list[Entry]:
        """The doom lists."""
        return [entry for key, entry in self.keys.items() if key.startswith(doom_list.FOLDER)]


class RemoteStore:
    """Reads and writes the keys of one remote. Safe from many threads."""

    def __init__(self, backend: Backend, servers: Servers | None = None, waits: retry.Waits | None = None) -> None:
        self.backend = backend
        self._servers = servers or Servers("")
        self.waits = waits or retry.Waits()
        self._measured = False
        self._lock = threading.Lock()
        self._segments: dict[bytes, bytes] = {}

    @property
    def name(self) -> str:
        return self.backend.name

    def check(self) -> StoreConfig | None:
        """Refuse a store that this mvc cannot read; None when nothing was ever pushed here."""
        try:
            data, _ = self.backend.read("config", limit=limits.STORE_CONFIG)
        except KeyMissing:
            return None
        found = store_config.parse(data, self.name)
        found.check_read(self.name)
        return found

    def prepare(self) -> bool:
        """Make sure that there is a config, and that this mvc may write; whether there was none."""
        try:
            found = self.check()
        except FormatError:
            self.adapt("")
            found = self._restored()
        made = found is None
        if found is None:
            self.adapt("")
            alone = not self.backend.capabilities.conditional
            fresh = StoreConfig.create().with_unconditional_writers() if alone else StoreConfig.create()
            try:
                self.backend.create("config", fresh.encode())
            except RemoteChanged:  # somebody else pushed first at the same time
                found = self.check()
            else:
                found = (self.check() if alone else None) or fresh
        if found is not None:
            found.check_write(self.name)
            self.adapt(found.id)
            self._declare(found)
        return made

    def adapt(self, store: str, *, anew: bool = False) -> None:
        """Before anything is written, learn what the server honours and ask it for that only.

        The clone remembers it, or measures it (always with ANEW). STORE is the id of the store, "" before it has one.
        """
        backend = self.backend
        if not isinstance(backend, MeasurableBackend):
            return
        server = backend.server()
        known = self._servers.recall(store, server) if store and not anew else None
        if known is not None and not self._measured:
            backend.rely_on(replace(backend.capabilities, conditional=known.conditional, checksums=known.checksums))
        elif known is None:
            found = backend.capabilities if self._measured else measure_server(backend)
            if store:
                self._servers.keep(ServerSupport(store, server, found.conditional, found.checksums))
        self._measured = True

    def _declare(self, config: StoreConfig) -> None:
        """Say in the store's CONFIG, before a pack is written without conditions, that gc has to run alone."""
        while not self.backend.capabilities.conditional and not config.unconditional:
            _, entry = self.backend.read("config", limit=limits.STORE_CONFIG)
            with contextlib.suppress(RemoteChanged):
                self.backend.replace("config", config.with_unconditional_writers().encode(), entry.etag)
            again = self.check()
            if again is None:
                raise self.unseen("config")
            config = again

    def _restored(self) -> StoreConfig | None:
        """A new config in place of what is left of one that this version wrote; FormatError where it is anything else.

        All that a config of version 1 says of a store is the same everywhere, but for its id.
        """
        data, entry = self.backend.read("config", limit=limits.STORE_CONFIG)
        if not store_config.is_torn(data):
            return self.check()
        fresh = StoreConfig.create()
        try:
            self.backend.replace("config", fresh.encode(), entry.etag)
        except RemoteChanged:
            return self.check()
        return fresh

    def register(self, place: str, listing: Listing) -> bool:
        """Note that the Git repository at PLACE uses this store; False where LISTING shows that it is noted."""
        key = repository_registration.key_of(place)
        if key in listing.keys:
            return False
        self.backend.put(key, repository_registration.encode(place))
        return True

    def repositories(self) -> dict[str, str]:
        """The Git repositories that use this store, with the key of each; FormatError for one of a later format."""
        found = {}
        for key in sorted(entry.key for entry in self.backend.list(repository_registration.FOLDER)):
            data, _ = self.backend.read(key, limit=limits.REGISTRATION)
            found[repository_registration.parse(data, f"{key} on {self.name}")] = key
        return found

    def listing(self) -> Listing:
        """Everything that is here: one request per page."""
        return Listing({entry.key: entry for entry in self.backend.list("")})

    def confirm(self, sizes: Mapping[str, int]) -> None:
        """Wait until the keys of SIZES are there as large as that: what a server said it kept may be lost, or late."""
        waits = retry.delays()
        while True:
            found = self.backend.stat(sizes.keys())
            lacking = [key for key, size in sizes.items() if key not in found or found[key].size != size]
            if not lacking:
                return
            if not waits:
                raise self.unseen(lacking[0])
            self.waits.pause(self.unseen(lacking[0]), waits.pop(0))

    def prove(self, packs: Iterable[PackRef]) -> bool:
        """Read the trailers of PACKS (name, size) that were just sent; False when one is gone by now."""
        for name, size in packs:

            def read_at(offset: int, length: int, key: str = pack_key(name)) -> bytes:
                (data,) = self.backend.read_ranges(key, [(offset, length)])
                return bytes(data)

            try:
                pack.read_trailer(size, read_at, name, strict=True)
            except KeyMissing:
                return False
            except FormatError as error:
                raise ObjectCorrupt(f"pack {name.hex()[:10]} ({error})", self.name, remote=True) from None
        return True

    def unseen(self, key: str) -> RemoteBusy:
        return RemoteBusy(
            f"{key} was sent to {self.name}, which does not show it",
            hint="run the command again: it sends what is lost; if it stays so, ask who runs the server",
        )

    def look(self, keys: list[str]) -> Listing:
        """Only KEYS and the doom lists: for few keys and a large remote."""
        found = dict(self.backend.stat(keys))
        found.update((entry.key, entry) for entry in self.doom_lists())
        return Listing(found)

    def read_root(self, kind: str, oid: Oid) -> RemoteRoot | None:
        """Read the root of an object. Return None when there is none. Raises ObjectCorrupt for a damaged one."""
        try:
            data, entry = self.backend.read(root_key(kind, oid), limit=limits.ROOT)
        except KeyMissing:
            return None
        try:
            found = rootformat.parse(data)
        except FormatError as error:
            raise ObjectCorrupt(f"the root of {oid.short} ({error})", self.name, remote=True) from None
        if found.oid != oid or found.kind != kind or not found.placed:
            raise ObjectCorrupt(f"the root of {oid.short}", self.name, remote=True)
        return RemoteRoot(found, entry)

    def read_part(self, root: Root, part: Part) -> bytes:
        """A segment or leaf, verified against its name."""
        if part.data is not None:
            return part.data
        if part.place is None:
            raise FormatError("not a valid root: a part does not say where it lies")
        place = part.place
        with self._lock:
            known = self._segments.get(part.name)
        if known is not None:
            return known
        key = pack_key(root.packs[place.pack].name)
        (stored,) = self.backend.read_ranges(key, [(place.offset, place.stored)])
        try:
            data = bytes(codec.decode(Encoding(place.encoding), stored, part.length))
        except FormatError as error:
            raise ObjectCorrupt(f"a part of {root.oid.short} ({error})", self.name, remote=True) from None
        if blake3(data).digest() != part.name:
            raise ObjectCorrupt(f"a part of {root.oid.short}", self.name, remote=True)
        with self._lock:
            if len(self._segments) > 64:
                self._segments.clear()
            self._segments[part.name] = data
        return data

    def doomed(self, lists: Iterable[Entry]) -> dict[bytes, float]:
        """Packs on the doom lists LISTS, never to be referenced anew, and since when (by the remote's clock)."""
        found: dict[bytes, float] = {}
        for entry in lists:
            data, _ = self.backend.read(entry.key, limit=limits.DOOM_LIST)
            try:
                names = doom_list.parse(data)
            except FormatError:
                raise ObjectCorrupt(f"the doom list {entry.key}", self.name, remote=True) from None
            if len(data) != entry.size:  # a line less would be a pack that seems to stay
                raise ObjectCorrupt(f"the doom list {entry.key}", self.name, remote=True)
            for name in names:
                found[name] = min(found.get(name, entry.mtime), entry.mtime)
        return found

    def doom_lists(self) -> list[Entry]:
        return list(self.backend.list(doom_list.FOLDER))

    def generation(self) -> int:
        """The number of the last doom list, 0 without any. A clean-up raises it before it removes a root."""
        return self._last(entry.key for entry in self.doom_lists())

    def doom(self, packs: Iterable[bytes], known: Collection[str]) -> str:
        """Doom PACKS in the list after those KNOWN; its key. RemoteChanged when another clean-up wrote that one."""
        key = f"{doom_list.FOLDER}{self._last(known) + 1:08}"
        self.backend.create(key, doom_list.encode(packs))
        return key

    def _last(self, known: Iterable[str]) -> int:
        """The highest number among the keys of doom lists KNOWN; 0 without any."""
        try:
            return max((int(key.removeprefix(doom_list.FOLDER)) for key in known), default=0)
        except ValueError:
            raise ObjectCorrupt("the numbering of doom lists", self.name, remote=True) from None

    def close(self) -> None:
        self.backend.close()
