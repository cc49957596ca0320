"""Which models are as their pointers say, and which are not."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.ids import Oid
from modelvc.models import notebooks
from modelvc.models.files.model_status import model_statuses, save_state
from modelvc.models.remotes import configured, proofs
from modelvc.worktree.state import is_settled, now, stat_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelvc.models.files.model_status import ModelStatus
    from modelvc.repo import Repo
    from modelvc.worktree.state import Stat


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
    lost = _lost(repo)
    rows = model_statuses(repo, paths)
    if not paths:
        # an index from this very tick of the clock could be written again without a trace
        settled = index_stat is not None and is_settled(index_stat, started)
        _remember(repo, index_stat if settled and not lost else None, rows)
    if remember:
        save_state(repo)
    return Status(rows, lost)


def _lost(repo: Repo) -> tuple[LostVersion, ...]:
    names = [info.name for info in configured.remotes(repo).remotes]
    return tuple(LostVersion(one.path, str(one.oid), one.commit) for one in proofs.lost(repo, names))


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
    """Notebooks that Git must be told of when they were run again (ops/notebooks/outputs.py)."""
    if not repo.strips_notebooks:
        return []
    return [os.path.join(repo.layout.worktree, path) for path in notebooks.tracked_notebooks(repo)]


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
