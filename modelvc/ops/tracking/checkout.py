"""Make models what pointers say; with a revision, take its pointers first: this is rollback."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from modelvc.errors import NotFoundError, UsageError, shown
from modelvc.formats.paths import SafeRelPath, is_pointer, model_of, pointer_of
from modelvc.formats.pointer.pointer import Pointer, parse
from modelvc.git import history, index
from modelvc.ids import PREFIX
from modelvc.models.files import ignores, materialise
from modelvc.models.files.prepare import DEFAULT, CheckoutOptions, fetch_missing, make_ready
from modelvc.models.progress import SILENT
from modelvc.models.versions import claims

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelvc.models.progress import Progress
    from modelvc.repo import Repo


_LEAST_DIGITS = 8  # of an oid's hex digits, to name an object


@dataclass(frozen=True, slots=True)
class CheckedOutModel:
    """One model. `change`: "written", "unchanged" or "mode"; `was`: the oid that was replaced, if one was.

    `size`: bytes that it has; `wrong`: how its pointer's size or files differ from them.
    """

    path: str
    oid: str
    size: int
    change: str
    was: str | None = None
    extra: tuple[str, ...] = ()  # files of a folder that are in no store and stayed
    wrong: str = ""


@dataclass(frozen=True, slots=True)
class CheckedOut:
    """What a checkout did; `commit` is set when pointers were taken from a revision. `dry_run`: what it would do."""

    models: tuple[CheckedOutModel, ...]
    commit: str = ""
    fetched: tuple[str, ...] = ()
    dry_run: bool = False


def checkout(
    repo: Repo,
    rev: str = "",
    paths: Sequence[str] = (),
    options: CheckoutOptions = DEFAULT,
    progress: Progress = SILENT,
) -> CheckedOut:
    """Check out the models in PATHS (all without any), as the worktree's pointers or those of REV say.

    Raises WorktreeDirty when unsaved changes are in the way, ObjectMissing when bytes are nowhere at hand; FileInUse
    for models that somebody writes or changed meanwhile, once the others are checked out.
    """
    repo.require_init()
    by_oid = rev.startswith(PREFIX)
    commit = history.resolve(repo.layout, rev) if rev and not by_oid else ""
    taken = _by_oid(repo, rev, paths) if by_oid else _from_revision(repo, commit, paths) if rev else {}
    why = f"checkout {rev}".strip()
    if options.dry_run:
        return replace(_dry_run(repo, taken, paths, options), commit=commit)
    with repo.updating():
        wanted = _from_worktree(repo, paths) if not taken else None
        done, kept = _bring(repo, taken, wanted, options, (why, progress))
    materialise.raise_kept(kept)
    return replace(done, commit=commit)


def checkout_pointer(
    repo: Repo, path: SafeRelPath, data: bytes, options: CheckoutOptions = DEFAULT, progress: Progress = SILENT
) -> CheckedOut:
    """Give the model PATH another pointer, as it is in history, stage it, and bring its bytes."""
    with repo.updating():
        done, kept = _bring(repo, {path: data}, None, options, ("rollback", progress))
    materialise.raise_kept(kept)
    return done


def _bring(
    repo: Repo,
    taken: Mapping[SafeRelPath, bytes],
    known: Mapping[SafeRelPath, Pointer] | None,
    options: CheckoutOptions,
    told: tuple[str, Progress],
) -> tuple[CheckedOut, materialise.KeptFiles]:
    """Take the pointers TAKEN, or go by those KNOWN from the worktree. The caller holds the worktree's lock.

    Models that keep a file keep their pointer as well.
    """
    why, progress = told
    wanted = known or {path: parse(data, pointer_of(path)) for path, data in taken.items()}
    fetched = fetch_missing(repo, wanted, options, progress)
    plans = [materialise.plan(repo, path, pointer) for path, pointer in wanted.items()]
    plans = make_ready(repo, plans, options)
    progress.expect(sum(plan.pointer.size for plan in plans if plan.pointer and plan.action == "write"))
    for plan in plans:
        if plan.action == "write":
            ignores.hide(repo, plan.path)  # its pointer may have been renamed by Git alone
    kept = materialise.apply(repo, plans, why, progress.advance)
    stay = {path for path, _ in kept}
    # last: what dies before it is asked for again, and a rollback then goes no further back
    _write_pointers(repo, {path: data for path, data in taken.items() if path not in stay})
    _remember(repo, {path: pointer for path, pointer in wanted.items() if path not in stay})
    return CheckedOut(tuple(_report(repo, plan) for plan in plans), "", fetched), kept


def _dry_run(
    repo: Repo, taken: Mapping[SafeRelPath, bytes], paths: Sequence[str], options: CheckoutOptions
) -> CheckedOut:
    """What a checkout would do, with the same plans and errors; what must be fetched is looked for, not fetched."""
    wanted = {path: parse(data, pointer_of(path)) for path, data in taken.items()} or _from_worktree(repo, paths)
    fetched = fetch_missing(repo, wanted, options, SILENT)
    plans = []
    for path, pointer in wanted.items():
        step = materialise.plan(repo, path, pointer)
        step = materialise.plan_unfetched(repo, path, pointer) if step.action == "missing" else step
        if step.action == "dirty" and options.force:
            step = replace(step, action="write")
        plans.append(step)
    return CheckedOut(
        tuple(_report(repo, plan) for plan in make_ready(repo, plans, options)), "", fetched, dry_run=True
    )


def _from_worktree(repo: Repo, paths: Sequence[str]) -> dict[SafeRelPath, Pointer]:
    """Pointers of the worktree. One that a person named must be readable; so must all when none is named."""
    found: dict[SafeRelPath, Pointer] = {}
    gone: list[SafeRelPath] = []
    for path in repo.selected(paths, repo.tracked()):
        pointer = repo.pointer_or_none(path)
        if pointer is not None:
            found[path] = pointer
        else:
            gone.append(path)
    if gone and not found:
        hint = f"bring it back: git checkout -- {shown(pointer_of(gone[0]))}"
        raise NotFoundError(f"the pointer of {shown(gone[0])} is gone from the worktree", hint=hint)
    return found


def _from_revision(repo: Repo, commit: str, paths: Sequence[str]) -> dict[SafeRelPath, bytes]:
    there = {model_of(path): data for path, data in history.pointers_at(repo.layout, commit).items()}
    if not paths:
        return there
    found = {}
    for text in paths:
        inside = repo.inside(text)
        model = model_of(inside) if is_pointer(inside) else inside
        hits = {p: d for p, d in there.items() if p == model or not inside or p.startswith(inside + "/")}
        if not hits:
            raise NotFoundError(
                f"{shown(text)} was not tracked in {commit[:10]}",
                hint=f"run `mvc log {shown(text)}` to see when it was, or `mvc ls {commit[:10]}` for what was",
            )
        found.update(hits)
    return found


def _by_oid(repo: Repo, text: str, paths: Sequence[str]) -> dict[SafeRelPath, bytes]:
    """A pointer to an object of the local store, named by the first digits of its oid: what was replaced, say."""
    if len(paths) != 1:
        raise UsageError("an oid belongs to one model", hint=f"mvc checkout {shown(text)} PATH")
    path = repo.path(paths[0])
    digits = text.removeprefix(PREFIX)
    found = [name for name in repo.store.roots() if name.oid.hex().startswith(digits)]
    if len(digits) < _LEAST_DIGITS or len(found) != 1:
        why = "is in no store here" if not found else "is too short to name one object"
        raise NotFoundError(
            f"{shown(text)} {why}", hint=f"run `mvc log {shown(path)}` to see the versions of the model"
        )
    kind, oid = found[0]
    root = repo.store.read_root(kind, oid)
    head = index.head_blobs(repo.layout, [pointer_of(path)]).get(pointer_of(path))
    parent = parse(head, pointer_of(path)).oid if head else None
    pointer = Pointer(
        "tree" if kind == "tree" else "file",
        oid,
        root.size,
        files=root.files if kind == "tree" else None,
        parent=parent if parent != oid else None,
    )
    return {path: head if head and parent == oid else pointer.encode()}


def _write_pointers(repo: Repo, taken: Mapping[SafeRelPath, bytes]) -> None:
    """Write a revision's pointers as they are, byte for byte, and stage them."""
    staged: list[str] = []
    for path, data in taken.items():
        hidden = ignores.hide(repo, path)
        staged += [hidden] if hidden else []
        repo.worktree.write_bytes(pointer_of(path), data)
        staged.append(pointer_of(path))
    if staged:
        index.stage(repo.layout, add=staged, remove=[])


def _remember(repo: Repo, wanted: Mapping[SafeRelPath, Pointer]) -> None:
    for path, pointer in wanted.items():
        found = repo.worktree.stat(pointer_of(path))
        if found is not None:
            repo.state.remember_pointer(path, found, pointer.kind, pointer.oid, pointer.size)


def _report(repo: Repo, plan: materialise.ModelPlan) -> CheckedOutModel:
    pointer = plan.pointer
    change = {"write": "written", "keep": "unchanged", "mode": "mode"}[plan.action]
    was = f"blake3:{plan.was[1].hex()}" if plan.was else None
    if pointer is None:
        return CheckedOutModel(plan.path, "", 0, change, was, plan.extra)
    actual = _actual_extent(repo, plan, pointer) or claims.claimed(pointer)
    wrong = claims.difference(claims.claimed(pointer), actual)
    return CheckedOutModel(plan.path, str(pointer.oid), actual.size, change, was, plan.extra, wrong)


def _actual_extent(repo: Repo, plan: materialise.ModelPlan, pointer: Pointer) -> claims.Extent | None:
    """The size and files of a model that is what its pointer names; roots are read only of what was written."""
    if plan.action == "write":
        return claims.stored(repo.store, pointer)
    if pointer.kind == "tree":
        return claims.of_files(plan.files)
    found = repo.worktree.stat(plan.path)
    return claims.Extent(found[1]) if found else None
