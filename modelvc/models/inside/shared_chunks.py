"""Tell from manifests alone that parts of two versions are equal: they consist of the same chunks."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

from modelvc.models.inside.source import file_recipes

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelvc.models.inside.source import Version
    from modelvc.repo import Repo


def content_of(repo: Repo, version: Version) -> Callable[[str, int, int], object | None]:
    """Return a function of a file's path in a folder ("" for a file), a start and an end in it.

    Its value is equal for two parts of the same chunks, cut at the same places. It is None if the local store lacks
    VERSION, or if the part does not lie in the file. Raises ObjectCorrupt for a damaged manifest.
    """
    if not repo.store.has_root(version.kind, version.oid):
        return lambda *_: None
    recipes = file_recipes(repo.store, repo.store.read_root(version.kind, version.oid))
    ends: dict[str, list[int]] = {}

    def content(name: str, start: int, end: int) -> object | None:
        if name not in recipes or not 0 <= start < end:
            return None
        _, recipe = recipes[name]
        if name not in ends:
            ends[name] = list(accumulate(recipe.lengths))
        first = bisect_right(ends[name], start)
        last = bisect_right(ends[name], end - 1)
        if last >= len(recipe):
            return None
        before = ends[name][first] - recipe.lengths[first]
        return recipe.cids[first * 32 : last * 32 + 32], start - before, end - start

    return content
