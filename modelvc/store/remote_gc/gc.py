"""gc of a remote while others push and read. Why this is safe: docs/decisions/0010-remote-gc.md.

gc first dooms a pack, for ever: no push names it in a new root. After the grace period gc copies what is still needed
of it into new packs and replaces the roots that named it. When no root names the pack any more, gc deletes it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from modelvc.errors import KeyMissing, ObjectCorrupt, RemoteBusy, RemoteChanged
from modelvc.ids import ObjectName
from modelvc.store.objects import codec, manifest
from modelvc.store.remote.store import pack_key
from modelvc.store.remote_gc.survey import Surveyor, Use, name_of, packs_of
from modelvc.store.transfer.pack_sender import PackSender, RemoteState

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from modelvc.formats.binary.pack import Stored
    from modelvc.formats.binary.root import Root
    from modelvc.store.objects.manifest import Content
    from modelvc.store.remote.store import RemoteStore
    from modelvc.store.remote_gc.survey import GcRules, Survey, UnreachableRoot

_ATTEMPTS = 5
_TOGETHER = 64  # roots that are replaced together
_READ = 8 << 20  # bytes of one request
_DOOMED_AT_ONCE = 100_000  # packs, so that a doom list stays below its limit


@dataclass(slots=True)
class GcResult:
    """What a gc did, or would do. Bytes are those of packs.

    `waiting`: packs doomed before, still in their grace period.
    """

    roots: list[UnreachableRoot] = field(default_factory=list)
    doomed: int = 0
    doomed_bytes: int = 0
    waiting: int = 0
    waiting_bytes: int = 0
    deleted: int = 0
    deleted_bytes: int = 0
    copied_bytes: int = 0


class Gc:
    """One gc of one remote. It may be interrupted anywhere, and any later gc continues its work."""

    def __init__(self, remote: RemoteStore, rules: GcRules, on_bytes: Callable[[int], None] = lambda _: None) -> None:
        self._remote = remote
        self._rules = rules
        self._surveyor = Surveyor(remote, rules)
        self._on_bytes = on_bytes

    # -- plan

    def plan(self) -> GcResult:
        """Return what `run` would do now. Nothing is written, so ages may be by the local clock."""
        found = self._surveyor.look(write=False)
        done = GcResult(list(found.unreachable), len(found.to_doom), found.size(found.to_doom))
        _count_waiting(found, found.doomed, done)
        done.deleted, done.deleted_bytes = len(found.deletable), found.size(found.deletable)
        return done

    # -- run

    def run(self) -> GcResult:
        """Do all that can be done now. Raises RemoteBusy if other writers interfere with every attempt."""
        done = GcResult()
        for _ in range(_ATTEMPTS):
            found = self._surveyor.look()
            if not self._announce(found):
                continue
            self._drop_roots(found, done)
            if not self._doom(found, done):
                continue  # another gc dooms at the same time: look again
            if found.to_doom and self._rules.grace <= 0:
                found = self._surveyor.look()  # later roots see the doom
            if self._sweep(found, done):
                _count_waiting(found, found.doomed.keys() - found.to_doom, done)
                return done
        raise RemoteBusy(f"others change {self._remote.name} all the time", hint="run it again")

    def _announce(self, found: Survey) -> bool:
        """Write an empty doom list before a root is deleted: it raises the generation.

        Return False if another gc was faster.
        """
        if not found.unreachable:
            return True
        try:
            found.dooms.add(self._remote.doom((), found.dooms))
        except RemoteChanged:
            return False
        return True

    def _drop_roots(self, found: Survey, done: GcResult) -> None:
        for one in found.unreachable:
            try:
                self._remote.backend.delete(one.entry.key, one.entry.etag)
            except RemoteChanged:  # pushed again: its packs were not counted, so keep them
                use = self._surveyor.use(ObjectName(one.kind, one.oid))
                if use:
                    found.used[use.key] = use
                    for name in use.packs:
                        found.to_doom.pop(name, None)
            else:
                done.roots.append(one)

    def _doom(self, found: Survey, done: GcResult) -> bool:
        """Doom dead packs. Return False if another gc was faster."""
        if not found.to_doom:
            return True
        names = sorted(found.to_doom)[:_DOOMED_AT_ONCE]
        try:
            found.dooms.add(self._remote.doom(names, found.dooms))
        except RemoteChanged:
            return False
        found.doomed |= dict.fromkeys(names, found.now)
        done.doomed += len(names)
        done.doomed_bytes += found.size(names)
        return True

    def _sweep(self, found: Survey, done: GcResult) -> bool:
        """Copy what is still needed of packs to delete, then delete them. Return False if another writer interfered."""
        if not found.deletable:
            return True
        users = [key for key, use in found.used.items() if not found.deletable.isdisjoint(use.packs)]
        with PackSender(
            self._remote, RemoteState(found.listing, found.doomed), self._rules.jobs, self._on_bytes
        ) as sender:
            for start in range(0, len(users), _TOGETHER):
                if not self._move(users[start : start + _TOGETHER], found, sender):
                    return False
            done.copied_bytes += sender.sent_bytes
        if not self._no_root_names_deletable(found):
            return False
        for name in sorted(found.deletable):
            self._remote.backend.delete(pack_key(name), None)
        done.deleted += len(found.deletable)
        done.deleted_bytes += found.size(found.deletable)
        return True

    def _move(self, keys: Sequence[str], found: Survey, sender: PackSender) -> bool:
        """Rewrite the roots KEYS without the packs to delete. Return False if one of them changed."""
        roots, contents = [], []
        for key in keys:
            old = self._remote.read_root(*name_of(key))
            if old is None or old.entry.etag != found.used[key].etag:
                return False
            roots.append(old)
            try:
                contents.append(self._gather(old.root, sender))
            except KeyMissing as error:
                now = self._remote.read_root(*name_of(key))
                if now is not None and now.entry.etag == old.entry.etag:
                    raise ObjectCorrupt(f"{old.root.oid.short} ({error})", self._remote.name, remote=True) from None
                return False  # another gc moved it and deleted the old pack
        fresh_roots = sender.finish(contents)
        self._remote.confirm({pack_key(name): size for name, size in sender.sent})
        if not self._remote.check_packs(sender.sent):
            return False  # another gc was faster
        sender.sent.clear()
        for (_, entry), fresh in zip(roots, fresh_roots, strict=True):
            try:
                swapped = self._remote.backend.replace(entry.key, fresh.encode(), entry.etag)
            except RemoteChanged:
                return False
            found.used[entry.key] = Use(entry.key, swapped.etag, ())
        return True

    def _gather(self, root: Root, sender: PackSender) -> Content:
        """Return what ROOT is made of. Chunks that lie in no usable pack are sent again."""
        sections = list(manifest.sections(self._remote, root))
        for section in sections:
            for segment in section.segments:
                sender.learn(segment)
        sender.learn_parts(root)
        lost: defaultdict[bytes, dict[bytes, Stored]] = defaultdict(dict)
        places = (place for section in sections for segment in section.segments for place in segment.all_places())
        for name, chunk in places:
            if chunk.cid not in sender.sources:
                lost[name][chunk.cid] = chunk
        for name, chunks in lost.items():
            for chunk, data in self._read(name, sorted(chunks.values(), key=_offset)):
                sender.append(data, chunk.as_new())
        return manifest.content_of(root, sections)

    def _read(self, name: bytes, chunks: Sequence[Stored]) -> Iterator[tuple[Stored, bytes]]:
        """Yield CHUNKS of one pack with their stored bytes.

        Raises ObjectCorrupt for a damaged chunk: damage is not copied.
        """
        for some in _groups(chunks):
            ranges = [(chunk.offset, chunk.stored) for chunk in some]
            for chunk, data in zip(some, self._remote.backend.read_ranges(pack_key(name), ranges), strict=True):
                if codec.decode_verified(chunk.cid, chunk.encoding, data, chunk.raw) is None:
                    where = f"pack {name.hex()[:10]} (chunk {chunk.cid.hex()[:10]})"
                    raise ObjectCorrupt(where, self._remote.name, remote=True)
                yield chunk, bytes(data)

    def _no_root_names_deletable(self, found: Survey) -> bool:
        """Return True if no root names a pack to delete.

        Roots that came or changed since the survey are read again. A push that writes a root after this look sees the
        doom.
        """
        for prefix in ("b/", "t/"):
            for entry in self._remote.backend.list(prefix):
                known = found.used.get(entry.key)
                if known is None or known.etag != entry.etag:
                    use = self._surveyor.use(name_of(entry.key))
                    if not use or not found.deletable.isdisjoint(use.packs):  # listed and gone: look again
                        return False
                elif not found.deletable.isdisjoint(known.packs):
                    return False
        return True


def _count_waiting(found: Survey, doomed: Collection[bytes], done: GcResult) -> None:
    kept = [name for name, _ in packs_of(found.listing) if name in doomed and name not in found.deletable]
    done.waiting, done.waiting_bytes = len(kept), found.size(kept)


def _groups(chunks: Sequence[Stored]) -> Iterator[list[Stored]]:
    group: list[Stored] = []
    size = 0
    for chunk in chunks:
        if group and size + chunk.stored > _READ:
            yield group
            group, size = [], 0
        group.append(chunk)
        size += chunk.stored
    if group:
        yield group


def _offset(chunk: Stored) -> int:
    return chunk.offset
