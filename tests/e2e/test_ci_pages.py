"""What docs/ci/ offers for pipelines is valid where a schema is to be had, and its commands run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.clone import ROOT, Clone

PAGES = ROOT / "docs/ci"
SCHEMAS = {
    "github.yml": "vendor.github-workflows",
    "gitlab.yml": "vendor.gitlab-ci",
    "circleci.yml": "vendor.circle-ci",
    "travis.yml": "vendor.travis",
}
# What the services set: the branch that a change goes to.
ENVIRONMENT = {
    "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
    "CHANGE_TARGET": "main",
    "TRAVIS_BRANCH": "main",
}


@pytest.mark.parametrize(("page", "schema"), SCHEMAS.items())
def test_the_schema_accepts_it(page: str, schema: str) -> None:
    words = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(PAGES / page)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_page_is_looked_at() -> None:
    assert {path.name for path in PAGES.iterdir()} == {*SCHEMAS, "Jenkinsfile"}


def commands(page: str, program: str = "mvc") -> list[str]:
    """The shell lines of a page that run PROGRAM."""
    text = (PAGES / page).read_text()
    found = re.findall(r"sh '([^']*)'", text) if page == "Jenkinsfile" else list(_strings(yaml.safe_load(text)))
    return [line.replace("${{ github.base_ref }}", "main") for line in found if f"{program} " in line]


def _strings(value: Any) -> Any:
    if isinstance(value, str):
        yield value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _strings(one)


@pytest.mark.parametrize("page", [*SCHEMAS, "Jenkinsfile"])
@pytest.mark.parametrize("source", ["", "/wheels/my modelvc.whl"])
def test_it_installs_what_a_variable_names(tmp_path: Path, page: str, source: str) -> None:
    pip = tmp_path / "pip"
    pip.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
    pip.chmod(0o755)
    (line,) = commands(page, "pip")
    done = Clone(tmp_path, {"PATH": str(tmp_path), "MODELVC": source}).run("/bin/sh", "-ec", line)
    assert done.out.splitlines() == ["install", source or "modelvc"]


@pytest.mark.parametrize("page", [*SCHEMAS, "Jenkinsfile"])
@pytest.mark.parametrize("accuracy", [0.95, 0.5])
def test_its_commands_run_and_judge(tmp_path: Path, page: str, accuracy: float) -> None:
    clone = Clone.new(tmp_path / "project")
    clone.write(".mvc/policy.toml", b'[[metric]]\nname = "acc"\ndirection = "higher"\nmax_drop = { abs = 0.01 }\n')
    clone.write("model.bin", 1)
    clone.mvc("add", "model.bin", "-m", "acc=0.9")
    clone.git("add", "-A")
    clone.git("commit", "-qm", "one")
    clone.git("checkout", "-qb", "feature")
    clone.write("model.bin", 2)
    clone.mvc("add", "model.bin", "-m", f"acc={accuracy}")
    clone.git("commit", "-qm", "two")
    runner = Clone(tmp_path / "runner", ENVIRONMENT)
    runner.path.mkdir()
    runner.git("clone", "-q", str(clone.path), ".")
    lines = commands(page)
    assert any("mvc check" in line for line in lines)
    assert any("mvc fsck --markers" in line for line in lines)
    for line in lines:
        runner.run("sh", "-ec", line, code=1 if "mvc check" in line and accuracy < 0.9 else 0)
    for report in runner.path.rglob("check.xml"):
        assert report.read_text().startswith("<?xml")
    assert json.loads(runner.mvc("check", "--json", "--against", "origin/main...", code=int(accuracy < 0.9)).out)
