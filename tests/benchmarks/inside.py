"""How fast model files are read: python -m tests.benchmarks.inside [NAME...]

Prints, for files that it makes: megabytes and opcodes a second of processor time, the best of three readings, and the
peak memory of a process that reads each file.
"""

from __future__ import annotations

import argparse
import os
import pickle
import pickletools
import random
import subprocess
import sys
import tempfile
import time
import zlib
from typing import TYPE_CHECKING, Any

from modelvc.modelfiles.inspect import inspect
from modelvc.modelfiles.source import Budget, Source

if TYPE_CHECKING:
    from collections.abc import Callable


class Tree:
    def __init__(self, nodes: Any, values: Any) -> None:
        self.nodes, self.values, self.max_depth, self.criterion = nodes, values, 12, "gini"


class Forest:
    def __init__(self) -> None:
        import numpy as np

        source = np.random.default_rng(1)
        self.n_estimators = 100
        self.estimators_ = [Tree(source.random(50_000), source.random((5_000, 1))) for _ in range(100)]


def forest() -> bytes:
    """44 MB of a random forest: few objects, large arrays."""
    return pickle.dumps(Forest(), protocol=4)


def one_array() -> bytes:
    """200 MB, one array."""
    import numpy as np

    return pickle.dumps(np.zeros(25_000_000), protocol=4)


def vocabulary() -> bytes:
    """11 MB of words and numbers."""
    source = random.Random(1)
    words = {"".join(source.choices("abcdefghij", k=source.randint(4, 14))): at for at in range(620_000)}
    return pickle.dumps(words, protocol=4)


def floats() -> bytes:
    """18 MB of a list of numbers."""
    source = random.Random(1)
    return pickle.dumps([source.random() for _ in range(2_000_000)], protocol=4)


def objects() -> bytes:
    """12 MB of small objects."""
    return pickle.dumps([Tree(at, (at, at + 0.5)) for at in range(300_000)], protocol=4)


def compressed() -> bytes:
    """The forest, as joblib compresses it."""
    return zlib.compress(forest(), 3)


def words_compressed() -> bytes:
    return zlib.compress(vocabulary(), 3)


MAKERS: dict[str, Callable[[], bytes]] = {
    "forest": forest, "one-array": one_array, "vocabulary": vocabulary, "floats": floats, "objects": objects,
    "forest-zlib": compressed, "vocabulary-zlib": words_compressed,
}  # fmt: skip


def read(path: str) -> None:
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        found = inspect(Source(size, lambda at, length: os.pread(file.fileno(), length, at)), Budget(seconds=600))
    assert not found.unreadable, found.unreadable


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("names", nargs="*", choices=[[], *MAKERS])
    words.add_argument("--read", help=argparse.SUPPRESS)
    given = words.parse_args()
    if given.read:
        read(given.read)
        with open("/proc/self/status") as status:  # ru_maxrss has that of the process that started this one
            print(next(int(line.split()[1]) >> 10 for line in status if line.startswith("VmHWM")))
        return
    print(f"{'file':18}{'MB':>8}{'MB/s':>9}{'million opcodes/s':>20}{'peak MiB':>10}")
    with tempfile.TemporaryDirectory() as folder:
        for name in given.names or MAKERS:
            measure(name, os.path.join(folder, name))


def measure(name: str, path: str) -> None:
    data = MAKERS[name]()
    with open(path, "wb") as file:
        file.write(data)
    plain = zlib.decompress(data) if name.endswith("zlib") else data
    opcodes = sum(1 for _ in pickletools.genops(plain))
    best = 1e9
    for _ in range(3):
        start = time.process_time()
        read(path)
        best = min(best, time.process_time() - start)
    command = [sys.executable, "-m", "tests.benchmarks.inside", "--read", path]
    peak = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    megabytes = len(plain) / 1e6
    print(f"{name:18}{megabytes:8.1f}{megabytes / best:9.0f}{opcodes / best / 1e6:20.2f}{peak:>10}", flush=True)


if __name__ == "__main__":
    main()
