"""Read the header of an array of numpy: a literal of Python, of strings, numbers, truth values, tuples, lists, dicts.

`ast.literal_eval` takes more: numbers in any base, joined strings, sets, and it can be made to exhaust its stack.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from modelvc.modelfiles.source import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEPTH = 20
_TOKEN = re.compile(
    r"\s*(?:(?P<text>'[^'\\\n]*'|\"[^\"\\\n]*\")|(?P<number>(?:0|[1-9][0-9]{0,18})(?![0-9]))L?"
    r"|(?P<word>True|False|None)\b|(?P<sign>[\[\](){},:]))"
)
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_END = ("", "")


def read_literal(text: str) -> object:
    """Return the value that TEXT is. Raises Unreadable for anything else, and for a key that is there twice."""
    tokens = _tokens(text)
    value = _value(next(tokens), tokens, _DEPTH)
    if next(tokens) != _END:
        raise Unreadable("the header of an array goes on behind its end")
    return value


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    """Yield the kind and the text of each token; _END at the end."""
    text = text.rstrip()
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if not found:
            break
        kind = found.lastgroup or ""
        yield kind, found[kind]
        at = found.end()
    else:
        yield _END
    raise Unreadable("the header of an array is not one that numpy writes")


def _value(token: tuple[str, str], tokens: Iterator[tuple[str, str]], depth: int) -> object:
    kind, text = token
    if kind == "text":
        return text[1:-1]
    if kind == "number":
        return int(text)
    if kind == "word":
        return {"True": True, "False": False, "None": None}[text]
    if text not in _CLOSING or not depth:
        raise Unreadable("the header of an array is not one that numpy writes")
    if text == "{":
        return _dict(tokens, depth - 1)
    return _items(text, tokens, depth - 1)


def _items(opening: str, tokens: Iterator[tuple[str, str]], depth: int) -> object:
    """Return a tuple or a list. (x) without a comma is x."""
    items: list[object] = []
    comma = True
    while (token := next(tokens)) != ("sign", _CLOSING[opening]):
        if not comma:
            if token != ("sign", ","):
                break
            comma = True
            continue
        items.append(_value(token, tokens, depth))
        comma = False
    else:
        if opening == "[":
            return items
        return items[0] if len(items) == 1 and not comma else tuple(items)
    raise Unreadable("the header of an array is not one that numpy writes")


def _dict(tokens: Iterator[tuple[str, str]], depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    comma = True
    while (token := next(tokens)) != ("sign", "}"):
        if not comma:
            if token != ("sign", ","):
                break
            comma = True
            continue
        kind, key = token
        if kind != "text" or next(tokens) != ("sign", ":") or key[1:-1] in found:
            break
        found[key[1:-1]] = _value(next(tokens), tokens, depth)
        comma = False
    else:
        return found
    raise Unreadable("the header of an array is not one that numpy writes")
