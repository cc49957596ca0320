"""Every command's JSON is one object of the shape that docs/cli.md shows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.support import reference
from tests.support.clone import Clone

if TYPE_CHECKING:
    from pathlib import Path


class _Talker:
    """Runs commands with --json, and holds each answer against the page."""

    def __init__(self, clone: Clone) -> None:
        self.clone = clone
        self.heard: set[str] = set()

    def ask(self, *words: str, code: int = 0) -> Any:
        found = json.loads(self.clone.mvc("--json", *words, code=code).out)
        name = next(" ".join(words[:n]) for n in (2, 1) if " ".join(words[:n]) in reference.RESULTS)
        assert isinstance(found, dict)
        assert any(reference.conforms(found, kind) for kind in reference.RESULTS[name]), (name, found)
        self.heard.add(name)
        return found


def _part(clone: Clone) -> None:
    """Stop in a merge of two versions."""
    clone.git("branch", "side")
    for branch, seed in (("side", 8), ("main", 9)):
        clone.git("checkout", "-q", branch)
        clone.commit_model(seed)
    clone.run("git", "merge", "side", code=1)


def _policy(clone: Clone, ask: Any) -> None:
    """Judge a model, look at the versions before it, and go back."""
    rule = '[[metric]]\nmodel = "model.bin"\nname = "auc"\ndirection = "higher"\nmin = 0.6\nmax_drop = { abs = 0.1 }\n'
    clone.write(".mvc/policy.toml", rule.encode())
    (verdict,) = ask("check", "model.bin")["verdicts"]
    assert (verdict["metric"], verdict["outcome"], verdict["line"]) == ("auc", "pass", 1)
    (version,) = ask("log", "--best", "auc", "model.bin")["versions"]
    assert version["metrics"]["auc"] == 0.75
    assert ask("plot", "model.bin", "auc")["metrics"][0]["floor"] == 0.6
    found = ask("rollback", "model.bin", "--steps", "1", "--dry-run")
    assert (found["path"], found["new"]["fits"]) == ("model.bin", True)
    assert ask("rollback", "model.bin", "--steps", "1")["new"]["oid"] == found["new"]["oid"]
    ask("checkout", "HEAD", "model.bin")


def _notebooks(clone: Clone, ask: Any) -> None:
    """Strip, check, merge and settle one."""

    def notebook(text: str, *outputs: Any) -> bytes:
        cell = {"cell_type": "code", "execution_count": None, "id": "one", "metadata": {}, "outputs": list(outputs)}
        cells = [{**cell, "source": [text]}]
        return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()

    ran = {"output_type": "stream", "name": "stdout", "text": ["1"]}
    clone.write("n.ipynb", notebook("a", ran))
    assert ask("notebook", "check", "n.ipynb")["good"] == 1  # the filter leaves the outputs out
    clone.write("torn.ipynb", b'{"cells": [')
    assert ask("notebook", "check", "torn.ipynb", code=1)["good"] == 0
    (clone.path / "torn.ipynb").unlink()
    assert ask("notebook", "strip", "n.ipynb")["changed"] == ["n.ipynb"]
    clone.git("add", "n.ipynb")
    clone.git("commit", "-qm", "notebook")
    clone.write("n.ipynb", notebook("a", ran))
    assert ask("notebook", "diff", "HEAD", "n.ipynb")["path"] == "n.ipynb"
    assert ask("notebook", "refresh")["paths"] == ["n.ipynb"]
    for name, text in (("a", "a"), ("b", "b"), ("c", "c")):
        clone.write(f"../{name}.ipynb", notebook(text))
    merged = ask("notebook", "merge", "../a.ipynb", "../b.ipynb", "../c.ipynb", "-o", "n.ipynb", code=1)
    assert merged == {"path": "n.ipynb", "conflicts": 1}
    (settled,) = ask("notebook", "resolve", "n.ipynb", "--ours")["notebooks"]
    assert (settled["settled"], settled["left"], settled["staged"]) == (1, 0, False)
    clone.git("checkout", "-q", "n.ipynb")


def test_every_command_answers_as_documented(tmp_path: Path) -> None:
    clone = Clone.new(tmp_path / "project", mvc=False)
    talker = _Talker(clone)
    ask = talker.ask
    assert ask("version").keys() == {"version"}
    assert ask("init")["wrote"] == [".mvc/config.toml", ".gitattributes"]
    clone.git("commit", "-qm", "use mvc")
    assert ask("install")["hooks"]["by_hand"] == []
    content = clone.write("model.bin", 1)
    clone.write("folder/a", b"a")
    clone.write("folder/b", b"b")
    added = ask("add", "model.bin", "folder")["models"]
    assert [(m["path"], m["kind"], m["size"], m["change"], m["was"]) for m in added] == [
        ("model.bin", "file", len(content), "new", None),
        ("folder", "tree", 2, "new", None),
    ]
    ask("add", "model.bin", "-m", "auc=0.5", "-m", "note=first", "-m", "good=true", "-m", "loss=nan")
    clone.git("commit", "-qm", "one")
    clone.write("model.bin", 2)
    clone.write("folder/c", b"c")
    states = ask("status", "--exit-code", code=1)["models"]
    assert [(m["path"], m["state"], m["stored"], m["pushed"]) for m in states] == [
        ("folder", "modified", True, None),
        ("model.bin", "modified", True, None),
    ]
    assert ask("add", "-u")["models"][1]["was"] == added[0]["oid"]
    (model,) = ask("diff", "--exit-code", "--", "model.bin", code=1)["models"]
    assert (model["change"], model["old_oid"], model["metrics"][0]["name"]) == ("changed", added[0]["oid"], "auc")
    clone.git("commit", "-qm", "two")
    (folder,) = ask("diff", "HEAD~1..HEAD", "folder")["models"]
    assert folder["files"] == [{"path": "c", "change": "added", "old_size": None, "new_size": 1}]
    versions = ask("log", "model.bin")["versions"]
    assert [v["subject"] for v in versions] == ["two", "one"]
    assert versions[1]["metrics"] == {"auc": 0.5, "note": "first", "good": True, "loss": "nan"}
    assert versions[0]["refs"] == ["main"]
    assert ask("show", "HEAD:model.bin")["lineage"] == [added[0]["oid"]]
    assert [m["files"] for m in ask("ls")["models"]] == [3, None]
    assert ask("ls", "HEAD~1")["commit"] == versions[1]["commit"]
    done = ask("checkout", "HEAD~1", "model.bin")
    assert (done["commit"], done["models"][0]["change"]) == (versions[1]["commit"], "written")
    assert ask("checkout", "HEAD")["models"][1]["was"] == added[0]["oid"]
    assert ask("remote", "add", "origin", "../far")["url"] == str(tmp_path / "far")
    ask("remote", "add", "other", "../other")
    assert ask("remote", "default", "other")["default"] is True
    assert ask("remote", "set-url", "other", "../another")["url"] == str(tmp_path / "another")
    assert ask("remote", "rename", "other", "second")["default"] is True
    ask("remote", "rename", "second", "other")
    assert ask("track", "*.pt") == {"patterns": ["*.pt"], "waiting": [], "folders": []}
    ask("track", "--remove", "*.pt")
    assert [r["name"] for r in ask("remote", "list")["remotes"]] == ["origin", "other"]
    assert [r["name"] for r in ask("remote", "remove", "other")["remotes"]] == ["origin"]
    assert ask("trust")["remotes"][0]["trusted"] is True
    clone.write("own.pkl", b"cproject\nEncoder\n.")
    ask("add", "own.pkl")
    assert ask("scan", "own.pkl", code=1)["models"][0]["verdict"] == "unlisted"
    assert ask("scan", "--allow", "own.pkl") == {"added": [{"name": "project.Encoder", "use": "referred"}]}
    assert ask("trust", "--imports")["names"] == [{"name": "project.Encoder", "use": "referred"}]
    clone.mvc("rm", "own.pkl")
    clone.write("needs.pkl", b"cpackaging.version\nVersion\n.")
    ask("add", "needs.pkl")
    assert ask("env", "show", "needs.pkl")["needs"] == ["packaging"]
    assert ask("env", "check", "needs.pkl")["outcome"] == "pass"
    assert {one["grade"] for one in ask("env", "diff", "needs.pkl")["differences"]} == {"same"}
    assert ask("env", "export", "needs.pkl")["packages"].keys() == {"packaging"}
    clone.mvc("rm", "needs.pkl")
    clone.git("commit", "-qm", "remote")
    sent = ask("push", "--all")
    assert (sorted(set(sent["sent"])), sent["there"]) == (["folder", "model.bin"], 0)
    assert ask("push")["sent"] == []
    assert ask("fetch")["here"] == 2
    assert ask("pull")["checked_out"]["models"][0]["change"] == "unchanged"
    assert {m["pushed"] for m in ask("status")["models"]} == {True}
    assert ask("store", "stats", "--remote")["remote"]["name"] == "origin"
    assert ask("fsck")["problems"] == []
    assert ask("fsck", "--markers")["paths"] == []
    ask("gc")
    ask("gc", "--apply")
    assert ask("gc", "--remote")["items"] == []
    assert ask("get", ".", "model.bin", "-o", str(tmp_path / "out.bin"))["oid"] == versions[0]["oid"]
    assert {f["state"] for f in ask("doctor")["findings"]} <= {"ok", "warn"}
    clone.write("metrics.json", b'{"auc": 0.75}')
    assert ask("metrics", "set", "model.bin", "--metrics", "metrics.json", "f1=0.5")["metrics"] == {
        "auc": 0.75,
        "f1": 0.5,
    }
    assert [m["path"] for m in ask("metrics", "show")["models"]] == ["folder", "model.bin"]
    clone.git("commit", "-qm", "measured")
    _notebooks(clone, ask)
    _policy(clone, ask)
    _part(clone)
    settled = ask("resolve", "model.bin", "--theirs")
    assert [m["label"] for m in settled["models"]] == ["side"]
    assert (settled["left"], settled["operation"]) == ([], "merge")
    clone.git("commit", "-qm", "merged")
    assert ask("mv", "model.bin", "renamed.bin") == {"old": "model.bin", "new": "renamed.bin"}
    assert ask("rm", "folder")["paths"] == ["folder"]
    assert "pre-commit" in ask("uninstall")["hooks"]
    assert talker.heard == {name for name, kinds in reference.RESULTS.items() if kinds}


def test_words_behind_the_version_change_nothing(tmp_path: Path) -> None:
    clone = Clone.new(tmp_path / "r")
    assert clone.mvc("--version", "add").out == clone.mvc("--version").out


def test_the_version_as_json(tmp_path: Path) -> None:
    clone = Clone(tmp_path)
    assert clone.json("--version") == {"version": clone.mvc("--version").out.split()[1]}


def test_json_is_the_only_thing_on_stdout_and_advice_the_only_thing_left_out(tmp_path: Path) -> None:
    clone = Clone.new(tmp_path / "project")
    clone.write("model.bin", 1)
    assert clone.mvc("add", "model.bin", "--json").err == ""
    assert clone.mvc("status", "--json").err == ""
