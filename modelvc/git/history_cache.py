"""Cache Git's history for one command, so that Git is asked once for many models."""

from __future__ import annotations

import os
from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

from modelvc.errors import GitError
from modelvc.git import history

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelvc.git.history import Version
    from modelvc.git.layout import Layout

_ALONE = 2  # models that are looked up one by one; from the next on, one walk serves all models
_AHEAD = 128  # most pointers that are read at once for the models that follow in the order of paths


class _Walk(NamedTuple):
    """The history from one start, for all models.

    `rows`: (path, blob, commit) by path, newest first. `order`: the paths, sorted. `parents`: the parents of all
    commits, empty until needed. `ahead`: by position in the rows, then by path: versions that were read ahead with an
    earlier model. `widths`: by position in the rows: how many models are read together the next time.
    """

    rows: dict[bytes, list[tuple[bytes, str, str]]]
    order: list[bytes]
    parents: dict[str, list[str]]
    ahead: dict[int, dict[str, list[Version]]]
    widths: dict[int, int]


class HistoryCache:
    """The pointers of commits and the versions of paths, for one command. A revision is resolved once."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._walks: dict[tuple[str, bool], _Walk] = {}
        self._alone: dict[tuple[str, bool], set[str]] = {}
        self._named: dict[str, str] = {}
        self._descriptions: dict[str, tuple[int, str, str]] = {}
        self._at: dict[str, dict[str, bytes]] = {}
        self._gone: dict[str, dict[str, bytes]] = {}

    def resolve(self, rev: str) -> str:
        """Return the id of the commit that REV names, as `history.resolve` does."""
        if rev not in self._named:
            self._named[rev] = history.resolve(self._layout, rev)
        return self._named[rev]

    def has_head(self) -> bool:
        """Return True if HEAD leads to a commit."""
        return "HEAD" in self._named or history.has_head(self._layout)

    def at(self, rev: str) -> dict[str, bytes]:
        """Return the bytes of every pointer in the commit REV, by path, sorted."""
        commit = self.resolve(rev)
        if commit not in self._at:
            self._at[commit] = dict(sorted(history.pointers_at(self._layout, commit).items()))
        return self._at[commit]

    def of(self, path: str, *, start: str = "HEAD", all_refs: bool = False) -> Iterator[Version]:
        """Return the versions of the pointer at PATH, newest first, as `history.versions` does."""
        walk = self._walk(path, start, all_refs=all_refs)
        if walk is None:
            return history.versions(self._layout, path, start=start, all_refs=all_refs)
        return self._described(path, walk)

    def before(self, commit: str, path: str, *, start: str = "HEAD", all_refs: bool = False) -> Iterator[Version]:
        """Return the versions of PATH that the first parent of COMMIT reaches, newest first.

        COMMIT is in the history of START.
        """
        walk = self._walk("", start, all_refs=all_refs)
        if walk is None:
            return history.versions(self._layout, path, start=f"{commit}~1")
        if not walk.parents:
            walk.parents.update(history.parents(self._layout, start=start, all_refs=all_refs))
        rows = walk.rows.get(os.fsencode(path), [])
        reached = _reached(walk.parents, walk.parents[commit][0], {row[2] for row in rows})
        some = history.growing(row for row in rows if row[2] in reached)
        return (version for portion in some for version in self._read(portion)[path])

    def gone(self, commit: str) -> dict[str, bytes]:
        """Return the pointers (path to bytes) that the first parent of COMMIT has and COMMIT lacks."""
        if commit not in self._gone:
            first = {rows[-1][2] for walk in self._walks.values() for rows in walk.rows.values()}
            self._gone |= history.gone(self._layout, {commit, *first} - self._gone.keys())
        return self._gone[commit]

    def _described(self, path: str, walk: _Walk) -> Iterator[Version]:
        rows = walk.rows.get(os.fsencode(path), [])
        at, size = 0, history.FIRST
        while at < len(rows):
            found = walk.ahead.get(at, {}).pop(path, None)
            if found is None:
                found = self._read_ahead(path, walk, at, size)
            yield from found
            at, size = at + size, min(2 * size, history.MOST)

    def _read_ahead(self, path: str, walk: _Walk, at: int, size: int) -> list[Version]:
        """Return SIZE versions of PATH from position AT on, and cache those of the next models, more each time."""
        width = walk.widths.get(at, 1)
        walk.widths[at] = max(1, min(2 * width, _AHEAD // size))
        first = bisect_left(walk.order, os.fsencode(path))
        portions = [walk.rows[name][at : at + size] for name in walk.order[first : first + width]]
        try:
            found = self._read([row for portion in portions for row in portion])
        except GitError:  # perhaps about a model that the command will not ask for
            found = self._read(portions[0])
        walk.ahead[at] = found
        return found.pop(path)

    def _read(self, rows: list[tuple[bytes, str, str]]) -> dict[str, list[Version]]:
        """Return the versions of ROWS by path."""
        found: dict[str, list[Version]] = {os.fsdecode(row[0]): [] for row in rows}
        for path, version in history.described(self._layout, rows, self._descriptions):
            found[path].append(version)
        return found

    def _walk(self, path: str, start: str, *, all_refs: bool) -> _Walk | None:
        """Return the walk of START, or None before a third path is asked for."""
        key = "" if all_refs else self.resolve(start), all_refs
        alone = self._alone.setdefault(key, set())
        alone |= {path} if path else set()
        if key not in self._walks and len(alone) > _ALONE:
            rows: dict[bytes, list[tuple[bytes, str, str]]] = {}
            for row in history.changes(self._layout, start=start, all_refs=all_refs):
                rows.setdefault(row[0], []).append(row)
            self._walks[key] = _Walk(rows, sorted(rows), {}, {}, {})
        return self._walks.get(key)


def _reached(parents: dict[str, list[str]], start: str, wanted: set[str]) -> set[str]:
    """Return the commits of WANTED that START reaches, itself included."""
    found: set[str] = set()
    seen, waiting = {start}, [start]
    while waiting and len(found) < len(wanted):
        at = waiting.pop()
        if at in wanted:
            found.add(at)
        new = [one for one in parents.get(at, ()) if one not in seen]
        seen.update(new)
        waiting += new
    return found
