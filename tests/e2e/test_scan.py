"""What loading a model would run: judged by name, and held back before its file gets a name."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import xml.etree.ElementTree as ET
from collections import OrderedDict
from typing import TYPE_CHECKING

import pytest

from modelvc.formats.text import trusted_imports
from tests.support.clone import Clone

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = pickle.dumps({"a": [1, 2.0]})
LISTED = pickle.dumps(OrderedDict(a=1))
OWN = b"\x80\x02cproject.features\nEncoder\n)\x81}X\x01\x00\x00\x00aK\x01sb."  # an object of a class of the project
CALLED = b"\x80\x02cproject.features\nEncoder\n)R."  # the same class, called
BAD = b"cos\nsystem\n(S'true'\ntR."
TORN = PLAIN[:-3]
NOTHING = bytes(range(255, 0, -1)) * 10
FILES = {
    "bad.pkl": BAD, "listed.pkl": LISTED, "own.pkl": OWN, "plain.pkl": PLAIN, "random.bin": NOTHING, "torn.pkl": TORN,
}  # fmt: skip
VERDICTS = {
    "bad.pkl": "known-bad", "listed.pkl": "listed", "own.pkl": "unlisted", "plain.pkl": "inert",
    "random.bin": "unknown", "torn.pkl": "unreadable",
}  # fmt: skip


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone.new(tmp_path / "clone")


def add(clone: Clone, **files: bytes) -> None:
    """Add and commit models without the hook, which would stop a known-bad one."""
    for name, data in files.items():
        clone.write(name, data)
    clone.mvc("add", *files)
    clone.git("commit", "-qnm", "models")


def rules(clone: Clone, *, policy: str = "", own: str = "") -> None:
    """Set what a checkout does, in the policy and in the clone's own configuration."""
    if policy:
        clone.write(".mvc/policy.toml", f'[scan]\non_checkout = "{policy}"\n'.encode())
    if own:
        clone.write(".git/mvc/config.toml", f'[scan]\non_checkout = "{own}"\n'.encode())


def bring(clone: Clone, code: int = 0) -> str:
    """Remove all models and check them out again. Return what was said."""
    for name in FILES:
        (clone.path / name).unlink(missing_ok=True)
    done = clone.mvc("checkout", code=code)
    return done.out + done.err


def there(clone: Clone) -> set[str]:
    return {name for name in FILES if (clone.path / name).exists()}


# -- scan


def test_every_verdict_is_shown_with_its_imports(clone: Clone) -> None:
    add(clone, **FILES)
    done = clone.mvc("scan", code=1)
    assert (
        done.out
        == """\
known-bad   bad.pkl  (system)
  found:       calls os.system
  not listed:  os.system (constructed)
listed      listed.pkl  (OrderedDict)
  listed:      collections.OrderedDict
unlisted    own.pkl  (Encoder)
  not listed:  project.features.Encoder (created)
inert       plain.pkl  (pickle)
unknown     random.bin
unreadable  torn.pkl  (pickle)
  unreadable:  the file ends before the pickle does

6 models: 1 known-bad, 1 unreadable, 1 unlisted, 1 unknown, 1 listed, 1 inert; 3 refused
"""
    )
    assert done.err == "to trust names of this project: mvc scan --allow own.pkl\n"
    assert all(len(line) <= 100 for line in done.out.splitlines())
    found = clone.json("scan", code=1)
    assert {model["path"]: model["verdict"] for model in found["models"]} == VERDICTS
    assert [model["path"] for model in found["models"] if model["refused"]] == ["bad.pkl", "own.pkl", "torn.pkl"]
    assert clone.mvc("scan", "plain.pkl", "listed.pkl").out.endswith("\n2 models: 1 listed, 1 inert\n")


def test_a_revision_and_a_worktree(clone: Clone) -> None:
    add(clone, **{"m.pkl": BAD})
    add(clone, **{"m.pkl": PLAIN})
    clone.mvc("scan")
    clone.mvc("scan", "HEAD~1", code=1)
    assert clone.json("scan", "HEAD~1", "m.pkl", code=1)["models"][0]["verdict"] == "known-bad"


def test_the_policy_says_what_is_refused(clone: Clone) -> None:
    add(clone, **{"own.pkl": OWN})
    clone.write(".mvc/policy.toml", b'[scan]\nrefuse = ["known-bad"]\n')
    assert clone.mvc("scan").out.startswith("unlisted  own.pkl")
    clone.write(".mvc/policy.toml", b'[scan]\nrefuse = ["known-bad", "listed"]\n')
    add(clone, **{"listed.pkl": LISTED})
    clone.mvc("scan", code=1)


def test_bytes_that_are_elsewhere(clone: Clone, tmp_path: Path) -> None:
    add(clone, **{"a.pkl": PLAIN, "b.pkl": BAD})
    (clone.path / "a.pkl").unlink()
    shutil.rmtree(clone.path / ".git/mvc/store")
    shutil.rmtree(clone.path / ".git/mvc/facts", ignore_errors=True)
    done = clone.mvc("scan", "a.pkl", code=10)
    assert done.out == "1 model: 1 not in this clone\n"
    assert "not in this clone, and not scanned: a.pkl" in done.err
    assert "hint: run `mvc fetch`" in done.err
    assert clone.mvc("scan", code=1).out.startswith("known-bad  b.pkl")  # the file of the worktree is what was added
    clone.write("b.pkl", PLAIN)
    clone.mvc("scan", "b.pkl", code=1)  # now it is not, but what it was is known
    shutil.rmtree(clone.path / ".git/mvc/facts")
    clone.mvc("scan", "b.pkl", code=10)


def test_reports(clone: Clone) -> None:
    add(clone, **FILES)
    files = {form: f"report.{form}" for form in ("text", "json", "md", "junit", "github", "sarif")}
    outputs = [word for form, file in files.items() for word in ("--output", f"{form}={file}")]
    clone.mvc("scan", *outputs, code=1)
    for form, file in files.items():
        assert clone.read(file).decode() == clone.mvc("scan", "--format", form, code=1).out, form
    suite = ET.fromstring(clone.read("report.junit"))
    assert suite.attrib["failures"] == "3"
    assert [case.attrib["name"] for case in suite.iter("testcase") if case.find("failure") is not None] == [
        "bad.pkl", "own.pkl", "torn.pkl",
    ]  # fmt: skip
    lines = clone.read("report.github").decode().splitlines()
    assert lines[0] == "::error file=bad.pkl.mvc,title=mvc scan%3A known-bad::known-bad: calls os.system, os.system"
    assert [line.partition(" ")[0] for line in lines] == ["::error", "::error", "::warning", "::error", "::notice"]
    assert clone.mvc("scan", "--output", "openmetrics=x", code=2).err.startswith("error: --output cannot be")
    assert "--format takes" in clone.mvc("scan", "--format", "openmetrics", code=2).err
    assert "--format takes" in clone.mvc("check", "--format", "sarif", code=2).err


def test_sarif_has_what_its_schema_demands(clone: Clone) -> None:
    add(clone, **{**FILES, "a folder/x #1.pkl": OWN})
    found = json.loads(clone.mvc("scan", "--format", "sarif", code=1).out)
    assert set(found) == {"$schema", "version", "runs"}
    assert found["version"] == "2.1.0"
    (run,) = found["runs"]
    driver = run["tool"]["driver"]
    assert {"name", "semanticVersion", "rules"} == set(driver)
    names = [rule["id"] for rule in driver["rules"]]
    assert len(set(names)) == len(names) == 7
    levels = {"none", "note", "warning", "error"}
    for rule in driver["rules"]:
        assert rule["shortDescription"]["text"].endswith(".")
        assert rule["defaultConfiguration"]["level"] in levels
    for result in run["results"]:
        assert names[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] in levels
        assert result["message"]["text"].endswith(".")
        (place,) = result["locations"]
        assert place["physicalLocation"]["region"] == {"startLine": 1}
    uris = [result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for result in run["results"]]
    assert uris == ["a%20folder/x%20%231.pkl.mvc", "bad.pkl.mvc", "own.pkl.mvc", "random.bin.mvc", "torn.pkl.mvc"]


def test_a_file_that_is_not_tracked(clone: Clone, tmp_path: Path) -> None:
    add(clone, **{"plain.pkl": PLAIN})
    clone.write("evil.pkl", BAD)
    clone.write("folder/a.pkl", BAD)
    clone.write("folder/b.txt", b"b")
    (tmp_path / "elsewhere.pkl").write_bytes(OWN)
    done = clone.mvc("scan", "evil.pkl", code=1)
    assert done.out.startswith("known-bad  evil.pkl")
    assert done.err == ""
    found = clone.json("scan", "folder", "plain.pkl", "evil.pkl", str(tmp_path / "elsewhere.pkl"), code=1)
    assert [(one["path"], one["verdict"], one["refused"], one["tracked"]) for one in found["models"]] == [
        (str(tmp_path / "elsewhere.pkl"), "unlisted", True, False),
        ("evil.pkl", "known-bad", True, False),
        ("folder", "known-bad", True, False),
        ("plain.pkl", "inert", False, True),
    ]
    assert "a.pkl: calls os.system" in found["models"][2]["findings"]
    assert str(tmp_path / "elsewhere.pkl") in clone.mvc("scan", str(tmp_path / "elsewhere.pkl"), code=1).out
    assert "file=evil.pkl," in clone.mvc("scan", "--format", "github", "evil.pkl", code=1).out
    assert '"uri": "evil.pkl"' in clone.mvc("scan", "--format", "sarif", "evil.pkl", code=1).out
    clone.mvc("scan", "HEAD", "evil.pkl", code=10)  # a revision has models alone
    assert "nope.pkl is neither" in clone.mvc("scan", "nope.pkl", code=10).err
    clone.write("plain.pkl", BAD)
    clone.mvc("scan", "plain.pkl")  # the version of the pointer, as before
    assert "hint: it is not tracked: mvc add evil.pkl" in clone.mvc("diff", "evil.pkl", code=10).err
    assert not (clone.path / "evil.pkl.mvc").exists()


def test_the_names_that_a_clone_accepted_hold_for_a_file_that_is_not_tracked(clone: Clone) -> None:
    add(clone, **{"own.pkl": OWN})
    clone.mvc("scan", "--allow", "own.pkl")
    clone.write("new.pkl", OWN)
    clone.mvc("scan", "new.pkl")
    assert "it is not tracked: mvc add new.pkl" in clone.mvc("scan", "--allow", "new.pkl", code=10).err


def test_a_file_outside_of_a_repository(clone: Clone, tmp_path: Path) -> None:
    folder = tmp_path / "downloads"
    (folder / "model").mkdir(parents=True)
    (folder / "own.pkl").write_bytes(OWN)
    (folder / "model/plain.pkl").write_bytes(PLAIN)
    done = clone.mvc("scan", "own.pkl", "--", "model", code=1, cwd=folder)
    assert done.out.endswith("2 models: 1 unlisted, 1 inert; 1 refused\n")
    clone.mvc("scan", "model", cwd=folder)
    assert "there is no file nope.pkl" in clone.mvc("scan", "nope.pkl", code=10, cwd=folder).err
    assert "not in a Git repository" in clone.mvc("scan", code=10, cwd=folder).err
    clone.mvc("scan", "own.pkl", "--list-from", "main", code=10, cwd=folder)
    (folder / "model/pipe").symlink_to(folder)
    assert "pipe is neither a file nor a folder" in clone.mvc("scan", "model", code=1, cwd=folder).out
    os.mkfifo(folder / "fifo.pkl")
    assert "is neither a file nor a folder" in clone.mvc("scan", "fifo.pkl", code=2, cwd=folder).err


# -- names of the project


def test_names_of_the_project_are_trusted_by_a_reviewed_file(clone: Clone, tmp_path: Path) -> None:
    add(clone, **{"own.pkl": OWN, "called.pkl": CALLED})
    done = clone.mvc("scan", "--allow", "own.pkl")
    assert done.out == "created      project.features.Encoder\n"
    assert "other clones accept them with: mvc trust --imports" in done.err
    assert trusted_imports.parse(clone.read(trusted_imports.PATH)) == {"project.features.Encoder": "created"}
    assert clone.git("diff", "--cached", "--name-only") == f"{trusted_imports.PATH}\n"
    clone.mvc("scan", "own.pkl")
    assert "not listed:  project.features.Encoder (constructed)" in clone.mvc("scan", "called.pkl", code=1).out
    assert clone.mvc("scan", "--allow", "own.pkl").out == "every name is listed or trusted already\n"
    assert clone.mvc("scan", "--allow", "called.pkl").out == "constructed  project.features.Encoder\n"
    clone.mvc("scan")
    clone.git("commit", "-qm", "trust")

    other = Clone(tmp_path / "other")
    clone.git("clone", "-q", str(clone.path), str(other.path))
    said = ".mvc/trusted-imports.toml is ignored: this clone has not accepted it"
    assert said in other.mvc("install").err
    shutil.copytree(clone.path / ".git/mvc/store", other.path / ".git/mvc/store")
    done = other.mvc("scan", code=1)
    assert said in done.err
    assert "--allow" not in done.err
    assert said in other.mvc("trust").err
    assert other.mvc("scan", "--allow", "own.pkl", code=2).err.count("mvc trust --imports") == 1
    assert other.mvc("trust", "--imports").out == "constructed  project.features.Encoder\n"
    assert "ignored" not in other.mvc("trust").err + other.mvc("install").err
    other.mvc("scan")
    with (other.path / trusted_imports.PATH).open("ab") as file:
        file.write(b"# changed\n")
    assert "changed since this clone accepted it" in other.mvc("scan", code=1).err
    assert other.json("trust", "--imports")["names"] == [{"name": "project.features.Encoder", "use": "constructed"}]
    other.mvc("scan")


def test_a_change_cannot_allow_itself(clone: Clone) -> None:
    add(clone, **{"plain.pkl": PLAIN})
    clone.git("branch", "base")
    add(clone, **{"own.pkl": OWN})
    clone.mvc("scan", "--allow", "own.pkl")
    clone.write(".mvc/policy.toml", b'[scan]\nrefuse = ["known-bad"]\n')
    clone.git("add", ".mvc")
    clone.git("commit", "-qm", "allow myself")
    clone.mvc("scan", "--list-from", "HEAD")
    assert clone.json("scan", "--list-from", "base", code=1)["models"][0]["verdict"] == "unlisted"
    clone.git("branch", "-f", "base")
    clone.mvc("scan", "--list-from", "base")


def test_no_list_allows_more_than_names(clone: Clone) -> None:
    add(clone, **{"bad.pkl": BAD, "torn.pkl": TORN})
    for name in ("bad.pkl", "torn.pkl"):
        assert "which no list of names can allow" in clone.mvc("scan", "--allow", name, code=11).err
    clone.write(trusted_imports.PATH, trusted_imports.encode({"os.system": "constructed"}))
    clone.mvc("trust", "--imports")
    assert clone.json("scan", "bad.pkl", code=1)["models"][0]["verdict"] == "known-bad"
    assert "--allow takes paths" in clone.mvc("scan", "--allow", code=2).err


def test_a_file_of_trusted_imports_that_cannot_be_read_allows_nothing(clone: Clone) -> None:
    add(clone, **{"own.pkl": OWN})
    clone.mvc("scan", "--allow", "own.pkl")
    clone.write(trusted_imports.PATH, b"format = 1\nimports = 3\n")
    assert "it cannot be read" in clone.mvc("scan", code=1).err
    clone.mvc("trust", "--imports", code=2)


# -- the gate


def test_by_default_known_bad_is_blocked_and_others_are_named(clone: Clone) -> None:
    add(clone, **FILES)
    said = bring(clone, code=1)
    assert there(clone) == set(FILES) - {"bad.pkl"}
    assert "bad.pkl is blocked: known-bad (calls os.system)" in said
    assert "own.pkl is unlisted (project.features.Encoder)" in said
    assert "on_checkout of [scan] in .git/mvc/config.toml decides for this clone: mvc help policy" in said
    assert "torn.pkl is unreadable" in said
    assert "random.bin is" not in said  # nobody would open it as a pickle
    assert "plain.pkl is" not in said
    assert "blocked:\n  bad.pkl  (known-bad: calls os.system)" in clone.mvc("status").out
    assert clone.json("status")["models"][0]["state"] == "blocked"
    done = clone.json("checkout", code=1)
    assert {model["path"]: model["change"] for model in done["models"]}["bad.pkl"] == "blocked"
    clone.mvc("fsck")  # its bytes stay in the store


def test_an_unknown_file_with_the_name_of_a_pickle_is_named(clone: Clone) -> None:
    clone.write("x.joblib", NOTHING + b"x")
    assert "unknown" not in clone.mvc("add", "x.joblib").err  # its author knows
    add(clone, **{"random.bin": NOTHING})
    (clone.path / "x.joblib").unlink()
    assert "x.joblib is unknown" in clone.mvc("checkout").err


def test_blocking_everything_but_inert_and_listed(clone: Clone) -> None:
    add(clone, **FILES)
    rules(clone, policy="block")
    said = bring(clone, code=1)
    assert there(clone) == {"listed.pkl", "plain.pkl"}
    assert said.count("is blocked") == 4
    blocked = [row["path"] for row in clone.json("status")["models"] if row["state"] == "blocked"]
    assert blocked == ["bad.pkl", "own.pkl", "random.bin", "torn.pkl"]
    rules(clone, own="warn")  # the clone loosens what the policy says
    bring(clone, code=1)
    assert there(clone) == set(FILES) - {"bad.pkl"}


def test_a_policy_cannot_turn_the_gate_off_and_a_clone_can(clone: Clone) -> None:
    add(clone, **FILES)
    rules(clone, policy="off")
    bring(clone, code=1)
    assert "bad.pkl" not in there(clone)
    rules(clone, own="off")
    said = bring(clone)
    assert there(clone) == set(FILES)
    assert "unlisted" not in said
    assert clone.mvc("status").out.splitlines()[0] == "6 models, all clean"


def test_trusted_names_open_the_gate(clone: Clone) -> None:
    add(clone, **{"own.pkl": OWN})
    rules(clone, policy="block")
    assert "own.pkl is blocked" in bring(clone, code=1)
    clone.mvc("scan", "--allow", "own.pkl")
    bring(clone)
    assert there(clone) == {"own.pkl"}


def test_a_stored_predecessor_goes_and_an_unsaved_one_stays(clone: Clone) -> None:
    add(clone, **{"bad.pkl": PLAIN})
    first = clone.git("rev-parse", "HEAD").strip()
    add(clone, **{"bad.pkl": BAD})
    clone.mvc("checkout", first, "bad.pkl")
    clone.git("checkout", "-q", "HEAD", "--", "bad.pkl.mvc")  # the hook follows
    assert there(clone) == set()
    clone.mvc("checkout", first, "bad.pkl")
    assert clone.read("bad.pkl") == PLAIN
    clone.write("bad.pkl", b"unsaved")
    clone.mvc("checkout", "HEAD", "bad.pkl", code=11)
    assert clone.read("bad.pkl") == b"unsaved"


def test_the_hooks_of_git(clone: Clone) -> None:
    add(clone, **{"bad.pkl": PLAIN, "own.pkl": PLAIN, "other.pkl": PLAIN})
    clone.git("checkout", "-qb", "side")
    add(clone, **{"bad.pkl": BAD, "own.pkl": OWN, "other.pkl": LISTED})
    clone.git("checkout", "-q", "main")
    done = clone.run("git", "checkout", "-q", "side")
    assert "mvc: bad.pkl is blocked: known-bad: calls os.system" in done.err
    assert "mvc: own.pkl is unlisted: project.features.Encoder" in done.err
    assert not (clone.path / "bad.pkl").exists()
    assert clone.read("other.pkl") == LISTED
    assert clone.mvc("status").out.startswith("blocked:\n")
    clone.git("checkout", "-q", "main")
    assert clone.read("bad.pkl") == PLAIN
    assert clone.mvc("status").out.splitlines()[0] == "3 models, all clean"


def test_a_commit_names_what_a_checkout_would_block(clone: Clone) -> None:
    clone.write("own.pkl", OWN)
    assert "unlisted: project.features.Encoder" in clone.mvc("add", "own.pkl").err
    done = clone.run("git", "commit", "-qm", "own")
    assert "mvc: own.pkl is unlisted: project.features.Encoder" in done.err
    clone.write("bad.pkl", BAD)
    assert "a checkout would block it: known-bad: calls os.system" in clone.mvc("add", "bad.pkl").err
    done = clone.run("git", "commit", "-qm", "bad", code=1)
    lines = done.err.splitlines()
    assert "bad.pkl would be blocked at a checkout: known-bad" in done.err
    assert lines[-2] == "mvc: the commit was stopped: bad.pkl is blocked"
    assert lines[-1].startswith("     `mvc checkout HEAD bad.pkl` or `mvc rm bad.pkl` takes the model back")
    assert "git commit --no-verify" in lines[-1]
    rules(clone, own="off")
    clone.git("commit", "-qm", "bad")


def test_a_rollback_to_a_blocked_version_changes_nothing(clone: Clone) -> None:
    add(clone, **{"m.pkl": BAD})
    add(clone, **{"m.pkl": PLAIN})
    done = clone.mvc("rollback", "m.pkl", code=1)
    assert done.err.startswith("error: m.pkl is blocked: known-bad (calls os.system)")
    assert clone.read("m.pkl") == PLAIN
    assert clone.git("status", "--porcelain") == ""


def test_get_and_pull(clone: Clone, tmp_path: Path) -> None:
    clone.mvc("remote", "add", "origin", str(tmp_path / "remote"))
    add(clone, **{"bad.pkl": BAD, "own.pkl": OWN})
    clone.mvc("push")
    out = tmp_path / "out"
    out.mkdir()
    assert "error: bad.pkl is blocked" in clone.mvc("get", str(clone.path), "bad.pkl", code=1, cwd=out).err
    assert "own.pkl is unlisted" in clone.mvc("get", str(clone.path), "own.pkl", cwd=out).err
    assert [path.name for path in out.iterdir()] == ["own.pkl"]
    other = Clone(tmp_path / "other")
    clone.git("clone", "-q", str(clone.path), str(other.path))
    other.mvc("install", "--trust")
    rules(other, policy="block")
    done = other.mvc("pull", code=1)
    assert done.out.count("is blocked") == 2
    assert "trusted-imports" not in done.err
    other.write(trusted_imports.PATH, trusted_imports.encode({"a.B": "created"}))
    assert "ignored: this clone has not accepted it" in other.mvc("pull", code=1).err
    assert "bad.pkl would" not in done.out
    assert "error: own.pkl is blocked" in other.mvc("get", str(clone.path), "own.pkl", "-o", "x.pkl", code=1).err


def test_a_conflict_that_is_resolved_with_a_blocked_version(clone: Clone) -> None:
    add(clone, **{"m.pkl": PLAIN})
    clone.git("checkout", "-qb", "side")
    add(clone, **{"m.pkl": BAD})
    clone.git("checkout", "-q", "main")
    add(clone, **{"m.pkl": LISTED})
    clone.git("merge", "-q", "side", code=1)
    assert "m.pkl is blocked: known-bad" in clone.mvc("resolve", "m.pkl", "--theirs", code=1).out
    assert not (clone.path / "m.pkl").exists()


def test_a_blocked_folder_keeps_files_that_no_store_has(clone: Clone) -> None:
    clone.write("folder/a.pkl", PLAIN)
    clone.write("folder/b.pkl", PLAIN)
    clone.mvc("add", "folder")
    clone.git("commit", "-qm", "good")
    clone.git("checkout", "-qb", "side")
    clone.write("folder/a.pkl", BAD)
    clone.mvc("add", "folder")
    clone.git("commit", "-qnm", "bad")
    clone.git("checkout", "-q", "main")
    assert clone.read("folder/a.pkl") == PLAIN
    clone.write("folder/notes.txt", b"mine")
    assert "folder is blocked: known-bad" in clone.run("git", "checkout", "-q", "side").err
    assert sorted(path.name for path in (clone.path / "folder").iterdir()) == ["notes.txt"]
    assert clone.read("folder/notes.txt") == b"mine"
