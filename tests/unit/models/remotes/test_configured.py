"""Trust: what the repository names is used only as far as this clone accepted it."""

from __future__ import annotations

import fcntl
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from modelvc.errors import BrokenPointer, ConfigError, LockHeld, UntrustedRemote
from modelvc.formats.text.config import CloneConfig, Config, Remote
from modelvc.models.remotes import opening
from modelvc.models.versions.scope import Scope
from modelvc.ops.sharing import push
from modelvc.repo import Repo, open_repo
from tests.support.clone import Clone

if TYPE_CHECKING:
    from pathlib import Path

FOLDER, BUCKET = Remote("/shared/models"), Remote("s3://bucket/models")
ENDPOINT = replace(BUCKET, endpoint_url="https://there.example")


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repo:
    clone = Clone.new(tmp_path / "clone", mvc=False)
    (clone.path / ".git/mvc").mkdir()
    monkeypatch.setattr(opening, "open_unchecked", lambda remote, *_, **__: remote)
    return open_repo(str(clone.path), {})


def opens(repo: Repo, remote: Remote, clone: CloneConfig, *, writing: bool) -> bool:
    """Whether a remote that the repository names is used."""
    repo.config_changed(Config(remotes={"origin": remote}))
    repo.clone_config_changed(clone)
    try:
        opening.open_remote(repo, writing=writing)
    except UntrustedRemote:
        return False
    return True


def test_what_was_never_accepted_is_read_where_that_sends_nothing(repo: Repo) -> None:
    never = CloneConfig()
    for remote, reads in ((FOLDER, True), (BUCKET, True), (ENDPOINT, False), (Remote("gs://bucket/x"), False)):
        assert opens(repo, remote, never, writing=False) is reads, remote
        assert not opens(repo, remote, never, writing=True), remote


def test_what_was_accepted_is_used_until_it_moves(repo: Repo) -> None:
    for remote in (FOLDER, BUCKET, ENDPOINT):
        pinned = CloneConfig().with_pin("origin", remote)
        assert opens(repo, remote, pinned, writing=True)
        for moved in (
            replace(remote, url="s3://other/models"),
            replace(remote, endpoint_url="https://other.example"),
            replace(remote, region="elsewhere"),
        ):
            for writing in (False, True):
                assert not opens(repo, moved, pinned, writing=writing), moved


def test_a_profile_of_this_clone_accepts_nothing(repo: Repo) -> None:
    clone = CloneConfig(remotes={"origin": Remote(profile="work")})
    assert not opens(repo, ENDPOINT, clone, writing=False)
    assert not opens(repo, FOLDER, CloneConfig(remotes={"origin": FOLDER}), writing=True)


def test_what_could_run_something_is_never_used(repo: Repo) -> None:
    for bad in (replace(FOLDER, extra={"command": "x"}), replace(FOLDER, url="simplecache::/shared")):
        with pytest.raises(ConfigError, match="is not used"):
            opens(repo, bad, CloneConfig(trust={"origin": bad}), writing=False)


def test_a_push_past_a_pointer_that_can_not_be_read_is_refused() -> None:
    with pytest.raises(BrokenPointer, match=r"m\.bin\.mvc cannot be pushed: torn"):
        push._refuse_broken(Scope((), (("m.bin.mvc", "torn"),)))


def test_one_change_of_a_worktree_at_a_time(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelvc.repo._LOCK_WAIT", 0.1)
    fd = os.open(os.path.join(repo.layout.state_dir, "lock"), os.O_RDWR | os.O_CREAT)
    fcntl.flock(fd, fcntl.LOCK_EX)
    with pytest.raises(LockHeld, match="another mvc"), repo.updating():
        pass
    os.close(fd)
    with repo.updating():
        pass
