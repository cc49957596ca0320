"""Help pages: every example runs, every page has some; a mistyped name is answered with the nearest."""

from __future__ import annotations

import json
import re
import shutil
import sys
from typing import TYPE_CHECKING

import pytest
import typer.main

from modelvc.cli.app import build
from modelvc.cli.catalog import COMMANDS, ELSEWHERE, GROUPS, SECTIONS
from modelvc.modelfiles.facts import Import, ModelFacts, Use
from tests.support import reference
from tests.support.clone import ROOT, Clone
from tests.support.environments import FakeEnvironment, know

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_WIDTH = 80
_POLICY = '[[metric]]\nname = "accuracy"\ndirection = "higher"\nmax_drop = { abs = 0.05 }\n'


def _examples() -> dict[str, list[str]]:
    """The lines of every Examples section, by the words of the command."""
    root = typer.main.get_command(build())
    found = {"": root, **reference.commands()}
    found |= {name: root.commands[name] for name in GROUPS}  # type: ignore[attr-defined]
    return {words: (command.epilog or "").splitlines() for words, command in found.items()}


EXAMPLES = _examples()
LINES = [(words, line) for words, lines in EXAMPLES.items() for line in lines]


def _notebook(*sources: str) -> bytes:
    cells = [
        {
            "cell_type": "code",
            "execution_count": None,
            "id": f"cell{number}",
            "metadata": {},
            "outputs": [{"output_type": "stream", "name": "stdout", "text": ["said\n"]}],
            "source": [text],
        }
        for number, text in enumerate(sources)
    ]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


# -- a workplace that the examples fit


def _make(folder: Path) -> None:
    """A project with models, a notebook, two branches, a tag and remotes; beside it another project."""
    clone = Clone.new(folder / "project")
    clone.mvc("remote", "add", "origin", "../store")
    clone.mvc("remote", "add", "backup", "../backup-store")
    clone.write(".mvc/policy.toml", _POLICY.encode())
    clone.write(".gitignore", b"metrics.json\n")
    clone.write("models/bert/weights", 1)
    clone.mvc("add", "models/bert", "-m", "accuracy=0.8")
    clone.write("uv.lock", b"version = 1\n")
    clone.write("train.ipynb", _notebook("a", "b", "c", "d", "e", "f", "g", "h"))
    _version(clone, 1, "accuracy=0.91")
    clone.git("tag", "v1.0")
    _version(clone, 2, "accuracy=0.92")
    clone.git("checkout", "-qb", "experiment")
    _version(clone, 3, "accuracy=0.95")
    clone.git("checkout", "-q", "main")
    _version(clone, 4, "accuracy=0.93")
    clone.write("metrics.json", b'{"accuracy": 0.94}')
    clone.mvc("push", "--all")
    clone.mvc("push", "--all", "-r", "backup")
    vision = Clone.new(folder / "vision")
    vision.mvc("remote", "add", "origin", str(folder / "vision-store"))
    vision.commit_model(5, "resnet.pt")
    vision.git("tag", "v2.0")
    vision.mvc("push")


def _version(clone: Clone, seed: int, *metrics: str, message: str = "a version") -> None:
    clone.write("model.pkl", seed)
    know(clone, "model.pkl", ModelFacts("pickle", imports=(Import("numpy.ndarray", Use.REFERRED),)))
    clone.mvc("add", "model.pkl", "-m", "data=test", *(word for one in metrics for word in ("-m", one)))
    clone.git("add", ".")
    clone.git("commit", "-qm", message)


@pytest.fixture(scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("help")


@pytest.fixture
def clone(_made: Path) -> Iterator[Clone]:
    """The project, in a place that is the same each time, so that its remotes are where they were."""
    if not (_made / "pattern").exists():
        _make(_made / "now")
        (_made / "now").rename(_made / "pattern")
    shutil.copytree(_made / "pattern", _made / "now", symlinks=True)
    browser = f"{sys.executable} -m tests.support.notebook_page %s &"
    env = {
        "BROWSER": browser,
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{_made}/now/vision.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://example.org/vision.git",
    }
    yield Clone(_made / "now/project", env)
    shutil.rmtree(_made / "now")


# -- what must be so before an example


def _new_repository(clone: Clone) -> None:
    shutil.rmtree(clone.path)
    clone.path.mkdir()
    clone.git("init", "-q")


def _changed(clone: Clone) -> None:
    clone.write("model.pkl", 6)
    clone.write("models/bert/weights", 7)


def _conflict(clone: Clone) -> None:
    clone.git("merge", "-q", "experiment", code=1)


def _bisecting(clone: Clone) -> None:
    _version(clone, 6, "accuracy=0.5", message="worse")
    _version(clone, 7, "accuracy=0.49")
    clone.git("bisect", "start", "HEAD", "v1.0")


def _notebook_branches(clone: Clone, ours: bytes, theirs: bytes) -> None:
    for branch, data in (("main", ours), ("side", theirs)):
        clone.git("checkout", "-q", *(["main"] if branch == "main" else ["-b", "side", "main~1"]))
        clone.write("train.ipynb", data)
        clone.git("commit", "-qam", branch)
    clone.git("checkout", "-q", "main")


def _notebook_conflict(clone: Clone) -> None:
    _notebook_branches(clone, _notebook("ours"), _notebook("theirs"))
    clone.git("merge", "-q", "side", code=1)


def _notebook_merged_without_mvc(clone: Clone) -> None:
    clone.write(".git/info/attributes", b"*.ipynb -merge\n")
    ours = _notebook("ours", "b", "c", "d", "e", "f", "g", "h")
    theirs = _notebook("a", "b", "c", "d", "e", "f", "g", "theirs")
    _notebook_branches(clone, ours, theirs)
    clone.git("merge", "-q", "side", code=1)


def _three_notebooks(clone: Clone) -> None:
    for name, first, last in (("base", "a", "z"), ("a", "ours", "z"), ("b", "a", "theirs")):
        clone.write(f"{name}.ipynb", _notebook(first, "b", "c", "d", "e", "f", "g", last))


def _notebook_run(clone: Clone) -> None:
    clone.write("train.ipynb", clone.read("train.ipynb").replace(b"said", b"said more"))


def _environment(clone: Clone) -> None:
    packages = clone.json("env", "show", "model.pkl")["packages"]
    FakeEnvironment.new(clone.path / ".venv").install("numpy", packages["numpy"])


def _new_remote(clone: Clone) -> None:
    """A copy of the project is another clone to the remotes that it was copied with."""
    clone.mvc("remote", "set-url", "origin", "../new-store")
    clone.mvc("push")


TRUSTED = ".mvc/trusted-imports.toml"
# By the example itself, or by the command.
BEFORE: dict[str, Callable[[Clone], object]] = {
    "mvc init": _new_repository,
    "mvc add": _changed,
    "mvc checkout --force": _changed,
    "mvc diff  ": _changed,
    "mvc resolve": _conflict,
    "git bisect run": _bisecting,
    "mvc track --remove": lambda clone: clone.mvc("track", "*.pt"),
    "mvc notebook resolve": _notebook_conflict,
    "mvc notebook mergetool": _notebook_conflict,
    "mvc notebook merge train.ipynb": _notebook_merged_without_mvc,
    "mvc notebook merge -o": _three_notebooks,
    "mvc notebook refresh": _notebook_run,
    "mvc notebook diff train.ipynb": _notebook_run,
    "mvc gc --remote": _new_remote,
    "mvc env check --python": _environment,
    "mvc trust --imports": lambda clone: clone.write(TRUSTED, b'format = 1\n\n[imports]\n"a.B" = "created"\n'),
    "mvc notebook check": lambda clone: clone.mvc("notebook", "strip"),
}


@pytest.mark.parametrize(("words", "line"), LINES, ids=[line.partition("  #")[0].strip() for _, line in LINES])
def test_every_example_runs(clone: Clone, words: str, line: str) -> None:
    for start in sorted(BEFORE, key=len, reverse=True):
        if line.startswith(start):
            BEFORE[start](clone)
            break
    clone.env["PYTHONPATH"] = str(ROOT)
    done = clone.run("timeout", "60", "bash", "-c", line)
    assert "error" not in done.err


def test_every_page_has_examples_that_fit_a_terminal() -> None:
    for words, lines in EXAMPLES.items():
        assert lines, words
        command = "git bisect run mvc check" if words == "check" else "mvc"
        for line in lines:
            assert line.startswith(("mvc", command, 'eval "$(mvc completion')), line
            assert re.search(r"\S  # \S|\S {3,}# \S", line), line
            assert len(line) + 2 < _WIDTH, line
        assert any(line.startswith(f"mvc {words}".rstrip()) for line in lines), words


def test_examples_stand_in_columns() -> None:
    for lines in EXAMPLES.values():
        assert len({line.index(" # ") for line in lines}) == 1, lines


# -- the pages


def test_commands_are_listed_in_sections(clone: Clone) -> None:
    out = clone.mvc("--help").out
    listed = re.findall(r"^(\w+):\n((?:  .+\n)+)", out, re.MULTILINE)
    found = {title: [line.split()[0] for line in lines.splitlines()] for title, lines in listed}
    assert {title: found[title] for title in SECTIONS} == {title: list(names) for title, names in SECTIONS.items()}
    assert sum(map(len, SECTIONS.values())) == len(COMMANDS)
    assert "..." not in out.partition("Start:")[2]  # every line is whole


def test_help_is_the_page_of_the_command(clone: Clone) -> None:
    assert clone.mvc("help").out == clone.mvc("--help").out == clone.mvc().out
    assert clone.mvc("help", "add").out == clone.mvc("add", "--help").out
    assert clone.mvc("help", "remote", "add").out == clone.mvc("remote", "add", "--help").out
    assert clone.mvc("help", "remote").out == clone.mvc("remote").out
    assert "mvc has no command nope" in clone.mvc("help", "nope", code=2).err


def test_version(clone: Clone) -> None:
    assert clone.mvc("version").out == clone.mvc("--version").out
    assert clone.json("version") == clone.json("--version")


# -- what was meant


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("upload", "run `mvc push`"),
        ("download", "run `mvc pull`"),
        ("prune", "run `mvc gc`"),
        ("delete x", "run `mvc rm PATH`"),
        ("remote rm x", "run `mvc remote remove`"),
        ("remote lst", "did you mean `mvc remote list`?"),
        ("chekout", "did you mean `mvc checkout`?"),
        ("xyzzy", "see `mvc --help`"),
        ("status --exit", "did you mean --exit-code?"),
    ],
)
def test_a_command_that_is_not_there(clone: Clone, line: str, hint: str) -> None:
    assert clone.mvc(*line.split(), code=2).err.splitlines()[1] == f"hint: {hint}"


def test_words_of_other_tools_are_no_commands_and_lead_to_some() -> None:
    known = reference.commands()
    for where, words in ELSEWHERE.items():
        for word, advice in words.items():
            assert f"{where} {word}".removeprefix("mvc ") not in known
            for named in re.findall(r"`mvc ([a-z -]+?)(?: [A-Z[-].*?)?`", advice):
                assert named in known, advice


@pytest.mark.parametrize(
    ("line", "code", "hint"),
    [
        ("status model.pk", 10, "did you mean model.pkl?"),
        ("status bert", 10, "did you mean models/bert?"),
        ("rm xyzzy", 10, "run `mvc ls` to see what is, or `mvc add` to track it"),
        ("ls model.pk", 10, "did you mean model.pkl?"),
        ("ls experimnt", 10, "did you mean experiment?"),
        ("ls xyzzy", 10, "run `mvc ls` to see the models, or `mvc log` for their versions"),
        ("show mdel.pkl", 10, "did you mean model.pkl?"),
        ("show experimnt:model.pkl", 2, "did you mean experiment?"),
        ("log --all -- model.pk", 10, "did you mean model.pkl?"),
        ("log maim", 10, "did you mean main?"),
        ("rollback model.pkl --to v1.O", 2, "did you mean v1.0?"),
        ("push maim", 2, "did you mean main?"),
    ],
)
def test_a_path_or_revision_that_is_not_there(clone: Clone, line: str, code: int, hint: str) -> None:
    assert clone.mvc(*line.split(), code=code).err.splitlines()[-1] == f"hint: {hint}"


def test_a_near_model_is_named_from_where_the_user_stands(clone: Clone) -> None:
    err = clone.mvc("status", "berd", code=10, cwd=clone.path / "models").err
    assert err.splitlines()[1] == "hint: did you mean bert?"
