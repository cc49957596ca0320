"""Proofs: what the shim and Python read, and nothing above the limits of docs/format.md."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelvc.errors import FormatError
from modelvc.formats import limits
from modelvc.formats.paths import SafeRelPath
from modelvc.formats.text import proofs
from modelvc.formats.text.proofs import Lost, Proof
from modelvc.ids import Oid


def lost(number: int, path: str = "models/ü m.bin") -> Lost:
    return Lost("tree", Oid(number.to_bytes(32)), "e" * 40, SafeRelPath(path))


FULL = Proof("a" * 32, 7, "b" * 40, ("origin", "team/hub"), ("c" * 40, "d" * 64), (lost(1), lost(2, "x")))


@pytest.mark.parametrize("one", [FULL, Proof("a" * 32, 0, "b" * 64)])
def test_what_was_written_is_read(one: Proof) -> None:
    assert proofs.parse(proofs.encode(one)) == one


def test_at_the_limits_and_above() -> None:
    many = replace(
        FULL,
        serves=tuple(f"r{n}" for n in range(limits.PROOF_REMOTES)),
        tips=tuple(f"{n:040x}" for n in range(limits.PROOF_TIPS)),
        lost=tuple(lost(n) for n in range(limits.PROOF_LOST)),
    )
    assert proofs.parse(proofs.encode(many)) == many
    for more in (
        replace(many, serves=(*many.serves, "one more")),
        replace(many, tips=(*many.tips, "f" * 40)),
        replace(many, lost=(*many.lost, lost(limits.PROOF_LOST + 1))),
    ):
        with pytest.raises(FormatError):
            proofs.encode(more)


@pytest.mark.parametrize(
    "one",
    [
        replace(FULL, store="a" * 31),
        replace(FULL, generation=-1),
        replace(FULL, config=""),
        replace(FULL, serves=("two\nlines",)),
        replace(FULL, tips=("main",)),
        replace(FULL, tips=("c" * 39,)),
        replace(FULL, lost=(lost(1)._replace(commit="HEAD"),)),
    ],
)
def test_what_no_reader_accepts_is_not_written(one: Proof) -> None:
    with pytest.raises(FormatError):
        proofs.encode(one)


def test_what_is_no_proof() -> None:
    data = proofs.encode(FULL)
    for at in range(len(data)):
        if data[at - 1 : at] != b"\n" or not at:
            with pytest.raises(FormatError):
                proofs.parse(data[:at])
    for bad in (
        data.replace(b"proof 1", b"proof 2"),
        data + b"tip " + b"c" * 40 + b"\n",  # out of order
        data.replace(b"generation 7\n", b"generation 7\ngeneration 8\n"),
        data + b"more\n",
        data.replace(b" x\n", b" ../x\n"),
        data.replace("ü".encode(), b"\xff"),
        data + b" " * limits.PROOF + b"\n",
    ):
        with pytest.raises(FormatError):
            proofs.parse(bad)
