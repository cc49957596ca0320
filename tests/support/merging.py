"""Clones whose branches changed one model differently."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.clone import Clone

if TYPE_CHECKING:
    from pathlib import Path


def shared(path: Path) -> Clone:
    """Commit one version on main, and start topic there."""
    found = Clone.new(path)
    found.commit_model(1)
    found.git("branch", "topic")
    return found


def part(clone: Clone) -> Clone:
    """Commit two versions of one model, on main and on topic, and check main out."""
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
    """Check that all models agree with their pointers, and that Git has nothing left to do."""
    clone.mvc("status", "--exit-code")
    clone.mvc("fsck", "--markers")
    return clone.git("diff", "--name-only", "--diff-filter=U") == ""
