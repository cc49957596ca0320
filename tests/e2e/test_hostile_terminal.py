"""What a terminal would obey, or a reader be deceived by, in everything that a repository and a remote can name.

Every command that prints any of it is run as text, Markdown and JSON, and its words and data hold nothing but what can
be seen.
"""

from __future__ import annotations

import json
import os
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from modelvc.cli.app import run
from tests.support.clone import Clone
from tests.support.scripted import Scripted, error

# ESC sequences; C1 controls, which terminals obey too; signs that reorder text; line separators; an odd byte
BIDI, C1, LINES = "\u202e\u2066", "\u009b31m\u0085", "\u2028\u2029"
NAME = f"mod{BIDI}el{LINES}.bin"
FOLDER = f"fol{BIDI}der"
METRIC = f"acc{BIDI}{LINES}"
VALUE = f"go{BIDI}{LINES}od"
COMMAND = "::error::owned%0A::warning::"
_made: list[Path] = []


@pytest.fixture
def clone(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Clone:
    """Three versions with hostile names of all kinds, the last two on a branch with such a name. Made once."""
    if not _made:
        found = Clone.new(tmp_path_factory.mktemp("terminal") / "clone")
        found.env = {
            "GIT_AUTHOR_NAME": f"Ada\x1b]0;owned\x07{BIDI}{C1}",
            "GIT_COMMITTER_NAME": f"Ada\x1b[2J{C1}",
        }
        values = ["-m", f"{METRIC}={VALUE}", "-m", f"{COMMAND}=1", "-m", "a|b=0.5", "-m", "<img src=x>=[x](http://x)"]
        found.write(f"{FOLDER}/in{BIDI}side", b"1")
        found.mvc("add", FOLDER)
        for version in (1, 2):
            found.write(NAME, version)
            found.mvc("add", NAME, *values)
            found.mvc("add", NAME, "-m", f"n={version}")
            found.git("commit", "-qm", f"sub\x1b[31mject{BIDI}{C1}\r\nbody")
            found.git("tag", f"tag{BIDI}{C1}{version}")
        found.git("checkout", "-qb", f"bran{BIDI}ch{C1}")
        found.write(f"{FOLDER}/mo{BIDI}re", b"2")
        found.write(NAME, 3)
        found.mvc("add", FOLDER)
        found.mvc("add", NAME, *values, "-m", "n=3")
        rule = '[[metric]]\nname = "n"\ndirection = "higher"\nmin = 9\n[[metric]]\nname = "*"\ndirection = "info"\n'
        rule += '[[metric]]\nname = "::error::*"\ndirection = "higher"\nmin = 2\n'
        found.write(".mvc/policy.toml", rule.encode())
        found.git("add", ".mvc")
        found.git("commit", "-qm", f"\x1b]8;;http://x\x07sub{BIDI}")
        found.write(NAME, 4)
        found.write(f"{FOLDER}/un{BIDI}known", b"3")
        _made.append(found.path)
    monkeypatch.chdir(_made[0])
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    return Clone(_made[0])


def said(capfd: pytest.CaptureFixture[str], *words: str) -> tuple[str, str]:
    capfd.readouterr()
    run(list(words))
    return capfd.readouterr()


def seen(text: str, *, where: object = "") -> None:
    """TEXT holds only what can be seen, in lines."""
    for line in text.split("\n"):
        assert line.isprintable(), (where, ascii(line))


READING = [
    ["status"],
    ["status", "--exit-code"],
    ["ls"],
    ["ls", "HEAD~1"],
    ["log"],
    ["log", "--all"],
    ["log", "--best", "n"],
    ["log", "--where", f"`{METRIC}` == '{VALUE}'"],
    ["log", "--where", f"\x1b {BIDI}"],
    ["show", NAME],
    ["show", f"HEAD~1:{NAME}"],
    ["show", FOLDER],
    ["show", f"bran{BIDI}ch{C1}:{NAME}"],
    ["diff"],
    ["diff", "HEAD~1", "HEAD"],
    ["diff", f"tag{BIDI}{C1}1", f"tag{BIDI}{C1}2"],
    ["diff", f"\x1b[2J{BIDI}"],
    ["metrics", "show"],
    ["metrics", "show", "HEAD~1"],
    ["check"],
    ["check", "--rev", "HEAD", "--against", f"tag{BIDI}{C1}1"],
    ["check", "--against", f"\x1b{BIDI}"],
    ["rollback", NAME, "--dry-run"],
    ["rollback", NAME, "--dry-run", "--steps", "1"],
    ["rollback", NAME],
    ["plot", NAME],
    ["plot", NAME, "n"],
    ["plot", NAME, METRIC],
    ["fsck"],
    ["fsck", "--markers"],
    ["gc", "--grace", "0"],
    ["store", "stats"],
    ["doctor", "--offline"],
    ["checkout"],
    ["checkout", f"no{BIDI}such\x1b"],
    ["resolve", NAME, "--ours"],
    ["mv", FOLDER, NAME],
    ["rm", NAME],
    ["add", f"no{BIDI}such\x1b"],
    ["remote", "add", "x", f"s3://x/\x1b{BIDI}"],
    ["remote", "add", f"\x1b{BIDI}", "/x"],
    ["get", ".", NAME, "-o", f"no\x1b{BIDI}/such"],
    ["notebook", "check", f"no{BIDI}such\x1b.ipynb"],
]


@pytest.mark.parametrize("form", ["text", "md", "json"])
def test_every_command_that_reads(
    clone: Clone, form: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """GitHub's runner obeys any line of any program that begins with two colons: there is none either."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    for words in READING:
        out, err = said(capfd, *words, "--format", form)
        seen(out, where=words)
        seen(err, where=words)
        assert "internal error" not in err
        assert "Traceback" not in err
        assert not any(line.lstrip().startswith("::") or "##[" in line for line in (out + err).splitlines()), words
        if form == "json" and out:
            json.loads(out)


def test_json_still_says_what_the_names_are(clone: Clone, capfd: pytest.CaptureFixture[str]) -> None:
    versions = json.loads(said(capfd, "log", NAME, "--json")[0])["versions"]
    assert {v["path"] for v in versions} == {NAME}
    assert versions[1]["subject"].startswith("sub\x1b[31mject")
    assert C1[0] in versions[1]["author"]
    assert VALUE in versions[0]["metrics"].values()


@pytest.mark.parametrize("form", ["text", "md", "junit", "github", "openmetrics", "json"])
def test_every_form_of_a_check(clone: Clone, form: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out, _ = said(capfd, "check", "--format", form, "--output", f"{form}={tmp_path / 'out'}")
    seen(out)
    assert "owned" in out
    assert (tmp_path / "out").read_text() in {out, out + "\n"}
    if form == "junit":
        assert any("owned" in (case.get("name") or "") for case in ET.fromstring(out).iter("testcase"))
    if form == "github":
        lines = out.splitlines()
        assert all(line.startswith(("::error file=", "::warning file=", "::notice title=")) for line in lines)
        assert [line for line in lines if "owned" in line]
        for line in lines:
            properties, _, _ = line[2:].partition("::")
            assert "owned" not in properties or "%3A%3Aerror%3A%3Aowned%250A" in properties
    if form == "md":
        rows = [line for line in out.splitlines() if line.startswith("|")]
        assert len({row.replace("\\|", "").count("|") for row in rows}) == 1
        assert out.count("<") == out.count("\\<")
        assert out.count("](") == out.count("\\](")


def test_what_a_remote_says(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    clone = Clone.new(tmp_path / "clone")
    clone.commit_model(1)
    evil = "\x1b]0;owned\x07\x9b31m\u202e".encode()
    for status, code in ((403, "AccessDenied"), (400, "Evil\x1b[2J"), (404, "NoSuchBucket")):
        answer = error(status, code)
        body = answer.partition(b"\r\n\r\n")[2].replace(b" it is", evil)
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n\r\n"
        with Scripted([head.encode() + body]) as server:
            monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
            monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the-secret-itself")
            name = f"r{status}"
            clone.mvc("remote", "add", name, "s3://bucket/x", "--endpoint-url", server.url, "--region", "us-east-1")
            monkeypatch.chdir(clone.path)
            for words in (["fetch", "-r", name], ["push", "-r", name], ["doctor"], ["fsck", "--remote", "-r", name]):
                out, err = said(capfd, *words)
                seen(out, where=words)
                seen(err, where=words)
                assert "the-secret-itself" not in out + err
                assert "internal error" not in err


def test_git_diff_log_and_hooks(clone: Clone, tmp_path: Path) -> None:
    """What Git shows through our drivers, and what hooks say."""
    os.environ.pop("GIT_AUTHOR_NAME", None)
    copy = Clone(tmp_path / "copy")
    clone.run("cp", "-a", str(clone.path), str(copy.path))
    done = copy.run("git", "-c", "core.quotePath=true", "diff", "HEAD~1", "HEAD")
    for line in done.out.splitlines():
        if line[:1] in "+- " and not line.startswith(("+++", "---")):
            seen(line)
    for words in (["checkout", "-f", "-q", "main"], ["checkout", "-q", "-"], ["commit", "--allow-empty", "-m", "x"]):
        seen(copy.run("git", *words).err, where=words)
    copy.mvc("add", NAME, "-m", "n=7")
    done = copy.run("git", "-c", "core.editor=cat", "commit", "-m", "y", "--no-status")
    seen(done.err)
