"""Hooks: shims in the clone's hooks folder, chained to what was there, removed without a trace."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.errors import ConflictError, shown
from modelvc.git.index import KEPT, SEEN
from modelvc.git.run import run
from modelvc.git.worktrees import git_dirs

if TYPE_CHECKING:
    from modelvc.git.layout import Layout

# Which shim stands for which hook; what fires when: docs/decisions/0004-hooks.md
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
LEGACY = ".legacy"  # the pre-commit framework renames a hook that it finds to this, and runs it first
_MARK = b"# modelvc: "
_COMMON = "hook.sh"
# For hooks that somebody shares with people who may not have mvc: nothing happens where it is not installed.
_LINE = 'mvc="$(git rev-parse --git-common-dir)/mvc/hooks/{hook}"; [ ! -x "$mvc" ] || "$mvc" "$@" || exit'


@dataclass(frozen=True, slots=True)
class Installed:
    """What an installation did. `by_hand`: lines for hooks that somebody else manages (core.hooksPath)."""

    hooks: tuple[str, ...]
    chained: tuple[str, ...]
    hooks_path: str = ""
    by_hand: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class HookState:
    """Hooks as they are. `missing`: not there; `outdated`: another version's; `interpreter`: the recorded one."""

    missing: tuple[str, ...]
    outdated: tuple[str, ...]
    hooks_path: str
    interpreter: str


def install(layout: Layout, python: str) -> Installed:
    """Put the shims in place, with PYTHON as the interpreter to try first. Doing it again changes nothing."""
    os.makedirs(layout.mvc_dir, exist_ok=True)
    _write(os.path.join(layout.mvc_dir, "python"), python.encode() + b"\n", executable=False)
    _write(os.path.join(layout.mvc_dir, _COMMON), _shim(_COMMON), executable=False)
    foreign = hooks_path(layout)
    if foreign:
        # Somebody manages this folder (husky, a team's own): only they may change it, so the shims lie beside.
        beside = os.path.join(layout.mvc_dir, "hooks")
        os.makedirs(beside, exist_ok=True)
        for hook, shim in SHIMS.items():
            _write(os.path.join(beside, hook), _shim(shim), executable=True)
        by_hand = tuple((hook, _LINE.format(hook=hook)) for hook in SHIMS)
        return Installed((), (), foreign, by_hand)
    folder = _folder(layout)
    os.makedirs(folder, exist_ok=True)
    paths = {hook: _place(os.path.join(folder, hook)) for hook in SHIMS}  # refuses before anything is changed
    chained = []
    for hook, path in paths.items():
        if os.path.lexists(path) and not _is_ours(path):
            os.rename(path, path + BEFORE)
        if os.path.lexists(os.path.join(folder, hook + BEFORE)):
            chained.append(hook)
        _write(path, _shim(SHIMS[hook]), executable=True)
    return Installed(tuple(SHIMS), tuple(chained))


def uninstall(layout: Layout) -> tuple[str, ...]:
    """Take the shims away and put back what was there; the hooks that were removed."""
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
    """How the hooks of this clone stand; changes nothing."""
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
    """The folder that core.hooksPath names; "" when nobody set it, or set it to the usual one."""
    _, out, _ = run(layout, "config", "-z", "--includes", "--type=path", "--get-all", "core.hooksPath")
    values = os.fsdecode(out).split("\0")[:-2]  # without the end, and the last value, which is run's own
    if not values or not values[-1]:
        return ""
    found = os.path.realpath(os.path.join(layout.worktree, values[-1]))
    return "" if found == os.path.realpath(_folder(layout)) else found


def _place(path: str) -> str:
    """Where the shim of the hook at PATH belongs; ConflictError when a hook would be lost."""
    if os.path.lexists(path) and not _is_ours(path):
        if _is_ours(path + LEGACY):
            return path + LEGACY  # put there by a program that runs it
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
    """Replace PATH as a whole: Git may be reading it."""
    if _read(path) == data and (not executable or os.access(path, os.X_OK)):
        return
    temporary = f"{path}.{os.getpid()}.tmp"
    with open(temporary, "wb") as file:
        file.write(data)
    if executable:
        os.chmod(temporary, 0o755)  # noqa: S103 - Git runs it for everyone who may use the clone
    os.replace(temporary, path)
