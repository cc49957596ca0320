"""Few bytes that ask for much: each is refused in words, within little memory, before anything large is made.

Every case runs under a limit of the kernel on memory and on processor time, so that a guard that is gone fails the test
instead of the machine.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.bombs import BOMBS
from tests.support.parsers import PARSERS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(name: str) -> None:
    words = [sys.executable, "-m", "tests.support.bombs", name]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3_000:]
    assert any(words in done.stdout for words in BOMBS[name][1]), done.stdout


@pytest.mark.parametrize("name", PARSERS)
def test_repeats_of_every_token(name: str) -> None:
    """Fifty thousand bytes of one token, in front of a valid example, behind it and in its middle."""
    parser = PARSERS[name]
    data = parser.examples[0]
    for token in parser.tokens:
        many = token * (50_000 // len(token))
        for bomb in (many + data, data + many, data[: len(data) // 2] + many + data[len(data) // 2 :]):
            parser.check(bomb)
