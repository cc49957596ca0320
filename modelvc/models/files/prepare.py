"""Prepare a checkout: fetch missing objects, and make sure that no unsaved file is replaced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.errors import ObjectMissing, WorktreeDirty
from modelvc.formats.paths import SafeRelPath
from modelvc.models.files import materialise
from modelvc.models.files.store_present import store_present
from modelvc.models.remotes import configured
from modelvc.models.remotes.fetching import fetch_objects, plan_fetch
from modelvc.models.versions.pointers import way_back
from modelvc.models.versions.scope import ScopedObject

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelvc.formats.pointer.pointer import Pointer
    from modelvc.models.progress import Progress
    from modelvc.repo import Repo


@dataclass(frozen=True, slots=True)
class CheckoutOptions:
    """Options of all commands that check out models."""

    force: bool = False  # store unsaved changes, then replace them
    offline: bool = False  # do not fetch
    remote: str = ""  # "": as for a fetch
    dry_run: bool = False  # write nothing


DEFAULT = CheckoutOptions()


def fetch_missing(
    repo: Repo, wanted: Mapping[SafeRelPath, Pointer], options: CheckoutOptions, progress: Progress
) -> tuple[str, ...]:
    """Fetch the objects of WANTED that neither the local store nor the worktree has. Return the paths that came.

    Raises ObjectMissing if one is still missing then, or if options forbid the fetch.
    """
    absent = [ScopedObject(path, p) for path, p in wanted.items() if not repo.store.has_root(p.kind, p.oid)]
    absent = [one for one in absent if not _is_in_worktree(repo, one)]
    if not absent:
        return ()
    name = configured.default_name(repo) if not options.remote else options.remote
    if options.offline or name is None:
        hint = "run it again without --offline" if options.offline else "add the remote that has it: `mvc remote add`"
        raise ObjectMissing(absent[0].pointer.oid, "the local store", path=absent[0].path, hint=hint)
    configured.chosen_name(repo, name)
    if options.dry_run:
        done = plan_fetch(repo, options.remote, absent)
    else:
        done = fetch_objects(repo, options.remote, absent, progress=progress)
    if done.missing:
        path = SafeRelPath(done.missing[0][0])
        back = way_back(repo, path)
        other = "`mvc checkout PATH` restores the other models one by one"
        if back.startswith("git restore"):
            other = f"if no clone has it, take the version before it: `{back}`"
        raise ObjectMissing(
            wanted[path].oid,
            f"the local store nor on {done.url}{' or another remote' if not options.remote else ''}",
            path=path,
            hint=f"{done.advice}; {other}",
        )
    return done.came


def _is_in_worktree(repo: Repo, one: ScopedObject) -> bool:
    """Return whether the worktree holds content that the store lacks: evicted, or pushed by another clone."""
    return materialise.plan(repo, one.path, one.pointer).action in {"keep", "mode"}


def make_ready(repo: Repo, plans: list[materialise.ModelPlan], options: CheckoutOptions) -> list[materialise.ModelPlan]:
    """Return PLANS that can be carried out. With `force`, store the unsaved files of dirty plans first.

    Raises WorktreeDirty for a dirty plan without `force`, ObjectMissing for a plan whose object is missing.
    """
    dirty = [plan for plan in plans if plan.action == "dirty"]
    if dirty and not options.force:
        raise WorktreeDirty(dirty[0].path, dirty[0].why)
    if dirty:
        foreign = {
            plan.path: materialise.foreign_files(repo, plan.path, plan.pointer) for plan in dirty if plan.pointer
        }
        store_present(repo, [plan.path for plan in dirty])
        plans = [
            materialise.without_removing(materialise.plan(repo, plan.path, plan.pointer), foreign[plan.path])
            if plan.action == "dirty" and plan.pointer
            else plan
            for plan in plans
        ]
    for plan in plans:
        if plan.action == "missing" and plan.pointer:
            raise ObjectMissing(plan.pointer.oid, repo.store.name, path=plan.path)
        if plan.action == "dirty":
            raise WorktreeDirty(plan.path, plan.why)
    return plans
