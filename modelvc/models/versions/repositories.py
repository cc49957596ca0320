"""Find the Git repositories that use a remote, and the objects that their refs reach."""

from __future__ import annotations

import os
import shlex
import tempfile
from typing import TYPE_CHECKING

from modelvc.errors import ConflictError, GitError, UsageError, shown, shown_url
from modelvc.formats.paths import model_of
from modelvc.git import git_remotes, history, other_repository
from modelvc.git.layout import git_dir_of
from modelvc.ids import ObjectName
from modelvc.models.versions.reachable import parse_or_stop

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelvc.repo import Repo


def own_registrations(repo: Repo, url: str = "") -> tuple[str, ...]:
    """Return the canonical names to register: those of URL and of Git's remotes, else that of the clone itself."""
    found = list(git_remotes.own_repositories(repo.layout))
    if url:
        found.insert(0, git_remotes.canonical_name(url, repo.layout.worktree))
    return tuple(dict.fromkeys(found[:-1] or found))


def urls_to_read(repo: Repo, registered: Mapping[str, str], also: Sequence[str], name: str) -> tuple[str, ...]:
    """Return the URLs of the repositories that use the remote NAME, without this clone. Their refs decide what stays.

    REGISTERED: their canonical names. Raises UsageError for a URL in ALSO that is not registered. Raises ConflictError
    if this clone is not registered, or if another repository is that ALSO does not name.
    """
    own = git_remotes.own_repositories(repo.layout)
    named = {_canonical_name(repo, url, registered): url for url in also}
    for repository, url in named.items():
        if repository not in registered:
            raise UsageError(f"{shown_url(url)} does not use the remote {name}", hint="see `mvc gc --remote`")
    if not any(repository in registered for repository in own):
        raise ConflictError(
            f"this repository is not known to use the remote {name}, so its objects belong to others",
            hint=f"if it is the right one, run `mvc push -r {name}` first",
        )
    for repository in registered:
        if repository not in own and repository not in named:
            folder, mark, _ = repository.rpartition("#")
            url, entry = (shown(shlex.quote(words), 300) for words in (folder, repository))
            raise ConflictError(
                f"another repository uses the remote {name}: {shown(repository, 300)}",
                hint=f"include its refs with `--also {url if mark else 'URL'}`, "
                f"or if it no longer exists, forget it with `--forget {entry}`",
            )
    itself = list(own)[-1]  # the caller counts this clone's objects without reading a URL
    return tuple(
        url for repository, url in {**own, **named}.items() if repository in registered and repository != itself
    )


def _canonical_name(repo: Repo, url: str, registered: Mapping[str, str]) -> str:
    """Return the canonical name of the repository at URL; for a worktree that of its Git folder, as clones register."""
    repository = git_remotes.canonical_name(url, repo.layout.worktree)
    inside = "" if repository in registered else git_dir_of(os.path.join(repo.layout.worktree, url))
    return git_remotes.canonical_name(inside, repo.layout.worktree) if inside else repository


def reached_objects(repo: Repo, urls: Sequence[str]) -> dict[ObjectName, str]:
    """Return every object that the refs of the repositories at URLS reach now, each with a path.

    Raises GitError for a repository that cannot be read, BrokenPointer for a pointer that cannot be read.
    """
    found: dict[ObjectName, str] = {}
    for url in urls:
        with tempfile.TemporaryDirectory(prefix="mvc-refs-") as folder:
            try:
                layout = other_repository.whole(
                    git_remotes.absolute_url(url, repo.layout.worktree), folder, repo.layout
                )
            except GitError as error:
                words = f"the refs of {shown_url(url)} cannot be read: {error}"
                raise GitError(words, hint="nothing is removed that they may need; see `git fetch`") from None
            for seen in history.pointers_in(layout, all_refs=True):
                named = parse_or_stop(seen.path, seen.data, url).versions
                found |= dict.fromkeys((ObjectName(one.kind, one.oid) for one in named), model_of(seen.path))
    return found
