"""A clone whose remote is a real S3 server behind a proxy that misbehaves on demand."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from modelvc.cli.app import run
from tests.support import s3
from tests.support.clone import Clone
from tests.support.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest


def running_proxy() -> Iterator[Proxy]:
    """Yield a proxy in front of the shared S3 server, which has the bucket `far`."""
    server = s3.shared()
    s3.make_bucket(server, "far")
    with Proxy(server.endpoint_url.removeprefix("http://")) as found:
        yield found


def prepare(path: Path) -> Clone:
    """Return a new clone with one committed version of a model, to copy for each test."""
    found = Clone.new(path)
    found.commit_model(1)
    return found


def clone_behind(proxy: Proxy, prepared: Clone, path: Path, monkeypatch: pytest.MonkeyPatch) -> Clone:
    """Return a copy of the clone PREPARED at PATH whose remote lies behind PROXY and is empty."""
    s3.clean_environment(s3.shared(), monkeypatch)
    found = Clone(path)
    shutil.copytree(prepared.path, found.path, symlinks=True)
    proxy.use()
    url = f"s3://far/{os.urandom(4).hex()}"
    assert run(["--repo", str(found.path), "remote", "add", "origin", url, "--endpoint-url", proxy.url]) == 0
    return found
