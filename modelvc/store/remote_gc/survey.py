"""Survey a remote before gc deletes anything: its roots, the packs that they need, its doom lists."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from modelvc.errors import FormatError, KeyMissing, ObjectCorrupt, RemoteBusy
from modelvc.formats.binary import pack
from modelvc.formats.text import repository_registration
from modelvc.ids import ObjectName, Oid
from modelvc.store.objects import manifest
from modelvc.store.remote.store import pack_key, root_key
from modelvc.store.remote.workers import Workers, windowed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from modelvc.formats.binary.root import Root
    from modelvc.store.backends.api import Entry
    from modelvc.store.remote.store import Listing, RemoteStore


_DEAD_SHARE = 0.25  # of a pack's bytes; a larger dead share dooms the pack
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class GcRules:
    """What gc of a remote keeps. `reached` returns the names that Git's refs reach now; GRACE is in seconds.

    JOBS: requests at once. `registered`: the keys of the repositories that `reached` asks; None for any.
    """

    reached: Callable[[], Collection[ObjectName]]
    grace: float
    jobs: int = 8
    registered: Collection[str] | None = None


@dataclass(frozen=True, slots=True)
class UnreachableRoot:
    """A root that no ref reaches, and its age by the remote's clock."""

    kind: str
    oid: Oid
    size: int  # bytes of content; 0 when the root cannot be read
    entry: Entry
    age: float  # seconds


@dataclass(slots=True)
class Survey:
    """A remote at one moment, and what of it can be deleted."""

    dooms: set[str]  # keys of doom lists
    listing: Listing
    now: float
    unreachable: tuple[UnreachableRoot, ...]
    used: dict[str, Use] = field(default_factory=dict)  # by the key of each root that stays
    doomed: dict[bytes, float] = field(default_factory=dict)  # packs, and since when (seconds)
    deletable: frozenset[bytes] = frozenset()  # packs whose grace period is over
    to_doom: dict[bytes, int] = field(default_factory=dict)  # packs to doom now, with their unneeded bytes

    def size(self, packs: Collection[bytes]) -> int:
        """Return the bytes of PACKS."""
        return sum(self.listing.keys[pack_key(one)].size for one in packs)


class Use(NamedTuple):
    """A root: its key, its etag, and the packs that it needs."""

    key: str
    etag: str
    packs: Collection[bytes]


_Places = dict[bytes, dict[int, int]]  # pack -> offset -> stored bytes


class _Need(NamedTuple):
    """A root, and the places of what it needs."""

    use: Use
    places: _Places


class Surveyor:
    """Surveys one remote, as often as gc asks."""

    def __init__(self, remote: RemoteStore, rules: GcRules) -> None:
        self._remote = remote
        self._rules = rules

    def look(self, *, write: bool = True) -> Survey:
        """Survey the remote now. The order is the safety: doom lists, then all keys, then Git's refs.

        WRITE: see `Backend.now`.
        """
        dooms = self._remote.doom_lists()
        listing = self._remote.listing()
        now = self._remote.backend.now(write=write)
        reached = self._rules.reached()
        self._check_listing(listing, reached)
        going: list[ObjectName] = []
        staying: list[ObjectName] = []
        for name, entry in _roots(listing):
            unreached = name not in reached and entry.mtime and _age(entry, now) >= self._rules.grace
            (going if unreached else staying).append(name)
        found = Survey({entry.key for entry in dooms}, listing, now, self._unreachable_roots(going, listing, now))
        found.doomed = self._remote.doomed(dooms)
        self._find_packs(found, self._uses(staying, found))
        return found

    def _check_listing(self, listing: Listing, reached: Collection[ObjectName]) -> None:
        """Raise RemoteBusy if LISTING lacks a key that is there: needed packs would look unneeded."""
        unlisted = [root_key(*name) for name in reached if not listing.has_root(*name)]
        if unlisted and self._remote.backend.stat(unlisted):
            raise RemoteBusy(
                f"{self._remote.name} does not list all that is there (or a push ended just now)",
                hint="run it again; if it stays so, do not run gc on this server: its listings lack keys",
            )
        there = {key for key in listing.keys if key.startswith(repository_registration.FOLDER)}
        if self._rules.registered is not None and not there <= set(self._rules.registered):
            raise RemoteBusy(f"another repository came to use {self._remote.name} just now", hint="run it again")

    def _unreachable_roots(
        self, names: Sequence[ObjectName], listing: Listing, now: float
    ) -> tuple[UnreachableRoot, ...]:
        def going(name: ObjectName) -> UnreachableRoot:
            size = 0
            with suppress(ObjectCorrupt):  # it goes, so damage does not matter
                root = self._remote.read_root(*name)
                size = root.root.size if root else 0
            entry = listing.keys[root_key(*name)]
            return UnreachableRoot(*name, size, entry, _age(entry, now))

        with Workers(self._remote.backend, self._rules.jobs, "mvc-gc") as pool:
            return tuple(pool.map(going, names))

    def _uses(self, roots: Sequence[ObjectName], found: Survey) -> _Places:
        """Note in FOUND what each of ROOTS needs. Return the places of all that they need."""
        live: defaultdict[bytes, dict[int, int]] = defaultdict(dict)
        with Workers(self._remote.backend, self._rules.jobs, "mvc-gc") as pool:
            for one in windowed(pool, self._rules.jobs * 2, self._need, roots):
                if one is not None:
                    found.used[one.use.key] = one.use
                    for name, more in one.places.items():
                        live[name].update(more)
        return live

    def use(self, name: ObjectName) -> Use | None:
        """Read which packs a root needs. Return None when there is none. Raises ObjectCorrupt for a damaged one."""
        need = self._need(name)
        return need and need.use

    def _need(self, name: ObjectName) -> _Need | None:
        """Return what a root needs, or None if there is no root.

        Raises ObjectCorrupt if its manifests are damaged or gone.
        """
        etags: list[str] = []
        while True:
            found = self._remote.read_root(*name)
            if found is None:
                return None
            root, entry = found
            try:
                places = _places(self._remote, root)
            except (FormatError, KeyMissing):
                if entry.etag in etags or len(etags) >= _ATTEMPTS:
                    raise ObjectCorrupt(f"the root of {root.oid.short}", self._remote.name, remote=True) from None
                etags.append(entry.etag)  # gc may have replaced it and deleted its packs
            else:
                return _Need(Use(entry.key, entry.etag, frozenset(places)), places)

    def _find_packs(self, found: Survey, live: _Places) -> None:
        """Note in FOUND which packs to doom now, and which to delete: they were doomed a grace period ago.

        LIVE: the places that roots need.
        """
        deletable = set()
        for name, entry in packs_of(found.listing):
            if name in found.doomed:
                if max(0.0, found.now - found.doomed[name]) >= self._rules.grace:
                    deletable.add(name)
            elif entry.mtime and _age(entry, found.now) >= self._rules.grace:
                needed = live.get(name, {})
                dead = entry.size - (pack.size_of(len(needed), sum(needed.values())) if needed else 0)
                if dead > _DEAD_SHARE * entry.size:
                    found.to_doom[name] = dead
        found.deletable = frozenset(deletable)


def _roots(listing: Listing) -> Iterator[tuple[ObjectName, Entry]]:
    for key, entry in listing.keys.items():
        if key.startswith(("b/", "t/")):
            yield name_of(key), entry


def packs_of(listing: Listing) -> Iterator[tuple[bytes, Entry]]:
    """Yield the name and entry of every pack in LISTING."""
    for key, entry in listing.keys.items():
        if key.startswith("packs/"):
            with suppress(ValueError):  # not a pack
                name = bytes.fromhex(key.rpartition("/")[2])
                if pack_key(name) == key:
                    yield name, entry


def name_of(key: str) -> ObjectName:
    """Return the name of the object whose root has this key. Raises KeyMissing for another key."""
    kind = "file" if key.startswith("b/") else "tree"
    try:
        return ObjectName(kind, Oid(bytes.fromhex(key.rpartition("/")[2])))
    except ValueError:
        raise KeyMissing(f"{key} is no key of a root", hint="see what else lies there, and remove it") from None


def _age(entry: Entry, now: float) -> float:
    return max(0.0, now - entry.mtime)


def _places(remote: RemoteStore, root: Root) -> _Places:
    places: defaultdict[bytes, dict[int, int]] = defaultdict(dict)
    for part in root.parts():
        if part.place is not None:
            places[root.packs[part.place.pack].name][part.place.offset] = part.place.stored
    for segment in manifest.read_segments(remote, root):
        for name, chunk in segment.all_places():
            places[name][chunk.offset] = chunk.stored
    return dict(places)
