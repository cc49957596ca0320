"""Store files and folders as they are now: objects first, then pointers, then Git's index."""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from modelvc.errors import FormatError, NoSpace, NotFoundError, UsageError, shown
from modelvc.formats.paths import SafeRelPath, pointer_of
from modelvc.formats.pointer.pointer import OF_A_VERSION, Pointer
from modelvc.git import index
from modelvc.ids import ObjectName, Oid
from modelvc.models.files import hide
from modelvc.models.files.gate import Gate
from modelvc.models.files.model_paths import check_model_paths
from modelvc.models.files.seen_by_git import held_by_git, would_overwrite
from modelvc.models.files.trees import check_names, entries_of, oid_of, stored_recipes
from modelvc.models.inside.pointer_part import SAME, Described, Describer, fitting, same_content
from modelvc.models.measures.measurements import NO_MEASUREMENTS, with_measurements
from modelvc.models.progress import SILENT
from modelvc.models.versions import claims
from modelvc.ops.tracking.environments import Environments
from modelvc.ops.tracking.targets import Target, check_folders, check_target_path, size_in_worktree, targets
from modelvc.store.local import compact
from modelvc.store.local.ingest import Ingest
from modelvc.store.local.writer import StoreWriter
from modelvc.store.objects import manifest
from modelvc.store.objects.manifest import Content
from modelvc.worktree import file_oids
from modelvc.worktree.reading import Reading
from modelvc.worktree.scan import scan
from modelvc.worktree.state import Known, Stat

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelvc.formats.binary.segment import Recipe
    from modelvc.modelfiles.facts import ModelFacts
    from modelvc.models.environment.choose import Wanted
    from modelvc.models.measures.measurements import Measurements
    from modelvc.models.progress import Progress
    from modelvc.repo import Repo

_LARGE = 64 << 20  # bytes; for more, free space is checked first
_SPARE = 64 << 20  # bytes to leave free
_GLANCE = 2.0  # seconds to look into one new version


@dataclass(frozen=True, slots=True)
class AddedModel:
    """One model. `change`: "new", "updated", "unchanged", "metrics" or "environment".

    `stored`: bytes added to the store; `was`: the oid in its pointer before, if that was another; `note`: words for
    the user. `same_content`: the bytes differ from those before only in what the format writes anew at each save.
    """

    path: str
    kind: str
    oid: str
    size: int
    change: str
    stored: int
    was: str | None = None
    note: str = ""
    same_content: bool = False


@dataclass(frozen=True, slots=True)
class Added:
    """The models of one `mvc add`, in the order given. `dry_run`: nothing was written, and `stored` is 0."""

    models: tuple[AddedModel, ...]
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class AddOptions:
    """How to add. `dry_run`: write nothing; `environment`: the Python to record, None to record none."""

    dry_run: bool = False
    environment: Wanted | None = None


DEFAULT = AddOptions()


@dataclass(frozen=True, slots=True)
class _StoredContent:
    """The content of a target that is in the store, or will be once the writer commits."""

    kind: str
    oid: Oid
    size: int
    files: int | None
    executable: bool
    new_bytes: int


def add(
    repo: Repo,
    paths: Sequence[str],
    *,
    given: Measurements = NO_MEASUREMENTS,
    progress: Progress = SILENT,
    options: AddOptions = DEFAULT,
) -> Added:
    """Store PATHS, write their pointers and ignore entries, and stage both. GIVEN is recorded with a single path."""
    repo.require_init()
    if given and len(paths) != 1:
        raise UsageError("metrics belong to one model", hint="name one model, or run `mvc add` once for each")
    with _changing(repo, options):
        chosen = [check_target_path(repo, text) for text in paths]
        check_model_paths(repo, chosen)
        return _add(repo, chosen, given, progress, options)


def add_matching(
    repo: Repo, *, given: Measurements = NO_MEASUREMENTS, progress: Progress = SILENT, options: AddOptions = DEFAULT
) -> Added:
    """Store the new files and modified models that the patterns of `mvc track` match."""
    from modelvc.ops.tracking.track import models_to_add

    repo.require_init()
    with _changing(repo, options):
        chosen = models_to_add(repo, dry_run=options.dry_run)
        if given and len(chosen) != 1:
            raise UsageError("metrics belong to one model", hint="name it: `mvc add PATH -m NAME=VALUE`")
        check_model_paths(repo, chosen)
        return _add(repo, chosen, given, progress, options)


def add_modified(
    repo: Repo, paths: Sequence[str] = (), *, progress: Progress = SILENT, options: AddOptions = DEFAULT
) -> Added:
    """Store every tracked model (below PATHS, if given) that differs from its pointer."""
    from modelvc.models.files.model_status import MODIFIED, UNIGNORED
    from modelvc.ops.tracking.status import status

    repo.require_init()
    with _changing(repo, options):
        rows = status(repo, paths, remember=not options.dry_run).models
        chosen = [SafeRelPath(row.path) for row in rows if row.state in {MODIFIED, UNIGNORED} or row.wrong]
        return _add(repo, chosen, NO_MEASUREMENTS, progress, options)


def _changing(repo: Repo, options: AddOptions) -> contextlib.AbstractContextManager[None]:
    return contextlib.nullcontext() if options.dry_run else repo.updating()


def _dry_run(repo: Repo, chosen: Sequence[SafeRelPath], given: Measurements) -> Added:
    """Return the result of `_add` by hashing the contents only."""
    done = []
    for target in targets(repo, list(dict.fromkeys(chosen))):
        content = _unchanged_content(repo, target) or _hashed_content(repo, target)
        found = _report(target, content, _pointer(target, content), "")
        done.append(replace(found, change="metrics") if given and found.change == "unchanged" else found)
    return Added(tuple(done), dry_run=True)


def _hashed_content(repo: Repo, target: Target) -> _StoredContent:
    """Hash the content of a target without storing it."""
    path = target.path
    files = file_oids.tree_files(repo.worktree, repo.state, path)
    if files is None:
        found = repo.worktree.stat(path)
        oid = file_oids.file_oid(repo.worktree, repo.state, path)
        if found is None or oid is None:
            raise NotFoundError(f"there is no {shown(path)}", hint="check the name")
        return _StoredContent("file", Oid(oid), found.size, None, found.executable, 0)
    if not files:
        raise UsageError(f"{shown(path)} is an empty folder", hint="add it once it holds files")
    check_names(path, files)
    entries = entries_of(files)
    return _StoredContent(
        "tree", oid_of(entries), sum(entry.size for entry in entries), len(entries), executable=False, new_bytes=0
    )


def _add(
    repo: Repo, chosen: Sequence[SafeRelPath], given: Measurements, progress: Progress, options: AddOptions
) -> Added:
    if options.dry_run:
        return _dry_run(repo, chosen, given)
    found = targets(repo, list(dict.fromkeys(chosen)))
    _check_space(repo, found)
    kept = [_unchanged_content(repo, target) for target in found]
    new = [target for target, known in zip(found, kept, strict=True) if not known]
    size = sum(size_in_worktree(repo, target.path) for target in new) if new else None
    with Environments(repo, options.environment, size) as environments:
        if new:
            check_folders(repo, [target.path for target in new])
            progress.expect(sum(size_in_worktree(repo, target.path) for target in found))
            with StoreWriter(repo.store) as writer, Ingest(writer, progress.advance) as ingest:
                for position, target in enumerate(found):
                    kept[position] = kept[position] or _store_content(repo, target, writer, ingest)
                writer.commit()
                compact.tidy(repo.store, writer)
        stored = [(t, k) for t, k in zip(found, kept, strict=True) if k]
        return _write_pointers(repo, stored, given, environments)


# -- content into the store


def _check_space(repo: Repo, found: Sequence[Target]) -> None:
    needed = sum(size_in_worktree(repo, target.path) for target in found)
    if needed < _LARGE:
        return
    folder = repo.store.root
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    at_hand = os.statvfs(folder)
    free = at_hand.f_bavail * at_hand.f_frsize
    if needed + _SPARE > free and not all(_unchanged_content(repo, target) for target in found):
        raise NoSpace(needed, free, repo.store.root)


def _unchanged_content(repo: Repo, target: Target) -> _StoredContent | None:
    """Return the content of a file that has not changed since it was stored; None for any other target."""
    found = repo.worktree.stat(target.path)
    known = repo.state.file(target.path)
    if not found or not known or not known.settled or known.stat != found or not stat.S_ISREG(found.mode):
        return None
    oid = Oid(known.oid)
    return (
        _StoredContent("file", oid, found.size, None, found.executable, 0) if repo.store.has_root("file", oid) else None
    )


def _store_content(repo: Repo, target: Target, writer: StoreWriter, ingest: Ingest) -> _StoredContent:
    before = writer.new_bytes
    if repo.worktree.is_folder(target.path):
        kept = _store_tree(repo, target, writer, ingest)
    else:
        reading = Reading()
        fd = repo.worktree.open(target.path)
        try:
            reading.opened(fd)
            done = ingest.file(fd, target.path)
        finally:
            os.close(fd)
        _add_to_store(writer, Content(done.oid, done.stat.size, done.recipe), target.path)
        repo.state.remember_file(target.path, Stat(done.stat), done.oid, settled=reading.settles(Stat(done.stat)))
        kept = _StoredContent("file", done.oid, done.stat.size, None, bool(done.stat.mode & 0o100), 0)
    return replace(kept, new_bytes=writer.new_bytes - before)


def _store_tree(repo: Repo, target: Target, writer: StoreWriter, ingest: Ingest) -> _StoredContent:
    path = target.path
    found = scan(repo.worktree.root, path)
    if not found:
        raise UsageError(f"{shown(path)} is an empty folder", hint="add it once it holds files")
    recipes = _stored_recipes(repo, target)
    known = repo.state.tree(path).files
    files: dict[str, Known] = {}
    loose: list[str] = []
    for name, data in found.items():
        entry = known.get(name)
        if entry and entry.settled and entry.stat == data and Oid(entry.oid) in recipes:
            files[name] = entry
        else:
            loose.append(name)
    reading = Reading(many=True)
    loose.sort()
    read = ingest.many(loose, repo.folder_opener(path), path, reading.opened)
    for name, done in zip(loose, read, strict=True):
        recipes[done.oid] = done.recipe
        seen = Stat(done.stat)
        files[name] = Known((seen, bytes(done.oid), reading.settles(seen)))
    content = manifest.tree_content(entries_of(files), recipes)
    _add_to_store(writer, content, path)
    repo.state.remember_tree(path, content.oid, files)
    return _StoredContent("tree", content.oid, content.size, content.files, executable=False, new_bytes=0)


def _add_to_store(writer: StoreWriter, content: Content, path: SafeRelPath) -> None:
    try:
        writer.add(content)
    except FormatError as error:
        raise UsageError(f"{shown(path)} cannot be stored: {error}", hint="track it in several parts") from None


def _stored_recipes(repo: Repo, target: Target) -> dict[Oid, Recipe]:
    """Return the recipes of the files of the version before, if the store has it."""
    found: dict[Oid, Recipe] = {}
    if target.before and target.before.kind == "tree" and repo.store.has_root("tree", target.before.oid):
        found = {entry.oid: recipe for entry, recipe in stored_recipes(repo.store, target.before.oid)}
    return found


# -- pointers and Git


def _write_pointers(
    repo: Repo, kept: Sequence[tuple[Target, _StoredContent]], given: Measurements, environments: Environments
) -> Added:
    done, staged, dropped = [], [], []
    facts: dict[str, ModelFacts] = {}
    describer = Describer(repo)
    for target, content in kept:
        described = Described(_pointer(target, content))
        if described.pointer.model is None and _is_new(target, content):
            described = describer.describe(target.path, described.pointer)
        pointer, why, known = described
        if known is not None:
            facts[str(target.path)] = known
        pointer, note = with_measurements(repo, target.path, pointer, target.head or target.before, given)
        # What takes long to look at is not looked at twice.
        pointer, more = (pointer, "") if why else environments.recorded(target.path, pointer, target.before, known)
        pointer, note = fitting(pointer), "; ".join(filter(None, (note, more, why)))
        hidden = hide.hide(repo, target.path, again=target.head is None)
        staged += [hidden] if hidden else []
        if target.before is None or pointer.encode() != target.before.encode():
            repo.write_pointer(target.path, pointer)
        staged.append(pointer_of(target.path))
        if target.in_git:
            dropped.append(str(target.path))
        done.append(_report(target, content, pointer, note))
    if staged:
        index.stage(repo.layout, add=[str(path) for path in staged], remove=dropped)
    return Added(_with_verdicts(repo, _with_git_warnings(repo, done), facts))


def _with_verdicts(repo: Repo, done: Sequence[AddedModel], facts: Mapping[str, ModelFacts]) -> tuple[AddedModel, ...]:
    """Return DONE with a note for each new version that a checkout would block or name.

    FACTS: of the models that were inspected already, by path.
    """
    gate = Gate(repo)
    found = []
    for model in done:
        looked = None
        if model.change in {"new", "updated"} and model.oid != model.was:
            name = ObjectName(model.kind, Oid.parse(model.oid))
            known = facts.get(model.path)
            looked = gate.judge(model.path, known) if known else gate.look(model.path, name, seconds=_GLANCE)
        words = ""
        if looked and looked.is_news:
            words = f"a checkout would block it: {looked.words}" if looked.blocked else looked.words
        found.append(replace(model, note="; ".join(filter(None, (model.note, words)))))
    return tuple(found)


def _with_git_warnings(repo: Repo, done: Sequence[AddedModel]) -> tuple[AddedModel, ...]:
    """Return DONE with a warning for each new model whose path Git's own history holds."""
    held = held_by_git(repo, [model.path for model in done])
    found = []
    for model in done:
        words = would_overwrite(held[model.path]) if model.path in held and model.change == "new" else ""
        note = "; ".join(filter(None, (model.note, words and f"{words}: run `mvc add` before you switch")))
        found.append(replace(model, note=note))
    return tuple(found)


def _pointer(target: Target, content: _StoredContent) -> Pointer:
    """Return the pointer to write: an old one that names the same content, or a new one with its parent."""
    before, head = target.before, target.head
    sides = before.sides if before else ()  # in a conflict, adding the content of one side resolves it
    base = next((p for p in (*sides, head) if p and p.oid == content.oid and p.kind == content.kind), None)
    if base is not None:
        return replace(base, size=content.size, files=content.files, executable=content.executable, conflict=None)
    known = head or before
    parent = None
    if known:
        parent = known.oid if known is head or target.renamed else known.parent
    return Pointer(
        kind="tree" if content.kind == "tree" else "file",
        oid=content.oid,
        size=content.size,
        files=content.files,
        executable=content.executable,
        parent=parent,
        extra={key: value for key, value in known.extra.items() if key not in OF_A_VERSION} if known else {},
    )


def _recorded(before: Pointer, pointer: Pointer) -> str:
    """Return how two pointers to the same content differ."""
    if before.encode() == pointer.encode():
        return "unchanged"
    return "environment" if replace(before, env=None).encode() == replace(pointer, env=None).encode() else "metrics"


def _is_new(target: Target, content: _StoredContent) -> bool:
    """Return whether the pointers of TARGET name other content. The side of a conflict that is taken counts as new."""
    known = [one for one in (target.before, target.head) if one and not one.conflict]
    return all(one.oid != content.oid for one in known)


def _report(target: Target, content: _StoredContent, pointer: Pointer, note: str) -> AddedModel:
    before = target.before
    if before is None and not target.settles:
        change = "new"
    elif before is None or target.settles or before.oid != content.oid or before.executable != pointer.executable:
        change = "updated"
    elif wrong := claims.difference(claims.claimed(before), claims.claimed(pointer)):
        change, note = "updated", note or f"its pointer was rewritten: {wrong.replace('says', 'said', 1)}"
    else:
        change = _recorded(before, pointer)
    if note:
        pass
    elif target.settles:
        note = "its conflict is resolved with the present content"
    elif target.in_git:
        note = "Git no longer tracks the file itself"
    elif target.path.lower().endswith((".joblib.z", ".joblib.gz")):
        note = "saved compressed, so versions share nothing; save it uncompressed and let mvc compress"
    was = str(before.oid) if before and before.oid != content.oid else None
    same = before is not None and same_content(before.model, pointer.model)
    note = "; ".join(filter(None, (SAME if same else "", note)))
    return AddedModel(
        target.path, content.kind, str(content.oid), content.size, change, content.new_bytes, was, note, same
    )
