"""Check a remote by pack: each needed byte is read once for all versions, and nothing is kept on the disk.

What that proves: docs/decisions/0011-fsck-remote.md.
"""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from blake3 import blake3

from modelvc.errors import FormatError, IntegrityError, KeyMissing, NotFoundError, ObjectCorrupt
from modelvc.formats.binary.pack import Encoding, Located, Stored
from modelvc.store.backends.api import KeyDenied
from modelvc.store.check.remote_whole import WholeCheck
from modelvc.store.objects import manifest
from modelvc.store.remote.packs import DENIED, RemotePacks, share_of
from modelvc.store.remote.workers import Workers, windowed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from modelvc.formats.binary.root import Part, Root
    from modelvc.formats.binary.segment import Recipe, Segment
    from modelvc.ids import ObjectName
    from modelvc.store.local.store import LocalStore
    from modelvc.store.remote.packs import RemotePack
    from modelvc.store.remote.store import Listing, RemoteStore

    OnBytes = Callable[[int], None]

JOBS = 6  # requests at once, of up to 9 MiB


@dataclass(frozen=True, slots=True)
class CheckDepth:
    """How much of a remote to read.

    SHARE of the bytes of chunks, 0 for the structure only. ONLY: a pack is read if it returns True; None: every pack.
    WHOLE: also hash every object as a whole, even if many bytes are read twice for that.
    """

    share: float = 1.0
    only: Callable[[bytes], bool] | None = None
    whole: bool = False


class Fault(NamedTuple):
    """What is wrong with an object on a remote: `gone`, unreadable for this account (`denied`), or else damaged.

    `why`: "" if the remote has no root of the object.
    """

    why: str
    gone: bool
    denied: bool = False


class ContentSize(NamedTuple):
    """How much an object holds."""

    size: int  # bytes
    files: int


@dataclass(slots=True)
class RemoteHealth:
    """What was checked, and what is wrong. Bytes are stored ones.

    `proven`: objects whose whole is known to be right.
    """

    faults: dict[ObjectName, Fault] = field(default_factory=dict)
    packs: dict[bytes, RemotePack] = field(default_factory=dict)  # with damage
    users: dict[bytes, set[ObjectName]] = field(default_factory=dict)  # which objects need damage, by pack
    proven: set[ObjectName] = field(default_factory=set)
    sizes: dict[ObjectName, ContentSize] = field(default_factory=dict)  # by good roots
    count: int = 0  # packs
    needed_bytes: int = 0
    checked_bytes: int = 0
    read_bytes: int = 0


class _Faulty(Exception):
    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.why)
        self.fault = fault


class _Known(NamedTuple):
    """A segment that was read. No other version reads it again."""

    size: int  # bytes of content
    recipe: bytes  # hash
    packs: tuple[bytes, ...]


@dataclass(slots=True)
class _Object:
    """What one object is made of: the hashes of its segments' recipes, and its packs."""

    recipe: list[bytes] = field(default_factory=list)  # hashes, segment by segment
    packs: set[bytes] = field(default_factory=set)


class RemoteChecker:
    """One check of one remote."""

    def __init__(self, remote: RemoteStore, listing: Listing, local: LocalStore, depth: CheckDepth) -> None:
        self._remote = remote
        self._listing = listing
        self._local = local
        self._share = depth.share
        self._only = depth.only
        self._whole = depth.whole
        self._known: dict[bytes, _Known] = {}
        self._trees: set[bytes] = set()  # leaves that fit their segments
        self._faults: dict[ObjectName, Fault] = {}
        self._sizes: dict[ObjectName, ContentSize] = {}
        self._packs = RemotePacks(remote, listing, JOBS)

    def run(
        self, names: Sequence[ObjectName], on_bytes: OnBytes = lambda _: None, expect: OnBytes = lambda _: None
    ) -> RemoteHealth:
        """Check the objects NAMES. Raises an error only if the remote cannot be reached."""
        packs = self._packs
        try:
            with Workers(self._remote.backend, JOBS, "mvc-look") as pool:
                known = list(windowed(pool, JOBS * 2, self._describe, names))
            proven = {name for name, sure in zip(names, known, strict=True) if sure}
            unproven = [name for name in names if name not in proven and name not in self._faults]
            expect(int(packs.needed_bytes * self._share))
            if self._share >= 1 and self._only is None:
                proven.update(name for name in unproven if self._hash_whole(name, on_bytes))
            if self._share > 0:
                left = packs.needed_bytes - packs.done_bytes
                choose = share_of(left, self._share, random.SystemRandom()) if self._share < 1 else _every
                some = [packs.packs[name] for name in sorted(packs.packs) if self._only is None or self._only(name)]
                packs.read_needed(some, choose, on_bytes)
            return self._report(names, proven)
        finally:
            packs.close()

    # -- structure

    def _describe(self, name: ObjectName) -> bool:
        """Read all manifests of an object and note its chunks as needed.

        Return True if this clone has hashed the same content.
        """
        try:
            try:
                found = self._walk(name)
            except (_Faulty, KeyMissing):  # a gc may have moved it: read its root again
                found = self._walk(name)
        except _Faulty as error:
            self._faults[name] = error.fault
        except KeyMissing:
            self._faults[name] = Fault("", gone=True)
        except KeyDenied:
            self._faults[name] = Fault(f"its root {DENIED}", gone=False, denied=True)
        except FormatError as error:
            self._faults[name] = Fault(f"its root ({error})", gone=False)
        except IntegrityError as error:
            self._faults[name] = Fault(str(error), gone=False)
        else:
            return found.recipe == self._local_recipe(name)
        return False

    def _walk(self, name: ObjectName) -> _Object:
        """Return the packs and recipe of an object. Its manifests are compared with their names and with each other."""
        read = self._remote.read_root(*name)
        if read is None:
            raise KeyMissing(f"{name.oid.short} is not there")
        root, found = read.root, _Object()
        self._packs.open(root.packs)
        found.packs.update(self._packs.packs[one].name for one, _ in root.packs)
        self._refuse_unreadable(found.packs)  # before reading parts from them
        if root.kind == "tree":
            manifest.check_tree(root)
        else:
            manifest.check_size(sum(self._segment(root, part, found).size for part in root.segments), root.size)
        for ref in root.leaves:
            manifest.check_size(sum(self._segment(root, part, found).size for part in ref.segments), ref.size)
            fits = ref.digest + b"".join(found.recipe[len(found.recipe) - len(ref.segments) :])
            if fits not in self._trees:
                manifest.read_section(self._remote, root, ref)
                self._note_part(root, ref.leaf)
                self._trees.add(fits)
        self._sizes[name] = ContentSize(root.size, root.files)
        self._refuse_unreadable(found.packs)
        return found

    def _refuse_unreadable(self, packs: Iterable[bytes]) -> None:
        """Raise _Faulty if one of PACKS is unreadable."""
        bad = [one for one in map(self._packs.packs.__getitem__, sorted(packs)) if not one.readable]
        if bad:
            why = f"pack {bad[0].short} {bad[0].trouble}"
            gone, denied = all(one.gone for one in bad), all(one.denied for one in bad)
            raise _Faulty(Fault(why, gone=gone, denied=denied))

    def _segment(self, root: Root, part: Part, found: _Object) -> _Known:
        key = _key(part)
        known = self._known.get(key)
        if known is None:
            segment = manifest.read_segment(self._remote, root, part)
            self._note_part(root, part)
            known = self._known[key] = self._mark(segment)
        found.recipe.append(known.recipe)
        found.packs.update(known.packs)
        return known

    def _note_part(self, root: Root, part: Part) -> None:
        """Note that a part in a pack was read and compared: it is a chunk of that pack."""
        if part.place is not None:
            pack, offset, stored, encoding, xxh3 = part.place
            chunk = Stored(part.name, offset, stored, part.length, xxh3, Encoding(encoding))
            self._packs.need([Located(root.packs[pack].name, chunk)], self._packs.open(root.packs), read=True)
            self._packs.count(stored)

    def _mark(self, segment: Segment) -> _Known:
        placement = segment.placed()
        trailers = self._packs.open(placement.packs)
        self._packs.need(placement.chunks(), trailers)
        names = (self._packs.packs[pack.name].name for pack in placement.packs)  # one copy of each name in memory
        recipe = segment.content()
        return _Known(recipe.size, _digest(recipe), tuple(names))

    def _local_recipe(self, name: ObjectName) -> list[bytes] | None:
        """Return the recipe of an object that was hashed in this clone, or None."""
        with suppress(IntegrityError, NotFoundError):
            root = self._local.read_root(*name)
            if not root.unproven:
                return [_digest(segment.content()) for segment in manifest.read_segments(self._local, root)]
        return None

    # -- the whole

    def _hash_whole(self, name: ObjectName, on_bytes: OnBytes) -> bool:
        """Hash the whole object unless most of it was read before. Return True if the hash equals its oid."""
        whole = WholeCheck(self._remote, self._local, self._packs)
        with suppress(KeyMissing, KeyDenied, FormatError):  # the check of its packs reports it
            read = self._remote.read_root(*name)
            try:
                worth = read is not None and (self._whole or whole.is_cheap(read.root))
                return read is not None and worth and whole.hash(read.root, on_bytes)
            except ObjectCorrupt as error:
                self._faults[name] = Fault(str(error), gone=False)
        return False

    # -- the report

    def _report(self, names: Sequence[ObjectName], proven: set[ObjectName]) -> RemoteHealth:
        packs = self._packs
        health = RemoteHealth(faults=dict(self._faults), count=len(packs.packs), sizes=self._sizes)
        for one in packs.packs.values():
            if one.trouble or one.bad:
                health.packs[one.name] = one
                health.users[one.name] = set()
        for name in names if health.packs else ():
            fault = self._suffers(name, health)
            if fault is not None and name not in health.faults:
                health.faults[name] = fault
        health.needed_bytes, health.checked_bytes = packs.needed_bytes, packs.done_bytes
        health.read_bytes = packs.read_bytes
        health.proven = proven - health.faults.keys()
        return health

    def _suffers(self, name: ObjectName, health: RemoteHealth) -> Fault | None:
        """Return the fault of an object that needs a damaged chunk, or a pack that went away during the check.

        None: no fault.
        """
        fault = None
        try:
            for pack, cid in self._places(name, health.packs):
                one = self._packs.packs[pack]
                if cid in one.bad or one.trouble:
                    health.users[pack].add(name)
                if cid in one.bad:
                    fault = fault or Fault(f"pack {one.short} (chunk {cid.hex()[:10]}: other content)", gone=False)
                elif not one.readable:
                    fault = fault or Fault(f"pack {one.short} {one.trouble}", one.gone, one.denied)
        except (KeyMissing, KeyDenied, IntegrityError):
            return fault  # reported before
        return fault

    def _places(self, name: ObjectName, packs: Collection[bytes]) -> Iterator[tuple[bytes, bytes]]:
        """Yield (pack, cid) of what an object needs of PACKS."""
        read = self._remote.read_root(*name)
        if read is None:
            return
        root = read.root
        for part in root.parts():
            if part.place is not None and root.packs[part.place.pack].name in packs:
                yield root.packs[part.place.pack].name, part.name
        for part in root.records():
            known = self._known.get(_key(part))
            if known is not None and not any(pack in packs for pack in known.packs):
                continue
            for pack, stored in manifest.read_segment(self._remote, root, part).all_places():
                if pack in packs:
                    yield pack, stored.cid


def _every(size: int) -> bool:
    del size
    return True


def _digest(recipe: Recipe) -> bytes:
    return blake3(recipe.cids + recipe.lengths.tobytes()).digest()


def _key(part: Part) -> bytes:
    return part.name if part.data is None else blake3(part.data).digest()
