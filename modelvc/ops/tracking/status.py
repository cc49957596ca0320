"""Compare all models with their pointers."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.ids import Oid
from modelvc.models import notebooks
from modelvc.models.files.model_status import model_statuses, save_state
from modelvc.models.remotes import configured, proofs
from modelvc.models.versions.uncommitted import unsaved_in_worktree
from modelvc.worktree.state import is_settled, now, stat_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelvc.models.files.model_status import ModelStatus
    from modelvc.repo import Repo
    from modelvc.worktree.state import Stat


_MOST_NAMED = 5  # most models that are named where they are not pushed


@dataclass(frozen=True, slots=True)
class LostVersion:
    """A version in history that a push found in no store. `commit`: a commit that names it."""

    path: str
    oid: str
    commit: str


@dataclass(frozen=True, slots=True)
class Unsaved:
    """A model whose pointer has measurements that no commit has. `kinds`: metrics, parameters, predictions."""

    path: str
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """The models in the given paths, sorted by path. `lost`: versions in history that no store has.

    `not_committed`: models with measurements that no commit has. `notebooks`: those that a merge left in conflict.
    """

    models: tuple[ModelStatus, ...]
    lost: tuple[LostVersion, ...] = ()
    not_committed: tuple[Unsaved, ...] = ()
    notebooks: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether every model matches its pointer."""
        return all(model.clean for model in self.models)


def status(repo: Repo, paths: Sequence[str] = (), *, remember: bool = True) -> Status:
    """Compare the tracked models in PATHS (default: all) with their pointers. Only files with new stat data are read.

    REMEMBER: save what was read in the state file, so that the next command need not read it.
    """
    repo.require_init()
    started, index_stat = now(), _stat(os.path.join(repo.layout.git_dir, "index"))
    head = _head_files(repo)
    head_stat = [_stat(path) for path in head]
    lost = _lost(repo)
    rows = model_statuses(repo, paths)
    found = unsaved_in_worktree(repo, [row.path for row in rows])
    unmerged = () if paths else tuple(notebooks.unmerged(repo))
    if not paths:
        # if the index was written in this very clock tick, another write would not change its stat data
        settled = index_stat is not None and is_settled(index_stat, started)
        certain = settled and not lost and not found and not unmerged
        certain = certain and head == _head_files(repo) and head_stat == [_stat(path) for path in head]
        _remember(repo, index_stat if certain else None, rows)
    if remember:
        save_state(repo)
    return Status(rows, lost, tuple(Unsaved(path, kinds) for path, kinds in sorted(found.items())), unmerged)


def _head_files(repo: Repo) -> list[str]:
    """Return the files that change when HEAD moves."""
    layout = repo.layout
    head = os.path.join(layout.git_dir, "HEAD")
    try:
        with open(head, encoding="utf-8", errors="surrogateescape") as file:
            branch = file.readline(8192).removeprefix("ref: ").rstrip("\n")
    except OSError:
        branch = ""
    return [
        head,
        os.path.join(layout.git_dir, "logs/HEAD"),
        os.path.join(layout.common_dir, "packed-refs"),
        os.path.join(layout.common_dir, "reftable/tables.list"),
        *([os.path.join(layout.common_dir, branch)] if branch.startswith("refs/") else ()),
    ]


def _lost(repo: Repo) -> tuple[LostVersion, ...]:
    names = [info.name for info in configured.remotes(repo).remotes]
    return tuple(LostVersion(one.path, str(one.oid), one.commit) for one in proofs.lost(repo, names))


def _remember(repo: Repo, index_stat: Stat | None, rows: tuple[ModelStatus, ...]) -> None:
    """Save an answer that lets the next status work from stat data alone (cli/quick.py), if every model is clean.

    The answer: (path, stat data) of each other file that it depends on, the models' paths, and the number of models
    that are not pushed with the paths of the first few.
    """
    answer: tuple[object, ...] = ()
    if rows and index_stat and all(row.clean and row.stored for row in rows):
        index = os.path.join(repo.layout.git_dir, "index")
        folders = {os.path.dirname(repo.store.root_path(row.kind, Oid.parse(row.oid))) for row in rows}
        watched = tuple(
            (path, tuple(_stat(path) or ()) or None)  # as marshal takes it
            for path in (index, *_head_files(repo), *_watched(repo, rows), *_notebooks(repo), *sorted(folders))
        )
        if watched[0][1] == index_stat:
            answer = (watched, tuple(str(row.path) for row in rows), *unpushed(rows))
    if repo.state.answer != answer:
        repo.state.answer = answer
        repo.state.changed = True


def unpushed(rows: Sequence[ModelStatus]) -> tuple[int, tuple[str, ...]]:
    """Return how many of ROWS are not pushed, and the paths of the first few, from what this clone knows of remotes."""
    paths = tuple(str(row.path) for row in rows if row.pushed is False)
    return len(paths), paths[:_MOST_NAMED]


def _notebooks(repo: Repo) -> list[str]:
    """Return the notebooks that `mvc status` refreshes in Git's index if they change (ops/notebooks/outputs.py)."""
    if not repo.strips_notebooks:
        return []
    return [os.path.join(repo.layout.worktree, path) for path in notebooks.tracked_notebooks(repo)]


def _watched(repo: Repo, rows: Sequence[ModelStatus]) -> list[str]:
    """Return the paths of the configuration, the cache of remotes, the proofs, and Git's ignore files."""
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
