"""Files that are pickles: plain, of joblib, and compressed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from modelvc.modelfiles.facts import ModelFacts
from modelvc.modelfiles.pickles.compression import Compression, Inflated, compression_of
from modelvc.modelfiles.pickles.joblib_arrays import JoblibArrays
from modelvc.modelfiles.pickles.machine import Machine
from modelvc.modelfiles.pickles.seen import Seen
from modelvc.modelfiles.pickles.stream import Ends, FileStream
from modelvc.modelfiles.pickles.summary import summary
from modelvc.modelfiles.pickles.torch_files import MAGIC, read_legacy
from modelvc.modelfiles.source import Budget, OutOfTime, Source, Unreadable, of_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelvc.modelfiles.pickles.stream import Stream
    from modelvc.modelfiles.pickles.values import Value

_HEAD = 4096  # bytes


def read(source: Source, budget: Budget) -> ModelFacts:
    """Return what the pickle in SOURCE is: plain, or of joblib without compression."""
    return _read(lambda: FileStream(source), "pickle", Seen(budget), places=True)


def read_compressed(source: Source, budget: Budget) -> ModelFacts:
    """Return what the compressed pickle in SOURCE is; `unknown` if something else is compressed."""
    compression = compression_of(source.read_at(0, _HEAD))
    if compression is None:
        return ModelFacts("unknown")
    first = _first(source, compression, budget)
    if first is not None and not is_pickle(first):
        return ModelFacts("unknown")
    seen = Seen(budget)
    facts = _read(lambda: Inflated(source, compression, budget), "joblib", seen, places=False)
    return replace(facts, notes=(f"compressed by {compression.name}", *facts.notes))


def _first(source: Source, compression: Compression, budget: Budget) -> bytes | None:
    """Return the first bytes behind the compression; None if they cannot be read."""
    try:
        return Inflated(source, compression, budget).window(0, _HEAD)
    except OutOfTime:
        raise
    except Unreadable:
        return None


def _read(open_stream: Callable[[], Stream], name: str, seen: Seen, *, places: bool) -> ModelFacts:
    arrays = JoblibArrays()
    value: Value = None
    failure = ""
    try:
        stream = open_stream()
        value, at = Machine(stream, seen, on_build=arrays).run(0)
        if value == MAGIC and places:
            return read_legacy(stream, at, seen)
        _others(stream, at, seen, arrays)
    except OutOfTime:
        raise
    except Unreadable as error:
        failure = str(error)
    if arrays.found:
        name = "joblib"
        _also_as_plain(open_stream, seen)
    facts = summary(name, value, seen, places=places)
    return replace(facts, unreadable=failure or seen.trouble)


def _also_as_plain(open_stream: Callable[[], Stream], seen: Seen) -> None:
    """Collect what the file imports for a reader that executes the bytes of joblib's arrays.

    How that reading ends is without meaning: it nearly always fails at the first array.
    """
    trouble = seen.trouble
    try:
        stream = open_stream()
        _, at = Machine(stream, seen).run(0)
        _others(stream, at, seen, None)
    except OutOfTime:
        raise
    except Unreadable:
        pass
    seen.trouble = trouble


def _others(stream: Stream, at: int, seen: Seen, arrays: JoblibArrays | None) -> None:
    """Read one pickle after the other, from the offset AT to the end of STREAM."""
    while not stream.ends(at):
        seen.budget.open_members(1)
        try:
            _, at = Machine(stream, seen, on_build=arrays).run(at)
        except OutOfTime:
            raise
        except Unreadable:
            seen.doubt("bytes follow the pickle that are none")
            return


def is_pickle(head: bytes) -> bool:
    """Return whether a file that begins with HEAD is a pickle.

    Pickles of protocols 0 and 1 have no magic number, so the first bytes of other files are executed: they are one
    if a name is imported, or if they go well to the end.
    """
    if len(head) >= 2 and head[0] == 0x80:
        return head[1] <= 5
    seen = Seen(Budget(seconds=1))
    machine = Machine(FileStream(of_bytes(head)), seen)
    try:
        machine.run(0)
    except Unreadable as error:
        if any(all(part.isidentifier() for part in one.name.split(".")) for one in seen.imports):
            return True
        return isinstance(error, Ends) and len(head) == _HEAD and bool(machine.memo)
    return True
