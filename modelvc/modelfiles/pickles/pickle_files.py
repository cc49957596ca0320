"""Files that are pickles: plain, of joblib, and compressed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from modelvc.modelfiles.documents.pickled_boosters import with_booster
from modelvc.modelfiles.facts import ModelFacts, Use
from modelvc.modelfiles.pickles.compression import Compression, Inflated, compression_of
from modelvc.modelfiles.pickles.joblib_arrays import JoblibArrays
from modelvc.modelfiles.pickles.machine import Machine
from modelvc.modelfiles.pickles.seen import Seen
from modelvc.modelfiles.pickles.stream import FileStream
from modelvc.modelfiles.pickles.summary import summary
from modelvc.modelfiles.pickles.torch_files import MAGIC, read_legacy
from modelvc.modelfiles.recognise import is_pickle
from modelvc.modelfiles.source import OutOfTime, Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelvc.modelfiles.pickles.stream import Stream
    from modelvc.modelfiles.pickles.values import Value
    from modelvc.modelfiles.source import Budget, Source

_HEAD = 4096  # bytes


def read(source: Source, budget: Budget) -> ModelFacts:
    """Return what the pickle in SOURCE is: plain, or of joblib without compression."""
    return _read(lambda: FileStream(source), "pickle", Seen(budget), source)


def read_likely(source: Source, budget: Budget) -> ModelFacts:
    """Return what SOURCE is, which may begin like a pickle by chance: `unknown` if it is none."""
    return _likely(source.read_at(0, 1), read(source, budget))


def _likely(head: bytes, facts: ModelFacts) -> ModelFacts:
    """Return FACTS; `unknown` for a file without a protocol that ends in an error before it imports anything."""
    if head[:1] == b"\x80" or not facts.unreadable or facts.findings:
        return facts
    named = any(
        one.use is Use.CONSTRUCTED or all(part.isidentifier() for part in one.name.split(".")) for one in facts.imports
    )
    return facts if named else ModelFacts("unknown")


def read_compressed(source: Source, budget: Budget) -> ModelFacts:
    """Return what the compressed pickle in SOURCE is; `unknown` if something else is compressed."""
    compression = compression_of(source.read_at(0, _HEAD))
    if compression is None:
        return ModelFacts("unknown")
    first = _first(source, compression, budget)
    if not first and compression.name == "zlib":
        return ModelFacts("unknown")  # the two bytes of its magic number prove little
    if first and not is_pickle(first):
        return ModelFacts("unknown")
    seen = Seen(budget)
    facts = _read(lambda: Inflated(source, compression, budget), "joblib", seen, None)
    facts = replace(facts, notes=(f"compressed by {compression.name}", *facts.notes))
    return _likely(first or b"\x80", facts)


def _first(source: Source, compression: Compression, budget: Budget) -> bytes:
    """Return the first bytes behind the compression, b"" if they cannot be read."""
    try:
        return Inflated(source, compression, budget).window(0, _HEAD)
    except OutOfTime:
        raise
    except Unreadable:
        return b""


def _read(open_stream: Callable[[], Stream], name: str, seen: Seen, source: Source | None) -> ModelFacts:
    """Return what the pickles in a stream are. SOURCE: what the offsets of the stream belong to; None if nothing."""
    places = source is not None
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
    facts = replace(summary(name, value, seen, places=places), unreadable=failure or seen.trouble)
    return facts if source is None else with_booster(facts, value, source, seen.budget)


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
        seen.budget.look_at_clock()
        try:
            _, at = Machine(stream, seen, on_build=arrays).run(at)
        except OutOfTime:
            raise
        except Unreadable:
            seen.doubt("bytes follow the pickle that are none")
            return
