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
    """Return the places to register with a remote: those of Git's remotes and of URL, else the clone itself."""
    found = list(git_remotes.own_repositories(repo.layout))
    if url:
        found.insert(0, git_remotes.canonical_name(url, repo.layout.worktree))
    return tuple(dict.fromkeys(found[:-1] or found))


def urls_to_read(repo: Repo, registered: Mapping[str, str], also: Sequence[str], name: str) -> tuple[str, ...]:
    """Return the URLs whose refs decide what stays on the remote NAME. REGISTERED: places of repositories that use it.

    Raises UsageError for a URL in ALSO that is not registered. Raises ConflictError if this clone is not registered,
    or if another repository is that ALSO does not name.
    """
    own = git_remotes.own_repositories(repo.layout)
    named = {_named(repo, url, registered): url for url in also}
    for place, url in named.items():
        if place not in registered:
            raise UsageError(f"{shown_url(url)} does not use the remote {name}", hint="see `mvc gc --remote`")
    if not any(place in registered for place in own):
        raise ConflictError(
            f"this repository is not known to use the remote {name}, so all there is somebody else's",
            hint=f"if it is the right one, run `mvc push -r {name}` first",
        )
    for place in registered:
        if place not in own and place not in named:
            folder, mark, _ = place.rpartition("#")
            url, entry = (shown(shlex.quote(words), 300) for words in (folder, place))
            raise ConflictError(
                f"another repository uses the remote {name}: {shown(place, 300)}",
                hint=f"let its refs be read with `--also {url if mark else 'URL'}`, "
                f"or if it is gone for good, drop it with `--forget {entry}`",
            )
    itself = list(own)[-1]  # the caller counts this clone's objects without reading a URL
    return tuple(url for place, url in {**own, **named}.items() if place in registered and place != itself)


def _named(repo: Repo, url: str, registered: Mapping[str, str]) -> str:
    """Return the place of the repository at URL. For a worktree it is that of its Git folder, as clones register."""
    place = git_remotes.canonical_name(url, repo.layout.worktree)
    inside = "" if place in registered else git_dir_of(os.path.join(repo.layout.worktree, url))
    return git_remotes.canonical_name(inside, repo.layout.worktree) if inside else place


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
