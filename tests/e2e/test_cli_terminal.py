"""What happens only on a terminal: the one question, bars and colour."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support.clone import Clone
from tests.support.terminal import on_terminal

if TYPE_CHECKING:
    from pathlib import Path


def shown(said: str) -> list[str]:
    """The lines that stay on the terminal: what a command was doing is wiped when it is done."""
    return said.rpartition("\r\x1b[2K")[2].splitlines()


@pytest.fixture
def cloned(tmp_path: Path) -> Clone:
    project = Clone.new(tmp_path / "project")
    project.mvc("remote", "add", "origin", str(tmp_path / "far"))
    project.commit_model(1)
    project.mvc("push")
    project.git("clone", "-q", str(project.path), str(tmp_path / "clone"))
    return Clone(tmp_path / "clone")


def test_install_asks_once_whether_to_use_the_remotes(cloned: Clone) -> None:
    code, said = on_terminal(cloned, "install", answer="y\n")
    assert code == 0
    assert said.count("[y/N]") == 1
    assert "(not accepted: push is refused)" in said
    assert said.rstrip().endswith("next: mvc pull")
    assert cloned.json("trust")["remotes"][0]["trusted"] is True
    code, said = on_terminal(cloned, "install")
    assert "[y/N]" not in said
    cloned.mvc("pull")
    assert cloned.agrees()


def test_no_is_no_and_no_terminal_is_no(cloned: Clone) -> None:
    code, said = on_terminal(cloned, "install", answer="n\n")
    assert code == 0
    assert "next: mvc pull; before the first push: mvc trust NAME" in said
    done = cloned.mvc("install")
    assert "(not accepted: push is refused)" in done.out
    assert "[y/N]" not in done.err
    assert cloned.json("trust")["remotes"][0]["trusted"] is False


def test_colour_on_a_terminal_unless_no_color(cloned: Clone) -> None:
    (cloned.path / ".git/mvc").mkdir(exist_ok=True)
    cloned.env["NO_COLOR"] = ""
    assert "\x1b[31mmissing:\x1b[0m" in on_terminal(cloned, "status")[1]
    cloned.env["NO_COLOR"] = "1"
    assert "\x1b" not in on_terminal(cloned, "status")[1]


def test_an_interrupt_at_the_question_ends_with_130(cloned: Clone) -> None:
    code, said = on_terminal(cloned, "install", answer="\x03")
    assert code == 130
    assert "Traceback" not in said


def test_errors_and_hints_have_colour(cloned: Clone) -> None:
    cloned.env["NO_COLOR"] = ""
    said = on_terminal(cloned, "show", "nothing")[1]
    assert said.startswith("\x1b[31merror:\x1b[0m nothing has no pointer")
    assert "\n\x1b[36mhint:\x1b[0m " in said
    cloned.env["NO_COLOR"] = "1"
    assert on_terminal(cloned, "show", "nothing")[1].startswith("error: nothing has no pointer")
    assert "\x1b" not in cloned.mvc("show", "nothing", code=10).err


@pytest.mark.parametrize(
    ("line", "words"),
    [("add big.bin", "storing"), ("push", "pushing"), ("fetch", "fetching"), ("checkout", "checking out"),
     ("fsck", "verifying"), ("gc --remote", "cleaning up")],
)  # fmt: skip
def test_a_long_command_shows_what_it_does(tmp_path: Path, line: str, words: str) -> None:
    clone = Clone.new(tmp_path / "project")
    clone.mvc("remote", "add", "origin", str(tmp_path / "far"))
    clone.commit_model(1)
    clone.mvc("push")
    clone.write("big.bin", 2)
    assert words in on_terminal(clone, *line.split())[1]
    assert words not in on_terminal(clone, *line.split(), "-q")[1]
    done = clone.mvc(*line.split())
    assert words not in done.out + done.err


def test_the_log_has_the_columns_that_fit(tmp_path: Path) -> None:
    clone = Clone.new(tmp_path / "project")
    clone.env["NO_COLOR"] = "1"
    for at in range(2):
        clone.write("model.bin", at)
        clone.mvc(
            "add", "model.bin", "-m", f"test.accuracy=0.{at + 7}", "-m", "test.log_loss=0.3", "-m", "latency_ms=9"
        )
        clone.git(
            "commit", "-qm", f"train number {at} with more trees and a learning rate that falls every tenth epoch"
        )
    for columns, left_out in ((80, "author, size, test.log_loss, latency_ms"), (60, "date, author"), (200, "")):
        lines = shown(on_terminal(clone, "log", columns=columns)[1])
        head, new, old = lines[:3]
        assert max(map(len, (head, new, old))) <= columns
        assert head.split()[0] == "commit"
        assert (new[0], old[0]) == ("*", " "), "the version of the worktree is marked"
        note = next((line for line in lines if "left out to fit" in line), "")
        assert left_out in note
        assert bool(left_out) == bool(note)
        assert "* the worktree has this version" in lines[-1]
        if columns == 80:
            assert note == f"4 columns left out to fit 80 characters: {left_out}"
            assert new.endswith("  train number 1... (main)")
    piped = clone.mvc("log").out.splitlines()
    assert " ".join(piped[0].split()) == (
        "commit date author version size test.accuracy test.log_loss latency_ms subject"
    )
    narrow = on_terminal(clone, "log", "--metric", "latency_ms", columns=60)[1]
    assert "latency_ms" in narrow.splitlines()[0], "a column that was asked for comes first"
    clone.write("model.bin", 5)
    assert "*" not in on_terminal(clone, "log")[1].splitlines()[1]


def test_a_plot_has_the_width_of_the_terminal(tmp_path: Path) -> None:
    clone = Clone.new(tmp_path / "project")
    for at in range(3):
        clone.write("model.bin", at)
        clone.mvc("add", "model.bin", "-m", f"acc=0.{at + 5}")
        clone.git("commit", "-qm", f"train {at}")
    for columns in (50, 150):
        lines = shown(on_terminal(clone, "plot", "model.bin", columns=columns)[1])
        assert max(map(len, lines)) == columns
    assert max(map(len, clone.mvc("plot", "model.bin").out.splitlines())) == 80


def test_the_log_of_a_renamed_model_keeps_its_date(tmp_path: Path) -> None:
    clone = Clone.new(tmp_path / "project")
    for at in range(2):
        clone.write("a.bin", at)
        clone.mvc(
            "add", "a.bin", "-m", f"test.accuracy=0.9123{at}", "-m", "test.log_loss=0.41", "-m", "latency_ms=12.5"
        )
        clone.git("commit", "-qm", f"version {at} of it")
    clone.mvc("mv", "a.bin", "models/classifier-of-customers.bin")
    clone.git("commit", "-qm", "move it")
    clone.write("models/classifier-of-customers.bin", 2)
    clone.mvc("add", "models/classifier-of-customers.bin", "-m", "test.accuracy=0.95")
    clone.git("commit", "-qm", "version 2 of it")
    _, said = on_terminal(clone, "log", "models/classifier-of-customers.bin")
    head = next(line for line in lines_of(said) if "commit" in line)
    assert "date" in head, said
    assert "model" not in head.split(), said
    clone.write("b.bin", 5)
    clone.mvc("add", "b.bin")
    clone.git("commit", "-qm", "another")
    _, said = on_terminal(clone, "log")
    assert "model" in next(line for line in lines_of(said) if "commit" in line).split(), said


def test_diff_and_check_fit_eighty_columns(tmp_path: Path) -> None:
    clone = Clone.new(tmp_path / "project")
    clone.write(
        ".mvc/policy.toml", b'[[metric]]\nname = "test.accuracy"\ndirection = "higher"\nmax_drop = { abs = 0.1 }\n'
    )
    for name in ("a.bin", "b.bin"):
        clone.write(name, 1)
        clone.mvc("add", name, "-m", "test.auc=0.5", "-m", "test.precision_of_the_rare_class=0.4")
    clone.git("add", "-A")
    clone.git("commit", "-qm", "first")
    _, said = on_terminal(clone, "check")
    assert max(map(len, lines_of(said))) <= 80, said
    assert "unless `model = PATH` limits it" in " ".join(said.split()), said
    assert any(len(line) > 80 for line in clone.mvc("check", code=1).out.splitlines()), "a pipe has no width"
    clone.mvc("mv", "a.bin", "models/classifier-of-customers.bin")
    clone.write("models/classifier-of-customers.bin", 2)
    clone.mvc("add", "models/classifier-of-customers.bin")
    _, said = on_terminal(clone, "diff", "HEAD")
    assert max(map(len, lines_of(said))) <= 80, said
    assert "a.bin -> models/classifier-of-customers.bin" in lines_of(said), said


def lines_of(said: str) -> list[str]:
    """What a terminal shows: without colours, and without what a later text replaced."""
    return [line.rpartition("\r")[2] for line in re.sub(r"\x1b\[[0-9;]*[mK]", "", said).splitlines()]


def test_the_choices_of_a_status_fit_eighty_columns(tmp_path: Path) -> None:
    clone = Clone.new(tmp_path / "project")
    name = f"models/{'classifier' * 3}.bin"
    clone.write(name, 1)
    clone.mvc("add", name)
    clone.write(name, 2)
    _, said = on_terminal(clone, "status")
    assert max(map(len, lines_of(said))) <= 80, said
    assert f"  store the new content: mvc add {name}" in lines_of(said), said
    assert any(" · " in line for line in clone.mvc("status").err.splitlines()), "a pipe has no width"
