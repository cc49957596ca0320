"""Git's long-running filter protocol, version 2 (gitprotocol-common, gitattributes: "Long Running Filter Process").

Each packet is four hex digits, the length with them, then at most 65,516 bytes; 0000 ends a list or a content.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    Work = Callable[[str, str, bytes], bytes | None]

_MOST = 65_516
_VERSION = "version=2"
_OURS = ("capability=clean", "capability=smudge")


def serve(source: BinaryIO, sink: BinaryIO, work: Work) -> None:
    """Answer Git until it hangs up. WORK(command, path, content) returns the new content, or None for an error.

    Raises ValueError when the other side speaks something else.
    """
    hello = _list(source)
    if hello is None or hello[:1] != ["git-filter-client"] or _VERSION not in hello:
        raise ValueError("this is no Git that speaks version 2 of the filter protocol")
    _write_list(sink, ["git-filter-server", _VERSION])
    offered = _list(source) or []
    _write_list(sink, [one for one in _OURS if one in offered])
    while (asked := _list(source)) is not None:
        values = dict(line.partition("=")[::2] for line in asked)
        content = _content(source)
        answer = work(values.get("command", ""), values.get("pathname", ""), content)
        if answer is None:
            _write_list(sink, ["status=error"])
            continue
        _write_list(sink, ["status=success"])
        for at in range(0, len(answer), _MOST):
            _write(sink, answer[at : at + _MOST])
        sink.write(b"0000")
        _write_list(sink, [])  # the status stays as it is


def _list(source: BinaryIO) -> list[str] | None:
    """Lines up to a flush; None when Git hung up."""
    lines: list[str] = []
    while True:
        packet = _read(source)
        if packet is None:
            return None
        if not packet:
            return lines
        lines.append(packet.removesuffix(b"\n").decode("utf-8", "surrogateescape"))


def _content(source: BinaryIO) -> bytes:
    parts = []
    while packet := _read(source):
        parts.append(packet)
    if packet is None:
        raise ValueError("Git hung up in the middle of a file")
    return b"".join(parts)


def _read(source: BinaryIO) -> bytes | None:
    """One packet, b"" for a flush, None at the end."""
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
