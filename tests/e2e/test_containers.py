"""A repository as a container meets it: it belongs to another account, and the environment says that it is safe."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.support.clone import Clone

if TYPE_CHECKING:
    from pathlib import Path

SAFE = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_repository_of_another_account(tmp_path: Path) -> None:
    clone = Clone.new(tmp_path / "project")
    clone.mvc("remote", "add", "origin", str(tmp_path / "models"))
    clone.git("commit", "-qm", "where models lie")
    clone.git("init", "-q", "--bare", "../hub.git")
    clone.git("remote", "add", "origin", "../hub.git")
    clone.commit_model(1)
    for top, folders, files in os.walk(clone.path):
        for name in (".", *folders, *files):
            os.chown(os.path.join(top, name), 4321, 4321, follow_symlinks=False)
    assert "dubious ownership" in clone.mvc("log", code=14).err
    clone.env |= SAFE
    second = clone.commit_model(2)
    clone.git("push", "-q", "origin", "main")
    assert len(clone.json("log")["versions"]) == 2
    clone.git("checkout", "-q", "HEAD~1")
    assert clone.agrees()
    clone.git("checkout", "-q", "main")
    assert clone.read("model.bin") == second
    other = Clone(tmp_path / "other", dict(SAFE))
    clone.git("clone", "-q", "../hub.git", str(other.path))
    other.mvc("install", "--trust")
    other.mvc("pull")
    assert other.read("model.bin") == second
    other.mvc("fsck", "--remote")
