"""Azure's answers, as its emulator gave them through adlfs, in mvc's words; against the emulator itself by hand."""

from __future__ import annotations

import time

import pytest

from modelvc.errors import KeyMissing, RemoteBusy, RemoteDenied, RemoteError
from modelvc.store.backends import RemoteOptions, azure, generic, open_backend
from modelvc.store.backends.api import KeyDenied
from tests.support import azurite

NAME, KEY = "az://models/team", "config"
by_hand = pytest.mark.skipif(not azurite.found(), reason="needs adlfs and azurite: tests/support/azurite.py")


class HttpResponseError(Exception):
    def __init__(self, words: str, code: str | None = None, status: int | None = None) -> None:
        super().__init__(words)
        self.error_code = code
        self.status_code = status


class ResourceNotFoundError(HttpResponseError):
    pass


class ServiceRequestError(Exception):
    pass


class ServiceResponseError(Exception):
    pass


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


SAID = {
    "no container, written": (
        ResourceNotFoundError("The specified container does not exist.\nRequestId:e", "ContainerNotFound", 404),
        RemoteError,
        "there is no container",
        "az storage container create",
    ),
    "no container, read": (
        caused(FileNotFoundError(2, "No such file"), ResourceNotFoundError("The spec", "ContainerNotFound", 404)),
        RemoteError,
        "there is no container",
        "az storage container create",
    ),
    "wrong key": (
        HttpResponseError("Server failed to authenticate the request. Make\nRequestId:c", "AuthenticationFailed", 403),
        RemoteDenied,
        "does not accept these credentials",
        "AZURE_STORAGE_ACCOUNT_KEY",
    ),
    "wrong key, told by words": (
        HttpResponseError(
            "Operation returned an invalid status 'Server failed to authenticate the request.", None, 403
        ),
        RemoteDenied,
        "does not accept these credentials",
        "AZURE_STORAGE_ACCOUNT_KEY",
    ),
    "read-only SAS": (
        HttpResponseError("This request is not authorized\nRequestId:8", "AuthorizationPermissionMismatch", 403),
        KeyDenied,
        "not allowed",
        "create and write",
    ),
    "closed port": (
        ServiceRequestError("Cannot connect to host 127.0.0.1:9"),
        azure.Unreachable,
        "cannot reach az://models/team",
        "network",
    ),
    "cut": (ServiceResponseError("Server disconnected"), RemoteBusy, "busy", "again"),
    "short": (
        HttpResponseError("The range specified is invalid\nRequestId:d", "InvalidRange", 416),
        RemoteError,
        "shorter than expected",
        "mvc fsck --remote",
    ),
    "busy": (HttpResponseError("Server busy", "ServerBusy", 503), RemoteBusy, "busy", "again"),
}


@pytest.mark.parametrize("kind", SAID)
def test_what_azure_says(kind: str):
    error, expected, words, hint = SAID[kind]
    found = azure.explain(error, NAME, KEY)
    assert type(found) is expected
    assert words in str(found)
    assert "\n" not in str(found)
    assert "RequestId" not in str(found)
    assert hint in found.hint


def test_what_is_not_azures_is_left_to_the_others():
    missing = caused(FileNotFoundError(2, "No such file"), ResourceNotFoundError("no blob", "BlobNotFound", 404))
    assert azure.explain(missing, NAME, KEY) is None
    assert type(generic.explain(missing, NAME, KEY)) is KeyMissing
    assert azure.explain(OSError("x"), NAME, KEY) is None


# -- by hand


def _refused(kind: type[RemoteError], words: str) -> None:
    backend = open_backend("az://models/x", RemoteOptions())
    start = time.monotonic()
    for attempt in (lambda: backend.read(KEY, limit=9), lambda: list(backend.list("")), lambda: backend.put(KEY, b"x")):
        with pytest.raises(kind, match=words):
            attempt()
    backend.close()
    assert time.monotonic() - start < 15


@by_hand
@pytest.mark.parametrize("kind", ["wrong key", "nothing", "no such port", "torn"])
def test_an_account_that_cannot_be_used(kind: str, monkeypatch: pytest.MonkeyPatch):
    server = azurite.shared()
    connection = {
        "wrong key": server.with_key("d3Jvbmc="),
        "no such port": azurite.Azurite("http://127.0.0.1:9").connection,
        "torn": "DefaultEndpointsProtocol",
    }.get(kind)
    if connection:
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", connection)
    words = {"wrong key": "does not accept", "no such port": "cannot reach"}.get(kind, "credentials for az://models/x")
    _refused(RemoteError if kind == "no such port" else RemoteDenied, words)


@by_hand
def test_a_missing_container_is_no_empty_store(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.shared().connection)
    backend = open_backend("az://nowhere/x", RemoteOptions())
    for attempt in (lambda: list(backend.list("")), lambda: backend.read(KEY, limit=9), lambda: backend.put(KEY, b"x")):
        with pytest.raises(RemoteError, match="there is no container for az://nowhere/x"):
            attempt()
    backend.close()


@by_hand
def test_a_sas_that_may_only_read(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.shared().connection)
    backend = open_backend("az://models/sas", RemoteOptions())
    backend.put(KEY, b"x")
    backend.close()
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.shared().with_sas(read=True, list=True))
    backend = open_backend("az://models/sas", RemoteOptions())
    assert backend.read(KEY, limit=9)[0] == b"x"
    with pytest.raises(RemoteDenied, match="not allowed"):
        backend.put(KEY, b"y")
    backend.close()


@by_hand
def test_credentials_of_another_account_are_not_used(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.shared().connection)
    backend = open_backend("abfss://models@other.dfs.core.windows.net/x", RemoteOptions())
    with pytest.raises(Exception, match="credentials for the account devstoreaccount1"):
        backend.read(KEY, limit=9)
