"""Print lines, tables and JSON. Colour only goes to a terminal."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import shutil
import sys
from typing import TYPE_CHECKING, Any

from modelvc.errors import shown
from modelvc.formats.sizes import about, six_digits

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TextIO

_HEX = frozenset("0123456789abcdef")
# Characters of Markdown that would end a cell, or turn a name into a link, an image, code or HTML.
_MARKDOWN = {ord(char): f"\\{char}" for char in "\\|[]<`"}
_COLOURS = {"green": "32", "yellow": "33", "red": "31", "cyan": "36", "dim": "2", "bold": "1"}


def colour(text: str, name: str, stream: TextIO | None = None) -> str:
    """Return TEXT in the colour NAME if STREAM is a terminal and NO_COLOR is not set, else TEXT."""
    stream = stream or sys.stdout
    if not stream.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[{_COLOURS[name]}m{text}\x1b[0m"


def width() -> int:
    """Return the number of characters in a line of the terminal; 0 if stdout is none."""
    return shutil.get_terminal_size((80, 24)).columns if sys.stdout.isatty() else 0


def middle_cut(text: str, room: int) -> str:
    """Return TEXT in at most ROOM characters: its middle is left out, since names end in what they are."""
    head = (room - 1) // 3
    return text if len(text) <= room else f"{text[:head]}…{text[len(text) - (room - 1 - head) :]}"


def choices(advice: str) -> list[str]:
    """Return ADVICE in one line; on a terminal without room for it, each of its choices, which ` · ` parts, in one."""
    room = width()
    if not room or len(advice) <= room:
        return [advice]
    start = advice[: len(advice) - len(advice.lstrip())]
    return [f"{start}{one.strip()}" for one in advice.split(" · ")]


def out(*lines: str) -> None:
    """Print LINES, the result, on stdout. Undecodable bytes in names become escapes."""
    text = "".join(line + "\n" for line in map(_inert, lines))
    sys.stdout.write(text.encode("utf-8", "backslashreplace").decode())


def say(*lines: str, quiet: bool = False) -> None:
    """Print LINES, notes and advice, on stderr after all output on stdout so far. QUIET: print nothing."""
    if not quiet:
        sys.stdout.flush()
        sys.stderr.write("".join(line + "\n" for line in map(_inert, lines)))


def commands(*lines: str) -> None:
    """Print LINES that GitHub's runner executes as workflow commands."""
    sys.stdout.write("".join(line + "\n" for line in lines).encode("utf-8", "backslashreplace").decode())


def _inert(line: str) -> str:
    """Return LINE changed so that GitHub's runner ignores it. The runner executes every line that begins with `::`."""
    if "GITHUB_ACTIONS" not in os.environ:
        return line
    start = line[: len(line) - len(line.lstrip())]
    line = line.replace("##[", "## [")
    return f"{start}: :{line[len(start) + 2 :]}" if line.startswith("::", len(start)) else line


def dump(value: Any) -> None:
    """Print a result as JSON: its fields by name. NaN and infinities become strings."""
    out(as_json(plain(value)))


def as_json(value: Any, *, indent: int | None = 2) -> str:
    """Return VALUE as JSON. Characters that would control a terminal, or are invisible, become escapes."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    if text.replace("\n", "").isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text)


def plain(value: Any) -> Any:
    """Return a result as the types that json can write, without the fields whose metadata has `json` False."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = (field for field in dataclasses.fields(value) if field.metadata.get("json", True))
        return {field.name: plain(getattr(value, field.name)) for field in fields}
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    return value


def short(oid: str | None) -> str:
    """Return the first ten hex digits of an oid, for people; "" without one."""
    return oid.removeprefix("blake3:")[:10] if oid else ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, markdown: bool = False) -> list[str]:
    """Return ROWS as lines with aligned columns, numbers to the right. An empty HEAD is left out."""
    lines = [[shown(cell) for cell in row] for row in ([head] if head else []) + list(rows)]
    if markdown:
        marked = ["| " + " | ".join(cell.translate(_MARKDOWN) for cell in row) + " |" for row in lines]
        return [marked[0], "|" + "---|" * len(head), *marked[1:]]
    columns = list(zip(*lines, strict=True))
    widths = [max(map(len, column)) for column in columns]
    right = [all(_is_number(cell) for cell in column[bool(head) :]) for column in columns]

    def line(row: Sequence[str]) -> str:
        padded = [c.rjust(w) if number else c.ljust(w) for c, w, number in zip(row, widths, right, strict=True)]
        return "  ".join(padded).rstrip()

    shown_lines = list(map(line, lines))
    return [colour(shown_lines[0], "dim"), *shown_lines[1:]] if head else shown_lines


def too_wide(lines: Sequence[str]) -> bool:
    """Return whether the terminal is narrower than LINES, a table whose first line is its head."""
    head = len(lines[0]) - len(colour("", "dim"))
    return bool(width()) and max([head, *map(len, lines[1:])]) > width()


def markdown_text(text: str) -> str:
    """Return TEXT with the characters escaped that Markdown would read as a link, an image, code or HTML."""
    return text.translate(_MARKDOWN)


def _is_number(cell: str) -> bool:
    """Return True if CELL is empty, a number, or a size."""
    if cell in {"", "-"}:
        return True
    digits, _, unit = cell.partition(" ")
    if len(cell) in {8, 10} and _HEX.issuperset(cell):
        return False  # a short id: 5037e940 could also be read as a number
    try:
        float(digits.replace(",", ""))
    except ValueError:
        return False
    return unit in {"", "B", "kB", "MB", "GB", "TB"}


def number(value: object) -> str:
    """Return a metric as it was recorded, with all digits."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)


def brief(value: object) -> str:
    """Return a metric with six digits, for tables. JSON and `mvc show` have all digits."""
    return six_digits(value) if isinstance(value, float) else number(value)


def size(value: int | None) -> str:
    """Return a number of bytes for people, such as `1.5 MB`; "" for None."""
    return "" if value is None else about(value)


def yes(value: bool | None) -> str:
    """Return `yes`, `no`, or `-` for unknown."""
    return "-" if value is None else "yes" if value else "no"


def count(number_of: int, word: str) -> str:
    """Return the number with its noun: `1 model`, `2 models`."""
    return f"{number_of:,} {word}{'' if number_of == 1 else 's'}"
