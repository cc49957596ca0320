"""What a repository's configuration asks for is not done, and what is secret stays so."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from modelvc.cli.app import run
from tests.support.clone import Clone
from tests.support.scripted import Scripted, error

SECRET = "wJalrXUtnFEMI/K7MDENG"
COMMANDS = (["status"], ["fetch"], ["push"], ["remote", "list"], ["trust"])
HEAD = "format = 1\n"
# Committed configurations; {url} is a server that counts who comes.
CONFIGS = {
    "an endpoint": '[remotes.origin]\nurl = "s3://bucket/x"\nendpoint_url = "{url}"\n',
    "an endpoint of another kind": '[remotes.origin]\nurl = "s3://bucket/x"\nendpoint_url = "file:///etc"\n',
    "an endpoint with a password": '[remotes.origin]\nurl = "s3://bucket/x"\nendpoint_url = "http://a:b@localhost"\n',
    "an option": '[remotes.origin]\nurl = "--endpoint={url}"\n',
    "a chain": '[remotes.origin]\nurl = "simplecache::{url}/x"\n',
    "a chain of a chain": '[remotes.origin]\nurl = "filecache::zip://x::{url}"\n',
    "a folder of another machine": '[remotes.origin]\nurl = "//host/share"\n',
    "a host": '[remotes.origin]\nurl = "host:path"\n',
    "a web page": '[remotes.origin]\nurl = "{url}"\n',
    "a program": '[remotes.origin]\nurl = "ext::touch owned"\n',
    "a program as a key": '[remotes.origin]\nurl = "s3://b/x"\ncredential_process = "touch owned"\n',
    "a file system of an archive": '[remotes.origin]\nurl = "zip:///etc/passwd"\n',
    "github": '[remotes.origin]\nurl = "github://a:b@c/d"\n',
    "a profile": '[remotes.origin]\nurl = "s3://b/x"\nprofile = "prod"\n',
    "a region that is a host": '[remotes.origin]\nurl = "s3://b/x"\nregion = "x@{host}/#"\n',
    "a bucket that is a host": '[remotes.origin]\nurl = "s3://x@{host}/y"\n',
    "an option of ssh": '[remotes.origin]\nurl = "sftp://-oProxyCommand=touch%20owned/x"\n',
    "a name that leads out": '[remotes."../../x"]\nurl = "s3://b"\n',
    "a name with a line break": '[remotes."a\\nb"]\nurl = "s3://b"\n',
    "a control character": '[remotes.origin]\nurl = "s3://b/\\u001b[2J"\n',
    "two of everything": '[remotes.origin]\nurl = "s3://b"\n[remotes.origin]\nurl = "s3://c"\n',
    "a list for a table": "remotes = [1, 2]\n",
    "a number for a text": "[remotes.origin]\nurl = 1\n",
    "a table for a text": '[remotes.origin.url]\na = "b"\n',
    "a huge number": "[hooks]\nlarge_file = 99999999999999999999999999999999\n",
    "a huge size": '[hooks]\nlarge_file = "99999999999999999999999999 TiB"\n',
    "infinity": "[hooks]\nlarge_file = inf\n",
    "a later format": "",
    "a negative format": "",
    "deep": "x = " + "[" * 5_000 + "]" * 5_000 + "\n",
    "deep tables": "[" + ".".join("a" * 5_000) + "]\n",
    "megabytes": "#" * (2 << 20) + "\n",
    "ten thousand remotes": "".join(f'[remotes.r{n}]\nurl = "s3://b/{n}"\n' for n in range(10_000)),
    "unknown keys": 'command = "touch owned"\n[store]\npath = "/"\n[trust.origin]\nurl = "{url}"\n',
    "patterns": '[notebooks]\nskip = ["' + "*a" * 400 + 'b"]\nkeep_outputs = ["[", "**/**/**"]\n',
    "bytes that are no text": "\udcff\udcfe",
    "nothing": "",
}
POLICIES = {
    "paths": '[[model]]\nmetrics = "../../etc/passwd"\n',
    "absolute paths": '[[model]]\npredictions = "/etc/passwd"\n',
    "a folder": '[[model]]\nmetrics = "sub"\n',
    "git": '[[model]]\nparams = ".git/config"\n',
    "a huge number": '[[metric]]\nname = "n"\ndirection = "higher"\nmin = ' + "9" * 400 + "\n",
    "a huge float": '[[metric]]\nname = "n"\ndirection = "higher"\nmin = 1e999\nmax_drop = { rel = 1e308 }\n',
    "not a number": '[[metric]]\nname = "n"\ndirection = "higher"\nmin = nan\n',
    "deep": "x = " + "{ a = " * 5_000 + "1" + "}" * 5_000,
    "globs": '[[metric]]\nmodel = "' + "*a" * 400 + '"\nname = "' + "[!" * 400 + '"\ndirection = "info"\n',
    "many": '[[metric]]\nname = "n"\ndirection = "info"\n' * 1_001,
    "unknown": '[[metric]]\nname = "n"\ndirection = "higher"\ncommand = "touch owned"\n',
    "escapes": '[[metric]]\nname = "\\u001b[2J"\ndirection = "higher"\n',
    "reordered": '[[metric]]\nname = "\u202en"\ndirection = "higher"\n',
    "no text": "\udcff",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    clone = Clone.new(tmp_path_factory.mktemp("config") / "clone")
    clone.write("model.bin", 1)
    clone.mvc("add", "model.bin", "-m", "n=1")
    clone.write("sub/x", b"")
    clone.git("commit", "-qm", "x")
    return clone


def say(capfd: pytest.CaptureFixture[str], *words: str) -> str:
    """What a command says, which is no bug of ours, nothing that a terminal obeys, and no secret."""
    capfd.readouterr()
    code = run(list(words))
    out, err = capfd.readouterr()
    assert code != 70, (words, err)
    assert "internal error" not in err
    assert all(line.isprintable() for line in (out + err).split("\n")), words
    assert SECRET not in out + err
    return out + err


@pytest.mark.parametrize("part", range(2))
def test_committed_configurations(
    made: Clone, part: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """None makes anything run, or any request go to a place of the repository's choice."""
    monkeypatch.chdir(made.path)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    # What reads without trust, such as plain s3://, is sent nowhere either.
    monkeypatch.setattr("modelvc.models.remotes.opening.open_unchecked", _never)
    before = (made.path / ".git/mvc/config.toml").read_bytes() if (made.path / ".git/mvc/config.toml").exists() else b""
    with Scripted([error(403, "AccessDenied")]) as server:
        for what in list(CONFIGS)[part::2]:
            host = server.url.removeprefix("http://")
            text = CONFIGS[what].replace("{url}", server.url).replace("{host}", host)
            first = {"a later format": "format = 99\n", "a negative format": "format = -1\n", "nothing": ""}
            made.write(".mvc/config.toml", (first.get(what, HEAD) + text).encode("utf-8", "surrogateescape"))
            for words in COMMANDS:
                say(capfd, *words)
        assert server.heads == []
    assert not list(made.path.parent.rglob("owned"))
    after = (made.path / ".git/mvc/config.toml").read_bytes() if (made.path / ".git/mvc/config.toml").exists() else b""
    assert SECRET.encode() not in after
    assert before == after
    made.git("checkout", "-q", "--", ".mvc")


def _never(remote: object, *_: object, **__: object) -> None:
    from modelvc.errors import RemoteBusy
    from modelvc.formats.text.config import Remote
    from modelvc.models.remotes.opening import harmless
    from modelvc.store.backends.url import parse_url

    assert isinstance(remote, Remote)
    assert harmless(remote), remote
    place = parse_url(remote.url)
    assert place.scheme in {"s3", "file"}
    raise RemoteBusy("not today")


def test_a_region_is_no_host(made: Clone, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """Plain s3:// is read without trust, so the region must not choose the host."""
    monkeypatch.chdir(made.path)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    with Scripted([error(403, "AccessDenied")]) as server:
        host = server.url.removeprefix("http://")
        for region in (f"x@{host}/#", f"{host}/", f"x.{host}#", "x\\n", "a b", "../x"):
            text = HEAD + f'[remotes.origin]\nurl = "s3://bucket/x"\nregion = "{region}"\n'
            made.write(".mvc/config.toml", text.encode())
            said = say(capfd, "fsck", "--remote")
            assert "error:" in said, said
        assert server.heads == []
    made.git("checkout", "-q", "--", ".mvc")


def test_policies(made: Clone, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(made.path)
    for text in POLICIES.values():
        made.write(".mvc/policy.toml", text.encode("utf-8", "surrogateescape"))
        for words in (["check"], ["rollback", "model.bin", "--dry-run"], ["diff"], ["add", "model.bin"], ["log"]):
            said = say(capfd, *words)
            assert "root:" not in said  # a line of /etc/passwd
    (made.path / ".mvc/policy.toml").unlink()


# -- what is secret


@pytest.mark.parametrize("secret", [SECRET, f"{SECRET}\r\nX-Evil: 1", f"{SECRET}\x1b[2J"])
def test_credentials_of_the_environment_are_never_said(
    made: Clone, secret: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Nor does a control character in them become a header of its own."""
    monkeypatch.chdir(made.path)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", secret)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    monkeypatch.setenv("AWS_SESSION_TOKEN", secret)
    with Scripted([error(403, "InvalidAccessKeyId")]) as server:
        name = f"r{random.randrange(1 << 40)}"
        say(capfd, "remote", "add", name, "s3://bucket/x", "--endpoint-url", server.url, "--region", "eu-central-1")
        for words in (["push", "-r", name], ["-v", "fsck", "--remote", "-r", name, "--json"], ["doctor"]):
            say(capfd, *words)
        assert not any(b"\nX-Evil" in head or b"\nx-evil" in head.lower() for head in server.heads)
    say(capfd, "remote", "remove", name)
    for path in (*(made.path / ".git").rglob("*"), *made.path.glob(".mvc/*"), *made.path.glob("*.mvc")):
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes(), path
    made.git("checkout", "-q", "--", ".mvc")


URLS = [
    *(f"s3://key:{SECRET}@bucket/x", f"s3://key:{SECRET}@bucket\n", f"s3://key:{SECRET}@bucket::x"),
    *(f"sftp://ada:{SECRET}@host/x", f"https://ada:{SECRET}@host/x", f"file://ada:{SECRET}@host/x"),
    *(f"gs://x:{SECRET}@b#x", f"sftp://ada:{SECRET}@host", f"-s3://a:{SECRET}@b", f"s3://a:{SECRET}@b/../x"),
    *(f"a:{SECRET}@host/x", f"S3://:{SECRET}@b/x"),
]


def test_secrets_in_urls_are_refused_and_not_repeated(
    made: Clone, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(made.path)
    for place in URLS:
        for words in (["remote", "add", "x", "--", place], ["remote", "add", "x", "s3://b", "--endpoint-url", place]):
            said = say(capfd, *words)
            assert said.startswith(("error:", "usage", "hint")), (words, said)
        made.write(".mvc/config.toml", f"{HEAD}[remotes.origin]\nurl = {_text(place)}\n".encode())
        for words in (["fetch"], ["trust"], ["push"]):
            say(capfd, *words)
        made.git("checkout", "-q", "--", ".mvc")
    monkeypatch.setenv("GIT_TERMINAL_PROMPT", "0")
    for place in (f"https://ada:{SECRET}@127.0.0.1:9/x", f"ssh://ada:{SECRET}@127.0.0.1:9/x", f"ftp://a:{SECRET}@h/x"):
        say(capfd, "get", place, "model.bin", "-o", str(tmp_path / "out"))
    for path in (*(made.path / ".git").rglob("*"), *made.path.glob(".mvc/*")):
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes(), path


def _text(place: str) -> str:
    from modelvc.formats import toml

    return toml._string(place)
