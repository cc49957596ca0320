"""`mvc gc --remote`: what no repository reaches goes from a remote, in two steps; everything else stays."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support import s3, sshd
from tests.support.clone import Clone

DAY = 86_400.0


class Team:
    """A project with a Git remote and a folder of models; `main` has a version, a branch that is gone had another."""

    def __init__(self, top: Path, *far: str, env: dict[str, str] | None = None) -> None:
        self.top = top
        self.far = top / "models"
        self.bare = top / "origin.git"
        self.env = env or {}
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(self.bare)], check=True)
        self.project = Clone.new(top / "project")
        self.project.env = self.env
        self.project.mvc("remote", "add", "origin", *(far or (str(self.far),)))
        self.project.git("commit", "-qm", "where models lie")
        self.project.git("remote", "add", "origin", str(self.bare))
        self.project.commit_model(1)
        self.project.git("checkout", "-q", "-b", "side")
        self.project.commit_model(2, "other.bin")
        self.project.git("push", "-q", "-u", "origin", "main", "side")
        self.project.git("push", "-q", "origin", ":side")

    def clone(self, name: str) -> Clone:
        """A fresh clone, whose reflog knows nothing of the branch."""
        subprocess.run(["git", "clone", "-q", str(self.bare), str(self.top / name)], check=True)
        found = Clone(self.top / name, self.env)
        found.mvc("install", "--trust")
        return found

    def age(self, days: float) -> None:
        """Everything on the remote becomes older."""
        for path in self.far.rglob("*"):
            if path.is_file():
                then = path.stat().st_mtime - days * DAY
                os.utime(path, (then, then))

    def packs(self) -> set[str]:
        return {path.name for path in (self.far / "packs").rglob("*") if path.is_file()}


def test_a_deleted_branch_goes_in_two_steps(tmp_path: Path) -> None:
    team = Team(tmp_path)
    keeper = team.clone("keeper")
    keeper.git("remote", "set-url", "origin", "../origin.git")  # relative to the worktree, as Git takes it
    before = team.packs()
    done = keeper.mvc("gc", "--remote")
    assert "every object is needed or younger than 14 days" in done.out
    team.age(15)
    plan = keeper.json("gc", "--remote")
    assert not plan["applied"]
    assert len(plan["items"]) == 1
    assert plan["repositories"] == ["../origin.git"]
    assert plan["doomed"] == 1
    shown = keeper.mvc("gc", "--remote")
    assert "1 object can be removed" in shown.out
    assert "1 pack (400 kB) would be doomed: deleted by the first `mvc gc --remote --apply` after 14 days" in shown.out
    assert shown.err.strip() == "next: mvc gc --remote --apply"
    done = keeper.mvc("gc", "--remote", "--apply")
    assert "1 object removed" in done.out
    assert team.packs() == before
    assert "1 pack (400 kB) doomed before" in keeper.mvc("gc", "--remote").out
    team.project.commit_model(3, "other.bin")  # somebody goes on meanwhile
    team.project.git("push", "-q", "origin", "side")
    team.age(15)
    assert "1 pack (400 kB) can be deleted now" in keeper.mvc("gc", "--remote").out
    last = keeper.json("gc", "--remote", "--apply")
    assert (last["deleted"], last["doomed"]) == (1, 0)
    assert 200_000 < last["copied_bytes"] < 201_000  # what main needs of it
    assert len(before - team.packs()) == 1
    for rev in ("main", "side"):
        other = team.clone(f"after-{rev}")
        other.git("checkout", "-q", rev)
        other.mvc("pull")
        other.mvc("fsck", "--remote", rev)
        assert other.agrees()
    assert team.project.agrees("other.bin")


def test_what_a_push_shares_with_a_doomed_pack_is_sent_anew(tmp_path: Path) -> None:
    team = Team(tmp_path)
    keeper = team.clone("keeper")
    team.age(15)
    keeper.mvc("gc", "--remote", "--apply")
    done = team.project.run("git", "push", "origin", "side")  # the branch was wanted after all
    assert "1 version sent to origin" in done.err
    team.age(15)
    keeper.git("fetch", "-q")
    assert keeper.json("gc", "--remote", "--apply")["deleted"] == 1
    other = team.clone("other")
    other.git("checkout", "-q", "side")
    other.mvc("pull")
    assert other.agrees("other.bin")


def test_a_version_that_only_this_clone_reaches_stays(tmp_path: Path) -> None:
    team = Team(tmp_path)
    team.age(15)
    assert not team.project.json("gc", "--remote", "--apply")["items"]  # its branch is there still


def test_on_a_real_server(tmp_path: Path) -> None:
    server = s3.shared()
    s3.make_bucket(server, "collected")
    env = {k: v for k, v in server.environment.items() if k != "AWS_ENDPOINT_URL"}
    team = Team(tmp_path, "s3://collected/models", "--endpoint-url", server.endpoint_url, env=env)
    keeper = team.clone("keeper")
    keeper.mvc("gc", "--remote", "--apply", "--grace", "0", code=2)
    assert not keeper.json("gc", "--remote", "--apply")["items"]
    done = keeper.json("gc", "--remote", "--apply", "--grace", "0", "--exclusive")
    assert (len(done["items"]), done["doomed"], done["deleted"]) == (1, 1, 1)
    assert done["deleted_bytes"] > 200_000
    keeper.mvc("pull")
    keeper.mvc("fsck", "--remote")
    team.project.git("push", "-q", "origin", "side")
    other = team.clone("other")
    other.git("checkout", "-q", "side")
    other.mvc("pull")
    assert other.agrees("other.bin")


def test_killed_at_any_moment_it_is_finished_by_the_next(tmp_path: Path) -> None:
    """The requests are a few; a delay between kills that grows walks through all of them."""
    server = s3.shared()
    s3.make_bucket(server, "killed")
    env = {k: v for k, v in server.environment.items() if k != "AWS_ENDPOINT_URL"}
    team = Team(tmp_path, "s3://killed/models", "--endpoint-url", server.endpoint_url, env=env)
    keeper = team.clone("keeper")
    words = [sys.executable, "-P", "-m", "modelvc", "gc", "--remote", "--apply", "--grace", "0", "--exclusive"]
    for delay in range(int(os.environ.get("MVC_KILLS", "6"))):
        process = subprocess.Popen(words, cwd=keeper.path, env=keeper.environment(), stdout=subprocess.DEVNULL)
        time.sleep(0.4 + delay * 0.1)
        process.kill()
        process.wait()
        team.clone(f"reader{delay}").mvc("pull")
    keeper.mvc("gc", "--remote", "--apply", "--grace", "0", "--exclusive")
    left = keeper.json("gc", "--remote", "--grace", "0")
    assert not left["items"]
    assert (left["doomed"], left["deleted"]) == (0, 0)
    keeper.mvc("fsck", "--remote")


# -- when it refuses


def test_another_repository_at_the_same_place(tmp_path: Path) -> None:
    team = Team(tmp_path)
    other = Clone.new(tmp_path / "second")
    other.mvc("remote", "add", "origin", str(team.far))
    bare = tmp_path / "second.git"
    subprocess.run(["git", "init", "-q", "--bare", str(bare)], check=True)
    other.git("remote", "add", "origin", str(bare))
    other.commit_model(5)
    other.git("push", "-q", "origin", "main")
    keeper = team.clone("keeper")
    team.age(15)
    refused = keeper.mvc("gc", "--remote", "--apply", code=11)
    assert f"another repository uses the remote origin: {bare}" in refused.err
    done = keeper.json("gc", "--remote", "--also", str(bare))
    assert len(done["items"]) == 1  # version 2 of this repository, not that of the other
    assert done["repositories"] == [str(team.bare), str(bare)]
    shutil.rmtree(bare)
    keeper.mvc("gc", "--remote", "--also", str(bare), code=2)
    place = keeper.mvc("gc", "--remote", code=11).err.split(": ", 2)[2].splitlines()[0]
    done = keeper.json("gc", "--remote", "--forget", place)
    assert len(done["items"]) == 2
    assert len(keeper.json("gc", "--remote")["items"]) == 2


def test_a_repository_without_a_git_remote_by_its_folder(tmp_path: Path) -> None:
    """The words of the hint work as they stand, and so does the folder that a person knows."""
    team = Team(tmp_path)
    other = Clone.new(tmp_path / "second")
    other.mvc("remote", "add", "origin", str(team.far))
    other.commit_model(5)
    other.mvc("push")
    keeper = team.clone("keeper")
    hint = keeper.mvc("gc", "--remote", code=11).err.splitlines()[1]
    assert f"`--also {other.path}/.git`" in hint
    for url in (hint.partition("--also ")[2].partition("`")[0], str(other.path)):
        assert keeper.json("gc", "--remote", "--also", url)["repositories"] == [str(team.bare), url]
    forget = shlex.split(hint.partition("--forget ")[2].removesuffix("`"))
    assert keeper.json("gc", "--remote", "--forget", *forget)["repositories"] == [str(team.bare)]


def test_a_git_remote_that_can_not_be_read(tmp_path: Path) -> None:
    team = Team(tmp_path)
    keeper = team.clone("keeper")
    team.age(15)
    refs = team.bare / "HEAD"
    refs.rename(team.bare / "HEAD.away")
    done = keeper.mvc("gc", "--remote", "--apply", code=14)
    assert f"the refs of {team.bare} cannot be read" in done.err


def test_a_broken_pointer_on_the_git_remote(tmp_path: Path) -> None:
    team = Team(tmp_path)
    keeper = team.clone("keeper")
    (team.project.path / "torn.bin.mvc").write_text("format = 1\nkind =")
    team.project.git("add", "torn.bin.mvc")
    team.project.git("commit", "-qm", "torn", "--no-verify")
    team.project.git("push", "-q", "--no-verify", "origin", "side")
    team.age(15)
    assert "torn.bin.mvc" in keeper.mvc("gc", "--remote", "--apply", code=12).err


def test_a_remote_that_was_never_pushed_to(tmp_path: Path) -> None:
    team = Team(tmp_path)
    stranger = Clone.new(tmp_path / "stranger")
    stranger.mvc("remote", "add", "origin", str(tmp_path / "empty"))
    assert "nothing was pushed" in stranger.mvc("gc", "--remote", code=10).err
    stranger.mvc("remote", "add", "far", str(team.far))
    assert "not known to use the remote far" in stranger.mvc("gc", "-r", "far", code=11).err


def test_features_of_a_later_version(tmp_path: Path) -> None:
    team = Team(tmp_path)
    config = team.far / "config"
    config.chmod(0o644)
    config.write_text(config.read_text().replace("gc_features = []", 'gc_features = ["tenants"]'))
    assert "tenants" in team.clone("keeper").mvc("gc", "--remote", code=2).err


def test_writers_without_conditions_make_gc_ask_to_be_alone(tmp_path: Path) -> None:
    """The folder that others reach over SFTP has locks, which they cannot take."""
    team = Team(tmp_path, f"sftp://mvc-test{tmp_path}/models", env={"HOME": sshd.shared().home})
    keeper = team.clone("keeper")
    assert 'gc_features = ["unconditional-writers"]' in (tmp_path / "models/config").read_text()
    keeper.mvc("remote", "add", "near", str(tmp_path / "models"))
    said = keeper.mvc("gc", "-r", "near", code=11).err
    assert "without compare-and-swap" in said
    assert "add `--exclusive`" in said
    keeper.mvc("gc", "-r", "near", "--exclusive")


def test_without_compare_and_swap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = sshd.shared().home
    team = Team(tmp_path, f"sftp://mvc-test{tmp_path}/models", env={"HOME": home})
    keeper = team.clone("keeper")
    team.age(15)
    assert "add `--exclusive`" in keeper.mvc("gc", "--remote", code=11).err
    done = keeper.json("gc", "--remote", "--apply", "--grace", "0", "--exclusive")
    assert (len(done["items"]), done["deleted"]) == (1, 1)
    keeper.mvc("pull")
    assert keeper.agrees()


def test_options_of_the_other_kind(tmp_path: Path) -> None:
    clone = Clone.new(tmp_path / "clone")
    clone.mvc("gc", "--exclusive", code=2)
    clone.mvc("gc", "--remote", "--evict", code=2)
