"""How many bytes of a new version are new, per chunker: the table in docs/decisions/0003-chunking.md.

    python tests/fixtures/models/make_models.py FOLDER --big     (with the libraries its README.md names)
    python tests/benchmarks/chunking.py FOLDER                   the table
    python tests/benchmarks/chunking.py --speed                  GB/s of the cutter alone, one thread and two

Every folder in FOLDER is one history, its files the versions in order. Per chunker two numbers, both in % of
the new version's size: bytes of chunks that no earlier version has, and what they take after zstd-1 where that saves
a tenth. `*` marks what `sniff.plan` chose. Chunker 2 averages 64 KiB, 1 averages 256 KiB, 3 is 1 with cuts at tensors.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

import zstandard
from blake3 import blake3

from modelvc.chunking import sniff
from modelvc.chunking.fastcdc import COARSE, FINE, TENSORS, Cutter
from modelvc.modelfiles import containers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BLOCK = 8 << 20


class Version(NamedTuple):
    data: bytes
    plan: sniff.CutPlan
    hints: tuple[int, ...]


class New(NamedTuple):
    chunks: int
    raw: int
    stored: int


def read(path: str) -> Version:
    with open(path, "rb") as file:
        data = file.read()

    def read_at(offset: int, length: int) -> bytes:
        return data[offset : offset + length]

    head = data[: 64 << 10]
    found = containers.read_container(head, read_at, len(data))
    return Version(data, sniff.plan(head, read_at, len(data)), sniff.forced_cuts(found.tensors, len(data)))


def chunks(data: bytes, chunker: int, hints: tuple[int, ...]) -> Iterator[memoryview]:
    view, cutter, base = memoryview(data), Cutter(chunker, hints), 0
    while base < len(data):
        stop = min(base + BLOCK, len(data))
        start = 0
        for end in cutter.ends(view[base:stop], base, last=stop == len(data)):
            yield view[base + start : base + end]
            start = end
        base += start


def new_bytes(versions: list[Version], chunker: int) -> New:
    """What the last of VERSIONS adds."""
    known: set[bytes] = set()
    squeeze = zstandard.ZstdCompressor(level=1)
    count = raw = stored = 0
    for version in versions:
        count = raw = stored = 0
        for chunk in chunks(version.data, chunker, version.hints if chunker == TENSORS else ()):
            cid = blake3(chunk).digest()
            if cid not in known:
                known.add(cid)
                packed = len(squeeze.compress(chunk)) if version is versions[-1] else 0
                raw += len(chunk)
                stored += packed if packed < 0.9 * len(chunk) else len(chunk)
            count += 1
    return New(count, raw, stored)


def table(root: str) -> None:
    print("| history | MB | 64K | +zstd | 256K | +zstd | 256K, tensors | +zstd | chosen |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---|")
    for history in sorted(os.listdir(root)):
        folder = os.path.join(root, history)
        versions = [read(os.path.join(folder, name)) for name in sorted(os.listdir(folder))]
        last = versions[-1]
        cells = []
        for chunker in (FINE, COARSE, TENSORS):
            if chunker == TENSORS and not last.hints:
                cells += ["-", "-"]
                continue
            new = new_bytes(versions, chunker)
            mark = " *" if chunker == last.plan.chunker else ""
            cells += [f"{100 * new.raw / len(last.data):.1f}{mark}", f"{100 * new.stored / len(last.data):.1f}{mark}"]
        print(f"| {history} | {len(last.data) / 1e6:.1f} | {' | '.join(cells)} | {last.plan.chunker} |", flush=True)


def seconds(data: bytes, chunker: int, jobs: int, use: Callable[[memoryview], object]) -> float:
    """The best of three runs of JOBS threads that each cut DATA and use every chunk."""
    best = float("inf")
    for _ in range(3):
        pool = [
            threading.Thread(target=lambda: [use(c) and None for c in chunks(data, chunker, ())]) for _ in range(jobs)
        ]
        begun = time.perf_counter()
        for thread in pool:
            thread.start()
        for thread in pool:
            thread.join()
        best = min(best, time.perf_counter() - begun)
    return best


def speed() -> None:
    data = os.urandom(1 << 30)
    for chunker in (COARSE, FINE):
        mean = len(data) / sum(1 for _ in chunks(data, chunker, ())) / 1024
        print(f"chunker {chunker}: mean chunk {mean:.0f} KiB")
        for jobs in (1, 2):
            cut = jobs * len(data) / seconds(data, chunker, jobs, len) / 1e9
            named = jobs * len(data) / seconds(data, chunker, jobs, blake3) / 1e9
            print(f"  {jobs} thread(s): {cut:.2f} GB/s, with BLAKE3 of each chunk {named:.2f} GB/s")


if __name__ == "__main__":
    if sys.argv[1:] == ["--speed"]:
        speed()
    elif len(sys.argv) == 2:
        table(sys.argv[1])
    else:
        sys.exit(__doc__)
