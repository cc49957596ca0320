"""Strip, check and refresh the notebooks of the worktree."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.errors import ConflictError, FormatError, NotFoundError, UsageError, shown
from modelvc.formats.notebook_rules import JUPYTER as JUPYTER_FORM
from modelvc.formats.paths import SafeRelPath
from modelvc.git import index
from modelvc.git.run import git
from modelvc.models.notebooks import (
    PATTERNS,
    edition,
    list_notebooks,
    note_edition,
    problem,
    read,
    staged,
    too_large,
    tracked_notebooks,
    unstripped,
)
from modelvc.notebook import platforms
from modelvc.notebook.document import NOTE, is_notebook
from modelvc.notebook.kept_outputs import KeptOutputs
from modelvc.notebook.match_form import AS_JUPYTER
from modelvc.notebook.strip import clean
from modelvc.worktree.files import ANY

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from modelvc.repo import Repo

_UNREAD = "is shaped like no notebook, and holds outputs that nothing strips"


@dataclass(frozen=True, slots=True)
class StrippedNotebooks:
    """The result of `mvc notebook strip`. `changed`: paths of stripped notebooks; `unchanged`: number of clean ones.

    `skipped`: (path, why) of notebooks that cannot be stripped.
    """

    changed: tuple[str, ...]
    unchanged: int
    skipped: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class CheckedNotebooks:
    """The result of `mvc notebook check`. `wrong`: (path, why) of notebooks that should not be committed as they are.

    `good`: number of the others.
    """

    wrong: tuple[tuple[str, str], ...]
    good: int


@dataclass(frozen=True, slots=True)
class RefreshedNotebooks:
    """Notebooks that Git took as modified although only their outputs had changed."""

    paths: tuple[str, ...]


def strip(repo: Repo, paths: Sequence[str]) -> StrippedNotebooks:
    """Strip the notebooks below PATHS (default: all that Git tracks) in the worktree."""
    rules = repo.config.notebooks
    # if the filter is installed, keep these outputs as well, so that a checkout can restore them
    kept = KeptOutputs(os.path.join(repo.layout.mvc_dir, "outputs"), rules.keep_local if repo.strips_notebooks else 0)
    changed, unchanged, skipped = [], 0, []
    chosen = _chosen(repo, paths)
    blobs, models = staged(repo), repo.tracked()
    for path in chosen:
        if why := _of_model(models, path) or too_large(repo, path):
            skipped.append((path, why))
            continue
        data = read(repo, path)
        try:
            left, taken = clean(data, rules, path, _version(repo, blobs.get(path, "")))
        except FormatError as error:
            if not path.endswith(NOTE):
                skipped.append((path, str(error)))
            continue
        if taken.unread:
            skipped.append((path, _UNREAD))
        elif left == data:
            unchanged += 1
        else:
            kept.keep(path, taken)
            write(repo, path, left, data)
            changed.append(path)
    kept.trim()
    return StrippedNotebooks(tuple(changed), unchanged, tuple(skipped))


def check(repo: Repo, paths: Sequence[str]) -> CheckedNotebooks:
    """Find the notebooks of the worktree that hold outputs or a conflict, or cannot be read.

    If the filter strips a notebook, outputs in the worktree are fine; then the staged version is checked.
    """
    rules = repo.config.notebooks
    wrong: dict[str, str] = {}
    ran = []
    chosen = _chosen(repo, paths)
    for path in chosen:
        if why := too_large(repo, path):
            wrong[path] = why
            continue
        data = read(repo, path)
        if why := problem(data, path):
            wrong[path] = why
            continue
        left, taken = clean(data, rules, path)
        if taken.unread:
            wrong[path] = _UNREAD
        elif left != data:
            ran.append(path)
    filtered = _filtered(repo, ran)
    slipped = set(unstripped(repo, filtered))
    wrong.update((path, "holds outputs, or other traces of a run") for path in ran if path not in filtered)
    wrong.update((path, "is staged with outputs, or other traces of a run") for path in slipped)
    return CheckedNotebooks(tuple((path, wrong[path]) for path in chosen if path in wrong), len(chosen) - len(wrong))


def _version(repo: Repo, blob: str) -> bytes:
    """Return the staged notebook, whose form a stripped one keeps; AS_JUPYTER or b"" if it keeps none."""
    if repo.config.notebooks.form == JUPYTER_FORM:
        return AS_JUPYTER
    return index.read_blobs(repo.layout, [blob], limit=repo.config.notebooks.max_size).get(blob, b"") if blob else b""


def _filtered(repo: Repo, paths: Sequence[str]) -> set[str]:
    """Return those of PATHS that Git strips with the filter of this clone when it adds them."""
    if not paths or not repo.strips_notebooks:
        return set()
    asked = b"".join(os.fsencode(path) + b"\0" for path in paths)
    fields = git(repo.layout, "check-attr", "--stdin", "-z", "filter", stdin=asked).split(b"\0")
    pairs = zip(fields[::3], fields[2::3], strict=False)  # path, attribute, value; and an empty one behind the last
    return {os.fsdecode(path) for path, value in pairs if value == b"mvc-notebook"}


def refresh(repo: Repo) -> RefreshedNotebooks:
    """Refresh Git's index entries of notebooks that differ from it only in outputs, which the filter strips.

    Git compares sizes before it runs a filter, so it takes such a notebook as modified, and `git pull` would refuse.
    """
    if not repo.strips_notebooks:
        return RefreshedNotebooks(())
    out = git(repo.layout, "diff-files", "--name-only", "--diff-filter=M", "-z", "--", *PATTERNS)
    names = [name for name in map(os.fsdecode, out.split(b"\0")) if name and "\n" not in name]
    if not names:
        return RefreshedNotebooks(())
    now = git(repo.layout, "hash-object", "--stdin-paths", stdin=os.fsencode("".join(f"{name}\n" for name in names)))
    known = staged(repo)
    same = [name for name, blob in zip(names, now.decode("ascii").split(), strict=True) if known.get(name) == blob]
    if same:
        index.stage(repo.layout, add=same)
    return RefreshedNotebooks(tuple(same))


def newly_stripped(repo: Repo) -> tuple[str, ...]:
    """Return the notebooks in Git's index that this release strips and the release before did not.

    Only the first call in a clone returns any.
    """
    if not repo.strips_notebooks or edition(repo) == platforms.EDITION:
        return ()
    note_edition(repo)  # first: in a read-only clone this fails before all notebooks are read, each time
    return unstripped(repo)


def write(repo: Repo, path: str, data: bytes, before: bytes | None = None) -> None:
    """Replace a notebook of the worktree as a whole. Raises FileInUse unless it still holds BEFORE, if given.

    Raises ConflictError for a notebook that is a model or lies in one.
    """
    if why := _of_model(repo.tracked(), path):
        raise ConflictError(f"{shown(path)} {why}", hint=f"run `mvc rm --keep {shown(path)}` first, or `mvc checkout`")
    target = SafeRelPath.parse(path)
    found = repo.worktree.stat(target)
    executable = bool(found and found.executable)
    seen = ANY if before is None else repo.worktree.as_read(target, before)
    repo.worktree.write_bytes(target, data, executable=executable, seen=seen)


def _of_model(models: Collection[str], path: str) -> str:
    """Return words for a notebook that is a model or lies in one; "" for any other."""
    model = next((model for model in models if f"{path}/".startswith(f"{model}/")), "")
    if not model:
        return ""
    return "is a model, whose bytes stay" if model == path else f"lies in the model {shown(model)}, whose bytes stay"


def _chosen(repo: Repo, paths: Sequence[str]) -> list[str]:
    """Return the notebooks in PATHS: any file, and those in folders that Git does not ignore.

    Raises NotFoundError for a missing path, UsageError for a file that is not a notebook.
    """
    if not paths:
        return tracked_notebooks(repo)
    found: dict[str, None] = {}
    for text in paths:
        inside = repo.inside(text)
        full = os.path.join(repo.layout.worktree, inside)
        if os.path.isdir(full):
            below = list_notebooks(
                repo, "--cached", "--others", "--exclude-standard", "--", f":(top,literal){inside}/" if inside else "."
            )
            found.update(dict.fromkeys(sorted(below)))
        elif not os.path.exists(full):
            raise NotFoundError(f"there is no {shown(text)}", hint="see `git ls-files '*.ipynb'`")
        elif not is_notebook(inside):
            raise UsageError(
                f"{shown(text)} is not a notebook", hint="name files that end in .ipynb or .zpln, or folders"
            )
        else:
            found[inside] = None
    return list(found)
