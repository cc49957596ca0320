"""What is inside a version: from the cache, else read from its bytes. Spec: docs/inside.md.

Facts are read when somebody first wants them, never by a fetch: a fetch may bring ten thousand versions that nobody
looks at, and the first look keeps what it found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelvc.errors import FileChanged, ModelvcError
from modelvc.modelfiles.facts import ModelFacts
from modelvc.modelfiles.source import Budget, OutOfTime, Source
from modelvc.models.inside import facts_cache
from modelvc.models.inside.source import open_version

if TYPE_CHECKING:
    from modelvc.ids import Oid
    from modelvc.models.inside.source import Opened, Version
    from modelvc.repo import Repo

PATIENCE = 60.0  # seconds of one inspection, where a caller names none


def facts_of(repo: Repo, version: Version, *, path: str = "", seconds: float = PATIENCE) -> ModelFacts | None:
    """Return what is inside VERSION; None if this clone lacks its bytes.

    VERSION: a Pointer or an ObjectName. PATH: the model that may hold the bytes in the worktree, "" to look in the
    store alone. If reading takes more than SECONDS, `unreadable` of the result says so, and nothing is kept.
    Raises ObjectMissing or ObjectCorrupt for damaged objects.
    """
    try:
        return inspected(repo, version, path=path, seconds=seconds)
    except OutOfTime as error:
        return ModelFacts("unknown", unreadable=str(error))


def inspected(repo: Repo, version: Version, *, path: str = "", seconds: float = PATIENCE) -> ModelFacts | None:
    """Return as `facts_of`. Raises OutOfTime if reading takes more than SECONDS."""
    if (kept := facts_cache.load(repo, version.oid)) is not None:
        return kept
    if path:
        try:
            return _read(repo, version, path, seconds)
        except FileChanged:  # the store may still have the bytes
            pass
    return _read(repo, version, "", seconds)


def _read(repo: Repo, version: Version, path: str, seconds: float) -> ModelFacts | None:
    with open_version(repo, version, path, seconds=seconds) as opened:
        found = None if opened is None else look(opened, seconds=seconds)
    _save(repo, version.oid, found)  # only now is it certain that no file changed meanwhile
    return found


def _save(repo: Repo, oid: Oid, found: ModelFacts | None) -> None:
    """Keep FOUND, unless it was unreadable: another release, or a library that is installed later, may read it."""
    if found is not None and not found.unreadable:
        facts_cache.save(repo, oid, found)


def look(opened: Opened, *, seconds: float = PATIENCE) -> ModelFacts:
    """Return what is inside the bytes OPENED. Keeps nothing.

    A fault of a reader counts as an unreadable file: it must not stop the command that wants to know. Raises OutOfTime.
    """
    from modelvc.modelfiles.documents.folders import inspect_folder
    from modelvc.modelfiles.inspect import inspect

    budget = Budget(seconds=seconds)
    try:
        if opened.kind == "file":
            return inspect(opened.files[""], budget)
        return inspect_folder({name: _timed(one, budget) for name, one in opened.files.items()}, budget)
    except (ModelvcError, OutOfTime):
        raise
    except Exception as error:  # noqa: BLE001 - a reader should raise Unreadable alone; a command goes on if one does not
        return ModelFacts("unknown", unreadable=f"its reader failed ({type(error).__name__})")


def _timed(source: Source, budget: Budget) -> Source:
    """Return SOURCE, whose reads look at the clock: a folder may have a hundred thousand files of no known format."""

    def read_at(offset: int, length: int) -> bytes:
        budget.look_at_clock()
        return source.read_at(offset, length)

    return Source(source.size, read_at)
