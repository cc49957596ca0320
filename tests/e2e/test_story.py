"""The example of the README, against a folder and against a real S3 server."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support import s3
from tests.support.clone import ROOT, Clone


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_the_demo_runs_as_written(tmp_path: Path, algorithm: str) -> None:
    clone = Clone(tmp_path)
    clone.env = {"GIT_DEFAULT_HASH": algorithm}
    done = clone.run("sh", str(ROOT / "docs/demo.sh"))
    assert "the clone has the same bytes" in done.out


@pytest.mark.parametrize(("where", "algorithm"), [("folder", "sha1"), ("folder", "sha256"), ("s3", "sha1")])
def test_the_main_job(tmp_path: Path, where: str, algorithm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DEFAULT_HASH", algorithm)
    far = ["remote", "add", "origin"]
    env: dict[str, str] = {}
    if where == "s3":
        server = s3.shared()
        s3.make_bucket(server, "story")
        env = {k: v for k, v in server.environment.items() if k != "AWS_ENDPOINT_URL"}
        far += ["s3://story/models", "--endpoint-url", server.endpoint_url]
    else:
        far += ["../models"]
    project = Clone.new(tmp_path / "my-project")
    project.env = env
    first = project.write("model.pkl", 1)
    project.mvc("add", "model.pkl")
    project.git("commit", "-qm", "first model")
    second = project.write("model.pkl", 2)
    project.mvc("add", "model.pkl")
    project.git("commit", "-qm", "second model")
    project.mvc("checkout", "HEAD~1", "model.pkl")
    assert project.read("model.pkl") == first
    project.mvc("checkout", "HEAD", "model.pkl")
    project.git("checkout", "-q", "main~1")
    assert project.read("model.pkl") == first
    project.git("checkout", "-q", "main")
    assert project.read("model.pkl") == second
    project.mvc(*far)
    project.git("commit", "-qm", "where models lie")
    bare = tmp_path / "origin.git"
    project.git("init", "-q", "--bare", str(bare))
    project.git("remote", "add", "origin", str(bare))
    done = project.run("git", "push", "-u", "origin", "main")
    assert "2 versions sent to origin" in done.err
    subprocess.run(["git", "clone", "-q", str(bare), str(tmp_path / "clone")], check=True)
    clone = Clone(tmp_path / "clone", env)
    clone.mvc("install", "--trust")
    clone.mvc("pull")
    assert clone.read("model.pkl") == second
    assert clone.git("status", "--short") == ""
    clone.mvc("fetch", "--all")
    clone.git("checkout", "-q", "HEAD~2")
    assert clone.read("model.pkl") == first
    assert len(clone.git("rev-parse", "HEAD").strip()) == {"sha1": 40, "sha256": 64}[algorithm]
    done = project.run("git", "push", "origin", "main:again")
    assert " sent" not in done.err


def test_a_push_whose_upload_fails_is_stopped(tmp_path: Path) -> None:
    project = Clone.new(tmp_path / "project")
    project.mvc("remote", "add", "origin", str(tmp_path / "far"))
    project.git("init", "-q", "--bare", str(tmp_path / "origin.git"))
    project.git("remote", "add", "origin", str(tmp_path / "origin.git"))
    project.commit_model(1)
    (tmp_path / "far").write_text("a file where a folder should be")
    done = project.run("git", "push", "-q", "origin", "main", code=1)
    assert "--no-verify" in done.err
    assert project.git("ls-remote", "origin") == ""
    project.git("push", "-q", "--no-verify", "origin", "main")


def test_without_a_remote_the_push_goes_on_with_one_warning(tmp_path: Path) -> None:
    project = Clone.new(tmp_path / "project")
    project.git("init", "-q", "--bare", str(tmp_path / "origin.git"))
    project.commit_model(1)
    done = project.run("git", "push", "-q", str(tmp_path / "origin.git"), "main")
    assert done.err.count("mvc remote add") == 1
