"""Show a notebook as text for `git diff`, `log -p`, `show` and `blame`: a header for each cell, its source, no JSON."""

from __future__ import annotations

import re
from hashlib import sha256

from modelvc.errors import FormatError
from modelvc.notebook import conflict
from modelvc.notebook.document import JUPYTER, ZEPPELIN, cell_id, cells, dumps, metadata, parse, source, tags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from modelvc.notebook.document import Cell, Notebook

HEADER = "%%"  # the start of a header, which the diff driver's xfuncname finds
_LINES = 40  # most lines of one output
_WIDTH = 1_000  # most characters of a line; longer ones are base64 or minified scripts
# Control characters, characters that reorder text on a screen, and surrogates, which UTF-8 cannot encode.
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_VALUE = 200  # most characters of a line of metadata
_DEEPEST = 8  # levels of metadata that are shown key by key
# Keys that are shown in other ways, or do not come from a person.
_OF_CELL = frozenset({"attachments", "cell_type", "id", "input", "metadata", "outputs", "source"})
_OF_NOTEBOOK = frozenset({"cells", "metadata", "nbformat", "nbformat_minor", "worksheets"})
_QUIET = frozenset(
    {"kernelspec.language", "kernelspec.name"}
    | {f"language_info.{key}" for key in ("file_extension", "mimetype", "name", "nbconvert_exporter", "pygments_lexer")}
    | {f"language_info.codemirror_mode{key}" for key in ("", ".name", ".version")}
)


def text(data: bytes) -> str:
    """Return DATA as text for people. A file that is not a notebook is shown as it is, with long lines cut."""
    if not data.strip():
        return ""
    try:
        document = parse(data)
    except FormatError:
        return _cut(data.decode("utf-8", "replace"))
    try:
        if document.kind == JUPYTER:
            return "\n".join(_jupyter(document.notebook))
        if document.kind == ZEPPELIN:
            return "\n".join(_zeppelin(document.notebook))
    except FormatError:  # nested deeper than can be written
        pass
    return _cut(data.decode("utf-8", "replace"))


def header(cell: Cell) -> str:
    """Return the header of a cell: `%% [code] id tags`."""
    kind = cell.get("cell_type")
    words = [HEADER, f"[{kind if isinstance(kind, str) else '?'}]", cell_id(cell), *tags(cell)]
    if found := conflict.note(cell):
        words.append(f"(conflict: {found['kind']})")
    return _safe(" ".join(word for word in words if word))


def _jupyter(notebook: Notebook) -> Iterator[str]:
    yield from _about(notebook)
    for cell in cells(notebook):
        yield header(cell)
        yield from _named("%metadata ", [*_leaves(metadata(cell), skip=("mvc", "tags")), *_others(cell, _OF_CELL)])
        yield _source(cell)
        for output in _outputs(cell):
            yield from _output(output)
        if isinstance(attached := cell.get("attachments"), dict):
            yield from (_safe(f"%attachment {name} {_digest(attached[name])}") for name in sorted(attached))


def _about(notebook: Notebook) -> Iterator[str]:
    """Yield the lines about the whole notebook: its format, its kernel and its metadata."""
    found = metadata(notebook)
    spec, language = found.get("kernelspec"), found.get("language_info")
    named = spec.get("name") if isinstance(spec, dict) else None
    named = named or (language.get("name") if isinstance(language, dict) else None)
    words = f"%notebook format {notebook.get('nbformat')}.{notebook.get('nbformat_minor', 0)}"
    yield _safe(f"{words} kernel {named}" if isinstance(named, str) else words)
    some = [*_leaves(found, skip=("mvc",)), *_others(notebook, _OF_NOTEBOOK)]
    yield from _named("%metadata ", [(key, value) for key, value in some if key not in _QUIET])
    yield ""


def _others(owner: dict[str, Any], known: frozenset[str]) -> Iterator[tuple[str, Any]]:
    """Yield the keys and values of OWNER, a cell or a notebook, apart from the KNOWN keys."""
    yield from ((key, owner[key]) for key in sorted(owner) if key not in known and owner[key] is not None)


def _leaves(
    table: dict[str, Any], skip: Iterable[str] = (), above: str = "", depth: int = 0
) -> Iterator[tuple[str, Any]]:
    """Yield values by their dotted names, sorted, so that a diff shows only the changed ones."""
    for key in sorted(table):
        if key in skip:
            continue
        value = table[key]
        if isinstance(value, dict) and value and depth < _DEEPEST:
            yield from _leaves(value, above=f"{above}{key}.", depth=depth + 1)
        else:
            yield f"{above}{key}", value


def _named(start: str, values: list[tuple[str, Any]]) -> Iterator[str]:
    """Yield a line for each value. Above 40 values, one line with a digest stands for the rest."""
    lines = [_short_line(f"{start}{key}: {dumps(value)}") for key, value in values]
    yield from lines[:_LINES]
    if len(lines) > _LINES:
        yield f"... {len(lines) - _LINES} more ({_digest(values[_LINES:])})"


def _short_line(line: str) -> str:
    return _safe(
        line if len(line) <= _VALUE else f"{line[: _VALUE - 40]}... ({len(line):,} characters, {_digest(line)})"
    )


def _digest(value: Any) -> str:
    return sha256(dumps(value).encode()).hexdigest()[:10]


def _source(cell: Cell) -> str:
    found = _cut(source(cell))
    return found + "\n" if found and not found.endswith("\n") else found


def _outputs(cell: Cell) -> list[Any]:
    found = cell.get("outputs")
    return found if isinstance(found, list) else []


def _output(output: Any) -> Iterator[str]:
    """Yield the lines of one output: its text, and the MIME types of everything else."""
    if not isinstance(output, dict):
        return
    kind = output.get("output_type")
    data = output.get("data")
    shown = data if isinstance(data, dict) else {}
    others = sorted(str(mime) for mime in shown if mime != "text/plain")
    yield _safe(" ".join(["%output", str(output.get("name") or kind or "?"), *others]))
    words = shown.get("text/plain", output.get("text", ""))
    if kind == "error":
        words = f"{output.get('ename')}: {output.get('evalue')}"
    lines = _joined(words).splitlines()
    yield from (_safe(line[:_WIDTH]) for line in lines[:_LINES])
    if len(lines) > _LINES:
        yield f"... {len(lines) - _LINES} more lines"
    yield ""


def _zeppelin(note: Notebook) -> Iterator[str]:
    yield _safe(f"%note {note.get('name', '')}")
    yield ""
    for paragraph in note["paragraphs"]:
        yield _safe(f"{HEADER} [paragraph] {paragraph.get('id', '')} {paragraph.get('title') or ''}".rstrip())
        words = paragraph.get("text")
        yield _cut(words) + "\n" if isinstance(words, str) else ""
        results = paragraph.get("results") or paragraph.get("result")
        found = results.get("msg") if isinstance(results, dict) else None
        for one in found if isinstance(found, list) else ():
            if isinstance(one, dict):
                yield _safe(f"%output {one.get('type', '')}")
                lines = _joined(one.get("data")).splitlines()
                yield from (_safe(line[:_WIDTH]) for line in lines[:_LINES])
                yield ""


def _joined(words: Any) -> str:
    if isinstance(words, list):
        return "".join(part for part in words if isinstance(part, str))
    return words if isinstance(words, str) else ""


def _cut(words: str) -> str:
    """Return WORDS with long lines cut. A cut line shows its length and a digest, so that a change is visible."""
    return "\n".join(_safe(line) if len(line) <= _WIDTH else _safe(_short(line)) for line in words.split("\n"))


def _short(line: str) -> str:
    return f"{line[:80]}... ({len(line):,} characters, {_digest(line)})"


def _safe(line: str) -> str:
    """Return LINE with escapes for characters that control a terminal or that UTF-8 cannot encode."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", line)
