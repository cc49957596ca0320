"""Repair the local store and a remote from good copies in remotes, other versions and the worktree."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from modelvc.errors import IntegrityError, ModelvcError, NotFoundError
from modelvc.ids import ObjectName
from modelvc.models.files.store_present import store_present
from modelvc.models.files.trees import entries_of, oid_of
from modelvc.models.remotes import configured, opening, seen_cache
from modelvc.models.versions import shared_store
from modelvc.store.check import local_store
from modelvc.store.local.ingest import Ingest
from modelvc.store.local.writer import StoreWriter
from modelvc.store.repair import recover
from modelvc.store.repair.local_store import set_root_aside
from modelvc.store.repair.remote_pack import repair_remote_pack
from modelvc.store.transfer.download import Downloader
from modelvc.store.transfer.to_push import ToPush
from modelvc.store.transfer.upload import Uploader, UploadOptions
from modelvc.worktree import file_oids
from modelvc.worktree.reading import Reading
from modelvc.worktree.scan import scan

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from modelvc.formats.paths import SafeRelPath
    from modelvc.models.progress import Progress
    from modelvc.ops.upkeep.problems import FsckFinding
    from modelvc.repo import Repo
    from modelvc.store.check.remote_store import RemoteHealth
    from modelvc.store.objects.manifest import Content
    from modelvc.store.remote.store import RemoteStore


_JOBS = 4


class Repairer:
    """A repair. PATHS: the path of each object in history; `not_asked`: remotes that could not be asked, and why."""

    def __init__(self, repo: Repo, paths: Mapping[ObjectName, SafeRelPath], progress: Progress) -> None:
        self._repo = repo
        self._paths = paths
        self._progress = progress
        self.not_asked: dict[str, None] = {}

    # -- the local store

    def repair_local(self, objects: Mapping[ObjectName, FsckFinding]) -> None:
        """Repair those of OBJECTS for which good copies exist, chunk by chunk, and mark their findings as repaired."""
        store = self._repo.store
        store.forget_packs()
        shown = self._shown()
        for name, found in objects.items():
            paths = {path for path in (shown.get(name), self._paths.get(name)) if path}
            if any(self._from_worktree(name, path) for path in paths):
                found.repaired()
        names = [name for name, found in objects.items() if not found.problem.repaired]
        if not names:
            return
        contents = {name: recover.content_in_store(store, name) for name in names}
        intact = {name for name, content in contents.items() if content is not None}
        unknown = [name for name in names if name not in intact]
        for remote_name, remote in self._remotes() if unknown else ():
            with self._asking(remote_name):
                for name in unknown:
                    contents[name] = contents[name] or recover.content_on_remote(remote, name)
        wanted = {cid for content in contents.values() if content for cid in recover.missing_chunks(store, content)}
        self._gather(wanted, names)
        for name, content in contents.items():
            if content is not None and self._is_whole(name, content, known=name in intact):
                objects[name].repaired()

    def set_aside(self, objects: Mapping[ObjectName, FsckFinding]) -> None:
        """Move the roots of those OBJECTS that are not repaired to the folder of damage, and mark their findings.

        No pointer needs OBJECTS. Nothing is moved while a remote that may have good copies could not be asked, or if
        another clone that uses the store may need an object. The check is repeated while no writer is at work.
        """
        repo, store = self._repo, self._repo.store
        left = {name: found for name, found in objects.items() if not found.problem.repaired}
        if not left or self.not_asked:
            return
        if shared_store.other_clones(repo):
            try:
                left = {
                    k: v for k, v in left.items() if k not in shared_store.reachable_from_all_clones(repo, 0).needed
                }
            except ModelvcError:
                return  # a clone that cannot be read may need each of them
        with store.exclusive():
            store.forget_packs()
            for name, found in left.items():
                if local_store.check_object(store, name, every_byte=True) is not None:
                    set_root_aside(store, name, os.path.join(repo.layout.mvc_dir, "damaged"))
                    found.set_aside()

    def _is_whole(self, name: ObjectName, content: Content, *, known: bool) -> bool:
        store = self._repo.store
        if recover.missing_chunks(store, content):
            return False
        if not known:
            recover.rewrite_root(store, content, os.path.join(self._repo.layout.mvc_dir, "damaged"))
        return local_store.check_object(store, name, every_byte=True) is None

    def _gather(self, wanted: set[bytes], first: Collection[ObjectName]) -> None:
        """Copy the chunks WANTED to the local store, from the worktree and from remotes.

        Remotes are searched through the objects FIRST, then all others. Found chunks are removed from WANTED.
        """
        if wanted:
            self._chunks_of_worktree(wanted)
        names = dict.fromkeys((*first, *self._paths))
        for remote_name, remote in self._remotes() if wanted else ():
            with self._asking(remote_name):
                recover.recover_chunks(self._repo.store, remote, wanted, names)
        self._repo.store.forget_packs()

    def _remotes(self) -> Iterator[tuple[str, RemoteStore]]:
        """Yield every remote that this clone may read, the default one first. Each is closed before the next."""
        for name in configured.others(self._repo):
            with self._asking(name):
                store = opening.open_remote(self._repo, name, writing=False, on_wait=self._progress.waiting)
                try:
                    store.check()
                    yield name, store
                finally:
                    store.close()

    def _asking(self, name: str) -> _NoteUnreachable:
        return _NoteUnreachable(name, self.not_asked)

    # -- the worktree

    def _shown(self) -> dict[ObjectName, SafeRelPath]:
        return {ObjectName(one.kind, one.oid): path for path, one in self._repo.worktree_pointers()[0].items()}

    def _from_worktree(self, name: ObjectName, path: SafeRelPath) -> bool:
        """Store the worktree's file or folder again if it has the content of the object. Return whether it did."""
        repo, (kind, oid) = self._repo, name
        found = repo.worktree.stat(path)
        try:
            if found is None or stat.S_ISDIR(found.mode) != (kind == "tree"):
                return False
            if kind == "tree":
                files = file_oids.tree_files(repo.worktree, repo.state, path) or {}
                if oid_of(entries_of(files)) != oid:
                    return False
            elif file_oids.hash_file(repo.worktree, path, Reading())[1] != oid:
                return False
            kept = store_present(repo, [path])[path]
        except ModelvcError:
            return False
        return kept == oid and local_store.check_object(repo.store, name, every_byte=True) is None

    def _chunks_of_worktree(self, wanted: set[bytes]) -> None:
        """Store the chunks of WANTED that other versions in the worktree hold, and no other chunk."""
        repo = self._repo
        paths = {*self._shown().values(), *self._paths.values()}
        with StoreWriter(repo.store) as writer, Ingest(recover.WantedChunks(writer, wanted)) as ingest:
            for path in sorted(paths):
                with suppress(ModelvcError, OSError):
                    found = repo.worktree.stat(path)
                    if found is not None and stat.S_ISDIR(found.mode):
                        ingest.many(sorted(scan(repo.worktree.root, path)), repo.folder_opener(path), path)
                    elif found is not None:
                        fd = repo.worktree.open(path)
                        try:
                            ingest.file(fd, path)
                        finally:
                            os.close(fd)
            writer.commit()
        wanted -= {cid for cid in wanted if repo.store.find(cid) is not None}

    # -- a remote

    def repair_remote_packs(self, remote: RemoteStore, health: RemoteHealth) -> None:
        """Write the bad packs of a remote again, byte for byte, if good copies of their chunks exist."""
        store = self._repo.store
        bad = {cid for one in health.packs.values() for cid in one.lost}
        self._gather({cid for cid in bad if store.find(cid) is None}, health.faults)
        for one in health.packs.values():
            repair_remote_pack(store, remote, one)

    def send_again(self, remote_name: str, remote: RemoteStore, health: RemoteHealth) -> None:
        """Send the affected objects again, even if the cache lists them. The next check finds those that are still bad.

        An object that the local store lacks is fetched from another remote first.
        """
        anew = frozenset(health.faults) | {name for users in health.users.values() for name in users}
        for name in anew:
            if not self._repo.store.has_root(*name):
                self._fetch(name, skip=remote_name)
        self._send(remote_name, remote, anew, frozenset(health.packs))

    def _fetch(self, name: ObjectName, skip: str) -> None:
        for remote_name, remote in self._remotes():
            if remote_name != skip:
                with self._asking(remote_name), suppress(IntegrityError, NotFoundError):
                    if Downloader(self._repo.store, remote, _JOBS).run([name], self._progress.advance).came:
                        return

    def _send(
        self, remote_name: str, remote: RemoteStore, anew: frozenset[ObjectName], damaged: frozenset[bytes]
    ) -> None:
        repo = self._repo
        known = {one: seen for one, seen in seen_cache.load(repo, remote_name).items() if one not in anew}
        stored = [  # an object without an intact local copy stays damaged on the remote
            ToPush(*one, str(self._paths[one]), partial(list, [one]))
            for one in sorted(anew)
            if repo.store.has_root(*one)
        ]
        options = UploadOptions(jobs=_JOBS, resend=frozenset(one.name for one in stored), damaged=damaged)
        known.update(Uploader(repo.store, remote, {}, options).run(stored).seen)
        seen_cache.save(repo, remote_name, known)


class _NoteUnreachable:
    """A context that notes the error of a remote and suppresses it, so that other remotes are asked."""

    def __init__(self, name: str, noted: dict[str, None]) -> None:
        self._name = name
        self._noted = noted

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        del kind, trace
        if isinstance(error, ModelvcError):
            self._noted[f"{self._name}: {error}"] = None
            return True
        return False
