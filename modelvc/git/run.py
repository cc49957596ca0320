"""Run the user's own Git: the only place where a process is started."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from modelvc.errors import GitError, shown
from modelvc.git.layout import Layout, git_dir_of

if TYPE_CHECKING:
    from collections.abc import Mapping

# About credentials, transport, tracing and where configuration lies: as true for our calls as for the user's own.
_KEPT = ("GIT_SSH", "GIT_TRACE", "GIT_CONFIG_", "GIT_TERMINAL_PROMPT", "GIT_ASKPASS", "GIT_ALLOW_PROTOCOL")


def environment(*, commit_env: bool = False) -> dict[str, str]:
    """The environment for Git. COMMIT_ENV: of the commit in progress (a hook's), else nothing of one."""
    env: Mapping[str, str] = os.environ
    kept = {k: v for k, v in env.items() if commit_env or not k.startswith("GIT_") or k.startswith(_KEPT)}
    return {**kept, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}


def git(
    where: Layout | str,
    *args: str,
    stdin: bytes = b"",
    commit_env: bool = False,
    quote_paths: bool = False,
    extra: Mapping[str, str] | None = None,
) -> bytes:
    """What Git prints when run with ARGS in a worktree or folder; GitError with its words when it fails.

    ARGS are fixed words and paths behind `--` or NUL-separated input, never an option that a user wrote.
    """
    code, out, err = run(where, *args, stdin=stdin, commit_env=commit_env, quote_paths=quote_paths, extra=extra)
    if code:
        raise GitError(f"git {args[0]} failed: {said(err) or f'exit status {code}'}", hint="see what `git status` says")
    return out


def said(words: bytes) -> str:
    """What Git said, in one line that is safe for a terminal and without the accounts in URLs that it repeats."""
    import re

    lines = (line.strip() for line in words.decode("utf-8", "replace").split("\n"))
    text = "; ".join(line for line in lines if line)
    text = re.sub(r"(https?)://[^\s/@]+@", r"\1://...@", text)  # a token may stand there alone
    return shown(re.sub(r"://[^\s@]*:\S*@", "://...@", text))


def run(
    where: Layout | str,
    *args: str,
    stdin: bytes = b"",
    commit_env: bool = False,
    quote_paths: bool = False,
    extra: Mapping[str, str] | None = None,
) -> tuple[int, bytes, bytes]:
    """Exit status, output and words of one call of Git."""
    import subprocess

    folder = where if isinstance(where, str) else where.worktree
    env = environment(commit_env=commit_env)
    if isinstance(where, Layout) and git_dir_of(where.worktree) != where.git_dir:
        # only where Git would not find it: told where it is, Git does not ask whose it is (safe.directory)
        env |= {"GIT_DIR": where.git_dir, "GIT_WORK_TREE": where.worktree, "GIT_COMMON_DIR": where.common_dir}
    # our own calls must not start the user's hooks, nor the daemon that watches files
    quoting = () if quote_paths else ("-c", "core.quotePath=false")
    fixed = ("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", *quoting)
    try:
        done = subprocess.run(
            ["git", *fixed, *args],
            cwd=folder,
            env=env | dict(extra or {}),
            input=stdin,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        raise GitError("git is not installed, or not on the PATH", hint="install Git 2.34 or later") from None
    return done.returncode, done.stdout, done.stderr
