"""How fast tensors are read and compared: python tests/benchmarks/tensors.py [MB]

Speeds are bytes of one version by seconds of processor time of this process. MB: of each tensor, 200 without it.
"""

from __future__ import annotations

import io
import json
import os
import resource
import struct
import sys
import tempfile
import time
from typing import TYPE_CHECKING

import numpy as np

from modelvc.modelfiles.facts import Tensor
from modelvc.modelfiles.inspect import inspect
from modelvc.modelfiles.source import Budget, Source, of_bytes
from modelvc.modelfiles.tensors.compare import compare
from modelvc.modelfiles.tensors.pairing import digest_of
from modelvc.modelfiles.tensors.places import Places
from tests.support.onnx_bytes import graph, held, model, node

if TYPE_CHECKING:
    from collections.abc import Callable

PIECE = 1 << 20  # numbers that are made at once


def seconds(work: Callable[[], object]) -> float:
    """Return the processor time of the best of three runs."""
    best = float("inf")
    for _ in range(3):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return best


def file_of(folder: str, name: str, numbers: Callable[[], np.ndarray], megabytes: int) -> Source:
    """Write a file of MEGABYTES, and return it as a source that reads the disk."""
    path = os.path.join(folder, name)
    with open(path, "wb") as file:
        while file.tell() < megabytes * 1_000_000:
            numbers().tofile(file)
    fd = os.open(path, os.O_RDONLY)
    return Source(os.fstat(fd).st_size, lambda offset, length: os.pread(fd, length, offset))


def comparisons(folder: str, megabytes: int) -> None:
    dice = np.random.default_rng(0)

    def halves() -> np.ndarray:
        return (dice.standard_normal(PIECE).astype("f4").view("u4") >> 16).astype("u2")

    makers: dict[str, Callable[[], np.ndarray]] = {
        **{
            name: lambda name=name: dice.standard_normal(PIECE).astype(name)
            for name in ("float32", "float64", "float16")
        },
        "bfloat16": halves,
        **{name: lambda name=name: dice.integers(0, 100, PIECE).astype(name) for name in ("int8", "int64")},
        "float8_e4m3fn": lambda: dice.integers(0, 120, PIECE).astype("u1"),
        "Q4_K": lambda: dice.integers(0, 255, PIECE).astype("u1"),
    }
    for dtype, maker in makers.items():
        old, new = (file_of(folder, name, maker, megabytes) for name in ("old", "new"))
        comparison(old, new, dtype, old.size // maker().itemsize)


def comparison(old: Source, new: Source, dtype: str, count: int) -> None:
    print(f"compare {dtype}: {old.size / seconds(lambda: compare(old, new, dtype, count)) / 1e6:,.0f} MB/s")
    if dtype == "float32":
        print(f"  unchanged: {old.size / seconds(lambda: compare(old, old, dtype, count)) / 1e6:,.0f} MB/s")
        one = Tensor("w", dtype, (count,))
        print(f"  digest: {old.size / seconds(lambda: digest_of(old, one, Budget())) / 1e6:,.0f} MB/s")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"  memory of the process so far: {peak:,.0f} MiB")


def compressed() -> None:
    array = np.random.default_rng(0).integers(0, 50, 20_000_000).astype("f4")
    out = io.BytesIO()
    np.savez_compressed(out, w=array)
    source = of_bytes(out.getvalue())
    (one,) = inspect(source).tensors

    def work() -> None:
        both = (Places(source, Budget()).open(one) for _ in range(2))
        compare(*both, one.dtype, one.elements)  # type: ignore[arg-type]

    print(f"compare float32 in a compressed npz: {array.nbytes / seconds(work) / 1e6:,.0f} MB/s of numbers")


def headers() -> None:
    rows = {
        f"model.layers.{n}.self_attn.q_proj.weight": {
            "dtype": "BF16",
            "shape": [1000, 1000],
            "data_offsets": [n * 2_000_000, (n + 1) * 2_000_000],
        }
        for n in range(5000)
    }
    text = json.dumps(rows).encode()
    data = struct.pack("<Q", len(text)) + text
    source = Source(len(data) + 5000 * 2_000_000, lambda at, length: data[at : at + length].ljust(length, b"\0"))
    assert len(inspect(source).tensors) == 5000
    print(f"header of a safetensors of 10 GB, 5,000 tensors: {seconds(lambda: inspect(source)) * 1000:.0f} ms")
    lists = b"".join(
        held(5, held(1, f"l{n}") + (b"\x40\x85\x01" if n % 2 else b"\x3dabcd") * 1_000_000) for n in range(8)
    )
    forest = model(graph(held(1, held(4, "TreeEnsembleClassifier") + lists), node("Cast")))
    print(f"ONNX of lists: {len(forest) / seconds(lambda: inspect(of_bytes(forest))) / 1e6:,.0f} MB/s")
    nodes = model(graph(*(node("Gemm", held(1, "alpha") + b"\x15abcd", name=f"n{n}") for n in range(20_000))))
    print(f"ONNX of operators: {20_000 / seconds(lambda: inspect(of_bytes(nodes))):,.0f} operators/s")


if __name__ == "__main__":
    headers()
    compressed()
    with tempfile.TemporaryDirectory() as scratch:
        comparisons(scratch, int(sys.argv[1]) if len(sys.argv) > 1 else 200)
