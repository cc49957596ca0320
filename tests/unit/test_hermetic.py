"""The wrong thing is impossible in tests: conftest.py is tested too."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOUCHED = "_TouchedHome"


@pytest.mark.parametrize("name", [".gitconfig", ".config/git/config", ".aws/credentials", ".ssh/id_ed25519", ".netrc"])
def test_nobodys_configuration_is_read(real_home: str, name: str) -> None:
    with pytest.raises(BaseException, match=name) as caught:
        Path(real_home, name).read_bytes()
    assert type(caught.value).__name__ == TOUCHED


def test_nothing_is_written_to_a_home(real_home: str) -> None:
    path = Path(real_home, ".mvc-test-that-touches-home")
    with pytest.raises(BaseException, match="mvc-test") as caught:
        path.write_bytes(b"")
    assert type(caught.value).__name__ == TOUCHED
    assert not path.exists()


def test_what_processes_see(real_home: str, tmp_path: Path) -> None:
    script = "import os; print(os.path.expanduser('~'), *(n for n in os.environ if n.startswith(('AWS_', 'MVC_'))))"
    home, *rest = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()
    assert home != real_home
    assert rest == ["AWS_EC2_METADATA_DISABLED"]
    words = ["git", "-C", str(tmp_path), "config", "--list", "--show-origin"]
    origins = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
    assert {line.split("\t")[0] for line in origins} == {f"file:{os.environ['HOME']}/.gitconfig"}


def test_libgit2_reads_no_ones_configuration(real_home: str) -> None:
    import pygit2

    found = pygit2.settings.search_path[pygit2.enums.ConfigLevel.GLOBAL]
    assert not found.startswith(real_home + "/")
