"""Tell from manifests alone that parts of two versions are equal: they consist of the same chunks."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

from modelvc.errors import FormatError, ObjectCorrupt
from modelvc.store.objects import manifest

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelvc.formats.binary.segment import Recipe
    from modelvc.models.inside.source import Version
    from modelvc.repo import Repo


def content_of(repo: Repo, version: Version) -> Callable[[str, int, int], object | None]:
    """Return a function of a file's path in a folder ("" for a file), a start and an end in it.

    Its value is equal for two parts of the same chunks, cut at the same places. It is None if the local store lacks
    VERSION, or if the part does not lie in the file. Raises ObjectCorrupt for a damaged manifest.
    """
    if not repo.store.has_root(version.kind, version.oid):
        return lambda *_: None
    recipes = _recipes(repo, version)
    ends: dict[str, list[int]] = {}

    def content(name: str, start: int, end: int) -> object | None:
        recipe = recipes.get(name)
        if recipe is None or not 0 <= start < end:
            return None
        if name not in ends:
            ends[name] = list(accumulate(recipe.lengths))
        first = bisect_right(ends[name], start)
        last = bisect_right(ends[name], end - 1)
        if last >= len(recipe):
            return None
        before = ends[name][first] - recipe.lengths[first]
        return recipe.cids[first * 32 : last * 32 + 32], start - before, end - start

    return content


def _recipes(repo: Repo, version: Version) -> dict[str, Recipe]:
    root = repo.store.read_root(version.kind, version.oid)
    try:
        sections = manifest.sections(repo.store, root)
        if root.kind == "file":
            return {"": manifest.join([section.recipe for section in sections])}
        return {
            str(entry.path): section.recipe.cut(start, stop)
            for section in sections
            for entry, start, stop in section.files
        }
    except FormatError:
        raise ObjectCorrupt(f"the manifest of {root.oid.short}", repo.store.name) from None
