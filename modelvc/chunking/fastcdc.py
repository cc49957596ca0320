"""The border to pyfastcdc: cuts depend on the content alone, and not on the blocks in which it is read.

The parameters below are part of the format (docs/format.md, Chunkers). With others, new versions would share no chunk
with stored ones. tests/golden/cuts.json notices when the library cuts otherwise.

The mean chunk is larger than the "average" (about 312 KiB for 256), because no cut is sought in the first `least`
bytes. Source: FastCDC, Xia et al. 2020, as pyfastcdc has it.
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
MAX_CHUNK = 1024 * KIB  # bytes; the largest chunk of any chunker
NORMALIZATION: Literal[1] = 1
SEED = 0


class Sizes(NamedTuple):
    """The sizes of FastCDC, in bytes. Only a chunk before a forced cut or the end is smaller than `least`."""

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

    HINTS: absolute offsets of forced cuts, strictly increasing; only chunker 3 has any. A Cutter keeps no state. The
    caller holds a buffer that begins at a cut, asks for its `ends`, and uses the chunks up to the last end. It puts the
    bytes behind that end (fewer than MAX_CHUNK) in front of the bytes that it reads next.
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
        """The certain ends of chunks in BUF, as ascending positions in BUF.

        BASE: the offset of BUF in the stream; a chunk starts there. LAST: whether the stream ends with BUF, as a chunk
        then does. Otherwise the end of a chunk that reaches the end of BUF is not certain, because bytes that follow
        could move it. Raises ValueError where chunker 0 gets more than MAX_CHUNK bytes.
        """
        stop = len(buf)
        if self._engine is None:
            if base + stop > MAX_CHUNK:
                raise ValueError(f"one piece has at most {MAX_CHUNK} bytes")
            return [stop] if last and stop else []
        ends: list[int] = []
        start = 0
        hints = self._hints
        at = bisect_right(hints, base)
        while at < len(hints) and hints[at] - base <= stop:
            forced = hints[at] - base
            _cut(self._engine, buf[start:forced], start, ends)
            start = forced
            at += 1
        if start < stop:
            _cut(self._engine, buf[start:], start, ends)
            before = ends[-2] if len(ends) > 1 else 0
            if not last and stop - before < self._most:
                ends.pop()
        return ends


def _cut(engine: FastCDC, part: memoryview, start: int, ends: list[int]) -> None:
    """Append the ends of the chunks of PART to ENDS, as positions in the buffer where PART begins at START."""
    # A Chunk of the library holds a view of the buffer; none outlives this loop, so that the buffer can be refilled.
    for chunk in engine.cut_buf(part):
        start += chunk.length
        ends.append(start)


def _engine(sizes: Sizes) -> FastCDC:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library warns where mvc raises an error below
        import pyfastcdc

    if not is_compiled():
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
    """Whether the compiled part of the library is installed. Without it the library runs in Python, and slowly."""
    from pyfastcdc import FastCDC

    return FastCDC.__module__.startswith("pyfastcdc.cy")
