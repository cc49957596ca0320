"""Find models that Git handles itself: not ignored, left without a pointer, or in Git's own history."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from modelvc.atomic import write_atomically
from modelvc.errors import GitError, ModelvcError, shown
from modelvc.formats.paths import SafeRelPath, pointer_of
from modelvc.git import history, index

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from modelvc.repo import Repo

_IN_GIT = "in-git"  # in the clone: a commit of Git's own history by path, "" for none
_LARGEST = 16 << 20  # bytes of that file


def unignored(repo: Repo, paths: Iterable[str]) -> list[str]:
    """Return those of PATHS that exist and that Git does not ignore or tracks itself."""
    return exposed(repo, [path for path in paths if repo.worktree.stat(path) is not None])


def exposed(repo: Repo, existing: Sequence[str]) -> list[str]:
    """Return those of the EXISTING paths that Git does not ignore or tracks itself."""
    with suppress(GitError):  # Git itself reports a `.gitignore` that it cannot read
        ignored = index.ignored(repo.layout, existing)
        return [path for path in existing if path not in ignored]
    return []


def leftovers(repo: Repo, known: Collection[str]) -> list[tuple[SafeRelPath, str]]:
    """Return the models whose pointer Git removed or renamed, each with its fate. KNOWN: models in the index."""
    found = []
    for text in sorted(repo.state.pointers.keys() - set(known)):
        path = SafeRelPath(text)
        if repo.worktree.stat(path) is None or repo.worktree.stat(pointer_of(path)) is not None:
            continue
        found.append(path)
    held = index.tracked_at(repo.layout, found)  # Git tracks a file of its own at that path
    return [(path, fate(repo, path, known)) for path in found if path not in held]


def fate(repo: Repo, path: SafeRelPath, known: Collection[str]) -> str:
    """Return in words what happens to the model PATH, whose pointer is gone. KNOWN: models that have a pointer."""
    oid = _oid(repo, path)
    same = [other for other in sorted(known) if _oid(repo, other) == oid]
    before = index.head_blobs(repo.layout, [pointer_of(SafeRelPath(other)) for other in same])
    new = next((name for name in map(pointer_of, map(SafeRelPath, same)) if name not in before), None)
    if new is not None:
        return f"Git renamed its pointer to {shown(new)}; the next `git checkout` moves the model"
    return "Git removed its pointer; the next `git checkout` removes the model if the store has its content"


def _oid(repo: Repo, path: str) -> bytes | None:
    """Return the oid in the pointer of PATH, from the state file or else the pointer itself; None without one."""
    if known := repo.state.pointer(path):
        return known.oid
    with suppress(ModelvcError):
        pointer = repo.read_pointer(SafeRelPath(path))
        return bytes(pointer.oid) if pointer else None
    return None


# -- paths in Git's own history


def held_by_git(repo: Repo, paths: Sequence[str]) -> dict[str, str]:
    """Return for each of PATHS a commit in which Git tracks the path itself. Checking it out overwrites the model.

    Git's history is searched once for each path; the clone keeps the answer.
    """
    known = _load(repo)
    if new := [path for path in paths if path not in known]:
        with suppress(GitError):  # a partial clone without its remote: asked again next time
            known |= dict.fromkeys(new, "") | history.holders(repo.layout, new)
            _save(repo, known)
    return {path: known[path] for path in paths if known.get(path)}


def would_overwrite(commit: str) -> str:
    """Return the warning for a model whose path Git tracks itself in COMMIT."""
    return f"Git's own history holds that path, and `git checkout {commit[:10]}` overwrites what was not added"


def _load(repo: Repo) -> dict[str, str]:
    try:
        with open(os.path.join(repo.layout.mvc_dir, _IN_GIT), "rb") as file:
            found = json.loads(file.read(_LARGEST))
    except (OSError, ValueError, RecursionError):
        return {}
    items = found.items() if isinstance(found, dict) else ()
    return {path: commit for path, commit in items if isinstance(commit, str)}


def _save(repo: Repo, known: dict[str, str]) -> None:
    path = os.path.join(repo.layout.mvc_dir, _IN_GIT)
    with suppress(OSError):  # a full disk, or a clone that one may only read: asked again next time
        write_atomically(path, json.dumps(known).encode("ascii"))
