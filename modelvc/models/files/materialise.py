"""Make files of the worktree match their pointers. Checkout, pull and the hook that follows Git share this module.

One rule: a file may be replaced or removed only if its bytes are in the store. All files are compared before any
is changed.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from modelvc.errors import FileInUse
from modelvc.formats.paths import SafeRelPath, pointer_of
from modelvc.ids import ObjectName, Oid
from modelvc.models.files import gate
from modelvc.models.files.trees import contents, entries_of, oid_of, stored_files
from modelvc.store.local.content import ContentReader
from modelvc.worktree import file_oids
from modelvc.worktree.descriptors import clone_range
from modelvc.worktree.digest import digest_of
from modelvc.worktree.state import Known

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from modelvc.formats.binary.root import Root
    from modelvc.formats.binary.tree import TreeEntry
    from modelvc.formats.pointer.pointer import Pointer
    from modelvc.models.files.gate import Looked
    from modelvc.repo import Repo
    from modelvc.worktree.state import Stat

    Progress = Callable[[int], None]

KeptFiles: TypeAlias = "list[tuple[SafeRelPath, FileInUse]]"  # models that kept files, and which


class Applied(NamedTuple):
    """The result of `apply`: models that kept files, and models with a verdict that a person should know."""

    kept: KeptFiles
    looked: tuple[Looked, ...]

    @property
    def blocked(self) -> frozenset[str]:
        """The paths of the models that were not written."""
        return frozenset(one.path for one in self.looked if one.blocked)


_CLONED = 1 << 20  # bytes; for smaller files the look at their chunks costs more than a clone saves


@dataclass(frozen=True, slots=True)
class ModelPlan:
    """The steps that make one model match its pointer."""

    path: SafeRelPath
    pointer: Pointer | None  # None: remove the model
    action: Literal["keep", "write", "mode", "remove", "missing", "dirty", "block"]
    why: str = ""
    was: tuple[str, bytes] | None = None  # kind and oid of the stored version that is replaced
    write: frozenset[str] = frozenset()  # files of a tree that are missing or differ
    remove: tuple[str, ...] = ()
    files: dict[str, Known] = field(default_factory=dict)  # files of the folder now
    seen: Known | None = None  # the file now
    extra: tuple[str, ...] = ()  # files of a folder that are in no store: they stay

    @property
    def change(self) -> str:
        """The word for the action in results, once the plan was carried out."""
        return {"write": "written", "keep": "unchanged", "mode": "mode", "block": "blocked"}[self.action]


def plan(repo: Repo, path: SafeRelPath, pointer: Pointer) -> ModelPlan:
    """Plan how to make PATH match POINTER. Changes nothing.

    The action is "dirty" if an unsaved file is in the way, "missing" if the local store lacks the object.
    """
    here = _present(repo, path)
    stored = repo.store.has_root(pointer.kind, pointer.oid)
    if here is None:
        return ModelPlan(path, pointer, "write" if stored else "missing")
    kind, oid, files, seen = here
    if (kind, oid) == (pointer.kind, pointer.oid):
        same = seen is None or seen.stat.executable == pointer.executable
        return ModelPlan(path, pointer, "keep" if same else "mode", files=files, seen=seen)
    if not stored:
        return ModelPlan(path, pointer, "missing")
    if kind == "tree" and pointer.kind == "tree":
        return _plan_tree(repo, path, pointer, oid, files)
    if not repo.store.has_root(kind, oid):
        return ModelPlan(path, pointer, "dirty", "has unsaved changes")
    return ModelPlan(path, pointer, "write", was=ObjectName(kind, oid), files=files, seen=seen)


def plan_removal(repo: Repo, path: SafeRelPath) -> ModelPlan:
    """Plan how to remove a model that is no longer tracked. The action is "dirty" if it is not in the store."""
    here = _present(repo, path)
    if here is None:
        return ModelPlan(path, None, "keep")
    kind, oid, files, seen = here
    if not repo.store.has_root(kind, oid):
        return ModelPlan(path, None, "dirty", "has unsaved changes")
    return ModelPlan(path, None, "remove", was=ObjectName(kind, oid), files=files, seen=seen)


class _Present(NamedTuple):
    """The file, or the files of the folder, at a path now."""

    kind: str
    oid: Oid
    files: dict[str, Known]
    seen: Known | None


def _present(repo: Repo, path: SafeRelPath) -> _Present | None:
    found = repo.worktree.stat(path)
    if found is None:
        return None
    if not stat.S_ISDIR(found.mode):
        seen = file_oids.file_seen(repo.worktree, repo.state, path)
        return _Present("file", Oid(seen.oid), {}, seen) if seen else None
    files = file_oids.tree_files(repo.worktree, repo.state, path) or {}
    before = repo.state.tree(path)
    oid = before.oid
    if not oid or before.files != files:
        oid = oid_of(entries_of(files))
        repo.state.remember_tree(path, oid, files)
    return _Present("tree", Oid(oid), files, None)


def _plan_tree(repo: Repo, path: SafeRelPath, pointer: Pointer, oid: Oid, files: dict[str, Known]) -> ModelPlan:
    target = stored_files(repo.store, pointer.oid)
    saved = _saved(repo, path, oid)
    write: set[str] = set()
    remove: list[str] = []
    extra: list[str] = []
    for path_in, entry in target.items():
        name = str(path_in)
        there = files.get(name)
        if there and there.oid == entry.oid and there.stat.executable == entry.executable:
            continue
        if there and there.oid != entry.oid and not _is_saved(saved, name, there):
            return ModelPlan(path, pointer, "dirty", f"has unsaved changes: {name}")
        write.add(name)
    for name, found in files.items():
        if name not in target:
            (remove if _is_saved(saved, name, found) else extra).append(name)
    for name in extra:
        if blocked := next((t for t in target if t.startswith(name + "/") or name.startswith(t + "/")), None):
            return ModelPlan(path, pointer, "dirty", f"has an unsaved file where {blocked} belongs: {name}")
    was = ("tree", oid) if saved is None else None
    changes = (frozenset(write), tuple(remove))
    return ModelPlan(path, pointer, "write", "", was, *changes, files, extra=tuple(sorted(extra)))


def plan_unfetched(repo: Repo, path: SafeRelPath, pointer: Pointer) -> ModelPlan:
    """Plan as `plan` does for a version that must be fetched first. The files of its tree are not known yet."""
    here = _present(repo, path)
    if here is None:
        return ModelPlan(path, pointer, "write")
    kind, oid, files, _ = here
    saved = _saved(repo, path, oid) if kind == "tree" else None
    if kind == "tree" and pointer.kind == "tree" and saved is not None:
        edited = any(str(name) in files and files[str(name)].oid != entry.oid for name, entry in saved.items())
    else:
        edited = not repo.store.has_root(kind, oid)
    return ModelPlan(path, pointer, "dirty" if edited else "write", "has unsaved changes" if edited else "")


def foreign_files(repo: Repo, path: SafeRelPath, pointer: Pointer) -> frozenset[str]:
    """Return the files in folder PATH that are in no version and block no file of POINTER: a checkout keeps them."""
    here = _present(repo, path)
    if here is None or here.kind != "tree" or pointer.kind != "tree" or not repo.store.has_root("tree", pointer.oid):
        return frozenset()
    target = {str(name) for name in stored_files(repo.store, pointer.oid)}
    taken = target | {folder for name in target for folder in _folders(name)}
    saved = _saved(repo, path, here.oid)
    loose = (name for name, found in here.files.items() if name not in taken and not _is_saved(saved, name, found))
    return frozenset(name for name in loose if target.isdisjoint(_folders(name)))


def _folders(name: str) -> list[str]:
    """Return the folders that hold the file NAME."""
    return [name[:position] for position, char in enumerate(name) if char == "/"]


def without_removing(step: ModelPlan, names: frozenset[str]) -> ModelPlan:
    """Return STEP without the removal of the files NAMES."""
    extra = tuple(sorted(names.intersection(step.remove) | set(step.extra)))
    return replace(step, remove=tuple(name for name in step.remove if name not in names), extra=extra)


def _saved(repo: Repo, path: SafeRelPath, oid: Oid) -> dict[SafeRelPath, TreeEntry] | None:
    """Return the files of the tree last checked out at PATH; None if the store has the folder's present tree OID."""
    if repo.store.has_root("tree", oid):
        return None
    known = repo.state.pointer(path)
    if known and known.kind == "tree" and repo.store.has_root("tree", Oid(known.oid)):
        return stored_files(repo.store, Oid(known.oid))
    return {}


def _is_saved(saved: dict[SafeRelPath, TreeEntry] | None, name: str, there: Known) -> bool:
    if saved is None:
        return True
    entry = saved.get(name)  # type: ignore[call-overload]
    return entry is not None and entry.oid == there.oid


# -- carry plans out


def apply(repo: Repo, plans: Sequence[ModelPlan], why: str, on_bytes: Progress = lambda _: None) -> Applied:
    """Carry out PLANS, none of which may be "missing" or "dirty". WHY: the reason for the reflog.

    A file that another program is writing, or changed since the plan, is kept. A model that the gate blocks is not
    written, and its stored predecessor is removed.
    """
    for step in plans:
        if step.action in {"missing", "dirty"}:
            raise AssertionError(f"{step.path} cannot be written: {step.action}")
    looked = gate.look_at(
        repo, [(step.path, step.pointer) for step in plans if step.pointer and step.action == "write"]
    )
    blocked = Applied([], looked).blocked
    plans = [_blocked(step) if step.path in blocked else step for step in plans]
    goes = (step for step in plans if step.action in {"write", "remove", "block"})
    repo.log_all_replaced([(step.path, *step.was) for step in goes if step.was], why)
    if not plans:
        return Applied([], looked)
    with repo.worktree.journalled(), ContentReader(repo.store) as reader:
        kept = _remove(repo, [step for step in plans if _is_removed_first(step)])
        for step in plans:
            if step.path not in kept:
                try:
                    _apply(repo, reader, step, on_bytes)
                except FileInUse as error:
                    kept[step.path] = error
    return Applied([(step.path, kept[step.path]) for step in plans if step.path in kept], looked)


def _blocked(step: ModelPlan) -> ModelPlan:
    """Return STEP so that it removes what is there and stored, and writes nothing."""
    files = {name: known for name, known in step.files.items() if name not in step.extra}
    return replace(step, action="block", files=files, write=frozenset(), remove=())


def raise_kept(kept: KeptFiles) -> None:
    """Raise FileInUse for the files in KEPT, if any."""
    if files := [file for _, error in kept for file in error.kept]:
        raise FileInUse(files)


def _is_removed_first(step: ModelPlan) -> bool:
    """Return whether the present files are removed before any are written: no model, blocked, or of another kind."""
    return step.action in {"remove", "block"} or bool(
        step.action == "write" and step.pointer and step.was and step.was[0] != step.pointer.kind
    )


def _apply(repo: Repo, reader: ContentReader, step: ModelPlan, on_bytes: Progress) -> None:
    pointer = step.pointer
    if step.action in {"remove", "block"}:
        repo.state.forget(step.path)
    elif step.action == "mode" and pointer and step.seen:
        found = repo.worktree.set_executable(step.path, step.seen, executable=pointer.executable)
        repo.state.remember_file(step.path, found, pointer.oid, settled=step.seen.settled)
    elif step.action == "write" and pointer and pointer.kind == "file":
        _write_file(repo, reader, step, on_bytes)
    elif step.action == "write":
        _write_tree(repo, reader, step, on_bytes)


def _remove(repo: Repo, steps: Sequence[ModelPlan]) -> dict[SafeRelPath, FileInUse]:
    """Remove the files of the models in STEPS. Return the models that kept a file."""
    files: dict[str, Known] = {}
    owner: dict[str, SafeRelPath] = {}
    for step in steps:
        found: dict[str, Known] = {f"{step.path}/{name}": at for name, at in step.files.items()}
        if step.seen:
            found = {step.path: step.seen}
        files |= found
        owner |= dict.fromkeys(found, step.path)
    kept: dict[SafeRelPath, list[tuple[str, str]]] = {}
    for path, why in repo.worktree.take_away(files).items():
        kept.setdefault(owner[path], []).append((path, why))
    for step in steps:
        if not step.seen:
            _remove_empty(repo, step.path, step.files)
    return {path: FileInUse(found) for path, found in kept.items()}


def _remove_empty(repo: Repo, path: SafeRelPath, names: Iterable[str], *, stop: str | None = None) -> None:
    """Remove the folders that the files NAMES of the folder PATH left empty. STOP: as for `Worktree.remove_empty`."""
    end = os.path.dirname(path) if stop is None else stop
    for folder in sorted({os.path.dirname(f"{path}/{name}") for name in names}, key=len, reverse=True):
        repo.worktree.remove_empty(folder, stop=end)


def _write_file(repo: Repo, reader: ContentReader, step: ModelPlan, on_bytes: Progress) -> None:
    path, pointer = step.path, step.pointer
    assert pointer is not None  # noqa: S101 - for the type checker
    root = repo.store.read_root("file", pointer.oid)

    def fill(fd: int) -> None:
        if not (root.size > _CLONED and _clone(reader, root, fd)):
            if root.size:
                _reserve(fd, root.size)
            reader.write_blob_to(root, fd, on_bytes, path)

    before = _pointer_time(repo, path)
    found = repo.worktree.write(path, fill, executable=pointer.executable, before=before, seen=step.seen)
    repo.store.mark_proven(root)
    repo.state.remember_file(path, found, pointer.oid, settled=_has_fine_time(found))


def _clone(reader: ContentReader, root: Root, fd: int) -> bool:
    """Let the file FD share its blocks with the pack, then hash it. Return False if it must be written by chunks."""
    found = reader.clone_range(root)
    if found is None:
        return False
    source, offset = found
    try:
        if not clone_range(source, offset, root.size, fd):
            return False
    finally:
        os.close(source)
    if digest_of(fd) != root.oid:
        os.ftruncate(fd, 0)
        return False  # writing chunk by chunk finds the corrupt chunk
    return True


def _write_tree(repo: Repo, reader: ContentReader, step: ModelPlan, on_bytes: Progress) -> None:
    path, pointer = step.path, step.pointer
    assert pointer is not None  # noqa: S101 - for the type checker: apply() returned otherwise
    files: dict[str, Known] = {}
    kept: list[tuple[str, str]] = []
    time = _pointer_time(repo, path)
    if not step.files and not step.write:  # the folder does not exist
        with repo.worktree.new_folder(path, before=time) as folder:
            for entry, fill in contents(repo.store, reader, pointer.oid, path):
                stat_data = folder.fill(entry.path, fill, executable=entry.executable)
                files[str(entry.path)] = Known((stat_data, bytes(entry.oid), _has_fine_time(stat_data)))
                on_bytes(entry.size)
        repo.store.mark_proven(repo.store.read_root("tree", pointer.oid))
    else:
        there = step.files
        gone = repo.worktree.take_away({f"{path}/{name}": there[name] for name in step.remove})
        kept += gone.items()
        _remove_empty(repo, path, step.remove, stop=str(path))
        files = {name: known for name, known in there.items() if name not in step.remove and name not in step.write}
        with repo.worktree.staged(path, before=time) as folder:
            new: dict[str, TreeEntry] = {}
            for entry, fill in contents(repo.store, reader, pointer.oid, path, step.write):
                folder.fill(entry.path, fill, executable=entry.executable)
                new[str(entry.path)] = entry
                on_bytes(entry.size)
            folder.sync()
            seen = {name: there.get(name) for name in new}
            for name, placed in repo.worktree.place(folder, path, seen).items():
                if placed.stat is None:
                    kept.append((placed.path, placed.why))
                else:
                    files[name] = Known((placed.stat, bytes(new[name].oid), _has_fine_time(placed.stat)))
    oid = pointer.oid if not step.extra and not kept else oid_of(entries_of(files))
    repo.state.remember_tree(path, oid, files)
    if kept:
        raise FileInUse(kept)


def _reserve(fd: int, size: int) -> None:
    if not hasattr(os, "posix_fallocate"):  # macOS
        return
    try:
        os.posix_fallocate(fd, 0, size)
    except OSError as error:
        import errno

        if error.errno == errno.ENOSPC:
            raise


def _pointer_time(repo: Repo, path: SafeRelPath) -> int:
    """Return the mtime of the pointer in ns, 0 without one. The pre-commit shim takes a newer model as modified."""
    found = repo.worktree.stat(pointer_of(path))
    return found.mtime if found else 0


def _has_fine_time(found: Stat) -> bool:
    """Return whether the file system keeps times below 1 µs. If so, any later write changes the mtime."""
    return bool(found.mtime % 1000)
