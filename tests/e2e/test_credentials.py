"""Credentials that are not there, and the environment's endpoints: words of mvc alone, and nobody else is contacted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.clone import Clone
from tests.support.scripted import Scripted, error

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """\
[profile work]
sso_session = corp
sso_account_id = 111122223333
sso_role_name = Dev
region = us-east-1
[profile away]
endpoint_url = http://127.0.0.1:9
services = away
[services away]
s3 =
  endpoint_url = http://127.0.0.1:9
[sso-session corp]
sso_region = us-east-1
sso_start_url = https://corp.example.test/start
"""


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """A clone with a version to push to s3://bucket/models, and a person's ~/.aws/config."""
    found = Clone.new(tmp_path / "clone")
    found.mvc("remote", "add", "origin", "s3://bucket/models")
    found.commit_model(1)
    aws = tmp_path / "aws"
    aws.write_text(CONFIG)
    found.env = {"AWS_CONFIG_FILE": str(aws), "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}
    return found


SIGNS_IN = {
    "session": ({"AWS_PROFILE": "work"}, "the sign-in for", "aws sso login"),
    "token file": (
        {
            "AWS_ROLE_ARN": "arn:aws:iam::111122223333:role/x",
            "AWS_WEB_IDENTITY_TOKEN_FILE": "/nonexistent/token",
            "AWS_REGION": "us-east-1",
        },
        "/nonexistent/token: No such file",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
    ),
}


@pytest.mark.parametrize("kind", SIGNS_IN)
def test_a_sign_in_that_fails_has_two_lines_of_mvc(clone: Clone, kind: str):
    clone.env |= SIGNS_IN[kind][0]
    said = clone.mvc("push", code=13).err.splitlines()
    assert len(said) == 2, said
    assert SIGNS_IN[kind][1] in said[0]
    assert SIGNS_IN[kind][2] in said[1]
    answer = json.loads(clone.mvc("--json", "push", code=13).err)
    assert answer["error"]["code"] == "remote-denied"


def test_a_sign_in_that_fails_stops_git_push_without_a_traceback(clone: Clone, tmp_path: Path):
    clone.env |= SIGNS_IN["session"][0]
    clone.git("init", "-q", "--bare", str(tmp_path / "hub"))
    clone.git("remote", "add", "origin", str(tmp_path / "hub"))
    said = clone.run("git", "push", "origin", "main", code=1).err
    assert "the sign-in for" in said
    assert "Traceback" not in said
    assert len(said.splitlines()) < 8, said


ENDPOINTS = [
    {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"},
    {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"},
    {"AWS_PROFILE": "away"},
]


@pytest.mark.parametrize("environment", ENDPOINTS, ids=lambda one: next(iter(one)))
def test_no_environment_leads_away_from_a_pinned_endpoint(clone: Clone, environment: dict[str, str]):
    """Port 9 would be "cannot reach"; the pinned server is the one that answers."""
    clone.env |= {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "us-east-1", **environment}
    assert "cannot reach http://127.0.0.1:9" in clone.mvc("push", code=13).err
    with Scripted([error(403, "AccessDenied")]) as server:
        clone.mvc("remote", "add", "pinned", "s3://bucket/models", "--endpoint-url", server.url)
        said = clone.mvc("push", "-r", "pinned", code=13).err
        assert "not allowed" in said
        assert server.heads
