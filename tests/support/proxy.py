"""A proxy on 127.0.0.1 before a real S3 server. It treats some requests as bad networks and servers do."""

from __future__ import annotations

import contextlib
import http.client
import random
import re
import socket
import socketserver
import ssl
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable

_PIECE = 16 << 10
_HOP = {"connection", "transfer-encoding", "content-length", "expect"}


@dataclass(frozen=True, slots=True)
class Rule:
    """Does something to the requests whose "METHOD path?query" it matches.

    It takes the FIRST to the LAST of them, or a SHARE. HEADER: a pattern that the name of a header must match.
    """

    does: str
    matches: str = ""
    header: str = ""
    first: int = 1
    last: int = 1_000_000
    share: float = 1.0
    status: int = 503
    code: str = "SlowDown"
    days: float = 0.0
    rate: int = 64 << 10  # bytes per second


@dataclass(slots=True)
class _Asked:
    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes


@dataclass(slots=True)
class _Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes


@dataclass(slots=True)
class Proxy:
    """Forwards requests to UPSTREAM (host:port). `rules` may change.

    `log`: each request, and what was done to it. `heads`: each request, and its headers by names in lower case.
    """

    upstream: str
    rules: list[Rule] = field(default_factory=list)
    seed: int = 0
    tls: ssl.SSLContext | None = None
    upload_rate: int = 0  # bytes of a body that are taken in a second; 0: all
    log: list[tuple[str, str]] = field(default_factory=list)
    heads: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    url: str = ""
    _server: socketserver.ThreadingTCPServer | None = None
    _seen: dict[Rule, int] = field(default_factory=dict)
    _lists: dict[str, _Answer] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _random: random.Random = field(default_factory=random.Random)

    def __enter__(self) -> Self:
        self._random.seed(self.seed)
        proxy = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError, http.client.HTTPException):
                    while proxy._serve(self.rfile, self.connection):
                        pass

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            request_queue_size = 64

        self._server = Server(("127.0.0.1", 0), Handler)
        if self.tls is not None:
            self._server.socket = self.tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"http{'s' * (self.tls is not None)}://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def use(self, *rules: Rule) -> None:
        """Use RULES from now on, with an empty log."""
        with self._lock:
            self.rules, self.log, self.heads = list(rules), [], []
            self._seen.clear()

    def done(self, what: str) -> int:
        """The number of requests that WHAT was done to."""
        return sum(did == what for _, did in self.log)

    # -- one request

    def _serve(self, stream, connection: socket.socket) -> bool:  # noqa: ANN001 - a file of a socket
        asked = self._read(stream, connection)
        if asked is None:
            return False
        rule = self._choose(asked)
        does = rule.does if rule else ""
        if does == "silent":
            time.sleep(30)
            return False
        if does == "reset":
            connection.shutdown(socket.SHUT_RDWR)
            return False
        if does == "delay":
            time.sleep(0.3)
        if rule and does == "status":
            answer = _error(rule.status, rule.code)
        elif does == "drop":
            answer = _Answer(200, [("ETag", '"0123"'), ("Date", format_datetime(datetime.now(UTC)))], b"")
        else:
            answer = self._forward(asked)
            if does == "lost":
                answer = _error(500, "InternalError")
        if "list-type=2" in asked.path:
            first = self._lists.setdefault(asked.path, answer)
            answer = first if does == "old" else answer
        if rule:
            answer = self._change(does, rule, answer)
        return _send(connection, asked.method, answer, rule if does in {"cut", "slow"} else None)

    def _read(self, stream, connection: socket.socket) -> _Asked | None:  # noqa: ANN001 - a file of a socket
        line = stream.readline().decode("latin-1").split()
        if len(line) < 2:
            return None
        headers: list[tuple[str, str]] = []
        while text := stream.readline().decode("latin-1").strip():
            name, _, value = text.partition(":")
            headers.append((name, value.strip()))
        known = {name.lower(): value for name, value in headers}
        if "100-continue" in known.get("expect", ""):
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        length = int(known.get("content-length", 0))
        body = b""
        while len(body) < length:
            part = stream.read1(min(_PIECE, length - len(body)))
            if not part:
                break
            body += part
            if self.upload_rate:
                time.sleep(len(part) / self.upload_rate)
        return _Asked(line[0], line[1], headers, body) if len(body) == length else None

    def _choose(self, asked: _Asked) -> Rule | None:
        what = f"{asked.method} {asked.path}"
        with self._lock:
            self.heads.append((what, {name.lower(): value for name, value in asked.headers}))
            for rule in self.rules:
                if not re.search(rule.matches, what):
                    continue
                if not any(re.search(rule.header, name.lower()) for name, _ in asked.headers):
                    continue
                count = self._seen[rule] = self._seen.get(rule, 0) + 1
                if rule.first <= count <= rule.last and self._random.random() < rule.share:
                    self.log.append((what, rule.does))
                    return rule
            self.log.append((what, ""))
            return None

    def _forward(self, asked: _Asked) -> _Answer:
        upstream = http.client.HTTPConnection(self.upstream, timeout=30)
        try:
            upstream.putrequest(asked.method, asked.path, skip_host=True, skip_accept_encoding=True)
            for name, value in asked.headers:
                if name.lower() not in _HOP:
                    upstream.putheader(name, value)
            upstream.putheader("Content-Length", str(len(asked.body)))
            upstream.endheaders(asked.body)
            answer = upstream.getresponse()
            body = answer.read()
            headers = [(n, v) for n, v in answer.getheaders() if n.lower() not in _HOP or asked.method == "HEAD"]
            return _Answer(answer.status, headers, body)
        finally:
            upstream.close()

    def _change(self, does: str, rule: Rule, answer: _Answer) -> _Answer:
        if does == "flip" and answer.body and answer.status < 300:
            at = self._random.randrange(len(answer.body))
            answer.body = answer.body[:at] + bytes([answer.body[at] ^ 1]) + answer.body[at + 1 :]
        elif does == "short" and answer.status < 300:  # a shorter body that is announced as such
            answer.body = answer.body[: len(answer.body) // 2]
        elif does == "few":
            keys = re.findall(rb"<Contents>.*?</Contents>", answer.body, re.DOTALL)
            for one in keys:
                if self._random.random() < 0.5:
                    answer.body = answer.body.replace(one, b"")
        elif does == "no token":
            answer.body = answer.body.replace(b"<IsTruncated>false<", b"<IsTruncated>true<")
        elif does == "skew":
            answer.headers = [(n, _shifted(v, rule.days)) if n.lower() == "date" else (n, v) for n, v in answer.headers]
        elif does == "skew keys":
            answer.headers = [
                (n, _shifted(v, rule.days)) if n.lower() == "last-modified" else (n, v) for n, v in answer.headers
            ]
            answer.body = re.sub(rb"<LastModified>(.*?)</LastModified>", _moved(rule.days), answer.body)
        return answer


def _shifted(text: str, days: float) -> str:
    return format_datetime(parsedate_to_datetime(text) + timedelta(days=days), usegmt=True)


def _moved(days: float) -> Callable[[re.Match[bytes]], bytes]:
    def move(found: re.Match[bytes]) -> bytes:
        then = datetime.fromisoformat(found[1].decode()) + timedelta(days=days)
        return f"<LastModified>{then.isoformat().replace('+00:00', 'Z')}</LastModified>".encode()

    return move


def _error(status: int, code: str) -> _Answer:
    body = f"<Error><Code>{code}</Code><Message>{code} it is</Message></Error>".encode()
    return _Answer(status, [("Content-Type", "application/xml")], body)


def _send(connection: socket.socket, method: str, answer: _Answer, rule: Rule | None) -> bool:
    lines = [f"HTTP/1.1 {answer.status} X", *(f"{name}: {value}" for name, value in answer.headers)]
    if method != "HEAD" or not any(name.lower() == "content-length" for name, _ in answer.headers):
        lines.append(f"Content-Length: {len(answer.body)}")
    connection.sendall("\r\n".join((*lines, "", "")).encode("latin-1"))
    if method == "HEAD":
        return True
    if rule and rule.does == "cut":
        connection.sendall(answer.body[: len(answer.body) // 2])
        connection.shutdown(socket.SHUT_RDWR)
        return False
    pieces = range(0, len(answer.body), _PIECE)
    for at in pieces:
        connection.sendall(answer.body[at : at + _PIECE])
        if rule and rule.does == "slow":
            time.sleep(_PIECE / rule.rate)
    return True
