"""Metrics: recorded with a version, shown by Git, judged by a policy, and the way back to a version that worked."""

from __future__ import annotations

import json
import os
import random
import tomllib
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from modelvc.formats.text import policy
from tests.support.clone import Clone

POLICY = """
[[model]]
metrics = "metrics.json"

[[metric]]
name = "acc"
direction = "higher"
min = 0.8
max_drop = { abs = 0.01 }

[[metric]]
name = "ms"
direction = "lower"
max_rise = { abs = 2.0, rel = 0.1 }
"""


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone.new(tmp_path / "project")


def train(clone: Clone, seed: int, message: str = "", **metrics: Any) -> None:
    """A version, with what was measured on it in metrics.json."""
    clone.write("model.bin", seed)
    if metrics:
        clone.write("metrics.json", json.dumps(metrics).encode())
    clone.mvc("add", "model.bin")
    clone.git("add", "-A")
    clone.git("commit", "-qm", message or f"v{seed}")


def governed(clone: Clone, policy: str = POLICY) -> Clone:
    clone.write(".mvc/policy.toml", policy.encode())
    clone.git("add", ".mvc/policy.toml")
    clone.git("commit", "-qm", "policy")
    return clone


def metrics_of(clone: Clone, rev: str = "") -> Any:
    (found,) = clone.json("metrics", "show", *([rev] if rev else []))["models"]
    return found["metrics"]


# -- record


def test_a_file_once_named_is_looked_at_again(clone: Clone) -> None:
    clone.write("model.bin", 1)
    clone.write("out/m.yaml", b"test:\n  acc: 0.9\n")
    clone.mvc("add", "model.bin", "--metrics", "out/m.yaml")
    assert metrics_of(clone) == {"test.acc": 0.9}
    clone.git("commit", "-qm", "one")
    clone.write("model.bin", 2)
    done = clone.mvc("add", "model.bin")
    assert "out/m.yaml was not rewritten since the last version" in done.err
    assert metrics_of(clone) == {}
    clone.write("out/m.yaml", b"test:\n  acc: 0.95\n")
    clone.mvc("add", "model.bin")  # evaluated only now
    assert metrics_of(clone) == {"test.acc": 0.95}
    assert metrics_of(clone, "HEAD") == {"test.acc": 0.9}
    clone.git("commit", "-qam", "two")
    clone.write("model.bin", 3)
    clone.mvc("add", "model.bin", "--metrics", "out/m.yaml")  # a person says that it is right
    assert metrics_of(clone) == {"test.acc": 0.95}
    assert "unchanged" in clone.mvc("add", "model.bin").out


def test_a_broken_or_missing_file_is_an_error(clone: Clone) -> None:
    clone.write("model.bin", 1)
    clone.write("m.csv", b"a,b\n1\n")
    assert "m.csv is not a file of metrics: line 2" in clone.mvc("add", "model.bin", "--metrics", "m.csv", code=12).err
    assert "there is no file no.json" in clone.mvc("add", "model.bin", "--params", "no.json", code=2).err
    assert clone.git("ls-files", "*.mvc") == ""  # nothing was tracked


def test_set_remove_params_and_predictions(clone: Clone) -> None:
    train(clone, 1)
    clone.write("p.toml", b"lr = 0.1\n[net]\nlayers = 3\n")
    clone.write("preds.csv", b"id,y_true,y_pred\n1,a,a\n2,b,a\n")
    found = clone.json(
        "metrics", "set", "model.bin", "acc=0.5", "x=1", "--params", "p.toml", "--predictions", "preds.csv"
    )
    assert (found["metrics"], found["params"], found["rows"]) == ({"acc": 0.5, "x": 1}, {"lr": 0.1, "net.layers": 3}, 2)
    assert clone.json("metrics", "set", "model.bin", "--remove", "x")["metrics"] == {"acc": 0.5}
    clone.mvc("metrics", "set", "model.bin", "--remove", "x", code=2)
    clone.mvc("metrics", "set", "model.bin", code=2)
    assert clone.git("diff", "--cached", "--name-only") == "model.bin.mvc\n"
    assert "0.1" in clone.mvc("metrics", "show", "--params").out
    clone.write("bad.csv", b"id,y_true\n1,a\n")
    assert "line 1" in clone.mvc("metrics", "set", "model.bin", "--predictions", "bad.csv", code=12).err


def test_predictions_are_a_file(clone: Clone) -> None:
    train(clone, 1)
    os.mkfifo(clone.path / "pipe")
    for name in ("pipe", "."):
        said = clone.mvc("metrics", "set", "model.bin", "--predictions", name, code=2).err
        assert f"{name} is not a regular file" in said


def test_predictions_travel_with_the_model(clone: Clone, tmp_path: Path) -> None:
    clone.mvc("remote", "add", "origin", str(tmp_path / "far"))
    clone.write("preds.csv", b"id,y_true,y_pred\n1,a,a\n")
    train(clone, 1)
    clone.mvc("metrics", "set", "model.bin", "--predictions", "preds.csv")
    clone.git("commit", "-qam", "predictions")
    clone.mvc("push")
    clone.let_go()
    assert clone.json("fsck")["problems"] == []
    other = Clone(tmp_path / "other")
    other.path.mkdir()
    other.git("clone", "-q", str(clone.path), ".")
    other.mvc("install", "--trust")
    other.mvc("pull")
    said = tomllib.loads((other.path / "model.bin.mvc").read_text())["predictions"]["oid"]
    assert [*(other.path / ".git/mvc/store/b").glob(f"*/{said.removeprefix('blake3:')}")]
    assert other.json("fsck")["problems"] == []


# -- show


def test_diff_says_what_is_better(clone: Clone) -> None:
    governed(clone)
    train(clone, 1, acc=0.9, ms=10, other=1)
    train(clone, 2, acc=0.95, ms=12, other=2)
    out = clone.mvc("diff", "HEAD~1..HEAD").out
    rows = [line.split() for line in out.splitlines()]
    assert ["model.bin", "acc", "0.9", "0.95", "+0.05", "↑", "better"] in rows
    assert ["model.bin", "ms", "10", "12", "+2", "↑", "worse"] in rows
    assert out.splitlines()[-1].split() == ["model.bin", "other", "1", "2", "+1"]
    assert "| model.bin | acc | 0.9 | 0.95 | +0.05 | ↑ better |" in clone.mvc("diff", "HEAD~1..HEAD", "--md").out
    shown = clone.git("show", "HEAD", "--", "model.bin.mvc")
    assert "-acc = 0.9\n" in shown
    assert "+acc = 0.95\n" in shown
    assert "blake3" not in shown


def test_log_filters(clone: Clone) -> None:
    governed(clone)
    for seed, acc in ((1, 0.85), (2, 0.95), (3, 0.9)):
        clone.env["GIT_COMMITTER_DATE"] = f"200{seed}-01-01T00:00:00Z"
        train(clone, seed, acc=acc, ms=seed, other=1)

    def subjects(*words: str) -> list[str]:
        return [one["subject"] for one in clone.json("log", "model.bin", *words)["versions"]]

    assert subjects() == ["v3", "v2", "v1"]
    assert subjects("--where", "acc >= 0.9 and ms < 3") == ["v2"]
    assert subjects("--best", "acc") == ["v2"]
    assert subjects("--best", "ms") == ["v1"]
    assert subjects("--since", "2001-06-01") == ["v3", "v2"]
    assert subjects("--since", "1 week ago") == []
    assert subjects("--where", "acc > 0.8", "-n", "2") == ["v3", "v2"]

    def head(*words: str) -> list[str]:
        return clone.mvc("log", *words).out.splitlines()[0].split()[5:-1]

    clone.write("model.bin", 4)
    clone.mvc("add", "model.bin", *(f"-m{name}={at}" for at, name in enumerate(["a", "b", "c", "d", "ms", "acc"])))
    clone.git("commit", "-qm", "v4")
    assert head() == ["ms", "acc", "a", "b"], "what the policy judges comes first"
    assert head("--where", "d > 0 and other != 1 or d > 0") == ["d", "ms", "acc", "a"]
    assert head("--metric", "c", "--metric", "a*") == ["c", "a", "acc"]
    assert (
        clone.mvc("log", "--metric", "x", code=10).err
        == "error: no version has x\nhint: known metrics: a, b, c, d, ms, acc, other\n"
    )
    assert "the policy does not say which way other is better" in clone.mvc("log", "--best", "other", code=2).err
    assert "(column 5)" in clone.mvc("log", "--where", "acc => 1", code=2).err


def test_commit_messages(clone: Clone) -> None:
    governed(clone)
    train(clone, 1, acc=0.9)
    clone.write("model.bin", 2)
    clone.write("metrics.json", b'{"acc": 0.95}')
    clone.mvc("add", "model.bin")
    done = clone.run("git", "commit", "-qm", "no editor")
    assert "mvc: model.bin: acc 0.9 -> 0.95 (better)" in done.err
    assert clone.git("log", "-1", "--format=%B").strip() == "no editor"
    clone.env["GIT_EDITOR"] = 'cp "$1" ../message; true'
    script = clone.path.parent / "editor"
    script.write_text(f'#!/bin/sh\ncp "$1" {clone.path.parent}/message\n')
    script.chmod(0o755)
    clone.env["GIT_EDITOR"] = str(script)
    clone.git("commit", "-q", "--amend")
    message = (clone.path.parent / "message").read_text()
    assert "# What this commit does to metrics:\n#   model.bin: acc 0.9 -> 0.95 (better)\n" in message
    assert clone.git("log", "-1", "--format=%B").strip() == "no editor"
    clone.git("commit", "-q", "--amend", "-v")  # above the diff, which may be long
    lines = (clone.path.parent / "message").read_text().splitlines()
    assert lines.index("#   model.bin: acc 0.9 -> 0.95 (better)") < lines.index(
        "diff --git a/model.bin.mvc b/model.bin.mvc"
    )
    clone.git("-c", "core.commentChar=;", "commit", "-q", "--amend")
    assert ";   model.bin: acc 0.9 -> 0.95 (better)\n" in (clone.path.parent / "message").read_text()
    assert clone.git("log", "-1", "--format=%B").strip() == "no editor"
    clone.git("commit", "-q", "--amend", "-v", "--cleanup=scissors")
    assert clone.git("log", "-1", "--format=%B").strip() == "no editor"


def test_a_metric_may_be_called_what_a_pointer_calls_its_own(clone: Clone) -> None:
    """The shim decides in shell whether a commit changes metrics at all."""
    for seed, size in ((1, 5), (2, 6)):
        clone.write("model.bin", seed)
        clone.mvc("add", "model.bin", "-m", f"size={size}")
        done = clone.run("git", "commit", "-qm", f"v{seed}")
    assert done.err == "mvc: model.bin: size 5 -> 6\n"
    clone.write("model.bin", 3)
    clone.mvc("add", "model.bin", "-m", "size=6")
    assert clone.run("git", "commit", "-qm", "v3").err == ""


def test_trailers_are_never_repeated(clone: Clone) -> None:
    config = clone.read(".mvc/config.toml").replace(b"[hooks]\n", b'[hooks]\ncommit_metrics = "trailer"\n')
    clone.write(".mvc/config.toml", config)
    governed(clone)
    train(clone, 1, acc=0.9)
    for _ in range(2):
        assert clone.git("log", "-1", "--format=%B").count("Metric: model.bin acc 0.9 (new)") == 1
        clone.write("model.bin", 1_000)
        clone.mvc("add", "model.bin", "-m", "acc=0.9")
        clone.git("commit", "-q", "--amend", "--no-edit")
    train(clone, 2, acc=0.95)
    line = "Metric: model.bin acc 0.9 -> 0.95"
    assert clone.git("log", "-1", "--format=%B").count(line) == 1
    clone.git("commit", "-q", "--amend", "--no-edit")
    assert clone.git("log", "-1", "--format=%B").count(line) == 1

    def said() -> list[str]:
        return [one for one in clone.git("log", "-1", "--format=%B").splitlines() if one.startswith("Metric")]

    def amended(acc: float) -> list[str]:
        clone.write("model.bin", int(acc * 1_000))
        clone.mvc("add", "model.bin", "-m", f"acc={acc}")
        clone.git("commit", "-q", "--amend", "--no-edit")
        return said()

    assert amended(0.96) == ["Metric: model.bin acc 0.9 -> 0.96"]
    assert amended(0.9) == [], "nothing changed after all"
    assert amended(0.97) == ["Metric: model.bin acc 0.9 -> 0.97"]
    train(clone, 3, acc=0.98)
    clone.env |= {"GIT_SEQUENCE_EDITOR": "sed -i 2s/pick/squash/", "GIT_EDITOR": "true"}
    clone.git("rebase", "-q", "-i", "HEAD~2")
    assert said() == ["Metric: model.bin acc 0.9 -> 0.98"]
    clone.env["GIT_SEQUENCE_EDITOR"] = "sed -i 1s/pick/edit/"
    clone.git("rebase", "-q", "-i", "HEAD~1")
    assert amended(0.99) == ["Metric: model.bin acc 0.9 -> 0.99"]
    clone.git("rebase", "--continue")
    clone.git("switch", "-qc", "other", "HEAD~1")
    train(clone, 4, acc=0.8)
    clone.git("switch", "-q", "main")
    clone.git("rebase", "-q", "other", code=1)
    clone.mvc("resolve", "model.bin", "--theirs")
    clone.git("checkout", "-q", "--theirs", "metrics.json")
    clone.git("add", "metrics.json")
    clone.git("rebase", "--continue")
    assert said() == ["Metric: model.bin acc 0.8 -> 0.99"], "of what it is based on now"


def test_a_merge_says_what_it_did(clone: Clone) -> None:
    governed(clone)
    train(clone, 1, acc=0.9)
    clone.git("checkout", "-qb", "side")
    train(clone, 2, acc=0.95)
    clone.git("checkout", "-q", "main")
    done = clone.run("git", "merge", "-q", "side")
    assert "mvc: model.bin: acc 0.9 -> 0.95 (better)" in done.err


# -- gate


def test_floors_drops_and_exit_codes(clone: Clone) -> None:
    train(clone, 1)
    assert clone.mvc("check", code=2).err == (
        "error: there is no .mvc/policy.toml\n"
        'hint: write a line each into it: [[metric]] · name = "accuracy" · direction = "higher" · '
        "max_drop = { abs = 0.01 } (more: mvc help policy)\n"
    )
    shortest = policy.SHORTEST.replace(" · ", "\n").encode()
    assert policy.parse(shortest).rules[0].margin == policy.Margin(absolute=0.01), "what the hint says is a policy"
    governed(clone)
    assert "is not recorded" in clone.mvc("check", code=1).out
    train(clone, 2, acc=0.9, ms=10)
    assert clone.mvc("check").out.splitlines()[-1] == "pass: 2 pass (against previous)"
    train(clone, 3, acc=0.895, ms=11)  # within both margins
    clone.mvc("check")
    train(clone, 4, acc=0.88, ms=11)
    out = clone.mvc("check", code=1).out
    assert "got worse by 0.015, of which 0.01 is allowed" in out
    same = clone.mvc("check", "--against", "HEAD", code=0).out
    assert "+0  is the same\n" in same, same
    assert clone.json("check", "--against", "HEAD~2", code=1)["outcome"] == "fail"
    assert clone.json("check", "--against", "best", code=1)["verdicts"][0]["old"] == 0.9
    assert clone.json("check", "--rev", "HEAD~1")["commit"]
    train(clone, 5, ms=11)
    assert "is no longer recorded" in clone.mvc("check", code=1).out
    train(clone, 6, acc=float("nan"), ms=11)
    assert "is nan" in clone.mvc("check", code=1).out
    clone.write(".mvc/policy.toml", b'[[metric]]\nname = "acc"\n')
    assert "line 1: direction is missing" in clone.mvc("check", code=2).err


def test_metrics_that_a_text_merge_joined_are_never_gated_on(clone: Clone) -> None:
    """Another version's metrics: a mismatch is shown as stale, and fails."""
    governed(clone)
    train(clone, 1, acc=0.9, ms=1)
    train(clone, 2, acc=0.95, ms=1)
    old, new = (clone.git("show", f"{rev}:model.bin.mvc") for rev in ("HEAD~1", "HEAD"))
    joined = new.partition("\n\n[metrics]")[0] + "\n\n[metrics]" + old.partition("\n\n[metrics]")[2]
    clone.write("model.bin.mvc", joined.encode())
    assert "was measured on another version" in clone.mvc("check", code=1).out
    assert "stale" in clone.mvc("metrics", "show").out
    assert "stale" in clone.mvc("status").out


def predictions(path: Path, accuracy: float, seed: int, rows: int = 1_000, flip: int = 0) -> float:
    chooser, right, lines = random.Random(seed), 0, ["id,y_true,y_pred"]
    for row in range(rows):
        truth = (row * 7) % 2
        said = truth if chooser.random() < accuracy else 1 - truth
        right += said == truth
        lines.append(f"{row},{truth if row >= flip else 1 - truth},{said}")
    path.write_text("\n".join(lines) + "\n")
    return right / rows


PAIRED = '[[metric]]\nname = "accuracy"\ndirection = "higher"\ntest = "paired"\nmax_drop = { abs = 0.05 }\n'


def test_row_by_row(clone: Clone, tmp_path: Path) -> None:
    governed(clone, PAIRED)
    clone.mvc("remote", "add", "origin", str(tmp_path / "far"))

    def version(seed: int, accuracy: float, rows: int = 1_000, flip: int = 0) -> Any:
        value = predictions(clone.path / "p.csv", accuracy, seed, rows, flip)
        clone.write("model.bin", seed)
        clone.mvc("add", "model.bin", "-m", f"accuracy={value}", "--predictions", "p.csv")
        clone.git("add", "-A")
        clone.git("commit", "-qm", f"v{seed}")

    version(1, 0.9)
    version(2, 0.9)
    found = clone.json("check")["verdicts"][0]
    assert (found["outcome"], found["rows"]) == ("pass", 1_000)
    assert found["interval"][0] < found["change"] < found["interval"][1]
    assert found["interval"][0] > -0.05
    version(3, 0.7)
    assert "a loss of more than 0.05 is shown" in clone.mvc("check", code=1).out
    version(4, 0.7, rows=1_000, flip=3)  # the labels of three rows are others
    clone.mvc("metrics", "set", "model.bin", "accuracy=0.7")
    out = clone.mvc("check", code=3).out
    assert "the test set changed: y_true differs in 3 of 1,000 rows" in out
    clone.git("commit", "-qam", "measured")
    clone.git("push", "-q", str(tmp_path / "nowhere.git"), "main", code=128)
    clone.mvc("push", "--all")
    # a clone that has fetched nothing gets the predictions that it needs, and says when it cannot
    other = Clone(tmp_path / "other")
    other.path.mkdir()
    other.git("clone", "-q", str(clone.path), ".")
    other.mvc("install", "--trust")
    assert other.json("check", "--rev", "HEAD~3", code=0)["verdicts"][0]["rows"] == 1_000
    (tmp_path / "far").rename(tmp_path / "gone")
    third = Clone(tmp_path / "third")
    third.path.mkdir()
    third.git("clone", "-q", str(clone.path), ".")
    third.mvc("install", "--trust")
    gone = third.mvc("check", "--rev", "HEAD~3", code=10).err  # never "not enough data"
    assert gone.startswith("error: the file of predictions of model.bin (")
    config = third.read(".mvc/config.toml").decode().replace(f'url = "{tmp_path}/far"', 'url = "s3://bucket/x"')
    third.write(".mvc/config.toml", config.replace('/x"\n', '/x"\nendpoint_url = "http://127.0.0.1:9"\n').encode())
    third.mvc("trust", "origin")
    third.env |= {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    assert "cannot reach http://127.0.0.1:9" in third.mvc("check", "--rev", "HEAD~3", code=13).err


def test_small_test_sets_are_not_enough(clone: Clone) -> None:
    governed(clone, PAIRED + 'on_inconclusive = "warn"\n')
    for seed in (1, 2):
        value = predictions(clone.path / "p.csv", 0.9, seed, rows=40)
        clone.write("model.bin", seed)
        clone.mvc("add", "model.bin", "-m", f"accuracy={value}", "--predictions", "p.csv")
        clone.git("add", "-A")
        clone.git("commit", "-qm", f"v{seed}")
    done = clone.mvc("check")
    assert "warn" in done.out
    assert "not enough data: 40 rows do not decide" in done.out
    assert "would" in done.out
    clone.write(".mvc/policy.toml", PAIRED.encode())
    clone.mvc("check", code=3)


AUC = '[[metric]]\nname = "auc"\ndirection = "higher"\ntest = "paired"\nmin = 0.8\nmax_drop = { abs = 0.6 }\n'


def scored(clone: Clone, auc: float, *scores: str) -> None:
    """A version whose AUC is said to be AUC; SCORES are those of 80 rows, in turns."""
    lines = [f"{row},{row % 2},{row % 2},{scores[row % len(scores)]}" for row in range(80)]
    clone.write("p.csv", "\n".join(["id,y_true,y_pred,y_score", *lines, ""]).encode())
    clone.write("model.bin", scores[0].encode())
    clone.mvc("add", "model.bin", "-m", f"auc={auc}", "--predictions", "p.csv")
    clone.git("add", "-A")
    clone.git("commit", "-qm", scores[0])


def test_rounded_scores_are_no_way_below_a_floor(clone: Clone) -> None:
    governed(clone, AUC)
    scored(clone, 1.0, "0.1234567891", "0.9876543219")
    scored(clone, 0.9, "0.5")  # rounded so far that nothing contradicts any AUC
    found = clone.json("check", code=3)["verdicts"][0]
    assert "rounded predictions give 0.5, which is below its floor 0.8" in found["why"]
    clone.write(".mvc/policy.toml", f'{AUC}on_inconclusive = "warn"\n'.encode())
    clone.mvc("check", code=3)


def test_a_loss_by_the_numbers_is_no_warning_where_rows_tell_nothing(clone: Clone) -> None:
    governed(clone, AUC.replace("0.6", "0.01").replace("min = 0.8\n", "") + 'on_inconclusive = "warn"\n')
    scored(clone, 1.0, "0.1234567891", "0.9876543219")
    scored(clone, 0.5, "0.123456789", "", "0.123456789", "0.123456789")
    found = clone.json("check", code=3)["verdicts"][0]
    assert (found["outcome"], found["warn"], found["change"]) == ("inconclusive", False, -0.5)
    assert found["why"] == "not enough data: 20 rows of 80 lack a value"
    clone.mvc("metrics", "set", "model.bin", "auc=1.0")
    assert "warn" in clone.mvc("check").out


def test_reports(clone: Clone, tmp_path: Path) -> None:
    from xml.etree import ElementTree as ET

    governed(clone)
    train(clone, 1, acc=0.9, ms=10)
    train(clone, 2, acc=0.7, ms=10)
    clone.env["GITHUB_STEP_SUMMARY"] = str(tmp_path / "summary.md")
    files = [f"--output={form}={tmp_path}/{form}" for form in ("junit", "md", "json", "openmetrics", "text")]
    out = clone.mvc("check", "--format", "github", *files, code=1).out
    assert out.splitlines()[0] == "::error file=model.bin.mvc,title=acc%3A fail::is below its floor 0.8"
    assert "model.bin" in (tmp_path / "summary.md").read_text()
    suite = ET.parse(tmp_path / "junit").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    cases = {case.get("name"): case for case in suite.iter("testcase")}
    failure = cases["acc"].find("failure")
    assert failure is not None
    assert "old: 0.9\nnew: 0.7" in (failure.text or "")
    assert {one.name for one in text_string_to_metric_families((tmp_path / "openmetrics").read_text())} == {
        "mvc_metric",
        "mvc_check_ok",
    }
    assert cases["ms"].find("failure") is None
    assert json.loads((tmp_path / "json").read_text())["outcome"] == "fail"
    assert 'mvc_check_ok{model="model.bin",metric="acc"} 0\n' in (tmp_path / "openmetrics").read_text()
    assert (tmp_path / "openmetrics").read_text().endswith("# EOF\n")
    assert "| ❌ | model.bin | acc | 0.9 | 0.7 |" in (tmp_path / "md").read_text()
    clone.mvc("check", "--output", "pdf=x", code=2)
    known = "error: --format takes text, json, md"
    assert clone.mvc("status", "--format", "junit", code=2).err.startswith(f"{known}, not junit\n")
    assert clone.mvc("check", "--format", "xml", code=2).err.startswith(
        f"{known}, junit, github, openmetrics, not xml\n"
    )


def test_a_push_asks_the_policy(clone: Clone, tmp_path: Path) -> None:
    clone.git("init", "-q", "--bare", str(tmp_path / "server"))
    clone.git("remote", "add", "origin", str(tmp_path / "server"))
    clone.mvc("remote", "add", "origin", str(tmp_path / "far"))
    governed(clone)
    train(clone, 1, acc=0.9, ms=1)
    assert "is below" not in clone.run("git", "push", "-q", "origin", "main").err
    train(clone, 2, acc=0.5, ms=1)
    assert "acc is below its floor 0.8" in clone.run("git", "push", "-q", "origin", "main").err
    config = clone.read(".mvc/config.toml").replace(b"[hooks]\n", b'[hooks]\ngate = "block"\n')
    clone.write(".mvc/config.toml", config)
    train(clone, 3, acc=0.4, ms=1)
    done = clone.run("git", "push", "-q", "origin", "main", code=1)
    assert "git push --no-verify" in done.err
    clone.git("push", "-q", "--no-verify", "origin", "main")


def test_a_policy_that_can_not_be_read_stops_a_push_only_where_it_is_to(clone: Clone, tmp_path: Path) -> None:
    clone.git("init", "-q", "--bare", str(tmp_path / "server"))
    clone.mvc("remote", "add", "origin", str(tmp_path / "far"))
    governed(clone)
    for seed in (1, 2):
        train(clone, seed, acc=0.9, ms=1)
    clone.write(".mvc/policy.toml", f"{POLICY}mni = 3\n".encode())
    broken = 'mvc: the models could not be checked: .mvc/policy.toml, line 15: there is no key "mni"'
    done = clone.run("git", "push", "-q", str(tmp_path / "server"), "main~1:refs/heads/main")
    assert broken in done.err
    assert "mvc: pushed anyway (hooks.gate is warn); see `mvc check`" in done.err
    clone.write(".mvc/config.toml", clone.read(".mvc/config.toml").replace(b"[hooks]\n", b'[hooks]\ngate = "block"\n'))
    done = clone.run("git", "push", "-q", str(tmp_path / "server"), "main", code=1)
    assert broken in done.err
    assert "`git push --no-verify` pushes anyway" in done.err


# -- roll back


def test_back_to_the_newest_that_keeps_the_bounds(clone: Clone) -> None:
    governed(clone)
    for seed, acc in ((1, 0.9), (2, 0.91), (3, 0.5), (4, 0.4)):
        train(clone, seed, acc=acc, ms=1)
    found = clone.json("rollback", "model.bin", "--dry-run")
    assert [(one["metrics"]["acc"], one["fits"]) for one in found["candidates"]] == [
        (0.5, False),
        (0.91, True),
        (0.9, True),
    ]
    assert clone.git("status", "--short") == ""
    done = clone.mvc("rollback", "model.bin")
    assert "acc  0.4 -> 0.91" in done.out
    assert "the code is unchanged" in done.err
    assert clone.agrees()
    assert clone.git("diff", "--cached", "--name-only") == "model.bin.mvc\n"
    assert clone.git("show", ":model.bin.mvc") == clone.git("show", "HEAD~2:model.bin.mvc")  # as it was
    clone.git("commit", "-qm", "back")
    done = clone.mvc("rollback", "model.bin", "--commit")  # further back, never to the bad one
    assert "acc  0.91 -> 0.9" in done.out
    assert clone.git("log", "-1", "--format=%s").startswith("Roll back model.bin to ")
    assert clone.mvc("rollback", "model.bin", code=10).err.startswith(
        "error: no other version of model.bin fits: it is the first version; "
    )


def test_back_past_what_failed_although_it_keeps_its_bounds(clone: Clone) -> None:
    """What `mvc check` fails for what it lost is no version that worked."""
    governed(clone, POLICY.replace("min = 0.8\n", ""))
    for seed, (acc, ms) in enumerate([(0.9, 5), (0.95, 5), (0.91, 5), (0.905, 9), (0.9, 9)], 1):
        train(clone, seed, acc=acc, ms=ms)
    clone.mvc("check", "--rev", "HEAD~2", code=1)
    out = clone.mvc("rollback", "model.bin", "--dry-run").out.splitlines()
    assert out[1].endswith("ms got worse by 4, of which 2 is allowed")
    assert out[2].endswith("acc got worse by 0.04, of which 0.01 is allowed")
    assert out[3].split()[0] == "->"
    assert "acc  0.9 -> 0.95" in clone.mvc("rollback", "model.bin").out
    clone.git("commit", "-qm", "back")
    clone.write(".mvc/policy.toml", b"[[metric]\n")
    assert "is not valid TOML" in clone.mvc("rollback", "model.bin", code=2).err
    assert "the one 1 version back" in clone.mvc("rollback", "model.bin", "--steps", "1").out, "at night, all the same"
    assert "the one of HEAD~1" in clone.mvc("rollback", "model.bin", "--to", "HEAD~1").out
    assert (
        "the newest one where acc > 0.94, of the 4 other versions that `mvc log` shows"
        in clone.mvc("rollback", "model.bin", "--where", "acc > 0.94").out
    )
    clone.write(".mvc/policy.toml", b'[[metric]]\nname = "n*"\ndirection = "higher"\n')
    done = clone.mvc("rollback", "model.bin", code=10)
    assert done.err.startswith("error: no other version of model.bin fits: none of the ")
    assert "n* names no metric that is recorded" in clone.mvc("rollback", "model.bin", "--dry-run").out


def test_other_ways_to_choose(clone: Clone) -> None:
    for seed, acc in ((1, 0.95), (2, 0.91), (3, 0.5)):
        train(clone, seed)
        clone.mvc("metrics", "set", "model.bin", f"acc={acc}")
        clone.git("commit", "-qam", f"measured {seed}")
    assert "there is no policy" in clone.mvc("rollback", "model.bin").out
    clone.mvc("checkout", "HEAD", "model.bin")
    assert "0.5 -> 0.95" in clone.mvc("rollback", "model.bin", "--where", "acc > 0.92").out
    clone.mvc("checkout", "HEAD", "model.bin")
    assert "0.5 -> 0.95" in clone.mvc("rollback", "model.bin", "--steps", "2").out
    clone.mvc("checkout", "HEAD", "model.bin")
    assert "0.5 -> 0.91" in clone.mvc("rollback", "model.bin", "--to", "HEAD~2").out
    clone.mvc("checkout", "HEAD", "model.bin")
    clone.mvc("rollback", "model.bin", "--best", "acc", code=2)
    governed(clone)
    assert "0.5 -> 0.95" in clone.mvc("rollback", "model.bin", "--best", "acc").out
    clone.mvc("rollback", "model.bin", "--best", "acc", "--steps", "1", code=2)
    clone.mvc("rollback", "model.bin", "--steps", "9", code=10)


def test_a_rollback_fetches_and_loses_nothing(clone: Clone, tmp_path: Path) -> None:
    clone.mvc("remote", "add", "origin", str(tmp_path / "far"))
    train(clone, 1)
    train(clone, 2)
    clone.mvc("push", "--all")
    other = Clone(tmp_path / "other")
    other.path.mkdir()
    other.git("clone", "-q", str(clone.path), ".")
    other.mvc("install", "--trust")
    other.mvc("pull")
    other.write("model.bin", 9)
    other.mvc("rollback", "model.bin", code=11)  # what was trained is in no store
    other.mvc("checkout", "--force", "model.bin")
    other.mvc("rollback", "model.bin")
    assert other.agrees()
    assert other.read("model.bin") == random.Random(1).randbytes(200_000)


def test_bisect_finds_the_commit_that_made_it_worse(clone: Clone) -> None:
    for seed, acc in ((1, 0.9), (2, 0.9), (3, 0.9), (4, 0.6), (5, 0.6)):
        clone.write("model.bin", seed)
        clone.mvc("add", "model.bin", "-m", f"acc={acc}", "-m", "ms=1")
        clone.git("commit", "-qm", f"v{seed}")
    governed(clone)  # the policy came late: the bad end's is used throughout
    clone.git("bisect", "start", "HEAD", "HEAD~5")
    out = clone.git("bisect", "run", "mvc", "check", "--bisect")
    assert "is the first bad commit" in out
    assert "v4" in clone.git("show", "-s", "--format=%s", "refs/bisect/bad")
    clone.git("bisect", "reset")
    assert "there is no bisection under way" in clone.mvc("check", "--bisect", code=128).err  # 2 were "bad" to Git


def test_bisect_judges_by_the_ends_with_which_it_began(clone: Clone) -> None:
    """Git moves its bad end to commits that are older than the policy, and to some where nothing can be judged."""
    for seed, acc in enumerate((0.9, 0.9, 0.6, 0.6, 0.6), 1):
        clone.write("model.bin", seed)
        clone.mvc("add", "model.bin", "-m", f"acc={acc}", "-m", "ms=1")
        clone.git("commit", "-qm", f"v{seed}")
    governed(clone)
    clone.git("bisect", "start", "--term-new", "worse", "--term-old", "fine", "HEAD", "HEAD~5")
    out = clone.git("bisect", "run", "mvc", "check", "--bisect")
    assert "v3" in out.split("is the first worse commit")[1]
    assert "model.bin: acc is below its floor 0.8\nfail: 1 pass, 1 fail (against " in out


def test_bisect_blames_nobody_when_nothing_is_bad(clone: Clone) -> None:
    for seed in (1, 2, 3):
        clone.write("model.bin", seed)
        clone.mvc("add", "model.bin", "-m", "acc=0.9", "-m", "ms=1")
        clone.git("commit", "-qm", f"v{seed}")
    governed(clone)
    clone.git("bisect", "start", "HEAD", "HEAD~3")
    said = clone.mvc("check", "--bisect", code=128).err
    head = clone.git("rev-parse", "main")[:10]
    assert f"the bad end, {head}, does not fail the policy: there is nothing to search for" in said
    assert f"mvc check --rev {head} --against " in said
    assert "first bad commit" not in clone.run("git", "bisect", "run", "mvc", "check", "--bisect", code=128).out


def test_bisect_takes_no_failure_for_bad(clone: Clone) -> None:
    train(clone, 1, acc=0.9)
    clone.git("bisect", "start", "HEAD")
    assert "bad end has a .mvc/policy.toml" in clone.mvc("check", "--bisect", code=128).err
    clone.write(".mvc/policy.toml", b"[[metric]\n")
    clone.git("add", ".mvc/policy.toml")
    clone.git("commit", "-qnm", "policy")  # the hook refuses it
    clone.git("bisect", "reset")
    clone.git("bisect", "start", "HEAD", "HEAD~1")
    assert "is not valid TOML" in clone.mvc("check", "--bisect", code=128).err
    clone.git("bisect", "reset")
    governed(clone)
    clone.git("bisect", "start", "HEAD")
    clone.git("rm", "-q", "model.bin.mvc")
    clone.git("commit", "-qm", "none to judge")
    assert "skipped: the policy names no metric" in clone.mvc("check", "--bisect", code=125).err


# -- a clone that has half of history


def test_a_shallow_clone_says_what_to_fetch(clone: Clone, tmp_path: Path) -> None:
    governed(clone)
    for seed, acc in ((1, 0.9), (2, 0.95), (3, 0.91), (4, 0.915)):
        train(clone, seed, acc=acc, ms=5)
    clone.git("tag", "good", "HEAD~2")
    clone.git("switch", "-qc", "feature", "HEAD~1")
    train(clone, 5, acc=0.85, ms=5)
    shallow = Clone(tmp_path / "shallow")
    shallow.path.mkdir()
    shallow.git("clone", "-q", "--depth", "1", "--no-single-branch", clone.path.as_uri(), ".")
    hint = "hint: git fetch --deepen=100, or --unshallow for all of it (in pipelines: fetch the whole history)\n"
    oid = clone.json("show", "HEAD~1:model.bin")["oid"].removeprefix("blake3:")[:10]
    for against, missing in (
        ((), f"the version of model.bin before this one ({oid})"),
        (("--against", "origin/main..."), "where origin/main... parted"),
        (("--against", "best"), "the whole history of model.bin"),
    ):
        done = shallow.mvc("check", *against, code=14)
        assert done.err == f"error: {missing} is not in this shallow clone\n{hint}"
        assert done.out == ""
    assert shallow.mvc("check", "--against", "origin/main", code=1).err == "", "that commit is there"
    shallow.git("fetch", "-q", "--deepen=100")
    for against in ((), ("--against", "origin/main..."), ("--against", "best"), ("--against", "good")):
        assert "1 fail" in shallow.mvc("check", *against, code=1).out


def test_a_first_version_in_a_shallow_clone_has_its_floors(clone: Clone, tmp_path: Path) -> None:
    governed(clone)
    train(clone, 1, acc=0.9, ms=5)
    shallow = Clone(tmp_path / "shallow")
    shallow.path.mkdir()
    shallow.git("clone", "-q", "--depth", "1", clone.path.as_uri(), ".")
    assert "2 pass" in shallow.mvc("check").out


# -- what was mistyped, or left out


def test_a_metric_that_nobody_measured(clone: Clone) -> None:
    governed(clone)
    train(clone, 1, acc=0.9, ms=5)
    train(clone, 2, acc=0.91, ms=5)
    unknown = "error: no version of model.bin has a number for auc\nhint: did you mean acc? known metrics: acc, ms\n"
    assert clone.mvc("log", "--best", "auc", code=10).err == unknown
    done = clone.mvc("log", "--where", "auc > 0.5")
    assert (done.out, done.err) == ("no version fits\n", "no version has auc; known metrics: acc, ms\n")
    assert clone.mvc("log", "--where", "acc > 5").err == ""
    assert clone.mvc("rollback", "model.bin", "--best", "auc", code=10).err == unknown
    assert clone.mvc("rollback", "model.bin", "--where", "auc > 0", code=10).err == unknown
    assert (
        "fits: none of the 1 other version that `mvc log` shows meets that\n"
        in clone.mvc("rollback", "model.bin", "--where", "acc > 5", code=10).err
    )
    clone.write(".mvc/policy.toml", POLICY.replace('"acc"', '"acuracy"').encode())
    assert "is not recorded (known metrics: acc, ms)" in clone.mvc("check", code=1).out


def test_the_best_where_another_model_has_no_metrics(clone: Clone) -> None:
    only = 'model = "model.bin"\n'
    governed(clone, POLICY.replace("metrics = ", f"{only}metrics = ").replace('name = "acc"', f'{only}name = "acc"'))
    train(clone, 1, acc=0.9, ms=5)
    for name in ("a.bin", "z.bin"):
        clone.write(name, 1)
        clone.mvc("add", name)
    clone.git("commit", "-qm", "models without metrics")
    assert [one["path"] for one in clone.json("log", "--best", "acc")["versions"]] == ["model.bin"]
    unknown = "error: no version of z.bin has a number for acc\nhint: known metrics: none; add one with"
    assert clone.mvc("log", "--best", "acc", "z.bin", code=10).err == f"{unknown} `mvc add PATH -m NAME=NUMBER`\n"


def test_what_the_version_before_had_is_missed(clone: Clone) -> None:
    clone.write("params.yaml", b"depth: 3\n")
    clone.write("preds.csv", b"id,y_true,y_pred\n1,0,0\n2,1,1\n")
    clone.write("model.bin", 1)
    clone.mvc("add", "model.bin", "-m", "acc=0.9", "--params", "params.yaml", "--predictions", "preds.csv")
    clone.git("commit", "-qm", "v1")
    shown = clone.mvc("show", "model.bin").out.splitlines()[-4:-1]  # the last says what is inside
    assert shown == ["metrics      acc = 0.9", "params       depth = 3", "predictions  of 2 rows"]
    assert clone.mvc("show", "HEAD", "model.bin").out == clone.mvc("show", "HEAD:model.bin").out
    assert clone.mvc("show", "HEAD", "model.bin", "x", code=2).err.endswith("hint: mvc show [REV:]PATH\n")
    clone.write("model.bin", 2)
    words = "the version before had {}: name them again, or once for all in .mvc/policy.toml ([[model]])\n"
    assert words.format("metrics and parameters and predictions") in clone.mvc("add", "model.bin").err
    assert words.format("parameters and predictions") in clone.mvc("add", "model.bin", "-m", "acc=0.8").err
    all_of_it = ("-m", "acc=0.8", "--params", "params.yaml", "--predictions", "preds.csv")
    assert "the version before" not in clone.mvc("add", "model.bin", *all_of_it).err
    clone.git("commit", "-qm", "v2")
    assert "the version before" not in clone.mvc("add", "model.bin").err


def test_a_rollback_that_leaves_nothing_to_commit(clone: Clone) -> None:
    for seed in (1, 2):
        train(clone, seed)
    clone.git("commit", "-q", "--allow-empty", "-m", "x")
    clone.mvc("rollback", "model.bin")
    clone.git("commit", "-qm", "back")
    clone.mvc("checkout", "HEAD~1", "model.bin")
    done = clone.mvc("rollback", "model.bin", "--commit")
    assert done.err.endswith("the last commit has that version: nothing to commit\n")
    assert clone.git("status", "--short") == ""
    assert "0 is not in the range x>=1" in clone.mvc("rollback", "model.bin", "--steps", "0", code=2).err


def test_what_another_version_left_behind_is_not_recorded_with_this_one(clone: Clone) -> None:
    """A model that came by a checkout lies beside the metrics of the one that was trained here last."""
    clone.write(".gitignore", b"/metrics.json\n")
    governed(clone)
    train(clone, 1, acc=0.9, ms=5)
    train(clone, 2, acc=0.6, ms=9)
    clone.git("checkout", "-q", "HEAD~1")
    done = clone.mvc("add", "model.bin")
    assert done.out.startswith("unchanged")
    assert "note: model.bin: metrics.json is older than the model here, so its metrics are not recorded" in done.err
    assert metrics_of(clone) == {"acc": 0.9, "ms": 5}
    clone.write("metrics.json", b'{"acc": 0.91, "ms": 5}')  # measured again
    assert clone.mvc("add", "model.bin").out.startswith("metrics recorded")
    assert metrics_of(clone)["acc"] == 0.91
    os.utime(clone.path / "metrics.json", ns=(1, 1))
    assert clone.mvc("add", "model.bin").err == "", "it is what is recorded"


def test_a_part_of_a_large_file_is_recorded_and_the_rest_is_counted(clone: Clone) -> None:
    many = {f"m{n}": n for n in range(1_500)} | {"test": {"auc": 0.9, "f1": 0.8}}
    clone.write("metrics.json", json.dumps(many).encode())
    clone.write("model.bin", 1)
    refused = clone.mvc("add", "model.bin", "--metrics", "metrics.json", code=12)
    assert "more than 1,000 metrics" in refused.err
    assert "--only 'test.*'" in refused.err
    done = clone.mvc("add", "model.bin", "--metrics", "metrics.json", "--only", "test.*")
    assert "note: model.bin: 1,500 other metrics of metrics.json are left out" in done.err
    assert metrics_of(clone) == {"test.auc": 0.9, "test.f1": 0.8}
    governed(clone, '[[model]]\nmetrics = "metrics.json"\nonly = ["m1", "*.auc"]\n')
    clone.write("metrics.json", json.dumps(many | {"m1": 7}).encode())
    clone.write("model.bin", 2)
    clone.mvc("add", "model.bin")
    assert metrics_of(clone) == {"m1": 7, "test.auc": 0.9}
    assert "--only chooses among the metrics of a file" in clone.mvc("add", "model.bin", "--only", "x", code=2).err


def rows_of(truth: list[str], said: list[str], scores: list[str] | None = None, extra: str = "") -> bytes:
    head = "id,y_true,y_pred" + (",y_score" if scores else "") + (",split" if extra else "")
    lines = [
        ",".join([str(n), *row, *([extra] if extra else [])])
        for n, row in enumerate(zip(truth, said, *([scores] if scores else []), strict=True))
    ]
    return "\n".join([head, *lines, ""]).encode()


BY_ROWS = '[[metric]]\nname = "{}"\ndirection = "higher"\nmax_drop = {{ abs = 0.05 }}\ntest = "paired"\n'


def test_the_positive_label_is_named_and_never_guessed(clone: Clone) -> None:
    governed(clone, BY_ROWS.format("f1"))
    truth = ["cancer", "healthy", "healthy", "healthy"] * 75
    right = [t if n % 10 else "healthy" for n, t in enumerate(truth)]
    recorded = 0.8888889  # of cancer: what is recorded fits to one of two labels
    for seed in (1, 2):
        clone.write("model.bin", seed)
        clone.write("p.csv", rows_of(truth, right, extra="test"))
        done = clone.mvc("add", "model.bin", "-m", f"f1={recorded}", "--predictions", "p.csv")
        assert "note: model.bin: columns of p.csv that are not predictions are ignored: split" in done.err
        clone.git("commit", "-qm", f"v{seed}")
    said = clone.mvc("check", code=3).out
    assert "nothing says which label is the positive one, cancer or healthy" in said
    clone.mvc("metrics", "set", "model.bin", "--positive", "cancer")
    assert 'positive = "cancer"' in (clone.path / "model.bin.mvc").read_text()
    assert "every prediction is the same" in clone.mvc("check").out
    governed(clone, '[[model]]\npositive = "healthy"\n' + BY_ROWS.format("f1"))
    assert "predictions give 0.967742" in clone.mvc("check", code=1).out  # the policy wins
    assert "belongs to predictions" in clone.mvc("add", clone_other(clone), "--positive", "x", code=2).err


def clone_other(clone: Clone) -> str:
    clone.write("other.bin", 5)
    return "other.bin"


def test_a_label_stays_positive_for_the_next_version(clone: Clone) -> None:
    governed(clone, '[[model]]\npredictions = "p.csv"\n' + BY_ROWS.format("f1"))
    clone.write("p.csv", rows_of(["a", "b"] * 20, ["a", "b"] * 20))
    clone.write("model.bin", 1)
    clone.mvc("add", "model.bin", "--positive", "a", "-m", "f1=1.0")
    clone.write("p.csv", rows_of(["a", "b"] * 20, ["a", "a"] * 20))
    clone.write("model.bin", 2)
    clone.mvc("add", "model.bin")
    assert 'positive = "a"' in (clone.path / "model.bin.mvc").read_text()


def test_a_row_without_a_value_is_not_enough_data(clone: Clone) -> None:
    governed(clone, BY_ROWS.format("auc"))
    for seed in (1, 2):
        rng = random.Random(seed)
        scores = ["" if n == 7 else str(rng.random()) for n in range(300)]
        clone.write("model.bin", seed)
        clone.write("p.csv", rows_of(["0", "1"] * 150, ["0"] * 300, scores))
        clone.mvc("add", "model.bin", "-m", "auc=0.5", "--predictions", "p.csv")
        clone.git("commit", "-qm", f"v{seed}")
    assert "not enough data: 1 row of 300 lacks a value" in clone.mvc("check", code=3).out


def test_a_metric_without_a_limit_is_information(clone: Clone) -> None:
    governed(clone, '[[metric]]\nname = "acc"\ndirection = "higher"\n')
    train(clone, 1, acc=0.96)
    clone.mvc("metrics", "set", "model.bin", "acc=0.96")
    clone.git("commit", "-qm", "v1")
    clone.write("model.bin", 2)
    clone.mvc("add", "model.bin", "-m", "acc=0.1")
    done = clone.mvc("check")
    assert "info" in done.out
    assert "worse by 0.86, no limit is set" in done.out
    assert "pass: 0 pass, 1 info" in done.out
    found = clone.json("check")
    assert (found["outcome"], found["verdicts"][0]["outcome"]) == ("pass", "info")
    assert clone.mvc("check", "--format", "github").out.count("::error") == 0


def test_losses_are_corrected_over_all_that_the_policy_names(clone: Clone) -> None:
    """A loss that holds alone is chance among many, also where one model is asked about."""
    governed(clone, BY_ROWS.format("accuracy").replace("0.05", "0.0"))
    truth = ["1"] * 400
    for seed in (1, 2):
        for at in range(8):
            name = f"m{at}.bin"
            wrong = 9 if seed == 2 and at == 0 else 4
            clone.write(name, 10 * seed + at)
            said = ["0" if n < wrong else "1" for n in range(400)]
            if seed == 1:
                said = ["0" if 4 <= n < 6 else one for n, one in enumerate(["1"] * 400)] if at == 0 else said
            clone.write("p.csv", rows_of(truth, said))
            accuracy = said.count("1") / 400
            clone.mvc("add", name, "-m", f"accuracy={accuracy}", "--predictions", "p.csv")
        clone.git("commit", "-qm", f"v{seed}")
    one = clone.json("check", "m0.bin", code=3)
    assert [v["model"] for v in one["verdicts"]] == ["m0.bin"]
    everything = clone.json("check", code=3)
    assert one["verdicts"][0] == everything["verdicts"][0]
    assert "among 8 metrics that may be chance" in one["verdicts"][0]["why"]
    governed(clone, BY_ROWS.format("accuracy").replace("0.05", "0.0") + 'model = "m0.bin"\n')
    clone.mvc("check", code=1)


def test_a_second_rollback_searches_what_the_log_shows(clone: Clone) -> None:
    governed(clone)
    for seed, acc in ((1, 0.85), (2, 0.95), (3, 0.9)):
        train(clone, seed, acc=acc, ms=1)
    clone.mvc("rollback", "model.bin", "--to", "HEAD~2", "--commit")
    error = clone.mvc("rollback", "model.bin", code=10).err
    assert error.startswith(
        "error: no other version of model.bin fits: it is the first version; 2 versions of `mvc log` came after it: "
        "--to REV takes one, --best and --where search all\n"
    )
    rows = clone.json("rollback", "model.bin", "--dry-run")["candidates"]
    assert [(row["metrics"]["acc"], row["why"]) for row in rows] == [
        (0.9, "came after the current version"),
        (0.95, "came after the current version"),
    ]
    assert "it is the first version; " in clone.mvc("rollback", "model.bin", "--steps", "1", code=10).err
    done = clone.mvc("rollback", "model.bin", "--best", "acc").out
    assert "the best by acc of the 2 other versions that `mvc log` shows" in done
    assert "acc  0.85 -> 0.95" in done
    clone.mvc("checkout", "HEAD", "model.bin")
    assert "acc  0.85 -> 0.9" in clone.mvc("rollback", "model.bin", "--where", "acc > 0.85").out  # the newest one
    clone.mvc("checkout", "HEAD", "model.bin")
    for words in (["--best", "accc"], ["--where", "accc > 0.1"]):
        assert clone.mvc("rollback", "model.bin", *words, code=10).err == (
            "error: no version of model.bin has a number for accc\nhint: did you mean acc? known metrics: acc, ms\n"
        )
    assert "none of the 2 other versions that `mvc log` shows meets that" in (
        clone.mvc("rollback", "model.bin", "--where", "acc > 0.99", code=10).err
    )


def test_a_rollback_of_the_only_version(clone: Clone) -> None:
    train(clone, 1)
    assert "fits: `mvc log` shows no other version\n" in clone.mvc("rollback", "model.bin", code=10).err


def test_a_rollback_where_the_parent_is_not_in_history(clone: Clone) -> None:
    """What came with a version of another branch: history still has versions before it."""
    train(clone, 1)
    clone.git("switch", "-qc", "other")
    train(clone, 2)
    train(clone, 3)
    clone.git("switch", "-q", "main")
    clone.mvc("checkout", "other", "model.bin")
    clone.git("commit", "-qm", "taken over without its history")
    assert clone.json("rollback", "model.bin", "--dry-run")["new"]["subject"] == "v1"


def test_what_was_probably_mistyped_is_noted(clone: Clone) -> None:
    clone.write("model.bin", 1)
    clone.mvc("add", "model.bin", "-m", "accuracy=0.9", "-m", "data=a")
    clone.git("commit", "-qm", "v1")
    clone.write("model.bin", 2)
    done = clone.mvc("add", "model.bin", "-m", "accurracy=0.9", "-m", "data=b", "-m", "loss=3")
    assert done.err.splitlines()[0] == ("note: model.bin: accurracy is a new metric; the version before has accuracy")
    done = clone.mvc("metrics", "set", "model.bin", "accuracy=high")
    assert 'accuracy is the text "high", and it was the number 0.9' not in done.err  # of another version
    clone.mvc("metrics", "set", "model.bin", "loss=low")
    clone.write(".mvc/policy.toml", b'[[metric]]\nname = "accuracy"\ndirection = "higher"\n')
    clone.write("model.bin", 3)
    done = clone.mvc("add", "model.bin", "-m", "accuracy=good", "-m", "accurac=1")
    assert 'accuracy is the text "good", and it was the number 0.9' in done.err
    clone.write("other.bin", 4)
    done = clone.mvc("add", "other.bin", "-m", "accuracy=good")
    assert 'accuracy is the text "good", and the policy judges it as a number' in done.err
    clone.write("model.bin", 4)
    done = clone.mvc("add", "model.bin", "-m", "acuracy=0.8")
    assert "acuracy is a new metric; the policy names accuracy" in done.err
    done = clone.mvc("metrics", "set", "model.bin", "acuracy=low")
    assert 'acuracy is the text "low", and it was the number 0.8' in done.err


def test_a_rule_for_every_model_says_so(clone: Clone) -> None:
    governed(clone, '[[metric]]\nname = "acc"\ndirection = "higher"\n')
    clone.write("a.bin", 1)
    clone.mvc("add", "a.bin", "-m", "acc=0.9")
    clone.git("commit", "-qm", "a")
    assert "judges every model" not in clone.mvc("check").out
    clone.write("b.bin", 1)
    clone.mvc("add", "b.bin", "-m", "rmse=0.9")
    clone.git("commit", "-qm", "b")
    out = clone.mvc("check", code=1).out
    assert "; line 1 of the policy judges every model, unless `model = PATH` limits it" in out
    assert out.count("judges every model") == 1


@pytest.mark.parametrize("text", ["0,9", "0.91.2", "1,234.5", "91%", "-.5.1"])
def test_a_text_that_is_almost_a_number_is_noted(clone: Clone, text: str) -> None:
    clone.write("model.bin", 1)
    assert f'f1 is the text "{text}", not a number' in clone.mvc("add", "model.bin", "-m", f"f1={text}").err


def test_other_texts_are_not_noted(clone: Clone) -> None:
    clone.write("model.bin", 1)
    words = ("-m", "data=2024.1", "-m", "day=2024-01-31", "-m", "run=3 of 5", "-m", "f1=0.9")
    assert "is the text" not in clone.mvc("add", "model.bin", *words).err


def test_a_metric_beside_one_with_a_prefix_is_noted(clone: Clone) -> None:
    clone.write("model.bin", 1)
    clone.mvc("add", "model.bin", "-m", "test.accuracy=0.9")
    clone.git("commit", "-qm", "one")
    clone.write("model.bin", 2)
    said = clone.mvc("add", "model.bin", "-m", "accuracy=0.8").err
    assert "accuracy is a new metric; the version before has test.accuracy" in said


def test_a_rollback_from_a_good_version_says_so(clone: Clone) -> None:
    governed(clone)
    for seed, acc in ((1, 0.9), (2, 0.95), (3, 0.5)):
        train(clone, seed, acc=acc, ms=1)
    assert "passes the policy; back to it" not in clone.mvc("rollback", "model.bin", "--commit").err
    good = clone.read("model.bin")
    said = clone.mvc("rollback", "model.bin", "--commit").err
    assert "the replaced version passes the policy; back to it: mvc checkout " in said
    clone.mvc(*said.partition("back to it: mvc ")[2].partition("\n")[0].split())
    assert clone.read("model.bin") == good
