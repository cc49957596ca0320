"""What each command costs before it does anything: `python -m tests.benchmarks.startup [--runs N] [COMMAND ...]`.

Processor seconds of whole processes (user and system, children included), each run in turn with `python -c pass`; the
medians of N runs and their ratio. Byte code is compiled first. The repository holds one model of four bytes, and its
remote is a folder. The last row is a commit of a code file, beside the same commit without hooks.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support import s3

GOALS = {
    "ls": 9.0, "show m.bin": 9.0, "log": 10.0, "diff": 10.0, "add m.bin": 10.0, "checkout m.bin": 11.0, "push": 12.0,
    "check": 0.0, "status": 0.0, "--version": 0.0, "--help": 7.0,
    "complete --word=": 9.0, "complete --word= -- ls": 9.0, "complete --word= -- add -m": 9.0,
}  # fmt: skip
_COMMIT, _COMMIT_GOAL = "git commit", 1.3
_S3_GOAL = 45.0


def spent(words: list[str], cwd: Path, env: dict[str, str]) -> float:
    """Processor seconds of WORDS and its children; CalledProcessError when it fails."""
    process = subprocess.Popen(words, cwd=cwd, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, words)
    return usage.ru_utime + usage.ru_stime


def prepared(folder: Path, env: dict[str, str], *remote: str) -> Path:
    """A repository with one model that was committed and pushed to REMOTE."""
    repo = folder / f"repo{len(os.listdir(folder))}"
    repo.mkdir()
    (repo / "m.bin").write_bytes(b"abc\n")
    policy = '[[metric]]\nname = "accuracy"\ndirection = "higher"\nmax_drop = { abs = 0.01 }\n'
    for words in (
        ["git", "init", "-q", "-b", "main"], ["git", "config", "user.name", "b"],
        ["git", "config", "user.email", "b@b"],
        ["mvc", "init", *remote],
    ):  # fmt: skip
        subprocess.run(words, cwd=repo, env=env, check=True, capture_output=True)
    (repo / ".mvc/policy.toml").write_text(policy)
    for words in (
        ["mvc", "add", "m.bin", "-m", "accuracy=0.9"], ["git", "add", "."], ["git", "commit", "-qm", "model"],
        ["mvc", "push"], ["mvc", "status"],
    ):  # fmt: skip
        subprocess.run(words, cwd=repo, env=env, check=True, capture_output=True)
    return repo


def commits(repo: Path, env: dict[str, str], runs: int) -> tuple[float, float]:
    """Median processor seconds of a commit of a code file: with hooks, and the same with none."""
    times: dict[str, list[float]] = {"mvc": [], "none": []}
    for number in range(2 * runs):
        kind = ("mvc", "none")[number % 2]
        (repo / "code.py").write_text(f"x = {number}\n")
        subprocess.run(["git", "add", "code.py"], cwd=repo, env=env, check=True)
        none = ["-c", "core.hooksPath=/dev/null"] if kind == "none" else []
        times[kind].append(spent(["git", *none, "commit", "-qm", "code"], repo, env))
    return statistics.median(times["mvc"]), statistics.median(times["none"])


def row(name: str, goal: float, command: str, where: tuple[Path, dict[str, str]], runs: int) -> None:
    """Measure `mvc COMMAND` in turn with `pass`, and print a line."""
    repo, env = where
    words = [sys.executable, shutil.which("mvc", path=env["PATH"]) or "mvc", *command.split()]
    spent(words, repo, env)
    pairs = [(spent(words, repo, env), spent([sys.executable, "-c", "pass"], repo, env)) for _ in range(runs)]
    own, base = (statistics.median(times) for times in zip(*pairs, strict=True))
    print(f"{name:<27}{own * 1e3:>7.0f}{base * 1e3:>10.1f}{own / base:>7.1f}{goal or '':>6}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--s3", action="store_true", help="start a server, and push to it with nothing to do")
    parser.add_argument("commands", nargs="*")
    given = parser.parse_args()
    env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"
    with tempfile.TemporaryDirectory() as folder:
        repo = prepared(Path(folder), env, "../remote")
        print(f"{'command':<27}{'ms':>7}{'pass, ms':>10}{'ratio':>7}{'goal':>6}")
        for command, goal in GOALS.items():
            if not given.commands or command.split(maxsplit=1)[0] in given.commands:
                row(command, goal, command, (repo, env), given.runs)
        if given.s3:
            server = s3.start()
            try:
                s3.make_bucket(server, "startup")
                there = env | server.environment
                repo = prepared(Path(folder), there, "s3://startup/models", "--endpoint-url", server.endpoint_url)
                row("push to S3", _S3_GOAL, "push", (repo, there), given.runs)
            finally:
                server.stop()
        if not given.commands or _COMMIT.split(maxsplit=1)[0] in given.commands:
            hooks, plain = commits(repo, env, given.runs)
            base = statistics.median(spent([sys.executable, "-c", "pass"], repo, env) for _ in range(given.runs))
            ratio = (hooks - plain) / base
            print(f"{_COMMIT:<27}{(hooks - plain) * 1e3:>7.0f}{base * 1e3:>10.1f}{ratio:>7.1f}{_COMMIT_GOAL:>6}")


if __name__ == "__main__":
    main()
