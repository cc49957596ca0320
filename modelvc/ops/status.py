"""Which models are as their pointers say, and which are not."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

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
from modelvc.git import drivers
from modelvc.git.index import pointers as index_pointers
from modelvc.oid import Oid
from modelvc.ops import claims, notebooks, proofs, remotes
from modelvc.ops.astray import exposed, held_by_git, leftovers, would_overwrite
from modelvc.ops.pushed import is_pushed, pushed_roots
from modelvc.worktree import survey
from modelvc.worktree.state import is_settled, now, stat_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelvc.formats.pointer import Pointer
    from modelvc.repo import Repo
    from modelvc.worktree.state import Stat

CLEAN, NEW, MODIFIED, MISSING, CONFLICT, BROKEN, STALE, UNIGNORED, LEFTOVER, OBSTRUCTED = (
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
    """One model. `stored`: the local store has what the pointer names; `pushed`: None when unknown."""

    path: str
    state: str
    kind: str = "file"
    oid: str = ""
    size: int = 0
    stored: bool = True
    pushed: bool | None = None
    detail: str = ""

    @property
    def clean(self) -> bool:
        return self.state == CLEAN

    @property
    def wrong(self) -> bool:
        """Whether its pointer can be read and says a size or files that the model does not have."""
        return self.state == BROKEN and bool(self.oid)

    @property
    def only_new(self) -> bool:
        """Whether a folder is modified by files that its version does not have, and by nothing else."""
        counts = (part.removesuffix(" new") for part in self.detail.split("; ") if part.endswith(" new"))
        return self.state == MODIFIED and self.kind == "tree" and any(map(str.isdecimal, counts))


@dataclass(frozen=True, slots=True)
class LostVersion:
    """A version of history that no store had when a push looked for it. `commit`: one that names it."""

    path: str
    oid: str
    commit: str


@dataclass(frozen=True, slots=True)
class Status:
    """All models that were asked for, sorted by path."""

    models: tuple[ModelStatus, ...]
    lost: tuple[LostVersion, ...] = ()

    @property
    def clean(self) -> bool:
        return all(model.clean for model in self.models)


def status(repo: Repo, paths: Sequence[str] = (), *, remember: bool = True) -> Status:
    """Look at every tracked model; files are read only where their stat data changed.

    REMEMBER: keep what was seen, so that the next look need not read it.
    """
    repo.require_init()
    started, index_stat = now(), _stat(os.path.join(repo.layout.git_dir, "index"))
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
    there = pushed_roots(repo)
    lost = _lost(repo)
    looked = [_look(repo, path, staged.get(path), there) for path in chosen if path not in left]
    gone = [ModelStatus(path, LEFTOVER, detail=left[path]) for path in chosen if path in left]
    rows = tuple(sorted((*_against_git(repo, looked), *gone), key=lambda row: row.path))
    if not paths:
        # an index from this very tick of the clock could be written again without a trace
        settled = index_stat is not None and is_settled(index_stat, started)
        _remember(repo, index_stat if settled and not lost else None, rows)
    if remember:
        with suppress(OSError):  # a full disk: what was seen is looked at again next time
            repo.state.save()
    return Status(rows, lost)


def _lost(repo: Repo) -> tuple[LostVersion, ...]:
    names = [info.name for info in remotes.remotes(repo).remotes]
    return tuple(LostVersion(one.path, str(one.oid), one.commit) for one in proofs.lost(repo, names))


def _look(repo: Repo, path: SafeRelPath, stages: set[int] | None, there: frozenset[bytes] | None) -> ModelStatus:
    unmerged = (stages or set()) - {0}
    read_as = repo.worktree.stat(pointer_of(path))  # before the content: what replaces it meanwhile is read next time
    try:
        pointer = repo.pointer_or_none(path)
    except PointerConflict:
        return ModelStatus(path, CONFLICT, detail="both sides of a merge changed it, and Git merged the text")
    except (FileChanged, FileError):
        raise
    except ConflictError as error:  # a link, a pipe or a socket in the place of the pointer, or a link on the way to it
        return ModelStatus(path, OBSTRUCTED, detail=str(error))
    except BrokenPointer as error:
        return ModelStatus(path, CONFLICT if unmerged else BROKEN, detail=str(error))
    if pointer is None:
        return ModelStatus(path, CONFLICT if unmerged else MISSING, detail=_sides(unmerged) or "its pointer is gone")
    if read_as is not None:
        repo.state.remember_pointer(path, read_as, pointer.kind, pointer.oid, pointer.size)
    state, detail = _compare(repo, path, pointer)
    if pointer.conflict:
        state, detail = CONFLICT, f"{pointer.conflict.ours} or {pointer.conflict.theirs}"
    elif unmerged:
        state, detail = CONFLICT, _sides(unmerged)
    if state == CLEAN and stages is None:
        state, detail = NEW, "its pointer is not staged"
    if state == CLEAN and pointer.metrics and pointer.metrics.of != pointer.oid:
        state, detail = STALE, "its metrics were measured on another version"
    stored = repo.store.has_root(pointer.kind, pointer.oid)
    if state in {MISSING, MODIFIED} and stored:
        wrong = claims.difference(claims.said(pointer), claims.stored(repo.store, pointer))
        detail = "; ".join(filter(None, (wrong, detail)))
    return ModelStatus(
        path=path,
        state=state,
        kind=pointer.kind,
        oid=str(pointer.oid),
        size=pointer.size,
        stored=stored,
        pushed=is_pushed(there, pointer.oid, stored=stored),
        detail=detail,
    )


def _against_git(repo: Repo, rows: Sequence[ModelStatus]) -> list[ModelStatus]:
    """ROWS with what Git makes of the models: not ignored, or to be overwritten while they are not saved."""
    open_to_git = set(exposed(repo, [row.path for row in rows if row.state in {CLEAN, NEW, STALE}]))
    held = held_by_git(repo, [row.path for row in rows if row.state == MODIFIED])

    def told(row: ModelStatus) -> ModelStatus:
        if row.path in open_to_git:
            return replace(row, state=UNIGNORED, detail="Git does not ignore it")
        if row.path in held:
            return replace(row, detail="; ".join(filter(None, (row.detail, would_overwrite(held[row.path])))))
        return row

    return [told(row) for row in rows]


def _sides(unmerged: set[int]) -> str:
    """What a merge that is not settled left in the index."""
    if not unmerged:
        return ""
    return (
        "both sides of a merge changed it" if {2, 3} <= unmerged else "one side of a merge changed it, one deleted it"
    )


def _compare(repo: Repo, path: SafeRelPath, pointer: Pointer) -> tuple[str, str]:
    found = repo.worktree.stat(path)
    if found is None:
        behind_a_link = os.path.lexists(os.path.join(repo.layout.worktree, path))
        return (OBSTRUCTED, "a folder on the way to it is a symbolic link") if behind_a_link else (MISSING, "")
    if stat.S_ISDIR(found[4]) != (pointer.kind == "tree"):
        return (
            MODIFIED,
            "a folder stands where a file was" if pointer.kind == "file" else "a file stands where a folder was",
        )
    try:
        if pointer.kind == "tree":
            return _compare_tree(repo, path, pointer)
        oid = survey.file_oid(repo.worktree, repo.state, path)
        if oid != pointer.oid:
            return _behind(repo, pointer, oid) or (MODIFIED, "")
        if wrong := claims.difference(claims.said(pointer), claims.Claim(found[1])):
            return BROKEN, wrong
        if bool(found[4] & 0o100) != pointer.executable:
            return MODIFIED, "is executable" if found[4] & 0o100 else "is not executable"
    except (FileChanged, FileError) as error:
        return MODIFIED, str(error)
    except (ConflictError, UsageError) as error:  # no file: a link, a pipe, a socket, or a folder that holds one
        return OBSTRUCTED, str(error)
    except ModelvcError as error:
        return MODIFIED, str(error)
    return CLEAN, ""


def _behind(repo: Repo, pointer: Pointer, oid: bytes | None) -> tuple[str, str] | None:
    """For a model that was not trained anew, but whose pointer moved on to a version that this clone does not have."""
    if oid is None or repo.store.has_root(pointer.kind, pointer.oid) or not repo.store.has_root(pointer.kind, Oid(oid)):
        return None
    return MISSING, "another version lies there; the one that its pointer names is not in this clone"


def _compare_tree(repo: Repo, path: SafeRelPath, pointer: Pointer) -> tuple[str, str]:
    oid, _ = repo.state.trees.get(path, (b"", {}))
    if oid == pointer.oid and survey.unchanged_tree(repo.worktree, repo.state, path):
        return _same_tree(repo, path, pointer)
    from modelvc.ops.trees import entries_of, oid_of, stored_files

    found = survey.tree_files(repo.worktree, repo.state, path) or {}
    now_oid = oid_of(entries_of(found))
    repo.state.remember_tree(path, now_oid, found)
    if now_oid == pointer.oid:
        return _same_tree(repo, path, pointer)
    if not repo.store.has_root("tree", pointer.oid):
        return _behind(repo, pointer, now_oid) or (MODIFIED, f"{len(found)} files")
    before = {str(name): entry.oid for name, entry in stored_files(repo.store, pointer.oid).items()}
    new, gone = found.keys() - before.keys(), before.keys() - found.keys()
    changed = [name for name in found.keys() & before.keys() if found[name][1] != before[name]]
    counts = ((len(new), "new"), (len(changed), "changed"), (len(gone), "gone"))
    return MODIFIED, ", ".join(f"{count} {word}" for count, word in counts if count) or "a mode changed"


def _same_tree(repo: Repo, path: SafeRelPath, pointer: Pointer) -> tuple[str, str]:
    wrong = claims.difference(claims.said(pointer), claims.of_files(repo.state.trees[path][1]))
    return (BROKEN, wrong) if wrong else (CLEAN, "")


def _remember(repo: Repo, index_stat: Stat | None, rows: tuple[ModelStatus, ...]) -> None:
    """Let the next status answer from stat data alone (cli/quick.py), if all was clean.

    The answer: (path, stat data) of what it rests on besides the models, their paths, and how many are not pushed.
    """
    answer: tuple[object, ...] = ()
    if rows and index_stat and all(row.clean and row.stored for row in rows):
        index = os.path.join(repo.layout.git_dir, "index")
        unpushed = sum(row.pushed is False for row in rows)
        folders = {os.path.dirname(repo.store.root_path(row.kind, Oid.parse(row.oid))) for row in rows}
        watched = tuple(
            (path, _stat(path)) for path in (index, *_watched(repo, rows), *_notebooks(repo), *sorted(folders))
        )
        if watched[0][1] == index_stat:
            answer = (watched, tuple(str(row.path) for row in rows), unpushed)
    if repo.state.answer != answer:
        repo.state.answer = answer
        repo.state.changed = True


def _notebooks(repo: Repo) -> list[str]:
    """Notebooks that Git must be told of when they were run again (ops/notebooks.py)."""
    if not drivers.filters(repo.layout):
        return []
    return [os.path.join(repo.layout.worktree, path) for path in notebooks.tracked(repo)]


def _watched(repo: Repo, rows: Sequence[ModelStatus]) -> list[str]:
    """Configuration, what is known of remotes, and the files by which Git ignores models."""
    mvc = repo.layout.mvc_dir
    folders = {""}
    for row in rows:
        folder = os.path.dirname(row.path)
        while folder not in folders:
            folders.add(folder)
            folder = os.path.dirname(folder)
    return [
        *(os.path.join(repo.layout.worktree, folder, ".gitignore") for folder in sorted(folders)),
        os.path.join(repo.layout.common_dir, "info/exclude"),
        os.path.join(repo.layout.worktree, ".mvc/config.toml"),
        os.path.join(mvc, "config.toml"),
        os.path.join(mvc, "remotes"),
        proofs.folder(repo),
    ]


def _stat(path: str) -> Stat | None:
    try:
        return stat_of(os.stat(path))
    except OSError:
        return None
