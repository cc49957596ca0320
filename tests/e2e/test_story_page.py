"""docs/story.md and docs/metrics.md are run, command by command, and must print what they show."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import nbformat

from tests.support.clone import ROOT, Clone

_PROMPT = re.compile(r"^(alice|bob|ada)\$ (.*)$")
_MORE = re.compile(r"^>(?: (.*))?$")  # of a command of several lines
_HIDDEN = re.compile(r"^<!-- (alice|bob|ada)\$ (.*) -->$")


@dataclass(slots=True)
class Step:
    """One command of the page: who, what, and the lines that it prints; None where the page does not show it."""

    line: int
    who: str
    command: str
    shown: list[str] | None


def steps(text: str) -> list[Step]:
    found: list[Step] = []
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            inside = line == "```console"
        elif inside and (prompt := _PROMPT.match(line)):
            found.append(Step(number, prompt[1], prompt[2], []))
        elif inside and not found[-1].shown and (more := _MORE.match(line)):
            found[-1].command += f"\n{more[1] or ''}"
        elif inside:
            shown = found[-1].shown
            assert shown is not None, f"line {number} follows no command"
            shown.append(line)
        elif hidden := _HIDDEN.match(line):
            found.append(Step(number, hidden[1], hidden[2], None))
    return found


def fits(shown: list[str], printed: str) -> bool:
    """Whether PRINTED is what is SHOWN, where `...` stands for anything: a line of its own for any lines.

    How wide the columns of a table are depends on what is in them, so that two spaces are as good as more.
    """
    shown, printed = [re.sub("  +", "  ", line) for line in shown], re.sub("  +", "  ", printed)
    printed += "" if not printed or printed.endswith("\n") else "\n"
    pattern = ""
    for line in shown:
        if line == "...":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += re.escape(line.rstrip()).replace(r"\.\.\.", ".*") + r"[ \t]*\n"
    return re.fullmatch(pattern, printed) is not None


def play(page: str, tmp_path: Path, *people: str) -> list[Step]:
    """Run all of docs/PAGE, each person in a folder of their own."""
    programs = tmp_path / "bin"
    programs.mkdir()
    edit = programs / "edit"
    edit.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{ROOT}/tests/support/edit_notebook.py" "$@"\n')
    edit.chmod(0o755)
    for who in people:
        (tmp_path / who).mkdir()
    all_steps = steps((ROOT / "docs" / page).read_text(encoding="utf-8"))
    for step in all_steps:
        env = {**Clone(tmp_path / step.who).environment(), "GIT_MERGE_AUTOEDIT": "no", "DOCS": str(ROOT / "docs")}
        env |= {f"GIT_{role}_NAME": step.who.title() for role in ("AUTHOR", "COMMITTER")}
        done = subprocess.run(
            ["sh", "-c", step.command],
            cwd=tmp_path / step.who,
            env=env | {"PATH": f"{programs}{os.pathsep}{env['PATH']}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        where = f"docs/{page}:{step.line}: {step.who}$ {step.command} -> {done.returncode}\n{done.stdout}"
        if step.shown is None:
            assert done.returncode == 0, where
        else:
            assert fits(step.shown, done.stdout), where
    return all_steps


def test_the_story_is_true(tmp_path: Path) -> None:
    assert len(play("story.md", tmp_path, "alice", "bob")) > 40
    for who in ("alice", "bob"):
        nbformat.validate(nbformat.read(tmp_path / who / "analysis.ipynb", as_version=4))


def test_ten_trainings(tmp_path: Path) -> None:
    assert len(play("metrics.md", tmp_path, "ada")) > 20
    page = (tmp_path / "ada/report.html").read_text()
    assert page.count("<tr id=") == 10
    assert "80 flat trees" in page


def test_what_the_page_shows_is_compared() -> None:
    assert fits(["a", "...", "c 12... d"], "a\nb\nb\nc 123 d\n")
    assert fits(["..."], "")
    assert fits(["a  b", "  c"], "a     b\n  c\n")
    assert not fits(["a  b"], "a b\n")
    assert not fits(["a"], "a\nb\n")
    assert not fits(["a", "b"], "a\n")
