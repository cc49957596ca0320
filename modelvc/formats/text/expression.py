"""Conditions over metrics: `test.accuracy >= 0.9 and (latency_ms < 50 or not slow == true)`.

    condition   all { "or" all }
    all         one { "and" one }
    one         "not" one | "(" condition ")" | value ("<" | "<=" | ">" | ">=" | "==" | "!=") value
    value       number | "text" | 'text' | true | false | name | `any name`

A quoted word left of an operator is the name of a metric. Beside < and >, which order numbers alone, it is a name too.
Right of == and != it is the metric of that name where the version has one, else a text. Nothing else is evaluated.

A metric that is missing or nan makes its comparison unknown, and "not" of an unknown is unknown. An unknown condition
does not hold. This is the three-valued logic of Kleene and of SQL.
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.errors import UsageError, shown
from modelvc.formats.pointer import metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import TypeAlias

    from modelvc.formats.pointer.metrics import MetricValue

    Values: TypeAlias = Mapping[str, MetricValue]
    Truth: TypeAlias = bool | None
    Holds: TypeAlias = Callable[[Values], Truth]
    Operand: TypeAlias = Callable[[Values], MetricValue | None]

MAX_LENGTH = 2_000  # characters; a condition is typed, and in no file
_DEPTH = 50  # of nested parentheses and "not"
_TOKEN = re.compile(
    r"""\s*(?:
    (?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.]))
    |(?P<text>"[^"]*"|'[^']*')
    |`(?P<quoted>[^`]+)`
    |(?P<sign><=|>=|==|!=|<|>|\(|\))
    |(?P<name>[^\W\d][\w.@/%-]*)
    )""",
    re.VERBOSE,
)
_ORDER: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_SIGNS = {*_ORDER, "==", "!="}
_WORDS = {"and", "or", "not"}


@dataclass(frozen=True, slots=True)
class Condition:
    """A parsed condition; `names` are the metrics in it."""

    text: str
    names: tuple[str, ...]
    _holds: Holds

    def holds(self, values: Values) -> bool:
        """Whether VALUES, the metrics of a version, fulfil the condition; False where that is unknown."""
        return self._holds(values) is True


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # "number", "text" (quoted), "name", "sign" (an operator or a parenthesis), "word", "end"
    text: str
    column: int  # from 1

    @property
    def is_constant(self) -> bool:
        """Whether this token is a value at any position."""
        return self.kind == "number" or (self.kind == "name" and self.text in {"true", "false"})


def parse(text: str) -> Condition:
    """The condition in TEXT. Raises UsageError, which names the column of the first mistake."""
    if len(text) > MAX_LENGTH:
        raise UsageError(f"a condition cannot be longer than {MAX_LENGTH:,} characters", hint="write a shorter one")
    reader = _Parser(text, _tokens(text))
    found = reader.condition(0)
    reader.expect_end()
    return Condition(text, tuple(dict.fromkeys(reader.names)), found)


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if not match or match.lastgroup is None:
            start = at + len(text[at:]) - len(text[at:].lstrip())
            raise _wrong(text, start + 1, _not_understood(text[start:]))
        kind, word = match.lastgroup, match[match.lastgroup]
        column = match.start(kind) + 1
        if kind == "quoted":
            kind = "name"
        elif kind == "text":
            word = word[1:-1]
        elif kind == "name" and word.lower() in _WORDS:
            kind, word = "word", word.lower()
        found.append(_Token(kind, word, column))
        at = match.end()
    found.append(_Token("end", "", len(text) + 1))
    return found


def _not_understood(rest: str) -> str:
    """In words, the beginning of REST; for an operator of other languages, the whole of it and mvc's own ones."""
    found = re.match(r"[=<>!&|]+", rest)
    known = f"; there is {' '.join([*sorted(_SIGNS), *sorted(_WORDS)])}" if found else ""
    return f"{shown(found[0] if found else rest[:1])} is not understood{known}"


def _wrong(text: str, column: int, why: str) -> UsageError:
    return UsageError(
        f"{why} (column {column})", hint=f'in "{shown(text)}"; an example: "test.accuracy >= 0.9 and latency_ms < 50"'
    )


class _Parser:
    """Recursive descent over the tokens; one method for each rule of the grammar above."""

    def __init__(self, text: str, tokens: list[_Token]) -> None:
        self._text = text
        self._tokens = tokens
        self._at = 0
        self.names: list[str] = []

    def condition(self, depth: int) -> Holds:
        if depth > _DEPTH:
            raise _wrong(self._text, self._next.column, "this is nested too deeply")
        parts = [self._all(depth)]
        while self._take("word", "or"):
            parts.append(self._all(depth))
        return parts[0] if len(parts) == 1 else lambda values: _any(part(values) for part in parts)

    def expect_end(self) -> None:
        if self._next.kind != "end":
            raise _wrong(self._text, self._next.column, f"{shown(self._next.text)} is one word too many")

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _take(self, kind: str, text: str) -> bool:
        found = (self._next.kind, self._next.text) == (kind, text)
        self._at += found
        return found

    def _all(self, depth: int) -> Holds:
        parts = [self._one(depth)]
        while self._take("word", "and"):
            parts.append(self._one(depth))
        return parts[0] if len(parts) == 1 else lambda values: _every(part(values) for part in parts)

    def _one(self, depth: int) -> Holds:
        if self._take("word", "not"):
            if depth > _DEPTH:
                raise _wrong(self._text, self._next.column, "this is nested too deeply")
            inner = self._one(depth + 1)
            return lambda values: None if (found := inner(values)) is None else not found
        if self._take("sign", "("):
            found = self.condition(depth + 1)
            if not self._take("sign", ")"):
                raise _wrong(self._text, self._next.column, 'a ")" is missing')
            return found
        first, sign = self._operand(), self._next
        if sign.kind != "sign" or sign.text not in _SIGNS:
            raise _wrong(self._text, sign.column, f"a comparison is missing: one of {' '.join(sorted(_SIGNS))}")
        self._at += 1
        second = self._operand()
        if first.is_constant and second.is_constant:
            raise _wrong(self._text, second.column, "two values are compared, and no metric")
        left = self._value(first)
        if second.kind == "text" and sign.text not in _ORDER and not first.is_constant:
            right = self._text_or_metric(second, left)
        else:
            right = self._value(second)
        return lambda values: _compare(sign.text, left(values), right(values))

    def _operand(self) -> _Token:
        token = self._next
        if token.kind not in {"number", "text", "name"}:
            raise _wrong(self._text, token.column, "a metric or a number is missing")
        self._at += 1
        return token

    def _value(self, token: _Token) -> Operand:
        if token.kind == "number":
            number = int(token.text) if token.text.lstrip("+-").isdigit() else float(token.text)
            return lambda _: number
        if token.is_constant:
            return lambda _: token.text == "true"
        self.names.append(token.text)
        return lambda values: values.get(token.text)

    def _text_or_metric(self, token: _Token, left: Operand) -> Operand:
        def value(values: Values) -> MetricValue | None:
            if token.text in values:
                return values[token.text]
            if metrics.is_number(metrics.parse_value(token.text)) and metrics.is_number(left(values)):
                why = f"a number is compared with the text {shown(token.text)}: write the number without quotes"
                raise _wrong(self._text, token.column, why)
            return token.text

        return value


def _compare(sign: str, left: MetricValue | None, right: MetricValue | None) -> Truth:
    if left is None or right is None or left != left or right != right:  # noqa: PLR0124 - nan is not equal to itself
        return None
    if sign in _ORDER:
        if isinstance(left, str | bool) or isinstance(right, str | bool):
            return None
        return _ORDER[sign](left, right)
    same = isinstance(left, str | bool) == isinstance(right, str | bool) and left == right
    return same == (sign == "==")


def _every(parts: Iterable[Truth]) -> Truth:
    """The "and" of PARTS in three-valued logic."""
    found = list(parts)
    return False if False in found else None if None in found else True


def _any(parts: Iterable[Truth]) -> Truth:
    """The "or" of PARTS in three-valued logic."""
    found = list(parts)
    return True if True in found else None if None in found else False
