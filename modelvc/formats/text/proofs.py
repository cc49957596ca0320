"""Proofs: the history that was found complete on a remote (`.git/mvc/proofs/<remote>`). Spec: docs/format.md#proofs.

A proof consists of lines of words, because the pre-push hook reads it in shell. It is a cache: a file that does not
parse is no proof.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from modelvc.errors import FormatError
from modelvc.formats import limits
from modelvc.formats.paths import SafeRelPath
from modelvc.ids import ObjectName, Oid

if TYPE_CHECKING:
    from collections.abc import Sequence

_HEAD = "modelvc proof 1"
_KINDS = {"b": "file", "t": "tree"}
_LETTERS = {kind: letter for letter, kind in _KINDS.items()}
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_STORE = re.compile(r"[0-9a-f]{32}")
_NUMBER = re.compile(r"[0-9]{1,18}")


class Lost(NamedTuple):
    """A version that history names, and that none of the stores that could be asked had.

    `commit`: a commit that names it. `path`: of the model there.
    """

    kind: str
    oid: Oid
    commit: str
    path: SafeRelPath

    @property
    def name(self) -> ObjectName:
        return ObjectName(self.kind, self.oid)


@dataclass(frozen=True, slots=True)
class Proof:
    """The history of each of `tips` was complete in a store at a generation, apart from `lost`.

    `store`: the id in its config. `config`: a hash of the configuration by which pushes to the Git remotes `serves`
    send their models to that store.
    """

    store: str
    generation: int
    config: str
    serves: tuple[str, ...] = ()
    tips: tuple[str, ...] = ()
    lost: tuple[Lost, ...] = ()


def encode(proof: Proof) -> bytes:
    """The bytes of PROOF. Raises FormatError for a proof that no reader accepts."""
    lines = [_HEAD, f"store {proof.store}", f"generation {proof.generation}", f"config {proof.config}"]
    lines += [f"serves {name}" for name in proof.serves]
    lines += [f"tip {tip}" for tip in proof.tips]
    lines += [f"lost {_LETTERS[one.kind]} {one.oid.hex()} {one.commit} {one.path}" for one in proof.lost]
    data = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
    if parse(data) != proof:
        raise FormatError("not a valid proof: it does not read back as what it was")
    return data


def parse(data: bytes) -> Proof:
    """The proof in DATA. Raises FormatError for anything else."""
    if len(data) > limits.PROOF or not data.endswith(b"\n"):
        raise _invalid("its length")
    try:
        lines = data.decode().split("\n")[:-1]
    except UnicodeDecodeError:
        raise _invalid("its encoding") from None
    if lines[:1] != [_HEAD]:
        raise _invalid("its first line")
    found: dict[str, list[str]] = {word: [] for word in ("store", "generation", "config", "serves", "tip", "lost")}
    order = list(found)
    at = 0
    for line in lines[1:]:
        word, _, rest = line.partition(" ")
        if word not in found or order.index(word) < at:
            raise _invalid(f"a line that begins with {word[:20]!r}")
        at = order.index(word)
        found[word].append(rest)
    for word, most in (("serves", limits.PROOF_REMOTES), ("tip", limits.PROOF_TIPS), ("lost", limits.PROOF_LOST)):
        if len(found[word]) > most:
            raise _invalid(f"more than {most:,} lines of {word}")
    tips = tuple(_only_value([tip], _COMMIT) for tip in found["tip"])
    return Proof(
        _only_value(found["store"], _STORE),
        int(_only_value(found["generation"], _NUMBER)),
        _only_value(found["config"], _COMMIT),
        tuple(found["serves"]),
        tips,
        tuple(map(_lost, found["lost"])),
    )


def _only_value(values: Sequence[str], shape: re.Pattern[str]) -> str:
    """The one value in VALUES. Raises FormatError where there are none or several, or it has not this SHAPE."""
    if len(values) != 1 or not shape.fullmatch(values[0]):
        raise _invalid("a value")
    return values[0]


def _lost(text: str) -> Lost:
    letter, digits, commit, path = (*text.split(" ", 3), "", "", "")[:4]
    if letter not in _KINDS or not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise _invalid("a lost version")
    return Lost(_KINDS[letter], Oid(bytes.fromhex(digits)), _only_value([commit], _COMMIT), SafeRelPath.parse(path))


def _invalid(why: str) -> FormatError:
    return FormatError(f"not a valid proof: {why}")
