"""Run the user's own Git: the only place where a process is started."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from modelvc.errors import GitError, shown
from modelvc.git.layout import Layout, git_dir_of

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import IO, TypeAlias

    Held: TypeAlias = subprocess.Popen[bytes]

# About credentials, transport, tracing and where configuration lies: as true for our calls as for the user's own.
_KEPT = ("GIT_SSH", "GIT_TRACE", "GIT_CONFIG_", "GIT_TERMINAL_PROMPT", "GIT_ASKPASS", "GIT_ALLOW_PROTOCOL")
# How Git reads paths and shows differences: never as the user's own command was told to.
_NEVER = frozenset({
    "GIT_LITERAL_PATHSPECS", "GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS", "GIT_ICASE_PATHSPECS",
    "GIT_EXTERNAL_DIFF", "GIT_DIFF_OPTS",
})  # fmt: skip
_MOST_WORDS = 8_192  # bytes that are kept of what Git says
_MISSING = "git is not installed, or not on the PATH"


def environment(*, commit_env: bool = False) -> dict[str, str]:
    """The environment for Git. COMMIT_ENV: of the commit in progress (a hook's), else nothing of one."""
    env: Mapping[str, str] = os.environ
    kept = {k: v for k, v in env.items() if commit_env or not k.startswith("GIT_") or k.startswith(_KEPT)}
    kept = {k: v for k, v in kept.items() if k not in _NEVER}
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

    command, folder, env = _prepared(where, args, commit_env=commit_env, quote_paths=quote_paths)
    try:
        done = subprocess.run(
            command, cwd=folder, env=env | dict(extra or {}), input=stdin, capture_output=True, check=False
        )
    except FileNotFoundError:
        raise GitError(_MISSING, hint="install Git 2.34 or later") from None
    return done.returncode, done.stdout, done.stderr


def held(where: Layout | str, *args: str, commit_env: bool = False, extra: Mapping[str, str] | None = None) -> Held:
    """Start Git with ARGS and leave it open: the caller writes to it, reads from it and ends it."""
    import subprocess

    command, folder, env = _prepared(where, args, commit_env=commit_env)
    pipe = subprocess.PIPE
    try:
        return subprocess.Popen(
            command, cwd=folder, env=env | dict(extra or {}), stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL
        )
    except FileNotFoundError:
        raise GitError(_MISSING, hint="install Git 2.34 or later") from None


@contextmanager
def piped(where: Layout | str, *commands: Sequence[str], stdin: bytes, extra: Mapping[str, str]) -> Iterator[IO[bytes]]:
    """The output of the last of COMMANDS; each reads the output of the one before, and the first reads STDIN whole.

    GitError with Git's words when the output was read to its end and a command failed. Left before, they are killed.
    """
    import subprocess

    running: list[Held] = []
    with _drained() as (sink, words):
        try:
            for args in commands:
                command, folder, env = _prepared(where, args)
                source = running[-1].stdout if running else subprocess.PIPE
                running.append(
                    subprocess.Popen(
                        command, cwd=folder, env=env | dict(extra), stdin=source, stdout=subprocess.PIPE, stderr=sink
                    )
                )
            for one in running[:-1]:
                if one.stdout:
                    one.stdout.close()  # the next one has it
            _write_whole(running[0], stdin)
            if out := running[-1].stdout:
                yield out
            codes = [one.wait() for one in running]
        except FileNotFoundError:
            raise GitError(_MISSING, hint="install Git 2.34 or later") from None
        finally:
            for one in running:
                end(one)
        if any(codes):
            told = said(words()) or f"exit status {next(filter(None, codes))}"
            raise GitError(f"git {commands[0][0]} failed: {told}", hint="see what `git fsck` says")


@contextmanager
def _drained() -> Iterator[tuple[int, Callable[[], bytes]]]:
    """A descriptor to write to, and what was written, of which 8 KiB are kept; ask once all writers have ended.

    Not a file: a full disk must not stop what only reads.
    """
    from threading import Thread

    source, sink = os.pipe()
    kept = bytearray()

    def drain() -> None:
        while data := os.read(source, 8192):
            kept.extend(data[: _MOST_WORDS - len(kept)])

    def words() -> bytes:
        nonlocal sink
        if sink >= 0:
            os.close(sink)
            sink = -1
        thread.join()
        return bytes(kept)

    thread = Thread(target=drain, daemon=True)
    thread.start()
    try:
        yield sink, words
    finally:
        words()
        os.close(source)


def _write_whole(process: Held, data: bytes) -> None:
    with suppress(BrokenPipeError):  # it died: its status tells
        if process.stdin:
            process.stdin.write(data)
            process.stdin.close()


def end(process: Held) -> None:
    """End PROCESS, which only reads the repository, and close its pipes."""
    if process.poll() is None:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            with suppress(OSError):
                pipe.close()


def _prepared(
    where: Layout | str, args: Sequence[str], *, commit_env: bool = False, quote_paths: bool = False
) -> tuple[list[str], str, dict[str, str]]:
    """Command, folder and environment."""
    folder = where if isinstance(where, str) else where.worktree
    env = environment(commit_env=commit_env)
    if isinstance(where, Layout) and git_dir_of(where.worktree) != where.git_dir:
        # only where Git would not find it: told where it is, Git does not ask whose it is (safe.directory)
        env |= {"GIT_DIR": where.git_dir, "GIT_WORK_TREE": where.worktree, "GIT_COMMON_DIR": where.common_dir}
    # our own calls must not start the user's hooks, nor the daemon that watches files
    quoting = () if quote_paths else ("-c", "core.quotePath=false")
    fixed = ("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", *quoting)
    return ["git", *fixed, *args], folder, env
