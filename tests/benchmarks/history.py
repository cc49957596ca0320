"""How long `mvc log` and its filters take in a long history.

    python tests/benchmarks/history.py [--commits 10000] [--versions 1000 10000] [--turns 3]

A history of COMMITS commits, made by `git fast-import`: a file of code changes in each, and a model's pointer in as
many of them as there are VERSIONS, spread evenly, with three metrics each and one rename half way. Printed are seconds
of whole processes, the best of TURNS: by the clock, and of the processor, which other work disturbs less.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

ASKED = (
    ("log", "log"),
    ("log -n 10", "log", "-n", "10"),
    ("log --where", "log", "--where", "test.accuracy >= 0.9 and ms < 12"),
    ("log --best", "log", "--best", "test.accuracy"),
    ("log --all", "log", "--all"),
    ("check", "check"),
    ("rollback --dry-run", "rollback", "model.pkl", "--dry-run"),
    ("plot", "plot", "model.pkl", "test.accuracy"),
)
POLICY = '[[metric]]\nname = "test.accuracy"\ndirection = "higher"\nmax_drop = { abs = 0.5 }\n'


def pointer(number: int) -> str:
    oid, parent = ("blake3:" + hashlib.sha256(str(n).encode()).hexdigest() for n in (number, number - 1))
    accuracy, ms = 0.5 + (number * 7919 % 5000) / 10_000, 5 + number % 20
    return (
        f'format = 1\nkind = "file"\noid = "{oid}"\nsize = {1_000_000 + number}\n'
        + (f'parent = "{parent}"\n' if number else "")
        + f'\n[metrics]\nof = "{oid}"\n"test.accuracy" = {accuracy!r}\nms = {ms}\nepochs = {number}\n'
    )


def stream(commits: int, versions: int, tip: str) -> Iterator[str]:
    """What `git fast-import` reads: all on top of the commit TIP."""
    number, name = -1, "old.pkl"
    for at in range(commits):
        yield f"commit refs/heads/main\ncommitter Ada <ada@example.org> {1_700_000_000 + at * 60} +0000\n"
        subject = f"commit {at}"
        yield f"data {len(subject)}\n{subject}\n" + (f"from {tip}\n" if not at else "")
        code = f"seed = {at}\n"
        yield f"M 100644 inline src/train.py\ndata {len(code)}\n{code}\n"
        if at == commits // 2:
            yield f"R {name}.mvc model.pkl.mvc\n"
            name = "model.pkl"
        if at * versions // commits != number:
            number = at * versions // commits
            text = pointer(number)
            yield f"M 100644 inline {name}.mvc\ndata {len(text)}\n{text}\n"


def seconds(cwd: str, words: tuple[str, ...], env: dict[str, str]) -> tuple[float, float]:
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "modelvc", *words], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    took, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"mvc {' '.join(words)}: {done.stderr}")
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measured(commits: int, versions: int, turns: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        env = os.environ | {"HOME": folder, "GIT_CONFIG_NOSYSTEM": "1", "PYTHONSAFEPATH": "1"}
        for role in ("AUTHOR", "COMMITTER"):
            env |= {f"GIT_{role}_NAME": "Ada", f"GIT_{role}_EMAIL": "ada@example.org"}

        def git(*words: str, given: str = "") -> str:
            return subprocess.run(
                ["git", *words], cwd=folder, env=env, input=given, capture_output=True, text=True, check=True
            ).stdout.strip()

        git("init", "-q", "-b", "main", ".")
        seconds(folder, ("init",), env)
        with open(os.path.join(folder, ".mvc/policy.toml"), "w", encoding="utf-8") as file:
            file.write(POLICY)
        git("add", "-A")
        git("commit", "-qm", "use mvc")
        git("fast-import", "--quiet", given="".join(stream(commits, versions, git("rev-parse", "HEAD"))))
        git("-c", "core.hooksPath=/dev/null", "reset", "-q", "--hard")
        print(f"{commits:,} commits, {versions:,} versions")
        for name, *words in ASKED:
            took = [seconds(folder, tuple(words), env) for _ in range(turns)]
            clock, processor = (min(one[side] for one in took) for side in (0, 1))
            print(f"  {name:20}{clock:6.2f} s  {processor:6.2f} s of the processor")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commits", type=int, default=10_000)
    parser.add_argument("--versions", type=int, nargs="*", default=[1_000, 10_000])
    parser.add_argument("--turns", type=int, default=3)
    args = parser.parse_args()
    for versions in args.versions:
        measured(args.commits, versions, args.turns)


if __name__ == "__main__":
    main()
