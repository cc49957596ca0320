"""Make models match their pointers. With a revision, take its pointers first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from modelvc.errors import ModelBlocked, NotFoundError, UsageError, shown
from modelvc.formats.paths import SafeRelPath, is_pointer, model_of, pointer_of
from modelvc.formats.pointer.pointer import Pointer, parse
from modelvc.git import history, index
from modelvc.ids import PREFIX
from modelvc.models.files import gate, hide, materialise
from modelvc.models.files.prepare import DEFAULT, CheckoutOptions, fetch_missing, make_ready
from modelvc.models.progress import SILENT
from modelvc.models.versions import claims
from modelvc.models.versions.uncommitted import Commits, check_measurements, keep_pointers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelvc.models.files.gate import Looked
    from modelvc.models.progress import Progress
    from modelvc.repo import Repo


_LEAST_DIGITS = 8  # hex digits of an oid that name an object


@dataclass(frozen=True, slots=True)
class CheckedOutModel:
    """One model. `change`: "written", "unchanged", "mode" or "blocked"; `was`: the oid that was replaced, if any.

    `size`: its actual bytes; `wrong`: words if its pointer claims a wrong size or number of files. `only_here`: no
    commit has the replaced version. `pointer_was`: the Git blob of the replaced pointer, if it has measurements that no
    commit has. `verdict` and `why`: what loading it would run, if a person should know; a blocked model was not
    written.
    """

    path: str
    oid: str
    size: int
    change: str
    was: str | None = None
    extra: tuple[str, ...] = ()  # files of a folder that are in no store and stayed
    wrong: str = ""
    only_here: bool = False
    pointer_was: str = ""
    verdict: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class CheckedOut:
    """The result of a checkout. `commit`: the revision's commit, "" without a revision; `fetched`: paths of models that
    were fetched; `dry_run`: nothing was written.
    """

    models: tuple[CheckedOutModel, ...]
    commit: str = ""
    fetched: tuple[str, ...] = ()
    dry_run: bool = False

    @property
    def blocked(self) -> tuple[CheckedOutModel, ...]:
        """The models that were not written because of their verdict."""
        return tuple(model for model in self.models if model.change == "blocked")


def checkout(
    repo: Repo,
    rev: str = "",
    paths: Sequence[str] = (),
    options: CheckoutOptions = DEFAULT,
    progress: Progress = SILENT,
) -> CheckedOut:
    """Check out the models in PATHS (default: all) by the pointers of the worktree or of REV, a revision or an oid.

    Raises WorktreeDirty if unsaved changes are in the way, and ObjectMissing if no store has the bytes. Raises
    FileInUse for models that another program is writing or changed meanwhile, once the others are checked out.
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
    """Write and stage the pointer DATA of the model PATH, and check out its version.

    Raises as `checkout` does, and ModelBlocked before anything changes if the version would be blocked.
    """
    with repo.updating():
        wanted = parse(data, pointer_of(path))
        fetch_missing(repo, {path: wanted}, options, progress)
        looked = gate.Gate(repo).look(path, wanted) if repo.store.has_root(wanted.kind, wanted.oid) else None
        if looked and looked.blocked:
            raise ModelBlocked(path, looked.verdict, looked.why)
        done, kept = _bring(repo, {path: data}, None, options, ("rollback", progress))
    materialise.raise_kept(kept)
    return done


def _bring(
    repo: Repo,
    taken: Mapping[SafeRelPath, bytes],
    known: Mapping[SafeRelPath, Pointer] | None,
    options: CheckoutOptions,
    context: tuple[str, Progress],
) -> tuple[CheckedOut, materialise.KeptFiles]:
    """Check out the pointers TAKEN from a revision, or KNOWN from the worktree. The caller holds the worktree's lock.

    CONTEXT: the reason for the reflog, and the progress. A model that keeps a file keeps its pointer as well.
    """
    why, progress = context
    wanted = known or {path: parse(data, pointer_of(path)) for path, data in taken.items()}
    if taken and not options.force:
        check_measurements(repo, wanted)
    fetched = fetch_missing(repo, wanted, options, progress)
    plans = [materialise.plan(repo, path, pointer) for path, pointer in wanted.items()]
    plans = make_ready(repo, plans, options)
    progress.expect(sum(plan.pointer.size for plan in plans if plan.pointer and plan.action == "write"))
    for plan in plans:
        if plan.action == "write":
            hide.hide(repo, plan.path)  # Git may have renamed its pointer without the entry
    kept, looked = materialise.apply(repo, plans, why, progress.advance)
    stay = {path for path, _ in kept}
    replaced = keep_pointers(repo, wanted) if taken and options.force else {}
    # last: a killed rollback that is run again must start from the old pointer, not go further back
    _write_pointers(repo, {path: data for path, data in taken.items() if path not in stay})
    _remember(repo, {path: pointer for path, pointer in wanted.items() if path not in stay})
    words = {one.path: one for one in looked}
    commits = Commits(repo)
    rows = []
    for plan in plans:
        row = _report(repo, plan, words.get(plan.path))
        only_here = row.was is not None and not commits.have(plan.path, wanted[plan.path], row.was)
        rows.append(replace(row, only_here=only_here, pointer_was=replaced.get(plan.path, "")))
    return CheckedOut(tuple(rows), "", fetched), kept


def _dry_run(
    repo: Repo, taken: Mapping[SafeRelPath, bytes], paths: Sequence[str], options: CheckoutOptions
) -> CheckedOut:
    """Return the result of a checkout, with the same errors. Remotes are asked for objects, and none is fetched."""
    wanted = {path: parse(data, pointer_of(path)) for path, data in taken.items()} or _from_worktree(repo, paths)
    if taken and not options.force:
        check_measurements(repo, wanted)
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
    """Return the worktree's pointers in PATHS (default: all). Raises NotFoundError if all of them are gone."""
    found: dict[SafeRelPath, Pointer] = {}
    gone: list[SafeRelPath] = []
    for path in repo.selected(paths, repo.tracked()):
        pointer = repo.pointer_or_none(path)
        if pointer is not None:
            found[path] = pointer
        else:
            gone.append(path)
    if gone and not found:
        hint = f"run `{repo.mending(gone[0])}`"
        raise NotFoundError(f"the pointer of {shown(gone[0])} is gone from the worktree", hint=hint)
    return found


def _from_revision(repo: Repo, commit: str, paths: Sequence[str]) -> dict[SafeRelPath, bytes]:
    pointers = {model_of(path): data for path, data in history.pointers_at(repo.layout, commit).items()}
    if not paths:
        return pointers
    found = {}
    for text in paths:
        inside = repo.inside(text)
        model = model_of(inside) if is_pointer(inside) else inside
        hits = {p: d for p, d in pointers.items() if p == model or not inside or p.startswith(inside + "/")}
        if not hits:
            raise NotFoundError(
                f"{shown(text)} was not tracked in {commit[:10]}",
                hint=f"run `mvc log {shown(text)}` to see when it was, or `mvc ls {commit[:10]}` for what was",
            )
        found.update(hits)
    return found


def _by_oid(repo: Repo, text: str, paths: Sequence[str]) -> dict[SafeRelPath, bytes]:
    """Return a pointer to the object of the local store whose oid begins with TEXT, such as a replaced version."""
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
    """Write the pointers TAKEN byte for byte, and stage them."""
    staged: list[str] = []
    for path, data in taken.items():
        hidden = hide.hide(repo, path)
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


def _report(repo: Repo, plan: materialise.ModelPlan, looked: Looked | None = None) -> CheckedOutModel:
    pointer = plan.pointer
    was = f"blake3:{plan.was[1].hex()}" if plan.was else None
    change = "blocked" if looked and looked.blocked else plan.change
    verdict, why = (looked.verdict, looked.why) if looked else ("", "")
    if pointer is None:
        return CheckedOutModel(plan.path, "", 0, change, was, plan.extra)
    actual = _actual_extent(repo, plan, pointer) or claims.claimed(pointer)
    wrong = claims.difference(claims.claimed(pointer), actual)
    row = CheckedOutModel(plan.path, str(pointer.oid), actual.size, change, was, plan.extra, wrong)
    return replace(row, verdict=verdict, why=why)


def _actual_extent(repo: Repo, plan: materialise.ModelPlan, pointer: Pointer) -> claims.Extent | None:
    """Return the extent of a model that matches its pointer; None if unknown. Roots are read only of written models."""
    if plan.action == "write":
        return claims.stored(repo.store, pointer)
    if pointer.kind == "tree":
        return claims.of_files(plan.files)
    found = repo.worktree.stat(plan.path)
    return claims.Extent(found.size) if found else None
