"""Change the entries of a `.gitignore`. Entries of mvc are lines `/name`; a sorted block of them stays sorted."""

from __future__ import annotations

_SPECIAL = "\\*?["


def entry(name: str) -> bytes:
    """Return the line, without its line end, that makes Git ignore NAME in the folder of the `.gitignore`."""
    escaped = "".join("\\" + c if c in _SPECIAL else c for c in name)
    if escaped.endswith(" "):
        escaped = escaped[:-1] + "\\ "
    return b"/" + escaped.encode()


def with_entry(text: bytes, name: str) -> bytes:
    """Return TEXT with an entry for NAME. A TEXT that has the entry is returned unchanged."""
    end = b"\r\n" if b"\r\n" in text else b"\n"
    lines = text.splitlines()
    new = entry(name)
    if new in lines:
        return text
    start = len(lines)
    while start and lines[start - 1].startswith(b"/"):
        start -= 1
    block = lines[start:]
    lines[start:] = sorted([*block, new]) if block == sorted(block) else [*block, new]
    return b"".join(line + end for line in lines)


def without_entry(text: bytes, name: str) -> bytes:
    """Return TEXT without the entry for NAME. Other lines keep their bytes."""
    gone = entry(name)
    return b"".join(line for line in text.splitlines(keepends=True) if line.rstrip(b"\r\n") != gone)
