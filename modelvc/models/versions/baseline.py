"""Find the version that a model is compared with: its parent, the one of a revision, or the best one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelvc.errors import GitError, ModelvcError, UsageError, shown
from modelvc.formats.paths import pointer_of
from modelvc.formats.pointer.pointer import parse
from modelvc.git import history
from modelvc.git.run import run
from modelvc.models.versions.history import versions_of
from modelvc.models.versions.renames import name_in_commit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelvc.formats.paths import SafeRelPath
    from modelvc.formats.pointer.pointer import Pointer
    from modelvc.formats.text.policy import Policy
    from modelvc.repo import Repo

BEST = "best"


class Baseline:
    """The other side of a comparison, resolved once for all models.

    TEXT is "" for each model's parent, a revision, `REV...` for the merge base with REV, or "best". `commit` is the
    commit of a revision or merge base, else "".
    """

    def __init__(self, repo: Repo, text: str, policy: Policy, head: str = "HEAD") -> None:
        self._repo = repo
        self._policy = policy
        self._head = head
        self._text = text
        self._best = text == BEST
        self.commit = ""
        if text and not self._best:
            self.commit = _merge_base(repo, text, head) if "..." in text else history.resolve(repo.layout, text)
        self._pointers = repo.history.at(self.commit) if self.commit else {}

    def version(self, path: SafeRelPath, new: Pointer) -> Pointer | None:
        """Return the version to compare NEW with; None without one. Raises GitError if a shallow clone lacks it."""
        if self.commit:
            name = pointer_of(path)
            if name not in self._pointers:
                name = self._renamed(path, new)
            return parse(self._pointers[name], name) if name in self._pointers else None
        if self._best:
            return self._best_of(path, new)
        found = previous(self._repo, path, new, self._head)
        if found is None and new.parent is not None and self._repo.layout.shallow:
            raise not_in_shallow_clone(f"the version of {shown(path)} before this one ({new.parent.short})")
        return found

    def _renamed(self, path: SafeRelPath, new: Pointer) -> SafeRelPath:
        """Return the model's pointer in the commit, under its earlier name. A rename must not evade a gate."""
        if self._head == "HEAD" and not self._repo.history.has_head():
            return pointer_of(path)
        at = name_in_commit(self._repo, path, new, self._head)
        earlier = (pointer_of(name) for name, _ in versions_of(self._repo, at, start=self._head))
        found = next((name for name in earlier if name in self._pointers), None)
        if found is None and new.parent is not None and self._repo.layout.shallow:
            raise not_in_shallow_clone(f"the history that tells what {shown(path)} was called in {shown(self._text)}")
        return found or pointer_of(path)

    def _best_of(self, path: SafeRelPath, new: Pointer) -> Pointer | None:
        """Return the best other version by the first metric whose direction the policy declares; None without one."""
        rule = next((one for one in self._policy.rules_for(path) if one.direction != "info" and one.exact), None)
        if rule is None:
            raise UsageError(
                f"the policy declares no metric by which a version of {shown(path)} could be the best",
                hint="name one with its direction in .mvc/policy.toml, or compare with a revision",
            )
        if self._repo.layout.shallow:
            raise not_in_shallow_clone(f"the whole history of {shown(path)}")
        best: tuple[float, Pointer] | None = None
        for pointer in known_versions(self._repo, path, new, self._head):
            value = _number(pointer, rule.name)
            if value is None or pointer.oid == new.oid:
                continue
            gain = rule.gain(best[0], value) if best else 1.0
            if gain is not None and gain > 0:
                best = (value, pointer)
        return best[1] if best else None


def previous(repo: Repo, path: SafeRelPath, new: Pointer, head: str = "HEAD") -> Pointer | None:
    """Return the version that NEW names as its parent; None for a first version, or if history lacks the parent."""
    if new.parent is None:
        return None
    found = (pointer for pointer in known_versions(repo, path, new, head) if pointer.oid == new.parent)
    return next(found, None)


def known_versions(repo: Repo, path: SafeRelPath, new: Pointer, head: str = "HEAD") -> Iterator[Pointer]:
    """Yield the readable versions of a model in the history of HEAD, newest first. NEW is the version at PATH."""
    if head == "HEAD" and not repo.history.has_head():
        return
    for at, version in versions_of(repo, name_in_commit(repo, path, new, head), start=head):
        try:
            yield parse(version.data, pointer_of(at))
        except ModelvcError:
            continue


def _number(pointer: Pointer, name: str) -> float | None:
    value = pointer.current_metrics.get(name)
    if isinstance(value, bool | str) or value is None or value != value:  # noqa: PLR0124 - how nan is told
        return None
    return float(value)


def _merge_base(repo: Repo, text: str, head: str) -> str:
    """Return the merge base of `A...B`. An empty A is HEAD, an empty B is HEAD of the check."""
    first, _, second = text.partition("...")
    sides = [history.resolve(repo.layout, first or "HEAD"), history.resolve(repo.layout, second or head)]
    code, out, _ = run(repo.layout, "merge-base", *sides)
    if code:
        if repo.layout.shallow:
            raise not_in_shallow_clone(f"where {shown(text)} parted")
        raise GitError(f"{shown(text)} has no commit in common with what is checked", hint="compare with a revision")
    return out.decode("ascii").strip()


def not_in_shallow_clone(what: str) -> GitError:
    """Return the error for history that a shallow clone lacks. A gate over half of history would pass everything."""
    return GitError(f"{what} is not in this shallow clone", hint=history.DEEPEN)
