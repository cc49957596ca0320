"""Run the user's own Git. Only git/commit starts it elsewhere, through GitPython.

Apart from that, mvc starts one program: a Python that is asked what it has (`models/environment/interpreter`).
"""

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

# Variables about credentials, transport, tracing and configuration files: our calls need them as the user's do.
_KEPT = ("GIT_SSH", "GIT_TRACE", "GIT_CONFIG_", "GIT_TERMINAL_PROMPT", "GIT_ASKPASS", "GIT_ALLOW_PROTOCOL")
# Variables that change how Git reads paths and prints diffs: set for the user's command, wrong for ours.
_NEVER = frozenset({
    "GIT_LITERAL_PATHSPECS", "GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS", "GIT_ICASE_PATHSPECS",
    "GIT_EXTERNAL_DIFF", "GIT_DIFF_OPTS",
})  # fmt: skip
_MOST_WORDS = 8_192  # most bytes that are kept of Git's messages
_MISSING = "git is not installed, or not on the PATH"


def environment(*, commit_env: bool = False) -> dict[str, str]:
    """Return the environment for Git. COMMIT_ENV: with the variables of the commit in progress, which a hook has."""
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
    """Run Git with ARGS in a worktree or folder. Return its output. Raises GitError with its message if it fails.

    ARGS are fixed words, and paths behind `--`; never an option that a user wrote.
    """
    code, out, err = run(where, *args, stdin=stdin, commit_env=commit_env, quote_paths=quote_paths, extra=extra)
    if code:
        raise GitError(f"git {args[0]} failed: {said(err) or f'exit status {code}'}", hint="see what `git status` says")
    return out


def said(words: bytes) -> str:
    """Return Git's message WORDS in one line that is safe for a terminal. Accounts in URLs are removed."""
    import re

    lines = (line.strip() for line in words.decode("utf-8", "replace").split("\n"))
    text = "; ".join(line for line in lines if line)
    text = re.sub(r"(https?)://[^\s/@]+@", r"\1://...@", text)  # the account may be a token alone
    return shown(re.sub(r"://[^\s@]*:\S*@", "://...@", text))


def run(
    where: Layout | str,
    *args: str,
    stdin: bytes = b"",
    commit_env: bool = False,
    quote_paths: bool = False,
    extra: Mapping[str, str] | None = None,
) -> tuple[int, bytes, bytes]:
    """Run Git with ARGS. Return its exit status, output and messages. Raises GitError if Git is not installed."""
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
    """Start Git with ARGS and return the process: the caller writes to it, reads from it and ends it."""
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
    """Run a pipe of COMMANDS, the first of which reads STDIN. Yield the output of the last.

    Raises GitError with Git's message if a command failed and the block ended normally. A block that raises kills them.
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
                    one.stdout.close()  # the next process holds the pipe
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
            why = said(words()) or f"exit status {next(filter(None, codes))}"
            raise GitError(f"git {commands[0][0]} failed: {why}", hint="see what `git fsck` says")


@contextmanager
def _drained() -> Iterator[tuple[int, Callable[[], bytes]]]:
    """Yield a descriptor to write to, and a function that returns the first 8 KiB that were written.

    Call the function after all writers have ended. A pipe, not a file: a full disk must not stop a reader.
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
    with suppress(BrokenPipeError):  # it died: its exit status says so
        if process.stdin:
            process.stdin.write(data)
            process.stdin.close()


def end(process: Held) -> None:
    """Kill PROCESS, which only reads the repository, and close its pipes."""
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
    """Return command, folder and environment for one call."""
    folder = where if isinstance(where, str) else where.worktree
    env = environment(commit_env=commit_env)
    if isinstance(where, Layout) and git_dir_of(where.worktree) != where.git_dir:
        # Only if Git would find another Git folder: with GIT_DIR, Git skips its check of the owner (safe.directory).
        env |= {"GIT_DIR": where.git_dir, "GIT_WORK_TREE": where.worktree, "GIT_COMMON_DIR": where.common_dir}
    # Our own calls must start neither the user's hooks nor the file system monitor.
    quoting = () if quote_paths else ("-c", "core.quotePath=false")
    fixed = ("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", *quoting)
    return ["git", *fixed, *args], folder, env
