"""Notebooks in Git with mvc, nbstripout, nbdime and plain Git, on the same work in one run: for docs/speed.md.

    python tests/benchmarks/notebooks.py [--notebooks 200] [--slow 10] [--merges 60] [--peers FOLDER]

Printed are the best of three runs, with process starts, and the ratio to mvc. nbstripout starts a process for each
notebook, so it gets --slow of them and its time is scaled; nbdime gets three times as many merges. Merges are of
notebooks edited at random on two sides (seeded): different cells, different lines of one, new cells, deleted ones, the
same line; what the right result is, is known. They are merged as people leave them, with outputs on both sides, and
once more stripped.
FOLDER holds nbstripout and git-nbmergedriver, when they are not on the PATH.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from modelvc.formats.notebook_rules import NotebookRules
from modelvc.notebook.merge import merge
from modelvc.notebook.strip import clean

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.support.clone import ROOT
from tests.support.notebooks import cell, dump, is_valid, notebook, sources

PLOT = {
    "output_type": "display_data",
    "metadata": {},
    "data": {"image/png": "iVBOR" + "A" * 4_000, "text/plain": ["<Figure>"]},
}
Lines = list[str]


def small(number: int) -> bytes:
    texts = [f"# step {n} of {number}\nvalue_{n} = compute({n})\nplot(value_{n})" for n in range(6)]
    return notebook(*(cell(text, f"{number:04d}{n}-ab", outputs=[PLOT]) for n, text in enumerate(texts)))


class Place:
    """A repository with one of the tools."""

    def __init__(self, base: Path, tool: str, peers: str) -> None:
        self.path = base / f"{tool}-{len(list(base.iterdir()))}"
        self.path.mkdir()
        here = os.pathsep.join(filter(None, [str(Path(sys.executable).parent), os.environ["PATH"], peers]))
        # which would make peers compile themselves at every start
        inherited = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        self.env = {**inherited, "PATH": here, "PYTHONPATH": str(ROOT), "HOME": str(base)}
        self.run("git", "init", "-q", "-b", "main")
        self.run("git", "config", "user.email", "b@b")
        self.run("git", "config", "user.name", "b")
        if tool == "mvc":
            self.run(sys.executable, "-P", "-m", "modelvc", "init")
            self.run("git", "commit", "-qm", "init")
        elif tool == "nbstripout":
            self.env["PATH"] = os.pathsep.join(filter(None, [peers, os.environ["PATH"]]))
            self.run("nbstripout", "--install", "--attributes", ".gitattributes")
        elif tool == "nbdime":
            self.env["PATH"] = os.pathsep.join(filter(None, [peers, os.environ["PATH"]]))
            (self.path / ".gitattributes").write_text("*.ipynb diff=jupyternotebook merge=jupyternotebook\n")
            self.run("git", "config", "diff.jupyternotebook.command", "git-nbdiffdriver diff")
            self.run("git", "config", "merge.jupyternotebook.driver", "git-nbmergedriver merge %O %A %B %L %P")

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
        env = {key: value for key, value in self.env.items() if key != "PYTHONPATH" or words[0] == sys.executable}
        return subprocess.run(words, cwd=self.path, env=env, capture_output=True, check=check)

    def timed(self, *words: str) -> float:
        start = time.perf_counter()
        self.run(*words, check=False)
        return time.perf_counter() - start

    def busy(self, *words: str) -> float:
        """Seconds of the processor."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.run(*words, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def adding(base: Path, tools: Lines, args: argparse.Namespace) -> None:
    rows = []
    for tool in tools:
        if tool == "nbdime":
            continue
        count = args.slow if tool == "nbstripout" else args.notebooks
        best = []
        for _ in range(3):
            place = Place(base, tool, args.peers)
            for number in range(count):
                (place.path / f"n{number}.ipynb").write_bytes(small(number))
            best.append(place.timed("git", "add", ".") * args.notebooks / count)
        rows.append((tool, min(best)))
    table(f"git add of {args.notebooks} notebooks with plots", rows)


def diffing(base: Path, tools: Lines, args: argparse.Namespace) -> None:
    rows = []
    for tool in tools:
        if tool == "nbstripout":
            continue
        place = Place(base, tool, args.peers)
        (place.path / "n.ipynb").write_bytes(small(1))
        place.run("git", "add", ".")
        place.run("git", "commit", "-qm", "one")
        (place.path / "n.ipynb").write_bytes(small(1).replace(b"step 3", b"step three"))
        place.run("git", "commit", "-qam", "two")
        rows.append((tool, min(place.timed("git", "diff", "HEAD~1", "HEAD") for _ in range(3)) / 2))
    table("git diff of one changed notebook, for each of its two versions", rows)


def _scenario(chooser: random.Random, kind: str) -> tuple[bytes, bytes, bytes, Lines | None]:
    """Base, ours, theirs, and the sources that are right; None where there is a true conflict."""
    count = chooser.randrange(5, 25)
    named = chooser.random() < 0.7
    base = [
        f"# cell {n}\n" + "\n".join(f"x_{n}_{k} = {chooser.randrange(9)}" for k in range(chooser.randrange(3, 8)))
        for n in range(count)
    ]
    ours, theirs, right = list(base), list(base), list(base)
    first, second = sorted(chooser.sample(range(count), 2))
    if kind == "cells":
        ours[first] = right[first] = base[first] + "\n# ours"
        theirs[second] = right[second] = base[second] + "\n# theirs"
    elif kind == "lines":
        ours[first] = "# ours\n" + base[first]
        theirs[first] = base[first] + "\n# theirs"
        right[first] = "# ours\n" + base[first] + "\n# theirs"
    elif kind == "insert":
        ours.insert(first, "# new of ours\nmine()")
        theirs.insert(second + 1, "# new of theirs\ntheirs()")
        right.insert(second + 1, "# new of theirs\ntheirs()")
        right.insert(first, "# new of ours\nmine()")
    elif kind == "delete":
        ours[first] += "\n# ours"
        right[first] += "\n# ours"
        theirs.pop(second)
        right.pop(second)
    elif kind == "conflict":
        ours[first] = base[first].replace("# cell", "# ours")
        theirs[first] = base[first].replace("# cell", "# theirs")
    names = {text: f"{n:02d}{chooser.randrange(1 << 24):06x}" for n, text in enumerate(base)}

    def made(texts: Lines, who: str, origin: Lines) -> bytes:
        cells: list[Any] = []
        for text in texts:
            known = next((one for one in origin if one in text or text in one or text[8:] in one), text)
            name = names.get(known) or f"{who}{chooser.randrange(1 << 24):06x}"
            output = {**PLOT, "data": {**PLOT["data"], "image/png": f"iVBOR{who}" + "A" * 1_000}}
            cells.append(
                cell(text, name if named else "", outputs=[output]) | {"execution_count": chooser.randrange(90)}
            )
        return dump({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5 if named else 4})

    return made(base, "b", base), made(ours, "o", base), made(theirs, "t", base), None if kind == "conflict" else right


def merging(base: Path, tools: Lines, args: argparse.Namespace, *, stripped: bool = False) -> None:
    kinds = ["cells", "lines", "insert", "delete", "conflict"]
    chooser = random.Random(7)
    cases = [_scenario(chooser, kinds[n % len(kinds)]) for n in range(args.merges)]
    if stripped:
        cases = [(*(clean(side, NotebookRules(), "n")[0] for side in case[:3]), case[3]) for case in cases]
    rows = []
    for tool in tools:
        if tool == "nbstripout":
            continue
        place = Place(base, tool, args.peers)
        took, wrong, invalid, missed = [], 0, 0, 0
        some = cases if tool != "nbdime" else cases[: args.slow * 3]
        for number, (before, ours, theirs, right) in enumerate(some):
            place.run("git", "checkout", "-q", "--orphan", f"case{number}")
            for branch, data in (("", before), (f"theirs{number}", theirs), (f"case{number}", ours)):
                if branch.startswith("theirs"):
                    place.run("git", "checkout", "-q", "-b", branch)
                elif branch:
                    place.run("git", "checkout", "-q", branch)
                (place.path / "n.ipynb").write_bytes(data)
                place.run("git", "add", "-A")
                place.run("git", "commit", "-qm", "c", "--allow-empty", "--no-verify")
            start = time.perf_counter()
            done = place.run("git", "merge", "-q", "--no-edit", f"theirs{number}", check=False)
            took.append(time.perf_counter() - start)
            data = (place.path / "n.ipynb").read_bytes()
            good = is_valid(data)
            invalid += not good
            if right is None:
                missed += done.returncode == 0
            else:
                wrong += done.returncode != 0 or not good or sources(data) != right
            if done.returncode:
                place.run("git", "merge", "--abort", check=False)
                place.run("git", "reset", "-q", "--hard", check=False)
        clear = sum(case[3] is not None for case in some)
        words = f"{wrong} wrong or false conflicts of {clear}, {invalid} invalid files, {missed} conflicts missed"
        rows.append((tool, statistics.median(took), words))
    table(f"git merge, the median of {args.merges}, {'outputs stripped' if stripped else 'with outputs'}", rows)


def large(base: Path, tools: Lines, args: argparse.Namespace) -> None:
    from tests.fixtures.notebooks.make import large as make

    rows = []
    for tool in tools:
        place = Place(base, tool, args.peers)
        make(place.path / "n.ipynb")
        took = place.timed("git", "add", ".")
        text = f"add {took:.2f} s"
        if tool != "nbstripout":
            place.run("git", "commit", "-qm", "one")
            data = (place.path / "n.ipynb").read_bytes()
            place.run("git", "checkout", "-q", "-b", "theirs")
            for branch, old, new in (
                ("theirs", b"# step 7\\n", b"# theirs\\n"),
                ("main", b"# step 20\\n", b"# ours\\n"),
            ):
                place.run("git", "checkout", "-q", branch)
                (place.path / "n.ipynb").write_bytes(data.replace(old, new))
                place.run("git", "commit", "-qam", branch)
            text += f", merge {place.timed('git', 'merge', '-q', '--no-edit', 'theirs'):.2f} s"
        rows.append((tool, took, text))
    table("one notebook of 1 MB", rows)


def driving(base: Path, args: argparse.Namespace) -> None:
    """What Git starts, without Git: the best of ten runs, of the processor, beside a Python that does nothing."""
    from tests.fixtures.notebooks.make import large as make

    place = Place(base, "mvc", args.peers)
    script = ["sh", ".git/mvc/driver.sh"]
    make(place.path / "large")
    before, megabyte = small(1), (place.path / "large").read_bytes()
    cells = [(b"step 1 of", b"step one of"), (b"step 4 of", b"step four of")]
    lines = [(b"step 1 of", b"step one of"), (b"plot(value_1)", b"show(value_1)")]
    both = [(b"# step 7\\n", b"# ours\\n"), (b"# step 20\\n", b"# theirs\\n")]
    print("\nthe drivers alone, ms of the processor")
    for name, data, edits in (
        ("merge", before, cells),
        ("merge by line", before, lines),
        ("merge of 1 MB", megabyte, both),
    ):
        best = []
        for _ in range(10):
            for file, (old, new) in zip(("O", "A", "B"), [(b"", b""), *edits], strict=True):
                (place.path / file).write_bytes(data.replace(old, new) if old else data)
            best.append(place.busy(*script, "merge", "O", "A", "B", "7", "n.ipynb", "ours", "theirs"))
        if not all(new in (place.path / "A").read_bytes() for _, new in edits):
            sys.exit(f"{name}: went wrong")
        print(f"  {name:24} {min(best) * 1_000:6.0f}")
    (place.path / "n.ipynb").write_bytes(before)
    place.run("git", "add", "n.ipynb")
    for name, words in (
        ("textconv", [*script, "textconv", "n.ipynb"]),
        ("check before a commit", ["sh", ".git/hooks/pre-commit"]),
        ("python -c pass", [sys.executable, "-c", "pass"]),
    ):
        print(f"  {name:24} {min(place.busy(*words) for _ in range(10)) * 1_000:6.0f}")


def many(count: int = 8_000) -> None:
    """Merges of a notebook with many small cells without ids: a table of all pairs would take a minute."""
    texts = [str(place % 97) for place in range(count)]
    sides = (texts, ["mine", *texts], [*texts[:-1], "theirs"])
    base, ours, theirs = (notebook(*(cell(text) for text in side)) for side in sides)
    start = time.process_time()
    merge(base, ours, theirs, ("ours", "theirs"), lambda *some: (some[1], True))
    print(f"  {f'merge of {count:,} cells':24} {(time.process_time() - start) * 1_000:6.0f}")


def table(title: str, rows: list[Any]) -> None:
    print(f"\n{title}")
    mine = next(row[1] for row in rows if row[0] == "mvc")
    for row in rows:
        more = f"  {row[2]}" if len(row) > 2 else ""
        print(f"  {row[0]:12} {row[1]:8.3f} s  {row[1] / mine:6.1f} x{more}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--notebooks", type=int, default=200)
    parser.add_argument("--slow", type=int, default=10)
    parser.add_argument("--merges", type=int, default=60)
    parser.add_argument("--peers", default="")
    args = parser.parse_args()
    args.peers = args.peers and os.path.abspath(args.peers)  # else a peer would not start, and look quick
    where = os.pathsep.join(filter(None, [args.peers, os.environ["PATH"]]))
    tools = ["git", "mvc"]
    for tool, program in (("nbstripout", "nbstripout"), ("nbdime", "git-nbmergedriver")):
        if shutil.which(program, path=where):
            tools.append(tool)
        else:
            print(f"{tool} is not here, and left out")
    with tempfile.TemporaryDirectory() as folder:
        for work in (adding, diffing, merging, large):
            work(Path(folder), tools, args)
        merging(Path(folder), tools, args, stripped=True)
        driving(Path(folder), args)
        many()


if __name__ == "__main__":
    main()
