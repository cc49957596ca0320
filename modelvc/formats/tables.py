"""Read a TOML table of a configuration file value by value, by key and kind. Errors name the file and the key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelvc.errors import FormatError, shown
from modelvc.formats import limits, toml
from modelvc.formats.paths import CONTROL

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from typing import Self, TypeAlias

    from modelvc.errors import ModelvcError

    Failure: TypeAlias = Callable[[str], ModelvcError]


class Table:
    """Reads one table and remembers which keys were read; `unknown` has the others.

    WHERE: the file, and NAME: the dotted name of the table in it, for messages. FAILURE makes the error to raise from
    its words.
    """

    __slots__ = ("_failure", "_name", "_read", "_values", "where")

    def __init__(self, values: Mapping[str, toml.Value], where: str, failure: Failure, name: str = "") -> None:
        self._values = values
        self._name = name
        self._failure = failure
        self._read: set[str] = set()
        self.where = where

    @classmethod
    def read(cls, data: bytes, where: str, failure: Failure, *, limit: int) -> Self:
        """The top table of the TOML document DATA, of at most LIMIT bytes. Raises the error that FAILURE makes."""
        try:
            return cls(toml.read(data, shown(where), limit=limit), where, failure)
        except FormatError as error:
            raise failure(str(error)) from None

    def error(self, key: str, why: str) -> ModelvcError:
        """The error about the value under KEY, for the caller to raise; WHY goes on behind the name of the key."""
        return self._failure(f"{shown(self.where)}: {shown(self._name + key)} {why}")

    def text(self, key: str, default: str | None = "") -> str:
        """The string under KEY: at most 4,096 characters and no control character. With DEFAULT None it is required."""
        value = self._value(key, default)
        if value is None:
            raise self.error(key, "is missing")
        if not isinstance(value, str):
            raise self.error(key, "must be a string")
        if len(value) > limits.CONFIG_TEXT:
            raise self.error(key, f"is longer than {limits.CONFIG_TEXT:,} characters")
        if not CONTROL.isdisjoint(value):
            raise self.error(key, "has a control character (such as a line break) in it")
        return value

    def choice(self, key: str, allowed: Collection[str], default: str) -> str:
        """The string under KEY, which must be one of ALLOWED."""
        value = self.text(key, default)
        if value not in allowed:
            raise self.error(key, f'must be one of {", ".join(allowed)}, not "{shown(value, 40)}"')
        return value

    def number(self, key: str, default: int | None = None) -> int:
        """The whole number under KEY. With DEFAULT None it is required."""
        value = self._value(key, default)
        if value is None:
            raise self.error(key, "is missing")
        if type(value) is not int:  # isinstance() accepts true
            raise self.error(key, "must be a whole number")
        return value

    def flag(self, key: str) -> bool:
        """The boolean under KEY; False where there is none."""
        value = self._value(key, default=False)
        if not isinstance(value, bool):
            raise self.error(key, "must be true or false")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """The list of strings under KEY, which is required: a list that was cut off must not read as an empty one."""
        value = self._value(key, None)
        if value is None:
            raise self.error(key, "is missing")
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.error(key, "must be a list of strings")
        return tuple(value)

    def table(self, key: str) -> Table:
        """The table under KEY; an empty one where there is none."""
        value = self._value(key, {})
        if not isinstance(value, dict):
            raise self.error(key, "must be a table")
        return Table(value, self.where, self._failure, f"{self._name}{key}.")

    def tables(self) -> dict[str, Table]:
        """Every value by its key; each must be a table."""
        return {key: self.table(key) for key in sorted(self._values)}

    @property
    def values(self) -> Mapping[str, toml.Value]:
        """Every value as it is in the file, whatever its kind; this reads no key."""
        return self._values

    @property
    def unknown(self) -> dict[str, toml.Value]:
        """The values under keys that were not read, in sorted order."""
        return {key: toml.ordered(self._values[key]) for key in sorted(self._values) if key not in self._read}

    def _value(self, key: str, default: toml.Value | None) -> toml.Value | None:
        self._read.add(key)
        return self._values.get(key, default)
