"""Every way to be refused at the command line: its exit code, its words, and that nothing changed."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support.clone import Clone

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.clone import Done


@pytest.fixture(scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("made")


@pytest.fixture
def clone(_made: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Clone:
    """A project with two versions of model.bin and a folder, made once and copied."""
    pattern = _made / "project"
    if not pattern.exists():
        clone = Clone.new(pattern)
        clone.commit_model(1)
        clone.commit_model(2)
        clone.write("folder/a", b"a")
        clone.mvc("add", "folder")
        clone.git("commit", "-qm", "folder")
    shutil.copytree(pattern, tmp_path / "project", symlinks=True)
    return Clone(tmp_path / "project")


def _error(done: Done) -> tuple[str, str]:
    lines = done.err.splitlines()
    assert len(lines) == 2, done.err
    assert done.out == ""
    return lines[0].removeprefix("error: "), lines[1].removeprefix("hint: ")


SAYS = {
    "a command nobody knows": (
        ["statsu"],
        2,
        "mvc has no command statsu",
        "did you mean `mvc status`?",
    ),
    "a command of Git": (["commit", "-m", "x"], 2, "mvc has no command commit", "run `git commit`"),
    "what others call it": (["restore", "x"], 2, "mvc has no command restore", "run `mvc checkout [REV] PATH`"),
    "an option nobody knows": (["status", "-x"], 2, "no such option: -x", "see `mvc status --help`"),
    "a missing word": (["remote", "add", "x"], 2, "missing argument 'URL'", "see `mvc remote add --help`"),
    "a number that is none": (
        ["log", "-n", "many"],
        2,
        "invalid value for '-n' / '--limit': 'many' is not a whole number",
        "see `mvc log --help`",
    ),
    "a form nobody knows": (
        ["--format", "xml", "status"],
        2,
        "--format takes text, json, md, not xml",
        "try --format json",
    ),
    "a folder that is not there": (
        ["--repo", "nowhere", "status"],
        10,
        "there is no folder nowhere",
        "check the name after --repo",
    ),
    "nothing to add": (
        ["add"],
        2,
        "nothing to add",
        "name files or folders, run `mvc add -u` for every model that is modified, or set up `mvc track`",
    ),
    "metrics of many": (
        ["add", "-u", "-m", "a=1"],
        2,
        "metrics belong to one model",
        "name it: `mvc add PATH -m NAME=VALUE`",
    ),
    "metrics from nowhere": (
        ["add", "model.bin", "--metrics", "no.json"],
        2,
        "there is no file no.json",
        "check its name",
    ),
    "a model that is not there": (["add", "no.bin"], 10, "there is no no.bin", "did you mean model.bin?"),
    "neither revision nor model": (
        ["checkout", "nope"],
        10,
        "nope is neither a revision nor a tracked model",
        "run `mvc ls` to see the models, or `mvc log` for their versions",
    ),
    "a revision that is none": (
        ["checkout", "nope", "--"],
        2,
        "nope is not a commit, branch or tag here",
        "see `git log --all --oneline`",
    ),
    "a path that is none": (
        ["checkout", "--", "nope"],
        10,
        "nope is not tracked by mvc",
        "run `mvc ls` to see what is, or `mvc add` to track it",
    ),
    "too many revisions": (
        ["checkout", "HEAD", "HEAD~1", "--"],
        2,
        "HEAD~1 is one revision too many",
        "put paths after `--`",
    ),
    "not there at that time": (
        ["checkout", "HEAD~1", "folder"],
        10,
        None,
        None,
    ),
    "three dots": (
        ["diff", "HEAD~1...HEAD"],
        2,
        "HEAD~1...HEAD has three dots, which mvc does not support",
        "`git merge-base HEAD~1 HEAD` names that commit",
    ),
    "a range and more": (
        ["diff", "HEAD~1..HEAD", "HEAD"],
        2,
        "a range and another revision cannot be combined",
        "mvc diff A..B [PATH]",
    ),
    "a version of nothing": (["show", "nope"], 10, "nope has no pointer", "run `mvc ls` to see the models"),
    "a version of a file that is no model": (
        ["show", ".gitignore"],
        10,
        ".gitignore has no pointer",
        "track it with `mvc add .gitignore`",
    ),
    "a revision of no model": (
        ["show", "HEAD"],
        2,
        "HEAD is a revision, of which model is not said",
        "mvc show HEAD:PATH; `mvc ls HEAD` lists its models",
    ),
    "versions of nothing": (
        ["log", "nope"],
        10,
        "nope is not tracked by mvc, and no commit has it",
        "run `mvc ls` to see the models, or `mvc log` for their versions",
    ),
    "versions of a file that is no model": (
        ["log", ".gitignore"],
        10,
        ".gitignore is not tracked by mvc, and no commit has it",
        "run `mvc ls` to see the models, or `mvc log` for their versions",
    ),
    "outside": (["show", "/etc/passwd"], 2, "/etc/passwd is outside of this repository", None),
    "nothing to remove": (["rm"], 2, "no path given", "name the models: `mvc rm PATH...`"),
    "no remote": (["push"], 10, "no remote is configured", "add one with `mvc remote add origin URL`"),
    "no such remote": (
        ["push", "-r", "far"],
        10,
        'there is no remote "far"',
        "add it with `mvc remote add far URL`",
    ),
    "two revisions of markers": (
        ["fsck", "--markers", "HEAD", "HEAD~1"],
        2,
        "--markers looks at one revision",
        "mvc fsck --markers REV",
    ),
}


@pytest.mark.parametrize("case", SAYS)
def test_what_is_refused_and_what_to_do(clone: Clone, case: str) -> None:
    words, code, message, hint = SAYS[case]
    before = clone.git("status", "--porcelain")
    said = _error(clone.mvc(*words, code=code))
    if message is not None:
        assert said[0] == message
    if hint is not None:
        assert said[1] == hint
    assert all(said)
    assert clone.git("status", "--porcelain") == before
    assert clone.agrees()


def test_as_json_on_stderr_wherever_the_word_stands(clone: Clone) -> None:
    for words in (["--json", "show", "nope"], ["show", "nope", "--format", "json"]):
        done = clone.mvc(*words, code=10)
        assert done.out == ""
        assert json.loads(done.err) == {
            "error": {
                "code": "not-found",
                "message": "nope has no pointer",
                "hint": "run `mvc ls` to see the models",
                "exit_code": 10,
            }
        }
    assert json.loads(clone.mvc("--json", "statsu", code=2).err)["error"]["code"] == "usage"


def test_outside_of_git_and_of_mvc(tmp_path: Path) -> None:
    clone = Clone(tmp_path)
    clone.env["GIT_CEILING_DIRECTORIES"] = str(tmp_path.parent)
    assert _error(clone.mvc("status", code=10)) == (
        f"{tmp_path} is not in a Git repository",
        "change to your project's folder; in a new one run `git init`, then `mvc init`",
    )
    clone.git("init", "-q")
    for words in (["status"], ["install"], ["add", "x"], ["ls"], ["doctor"]):
        wanted = ("this Git repository does not use mvc yet", "run `mvc init`")
        assert _error(clone.mvc(*words, code=10)) == wanted


def test_a_word_that_is_both_is_refused_until_dashes_say_which(clone: Clone) -> None:
    clone.git("branch", "model.bin", "HEAD~1")
    for command in ("checkout", "ls", "diff"):
        said = _error(clone.mvc(command, "model.bin", code=2))
        assert said == (
            "model.bin is both a revision and a path",
            f"say which: `mvc {command} model.bin --` or `mvc {command} -- model.bin`",
        )
    assert clone.mvc("ls", "--", "model.bin").out.count("model.bin") == 1
    clone.mvc("checkout", "--", "model.bin")
    assert clone.git("status", "--porcelain") == ""
    clone.git("branch", "-f", "model.bin", "HEAD~2")
    clone.mvc("checkout", "model.bin", "--", "model.bin")
    assert clone.git("status", "--porcelain") == "M  model.bin.mvc\n"


def test_hostile_names_are_escaped_in_every_message(clone: Clone) -> None:
    evil = "\x1b]0;owned\x07"
    cases = {
        2: ([evil], ["show", evil], ["add", evil], ["--format", evil, "ls"]),
        10: (["checkout", evil], ["--repo", evil, "ls"], ["push", "-r", evil]),
    }
    for code, commands in cases.items():
        for words in commands:
            for done in (clone.mvc(*words, code=code), clone.mvc("-v", *words, "--json", code=code)):
                assert "\x1b" not in done.err
                assert "\x07" not in done.err


def test_a_full_disk_under_stdout_is_said_once(clone: Clone) -> None:
    for command in ("ls", "status"):
        done = clone.run("sh", "-c", f"python -P -m modelvc {command} > /dev/full", code=11)
        assert done.err.splitlines()[0] == "error: no space left"
        assert "Exception" not in done.err


def test_a_reader_who_leaves_is_no_error(clone: Clone) -> None:
    for command in ("log", "status"):
        done = clone.run("bash", "-c", f"set -o pipefail; python -P -m modelvc -q {command} | exit 0")
        assert done.err == ""


def test_a_bug_of_ours_is_70_and_shows_its_traceback_only_when_asked(clone: Clone, tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/sitecustomize.py").write_text(
        "import modelvc.ops.tracking.ls as ls\ndef ls_(*a): raise ZeroDivisionError('boom')\nls.ls = ls_\n"
    )
    clone.env["PYTHONPATH"] = f"{tmp_path / 'broken'}:{clone.environment()['PYTHONPATH']}"
    done = clone.mvc("ls", code=70)
    assert done.err == (
        "error: internal error: boom (ZeroDivisionError)\n"
        "hint: this is a bug in modelvc; repeat with -v for a traceback\n"
    )
    assert "Traceback" in clone.mvc("ls", "-v", code=70).err
    clone.env["MVC_DEBUG"] = "1"
    assert "Traceback" in clone.mvc("ls", code=70).err


def test_a_pointer_that_is_gone_is_not_called_untracked(clone: Clone) -> None:
    (clone.path / "model.bin.mvc").unlink()
    said = ("the pointer of model.bin is gone from the worktree", "run `git restore model.bin.mvc`")
    assert _error(clone.mvc("checkout", "model.bin", code=10)) == said
    clone.git("checkout", "--", "model.bin.mvc")
    clone.mvc("checkout", "model.bin")
