"""A TOML table of a configuration file: every value is asked for by key and kind, and errors name file and key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelvc.errors import FormatError, shown
from modelvc.formats import toml
from modelvc.formats.paths import CONTROL

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from typing import Self, TypeAlias

    from modelvc.errors import ModelvcError

    Failure: TypeAlias = Callable[[str], ModelvcError]

MAX_TEXT = 4_096


class Table:
    """Reads one table and remembers what was asked for; `unknown` is the rest."""

    __slots__ = ("_asked", "_failure", "_name", "_values", "where")

    def __init__(self, values: Mapping[str, toml.Value], where: str, failure: Failure, name: str = "") -> None:
        self._values = values
        self._name = name
        self._failure = failure  # makes the error that its words are raised with
        self._asked: set[str] = set()
        self.where = where

    @classmethod
    def read(cls, data: bytes, where: str, failure: Failure, *, limit: int) -> Self:
        try:
            return cls(toml.read(data, shown(where), limit=limit), where, failure)
        except FormatError as error:
            raise failure(str(error)) from None

    def error(self, key: str, why: str) -> ModelvcError:
        return self._failure(f"{shown(self.where)}: {shown(self._name + key)} {why}")

    def text(self, key: str, default: str | None = "") -> str:
        """A string of at most 4,096 characters without control characters; with default None it must be there."""
        value = self._value(key, default)
        if value is None:
            raise self.error(key, "is missing")
        if not isinstance(value, str):
            raise self.error(key, "must be a string")
        if len(value) > MAX_TEXT:
            raise self.error(key, f"is longer than {MAX_TEXT:,} characters")
        if not CONTROL.isdisjoint(value):
            raise self.error(key, "has a control character (such as a line break) in it")
        return value

    def choice(self, key: str, allowed: Collection[str], default: str) -> str:
        value = self.text(key, default)
        if value not in allowed:
            raise self.error(key, f'must be one of {", ".join(allowed)}, not "{shown(value, 40)}"')
        return value

    def number(self, key: str, default: int | None = None) -> int:
        value = self._value(key, default)
        if value is None:
            raise self.error(key, "is missing")
        if type(value) is not int:  # isinstance() takes true for a number
            raise self.error(key, "must be a whole number")
        return value

    def flag(self, key: str) -> bool:
        value = self._value(key, default=False)
        if not isinstance(value, bool):
            raise self.error(key, "must be true or false")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._value(key, None)
        if value is None:  # a list that was cut off must not read as empty
            raise self.error(key, "is missing")
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.error(key, "must be a list of strings")
        return tuple(value)

    def table(self, key: str) -> Table:
        """The table under KEY, empty when there is none."""
        value = self._value(key, {})
        if not isinstance(value, dict):
            raise self.error(key, "must be a table")
        return Table(value, self.where, self._failure, f"{self._name}{key}.")

    def tables(self) -> dict[str, Table]:
        """Every value of this table, each of which must be a table."""
        return {key: self.table(key) for key in sorted(self._values)}

    @property
    def values(self) -> Mapping[str, toml.Value]:
        """All of it, as it is written."""
        return self._values

    @property
    def unknown(self) -> dict[str, toml.Value]:
        return {key: toml.ordered(self._values[key]) for key in sorted(self._values) if key not in self._asked}

    def _value(self, key: str, default: toml.Value | None) -> toml.Value | None:
        self._asked.add(key)
        return self._values.get(key, default)
