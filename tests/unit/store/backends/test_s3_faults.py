"""What the S3 backend does on a server's bad days; the good ones are in tests/contracts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from modelvc.errors import KeyMissing, RemoteBusy, RemoteChanged, RemoteError
from modelvc.store.backends import RemoteOptions, open_backend, retry
from modelvc.store.backends import s3 as module
from modelvc.store.backends.api import KeyDenied, NotUnderstood
from tests.support.scripted import OK, RESET, SILENCE, Scripted, error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from modelvc.store.backends.s3 import S3Backend

SECRET = "do-not-show-this-secret"
BIG = b"x" * (1 << 20)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., tuple[Scripted, S3Backend]]]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "some-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setattr(retry, "DELAYS", (0.01, 0.01, 0.01, 0.01))
    monkeypatch.setitem(module._CONFIG, "read_timeout", 0.5)
    monkeypatch.setattr(module, "_SLOWEST", 4 << 20)
    opened: list = []

    def serve(*script: bytes) -> tuple[Scripted, S3Backend]:
        server = Scripted(list(script)).__enter__()
        backend = open_backend("s3://models/team", RemoteOptions(endpoint_url=server.url, region="us-east-1"))
        opened.extend((backend.close, server.__exit__))
        return server, backend

    yield serve
    for end in opened:
        end()


@pytest.mark.parametrize(
    "trouble",
    [
        error(503, "SlowDown"),
        error(500, "InternalError"),
        error(429, "TooManyRequests"),
        error(400, "RequestTimeout"),
        error(400, "BadDigest"),
        error(409, "ConditionalRequestConflict"),
        RESET,
        SILENCE,
    ],
    ids=["slow", "internal", "429", "timeout", "digest", "conflict", "reset", "silence"],
)
@pytest.mark.parametrize("data", [b"small", BIG], ids=["small", "big"])
def test_passing_trouble_is_tried_again_and_counted(served: Callable, trouble: bytes, data: bytes):
    server, backend = served(trouble, trouble, OK)
    assert backend.put("config", data).etag == "e"
    assert len(server.heads) == 3
    if trouble == SILENCE:  # on a busy machine our short patience takes slowness for silence once more
        assert backend.requests >= 3
    elif trouble != RESET:  # aiohttp itself asks again when a connection that it kept was closed
        assert backend.requests == 3


def test_a_small_body_is_sent_at_once_and_a_large_one_is_announced(served: Callable):
    server, backend = served(OK)
    backend.put("config", b"x" * 65536)
    backend.put("config", b"x" * 65537)
    assert [b"100-continue" in head for head in server.heads] == [False, True]


@pytest.mark.parametrize("data", [b"small", BIG], ids=["small", "big"])
def test_trouble_that_stays_is_busy_after_five_tries(served: Callable, data: bytes):
    server, backend = served(error(503, "SlowDown"))
    with pytest.raises(RemoteBusy, match="server is busy") as caught:
        backend.put("config", data)
    assert caught.value.transient
    assert len(server.heads) == backend.requests == 5


def test_a_conflict_that_stays_has_lost(served: Callable):
    _, backend = served(error(409, "ConditionalRequestConflict"))
    with pytest.raises(RemoteChanged):
        backend.replace("config", b"new", "e")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (error(403, "AccessDenied"), KeyDenied),
        (error(412, "PreconditionFailed"), RemoteChanged),
        (error(404, "NoSuchKey"), KeyMissing),
        (error(404, "NoSuchBucket"), RemoteError),
        (error(501, "NotImplemented"), NotUnderstood),
        (error(400, "InvalidArgument"), NotUnderstood),
    ],
)
def test_a_clear_answer_is_not_asked_for_again(served: Callable, answer: bytes, kind: type[RemoteError]):
    server, backend = served(answer)
    with pytest.raises(RemoteError) as caught:
        backend.put("config", b"x")
    assert type(caught.value) is kind
    assert len(server.heads) == 1
    assert caught.value.__cause__ is None
    assert SECRET not in str(caught.value) + caught.value.hint


def test_a_body_that_breaks_off_is_fetched_again(served: Callable):
    head = b'HTTP/1.1 206 OK\r\nContent-Length: 10\r\nETag: "e"\r\nLast-Modified: Mon, 23 Nov 2026 12:00:00 GMT\r\n'
    server, backend = served(head + b"\r\n01234", head + b"\r\n0123456789")  # half a body, then silence
    assert backend.read_ranges("packs/ab", [(0, 10)]) == [b"0123456789"]
    assert len(server.heads) == 2


def test_a_server_that_sends_more_than_asked_is_refused(served: Callable):
    head = b'HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\nETag: "e"\r\n'
    _, backend = served(head + b"Last-Modified: Mon, 23 Nov 2026 12:00:00 GMT\r\n\r\n" + BIG)
    start = time.monotonic()
    with pytest.raises(RemoteError, match="more than 10 bytes"):
        backend.read_ranges("packs/ab", [(0, 10)])
    with pytest.raises(RemoteError, match="more than 100 bytes"):
        backend.read("config", limit=100)
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("code", ["AuthorizationHeaderMalformed", "IllegalLocationConstraintException"])
def test_the_right_region_is_named(served: Callable, code: str):
    _, backend = served(error(400, code, "<Region>eu-central-1</Region>"))
    with pytest.raises(RemoteError, match="lies in the region eu-central-1") as caught:
        backend.read("config", limit=10)
    assert "--region eu-central-1" in caught.value.hint


def test_a_host_that_vanishes_later_is_waited_for(served: Callable):
    server, backend = served(OK)
    backend.put("config", b"x")
    server.__exit__()
    with pytest.raises(RemoteBusy, match=f"cannot reach {server.url}|connection broke"):
        backend.put("config", b"x")
    assert backend.requests == 6


def test_the_servers_words_can_not_drive_a_terminal(served: Callable):
    _, backend = served(error(400, "Bad\x9b31m"))
    with pytest.raises(RemoteError) as caught:
        backend.put("config", b"x")
    assert str(caught.value).isprintable()


def test_the_clock_is_the_servers(served: Callable):
    server, backend = served(OK)
    backend.put("config", b"x")
    assert abs(backend.now() - 1795435200) < 5
    assert len(server.heads) == 1
