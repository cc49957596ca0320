"""What the doctor finds, and that its fixes are fixes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from modelvc.ops.upkeep.doctor import Finding, doctor
from modelvc.repo import open_repo
from tests.support import s3
from tests.support.clone import Clone

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone.new(tmp_path / "clone")


def look(clone: Clone, **more: bool) -> dict[str, list[Finding]]:
    """Findings by check."""
    found: dict[str, list[Finding]] = {}
    for one in doctor(open_repo(str(clone.path), {}), clone.environment(), **more).findings:
        found.setdefault(one.check, []).append(one)
    return found


def wrong(clone: Clone) -> dict[str, str]:
    """The state of each check that is not ok."""
    return {one.check: one.state for rows in look(clone).values() for one in rows if one.state != "ok"}


def test_a_new_clone_lacks_only_a_remote(clone: Clone, tmp_path: Path) -> None:
    assert wrong(clone) == {"remotes": "warn"}
    clone.mvc("remote", "add", "origin", str(tmp_path / "far"))
    assert wrong(clone) == {}
    clone.commit_model(1)
    clone.mvc("push")
    before = sorted((tmp_path / "far").rglob("*"))
    assert "not tried" in look(clone)["remote origin"][1].detail
    assert sorted((tmp_path / "far").rglob("*")) == before
    found = look(clone, write=True)
    assert [one.state for one in found["remote origin"]] == ["ok", "ok"]
    assert "honours conditional" in found["remote origin"][1].detail
    assert "1 version, 1 pack, " in found["store"][0].detail
    # the scratch key is gone
    assert sorted(one for one in (tmp_path / "far").rglob("*") if one.is_file()) == [
        one for one in before if one.is_file()
    ]


def test_hooks(clone: Clone) -> None:
    hook = clone.path / ".git/hooks/pre-commit"
    hook.write_bytes(hook.read_bytes() + b"# old\n")
    assert look(clone)["hooks"][0].state == "warn"
    assert "pre-commit" in look(clone)["hooks"][0].detail
    clone.mvc("uninstall")
    found = look(clone)["hooks"][0]
    assert "not installed" in found.detail
    assert found.fix == "mvc install"
    clone.mvc("install")
    assert look(clone)["hooks"][0].state == "ok"
    clone.git("config", "core.hooksPath", "team-hooks")
    assert "core.hooksPath" in look(clone)["hooks"][0].detail


def test_an_interpreter_that_is_gone(clone: Clone) -> None:
    (clone.path / ".git/mvc/python").write_text("/nowhere/python\n")
    assert look(clone)["interpreter"][0].state == "warn"
    clone.env["PATH"] = "/nowhere"
    assert look(clone)["mvc"][0].state == "warn"


def test_attributes(clone: Clone) -> None:
    (clone.path / ".gitattributes").write_text("*.mvc text eol=lf\n*.mvc -text\n")
    found = look(clone)["attributes"][0]
    assert found.state == "warn"
    assert "*.mvc text eol=lf" in found.detail
    assert ".gitignore merge=union" in found.detail


def test_configuration(clone: Clone) -> None:
    path = clone.path / ".mvc/config.toml"
    whole = path.read_text()
    path.write_text("fast = true\n" + whole)
    assert "fast" in look(clone)["config"][0].detail
    path.write_text("format = \n")
    found = look(clone)
    assert found["config"][0].state == "fail"
    assert ".mvc/config.toml" in found["config"][0].detail
    assert "remotes" not in found


def test_remotes_that_can_not_be_used(clone: Clone, tmp_path: Path) -> None:
    path = clone.path / ".mvc/config.toml"
    with path.open("a") as file:
        file.write('\n[remotes.origin]\nurl = "s3://x/y"\nendpoint_url = "http://127.0.0.1:9"\n')
    (found,) = look(clone)["remote origin"]
    assert (found.state, found.fix) == ("warn", "mvc trust origin")
    clone.mvc("remote", "add", "near", str(tmp_path / "far"))
    (tmp_path / "far").write_text("a file")
    assert look(clone)["remote near"][0].state == "fail"
    assert "remote near" not in look(clone, offline=True)


def test_a_store_of_a_newer_release(clone: Clone) -> None:
    clone.commit_model(1)
    config = clone.path / ".git/mvc/store/config"
    config.write_text(config.read_text().replace("write_features = []", 'write_features = ["sparse"]'))
    found = look(clone)["store"][0]
    assert found.state == "fail"
    assert "sparse" in found.detail


def test_a_shallow_clone(clone: Clone, tmp_path: Path) -> None:
    clone.commit_model(1)
    clone.git("clone", "-q", "--depth", "1", f"file://{clone.path}", str(tmp_path / "shallow"))
    assert look(Clone(tmp_path / "shallow"))["history"][0].fix == "git fetch --unshallow"


def test_against_s3(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    server = s3.shared()
    s3.make_bucket(server, "doctor")
    for name, value in server.environment.items():
        if name != "AWS_ENDPOINT_URL":
            monkeypatch.setenv(name, value)
    clone.mvc("remote", "add", "origin", "s3://doctor/x", "--endpoint-url", server.endpoint_url)
    found = look(clone, write=True)["remote origin"]
    assert [one.state for one in found] == ["ok", "ok"], found
    assert "honours conditional" in found[1].detail


def test_the_index_lock(clone: Clone) -> None:
    assert "index lock" not in look(clone)
    lock = clone.path / ".git/index.lock"
    lock.write_bytes(b"")
    assert look(clone)["index lock"][0].state == "ok"  # somebody may be at work
    os.utime(lock, (1, 1))
    found = look(clone)["index lock"][0]
    assert (found.state, "remove that file" in found.fix) == ("warn", True)
    lock.write_bytes(b"mvc 0123")
    os.utime(lock, (1, 1))
    (clone.path / ".git/mvc/journal").write_bytes(b"mvc 0123")
    assert "left by one that was killed" in look(clone)["index lock"][0].detail
