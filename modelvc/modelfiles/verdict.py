"""Judge what loading a model file would run, by a list of names. Spec: docs/inside.md#what-a-verdict-means."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from modelvc.modelfiles.facts import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modelvc.modelfiles.facts import ModelFacts
    from modelvc.modelfiles.name_list import NameList

UNKNOWN_FORMAT = "unknown"  # of ModelFacts


class Kind(Enum):
    """The verdicts, the worst first."""

    KNOWN_BAD = "known-bad"
    UNREADABLE = "unreadable"
    CODE = "code"
    UNLISTED = "unlisted"
    UNKNOWN = "unknown"
    LISTED = "listed"
    INERT = "inert"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The worst that is known of a file, and all reasons, also those of milder verdicts.

    `bad`: tricks that only an attack uses; `code`: programs that the file holds; `unlisted`: imported names that are
    not on the list; `called`: names with which this file does more than the list allows, such as to call a name that
    is listed as referred to; `unreadable`: why the file could not be read to its end, "" if it was.
    """

    kind: Kind
    bad: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    unlisted: tuple[str, ...] = ()
    called: tuple[str, ...] = ()
    unreadable: str = ""

    @property
    def reasons(self) -> tuple[str, ...]:
        """All reasons, the worst first: one clause or name each."""
        return tuple(reason for group in self._by_kind.values() for reason in group)

    @property
    def decisive(self) -> tuple[str, ...]:
        """The reasons for the verdict itself."""
        return self._by_kind.get(self.kind, ())

    @property
    def _by_kind(self) -> dict[Kind, tuple[str, ...]]:
        return {
            Kind.KNOWN_BAD: self.bad,
            Kind.UNREADABLE: (self.unreadable,) if self.unreadable else (),
            Kind.CODE: self.code,
            Kind.UNLISTED: (*self.unlisted, *(f"{name} (called)" for name in self.called)),
        }


def judge(facts: ModelFacts, listed: NameList) -> Verdict:
    """Return the verdict on a file with FACTS, where the names LISTED may be imported."""
    bad = tuple(one.what for one in facts.findings if one.severity is Severity.KNOWN_BAD)
    code = tuple(one.what for one in facts.findings if one.severity is Severity.CODE)
    unlisted = tuple(one.name for one in facts.imports if not listed.holds(one.name))
    called = tuple(one.name for one in facts.imports if listed.holds(one.name) and not listed.allows(*one))
    if bad:
        kind = Kind.KNOWN_BAD
    elif facts.unreadable:
        kind = Kind.UNREADABLE
    elif code:
        kind = Kind.CODE
    elif unlisted or called:
        kind = Kind.UNLISTED
    elif facts.format == UNKNOWN_FORMAT:
        kind = Kind.UNKNOWN
    elif facts.imports:
        kind = Kind.LISTED
    else:
        kind = Kind.INERT
    return Verdict(kind, bad, code, unlisted, called, facts.unreadable)


def worst(kinds: Iterable[Kind]) -> Kind:
    """Return the worst of KINDS, INERT if there is none."""
    order = list(Kind)
    return min(kinds, key=order.index, default=Kind.INERT)
