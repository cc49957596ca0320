"""Compare models in the worktree with their pointers."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from modelvc.errors import (
    BrokenPointer,
    ConflictError,
    FileChanged,
    FileError,
    ModelvcError,
    PointerConflict,
    UsageError,
)
from modelvc.formats.paths import SafeRelPath, model_of, pointer_of
from modelvc.git.index import pointers as index_pointers
from modelvc.ids import ObjectName, Oid
from modelvc.models.files.seen_by_git import exposed, held_by_git, leftovers, would_overwrite
from modelvc.models.inside.pointer_part import SAME, resaved
from modelvc.models.remotes.seen_cache import is_pushed, pushed_oids
from modelvc.models.versions import claims
from modelvc.models.versions.same_data import on_same_data
from modelvc.worktree import file_oids

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelvc.formats.pointer.pointer import Pointer
    from modelvc.repo import Repo

BLOCKED, CLEAN, NEW, MODIFIED, MISSING, CONFLICT, BROKEN, STALE, UNIGNORED, LEFTOVER, OBSTRUCTED = (
    "blocked",
    "clean",
    "new",
    "modified",
    "missing",
    "conflict",
    "broken",
    "stale",
    "unignored",
    "leftover",
    "obstructed",
)


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """One model. `stored`: whether the local store has its version; `pushed`: None if unknown."""

    path: str
    state: str
    kind: str = "file"
    oid: str = ""
    size: int = 0
    stored: bool = True
    pushed: bool | None = None
    detail: str = ""
    only_new: bool = field(default=False, metadata={"json": False})  # the folder has new files and no other change
    same_data: bool = field(default=False, metadata={"json": False})  # a conflict whose sides were measured on one data

    @property
    def clean(self) -> bool:
        """Whether the model matches its pointer."""
        return self.state == CLEAN

    @property
    def wrong(self) -> bool:
        """Whether its pointer can be read and claims a wrong size or number of files."""
        return self.state == BROKEN and bool(self.oid)


class _Difference(NamedTuple):
    """How a model differs from its pointer. `only_new`: as of ModelStatus."""

    state: str
    detail: str = ""
    only_new: bool = False


def model_statuses(repo: Repo, paths: Sequence[str] = ()) -> tuple[ModelStatus, ...]:
    """Compare the tracked models in PATHS (default: all) with their pointers. Return one row each, sorted by path.

    A file is read only if its stat data changed. The state file notes the hashes of files that were read.
    """
    staged: dict[str, set[int]] = {}
    sparse: set[str] = set()
    for entry in index_pointers(repo.layout):
        if entry.sparse:
            sparse.add(model_of(entry.path))
        else:
            staged.setdefault(model_of(entry.path), set()).add(entry.stage)
    tracked = {*staged, *repo.tracked()}
    left = dict(leftovers(repo, {*tracked, *sparse}))
    chosen = repo.selected(paths, {*tracked, *left})
    there = pushed_oids(repo)
    looked = [_status_of(repo, path, staged.get(path), there) for path in chosen if path not in left]
    gone = [ModelStatus(path, LEFTOVER, detail=left[path]) for path in chosen if path in left]
    return tuple(sorted((*_blocked(repo, _against_git(repo, looked)), *gone), key=lambda row: row.path))


def save_state(repo: Repo) -> None:
    """Save the hashes of files that were read, so that the next command need not read them. A full disk is ignored."""
    with suppress(OSError):
        repo.state.save()


def _status_of(repo: Repo, path: SafeRelPath, stages: set[int] | None, there: frozenset[bytes] | None) -> ModelStatus:
    unmerged = (stages or set()) - {0}
    read_as = repo.worktree.stat(pointer_of(path))  # before the content: a pointer replaced meanwhile is read next time
    try:
        pointer = repo.read_pointer(path)
    except PointerConflict:
        return ModelStatus(path, CONFLICT, detail="both sides of a merge changed it, and Git merged the text")
    except (FileChanged, FileError):
        raise
    except ConflictError as error:  # a link, a pipe or a socket instead of the pointer, or a link above it
        return ModelStatus(path, OBSTRUCTED, detail=str(error))
    except BrokenPointer as error:
        return ModelStatus(path, CONFLICT if unmerged else BROKEN, detail=str(error))
    if pointer is None:
        return ModelStatus(path, CONFLICT if unmerged else MISSING, detail=_sides(unmerged) or "its pointer is gone")
    if read_as is not None:
        repo.state.remember_pointer(path, read_as, pointer.kind, pointer.oid, pointer.size)
    found = _compare(repo, path, pointer)
    if pointer.conflict:
        found = _Difference(CONFLICT, f"{pointer.conflict.ours} or {pointer.conflict.theirs}")
    elif unmerged:
        found = _Difference(CONFLICT, _sides(unmerged))
    if found.state == CLEAN and stages is None:
        found = _Difference(NEW, "its pointer is not staged")
    if found.state == CLEAN and pointer.metrics and pointer.metrics.of != pointer.oid:
        found = _Difference(STALE, "its metrics were measured on another version")
    stored = repo.store.has_root(pointer.kind, pointer.oid)
    if found.state in {MISSING, MODIFIED} and stored:
        wrong = claims.difference(claims.claimed(pointer), claims.stored(repo.store, pointer))
        found = found._replace(detail="; ".join(filter(None, (wrong, found.detail))))
    return ModelStatus(
        path=path,
        state=found.state,
        kind=pointer.kind,
        oid=str(pointer.oid),
        size=pointer.size,
        stored=stored,
        pushed=is_pushed(there, pointer.oid, stored=stored),
        detail=found.detail,
        only_new=found.only_new,
        same_data=pointer.conflict is not None and on_same_data(pointer, pointer.conflict.other),
    )


def _blocked(repo: Repo, rows: Sequence[ModelStatus]) -> list[ModelStatus]:
    """Return ROWS, marked if a model is missing because the gate blocks its version."""
    found = list(rows)
    missing = [position for position, row in enumerate(rows) if row.state == MISSING and row.oid and row.stored]
    if missing:
        from modelvc.models.files.gate import Gate

        gate = Gate(repo)
        for position in missing:
            row = rows[position]
            looked = gate.recall(row.path, ObjectName(row.kind, Oid.parse(row.oid)))
            if looked and looked.blocked:
                found[position] = replace(row, state=BLOCKED, detail=looked.words)
    return found


def _against_git(repo: Repo, rows: Sequence[ModelStatus]) -> list[ModelStatus]:
    """Return ROWS, marked if Git does not ignore a model or would overwrite its unsaved changes."""
    open_to_git = set(exposed(repo, [row.path for row in rows if row.state in {CLEAN, NEW, STALE}]))
    held = held_by_git(repo, [row.path for row in rows if row.state == MODIFIED])

    def marked(row: ModelStatus) -> ModelStatus:
        if row.path in open_to_git:
            return replace(row, state=UNIGNORED, detail="Git does not ignore it")
        if row.path in held:
            return replace(row, detail="; ".join(filter(None, (row.detail, would_overwrite(held[row.path])))))
        return row

    return [marked(row) for row in rows]


def _sides(unmerged: set[int]) -> str:
    """Describe the stages that an unresolved merge left in the index; "" without any."""
    if not unmerged:
        return ""
    return (
        "both sides of a merge changed it" if {2, 3} <= unmerged else "one side of a merge changed it, one deleted it"
    )


def _compare(repo: Repo, path: SafeRelPath, pointer: Pointer) -> _Difference:
    found = repo.worktree.stat(path)
    if found is None:
        behind_a_link = os.path.lexists(os.path.join(repo.layout.worktree, path))
        words = "a folder on the way to it is a symbolic link"
        return _Difference(OBSTRUCTED, words) if behind_a_link else _Difference(MISSING)
    if stat.S_ISDIR(found.mode) != (pointer.kind == "tree"):
        words = "a folder stands where a file was" if pointer.kind == "file" else "a file stands where a folder was"
        return _Difference(MODIFIED, words)
    try:
        if pointer.kind == "tree":
            return _compare_tree(repo, path, pointer)
        oid = file_oids.file_oid(repo.worktree, repo.state, path)
        if oid != pointer.oid:
            behind = _behind(repo, pointer, oid)
            return behind or _Difference(MODIFIED, SAME if oid and resaved(repo, path, pointer, oid) else "")
        if wrong := claims.difference(claims.claimed(pointer), claims.Extent(found.size)):
            return _Difference(BROKEN, wrong)
        if found.executable != pointer.executable:
            return _Difference(MODIFIED, "is executable" if found.executable else "is not executable")
    except (FileChanged, FileError) as error:
        return _Difference(MODIFIED, str(error))
    except (ConflictError, UsageError) as error:  # no file: a link, a pipe, a socket, or a folder that holds one
        return _Difference(OBSTRUCTED, str(error))
    except ModelvcError as error:
        return _Difference(MODIFIED, str(error))
    return _Difference(CLEAN)


def _behind(repo: Repo, pointer: Pointer, oid: bytes | None) -> _Difference | None:
    """Return MISSING for a stored model whose pointer names a version that this clone lacks; None for any other."""
    if oid is None or repo.store.has_root(pointer.kind, pointer.oid) or not repo.store.has_root(pointer.kind, Oid(oid)):
        return None
    return _Difference(MISSING, "the file is another version; this clone lacks the one that its pointer names")


def _compare_tree(repo: Repo, path: SafeRelPath, pointer: Pointer) -> _Difference:
    if repo.state.tree(path).oid == pointer.oid and file_oids.unchanged_tree(repo.worktree, repo.state, path):
        return _same_tree(repo, path, pointer)
    from modelvc.models.files.trees import entries_of, oid_of, stored_files

    found = file_oids.tree_files(repo.worktree, repo.state, path) or {}
    now_oid = oid_of(entries_of(found))
    repo.state.remember_tree(path, now_oid, found)
    if now_oid == pointer.oid:
        return _same_tree(repo, path, pointer)
    if not repo.store.has_root("tree", pointer.oid):
        return _behind(repo, pointer, now_oid) or _Difference(MODIFIED, f"{len(found)} files")
    before = {str(name): entry.oid for name, entry in stored_files(repo.store, pointer.oid).items()}
    new, gone = found.keys() - before.keys(), before.keys() - found.keys()
    changed = [name for name in found.keys() & before.keys() if found[name].oid != before[name]]
    counts = ((len(new), "new"), (len(changed), "changed"), (len(gone), "gone"))
    words = ", ".join(f"{count} {word}" for count, word in counts if count) or "a mode changed"
    return _Difference(MODIFIED, words, only_new=bool(new) and not changed and not gone)


def _same_tree(repo: Repo, path: SafeRelPath, pointer: Pointer) -> _Difference:
    wrong = claims.difference(claims.claimed(pointer), claims.of_files(repo.state.tree(path).files))
    return _Difference(BROKEN, wrong) if wrong else _Difference(CLEAN)
