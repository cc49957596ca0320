"""What a reading of pickles has seen: imports, findings, and why the file cannot be trusted to be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelvc.modelfiles.facts import Finding, Import, Severity, Use, clean, most
from modelvc.modelfiles.pickles.known_bad import is_known_bad
from modelvc.modelfiles.pickles.values import Global

if TYPE_CHECKING:
    from modelvc.modelfiles.source import Budget

FINDINGS = 100  # of one file


class Seen:
    """Collects over all pickles and all readings of one file."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.trouble = ""  # the first reason why the file counts as unreadable
        self._uses: dict[str, Use] = {}
        self._globals: dict[str, Global] = {}
        self._findings: dict[Finding, None] = {}

    def referred(self, name: str) -> Global:
        """Take an import of NAME, `module.name`, and return its value. Raises Unreadable beyond the budget."""
        known = self._globals.get(name)
        if known is None:
            self.budget.keep(4 * len(name) + 400)
            known = self._globals[name] = Global(name)
            self._uses[name] = Use.REFERRED
        return known

    def called(self, name: str, use: Use = Use.CONSTRUCTED) -> None:
        """Take a call of NAME, which was imported. USE: CREATED if only `__new__` of the class NAME is called."""
        before = self._uses.get(name)
        self._uses[name] = most(before, use)
        if before in {None, Use.REFERRED} and use is not Use.REFERRED and is_known_bad(name):
            self.known_bad(f"calls {name}")

    def known_bad(self, what: str) -> None:
        """Take WHAT only an attack does."""
        self._find(Finding(Severity.KNOWN_BAD, clean(what)))

    def code(self, what: str) -> None:
        """Take WHAT makes the file a program."""
        self._find(Finding(Severity.CODE, clean(what)))

    def doubt(self, reason: str) -> None:
        """Count the file as unreadable for REASON, and go on."""
        self.trouble = self.trouble or reason

    def _find(self, finding: Finding) -> None:
        if len(self._findings) < FINDINGS or finding.severity is Severity.KNOWN_BAD:
            self._findings.setdefault(finding)
        while len(self._findings) > FINDINGS:
            del self._findings[next(iter(self._findings))]

    @property
    def imports(self) -> tuple[Import, ...]:
        """All imports, sorted by name. Two names that are equal once they are escaped and cut are one."""
        found: dict[str, Use] = {}
        for name, use in self._uses.items():
            found[clean(name)] = most(found.get(clean(name)), use)
        return tuple(Import(name, found[name]) for name in sorted(found))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, in the order in which they were made."""
        return tuple(self._findings)
