"""The rules that a filter reads lie in the worktree, which is the repository's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from modelvc.drivers.notebooks.rules import read_rules
from modelvc.errors import ConflictError


@pytest.mark.usefixtures("in_no_time")
def test_no_link_is_followed_and_no_pipe_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_rules().keep_outputs == ()
    (tmp_path / ".mvc").mkdir()
    place = tmp_path / ".mvc/config.toml"
    (tmp_path / "outside").write_text("format = 1\n")
    place.symlink_to(tmp_path / "outside")
    with pytest.raises(ConflictError, match="cannot be read"):
        read_rules()
    place.unlink()
    os.mkfifo(place)
    with pytest.raises(ConflictError, match="is not a regular file"):
        read_rules()
