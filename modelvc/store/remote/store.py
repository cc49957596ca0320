"""Read and write a store behind a backend: its config, roots, packs and doom lists. Keys: docs/format.md#store."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from blake3 import blake3

from modelvc.errors import FormatError, KeyMissing, ObjectCorrupt, RemoteBusy, RemoteChanged, StoreGone
from modelvc.formats import limits
from modelvc.formats.binary import pack
from modelvc.formats.binary import root as rootformat
from modelvc.formats.binary.pack import Encoding
from modelvc.formats.text import doom_list, repository_registration, store_config
from modelvc.formats.text.server_support import ServerSupport
from modelvc.formats.text.store_config import StoreConfig
from modelvc.store.backends import retry
from modelvc.store.backends.api import MeasurableBackend, MountedBackend
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
    """Return the key of an object's root."""
    digits = oid.hex()
    return f"{_SHARD[kind]}/{digits[:2]}/{digits}"


def pack_key(name: bytes) -> str:
    """Return the key of a pack."""
    digits = name.hex()
    return f"packs/{digits[:2]}/{digits}"


class RemoteRoot(NamedTuple):
    """The root of an object on a remote, and the entry of its key, whose etag a replacement needs."""

    root: Root
    entry: Entry


@dataclass(frozen=True, slots=True)
class Listing:
    """What a remote held when it was listed."""

    keys: Mapping[str, Entry]

    def has_pack(self, name: bytes, size: int) -> bool:
        """Return True if the pack NAME is there with SIZE bytes."""
        entry = self.keys.get(pack_key(name))
        return entry is not None and entry.size == size

    def has_root(self, kind: str, oid: Oid) -> bool:
        """Return True if the object has a root there."""
        return root_key(kind, oid) in self.keys

    def without(self, packs: Collection[bytes]) -> Listing:
        """Return the listing without PACKS."""
        gone = {pack_key(name) for name in packs}
        return Listing({key: entry for key, entry in self.keys.items() if key not in gone}) if gone else self

    @property
    def dooms(self) -> list[Entry]:
        """The entries of the doom lists."""
        return [entry for key, entry in self.keys.items() if key.startswith(doom_list.FOLDER)]


class RemoteStore:
    """Reads and writes the keys of one remote. Safe from many threads.

    `used`: the name of the remote if this clone has used its store before, else "". An empty store is then another
    one: each method that would report nothing raises StoreGone.
    """

    def __init__(
        self,
        backend: Backend,
        servers: Servers | None = None,
        waits: retry.Waits | None = None,
        *,
        used: str = "",
    ) -> None:
        self.backend = backend
        self._used = used
        self._servers = servers or Servers("")
        self.waits = waits or retry.Waits()
        self._measured = False
        self._lock = threading.Lock()
        self._segments: dict[bytes, bytes] = {}

    @property
    def name(self) -> str:
        """The URL for messages, without credentials."""
        return self.backend.name

    def check(self) -> StoreConfig | None:
        """Return the config, or None if nothing was ever pushed.

        Raises ConfigError for a store of a later release, StoreGone if nothing is left of a store that was used.
        """
        try:
            data, _ = self.backend.read("config", limit=limits.STORE_CONFIG)
        except KeyMissing:
            self._require_rest()
            return None
        found = store_config.parse(data, self.name)
        found.check_read(self.name)
        return found

    def _require_rest(self) -> None:
        """Raise StoreGone if the store was used before and has no key now."""
        if self._used and next(iter(self.backend.list("")), None) is None:
            mounted = isinstance(self.backend, MountedBackend)
            missing = isinstance(self.backend, MountedBackend) and not self.backend.is_there()
            ask = "is its drive mounted?" if mounted else "see `mvc remote list` for its address;"
            again = f"`mvc push --all --create -r {self._used}`"
            hint = f"{ask} if the store is lost for good, make a new one with {again}"
            raise StoreGone(self.name, hint, missing=missing)

    def prepare(self) -> bool:
        """Create the config if there is none, and return True if so.

        Raises ConfigError for a store of a later release.
        """
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
            except RemoteChanged:  # another first push was faster
                found = self.check()
            else:
                found = (self.check() if alone else None) or fresh
        if found is not None:
            found.check_write(self.name)
            self.adapt(found.id)
            self._declare(found)
        return made

    def adapt(self, store: str, *, again: bool = False) -> None:
        """Find what the server honours, and use only that. Call it before the first write.

        A clone measures each server once and remembers the result; with AGAIN it measures again. STORE is the id of the
        store, "" before it has one.
        """
        backend = self.backend
        if not isinstance(backend, MeasurableBackend):
            return
        server = backend.server()
        known = self._servers.recall(store, server) if store and not again else None
        if known is not None and not self._measured:
            backend.rely_on(replace(backend.capabilities, conditional=known.conditional, checksums=known.checksums))
        elif known is None:
            found = backend.capabilities if self._measured else measure_server(backend)
            if store:
                self._servers.keep(ServerSupport(store, server, found.conditional, found.checksums))
        self._measured = True

    def _declare(self, config: StoreConfig) -> None:
        """Say in the store's CONFIG that packs are written without conditions, so that gc has to run alone."""
        while not self.backend.capabilities.conditional and not config.unconditional:
            _, entry = self.backend.read("config", limit=limits.STORE_CONFIG)
            with contextlib.suppress(RemoteChanged):
                self.backend.replace("config", config.with_unconditional_writers().encode(), entry.etag)
            again = self.check()
            if again is None:
                raise self.unseen("config")
            config = again

    def _restored(self) -> StoreConfig | None:
        """Replace a torn config of this version, and return the new one. Raises FormatError for any other damage.

        In version 1, only the id differs between configs.
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
        """Note that the Git repository at PLACE uses this store. Return False if LISTING shows that note already."""
        key = repository_registration.key_of(place)
        if key in listing.keys:
            return False
        self.backend.put(key, repository_registration.encode(place))
        return True

    def repositories(self) -> dict[str, str]:
        """Return the Git repositories that use this store, with the key of each.

        Raises FormatError for a later format, StoreGone if nothing is left of a store that was used.
        """
        found = {}
        for key in sorted(entry.key for entry in self.backend.list(repository_registration.FOLDER)):
            data, _ = self.backend.read(key, limit=limits.REGISTRATION)
            found[repository_registration.parse(data, f"{key} on {self.name}")] = key
        if not found:
            self._require_rest()
        return found

    def listing(self) -> Listing:
        """List all keys: one request per page. Raises StoreGone if nothing is left of a store that was used."""
        found = {entry.key: entry for entry in self.backend.list("")}
        if not found:
            self._require_rest()
        return Listing(found)

    def confirm(self, sizes: Mapping[str, int]) -> None:
        """Wait until the keys of SIZES are there with these sizes.

        Raises RemoteBusy if the server lost one, or still hides it.
        """
        waits = retry.delays()
        while True:
            found = self.backend.stat(sizes.keys())
            lacking = [key for key, size in sizes.items() if key not in found or found[key].size != size]
            if not lacking:
                return
            if not waits:
                raise self.unseen(lacking[0])
            self.waits.pause(self.unseen(lacking[0]), waits.pop(0))

    def check_packs(self, packs: Iterable[PackRef]) -> bool:
        """Read the trailers of PACKS that were just sent. Return False if one is gone.

        Raises ObjectCorrupt for a damaged one.
        """
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
        """Return the error for a key that was sent and is not listed."""
        return RemoteBusy(
            f"{key} was sent to {self.name}, which does not show it",
            hint="run the command again: it sends what is lost; if it stays so, ask who runs the server",
        )

    def look_up(self, keys: list[str]) -> Listing:
        """Return a listing of KEYS and the doom lists only: for few keys and a large remote."""
        found = dict(self.backend.stat(keys))
        found.update((entry.key, entry) for entry in self.doom_lists())
        return Listing(found)

    def read_root(self, kind: str, oid: Oid) -> RemoteRoot | None:
        """Return the root of an object, or None if it has none. Raises ObjectCorrupt for a damaged root."""
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
        """Return the bytes of a segment or leaf, compared with its name.

        Raises ObjectCorrupt, FormatError or KeyMissing.
        """
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
        """Return the packs on the doom lists LISTS, each with the time when it was doomed, in seconds.

        The time is by the remote's clock. No new root may name such a pack. Raises ObjectCorrupt for a damaged list.
        """
        found: dict[bytes, float] = {}
        for entry in lists:
            data, _ = self.backend.read(entry.key, limit=limits.DOOM_LIST)
            try:
                names = doom_list.parse(data)
            except FormatError:
                raise ObjectCorrupt(f"the doom list {entry.key}", self.name, remote=True) from None
            if len(data) != entry.size:  # a lost line would be a pack that seems not doomed
                raise ObjectCorrupt(f"the doom list {entry.key}", self.name, remote=True)
            for name in names:
                found[name] = min(found.get(name, entry.mtime), entry.mtime)
        return found

    def doom_lists(self) -> list[Entry]:
        """List the doom lists."""
        return list(self.backend.list(doom_list.FOLDER))

    def generation(self) -> int:
        """Return the number of the last doom list, 0 without any. gc raises it before it deletes a root."""
        return self._last(entry.key for entry in self.doom_lists())

    def doom(self, packs: Iterable[bytes], known: Collection[str]) -> str:
        """Doom PACKS in the list after those KNOWN. Return its key.

        Raises RemoteChanged if another gc wrote that list.
        """
        key = f"{doom_list.FOLDER}{self._last(known) + 1:08}"
        self.backend.create(key, doom_list.encode(packs))
        return key

    def _last(self, known: Iterable[str]) -> int:
        """Return the highest number among the keys KNOWN of doom lists, 0 without any."""
        try:
            return max((int(key.removeprefix(doom_list.FOLDER)) for key in known), default=0)
        except ValueError:
            raise ObjectCorrupt("the numbering of doom lists", self.name, remote=True) from None

    def close(self) -> None:
        """Close the backend."""
        self.backend.close()
