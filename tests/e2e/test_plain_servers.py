"""S3 servers that know less than Amazon's: a proxy in front of a real one refuses what they refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelvc.cli.app import run
from modelvc.formats.text import store_config
from modelvc.store.backends import retry
from tests.support.behind_proxy import clone_behind, prepare, running_proxy
from tests.support.clone import Clone
from tests.support.proxy import Proxy, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONDITIONS, CHECKSUMS = "^if-(none-)?match$", "^x-amz-(checksum|sdk-checksum)"


def refuses(header: str, status: int, code: str, **more: int) -> Rule:
    return Rule("status", "^(PUT|DELETE)", header, status=status, code=code, **more)


REFUSALS = {
    "501": [refuses(CONDITIONS, 501, "NotImplemented")],
    "400": [refuses(CONDITIONS, 400, "NotImplemented")],
    "checksums": [refuses(CHECKSUMS, 400, "InvalidArgument")],
    "both": [refuses(CONDITIONS, 501, "NotImplemented"), refuses(CHECKSUMS, 501, "NotImplemented")],
    "if-match": [refuses("^if-match$", 501, "NotImplemented")],
}


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    yield from running_proxy()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return prepare(tmp_path_factory.mktemp("plain") / "clone")


@pytest.fixture
def clone(prepared: Clone, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Clone:
    monkeypatch.setattr(retry, "DELAYS", (0.01, 0.01))
    return clone_behind(proxy, prepared, tmp_path / "clone", monkeypatch)


def mvc(clone: Clone, *words: str) -> int:
    return run(["--repo", str(clone.path), *words])


def servers(clone: Clone) -> list[Path]:
    folder = clone.path / ".git/mvc/servers"
    return sorted(folder.iterdir()) if folder.is_dir() else []


def features(clone: Clone, proxy: Proxy) -> tuple[str, ...]:
    """The `gc_features` of the store, as another clone reads them."""
    from modelvc.models.remotes.opening import open_unchecked
    from modelvc.repo import open_repo

    proxy.use()
    store = open_unchecked(open_repo(str(clone.path), {}).config.remotes["origin"])
    try:
        found = store.check()
        assert found is not None
        return found.gc_features
    finally:
        store.close()


@pytest.mark.parametrize("kind", REFUSALS)
def test_a_plain_server_is_pushed_to_and_remembered(
    clone: Clone, proxy: Proxy, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
):
    proxy.use(*REFUSALS[kind])
    assert mvc(clone, "push") == 0
    assert len(servers(clone)) == 1
    alone = kind != "checksums"
    assert features(clone, proxy) == ((store_config.UNCONDITIONAL,) if alone else ())

    proxy.use(*REFUSALS[kind])
    clone.commit_model(2)
    assert mvc(clone, "push") == 0
    assert proxy.done("status") == 0, "what was measured is not asked again"

    other = Clone(tmp_path / "other")
    clone.git("clone", "-q", str(clone.path), str(other.path))
    assert mvc(other, "trust", "origin") == 0
    assert mvc(other, "fetch", "--all") == 0
    other.mvc("checkout")
    assert other.read("model.bin") == clone.read("model.bin")

    capsys.readouterr()
    assert mvc(clone, "gc", "--remote", "--apply") == (11 if alone else 0)
    assert ("--exclusive" in capsys.readouterr().err) == alone
    assert mvc(clone, "gc", "--remote", "--apply", "--exclusive") == 0
    assert mvc(clone, "fsck", "--remote") == 0
    assert mvc(clone, "doctor", "--write") == 0


def test_the_mark_comes_before_the_first_pack(clone: Clone, proxy: Proxy):
    """Another clone made the store with conditions; this one, which cannot use them, says so first."""
    assert mvc(clone, "push") == 0
    assert features(clone, proxy) == ()
    servers(clone)[0].unlink()
    proxy.use(*REFUSALS["501"])
    clone.commit_model(2)
    assert mvc(clone, "push") == 0
    written = [what for what, did in proxy.log if what.startswith("PUT") and not did and "/gc/probe/" not in what]
    assert "/config" in written[0], written
    assert any("/packs/" in what for what in written)
    assert features(clone, proxy) == (store_config.UNCONDITIONAL,)


@pytest.mark.parametrize(
    "rule",
    [
        refuses(CONDITIONS, 403, "AccessDenied"),
        refuses(CONDITIONS, 412, "PreconditionFailed"),
        refuses(CONDITIONS, 503, "SlowDown"),
        Rule("reset", "^PUT", CONDITIONS),
        refuses(CONDITIONS, 501, "NotImplemented", last=1),
    ],
    ids=["denied", "precondition", "busy", "no answer", "a slip"],
)
def test_nothing_else_lowers_what_is_asked_for(clone: Clone, proxy: Proxy, rule: Rule):
    proxy.use(rule)
    assert mvc(clone, "push") == (0 if rule.last == 1 else 13)
    proxy.use()
    assert mvc(clone, "push") == 0
    assert b"conditional = true" in servers(clone)[0].read_bytes()
    assert features(clone, proxy) == ()


def test_a_server_that_takes_nothing_says_what_it_lacks(clone: Clone, proxy: Proxy, capsys: pytest.CaptureFixture[str]):
    proxy.use(refuses("", 501, "NotImplemented"))
    assert mvc(clone, "push") == 13
    said = capsys.readouterr().err
    assert "NotImplemented it is" in said
    assert "ask who runs the server" in said
    assert "mvc doctor" not in said
    assert servers(clone) == []


@pytest.mark.parametrize("damage", [b"", b"format = 1\n", b"\xff" * 100, b"#" * 100_000])
def test_a_damaged_memory_is_measured_again(clone: Clone, proxy: Proxy, damage: bytes):
    proxy.use(*REFUSALS["both"])
    assert mvc(clone, "push") == 0
    (path,) = servers(clone)
    before = path.read_bytes()
    path.write_bytes(damage)
    clone.commit_model(2)
    assert mvc(clone, "push") == 0
    assert path.read_bytes() == before


def test_checksums_only_where_the_user_wants_them(clone: Clone, proxy: Proxy, monkeypatch: pytest.MonkeyPatch):
    def sent() -> list[set[str]]:
        puts = [heads.keys() for what, heads in proxy.heads if what.startswith("PUT") and "/gc/probe/" not in what]
        return [{name for name in one if name == "content-md5" or "checksum" in name} for one in puts]

    assert mvc(clone, "push") == 0
    assert {"x-amz-checksum-crc32"} in sent()
    assert {"content-md5"} not in sent()
    proxy.use()
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
    clone.commit_model(2)
    assert mvc(clone, "push") == 0
    assert len(sent()) >= 2
    assert all(one == {"content-md5"} for one in sent())
