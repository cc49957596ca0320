"""The rich diff and the web views of nbdime. The only module that knows nbdime and nbformat: they take long to load."""

from __future__ import annotations

import contextlib
import re
import sys
from typing import TYPE_CHECKING, Any

from modelvc.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# What a hostile notebook could tell a terminal; the colours are nbdime's own, and are let through.
_CONTROL = re.compile("\x1b(?!\\[[0-9;]*m)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f\ud800-\udfff]")
_ESCAPE = re.compile("\x1b")
_LONG = re.compile(r"[A-Za-z0-9+/=]{400,}")  # base64
_EMPTY = b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'


def diff_text(before: bytes, after: bytes, names: tuple[str, str], *, color: bool) -> str:
    """How AFTER differs from BEFORE, for a terminal; "" when it does not. FormatError for what is no notebook.

    Empty bytes are an empty notebook. NAMES are what the two are called.
    """
    with _quiet():
        import io

        import nbdime
        from nbdime import prettyprint

        notebooks = [_notebook(data, name) for data, name in zip((before, after), names, strict=True)]
        found = nbdime.diff_notebooks(*notebooks)
        if not found:
            return ""
        out = io.StringIO()
        config = prettyprint.PrettyPrintConfig(out=out, use_git=False, use_diff=False, use_color=color)
        prettyprint.pretty_print_diff(notebooks[0], found, "", config)
    text = _CONTROL.sub(_shown, out.getvalue())
    if not color:
        text = _ESCAPE.sub(_shown, text)
    text = _LONG.sub(lambda long: f"{long[0][:40]}... ({len(long[0]):,} characters)", text)
    return f"--- {names[0]}\n+++ {names[1]}\n{text}"


def web_diff(before: str, after: str, *, port: int, on_port: Callable[[int], None]) -> int:
    """Serve nbdime's page about two files until it is closed; ON_PORT is told where. The page's own exit status."""
    return _serve(port, on_port, difftool_args={"base": before, "remote": after})


def web_merge(files: tuple[str, str, str], merged: str, *, port: int, on_port: Callable[[int], None]) -> int:
    """Serve nbdime's merge tool for base, ours and theirs until it is closed; it writes MERGED."""
    base, ours, theirs = files
    tool = {"base": base, "local": ours, "remote": theirs}
    return _serve(port, on_port, mergetool_args=tool, outputfilename=merged)


def _serve(port: int, on_port: Callable[[int], None], **settings: Any) -> int:
    with _quiet():
        from nbdime.webapp.nbdimeserver import main_server

        return int(main_server(on_port=on_port, closable=True, port=port, ip="127.0.0.1", **settings))


def _notebook(data: bytes, name: str) -> Any:
    from nbformat import reads

    read: Any = reads  # without types
    try:
        return read((data if data.strip() else _EMPTY).decode("utf-8-sig"), as_version=4)
    except Exception as error:  # noqa: BLE001 - whatever a library of many formats may raise about hostile bytes
        raise FormatError(f"{name} is no notebook: {type(error).__name__}: {error}") from None


def _shown(found: re.Match[str]) -> str:
    return f"\\x{ord(found[0]):02x}"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without warnings of libraries, and without a grammar that jsonschema would build for a format nobody uses here:
    1.4 of nbformat's 1.6 seconds.
    """
    import warnings

    absent = object()
    before = sys.modules.get("rfc3987_syntax", absent)
    if before is absent:
        sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment] # how an import is made to fail
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if before is absent:
            sys.modules.pop("rfc3987_syntax", None)
