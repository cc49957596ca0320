"""Record the environments of the versions of one `mvc add`."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from modelvc.errors import FormatError, ModelvcError
from modelvc.formats.pointer.environment import NAME
from modelvc.models.inside.pointer_part import fitting

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from modelvc.formats.paths import SafeRelPath
    from modelvc.formats.pointer.pointer import Pointer
    from modelvc.modelfiles.facts import ModelFacts
    from modelvc.models.environment.asked import AskedPythons
    from modelvc.models.environment.choose import Wanted
    from modelvc.repo import Repo

_EARLY = 4 << 20  # bytes that take longer to hash than a Python takes to answer; most other models ask none
_PATIENCE = 2.0  # seconds to look at one model


class Environments:
    """A block that records. Probes run in it, while the caller hashes. WANTED: None records nothing.

    Raises UsageError at its begin if the user named a program that is not a Python.
    """

    def __init__(self, repo: Repo, wanted: Wanted | None, new: int | None) -> None:
        """NEW: bytes of new versions, None if no version is new.

        Without a new version, environments are recorded only if the user named a Python.
        """
        self._repo = repo
        self._wanted = wanted if wanted and (new is not None or wanted.python) else None
        self._early = (new or 0) >= _EARLY
        self._asked: AskedPythons | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        if self._wanted:
            from modelvc.models.environment.asked import AskedPythons

            self._asked = self._stack.enter_context(AskedPythons(self._wanted, self._repo, early=self._early))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def recorded(
        self, path: SafeRelPath, pointer: Pointer, before: Pointer | None, facts: ModelFacts | None
    ) -> tuple[Pointer, str]:
        """Return POINTER with the environment of its version, and a note, "" for none. BEFORE: the pointer before.

        FACTS: of the version, None if it was not inspected yet. A version that was there before keeps its record,
        unless the user named a Python.
        """
        known = pointer.env is not None or NAME in pointer.extra or (before and before.oid == pointer.oid)
        if self._asked is None or (known and not self._asked.named):
            return pointer, ""
        from modelvc.models.environment.locks import lock_beside
        from modelvc.models.environment.record import modules_needed, record
        from modelvc.models.inside.facts import facts_of

        try:
            facts = facts or facts_of(self._repo, pointer, path=path, seconds=_PATIENCE)
        except ModelvcError:  # the version is stored; what is inside is said by the commands that look at it
            return pointer, ""
        if facts is None or not modules_needed(facts):
            return pointer, ""
        found = record(self._asked, pointer.oid, facts, lock_beside(self._repo, path))
        if found.environment is None:
            return pointer, found.note
        made = fitting(replace(pointer, env=found.environment))
        try:
            made.encode()
        except FormatError:  # metrics fill the pointer
            return pointer, "its environment is not recorded: the pointer would be too large"
        return made, ""
