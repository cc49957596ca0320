"""The answers of the Pythons that may have a model's environment. Each is asked once."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from modelvc.errors import UsageError
from modelvc.models.environment.choose import Candidate, candidates
from modelvc.models.environment.interpreter import Installed, NotPython, Running

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from types import TracebackType
    from typing import Self

    from modelvc.models.environment.choose import Wanted
    from modelvc.models.environment.resolve import Closure
    from modelvc.repo import Repo


class Answer(NamedTuple):
    """A Python with what it has installed, and the packages in it that were looked for."""

    candidate: Candidate
    installed: Installed
    packages: Closure


class AskedPythons:
    """A block in which the probes of WANTED run. REPO: None outside of a clone.

    EARLY: the first Python is asked when the block begins, and works while the caller does something else. Raises
    UsageError at the begin if the user named a program that is not a Python.
    """

    def __init__(self, wanted: Wanted, repo: Repo | None, *, early: bool = False) -> None:
        self.named = wanted.python
        self._early = early
        self._candidates = candidates(wanted, repo)
        self._env = wanted.env
        self._running: tuple[Candidate, Running] | None = None
        self._answers: list[tuple[Candidate, Installed]] = []

    def __enter__(self) -> Self:
        if self._early:
            self._start()
        if self.named:  # a wrong name is reported before anything is done
            next(self._all())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._running:
            self._running[1].stop()

    def with_modules(self, modules: Collection[str]) -> Answer | None:
        """Return the first Python that has packages for all MODULES, else the first that has most of them.

        None if no Python answers.
        """
        from modelvc.models.environment.resolve import closure  # late: most models need no package

        return self._best(lambda installed: closure(installed, modules))

    def with_packages(self, names: Collection[str]) -> Answer | None:
        """Return the first Python that has all packages NAMES, else the first that has most. None if none answers."""
        from modelvc.models.environment.resolve import closure_of

        return self._best(lambda installed: closure_of(installed, names))

    def _best(self, look: Callable[[Installed], Closure]) -> Answer | None:
        best: Answer | None = None
        for candidate, installed in self._all():
            found = Answer(candidate, installed, look(installed))
            if best is None or found.packages.lacks < best.packages.lacks:
                best = found
            if not best.packages.lacks:
                break
        return best

    def _all(self) -> Iterator[tuple[Candidate, Installed]]:
        yield from self._answers
        while self._running or self._start():
            assert self._running is not None  # noqa: S101 - for the type checker
            candidate, running = self._running
            self._running = None
            try:
                found = candidate, running.result()
            except NotPython as error:
                if candidate.named:
                    raise UsageError(str(error), hint="name a Python, such as .venv/bin/python") from None
                continue
            self._answers.append(found)
            yield found

    def _start(self) -> bool:
        """Ask the next Python. Return False if there is none."""
        for candidate in self._candidates:
            try:
                self._running = candidate, Running(candidate.python, self._env)
            except NotPython as error:
                if candidate.named:
                    raise UsageError(str(error), hint="name a Python, such as .venv/bin/python") from None
                continue
            return True
        return False
