from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from modelvc.worktree.gitignore import with_entry, without_entry

NAMES = ["model.pkl", "a b", "a*b", "[x].bin", "!bang", "#hash", "back\\slash", "what?", "end ", "ünïcode", "-dash"]


@pytest.mark.parametrize("name", NAMES)
def test_git_ignores_the_name_and_nothing_else(tmp_path: Path, name: str) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / ".gitignore").write_bytes(with_entry(b"", name))

    def ignored(path: str) -> bool:
        done = subprocess.run(["git", "check-ignore", "--no-index", "-q", "--", path], cwd=tmp_path, check=False)
        return done.returncode == 0

    assert ignored(name)
    assert not ignored(name + ".mvc")
    assert not ignored("aXb")
    assert not ignored(f"sub/{name}")


def test_entries_are_sorted_and_foreign_lines_kept() -> None:
    text = b"*.log\n# mine\n"
    for name in ("b", "a", "c"):
        text = with_entry(text, name)
    assert text == b"*.log\n# mine\n/a\n/b\n/c\n"
    assert with_entry(text, "b") == text
    assert without_entry(text, "b") == b"*.log\n# mine\n/a\n/c\n"
    assert without_entry(b"/a\n", "a") == b""


def test_line_ends_are_kept() -> None:
    assert with_entry(b"*.log\r\n", "a") == b"*.log\r\n/a\r\n"
    assert without_entry(b"*.log\r\n/a\r\n", "a") == b"*.log\r\n"
    assert with_entry(b"no end", "a") == b"no end\n/a\n"
