"""Copy one model out of another repository without cloning it: its pointer by Git, its bytes from a store."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from modelvc.errors import (
    ConfigError,
    ConflictError,
    FileInUse,
    ModelBlocked,
    NoRemote,
    NoRepository,
    NotFoundError,
    ObjectMissing,
    UntrustedRemote,
    UsageError,
    near,
    shown,
    shown_url,
)
from modelvc.formats import limits
from modelvc.formats.paths import SafeRelPath, is_pointer, model_of, pointer_of
from modelvc.formats.pointer.pointer import parse
from modelvc.formats.text import config
from modelvc.git.layout import discover
from modelvc.git.other_repository import snapshot
from modelvc.ids import ObjectName
from modelvc.models.files.gate import PATIENCE, Gate, facts_of_unproven
from modelvc.models.files.output_file import check_target, store_replaced
from modelvc.models.files.trees import contents, stored_files
from modelvc.models.progress import SILENT
from modelvc.models.remotes import opening
from modelvc.models.versions import claims
from modelvc.repo import CONFIG, Repo
from modelvc.store.backends import is_relative
from modelvc.store.local.content import ContentReader
from modelvc.store.local.store import LocalStore
from modelvc.store.transfer.download import Downloader
from modelvc.worktree.files import Worktree
from modelvc.worktree.state import Known, stat_of
from modelvc.worktree.swap import CAME, Place, Swap, rename_noreplace, swap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelvc.formats.binary.root import Root
    from modelvc.formats.pointer.pointer import Pointer
    from modelvc.formats.text.config import Remote
    from modelvc.git.other_repository import Snapshot
    from modelvc.models.files.gate import Looked
    from modelvc.models.files.output_file import Replaced
    from modelvc.models.progress import Progress
    from modelvc.worktree.state import Stat

JOBS = 6
_NAMED = 10  # models that an error names


@dataclass(frozen=True, slots=True)
class GetOptions:
    """Options of `mvc get`."""

    rev: str = ""  # "": HEAD
    out: str = ""  # "": the model's own name
    force: bool = False  # replace an existing file or folder
    trust: bool = False  # accept an endpoint that the other repository names


@dataclass(frozen=True, slots=True)
class Got:
    """The copied model. `out`: where it was written; `came_from`: the store that had the bytes.

    `was`: the oid of a model that it replaced; `wrong`: words if the pointer claims a wrong size or number of files.
    `verdict` and `why`: what loading it would run, if a person should know.
    """

    source: str
    path: str
    commit: str
    kind: str
    oid: str
    size: int
    out: str
    came_from: str
    was: str | None = None
    wrong: str = ""
    verdict: str = ""
    why: str = ""


DEFAULT = GetOptions()


def get(source: str, path: str, cwd: str, options: GetOptions = DEFAULT, progress: Progress = SILENT) -> Got:
    """Write the model at PATH in the repository SOURCE (a URL or a folder, relative to CWD) to a file or folder.

    Raises NotFoundError for an unknown model, ConflictError if a file is in the way, UntrustedRemote for an endpoint
    that is not accepted, and ModelBlocked for a model that must not get a name by the rules of the clone around OUT.
    """
    clone = os.path.join(cwd, source)
    local = os.path.isdir(clone)
    rev, colon, rest = path.partition(":")
    if colon:
        words = f"{shown(path)} names a revision, and a path is meant here"
        raise UsageError(words, hint=f"mvc get {shown(source)} {shown(rest)} --rev {shown(rev)}")
    asked = SafeRelPath.parse(path.removeprefix("./").rstrip("/"))
    model = model_of(asked) if is_pointer(asked) else asked
    target = _target(options, model, cwd)
    with tempfile.TemporaryDirectory(prefix="mvc-get-") as folder:
        url = os.path.realpath(clone) if local else source
        seen = snapshot(url, options.rev, [pointer_of(model), CONFIG], folder, limit=limits.POINTER)
    pointer = _pointer(seen, model, source)
    progress.expect(pointer.size)
    with _working_folder(target) as work:
        store, came_from = _fetched_store(
            _Request(source, seen, pointer, model, options), clone if local else "", work, progress
        )
        try:
            looked = _look(store, pointer, model, target)
            replaced = _write(store, pointer, target, work, options)
            actual = claims.stored(store, pointer) or claims.claimed(pointer)
        finally:
            store.close()
    return Got(
        source=shown_url(source, 5_000),
        path=str(model),
        commit=seen.commit,
        kind=pointer.kind,
        oid=str(pointer.oid),
        size=actual.size,
        out=target,
        came_from=came_from,
        was=str(replaced.oid) if replaced else None,
        wrong=claims.difference(claims.claimed(pointer), actual),
        verdict=looked.verdict if looked else "",
        why=looked.why if looked else "",
    )


@dataclass(frozen=True, slots=True)
class _Request:
    source: str
    seen: Snapshot
    pointer: Pointer
    path: SafeRelPath
    options: GetOptions


def _look(store: LocalStore, pointer: Pointer, model: SafeRelPath, target: str) -> Looked | None:
    """Return what a person should know of the model before it is written. Raises ModelBlocked."""
    try:
        gate = Gate(Repo(discover(os.path.dirname(target), {}), os.path.dirname(target)))
    except NoRepository:
        gate = Gate(None)
    if gate.rule == "off":
        return None
    root = store.read_root(pointer.kind, pointer.oid)
    found = gate.judge(model, facts_of_unproven(store, root, PATIENCE))
    if found and found.blocked:
        raise ModelBlocked(model, found.verdict, found.why)
    return found


def _target(options: GetOptions, model: SafeRelPath, cwd: str) -> str:
    """Return the absolute path to write to. Raises ConflictError if it exists."""
    out = os.path.join(cwd, options.out or ".")
    if not options.out or options.out.endswith("/") or os.path.isdir(out):
        out = os.path.join(out, model.parts[-1])
    out = os.path.normpath(out)
    if not os.path.isdir(os.path.dirname(out)):
        raise NotFoundError(f"there is no folder {shown(os.path.dirname(out))}", hint="make it first")
    if os.path.lexists(out) and not options.force:
        raise ConflictError(f"{shown(out)} already exists", hint="name another path with -o, or repeat with --force")
    check_target(out, force=options.force)
    return out


def _pointer(seen: Snapshot, model: SafeRelPath, source: str) -> Pointer:
    data = seen.files.get(pointer_of(model))
    if data is not None:
        found = parse(data, pointer_of(model))
        if found.conflict:
            sides = " or ".join(shown(label) for label in (found.conflict.ours, found.conflict.theirs))
            hint = "name a revision with --rev; there, `mvc resolve` resolves it"
            raise ConflictError(f"{shown(model)} is in conflict at {seen.commit[:10]}: {sides}", hint=hint)
        return found
    known = [model_of(name) for name in seen.names if not name.startswith(".mvc/")]
    more = f" and {len(known) - _NAMED} more" if len(known) > _NAMED else ""
    hint = f"it has {', '.join(shown(name, 80) for name in known[:_NAMED])}{more}" if known else "it has no models"
    if meant := near(model, known):
        hint = f"did you mean {shown(meant, 80)}?"
    above = next((name for name in known if model.startswith(name + "/")), None)
    if above is not None:
        hint = f"it lies in {shown(above)}, which can be had as a whole"
    raise NotFoundError(f"{shown_url(source)} has no model {shown(model)} at {seen.commit[:10]}", hint=hint)


@contextlib.contextmanager
def _working_folder(target: str) -> Iterator[str]:
    """Make a temporary folder beside TARGET, so that a finished file only needs a rename."""
    folder = tempfile.mkdtemp(prefix=".mvc-get-", dir=os.path.dirname(target))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# -- the bytes


def _fetched_store(request: _Request, clone: str, work: str, progress: Progress) -> tuple[LocalStore, str]:
    """Return a store that has the object, and the store's name: the repository's own, or a temporary one.

    The temporary one lies in WORK and is filled from the repository's remote.
    """
    name = ObjectName(request.pointer.kind, request.pointer.oid)
    own = _local_store(clone) if clone else None
    if own is not None and own.has_root(*name):
        return own, own.root
    remote_name, remote = _remote(request, clone)
    config.check_usable(remote_name, remote)
    if not opening.harmless(remote) and not request.options.trust:
        where = remote.url + (f" (endpoint {remote.endpoint_url})" if remote.endpoint_url else "")
        raise UntrustedRemote(
            f"{shown_url(request.source)} keeps its models at {shown(where)}, for which your credentials would be used",
            hint="if you trust it, repeat with --trust",
        )
    remote_store = opening.open_unchecked(remote, on_wait=progress.waiting)
    try:
        store = LocalStore(os.path.join(work, "store"))
        missing = Downloader(store, remote_store, JOBS).run([name], progress.advance).missing
        empty = bool(missing) and remote_store.check() is None
    finally:
        remote_store.close()
    if missing:
        hint = opening.nothing_pushed(remote_store.name) if empty else "run `mvc push --all` in a clone that has it"
        raise ObjectMissing(request.pointer.oid, remote_store.name, path=request.path, hint=hint)
    return store, remote_store.name


def _local_store(clone: str) -> LocalStore | None:
    """Return the local store of the clone in the folder CLONE; None for a bare repository."""
    try:
        return Repo(discover(clone, {}), clone).store
    except NoRepository:
        return None  # a bare one


def _remote(request: _Request, clone: str) -> tuple[str, Remote]:
    """Return the repository's default remote and its name. CLONE: the folder of a local clone, else ""."""
    said = request.seen.files.get(CONFIG)
    found = config.parse(said) if said is not None else config.Config()
    named = found.remotes
    name = (
        found.default_remote
        if found.default_remote in named
        else "origin"
        if "origin" in named
        else min(named, default="")
    )
    if not name:
        hint = "run `mvc remote add` there, and push"
        raise NoRemote(f"{shown_url(request.source)} does not say where its models are stored", hint=hint)
    return name, _at_clone(request, named[name], clone)


def _at_clone(request: _Request, remote: Remote, clone: str) -> Remote:
    """Return REMOTE with an absolute URL: a relative folder begins at the top of the clone in the folder CLONE.

    Raises ConfigError for a relative folder of a repository that is no local clone.
    """
    if not is_relative(remote.url):
        return remote
    with suppress(NoRepository):
        top = discover(clone, {}).main_worktree if clone else ""
        if top:
            return replace(remote, url=os.path.normpath(os.path.join(top, remote.url)))
    raise ConfigError(
        f"{shown_url(request.source)} keeps its models in the folder {shown(remote.url)}, relative to each clone",
        hint="name the folder of a clone on this machine, such as `mvc get ../REPOSITORY PATH`",
    )


# -- the file or folder


def _write(store: LocalStore, pointer: Pointer, target: str, work: str, options: GetOptions) -> Replaced | None:
    """Write the verified object in WORK, then rename it to TARGET. Return the model that it replaced; None without."""
    root = store.read_root(pointer.kind, pointer.oid)
    tree = Worktree(work, os.path.join(work, "tmp"))
    ready = SafeRelPath("ready")
    with ContentReader(store) as reader:
        if pointer.kind == "file":
            tree.write(ready, lambda fd: _fill(reader, root, fd, target), executable=pointer.executable)
        else:
            _fill_folder(store, reader, pointer, tree, ready)
    before = _stat(target)
    if before and not options.force:
        raise ConflictError(f"{shown(target)} appeared meanwhile", hint="repeat with --force, or with -o")
    replaced = store_replaced(target, "get", force=True) if before else None
    _put_in_place(work, target, before)
    return replaced


def _stat(path: str) -> Stat | None:
    try:
        return stat_of(os.lstat(path))
    except FileNotFoundError:
        return None


def _put_in_place(work: str, target: str, before: Stat | None) -> None:
    """Rename `ready` in WORK to TARGET. Raises FileInUse unless TARGET still has the stat data BEFORE."""
    folders = [os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) for path in (work, os.path.dirname(target))]
    new, aside = Place(folders[0], "ready"), Place(folders[0], "old")
    place = Place(folders[1], os.path.basename(target))
    try:
        mine = stat_of(os.lstat(os.path.join(work, "ready")))
        if before and all(stat.S_ISREG(found.mode) for found in (before, mine)):
            why = swap(Swap(place, aside, new, mine, Known((before, b"", True))))
        else:
            why = _exchange_folders(place, new, aside if before else None)
    finally:
        for fd in folders:
            os.close(fd)
    if why:
        raise FileInUse([(target, why)])


def _exchange_folders(place: Place, new: Place, aside: Place | None) -> str:
    """Move the old folder or link ASIDE, then rename NEW to PLACE. Return why it failed; "" if it did not."""
    if aside:
        rename_noreplace(place, aside)
    try:
        rename_noreplace(new, place)
    except BaseException as error:
        if aside:
            with contextlib.suppress(FileExistsError):
                rename_noreplace(aside, place)
                aside = None
        if aside:
            rename_noreplace(aside, Place(place.folder, f"{place.name}.kept-{os.urandom(4).hex()}"))
        if not isinstance(error, FileExistsError):
            raise
        return CAME
    return ""


def _fill(reader: ContentReader, root: Root, fd: int, what: str) -> None:
    reader.write_blob_to(root, fd, lambda _: None, what)


def _fill_folder(
    store: LocalStore, reader: ContentReader, pointer: Pointer, tree: Worktree, ready: SafeRelPath
) -> None:
    stored_files(store, pointer.oid)  # checks that no path is both a file and a folder
    with tree.new_folder(ready) as folder:
        for entry, fill in contents(store, reader, pointer.oid, pointer.oid.short):
            folder.fill(entry.path, fill, executable=entry.executable)
