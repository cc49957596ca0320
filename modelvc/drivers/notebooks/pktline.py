"""Git's long-running filter protocol, version 2 (gitprotocol-common, gitattributes: "Long Running Filter Process").

A packet is its length in four hex digits, then at most 65,516 bytes. The length counts its own digits. The packet 0000,
a flush, ends a list or a content.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import IO, BinaryIO

    Work = Callable[[str, str, bytes | int], bytes | None]

_MOST = 65_516
_VERSION = "version=2"
_OURS = ("capability=clean", "capability=smudge")


def serve(source: BinaryIO, sink: BinaryIO, work: Work, limit: Callable[[], int]) -> None:
    """Answer Git until it closes SOURCE. WORK(command, path, content) returns the new content, or None for an error.

    A content of more than LIMIT() bytes returns unchanged, through a temporary file. WORK then gets its size, and
    returns None for an error. Raises ValueError if Git violates the protocol.
    """
    hello = _list(source)
    if hello is None or hello[:1] != ["git-filter-client"] or _VERSION not in hello:
        raise ValueError("this Git does not speak version 2 of the filter protocol")
    _write_list(sink, ["git-filter-server", _VERSION])
    offered = _list(source) or []
    _write_list(sink, [one for one in _OURS if one in offered])
    while (asked := _list(source)) is not None:
        values = dict(line.partition("=")[::2] for line in asked)
        command, path = values.get("command", ""), values.get("pathname", "")
        content, spilled = _content(source, limit())
        if spilled:
            with spilled:
                if work(command, path, spilled.tell()) is None:
                    _write_list(sink, ["status=error"])
                else:
                    _answer(sink, _blocks(spilled))
            continue
        answer = work(command, path, content)
        if answer is None:
            _write_list(sink, ["status=error"])
        else:
            _answer(sink, (answer[at : at + _MOST] for at in range(0, len(answer), _MOST)))


def _answer(sink: BinaryIO, blocks: Iterable[bytes]) -> None:
    _write_list(sink, ["status=success"])
    for block in blocks:
        _write(sink, block)
    sink.write(b"0000")
    _write_list(sink, [])  # empty: the status stays success


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while block := file.read(_MOST):
        yield block


def _list(source: BinaryIO) -> list[str] | None:
    """Return the lines up to a flush, or None at the end of the stream."""
    lines: list[str] = []
    while True:
        packet = _read(source)
        if packet is None:
            return None
        if not packet:
            return lines
        lines.append(packet.removesuffix(b"\n").decode("utf-8", "surrogateescape"))


def _content(source: BinaryIO, limit: int) -> tuple[bytes, IO[bytes] | None]:
    """Return the content of a file and None; above LIMIT bytes, b"" and a temporary file that holds the content."""
    parts = []
    size = 0
    spilled: IO[bytes] | None = None
    while packet := _read(source):
        size += len(packet)
        parts.append(packet)
        if size > limit:
            if spilled is None:
                from tempfile import TemporaryFile

                spilled = TemporaryFile(prefix="mvc-filter-")  # noqa: SIM115 - the caller closes it
            spilled.writelines(parts)
            parts = []
    if packet is None:
        raise ValueError("Git closed the connection inside a file")
    return b"".join(parts), spilled


def _read(source: BinaryIO) -> bytes | None:
    """Return one packet, b"" for a flush, None at the end of the stream. Raises ValueError for a short packet."""
    head = source.read(4)
    if not head:
        return None
    length = int(head, 16)
    if length == 0:
        return b""
    data = source.read(length - 4) if length > 4 else b""
    if len(data) != length - 4:
        raise ValueError("a packet was cut off")
    return data


def _write(sink: BinaryIO, data: bytes) -> None:
    sink.write(b"%04x" % (len(data) + 4) + data)


def _write_list(sink: BinaryIO, lines: list[str]) -> None:
    for line in lines:
        _write(sink, line.encode() + b"\n")
    sink.write(b"0000")
    sink.flush()
