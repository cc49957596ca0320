"""Push objects of the local store to a remote. Order is the crash safety: packs, parts, roots.

Only keys that a listing shows with their size count as present. How a push and a gc that run at the same time stay
safe: docs/decisions/0010-remote-gc.md.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from modelvc.errors import IntegrityError, ObjectCorrupt, ObjectMissing, RemoteBusy, RemoteChanged
from modelvc.formats.text import repository_registration
from modelvc.store.backends import retry
from modelvc.store.backends.api import KeyDenied
from modelvc.store.objects import manifest
from modelvc.store.remote.seen_root import SeenRoot
from modelvc.store.remote.store import root_key
from modelvc.store.remote.workers import Workers
from modelvc.store.transfer.batch import Batch
from modelvc.store.transfer.pack_sender import RemoteState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from modelvc.errors import ModelvcError
    from modelvc.formats.binary.root import Root
    from modelvc.ids import ObjectName, Oid
    from modelvc.store.local.store import LocalStore
    from modelvc.store.remote.store import Listing, RemoteStore
    from modelvc.store.transfer.pack_sender import Packs
    from modelvc.store.transfer.to_push import ToPush

PUSH_ALL = "mvc push --all"  # without --all, only what HEAD's history needs
GRACE = 14 * 86_400.0  # seconds: gc keeps what is younger on a remote; pushes rely on it


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What a push did: objects sent, bytes sent, objects `complete` on the remote before, and what shows each complete.

    `absent`: objects that neither side has whole, with the error of each.
    """

    sent: tuple[ObjectName, ...]
    sent_bytes: int
    complete: tuple[ObjectName, ...]
    seen: Mapping[ObjectName, SeenRoot]
    absent: Mapping[ObjectName, ModelvcError]


@dataclass(frozen=True, slots=True)
class UploadOptions:
    """How to push: requests at once, gc's grace period (seconds), and the Git repositories that use the remote.

    `resend`: objects to send although they seem to be there. `damaged`: packs not to reuse.
    """

    jobs: int
    grace: float = GRACE
    repositories: tuple[str, ...] = ()
    resend: frozenset[ObjectName] = frozenset()
    damaged: frozenset[bytes] = frozenset()


class Uploader:
    """One push to one remote. `known`: objects that this clone has seen there, and what they needed."""

    def __init__(
        self, local: LocalStore, remote: RemoteStore, known: Mapping[ObjectName, SeenRoot], options: UploadOptions
    ) -> None:
        self._local = local
        self._remote = remote
        self._known = known
        self._options = options
        self._seen: dict[ObjectName, SeenRoot] = {}
        self._sent: dict[ObjectName, None] = {}
        self._sent_bytes = 0
        self._absent: dict[ObjectName, ModelvcError] = {}
        self._denied: set[ObjectName] = set()  # objects whose root this account may not read
        self._unseen = ""  # a key that was written and is not listed

    def run(self, wanted: Sequence[ToPush], on_bytes: Callable[[int], None] = lambda _: None) -> Uploaded:
        """Bring WANTED to the remote, complete, except those that neither side has whole.

        Raises RemoteBusy if gc or a forgetful server interferes with every attempt.
        """
        for wait in (*retry.delays(), None):
            if self._attempt(wanted, on_bytes):
                break
            if wait is None:
                raise self._failure()
            if self._unseen:  # a key that is late needs time, a lost one is sent again
                self._remote.waits.pause(self._failure(), wait)
        complete = tuple(w.name for w in wanted if w.name not in self._sent and w.name not in self._absent)
        return Uploaded(tuple(self._sent), self._sent_bytes, complete, self._seen, self._absent)

    def plan(self, wanted: Sequence[ToPush]) -> Uploaded:
        """Return what `run` would do with WANTED. Nothing is written."""
        self._remote.check()
        listing = self._remote.listing().without(self._options.damaged)
        _, missing = self._missing_on_remote(wanted, listing)
        gone = {want.name for want in missing}
        complete = tuple(want.name for want in wanted if want.name not in gone)
        return Uploaded(tuple(want.name for want in missing if want.here), 0, complete, self._seen, self._absent)

    def _missing_on_remote(self, wanted: Sequence[ToPush], listing: Listing) -> tuple[RemoteState, list[ToPush]]:
        """Return the state of the remote, and those of WANTED that it lacks. Note those that neither side has."""
        state = RemoteState(listing, self._remote.doomed(listing.dooms))
        missing = [want for want in wanted if not self._is_there(want, state)]
        self._absent = {want.name: self._lacking(want, state) for want in missing if not want.here}
        return state, missing

    def _failure(self) -> RemoteBusy:
        if self._unseen:
            return self._remote.unseen(self._unseen)
        return RemoteBusy(
            f"others change {self._remote.name} all the time while this push runs", hint="run `mvc push` again"
        )

    def _attempt(self, wanted: Sequence[ToPush], on_bytes: Callable[[int], None]) -> bool:
        """Make one attempt. Return False if a gc may have crossed it, or if some key is not there afterwards."""
        made = self._remote.prepare()
        listing = self._remote.listing().without(self._options.damaged)
        hidden = (root_key(*name) for name in self._sent if not listing.has_root(*name))
        self._unseen = next(hidden, "")
        begun = _Clocks(self._remote)
        for url in self._options.repositories:
            made |= self._remote.register(url, listing)
        state, missing = self._missing_on_remote(wanted, listing)
        gone = {want.name for want in missing}
        old = begun.remote_time - self._options.grace / 2
        stale = [w for w in wanted if w.name not in gone and 0 < listing.keys[root_key(*w.name)].mtime < old]
        send = [want for want in missing if want.here]
        sizes: dict[str, int] = {}
        if send:
            batch = Batch(self._local, self._remote, state, self._options.jobs)
            roots = batch.send_packs(send, on_bytes)
            self._sent_bytes += batch.sent_bytes
            if begun.passed(self._remote) > self._options.grace / 4:
                return False  # a gc may have doomed and deleted packs of these roots
            written = batch.write_roots(roots)
            self._sent |= dict.fromkeys(written)
            self._seen |= written
            sizes = batch.sizes
            self._absent |= batch.unreadable
            if len(written) + len(batch.unreadable) < len(send):
                return False
        with Workers(self._remote.backend, self._options.jobs, "mvc-push") as pool:
            if not all(list(pool.map(self._renew, stale))):
                return False
        sizes |= {root_key(*want.name): listing.keys[root_key(*want.name)].size for want in stale}
        if (made or missing or stale) and not self._has_arrived(listing, sizes):
            return False
        # last: a root that was young at the start may be old now
        return begun.passed(self._remote) <= self._options.grace / 4

    def _has_arrived(self, before: Listing, sizes: Mapping[str, int]) -> bool:
        """Return True if the keys in SIZES are there, new and whole, and nothing was doomed since BEFORE.

        The remote is asked again, because a server may lose what it acknowledged. On most remotes this is one request.
        """
        can = self._remote.backend.capabilities
        few = len(sizes) * can.page < len(before.keys)
        always = {"config", *map(repository_registration.key_of, self._options.repositories)}
        now = self._remote.look_up(sorted(always | sizes.keys())) if few else self._remote.listing()
        for key in always - now.keys.keys():
            self._unseen = key
            return False
        for key, size in sizes.items():
            entry, old = now.keys.get(key), before.keys.get(key)
            same = can.conditional and old is not None and entry is not None and old.etag == entry.etag
            if entry is None or entry.size != size or (same and not key.startswith("packs/")):
                self._unseen = key
                return False
        return set(now.dooms) <= set(before.dooms)

    def _is_there(self, want: ToPush, state: RemoteState) -> bool:
        """Return True if the remote has the root and all packs that it needs, each with its size."""
        name = want.name
        again = name in self._options.resend or name in self._denied
        if not state.listing.has_root(*name) or (again and name not in self._sent):
            return False
        root = state.listing.keys[root_key(*name)]
        for source in (self._seen.get, self._known.get, self._ask):
            seen = source(name)
            if (
                seen is not None
                and seen.root == root.size
                and all(state.listing.has_pack(*one) for one in seen.packs)
                and not self._is_late(name, seen.packs, state)
            ):
                self._seen[name] = seen
                return True
        return False

    def _is_late(self, name: ObjectName, needed: Packs, state: RemoteState) -> bool:
        """Return True if the root names a doomed pack, and gc may not know: it saw only older roots."""
        written = float("inf") if name in self._sent else state.listing.keys[root_key(*name)].mtime
        return any(one in state.doomed and state.doomed[one] <= written for one, _ in needed)

    def _ask(self, name: ObjectName) -> SeenRoot | None:
        try:
            found = self._remote.read_root(*name)
            return None if found is None else SeenRoot(found.entry.size, _needed(self._remote, found.root))
        except (IntegrityError, KeyDenied):  # then it is sent again
            return None

    def _lacking(self, want: ToPush, state: RemoteState) -> ModelvcError:
        there = "whole on" if state.listing.has_root(*want.name) else "on"
        where = f"the local store, nor {there} {self._remote.name}"
        return ObjectMissing(want.oid, where, path=want.path, hint=f"run `{PUSH_ALL}` in a clone that has it")

    def _renew(self, want: ToPush) -> bool:
        """Rewrite an old root, so that gc keeps it until Git's refs name it.

        Return False if the root changed meanwhile, or is gone, damaged or denied.
        """
        try:
            found = self._remote.read_root(*want.name)
            if found is None:
                return False
            root, entry = found
            fresh = replace(root, write_id=os.urandom(16))
            self._remote.backend.replace(entry.key, fresh.encode(), entry.etag)
        except (RemoteChanged, ObjectCorrupt):
            return False
        except KeyDenied:
            self._denied.add(want.name)
            return False
        return True


def needed_packs(remote: RemoteStore, kind: str, oid: Oid) -> Packs | None:
    """Return every pack that an object on a remote needs, or None if it has no root there.

    Raises ObjectCorrupt or FormatError for a damaged root.
    """
    found = remote.read_root(kind, oid)
    return None if found is None else _needed(remote, found.root)


def _needed(remote: RemoteStore, root: Root) -> Packs:
    packs = set(root.packs)
    for segment in manifest.read_segments(remote, root):
        packs.update(segment.placed().packs)
    return tuple(sorted(packs))


class _Clocks:
    """A moment by two clocks: the remote's, which stamps keys, and the local one.

    The local clock runs on while the computer sleeps.
    """

    def __init__(self, remote: RemoteStore) -> None:
        self.remote_time = remote.backend.now()
        self._local_time = time.time()

    def passed(self, remote: RemoteStore) -> float:
        """Return the seconds since that moment, the larger of both with clock skew."""
        return max(remote.backend.now() - self.remote_time, time.time() - self._local_time)
