"""The rich diff and the web views of nbdime. Only this module loads nbdime and nbformat, which takes long."""

from __future__ import annotations

import contextlib
import re
import sys
from typing import TYPE_CHECKING, Any

from modelvc.errors import ConflictError, FormatError, UsageError, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

INTERRUPTED = 130

# Characters with which a hostile notebook could control a terminal or hide text: control characters, rare line ends,
# marks that reorder text or are invisible, lone surrogates.
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
_LONG = re.compile(r"[A-Za-z0-9+/=]{400,}")  # base64
_EMPTY = b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
_COLOURS = (("--- ", "1"), ("+++ ", "1"), ("## ", "1;34"), ("@@", "36"), ("-", "31"), ("+", "32"))
_WITH_IDS = 5  # the minor version of nbformat 4 that gave cells ids
_CURRENT = 4  # older notebooks are upgraded before they are compared
_MADE_UP = ("orig_nbformat", "orig_nbformat_minor")  # keys that nbformat adds when it upgrades


def diff_text(before: bytes, after: bytes, names: tuple[str, str], *, color: bool) -> str:
    """Return for a terminal how AFTER differs from BEFORE, or "". NAMES are the names of both.

    Empty bytes count as an empty notebook. Raises FormatError for an invalid notebook, UsageError without nbdime.
    """
    with _quiet():
        text = _compared((before, after), names)
    if not text:
        return ""
    text = _LONG.sub(lambda long: f"{long[0][:40]}... ({len(long[0]):,} characters)", _CONTROL.sub(_escape, text))
    lines = [f"--- {shown(names[0])}", f"+++ {shown(names[1])}", *text.removesuffix("\n").split("\n")]
    # A notebook may hold the escapes of colours, so all escapes are made visible, and lines are coloured here.
    return "".join(f"{_coloured(line) if color else line}\n" for line in lines)


def web_diff(files: tuple[str, str], names: tuple[str, str], *, port: int, on_port: Callable[[int], None]) -> int:
    """Serve nbdime's page about two files until it is closed. Return its exit status. ON_PORT receives the port.

    Raises before anything is served: FormatError for a file that nbdime cannot show, UsageError without nbdime. NAMES
    name the files.
    """
    _require(files, names)
    return _serve(port, on_port, difftool_args={"base": files[0], "remote": files[1]})


def web_merge(
    files: tuple[str, str, str], merged: str, *, names: Sequence[str], port: int, on_port: Callable[[int], None]
) -> int:
    """Serve nbdime's merge tool for base, ours and theirs until it is closed. Return its exit status.

    The page writes MERGED when the person saves. Raises as `web_diff` does.
    """
    _require(files, names)
    base, ours, theirs = files
    tool = {"base": base, "local": ours, "remote": theirs}
    return _serve(port, on_port, mergetool_args=tool, outputfilename=merged)


# -- words


def _compared(sides: tuple[bytes, bytes], names: tuple[str, str]) -> str:
    """Return nbdime's text about two notebooks, without colours; "" if they are equal."""
    import io

    try:
        import nbdime
        from nbdime import prettyprint
    except ModuleNotFoundError:
        raise UsageError(
            "this view of notebooks needs nbdime, which is not installed",
            hint="run `pip install 'modelvc[notebooks]'`, or see the sources with `git diff`",
        ) from None

    notebooks = [_notebook(data, name) for data, name in zip(sides, names, strict=True)]
    if any(upgraded for _, upgraded in notebooks):
        for notebook, _ in notebooks:  # ids that nbformat made up are no difference
            for cell in notebook["cells"]:
                cell.pop("id", None)
    before, after = (notebook for notebook, _ in notebooks)
    out = io.StringIO()
    config = prettyprint.PrettyPrintConfig(out=out, use_git=False, use_diff=False, use_color=False)
    try:
        found = nbdime.diff_notebooks(before, after)
        prettyprint.pretty_print_diff(before, found, "", config)
    except Exception as error:  # noqa: BLE001 - nbdime expects valid notebooks, and fails in many ways otherwise
        for data, name in zip(sides, names, strict=True):
            why = _why(data)
            if why:
                raise _broken(name, why) from None
        raise _broken(names[1], f"nbdime cannot tell it from {names[0]} ({type(error).__name__})") from None
    return out.getvalue() if found else ""


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")


def _coloured(line: str) -> str:
    code = next((code for start, code in _COLOURS if line.startswith(start)), "")
    return f"\x1b[{code}m{line}\x1b[0m" if code else line


# -- what is a notebook


def _notebook(data: bytes, name: str) -> tuple[Any, bool]:
    """Parse a notebook as nbformat 4. Return it, and True if it had to be upgraded."""
    from nbformat import convert, reader

    try:
        text = data.decode("utf-8-sig") if data.strip() else _EMPTY.decode()
        # As nbformat.reads, without its repairs: it would make up new ids for cells that share one.
        found: Any = reader.reads(text)  # type: ignore[no-untyped-call] # without types
        upgraded = reader.get_version(found)[0] < _CURRENT  # type: ignore[no-untyped-call]
        found = convert(found, _CURRENT)  # type: ignore[no-untyped-call]
        if upgraded:
            for key in _MADE_UP:
                found["metadata"].pop(key, None)
        if not all(isinstance(cell, dict) for cell in found["cells"]):
            raise TypeError  # noqa: TRY301 - handled below, as all other errors
    except Exception as error:  # noqa: BLE001 - hostile bytes can make nbformat raise anything
        raise _broken(name, _why(data) or f"nbformat cannot read it ({type(error).__name__})") from None
    return found, upgraded


def _why(data: bytes) -> str:
    """Return in words why a notebook is invalid, or ""."""
    from nbformat.validator import iter_validate

    from modelvc.notebook.document import cells, jupyter

    if not data.strip():
        return ""
    try:
        found = jupyter(data).notebook
        version = found["nbformat"]
        if version > _CURRENT:
            return f"nbformat {version} is not known here"
        if version == _CURRENT and found.get("nbformat_minor") not in range(_WITH_IDS):
            for at, cell in enumerate(cells(found)):
                cell.setdefault("id", f"cell-{at}")  # a missing id does not prevent a comparison
        # nbformat has no types
        error: Any = next(iter_validate(found, relax_add_props=True), None)  # type: ignore[no-untyped-call]
    except FormatError as wrong:
        return str(wrong)
    except Exception as wrong:  # noqa: BLE001 - the schema's check recurses as deep as the data
        return f"its shape cannot be checked ({type(wrong).__name__})"
    if error is None:
        return ""
    where = "/".join(map(str, getattr(error, "path", ())))
    return f"{where}: {error.message}" if where else str(error.message)


def _broken(name: str, why: str) -> FormatError:
    return FormatError(
        f"{shown(name)} is not a notebook that can be compared: {shown(why, 200)}",
        hint="see `git diff`; what a merge left in conflict is resolved by `mvc notebook merge PATH`",
    )


def _require(files: Sequence[str], names: Sequence[str]) -> None:
    """Raise FormatError for files that nbdime cannot compare: its pages would show a traceback."""
    found = []
    for path in files:
        with open(path, "rb") as file:
            found.append(file.read())
    with _quiet():
        for data, name in zip(found[1:], names[1:], strict=True):
            _compared((found[0], data), (names[0], name))


# -- pages


def _serve(port: int, on_port: Callable[[int], None], **settings: Any) -> int:
    import errno
    import logging

    with _quiet():
        from nbdime.webapp.nbdimeserver import main_server

        for name in ("tornado", "nbdime"):
            # Without a handler, Python would print a warning for each page that the browser requests in vain.
            logging.getLogger(name).addHandler(logging.NullHandler())
        try:
            return int(main_server(on_port=on_port, closable=True, port=port, ip="127.0.0.1", **settings))
        except KeyboardInterrupt:  # a normal way to end the page: saved files stay
            return INTERRUPTED
        except OSError as error:
            if error.errno not in {errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES}:
                raise
            raise ConflictError(
                f"no page can be served at port {port}: {error.strerror}",
                hint="choose another --port, or none: then a free one is taken",
            ) from None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the warnings of libraries, among them those about missing and duplicate ids of cells.

    Also keep jsonschema from building a grammar that notebooks do not need, which takes 0.9 of nbdime's 1.05 seconds.
    """
    import warnings

    absent = object()
    before = sys.modules.get("rfc3987_syntax", absent)
    if before is absent:
        sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment] # makes the import fail
    try:
        with warnings.catch_warnings():
            for kind in (DeprecationWarning, PendingDeprecationWarning, FutureWarning):
                warnings.simplefilter("ignore", kind)
            yield
    finally:
        if before is absent:
            sys.modules.pop("rfc3987_syntax", None)
