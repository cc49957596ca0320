"""Check a commit in progress: its pointers and configuration, and models that it forgets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.errors import BrokenPointer, ModelvcError, shown
from modelvc.formats import limits
from modelvc.formats.paths import model_of
from modelvc.formats.pointer.pointer import LaterPointer, parse
from modelvc.formats.text import config, policy
from modelvc.git import history, index
from modelvc.models.files.gate import Gate
from modelvc.models.files.model_status import MODIFIED
from modelvc.models.files.seen_by_git import fate
from modelvc.models.remotes.seen_cache import pushed_oids
from modelvc.ops.tracking import track
from modelvc.ops.tracking.status import status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelvc.formats.paths import SafeRelPath
    from modelvc.formats.pointer.pointer import Pointer
    from modelvc.repo import Repo

_NAMED = 10  # files that a warning names
_MOST = 5  # models without a pointer that a warning names


@dataclass(frozen=True, slots=True)
class Guard:
    """The findings of a check: problems stop the commit, warnings do not.

    `blocked`: models that stop it because a checkout would block them.
    """

    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    blocked: tuple[str, ...] = ()


def pre_commit(repo: Repo) -> Guard:
    """Check the pointers and configuration about to be committed, and warn of models that the commit leaves out."""
    problems, warnings, blocked = _pointers(repo)
    problems = _configuration(repo) + problems
    if repo.config.hooks.modified != "off":
        forgotten = [row.path for row in status(repo).models if row.state == MODIFIED]
        lines = [f"{shown(path)} has changes that this commit leaves out" for path in forgotten]
        if lines and repo.config.hooks.modified == "block":
            problems += [*lines, "add them first: mvc add -u"]
        elif lines:
            warnings += [
                *lines,
                "to include them: mvc add -u && git commit --amend (or git commit, if this commit failed)",
            ]
    if names := track.forgotten_files(repo):
        warnings += [f"{shown(name)} matches a pattern of mvc track but is not a model yet" for name in names[:_NAMED]]
        more = f" ({len(names) - _NAMED:,} more)" if len(names) > _NAMED else ""
        warnings.append(
            f"to keep them as models: mvc add{more}" if len(names) > 1 else "to keep it as a model: mvc add"
        )
    return Guard(tuple(problems), tuple(warnings), tuple(blocked))


def _configuration(repo: Repo) -> list[str]:
    """Return the errors in the policy and configuration that the commit changes."""
    problems = []
    readers = {policy.POLICY: policy.parse, config.COMMITTED: config.parse}
    for path, data in index.newly_staged(repo.layout, tuple(readers), limits.POLICY + 1).items():
        try:
            readers[path](data)
        except ModelvcError as error:
            problems.append(f"{error} ({error.hint})" if error.hint else str(error))
    return problems


def _pointers(repo: Repo) -> tuple[list[str], list[str], list[str]]:
    """Return the problems of the pointers that the commit changes, warnings, and the models that are blocked.

    The warnings are for verdicts, and for models whose pointer the commit removes.
    """
    entries = index.pointers(repo.layout, commit_env=True)
    blobs = index.read_blobs(repo.layout, sorted({entry.blob for entry in entries}))
    head = history.pointers_at(repo.layout, "HEAD") if history.has_head(repo.layout) else {}
    problems: list[str] = []
    unknown: dict[str, Pointer] = {}
    stored: dict[str, Pointer] = {}
    changed: list[str] = []
    for entry in entries:
        data = blobs.get(entry.blob, b"")
        if head.get(entry.path) == data:
            continue  # history has it already
        changed.append(entry.path)
        try:
            pointer = parse(data, entry.path)
        except ModelvcError as error:
            hint = error.hint
            if isinstance(error, BrokenPointer) and not isinstance(error, LaterPointer) and len(problems) < _MOST:
                hint = f"run `{repo.mending(model_of(entry.path))}`"
            problems.append(f"{error} ({hint})" if hint else str(error))
            continue
        if pointer.conflict:
            name = shown(model_of(entry.path))
            problems.append(f"{name} is in conflict; resolve it with `mvc resolve {name} --ours` (or `--theirs`)")
        elif not repo.store.has_root(pointer.kind, pointer.oid):
            unknown[entry.path] = pointer
        else:
            stored[entry.path] = pointer
    blocked, named = _verdicts(repo, stored)
    problems += [words for _, words in blocked]
    problems += _tracked_by_git(repo, changed)
    gone = _without_pointer(repo, {entry.path for entry in entries}, head)
    return problems + _unknown_content(repo, unknown), named + gone, [model for model, _ in blocked]


def _verdicts(repo: Repo, stored: Mapping[str, Pointer]) -> tuple[list[tuple[SafeRelPath, str]], list[str]]:
    """Look into the STORED versions. Return those that a checkout would block with a problem each, and warnings."""
    gate = Gate(repo)
    problems, warnings = [], []
    for path, pointer in stored.items():
        model = model_of(path)
        looked = gate.look(model, pointer)
        if looked and looked.blocked:
            problems.append((model, f"{shown(model)} would be blocked at a checkout: {shown(looked.words)}"))
        elif looked and looked.is_news:
            warnings.append(f"{shown(model)} is {shown(looked.words)}")
    return problems, warnings


def _tracked_by_git(repo: Repo, pointers: Sequence[str]) -> list[str]:
    """Return a problem for each model that Git tracks itself beside a changed pointer."""
    held = index.tracked_at(repo.layout, {str(model_of(path)) for path in pointers}, commit_env=True)
    return [
        f"{shown(model)} is a model, and Git holds {shown(inside[0])} itself: "
        f"git rm -rq --cached {shown(model)} && mvc add {shown(model)}"
        for model, inside in sorted(held.items())
    ]


def _without_pointer(repo: Repo, staged: set[str], head: Mapping[str, bytes]) -> list[str]:
    """Return a warning with the fate of each model whose pointer the commit removes."""
    known = [model_of(path) for path in staged]
    gone = sorted(model_of(path) for path in head.keys() - staged)
    here = [path for path in gone if path in repo.state.pointers and repo.worktree.stat(path) is not None]
    return [f"{shown(path)}: {fate(repo, path, known)}" for path in here[:_MOST]]


def _unknown_content(repo: Repo, unknown: dict[str, Pointer]) -> list[str]:
    """Return a problem for each pointer to content that is unknown to the store, to history and to remotes."""
    if not unknown:
        return []
    known = set(pushed_oids(repo) or ())
    for seen in history.pointers_in(repo.layout, all_refs=True, reflog=True):  # a commit being merged may have no ref
        try:
            known.add(bytes(parse(seen.data).oid))
        except ModelvcError:
            continue
    return [
        f"{shown(path)} names content that no store has: add the model with `mvc add {shown(model_of(path))}`"
        for path, pointer in unknown.items()
        if bytes(pointer.oid) not in known
    ]
