"""What happens only on a terminal: the one question, bars and colour."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.clone import Clone
from tests.support.terminal import on_terminal

if TYPE_CHECKING:
    from pathlib import Path


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
    assert "(not accepted yet)" in said
    assert said.rstrip().endswith("next: mvc pull")
    assert cloned.json("trust")["remotes"][0]["trusted"] is True
    code, said = on_terminal(cloned, "install")
    assert "[y/N]" not in said
    cloned.mvc("pull")
    assert cloned.agrees()


def test_no_is_no_and_no_terminal_is_no(cloned: Clone) -> None:
    code, said = on_terminal(cloned, "install", answer="n\n")
    assert code == 0
    assert "next: accept what you trust with mvc trust NAME, then mvc pull" in said
    done = cloned.mvc("install")
    assert "(not accepted yet)" in done.out
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
