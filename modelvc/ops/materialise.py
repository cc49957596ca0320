"""Make files of the worktree what pointers say. Shared by checkout, pull and the hook that follows Git.

One rule: a file may be replaced or removed if its bytes are in the store. First everything is looked at, then changed.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from modelvc.formats.paths import SafeRelPath, pointer_of
from modelvc.oid import Oid
from modelvc.ops.trees import contents, entries_of, oid_of, stored_files
from modelvc.store.content import ContentReader
from modelvc.worktree import survey
from modelvc.worktree.files import clone_range, write_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from modelvc.formats.pointer import Pointer
    from modelvc.formats.root import Root
    from modelvc.formats.tree import TreeEntry
    from modelvc.repo import Repo
    from modelvc.worktree.state import Known, Stat

    Progress = Callable[[int], None]

_TOGETHER = 1 << 20  # files up to this are written from memory


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done to one model. `write` names the files of a tree that are missing or differ."""

    path: SafeRelPath
    pointer: Pointer | None  # None: the model goes away
    action: Literal["keep", "write", "mode", "remove", "missing", "dirty"]
    why: str = ""
    was: tuple[str, bytes] | None = None  # kind and oid of what is replaced and stored
    write: frozenset[str] = frozenset()
    remove: tuple[str, ...] = ()
    files: dict[str, Known] = field(default_factory=dict)  # of a tree: what is there
    extra: tuple[str, ...] = ()  # files of a folder that are in no store: they stay


def plan(repo: Repo, path: SafeRelPath, pointer: Pointer) -> Plan:
    """How to make PATH what POINTER says; changes nothing."""
    here = _here(repo, path)
    stored = repo.store.has_root(pointer.kind, pointer.oid)
    if here is None:
        return Plan(path, pointer, "write" if stored else "missing")
    kind, oid, files = here
    if (kind, oid) == (pointer.kind, pointer.oid):
        found = repo.worktree.stat(path)
        runs = bool(found and found[4] & 0o100)
        same = kind == "tree" or runs == pointer.executable
        return Plan(path, pointer, "keep" if same else "mode", files=files)
    if not stored:
        return Plan(path, pointer, "missing")
    if kind == "tree" and pointer.kind == "tree":
        return _plan_tree(repo, path, pointer, oid, files)
    if not repo.store.has_root(kind, oid):
        return Plan(path, pointer, "dirty", "has changes that are in no store")
    return Plan(path, pointer, "write", was=(kind, oid))


def plan_removal(repo: Repo, path: SafeRelPath) -> Plan:
    """How to take away a model that is tracked no longer: only what is in the store."""
    here = _here(repo, path)
    if here is None:
        return Plan(path, None, "keep")
    kind, oid, files = here
    if not repo.store.has_root(kind, oid):
        return Plan(path, None, "dirty", "has changes that are in no store")
    return Plan(path, None, "remove", was=(kind, oid), files=files)


def _here(repo: Repo, path: SafeRelPath) -> tuple[str, Oid, dict[str, Known]] | None:
    """Kind and oid of what is at PATH now, and the files of a folder."""
    found = repo.worktree.stat(path)
    if found is None:
        return None
    if not stat.S_ISDIR(found[4]):
        oid = survey.file_oid(repo.worktree, repo.state, path)
        return ("file", Oid(oid), {}) if oid else None
    files = survey.tree_files(repo.worktree, repo.state, path) or {}
    known, before = repo.state.trees.get(path, (b"", {}))
    if not known or before != files:
        known = oid_of(entries_of(files))
        repo.state.remember_tree(path, known, files)
    return "tree", Oid(known), files


def _plan_tree(repo: Repo, path: SafeRelPath, pointer: Pointer, oid: Oid, files: dict[str, Known]) -> Plan:
    target = stored_files(repo.store, pointer.oid)
    saved = _saved(repo, path, oid)
    write: set[str] = set()
    remove: list[str] = []
    extra: list[str] = []
    for path_in, entry in target.items():
        name = str(path_in)
        there = files.get(name)
        if there and there[1] == entry.oid and bool(there[0][4] & 0o100) == entry.executable:
            continue
        if there and there[1] != entry.oid and not _is_saved(saved, name, there):
            return Plan(path, pointer, "dirty", f"has changes that are in no store: {name}")
        write.add(name)
    for name, found in files.items():
        if name not in target:
            (remove if _is_saved(saved, name, found) else extra).append(name)
    for name in extra:
        if blocked := next((t for t in target if t.startswith(name + "/") or name.startswith(t + "/")), None):
            return Plan(path, pointer, "dirty", f"has a file that is in no store where {blocked} belongs: {name}")
    was = ("tree", oid) if saved is None else None
    return Plan(path, pointer, "write", "", was, frozenset(write), tuple(remove), files, tuple(sorted(extra)))


def foreign(repo: Repo, path: SafeRelPath, pointer: Pointer) -> frozenset[str]:
    """Files in the folder PATH that belong to no version and stand in no file's way: a checkout leaves them."""
    here = _here(repo, path)
    if here is None or here[0] != "tree" or pointer.kind != "tree" or not repo.store.has_root("tree", pointer.oid):
        return frozenset()
    target = {str(name) for name in stored_files(repo.store, pointer.oid)}
    taken = target | {folder for name in target for folder in _folders(name)}
    saved = _saved(repo, path, here[1])
    loose = (name for name, found in here[2].items() if name not in taken and not _is_saved(saved, name, found))
    return frozenset(name for name in loose if target.isdisjoint(_folders(name)))


def _folders(name: str) -> list[str]:
    """The folders that the file NAME lies in."""
    return [name[:place] for place, char in enumerate(name) if char == "/"]


def staying(step: Plan, names: frozenset[str]) -> Plan:
    """STEP without removing the files NAMES of a folder."""
    extra = tuple(sorted(names.intersection(step.remove) | set(step.extra)))
    return replace(step, remove=tuple(name for name in step.remove if name not in names), extra=extra)


def _saved(repo: Repo, path: SafeRelPath, oid: Oid) -> dict[SafeRelPath, TreeEntry] | None:
    """The files of the tree that was here last; None when all that is here now is stored as one tree."""
    if repo.store.has_root("tree", oid):
        return None
    known = repo.state.pointers.get(path)
    if known and known[1] == "tree" and repo.store.has_root("tree", Oid(known[2])):
        return stored_files(repo.store, Oid(known[2]))
    return {}


def _is_saved(saved: dict[SafeRelPath, TreeEntry] | None, name: str, there: Known) -> bool:
    if saved is None:
        return True
    entry = saved.get(name)  # type: ignore[call-overload]
    return entry is not None and entry.oid == there[1]


# -- doing it


def apply(repo: Repo, plans: Iterable[Plan], why: str, on_bytes: Progress = lambda _: None) -> None:
    """Carry out PLANS; none of them may be missing or dirty. WHY goes into the log of what was replaced."""
    with ContentReader(repo.store) as reader:
        for step in plans:
            _apply(repo, reader, step, why, on_bytes)


def _apply(repo: Repo, reader: ContentReader, step: Plan, why: str, on_bytes: Progress) -> None:
    if step.action in {"missing", "dirty"}:
        raise AssertionError(f"{step.path} can not be written: {step.action}")
    if step.was and step.action in {"write", "remove"}:
        repo.log_replaced(step.path, step.was[0], step.was[1], why)
    if step.action == "remove":
        _remove(repo, step.path, step.files)
        repo.state.forget(step.path)
    pointer = step.pointer
    if pointer is None or step.action == "keep":
        return
    if step.action == "mode":
        found = repo.worktree.set_executable(step.path, executable=pointer.executable)
        repo.state.remember_file(step.path, found, pointer.oid, settled=True)
        return
    if pointer.kind == "file":
        if step.was and step.was[0] == "tree":
            _remove(repo, step.path, step.files)
        _write_file(repo, reader, step.path, pointer, on_bytes)
    else:
        if step.was and step.was[0] == "file":
            repo.worktree.remove(step.path)
        _write_tree(repo, reader, step, on_bytes)


def _remove(repo: Repo, path: SafeRelPath, files: Iterable[str]) -> None:
    if not survey.is_folder(repo.worktree, path):
        repo.worktree.remove(path)
        return
    folders = set()
    for name in files:
        repo.worktree.remove(SafeRelPath(f"{path}/{name}"))
        folders.add(os.path.dirname(f"{path}/{name}"))
    for folder in sorted(folders, key=len, reverse=True):
        repo.worktree.remove_empty(folder, stop=os.path.dirname(path))


def _write_file(repo: Repo, reader: ContentReader, path: SafeRelPath, pointer: Pointer, on_bytes: Progress) -> None:
    root = repo.store.read_root("file", pointer.oid)

    def fill(fd: int) -> None:
        if not (root.size > _TOGETHER and _clone(reader, root, fd)):
            if root.size:
                _reserve(fd, root.size)
            reader.write_blob(root, lambda piece: _count(fd, piece, on_bytes), path)

    found = repo.worktree.write(path, fill, executable=pointer.executable, before=_pointer_time(repo, path))
    repo.store.mark_proven(root)
    repo.state.remember_file(path, found, pointer.oid, settled=_fine(found))


def _clone(reader: ContentReader, root: Root, fd: int) -> bool:
    """Let the file share its blocks with the pack, then check what it holds."""
    found = reader.clone_range(root)
    if found is None:
        return False
    source, offset = found
    try:
        if not clone_range(source, offset, root.size, fd):
            return False
    finally:
        os.close(source)
    if survey.digest_of(fd) != root.oid:
        os.ftruncate(fd, 0)
        return False  # written chunk by chunk instead, which finds the fault
    return True


def _write_tree(repo: Repo, reader: ContentReader, step: Plan, on_bytes: Progress) -> None:
    path, pointer = step.path, step.pointer
    assert pointer is not None  # noqa: S101 - for the type checker: apply() returned otherwise
    fresh = not step.files and repo.worktree.stat(path) is None
    time = _pointer_time(repo, path)
    for name in step.remove:
        repo.worktree.remove(SafeRelPath(f"{path}/{name}"))
    for emptied in sorted({os.path.dirname(f"{path}/{name}") for name in step.remove}, key=len, reverse=True):
        repo.worktree.remove_empty(emptied, stop=str(path))
    files: dict[str, Known] = {}
    if fresh:
        with repo.worktree.new_folder(path, before=time) as folder:
            for entry, fill in contents(repo.store, reader, pointer.oid, path):
                stat_data = folder.fill(entry.path, fill, executable=entry.executable)
                files[str(entry.path)] = (stat_data, bytes(entry.oid), _fine(stat_data))
                on_bytes(entry.size)
        repo.store.mark_proven(repo.store.read_root("tree", pointer.oid))
    else:
        files = {name: known for name, known in step.files.items() if name not in step.remove}
        with repo.worktree.staged(path, before=time) as folder:
            new: list[TreeEntry] = []
            for entry, fill in contents(repo.store, reader, pointer.oid, path, step.write):
                folder.fill(entry.path, fill, executable=entry.executable)
                new.append(entry)
                on_bytes(entry.size)
            folder.sync()
            for entry in new:
                stat_data = repo.worktree.move(folder, entry.path, SafeRelPath(f"{path}/{entry.path}"))
                files[str(entry.path)] = (stat_data, bytes(entry.oid), _fine(stat_data))
    oid = pointer.oid if not step.extra else oid_of(entries_of(files))
    repo.state.remember_tree(path, oid, files)


def _count(fd: int, piece: memoryview, on_bytes: Progress) -> None:
    write_all(fd, piece)
    on_bytes(len(piece))


def _reserve(fd: int, size: int) -> None:
    try:
        os.posix_fallocate(fd, 0, size)
    except OSError as error:
        import errno

        if error.errno == errno.ENOSPC:
            raise


def _pointer_time(repo: Repo, path: SafeRelPath) -> int:
    """When the pointer was written, in ns: the pre-commit shim takes a model that is newer for one trained anew."""
    found = repo.worktree.stat(pointer_of(path))
    return found[2] if found else 0


def _fine(found: Stat) -> bool:
    """Whether the file system kept the fine time that was set: then any later write shows in it."""
    return bool(found[2] % 1000)
