"""How a notebook's JSON is laid out: indent, separators, escapes, line ends, byte order mark, end of the file.

A form is guessed from bytes, and holds only if writing these bytes anew gives the same ones (`held`). Git waits for
this: standard library only.
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
_COMMA = re.compile(rb",([ \t]*)\r?\n")  # a line end stands in no string
# Any escape; the group is the code of a character that Jupyter writes as it is.
_ESCAPE = re.compile(rb"\\(?:u(?!00[01])([0-9a-f]{4})|.)", re.DOTALL)
_HTML = "<>&"  # Colab, Go and Gson escape these together
_SIGNS = _HTML + "='\x7f\u2028\u2029"  # what some program escapes of all that Jupyter writes as it is


class Form:
    """One layout. `indent` is None for a single line; `escaped` lists the characters that stand as hex digits."""

    __slots__ = ("ascii", "bom", "end", "escaped", "indent", "newline", "separators")

    def __init__(self) -> None:
        """The form of Jupyter."""
        self.bom = False
        self.indent: str | None = " "
        self.separators = (",", ": ")
        self.ascii = False
        self.escaped = ""
        self.newline = "\n"
        self.end = b"\n"

    @property
    def is_jupyter(self) -> bool:
        """Whether this is the form of Jupyter."""
        return all(getattr(self, name) == getattr(JUPYTER, name) for name in self.__slots__)

    def encode(self, value: Any, *, sort_keys: bool = False) -> bytes:
        """VALUE in this form; lone surrogates, which UTF-8 cannot hold, stay escaped. FormatError: nested too deep."""
        try:
            text = json.dumps(
                value, ensure_ascii=self.ascii, indent=self.indent, separators=self.separators, sort_keys=sort_keys
            )
        except RecursionError:  # json reads deeper than it writes
            raise FormatError("not JSON that can be written again: it is nested too deeply") from None
        for char in self.escaped:  # these stand in strings and nowhere else
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
    """The form that DATA seems to have."""
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
    found.ascii = body.isascii() and any(ord(char) > 0x7F and char not in _SIGNS for char in codes)
    escaped = codes & set(_SIGNS)
    if escaped & set(_HTML):
        escaped |= set(_HTML)
    found.escaped = "".join(char for char in _SIGNS if char in escaped and not (found.ascii and ord(char) >= 0x7F))
    return found


def held(data: bytes, value: Any) -> Form | None:
    """The form of DATA, which VALUE was read from; None if no form that is known here gives these bytes again."""
    found = guess(data)
    try:
        return found if found.encode(value) == data else None
    except FormatError:
        return None
