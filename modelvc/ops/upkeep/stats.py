"""Measure the local store by model, and the bytes that deduplication and compression save."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from modelvc.errors import IntegrityError, ModelvcError, NotFoundError
from modelvc.formats.paths import model_of
from modelvc.formats.pointer.pointer import parse
from modelvc.git import history, index
from modelvc.ids import ObjectName
from modelvc.models.remotes import configured, opening
from modelvc.store.objects import manifest
from modelvc.store.remote.store import root_key

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from modelvc.repo import Repo


_SHARED = -1  # instead of a model's index: several models use the chunk


@dataclass(frozen=True, slots=True)
class ModelStats:
    """One model. An empty path stands for versions that no pointer names. Sizes are in bytes.

    `here`: versions in the local store; `logical`: the sum of their sizes, with predictions; `kept`: the stored size of
    their chunks; `shared`: the part of it that other models use too. logical = kept + saved_by_dedup +
    saved_by_compression.
    """

    path: str
    versions: int
    here: int
    pushed: int | None = None  # versions that the remote has, if one was asked
    logical: int = 0
    kept: int = 0
    shared: int = 0
    saved_by_dedup: int = 0
    saved_by_compression: int = 0


@dataclass(frozen=True, slots=True)
class RemoteStats:
    """The content of a remote, from all repositories. `size`: bytes."""

    name: str
    url: str
    versions: int
    packs: int
    size: int


@dataclass(frozen=True, slots=True)
class StoreStats:
    """All models, the largest first. `total`: counts shared chunks once, so it is not the sum of the models.

    `size`: bytes of the store on disk; `unreadable`: versions with damaged manifests, which `mvc fsck` names.
    """

    models: tuple[ModelStats, ...]
    total: ModelStats
    packs: int
    size: int
    unreadable: int = 0
    remote: RemoteStats | None = None


def stats(repo: Repo, remote: str | None = None) -> StoreStats:
    """Count the versions that history, index, worktree and store name. REMOTE: count it too; "": the default one."""
    repo.require_init()
    models, versions = _models(repo)
    keys, far = _remote(repo, remote) if remote is not None else (None, None)
    counter = _Counter(repo, versions)
    for position, names in enumerate(models.values()):
        counter.note_owners(names, position)
    rows = [
        replace(counter.add_up(path, names), pushed=_there(names & versions, keys)) for path, names in models.items()
    ]
    everything = {name for names in models.values() for name in names}
    total = replace(counter.total(everything), pushed=_there(everything & versions, keys))
    packs = repo.store.packs()
    return StoreStats(
        models=tuple(sorted(rows, key=lambda row: (-row.kept, row.path))),
        total=total,
        packs=len(packs),
        size=sum(size for _, size in packs)
        + sum(os.path.getsize(repo.store.root_path(*n)) for n in repo.store.roots()),
        unreadable=len(counter.bad),
        remote=far,
    )


def _models(repo: Repo) -> tuple[dict[str, set[ObjectName]], set[ObjectName]]:
    """Return the objects of each model, and the objects that are versions, without predictions."""
    found: dict[str, set[ObjectName]] = {}
    versions: set[ObjectName] = set()
    for path, data in _pointers(repo):
        try:
            pointer = parse(data, path)
            found.setdefault(model_of(path), set()).update(ObjectName(one.kind, one.oid) for one in pointer.versions)
            versions.update(ObjectName(one.kind, one.oid) for one in pointer.sides)
        except ModelvcError:
            continue  # fsck reports it
    named = {name for names in found.values() for name in names}
    if loose := set(repo.store.roots()) - named:
        found[""] = loose
    return found, versions | loose


def _pointers(repo: Repo) -> Iterator[tuple[str, bytes]]:
    for seen in history.pointers_in(repo.layout, all_refs=True):
        yield seen.path, seen.data
    entries = repo.index_pointers()
    blobs = index.read_blobs(repo.layout, sorted({entry.blob for entry in entries}))
    yield from ((entry.path, blobs[entry.blob]) for entry in entries if entry.blob in blobs)
    good, _ = repo.worktree_pointers()
    yield from ((f"{path}.mvc", pointer.encode()) for path, pointer in good.items())


class _Counter:
    """A sum of chunks, each counted once. Eight bytes of a cid identify it."""

    def __init__(self, repo: Repo, countable: Container[ObjectName]) -> None:
        self._store = repo.store
        self._countable = countable
        self._owner: dict[bytes, int] = {}
        self._common: set[bytes] = set()  # shared chunks that the total has
        self._raw = self._kept = self._shared = 0
        self.bad: set[ObjectName] = set()

    def note_owners(self, names: Iterable[ObjectName], model: int) -> None:
        """Note that MODEL uses the chunks of NAMES. Call this for every model before `add_up`."""
        for name in names:
            try:
                for cid, _ in self._chunks(name):
                    if self._owner.setdefault(cid[:8], model) != model:
                        self._owner[cid[:8]] = _SHARED
            except (IntegrityError, NotFoundError):
                self.bad.add(name)

    def add_up(self, path: str, names: Iterable[ObjectName]) -> ModelStats:
        """Count the chunks of one model. Call this once for each model before `total`."""
        versions, count, here, logical = self._versions(names)
        seen: set[bytes] = set()
        raw = kept = shared = 0
        for name in here:
            for cid, length in self._chunks(name):
                key = cid[:8]
                if key in seen:
                    continue
                seen.add(key)
                found = self._store.find(cid)
                stored = found.chunk.stored if found else 0
                raw, kept = raw + length, kept + stored
                if self._owner[key] == _SHARED:
                    shared += stored
                    if key in self._common:
                        continue
                    self._common.add(key)
                    self._shared += stored
                self._raw, self._kept = self._raw + length, self._kept + stored
        return ModelStats(path, versions, count, None, logical, kept, shared, logical - raw, raw - kept)

    def total(self, names: Iterable[ObjectName]) -> ModelStats:
        versions, count, _, logical = self._versions(names)
        raw, kept = self._raw, self._kept
        return ModelStats("", versions, count, None, logical, kept, self._shared, logical - raw, raw - kept)

    def _versions(self, names: Iterable[ObjectName]) -> tuple[int, int, list[ObjectName], int]:
        """Return the numbers of versions in all and stored; the readable stored objects, and the sum of their sizes."""
        names = list(names)
        counted = {name for name in names if name in self._countable}
        here = [name for name in names if name not in self.bad and self._store.has_root(*name)]
        return len(counted), len(counted.intersection(here)), here, sum(self._store.read_root(*n).size for n in here)

    def _chunks(self, name: ObjectName) -> Iterator[tuple[bytes, int]]:
        if not self._store.has_root(*name):
            return
        root = self._store.read_root(*name)
        for segment in manifest.read_segments(self._store, root):
            yield from segment.recipe


# -- remotes


def _remote(repo: Repo, name: str) -> tuple[frozenset[str], RemoteStats]:
    """Return the keys of a remote, and its statistics."""
    name = configured.chosen_name(repo, name)
    store = opening.open_remote(repo, name, writing=False)
    try:
        store.check()
        listing = store.listing()
        packs = [entry for entry in listing.keys.values() if entry.key.startswith("packs/")]
        roots = [entry for entry in listing.keys.values() if entry.key.startswith(("b/", "t/"))]
        size = sum(entry.size for entry in (*packs, *roots))
        return frozenset(listing.keys), RemoteStats(name, store.name, len(roots), len(packs), size)
    finally:
        store.close()


def _there(names: Iterable[ObjectName], keys: frozenset[str] | None) -> int | None:
    return None if keys is None else sum(root_key(*name) in keys for name in names)
