"""What commands cost in a repository of many models: processor seconds of a command and all that it starts.

    python tests/benchmarks/many.py [--models 2000] [--versions 10] [--folder FOLDER] [COMMAND ...]

Makes the repository (in FOLDER, and keeps it, or in one that goes) with real commands, then runs each COMMAND (a line
for the shell; default: those that look at every model) and prints its seconds. `git push` goes to a folder beside.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
POLICY = '[[metric]]\nname = "acc"\ndirection = "higher"\nmin = 0.1\nmax_drop = { abs = 0.5 }\n'
COMMANDS = (
    "mvc log",
    "mvc log -n 5",
    "mvc log m1.bin",
    "mvc check",
    "mvc check --against HEAD~3",
    "mvc check --against best",
    "mvc ls",
    "mvc status",
    "mvc diff HEAD~1 HEAD",
    "git push -q origin main",
    "git push -q origin main:again",
    "git checkout -q HEAD~3",
    "git checkout -q main",
    "git checkout -q empty",
    "git checkout -q main",
)


def environment() -> dict[str, str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    person = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / "mvc-many")}
    return {**os.environ, **person, **compiled, "PATH": path, "PYTHONPATH": str(ROOT)}  # as where it is installed


def run(folder: Path, line: str) -> float:
    """Seconds of processor that LINE takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(line, shell=True, cwd=folder, env=environment(), capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        print(f"  {line}: rc {done.returncode}: {done.stderr[-300:]}")
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def make(top: Path, models: int, versions: int) -> Path:
    folder = top / "work"
    folder.mkdir()
    for line in (
        "git init -q -b main",
        "git init -q --bare ../hub.git",
        "git remote add origin ../hub.git",
        "mvc -q init",
    ):
        run(folder, line)
    run(folder, f"mvc -q remote add origin {top / 'far'}")
    (folder / ".mvc/policy.toml").write_text(POLICY)
    run(folder, "git add -A && git commit -qm start && git branch empty")
    for version in range(versions):
        for number in range(models):
            (folder / f"m{number}.bin").write_text(f"model {number} version {version}")
        words = "m*.bin" if version == 0 else "-u"
        taken = run(folder, f"mvc -q add {words}")
        for number in range(models):  # measured, as by one call of `mvc add -m` for each
            pointer = folder / f"m{number}.bin.mvc"
            text = pointer.read_text()
            oid = text.partition('oid = "')[2].partition('"')[0]
            pointer.write_text(f'{text}\n[metrics]\nof = "{oid}"\nacc = {0.5 + version / 100}\n')
        taken += run(folder, f"git add -A && git commit -qm v{version}")
        print(f"version {version}: {taken:.1f} s")
    return folder


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", type=int, default=2000)
    parser.add_argument("--versions", type=int, default=10)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("commands", nargs="*")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        top = asked.folder or Path(temporary)
        top.mkdir(exist_ok=True)
        folder = top / "work"
        if not folder.exists():
            make(top, asked.models, asked.versions)
        for line in asked.commands or COMMANDS:
            print(f"{run(folder, line):7.2f} s  {line}", flush=True)


if __name__ == "__main__":
    main()
