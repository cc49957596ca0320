from __future__ import annotations

import io

import numpy as np
import pytest

from modelvc.modelfiles.facts import Tensor
from modelvc.modelfiles.inspect import inspect
from modelvc.modelfiles.source import Budget, Unreadable, of_bytes
from modelvc.modelfiles.tensors.compare import compare
from modelvc.modelfiles.tensors.places import Places

BIG = np.random.default_rng(1).standard_normal((700, 500)).astype("f4")


def npz(*, compressed: bool, **arrays: np.ndarray) -> Places:
    out = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(out, **arrays)
    return Places(of_bytes(out.getvalue()), Budget())


@pytest.mark.parametrize("compressed", [False, True])
def test_arrays_of_npz(*, compressed: bool):
    out = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(out, a=np.arange(3), big=BIG)
    source = of_bytes(out.getvalue())
    facts = inspect(source)
    places = Places(source, Budget())
    for one, array in zip(facts.tensors, (np.arange(3), BIG), strict=True):
        opened = places.open(one)
        assert opened
        assert opened.exactly(0, array.nbytes) == array.tobytes()
    other = npz(compressed=not compressed, big=BIG * 2)
    change = compare(
        places.open(facts.tensors[1]), other.open(Tensor("big", "float32", BIG.shape)), "float32", BIG.size
    )
    assert change.relative_norm == pytest.approx(1.0)


def test_by_place():
    places = Places(of_bytes(b"0123456789"), Budget())
    opened = places.open(Tensor("a", "uint8", (3,), 2, 5))
    assert opened
    assert opened.exactly(0, 3) == b"234"
    with pytest.raises(Unreadable):
        places.open(Tensor("a", "uint8", (3,), 8, 11))


def test_bytes_that_are_not_to_be_had():
    assert Places(of_bytes(b""), Budget()).open(Tensor("a", "float32", (3,))) is None
    assert npz(compressed=True, a=BIG).open(Tensor("a", "object", (3,))) is None
    with pytest.raises(Unreadable):
        npz(compressed=True, a=BIG).open(Tensor("b", "float32", (3,)))
