"""The form of a notebook's JSON: indent, separators, escapes, line ends, byte order mark, end of the file.

`guess` derives a form from bytes. The form is certain only if it writes exactly these bytes again (`form_of`). The
drivers that are copied into clones load this module, so it needs the standard library alone.
"""

from __future__ import annotations

import json
import re

from modelvc.errors import FormatError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

BOM = b"\xef\xbb\xbf"
_WIDEST = 16  # characters of an indent
_SPACE = b" \t\r\n"
_SURROGATE = re.compile("[\ud800-\udfff]")
_OPENING = re.compile(rb"\{(\r?\n)?([ \t]*)")
_COLON = re.compile(rb'"(?:[^"\\]|\\.)*"([ \t]*:[ \t]*)')
_COMMA = re.compile(rb",([ \t]*)\r?\n")  # strings of JSON hold no line ends
# An escape. The group is the code of a character that Jupyter does not escape.
_ESCAPE = re.compile(rb"\\(?:u(?!00[01])([0-9a-f]{4})|.)", re.DOTALL)
_HTML = "<>&"  # Colab, Go and Gson escape these together
_ESCAPED_BY_SOME = _HTML + "='\x7f\u2028\u2029"  # characters that some programs escape, and Jupyter does not


class Form:
    """One form. `indent` is None for JSON in one line; `escaped` holds characters that are written as hex digits."""

    __slots__ = ("ascii", "bom", "end", "escaped", "indent", "newline", "separators")

    def __init__(self) -> None:
        """Set up the form of Jupyter."""
        self.bom = False
        self.indent: str | None = " "
        self.separators = (",", ": ")
        self.ascii = False
        self.escaped = ""
        self.newline = "\n"
        self.end = b"\n"

    @property
    def is_jupyter(self) -> bool:
        """True if this is the form of Jupyter."""
        return all(getattr(self, name) == getattr(JUPYTER, name) for name in self.__slots__)

    def encode(self, value: Any, *, sort_keys: bool = False) -> bytes:
        """Return VALUE in this form. Lone surrogates, which UTF-8 cannot encode, stay escaped.

        Raises FormatError if VALUE is nested too deeply.
        """
        try:
            text = json.dumps(
                value, ensure_ascii=self.ascii, indent=self.indent, separators=self.separators, sort_keys=sort_keys
            )
        except RecursionError:  # json can read values that are too deep for it to write
            raise FormatError("not JSON that can be written again: it is nested too deeply") from None
        for char in self.escaped:  # JSON has these characters only in strings
            text = text.replace(char, f"\\u{ord(char):04x}")
        if self.newline != "\n":
            text = text.replace("\n", self.newline)
        try:
            data = text.encode()
        except UnicodeEncodeError:
            data = _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode()
        return BOM * self.bom + data + self.end


JUPYTER = Form()


def guess(data: bytes) -> Form:
    """Return the form that DATA seems to have."""
    found = Form()
    found.bom = data.startswith(BOM)
    body = data.removeprefix(BOM)
    found.end = body[len(body.rstrip(_SPACE)) :][-_WIDEST:]
    opening = _OPENING.match(body)
    if opening is None:
        return found
    line, indent = opening.groups()
    found.indent = indent[:_WIDEST].decode() if line else None
    found.newline = "\r\n" if line == b"\r\n" else "\n"
    colon = _COLON.match(body, opening.end())
    between = colon[1].decode() if colon else ": "
    comma = _COMMA.search(body)
    after = (comma[1].decode() if comma else "") if line else between[1:]
    found.separators = (f",{after}", between)
    codes = {chr(int(code, 16)) for code in {one[1] for one in _ESCAPE.finditer(body)} if code}
    found.ascii = body.isascii() and any(ord(char) > 0x7F and char not in _ESCAPED_BY_SOME for char in codes)
    escaped = codes & set(_ESCAPED_BY_SOME)
    if escaped & set(_HTML):
        escaped |= set(_HTML)
    found.escaped = "".join(
        char for char in _ESCAPED_BY_SOME if char in escaped and not (found.ascii and ord(char) >= 0x7F)
    )
    return found


def form_of(data: bytes, value: Any) -> Form | None:
    """Return the form of DATA, from which VALUE was parsed; None if no known form writes these bytes again."""
    found = guess(data)
    try:
        return found if found.encode(value) == data else None
    except FormatError:
        return None
