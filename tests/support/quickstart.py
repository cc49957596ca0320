"""The quickstart of README.md, run as it is printed.

`python -m tests.support.quickstart` runs it and writes what it prints into the page. Commit ids, digests, dates and the
folder differ from run to run; where nothing else does, a block stays as it is.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.clone import ROOT

PAGE = ROOT / "README.md"
FOLDER = "/home/ada/try"  # on the page
_STEP = re.compile(r"^```sh\n(.*?)^```\n(?:```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
_MARK = "-- end of a step --"


def section(page: str) -> str:
    """Return the quickstart of PAGE, up to the next heading."""
    return page.partition("\n## Quickstart\n")[2].partition("\n## ")[0]


def steps(page: str) -> list[tuple[str, str]]:
    """Return the commands of each step, and what the page says they print."""
    return [(found[1], found[2] or "") for found in _STEP.finditer(section(page))]


def run(commands: list[str], folder: Path) -> list[str]:
    """Run COMMANDS in one shell in FOLDER/try, with a new home. Return what each step prints, on stdout and stderr."""
    home, work = folder / "home", folder / "try"
    home.mkdir()
    work.mkdir()
    (home / ".gitconfig").write_text("[user]\n\tname = Ada\n\temail = ada@example.org\n")
    (folder / "script").write_text("".join(f"{block}echo '{_MARK}'\n" for block in commands))
    env = {
        "HOME": str(home),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": str(ROOT),
        "GIT_CONFIG_NOSYSTEM": "1",
        "LANG": "C.UTF-8",
    }
    done = subprocess.run(
        ["sh", str(folder / "script")],
        cwd=work,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout.replace(str(work), FOLDER).split(f"{_MARK}\n")[:-1]


def stable(text: str) -> str:
    """Return TEXT with the same words for all ids and dates, and without spaces at the end of a line."""
    text = re.sub(r"\b[0-9a-f]{7,64}\b", "ID", text)
    text = re.sub(r"\b\d{4}-\d\d-\d\d\b", "DATE", text)
    return re.sub(r" +$", "", text, flags=re.MULTILINE)


def rewritten(page: str, printed: list[str]) -> str:
    """Return PAGE with what its steps printed, each block only where more than ids and dates changed."""
    new = iter(printed)

    def step(found: re.Match[str]) -> str:
        text = next(new)
        if stable(text) == stable(found[2] or ""):
            return found[0]
        shown = re.sub(r" +$", "", text, flags=re.MULTILINE)
        return f"```sh\n{found[1]}```\n" + (f"```text\n{shown}```\n" if shown else "")

    old = section(page)
    return page.replace(old, _STEP.sub(step, old))


if __name__ == "__main__":
    text = PAGE.read_text()
    with tempfile.TemporaryDirectory() as name:
        PAGE.write_text(rewritten(text, run([commands for commands, _ in steps(text)], Path(name))))
