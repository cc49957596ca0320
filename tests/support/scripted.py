"""A server on 127.0.0.1 that answers by a script, as a real server rarely does."""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass, field
from typing import Self

OK = b'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nETag: "e"\r\nDate: Mon, 23 Nov 2026 12:00:00 GMT\r\n\r\n'
RESET = b""  # closes the connection instead of answering
SILENCE = b"..."  # never answers


def error(status: int, code: str, extra: str = "") -> bytes:
    """An error as S3 answers it."""
    body = f"<Error><Code>{code}</Code><Message>{code} it is</Message>{extra}</Error>"
    return f"HTTP/1.1 {status} X\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


@dataclass
class Scripted:
    """Gives one answer of its script per request, and the last one from then on. `heads`: the requests that came."""

    script: list[bytes]
    heads: list[bytes] = field(default_factory=list)
    url: str = ""
    _listener: socket.socket | None = None
    _open: list[socket.socket] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._listener is None:
            return
        self._listener.shutdown(socket.SHUT_RDWR)  # closing alone leaves a thread in accept() that still listens
        self._listener.close()
        self._listener = None
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection.makefile("rb") as stream:
                while head := _read_head(stream):
                    with self._lock:
                        answer = self.script[min(len(self.heads), len(self.script) - 1)]
                        self.heads.append(head)
                    if answer == SILENCE:
                        threading.Event().wait(30)
                        return
                    if b"100-continue" in head:
                        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                    length = [line for line in head.splitlines() if line.lower().startswith(b"content-length:")]
                    stream.read(int(length[0].partition(b":")[2]) if length else 0)
                    if answer == RESET:
                        connection.shutdown(socket.SHUT_RDWR)
                        return
                    connection.sendall(answer)
        except OSError:
            return


def _read_head(stream) -> bytes:  # noqa: ANN001 - a file of a socket
    lines = []
    while line := stream.readline():
        lines.append(line)
        if line == b"\r\n":
            return b"".join(lines)
    return b""
