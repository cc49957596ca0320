"""What one clone says about an S3 remote reaches the server, as a proxy in front of a real one sees it."""

from __future__ import annotations

import os
import ssl
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from modelvc.errors import RemoteError
from modelvc.store.backends import RemoteOptions, open_backend
from tests.support import s3
from tests.support.clone import Clone
from tests.support.proxy import Proxy, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelvc.store.backends.api import Backend

PACK, ROOT = "packs/ab/" + "ab" * 32, "b/cd/" + "cd" * 32


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    server = s3.shared()
    s3.clean_environment(server, monkeypatch)
    s3.make_bucket(server, "far")
    with Proxy(server.endpoint_url.removeprefix("http://")) as found:
        yield found


def put(proxy: Proxy, **own: Any) -> tuple[dict[str, str], dict[str, str], list[str]]:
    """The headers with which a pack and a root were sent, and all requests of a small story."""
    backend: Backend = open_backend(f"s3://far/{os.urandom(4).hex()}", RemoteOptions(proxy.url, own=own))
    try:
        backend.put(PACK, b"pack")
        backend.create(ROOT, b"root")
        backend.stat([ROOT])
        list(backend.list(""))
        heads = {what: found for what, found in proxy.heads if what.startswith("PUT")}
        pack = next(found for what, found in heads.items() if "/packs/" in what)
        root = next(found for what, found in heads.items() if "/b/cd/" in what)
        return pack, root, [what for what, _ in proxy.heads]
    finally:
        backend.close()


def test_without_options_nothing_is_said(proxy: Proxy):
    pack, root, _ = put(proxy)
    said = {name for name in (*pack, *root) if name.startswith("x-amz-")}
    assert said <= {"x-amz-date", "x-amz-content-sha256", "x-amz-checksum-crc32"}


def test_encryption_and_rights_go_with_every_key_and_a_class_with_packs(proxy: Proxy):
    proxy.use(Rule("drop", "^PUT"))  # a server without that key would refuse
    pack, root, _ = put(
        proxy,
        sse="aws:kms",
        sse_kms_key_id="alias/models",
        acl="bucket-owner-full-control",
        storage_class="STANDARD_IA",
    )
    for heads in (pack, root):
        assert heads["x-amz-server-side-encryption"] == "aws:kms"
        assert heads["x-amz-server-side-encryption-aws-kms-key-id"] == "alias/models"
        assert heads["x-amz-acl"] == "bucket-owner-full-control"
    assert pack["x-amz-storage-class"] == "STANDARD_IA"
    assert "x-amz-storage-class" not in root


def test_every_request_says_who_pays(proxy: Proxy):
    put(proxy, requester_pays=True)
    assert len(proxy.heads) >= 4
    assert all(heads.get("x-amz-request-payer") == "requester" for _, heads in proxy.heads)


def test_addressing(proxy: Proxy):
    _, _, asked = put(proxy, addressing_style="path")
    assert all(" /far" in what for what in asked)
    backend = open_backend("s3://far/x", RemoteOptions("http://s3.example.test", own={"addressing_style": "virtual"}))
    with pytest.raises(RemoteError, match="cannot reach"):
        backend.read("config", limit=1)
    assert backend._fs._s3.meta.config.s3["addressing_style"] == "virtual"
    backend.close()


def test_anonymous_reading_needs_and_sends_no_credentials(proxy: Proxy, monkeypatch: pytest.MonkeyPatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    backend = open_backend("s3://far/x", RemoteOptions(proxy.url, own={"anonymous": True}))
    with pytest.raises(RemoteError):  # this bucket is not public
        backend.read("config", limit=1)
    backend.close()
    assert proxy.heads
    assert all("authorization" not in heads for _, heads in proxy.heads)


def test_a_private_authority(proxy: Proxy, tmp_path: Path):
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=test -days 2"
    files = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "corp.pem"]
    subprocess.run(["openssl", *words.split(), *files], cwd=tmp_path, check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "corp.pem", tmp_path / "key.pem")
    with Proxy(proxy.upstream, tls=context) as private:
        put(private, ca_bundle=str(tmp_path / "corp.pem"))
        with pytest.raises(RemoteError, match="no certificate that can be trusted") as caught:
            put(private)
        assert "ca_bundle" in caught.value.hint
        with pytest.raises(RemoteError, match=r"gone\.pem") as caught:
            put(private, ca_bundle=str(tmp_path / "gone.pem"))
        assert "ca_bundle" in caught.value.hint
        (tmp_path / "torn.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n")
        with pytest.raises(RemoteError, match="no certificate that can be trusted"):
            put(private, ca_bundle=str(tmp_path / "torn.pem"))


def test_options_from_the_command_line_to_the_server(proxy: Proxy, tmp_path: Path):
    clone = Clone.new(tmp_path / "clone")
    url = f"s3://far/{os.urandom(4).hex()}"
    words = ("remote", "add", "origin", url, "--endpoint-url", proxy.url)
    assert "sse_kms_key_id" in clone.mvc(*words, "-o", "encryption=yes", code=2).err
    info = clone.json(*words, "-o", "requester_pays=true", "-o", "storage_class=STANDARD")
    assert info["options"] == {"requester_pays": True, "storage_class": "STANDARD"}
    assert "requester_pays" not in (clone.path / ".mvc/config.toml").read_text()
    clone.commit_model(1)
    clone.mvc("push")
    assert all(heads.get("x-amz-request-payer") == "requester" for _, heads in proxy.heads)
    assert clone.mvc("remote", "add", "near", str(tmp_path / "near"), "-o", "sse=AES256", code=2).err
    assert clone.json("remote", "list")["remotes"][0]["options"] == info["options"]
