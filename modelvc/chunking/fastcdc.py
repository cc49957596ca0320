"""The border to pyfastcdc: cuts that depend on the content alone, not on the blocks it was read in.

The parameters below are part of the format (docs/format.md, Chunkers): other ones find other cuts, and nothing
that was stored before is shared any more. tests/golden/cuts.json notices when the library changes its mind.
The mean chunk is larger than the "average" (about 312 KiB for 256): no cut is looked for in the first `least` bytes.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

from modelvc.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from pyfastcdc import FastCDC

KIB = 1 << 10
MAX_CHUNK = 1024 * KIB  # no chunk is larger, whatever the chunker; what a caller carries over is smaller
NORMALIZATION: Literal[1] = 1
SEED = 0


class Sizes(NamedTuple):
    """What FastCDC aims at, in bytes: no chunk but the one before a forced cut or the end is under `least`."""

    least: int
    average: int
    most: int


WHOLE, COARSE, FINE, TENSORS = range(4)  # chunker ids
SIZES = {
    COARSE: Sizes(64 * KIB, 256 * KIB, 1024 * KIB),
    FINE: Sizes(16 * KIB, 64 * KIB, 256 * KIB),
    TENSORS: Sizes(64 * KIB, 256 * KIB, 1024 * KIB),
}


class Cutter:
    """Finds the chunks of one stream of bytes.

    HINTS are the absolute offsets of forced cuts, strictly increasing; only chunker 3 has any. A Cutter keeps no
    state: the caller holds a buffer that begins at a cut, asks for its `ends`, uses the chunks up to the last of
    them, and puts the bytes behind it (fewer than MAX_CHUNK) in front of what it reads next.
    """

    __slots__ = ("_engine", "_hints", "_most")

    def __init__(self, chunker: int, hints: Sequence[int] = ()) -> None:
        if chunker != WHOLE and chunker not in SIZES:
            raise ValueError(f"chunker {chunker} is not known")
        if hints and chunker != TENSORS:
            raise ValueError(f"chunker {chunker} has no forced cuts")
        self._engine = None if chunker == WHOLE else _engine(SIZES[chunker])
        self._hints = hints
        self._most = MAX_CHUNK if chunker == WHOLE else SIZES[chunker].most

    def ends(self, buf: memoryview, base: int, *, last: bool) -> list[int]:
        """Where the chunks of BUF end that are certain, as positions in BUF, ascending.

        BASE is the offset in the stream of BUF's first byte, where a chunk starts. With LAST the stream ends with
        BUF, and so does a chunk. Otherwise bytes that follow could still move the end of a chunk that reaches the
        end of BUF; all others are certain.
        """
        stop = len(buf)
        if self._engine is None:
            if base + stop > MAX_CHUNK:
                raise ValueError(f"one piece has at most {MAX_CHUNK} bytes")
            return [stop] if last and stop else []
        ends: list[int] = []
        start = 0
        hints = self._hints
        place = bisect_right(hints, base)
        while place < len(hints) and hints[place] - base <= stop:
            forced = hints[place] - base
            _cut(self._engine, buf[start:forced], start, ends)
            start = forced
            place += 1
        if start < stop:
            _cut(self._engine, buf[start:], start, ends)
            before = ends[-2] if len(ends) > 1 else 0
            if not last and stop - before < self._most:
                ends.pop()
        return ends


def _cut(engine: FastCDC, part: memoryview, start: int, ends: list[int]) -> None:
    """Append where the chunks of PART end, which begins at START of the buffer that `ends` counts in."""
    # A Chunk holds a view of the buffer; none outlives this loop, so the buffer can be filled anew.
    for chunk in engine.cut_buf(part):
        start += chunk.length
        ends.append(start)


def _engine(sizes: Sizes) -> FastCDC:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library warns where we refuse
        import pyfastcdc

    if not pyfastcdc.FastCDC.__module__.startswith("pyfastcdc.cy"):
        raise ConfigError(
            "pyfastcdc was installed without its compiled part and would cut at 10 MB/s",
            hint="reinstall a wheel for this platform: `pip install --force-reinstall --only-binary=:all: pyfastcdc`",
        )
    return pyfastcdc.FastCDC(
        sizes.average,
        min_size=sizes.least,
        max_size=sizes.most,
        normalized_chunking=NORMALIZATION,
        seed=SEED,
    )


def is_compiled() -> bool:
    """Whether the library is the one that was compiled; it falls back to Python without being asked."""
    from pyfastcdc import FastCDC

    return FastCDC.__module__.startswith("pyfastcdc.cy")
