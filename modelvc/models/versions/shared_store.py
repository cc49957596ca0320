"""List the objects that must stay in a local store that several clones share (`store.path`)."""

from __future__ import annotations

import os

from modelvc.errors import ConflictError, ModelvcError, NotFoundError, shown
from modelvc.formats import limits
from modelvc.formats.text import repository_registration
from modelvc.git.layout import of_git_dir
from modelvc.models.versions.reachable import Reached, reachable
from modelvc.repo import Repo


def reachable_from_all_clones(repo: Repo, grace: float) -> Reached:
    """Return the objects that all clones using the store reach. GRACE: seconds, as for `reachable`.

    Raises ConflictError while one of the clones cannot be read.
    """
    found = reachable(repo, grace)
    for git_dir in other_clones(repo):
        try:
            more = reachable(Repo(of_git_dir(git_dir), git_dir), grace)
        except (ModelvcError, OSError) as error:
            raise ConflictError(
                f"the clone {shown(git_dir)} keeps its models in this store too, and cannot be read: {shown(error)}",
                hint="restore it, or if it no longer exists, run `mvc gc --forget` with that name",
            ) from None
        found.needed.update(more.needed)
        found.current.update(more.current)
        found.names.update({**more.names, **found.names})
        found.versions.update(more.versions)
    return found


def other_clones(repo: Repo) -> dict[str, str]:
    """Return the Git folders of the other clones, each with its registration file; "" for the clone that owns it."""
    store = repo.store
    found: dict[str, str] = {}
    owner = os.path.dirname(os.path.dirname(os.path.realpath(store.root)))
    if os.path.exists(os.path.join(owner, "HEAD")):  # the store lies inside the clone that owns it
        found[owner] = ""
    for path in store.clones():
        with open(path, "rb") as file:
            git_dir = repository_registration.parse(file.read(limits.REGISTRATION + 1), path)
        found.setdefault(git_dir, path)
    found.pop(repo.layout.common_dir, None)
    return found


def forget_clone(repo: Repo, git_dir: str) -> None:
    """Remove the registration of a clone that is gone: the next gc may delete objects that only it needed."""
    path = other_clones(repo).get(git_dir)
    if not path:
        raise NotFoundError(f"no clone {shown(git_dir)} keeps its models in this store", hint="see `mvc gc`")
    repo.store.disk.unlink(path)
