"""Edit the patterns of `mvc track`, and find the files that they match."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.errors import FormatError, NotFoundError, UsageError, shown
from modelvc.formats.paths import SafeRelPath, is_pointer, model_of
from modelvc.git import index
from modelvc.models.config_files import save_config
from modelvc.models.files.model_status import MODIFIED, UNIGNORED
from modelvc.ops.tracking.status import status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelvc.repo import Repo


@dataclass(frozen=True, slots=True)
class Tracked:
    """The patterns of the repository. `waiting`: matching files that are neither tracked nor ignored.

    `folders`: the given folders, in whose place a pattern for all of their files was taken.
    """

    patterns: tuple[str, ...]
    waiting: tuple[str, ...]
    folders: tuple[str, ...] = ()


def track(repo: Repo, patterns: Sequence[str] = (), *, remove: bool = False) -> Tracked:
    """Add or REMOVE patterns of the repository, and stage its configuration. Without PATTERNS, change nothing.

    A folder stands for the pattern of all files in it. Raises NotFoundError for an unknown pattern to remove.
    """
    repo.require_init()
    if not patterns:
        if remove:
            raise UsageError("no pattern given", hint="name those to remove: `mvc track --remove PATTERN`")
        return Tracked(repo.config.track.patterns, waiting_files(repo))
    with repo.updating():
        before = repo.config.track.patterns
        folders = {one: inside for one in patterns if one not in before and (inside := _folder(repo, one))}
        patterns = [f"{folders[one]}/**" if one in folders else one for one in patterns]
        if remove and (unknown := [one for one in patterns if one not in before]):
            raise NotFoundError(f'there is no pattern "{shown(unknown[0], 80)}"', hint="run `mvc track` to see them")
        after = [one for one in before if one not in patterns] if remove else [*before, *patterns]
        changed = repo.config.with_patterns(after)
        if changed != repo.config:
            save_config(repo, changed)
    return Tracked(repo.config.track.patterns, waiting_files(repo), () if remove else tuple(folders.values()))


def _folder(repo: Repo, text: str) -> str:
    """Return the folder of the worktree that TEXT names, relative to its top; "" if TEXT is a pattern.

    Raises UsageError for the whole worktree.
    """
    if any(char in text for char in "*?["):
        return ""
    try:
        inside = repo.inside(text)
    except UsageError:  # such as /models, which begins at the top
        inside = text.strip("/")
    if not os.path.isdir(os.path.join(repo.layout.worktree, inside)):
        return ""
    if not inside:
        hint = "name a folder of models, or a pattern such as '*.pt'"
        raise UsageError(f"{shown(text)} is the whole worktree", hint=hint)
    return inside


def waiting_files(repo: Repo) -> tuple[str, ...]:
    """Return the files that match a pattern and are neither tracked (by mvc or Git) nor ignored."""
    found = index.untracked(repo.layout, _globs(repo))
    known = set(repo.tracked()) if found else set()
    return tuple(name for name in found if name not in known and _may_be_model(name))


def forgotten_files(repo: Repo) -> tuple[str, ...]:
    """Return the matching files that a commit in progress leaves out or adds to Git itself."""
    given = index.added(repo.layout, _globs(repo))
    return tuple(dict.fromkeys([*waiting_files(repo), *(name for name in given if _may_be_model(name))]))


def models_to_add(repo: Repo, *, dry_run: bool) -> list[SafeRelPath]:
    """Return what `mvc add` without a path stores: waiting files, and modified models that match a pattern.

    Raises UsageError if the repository has no patterns.
    """
    if not repo.config.track.patterns:
        raise UsageError(
            "nothing to add",
            hint="name files or folders, run `mvc add -u` for every model that is modified, or set up `mvc track`",
        )
    pointers = index.staged(repo.layout, [f"{glob}.mvc" for glob in _globs(repo)])
    here = [os.path.join(repo.layout.worktree, model_of(name)) for name in pointers if is_pointer(name)]
    rows = status(repo, here, remember=not dry_run).models if here else ()
    modified = [row.path for row in rows if row.state in {MODIFIED, UNIGNORED} or row.wrong]
    try:
        return [SafeRelPath(name) for name in (*waiting_files(repo), *modified)]
    except FormatError as error:
        raise UsageError(str(error), hint=error.hint) from None


def _globs(repo: Repo) -> list[str]:
    """Return the patterns as Git's pathspecs. A pattern without a slash matches names in every folder."""
    return [
        f":(top,glob){'' if '/' in pattern else '**/'}{pattern.lstrip('/')}" for pattern in repo.config.track.patterns
    ]


def _may_be_model(name: str) -> bool:
    return not (is_pointer(name) or name.endswith("/") or os.path.basename(name).startswith((".git", ".mvc"))) and (
        not name.startswith(".mvc/")
    )
