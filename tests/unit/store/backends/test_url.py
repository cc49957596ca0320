from __future__ import annotations

import pytest

from modelvc.errors import ConfigError
from modelvc.store.backends import absolute_url, open_backend, parse_url
from modelvc.store.backends.options import RemoteOptions

GOOD = {
    "/srv/models": "/srv/models",
    "/srv/../srv/models/": "/srv/models",
    "models": "/home/me/models",
    "./models": "/home/me/models",
    "../models": "/home/models",
    "./odd:name": "/home/me/odd:name",
    "file:///srv/a%20b": "/srv/a b",
    "file://localhost/srv/x": "/srv/x",
    "s3://bucket": "s3://bucket",
    "s3://bucket/": "s3://bucket",
    "s3://bucket/team/models/": "s3://bucket/team/models",
    "S3://bucket/x": "s3://bucket/x",
    "s3a://bucket/x": "s3://bucket/x",
    "sftp://host/srv/models": "sftp://host/srv/models",
    "ssh://me@host:2222/srv/models": "sftp://me@host:2222/srv/models",
    "sftp://host/~/models": "sftp://host/~/models",
    "gs://bucket/x": "gs://bucket/x",
    "abfs://container/x": "az://container/x",
    "abfs://c@acc.dfs.core.windows.net/x": "abfss://c@acc.dfs.core.windows.net/x",
    "abfss://c@acc.blob.core.windows.net": "abfss://c@acc.blob.core.windows.net",
    "az://c@acc.dfs.core.usgovcloudapi.net/x/": "abfss://c@acc.dfs.core.usgovcloudapi.net/x",
    "memory://test": "memory://test",
}

BAD = {
    "": "not a URL",
    "s3://bucket/\x1b[2J": "not a URL",
    "simplecache::s3://bucket/x": "chains",
    "s3://bucket/x::file:///etc": "chains",
    "http://host/x": "not supported",
    "github://x/y": "not supported",
    "zip://x": "not supported",
    "ext://sh -c touch": "not supported",
    "s3:bucket/x": "could be a folder or a host",
    "host:models": "could be a folder or a host",
    "file://host/x": "names a host",
    "file:relative": "could be a folder or a host",
    "s3://": "names no bucket",
    "s3:///x": "names no bucket",
    "s3://buck et/x": "names no bucket",
    "s3://key:secret@bucket/x": "credentials",
    "s3://key@bucket/x": "credentials",
    "sftp://me:secret@host/x": "credentials",
    "az://c:secret@acc.dfs.core.windows.net/x": "credentials",
    "abfss://c@evil.example/x": "names no account",
    "abfss://c@acc.dfs.core.windows.net.evil.example/x": "names no account",
    "abfss://c@a@acc.dfs.core.windows.net/x": "names no account",
    "abfss://c@acc.dfs.core.windows.net@evil.example/x": "names no account",
    "abfss://@acc.dfs.core.windows.net/x": "names no bucket",
    "s3://c@acc.dfs.core.windows.net/x": "credentials",
    "s3://bucket/a/../../other": '".."',
    "s3://bucket/a//b": "empty",
    "s3://bucket/x?versionId=1": '"?"',
    "sftp://host": "does not name a host and a folder",
    "sftp://-oProxyCommand=x/y": "does not name a host and a folder",
    "sftp://host:port/x": "does not name a host and a folder",
    "sftp://host:99999/x": "does not name a host and a folder",
}


@pytest.mark.parametrize(("url", "expected"), GOOD.items())
def test_one_spelling(url: str, expected: str):
    found = absolute_url(url, "/home/me")
    assert found == expected
    assert absolute_url(found, "/elsewhere") == found
    assert parse_url(found).url == found


@pytest.mark.parametrize(("url", "why"), BAD.items())
def test_refused(url: str, why: str):
    with pytest.raises(ConfigError) as caught:
        absolute_url(url, "/home/me")
    assert why in str(caught.value)
    assert caught.value.hint
    assert "secret" not in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_relative_folder_from_a_repository_is_refused():
    with pytest.raises(ConfigError, match="relative"):
        open_backend("models", RemoteOptions())


@pytest.mark.parametrize(("url", "package"), [("gs://b/x", "gcsfs"), ("az://c/x", "'modelvc[azure]'")])
def test_a_missing_package_is_named_with_its_command(url: str, package: str):
    with pytest.raises(ConfigError, match="not installed") as caught:
        open_backend(url, RemoteOptions())
    assert f"pip install {package}" in caught.value.hint
