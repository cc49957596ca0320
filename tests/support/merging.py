"""Clones whose branches changed one model differently."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tests.support.clone import Clone

if TYPE_CHECKING:
    from pathlib import Path

DRIVER = f"{sys.executable} -P -m modelvc hook merge-pointer %O %A %B %L %P || exit 1"


def with_driver(clone: Clone) -> Clone:
    clone.git("config", "merge.mvc-pointer.driver", DRIVER)
    clone.git("config", "merge.mvc-pointer.recursive", "binary")
    (clone.path / ".git/info/attributes").write_text("*.mvc text eol=lf merge=mvc-pointer\n")
    return clone


def shared(path: Path) -> Clone:
    """One version on main; topic starts there."""
    found = with_driver(Clone.new(path))
    found.commit_model(1)
    found.git("branch", "topic")
    return found


def part(clone: Clone) -> Clone:
    """Two versions of one model, on main and on topic; main is checked out."""
    clone.git("checkout", "-q", "topic")
    clone.commit_model(2)
    clone.git("checkout", "-q", "main")
    clone.commit_model(3)
    return clone


def content(clone: Clone, seed: int) -> bytes:
    found = clone.write("scratch", seed)
    (clone.path / "scratch").unlink()
    return found


def pointer(clone: Clone, name: str = "model.bin") -> str:
    return (clone.path / f"{name}.mvc").read_text()


def settled(clone: Clone) -> bool:
    """All models agree with their pointers, and Git has nothing left to do."""
    clone.mvc("status", "--exit-code")
    clone.mvc("fsck", "--markers")
    return clone.git("diff", "--name-only", "--diff-filter=U") == ""
