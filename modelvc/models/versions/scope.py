"""Turn the revisions, ranges and paths of a command into the pointers that it covers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from modelvc.errors import ModelvcError, UsageError, shown
from modelvc.formats.paths import SafeRelPath, model_of
from modelvc.formats.pointer.pointer import parse
from modelvc.git import history, index
from modelvc.ids import ObjectName
from modelvc.models.versions import claims

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from modelvc.formats.pointer.pointer import Pointer
    from modelvc.models.versions.claims import Extent
    from modelvc.repo import Repo


@dataclass(frozen=True, slots=True)
class ScopedObject:
    """One version of one model, or its predictions, as some pointer names it."""

    path: SafeRelPath
    pointer: Pointer
    commit: str = ""  # "": the index or the worktree
    predictions: bool = False

    @property
    def name(self) -> ObjectName:
        """Kind and oid of the object."""
        return ObjectName(self.pointer.kind, self.pointer.oid)


@dataclass(frozen=True, slots=True)
class Scope:
    """The objects that a command covers, each once, and the pointers that cannot be read."""

    objects: tuple[ScopedObject, ...]
    broken: tuple[tuple[str, str], ...] = ()  # (path and commit, why)
    needed_by: Mapping[ObjectName, tuple[str, ...]] = field(default_factory=dict)  # "path (commit)" of each pointer
    claims: Mapping[ObjectName, Mapping[Extent, ScopedObject]] = field(default_factory=dict)  # first to claim it
    versions: frozenset[ObjectName] = field(init=False)  # names of versions of models, without predictions

    def __post_init__(self) -> None:
        object.__setattr__(self, "versions", versions_in(self.objects))


def versions_in(objects: Iterable[ScopedObject]) -> frozenset[ObjectName]:
    """Return the names of OBJECTS that are versions of models, without predictions: people count versions."""
    return frozenset(one.name for one in objects if not one.predictions)


def scope_of(
    repo: Repo,
    revs: Sequence[str] = (),
    paths: Sequence[str] = (),
    *,
    everything: bool = False,
    history_too: bool = False,
) -> Scope:
    """Return the objects in REVS (`REV` or `A..B`) and below PATHS; without REVS, those of HEAD, index and worktree.

    EVERYTHING adds every branch, tag and stash. HISTORY_TOO adds the history of HEAD if REVS is empty.
    Raises UsageError for the name of a remote: Git reads it as the remote's last known branch, so `mvc push origin`
    would send nothing new.
    """
    for rev in revs:
        if rev in repo.config.remotes:
            hint = f"name a remote with -r {shown(rev)}, a branch of that name with heads/{shown(rev)}"
            raise UsageError(f"{shown(rev)} is a remote, and a revision is meant here", hint=hint)
    scope = _collect(repo, _seen(repo, revs, everything=everything, history_too=history_too), paths)
    if paths and not scope.objects and not revs and not everything:
        repo.selected(paths, repo.tracked())  # raises for a path that is not tracked
    return scope


def scope_between(repo: Repo, include: Sequence[str], exclude: Sequence[str]) -> Scope:
    """Return the objects in the history of the commits INCLUDE, without the history of the commits EXCLUDE."""
    seen = history.pointers_in(repo.layout, include=include, exclude=exclude) if include else ()
    return _collect(repo, ((one.path, one.data, one.commit) for one in seen), ())


def _collect(repo: Repo, seen: Iterable[tuple[str, bytes, str]], paths: Sequence[str]) -> Scope:
    found: dict[ObjectName, ScopedObject] = {}
    broken: dict[tuple[str, str], None] = {}
    needed_by: dict[ObjectName, dict[str, None]] = {}
    said: dict[ObjectName, dict[Extent, ScopedObject]] = {}
    wanted = [repo.inside(text) for text in paths]
    for path, data, commit in seen:
        try:
            model = model_of(path)
            if wanted and not any(_within(model, text) for text in wanted):
                continue
            pointer = parse(data, path)
        except ModelvcError as error:
            broken[f"{path} in {commit[:10] or 'the worktree'}", str(error)] = None
            continue
        for position, version in enumerate(pointer.versions):
            one = ScopedObject(model, version, commit, predictions=position >= len(pointer.sides))
            if one.name not in found or (found[one.name].predictions and not one.predictions):
                found[one.name] = one
            needed_by.setdefault(one.name, {})[f"{model} ({commit[:10] or 'worktree'})"] = None
            said.setdefault(one.name, {}).setdefault(claims.claimed(version), one)
    pointers = {name: tuple(words) for name, words in needed_by.items()}
    return Scope(tuple(found.values()), tuple(broken), pointers, said)


def _within(model: str, wanted: str) -> bool:
    return not wanted or model == wanted or model + ".mvc" == wanted or model.startswith(wanted + "/")


def _seen(repo: Repo, revs: Sequence[str], *, everything: bool, history_too: bool) -> Iterator[tuple[str, bytes, str]]:
    if everything:
        yield from _worktree(repo)
        for seen in history.pointers_in(repo.layout, include=(), all_refs=True):
            yield seen.path, seen.data, seen.commit
        return
    for rev in revs:
        if ".." in rev:
            start, _, end = rev.partition("..")
            include, exclude = [end.removeprefix(".") or "HEAD"], [start or "HEAD"]
            for seen in history.pointers_in(repo.layout, include=include, exclude=exclude):
                yield seen.path, seen.data, seen.commit
        else:
            commit = history.resolve(repo.layout, rev)
            for path, data in history.pointers_at(repo.layout, commit).items():
                yield path, data, commit
    if not revs:
        yield from _worktree(repo)
        if history_too and history.has_head(repo.layout):
            for seen in history.pointers_in(repo.layout, include=["HEAD"]):
                yield seen.path, seen.data, seen.commit
        elif history.has_head(repo.layout):
            for path, data in history.pointers_at(repo.layout, "HEAD").items():
                yield path, data, "HEAD"


def _worktree(repo: Repo) -> Iterable[tuple[str, bytes, str]]:
    """Yield (path, bytes, "") of the pointers in the worktree and in the index."""
    from modelvc.formats.limits import POINTER
    from modelvc.formats.paths import pointer_of

    for path in repo.tracked():
        try:
            yield pointer_of(path), repo.worktree.read(pointer_of(path), POINTER), ""
        except (OSError, ModelvcError):
            continue  # gone, or behind a link: the index and HEAD still name its version
    entries = repo.index_pointers()
    blobs = index.read_blobs(repo.layout, sorted({entry.blob for entry in entries}))
    for entry in entries:
        if entry.blob in blobs:
            yield entry.path, blobs[entry.blob], ""
