"""Look into the models that a command is about to write to the worktree, and block those that must not get a name.

What is blocked: docs/policy.md#scan. Why: docs/decisions/0020-gate-at-checkout.md.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from modelvc.errors import IntegrityError, ModelvcError, ObjectMissing
from modelvc.formats.text import scan_rules
from modelvc.models.policy import read_policy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modelvc.formats.binary.root import Root
    from modelvc.formats.text.scan_rules import OnCheckout
    from modelvc.modelfiles.facts import ModelFacts
    from modelvc.modelfiles.name_list import NameList
    from modelvc.modelfiles.verdict import Verdict
    from modelvc.models.inside.source import Version
    from modelvc.repo import Repo
    from modelvc.store.local.store import LocalStore

PATIENCE = 20.0  # seconds for one model; what takes longer counts as unreadable
_GLANCE, _READ = 1.0, 20  # seconds for one model whose facts are not kept, and how many of them are read
_NAMED = 3  # reasons that one line names
UNKNOWN = "unknown"  # the format of ModelFacts that no reader knows
# Names of files that a library would open as a pickle, or as a format that holds functions.
_LOADED = (
    ".pkl", ".pickle", ".joblib", ".dill", ".pt", ".pth", ".ckpt", ".sav", ".h5", ".hdf5", ".keras", ".pb", ".npy",
    ".npz", ".mar", ".skops",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Looked:
    """One model with a verdict that a person should know. `verdict`: its word; `why`: the reasons, in one clause."""

    path: str
    verdict: str
    why: str
    blocked: bool

    @property
    def is_news(self) -> bool:
        """Whether it tells the author of the file something: they know if it is of no format that is read."""
        return self.blocked or self.verdict != UNKNOWN

    @property
    def words(self) -> str:
        """The verdict and its reasons in one clause."""
        return f"{self.verdict}: {self.why}" if self.why else self.verdict


class Gate:
    """The rules and names in force for one command. Files and lists are read when the first model is looked at."""

    def __init__(self, repo: Repo | None) -> None:
        """Take the clone whose rules hold; None outside of a clone: the default holds."""
        self._repo = repo
        self._unread = 0

    @cached_property
    def rule(self) -> OnCheckout:
        """What a checkout does. A policy that cannot be read counts as none: a branch could as well remove it."""
        if self._repo is None:
            return scan_rules.DEFAULT_ON_CHECKOUT
        try:
            policy = read_policy(self._repo).scan
        except ModelvcError:
            policy = scan_rules.ScanRules()
        return scan_rules.effective(policy, self._repo.clone_config.scan)

    @cached_property
    def listed(self) -> NameList:
        """The names that may be imported."""
        if self._repo is None:
            from modelvc.modelfiles.name_list import shipped

            return shipped()
        from modelvc.models.inside.trusted import names_in_force

        return names_in_force(self._repo).listed

    def look(self, path: str, version: Version, *, seconds: float = PATIENCE) -> Looked | None:
        """Return what a person should know of VERSION, which the local store has, before it is written to PATH.

        None for a damaged object as well: the write that follows reads the same chunks, and raises.
        """
        if self.rule == "off" or self._repo is None:
            return None
        try:
            return self.judge(path, _facts(self._repo, version, seconds))
        except (IntegrityError, ObjectMissing):
            return None

    def recall(self, path: str, version: Version) -> Looked | None:
        """Return what `look` does, for a command that only shows it: few versions are read, others must be known."""
        if self.rule == "off" or self._repo is None:
            return None
        from modelvc.models.inside import facts_cache

        known = facts_cache.load(self._repo, version.oid)
        if known is not None:
            return self.judge(path, known)
        self._unread += 1
        return self.look(path, version, seconds=_GLANCE) if self._unread <= _READ else None

    def judge(self, path: str, facts: ModelFacts | None) -> Looked | None:
        """Return what a person should know of a model with FACTS, which are None if no reader knows it; else None."""
        if self.rule == "off":
            return None
        from modelvc.modelfiles.facts import ModelFacts
        from modelvc.modelfiles.verdict import Kind, judge

        found = judge(facts or ModelFacts(UNKNOWN), self.listed)
        if found.kind in {Kind.INERT, Kind.LISTED}:
            return None
        blocked = self.rule == "block" or found.kind is Kind.KNOWN_BAD
        if found.kind is Kind.UNKNOWN and not blocked and not could_be_loaded(path):
            return None
        return Looked(path, found.kind.value, in_words(found), blocked)


def _facts(repo: Repo, version: Version, seconds: float) -> ModelFacts | None:
    """Return the facts of VERSION.

    A version that was never hashed as a whole is read as it is, and its facts are not kept: the write that follows
    hashes it, and wrong bytes get no name.
    """
    from modelvc.models.inside.facts import facts_of

    root = repo.store.read_root(version.kind, version.oid)
    if root.unproven:
        return facts_of_unproven(repo.store, root, seconds)
    return facts_of(repo, version, seconds=seconds)


def facts_of_unproven(store: LocalStore, root: Root, seconds: float) -> ModelFacts | None:
    """Return what is inside the object of ROOT, which is not hashed: the caller hashes the bytes that it writes."""
    from modelvc.modelfiles.facts import ModelFacts
    from modelvc.modelfiles.source import OutOfTime
    from modelvc.models.inside.facts import look
    from modelvc.models.inside.source import Opened, stored_sources

    sources = stored_sources(store, replace(root, unproven=False), seconds=seconds)
    try:
        return look(Opened(root.kind, sources), seconds=seconds)
    except OutOfTime as error:
        return ModelFacts(UNKNOWN, unreadable=str(error))


def look_at(repo: Repo, models: Iterable[tuple[str, Version]]) -> tuple[Looked, ...]:
    """Look at MODELS, (path, version), which are about to be written. Return those that a person should know of."""
    gate = Gate(repo)
    return tuple(found for path, version in models if (found := gate.look(path, version)))


def could_be_loaded(path: str) -> bool:
    """Return whether a library would open a file called PATH as a pickle, or as a format that holds functions."""
    return os.path.basename(path).lower().endswith(_LOADED)


def in_words(verdict: Verdict) -> str:
    """Return the first reasons for VERDICT, and how many more there are."""
    reasons = verdict.decisive
    more = f" and {len(reasons) - _NAMED:,} more" if len(reasons) > _NAMED else ""
    return ", ".join(reasons[:_NAMED]) + more
