"""Verify objects, pointers and reachability; mend what a good copy can mend."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from modelvc.errors import IntegrityError, ModelvcError, NotFoundError, ObjectCorrupt
from modelvc.ops import remotes
from modelvc.ops.keep import keep_present
from modelvc.ops.progress import SILENT
from modelvc.ops.scope import scope
from modelvc.ops.trees import entries_of, oid_of
from modelvc.store import verify
from modelvc.store.download import Downloader
from modelvc.worktree import survey

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelvc.formats.paths import SafeRelPath
    from modelvc.oid import Oid
    from modelvc.ops.progress import Progress
    from modelvc.ops.scope import Meant
    from modelvc.repo import Repo
    from modelvc.store.remote import Listing, RemoteStore

    Named = tuple[str, Oid]

DAMAGED, MISSING, BROKEN = "damaged", "missing", "broken-pointer"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. `needed_by`: "path (commit)" of the pointers that need it; `repaired`: not any more."""

    kind: str
    what: str
    where: str
    needed_by: tuple[str, ...] = ()
    repaired: bool = False


@dataclass(frozen=True, slots=True)
class Fsck:
    """What was looked at and what is wrong with it."""

    problems: tuple[Problem, ...]
    objects: int
    packs: int
    bytes_read: int
    not_here: int  # objects of history that this clone simply never fetched

    @property
    def open(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if not problem.repaired)


@dataclass(frozen=True, slots=True)
class Depth:
    """How much to do: QUICK looks at structure and reachability only, REPAIR takes good copies from elsewhere."""

    quick: bool = False
    repair: bool = False
    remote: str | None = None  # also look at this remote; "" is the default one


USUAL = Depth()


def fsck(repo: Repo, revs: Sequence[str] = (), depth: Depth = USUAL, progress: Progress = SILENT) -> Fsck:
    """Look at the local store and at every pointer of history (or of REVS), the index and the worktree."""
    repo.require_init()
    meant = scope(repo, revs, everything=not revs)
    needed = {name: list(places) for name, places in meant.users.items()}
    progress.expect(sum(size for _, size in repo.store.packs()))
    problems = [Problem(BROKEN, place, "Git", (place,)) for place, _ in meant.broken]
    if not verify.check_index(repo.store):
        problems.append(Problem(DAMAGED, "the pack index, a cache that was dropped", repo.store.name, repaired=True))
    health = verify.check_packs(repo.store, every_byte=not depth.quick, on_bytes=progress.advance)
    sick = [pack for pack in health if pack.unreadable or pack.damaged]
    if sick and depth.repair:
        folder = os.path.join(repo.layout.mvc_dir, "damaged")
        for bad in sick:
            verify.set_aside(repo.store, bad.name, folder)
    found, not_here = _objects(repo, needed, deep=not depth.quick)
    packs = [Problem(DAMAGED, f"pack {bad.name.hex()[:10]}", repo.store.name, repaired=depth.repair) for bad in sick]
    damaged = {cid for bad in sick for cid in bad.damaged}
    if not depth.repair:
        found = _add_users(repo, found, needed, damaged)
    else:
        found = _repair(repo, found, {one.name: one for one in meant.meant}, progress)
    problems += packs + list(found.values())
    if depth.remote is not None:
        problems += _remote(repo, depth, needed, {one.name: one for one in meant.meant})
    read = 0 if depth.quick else sum(pack.size for pack in health)
    return Fsck(tuple(problems), len(needed), len(health), read, not_here)


def _objects(repo: Repo, needed: dict[Named, list[str]], *, deep: bool) -> tuple[dict[Named, Problem], int]:
    """What is wrong with the objects of the store, and how many that history names are not here at all."""
    found: dict[Named, Problem] = {}
    here = set(repo.store.roots())
    for name in sorted(here):
        error = verify.check_object(repo.store, name, every_byte=deep)
        if error is not None:
            kind = MISSING if isinstance(error, NotFoundError) else DAMAGED
            said = "chunks are missing" if kind == MISSING else str(error)
            words = f"{name[1].short}" + (" has damaged chunks" if isinstance(error, ObjectCorrupt) else f": {said}")
            found[name] = Problem(kind, words, repo.store.name, tuple(needed.get(name, ())))
    absent = [name for name in needed if name not in here]
    for name in absent:
        # what the worktree itself needs should be here, unless it was never fetched; only a remote can tell
        if any(place.endswith("(worktree)") for place in needed[name]) and not _elsewhere(repo, name):
            words = f"{name[1].short} is in no store that this clone knows"
            found[name] = Problem(MISSING, words, repo.store.name, tuple(needed[name]))
    return found, len(absent)


def _elsewhere(repo: Repo, name: Named) -> bool:
    """Whether this clone may expect an object on a remote."""
    from modelvc.ops import pushed

    default = remotes.default_name(repo)
    return default is not None and (not pushed.load(repo, default) or name in pushed.load(repo, default))


def _add_users(
    repo: Repo, found: dict[Named, Problem], needed: dict[Named, list[str]], damaged: set[bytes]
) -> dict[Named, Problem]:
    """Name the objects that damaged chunks belong to."""
    if not damaged:
        return found
    from modelvc.store.upload import read_content

    for name in repo.store.roots():
        if name in found:
            continue
        try:
            recipe = read_content(repo.store, name[0], name[1], name[1].short, prove_it=False).recipe
        except ModelvcError:
            continue
        if any(cid in damaged for cid, _ in recipe):
            words = f"{name[1].short} has damaged chunks"
            found[name] = Problem(DAMAGED, words, repo.store.name, tuple(needed.get(name, ())))
    return found


# -- mending


def _repair(
    repo: Repo, found: dict[Named, Problem], meant: dict[Named, Meant], progress: Progress
) -> dict[Named, Problem]:
    """Take what is damaged or missing from the worktree or a remote; what could not be had stays a problem."""
    left = dict(found)
    shown_now: dict[Named, SafeRelPath] = {}
    for path, one in repo.worktree_pointers()[0].items():
        shown_now[one.kind, one.oid] = path
    for name, problem in found.items():
        paths = {path for path in (shown_now.get(name), meant[name].path if name in meant else None) if path}
        if any(_from_worktree(repo, name, path) for path in paths):
            left[name] = replace(problem, repaired=True)
    wanted = [name for name, problem in left.items() if not problem.repaired]
    default = remotes.default_name(repo)
    if wanted and default is not None:
        try:
            store = remotes.open_remote(repo, default, writing=False)
        except ModelvcError:
            return left
        try:
            for name in wanted:
                if _from_remote(repo, store, name, progress):
                    left[name] = replace(left[name], repaired=True)
        finally:
            store.close()
    repo.store.forget_packs()
    return left


def _from_remote(repo: Repo, store: RemoteStore, name: Named, progress: Progress) -> bool:
    folder = os.path.join(repo.layout.mvc_dir, "damaged")
    verify.forget_root(repo.store, name, folder)
    try:
        done = Downloader(repo.store, store, jobs=4).run([name], progress.advance)
    except ModelvcError:
        done = None
    verify.restore_root(repo.store, name, folder)  # as it was, for a remote or a worktree that has it another day
    return bool(done and done.came) and verify.check_object(repo.store, name, every_byte=True) is None


def _from_worktree(repo: Repo, name: Named, path: SafeRelPath) -> bool:
    """Store the worktree's file or folder again, if it is what the object was."""
    kind, oid = name
    found = repo.worktree.stat(path)
    try:
        if found is None or stat.S_ISDIR(found[4]) != (kind == "tree"):
            return False
        if kind == "tree":
            files = survey.tree_files(repo.worktree, repo.state, path) or {}
            if oid_of(entries_of(files)) != oid:
                return False
        elif survey.hash_file(repo.worktree, path)[1] != oid:
            return False
        kept = keep_present(repo, [path])[path]
    except ModelvcError:
        return False
    return kept == oid and verify.check_object(repo.store, name, every_byte=True) is None


# -- remotes


def _remote(repo: Repo, depth: Depth, needed: dict[Named, list[str]], meant: dict[Named, Meant]) -> list[Problem]:
    """What a remote lacks of the objects that history needs."""
    name = remotes.chosen_name(repo, depth.remote or "")
    store = remotes.open_remote(repo, name, writing=depth.repair)
    try:
        listing = store.listing()
        found = {one: _far_object(store, listing, one, users, depth) for one, users in needed.items()}
        wrong = {one: problem for one, problem in found.items() if problem is not None}
        if depth.repair:
            _send_again(repo, name, store, {meant[one]: problem.kind for one, problem in wrong.items()})
            listing = store.listing()
            for one, problem in wrong.items():
                good = _far_object(store, listing, one, needed[one], depth) is None
                wrong[one] = replace(problem, repaired=good)
        return list(wrong.values())
    finally:
        store.close()


def _send_again(repo: Repo, name: str, store: RemoteStore, wrong: Mapping[Meant, str]) -> None:
    """Bring objects to a remote whatever was believed of them; what could not be done shows in the next look."""
    from modelvc.ops import pushed
    from modelvc.store.mend import mend_pack
    from modelvc.store.upload import Terms, Uploader, Wanted, needed_packs

    for one in (one for one, kind in wrong.items() if kind == DAMAGED):
        with suppress(IntegrityError):  # its root: that is sent anew
            for pack, size in needed_packs(store, *one.name) or ():
                mend_pack(repo.store, store, pack, size)
    gone = {one.name for one in wrong}
    known = {one: packs for one, packs in pushed.load(repo, name).items() if one not in gone}
    here = [Wanted(*one.name, one.path) for one in wrong if repo.store.has_root(*one.name)]
    uploader = Uploader(repo.store, store, {}, Terms(jobs=4))
    for batch in (here, *([one] for one in here)):
        try:
            known.update(uploader.run(batch).packs)
        except (IntegrityError, NotFoundError):  # one of them is damaged here as well: then one by one
            continue
        if len(batch) == len(here):
            break
    pushed.save(repo, name, known)


def _far_object(store: RemoteStore, listing: Listing, name: Named, users: list[str], depth: Depth) -> Problem | None:
    from modelvc.store.upload import needed_packs

    short = name[1].short
    if not listing.has_root(*name):
        return Problem(MISSING, f"{short}: not there", store.name, tuple(users))
    try:
        packs = needed_packs(store, *name) or ()
        lost = [pack.hex()[:10] for pack, size in packs if not listing.has_pack(pack, size)]
        if lost:
            return Problem(MISSING, f"{short}: pack {lost[0]} is not there", store.name, tuple(users))
        if not depth.quick:
            _read_far(store, name)
    except IntegrityError as error:
        return Problem(DAMAGED, f"{short}: {error}", store.name, tuple(users))
    return None


def _read_far(store: RemoteStore, name: Named) -> None:
    """Fetch an object whole into a store that is thrown away: every chunk is compared with its name."""
    import tempfile

    from modelvc.store.local import LocalStore

    with tempfile.TemporaryDirectory(prefix="mvc-fsck-") as folder:
        local = LocalStore(os.path.join(folder, "store"))
        Downloader(local, store, jobs=4).run([name])
        error = verify.check_object(local, name, every_byte=True)
        local.close()
    if isinstance(error, IntegrityError):
        raise error
