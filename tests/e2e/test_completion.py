"""Completion in real shells: what is offered, and that no name is run or breaks the line."""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from modelvc.cli.catalog import COMMANDS
from modelvc.cli.complete import fragment, split_line
from tests.support import reference
from tests.support.clone import ROOT, Clone

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOSTILE = "ev il $(touch pwned) `touch pwned` \"x\" 'y' ; touch pwned & # é"
BRANCH = "zz$(touch${IFS}pwned);touch${IFS}pwned'&\"`touch${IFS}pwned`"


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    clone = Clone.new(tmp_path_factory.mktemp("completion") / "project")
    clone.mvc("remote", "add", "origin", "../store")
    clone.mvc("remote", "add", "backup", "../backup")
    for name in ("model.pkl", "models/bert.pt", HOSTILE):
        clone.write(name, name.encode())
    clone.mvc("add", "model.pkl", "-m", "accuracy=0.5", "-m", "latency=2")
    clone.mvc("add", "models/bert.pt", HOSTILE)
    clone.git("add", ".")
    clone.git("commit", "-qm", "models")
    clone.git("branch", BRANCH)
    clone.git("branch", os.fsdecode(b"zy\xff"))
    clone.git("tag", "v1.0")
    clone.write("broken.bin.mvc", b"no pointer\n")
    clone.git("add", "broken.bin.mvc")
    return clone


def _candidates(clone: Clone, line: str) -> list[str]:
    *before, word = line.split(" ")
    done = clone.run(sys.executable, "-P", "-m", "modelvc", "complete", f"--word={word}", "--", *before)
    assert done.err == ""
    return done.out.splitlines()


# -- what is offered

OFFERED = {
    "re": ["remote", "resolve"],
    "remote re": ["rename", "remove"],
    "push --a": ["--all"],
    "--f": ["--format"],
    "--format ": ["text", "json", "md"],
    "status mod": ["model.pkl", "models/bert.pt"],
    "--repo models status b": ["bert.pt"],
    "ls m": ["model.pkl", "models/bert.pt", "main"],
    "ls v": ["v1.0"],
    "ls z": [BRANCH],  # and not the branch whose name is not UTF-8
    "show v1.0:model.": ["v1.0:model.pkl"],
    "diff v1.0..ma": ["v1.0..main"],
    "diff v1.0 model.": ["model.pkl"],
    "push m": ["main"],
    "push main -- model.": ["model.pkl"],
    "checkout -r ": ["backup", "origin"],
    "remote remove b": ["backup"],
    "trust ": ["backup", "origin"],
    "remote add ": [],
    "add -m ": ["accuracy=", "latency="],
    "add model.pkl --metric=la": ["--metric=latency="],
    "add mod": [],  # files, which the shell completes
    "log --best ": ["accuracy", "latency"],
    "log -n ": [],
    "log --where a": ["accuracy"],
    "log -n 3 mod": ["model.pkl", "models/bert.pt"],
    "plot model.pkl a": ["accuracy"],
    "metrics set model.pkl --remove l": ["latency"],
    "metrics set model.pkl l": ["latency="],
    "check --against b": ["best"],
    "check --output j": ["json=", "junit="],
    "init --notebooks ": ["filter", "hook", "both", "off"],
    "completion ": ["bash", "zsh", "fish", "powershell"],
    "help remote d": ["default"],
    "help add ": [],
    "gc mod": ["model.pkl", "models/bert.pt"],
    "nope ": [],
    "status --": ["--exit-code", "--repo", "--json", "--md", "--format", "--quiet", "--verbose", "--help"],
}


@pytest.mark.parametrize("line", OFFERED)
def test_what_is_offered(clone: Clone, line: str) -> None:
    assert _candidates(clone, line) == OFFERED[line]


def test_every_command_and_option_is_offered(clone: Clone) -> None:
    assert _candidates(clone, "") == list(COMMANDS)
    for words, command in reference.commands().items():
        options = {name for one in command.params if one.param_type_name == "option" for name in one.opts}
        found = clone.mvc("complete", "--word=-", "--", *words.split()).out.splitlines()
        assert options <= set(found), words


def test_outside_of_a_repository_nothing_is_offered_and_nothing_said(tmp_path: Path) -> None:
    assert _candidates(Clone(tmp_path), "status ") == []
    assert _candidates(Clone(tmp_path), "stat") == ["status"]


def test_a_model_that_looks_like_an_option_is_offered_only_as_a_path(tmp_path: Path) -> None:
    clone = Clone.new(tmp_path / "project")
    clone.write("a", b"a")
    clone.mvc("add", "a")
    shutil.copy(clone.path / "a.mvc", clone.path / "-rf.mvc")
    clone.git("add", "--", "-rf.mvc")
    assert _candidates(clone, "status ") == ["a"]
    assert _candidates(clone, "status -- ") == ["-rf", "a"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("mvc ", ["mvc", ""]),
        ("mvc a\\ b 'c d' \"e f", ["mvc", "a b", "c d", "e f"]),
        ('mvc "a\\"b" "\\x" \\', ["mvc", 'a"b', "\\x", ""]),
        ("mvc '' a", ["mvc", "", "a"]),
        ("mvc $(x) `y`", ["mvc", "$(x)", "`y`"]),
    ],
)
def test_words_of_a_line(line: str, words: list[str]) -> None:
    assert split_line(line)[0] == words


def test_the_part_of_a_word_that_bash_replaces() -> None:
    assert fragment("v1.0:mod", "mod") == "mod"
    assert fragment("v1.0:", "") == ""
    assert fragment("v1:my mo", "my\\ mo") == "my mo"
    assert fragment("abc", "other") == "abc"


# -- in real shells

LOADS = {
    "bash": ("bash --norc --noprofile -i", 'eval "$(mvc completion bash)"'),
    "zsh": ("zsh -f -i", 'autoload -Uz compinit; compinit -u -D; eval "$(mvc completion zsh)"'),
    "fish": ("fish --no-config -i", "mvc completion fish | source"),
}
shells = pytest.mark.parametrize(
    "shell",
    [pytest.param(one, marks=pytest.mark.skipif(not shutil.which(one), reason=f"{one} is not here")) for one in LOADS],
)


class _Terminal:
    """A shell on a terminal of its own."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._said = ""

    def type(self, text: str, *, until: str) -> None:
        """Type TEXT, and wait until the terminal shows UNTIL."""
        self._said = ""
        os.write(self._fd, text.encode())
        deadline = time.monotonic() + 20
        while until not in self._said:
            assert time.monotonic() < deadline, self._said
            if select.select([self._fd], [], [], 0.5)[0]:
                self._said += os.read(self._fd, 65536).decode(errors="replace")


@contextmanager
def _terminal(clone: Clone, shell: str) -> Iterator[_Terminal]:
    command, load = LOADS[shell]
    pid, fd = pty.fork()
    if not pid:
        os.chdir(clone.path)
        env = {**clone.environment(), "TERM": "xterm", "COLUMNS": "500", "LC_ALL": "C.UTF-8", "PS1": "$ "}
        os.execvpe(command.split()[0], command.split(), env)
    try:
        terminal = _Terminal(fd)
        terminal.type(f"{load}\necho rea''dy\n", until="ready")
        yield terminal
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(fd)


@shells
def test_tab_completes_and_runs_no_name(clone: Clone, shell: str) -> None:
    with _terminal(clone, shell) as terminal:
        terminal.type("mvc stat\t", until="status")
        terminal.type("models/b\t", until="models/bert.pt")
        terminal.type("\n", until="1 model, all clean")
        terminal.type("mvc status ev\t", until="touch")
        terminal.type("\n", until="1 model, all clean")
        terminal.type("mvc ls zz\t", until="touch")
        terminal.type("\n", until="models/bert.pt")
        terminal.type("mvc show v1.0:model.\t", until="model.pkl")
        terminal.type("\n", until="digest")
        terminal.type("mvc add model.pkl -m acc\t0.9\n", until="metrics recorded")
    assert not (clone.path / "pwned").exists()
    clone.mvc("metrics", "set", "model.pkl", "accuracy=0.5")


@pytest.mark.parametrize("quote", ["'", '"'])
def test_bash_completes_inside_quotes(clone: Clone, quote: str) -> None:
    with _terminal(clone, "bash") as terminal:
        terminal.type(f"mvc status {quote}ev\t", until="touch")
        terminal.type("\n", until="1 model, all clean")
        terminal.type(f"mvc ls {quote}zz\t", until="touch")
        terminal.type("\n", until="models/bert.pt")
        terminal.type("mvc status ev\\ i\t", until="touch")
        terminal.type("\n", until="1 model, all clean")
    assert not (clone.path / "pwned").exists()


def test_the_script_for_powershell_is_one(clone: Clone) -> None:
    script = clone.mvc("completion", "powershell").out
    assert script.count("{") == script.count("}")
    if not shutil.which("pwsh"):
        pytest.skip("pwsh is not here")
    done = subprocess.run(
        ["pwsh", "-NoProfile", "-Command", "[scriptblock]::Create([Console]::In.ReadToEnd()) | Out-Null"],
        input=script, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_a_shell_that_is_not_known(clone: Clone) -> None:
    assert "name bash, zsh, fish, powershell" in clone.mvc("completion", "tcsh", code=2).err


def test_the_first_lines_of_a_script_are_those_of_the_page(clone: Clone) -> None:
    page = (ROOT / "docs/cli.md").read_text()
    for shell in LOADS:
        line = next(one for one in clone.mvc("completion", shell).out.splitlines() if one.startswith("# Completion"))
        assert line.rpartition(": ")[2].replace("|", "\\|") in page
