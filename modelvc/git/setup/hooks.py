"""Install shims in the clone's hooks folder. A shim runs the hook that it replaced; `uninstall` puts that back."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.atomic import write_atomically
from modelvc.errors import ConflictError, shown
from modelvc.git.index import KEPT, SEEN
from modelvc.git.run import run
from modelvc.git.worktrees import git_dirs

if TYPE_CHECKING:
    from modelvc.git.layout import Layout

# The shim of each hook. docs/decisions/0004-hooks.md says when Git runs which hook.
SHIMS = {
    "post-index-change": "follow",
    "post-checkout": "follow",
    "post-rewrite": "follow",
    "post-applypatch": "follow",
    "pre-commit": "pre-commit",
    "pre-merge-commit": "pre-merge-commit",
    "prepare-commit-msg": "prepare-commit-msg",
    "post-merge": "post-merge",
    "pre-push": "pre-push",
}
BEFORE = ".before-mvc"
LEGACY = ".legacy"  # the pre-commit framework adds this to the name of an existing hook, and runs that hook first
_MARK = b"# modelvc: "
_COMMON = "hook.sh"
# For hooks that a team shares: the line does nothing in a clone without mvc.
_LINE = 'mvc="$(git rev-parse --git-common-dir)/mvc/hooks/{hook}"; [ ! -x "$mvc" ] || "$mvc" "$@" || exit'


@dataclass(frozen=True, slots=True)
class Installed:
    """The result of an installation.

    `chained`: hooks that also run an earlier hook. `by_hand`: (hook, line) to add to hooks in a folder that
    core.hooksPath names, which mvc does not change.
    """

    hooks: tuple[str, ...]
    chained: tuple[str, ...]
    hooks_path: str = ""
    by_hand: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class HookState:
    """The hooks of a clone. `outdated`: shims of another version. `interpreter`: the Python that shims try first."""

    missing: tuple[str, ...]
    outdated: tuple[str, ...]
    hooks_path: str
    interpreter: str


def install(layout: Layout, python: str) -> Installed:
    """Install the shims, with PYTHON as the interpreter that they try first. Another call changes nothing.

    Raises ConflictError, before anything is changed, if a hook would be lost.
    """
    os.makedirs(layout.mvc_dir, exist_ok=True)
    _write(os.path.join(layout.mvc_dir, "python"), python.encode() + b"\n", executable=False)
    _write(os.path.join(layout.mvc_dir, _COMMON), _shim(_COMMON), executable=False)
    foreign = hooks_path(layout)
    if foreign:
        # Another program manages this folder (husky, or a team's own): the shims lie in mvc's folder.
        beside = os.path.join(layout.mvc_dir, "hooks")
        os.makedirs(beside, exist_ok=True)
        for hook, shim in SHIMS.items():
            _write(os.path.join(beside, hook), _shim(shim), executable=True)
        by_hand = tuple((hook, _LINE.format(hook=hook)) for hook in SHIMS)
        return Installed((), (), foreign, by_hand)
    folder = _folder(layout)
    os.makedirs(folder, exist_ok=True)
    paths = {hook: _shim_path(os.path.join(folder, hook)) for hook in SHIMS}  # raises before anything is changed
    chained = []
    for hook, path in paths.items():
        if os.path.lexists(path) and not _is_ours(path):
            os.rename(path, path + BEFORE)
        if os.path.lexists(os.path.join(folder, hook + BEFORE)):
            chained.append(hook)
        _write(path, _shim(SHIMS[hook]), executable=True)
    return Installed(tuple(SHIMS), tuple(chained))


def uninstall(layout: Layout) -> tuple[str, ...]:
    """Remove the shims and put back the hooks that they replaced. Return the names of the removed hooks."""
    folder = _folder(layout)
    removed = []
    for hook in SHIMS:
        path = os.path.join(folder, hook)
        for ours in (path, path + LEGACY):
            if os.path.lexists(ours) and _is_ours(ours):
                os.unlink(ours)
                removed.append(hook)
                if os.path.lexists(path + BEFORE):
                    os.rename(path + BEFORE, ours)
    beside = os.path.join(layout.mvc_dir, "hooks")
    gone = [os.path.join(beside, hook) for hook in SHIMS]
    gone += [os.path.join(layout.mvc_dir, name) for name in ("python", _COMMON)]
    gone += [os.path.join(git_dir, "mvc", note) for git_dir in git_dirs(layout) for note in (SEEN, KEPT)]
    for path in gone:
        with suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(path)
    with suppress(OSError):
        os.rmdir(beside)
    return tuple(removed)


def inspect(layout: Layout) -> HookState:
    """Return the state of this clone's hooks. Changes nothing."""
    foreign = hooks_path(layout)
    folder = foreign or _folder(layout)
    missing, outdated = [], []
    for hook, shim in SHIMS.items():
        path = os.path.join(folder, hook)
        if not foreign and _is_ours(path + LEGACY):
            path += LEGACY
        data = _read(path)
        if foreign:
            if b"mvc/hooks/" + hook.encode() not in data:
                missing.append(hook)
        elif not data.startswith(b"#!") or _MARK not in data:
            missing.append(hook)
        elif data != _shim(shim):
            outdated.append(hook)
    interpreter = _read(os.path.join(layout.mvc_dir, "python")).decode(errors="replace").strip()
    return HookState(tuple(missing), tuple(outdated), foreign, interpreter)


def hooks_path(layout: Layout) -> str:
    """Return the folder that core.hooksPath names; "" if it is not set, or names the default folder."""
    _, out, _ = run(layout, "config", "-z", "--includes", "--type=path", "--get-all", "core.hooksPath")
    values = os.fsdecode(out).split("\0")[:-2]  # without the empty end and the last value, which git.run itself sets
    if not values or not values[-1]:
        return ""
    found = os.path.realpath(os.path.join(layout.worktree, values[-1]))
    return "" if found == os.path.realpath(_folder(layout)) else found


def _shim_path(path: str) -> str:
    """Return the path for the shim of the hook at PATH. Raises ConflictError if a hook would be lost."""
    if os.path.lexists(path) and not _is_ours(path):
        if _is_ours(path + LEGACY):
            return path + LEGACY  # the program that moved the shim there also runs it
        if os.path.lexists(path + BEFORE) and _read(path) != _read(path + BEFORE):
            raise ConflictError(
                f"another program replaced mvc's {shown(os.path.basename(path))} hook, and {shown(path + BEFORE)} "
                "holds the one that was there before",
                hint="decide which of the two stays, remove the other, then run `mvc install`",
            )
    return path


def _folder(layout: Layout) -> str:
    return os.path.join(layout.common_dir, "hooks")


def _shim(name: str) -> bytes:
    from importlib.resources import files

    return files("modelvc._hooks").joinpath(name).read_bytes()


def _is_ours(path: str) -> bool:
    return _MARK in _read(path)[:200]


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(1 << 16)
    except OSError:
        return b""


def _write(path: str, data: bytes, *, executable: bool) -> None:
    """Replace the file PATH unless it holds DATA: Git may be reading it."""
    if _read(path) == data and (not executable or os.access(path, os.X_OK)):
        return
    # Git runs it for everyone who may use the clone
    write_atomically(path, data, mode=0o755 if executable else None)
