"""Pair the tensors of two versions: by name, and those that were renamed by their content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from modelvc.modelfiles.facts import Tensor
    from modelvc.modelfiles.source import Budget, Source

    Digest: TypeAlias = Callable[[Tensor], bytes | None]
    Pair: TypeAlias = "tuple[Tensor, Tensor]"

_BLOCK = 4 << 20


@dataclass(frozen=True, slots=True)
class Pairing:
    """The tensors of two versions, each in the order of its file; a pair is in that of the old one.

    `both`: of one name, dtype and shape. `reshaped`: of one name, with another dtype or shape.
    `renamed`: of one dtype, shape and content under two names. `added`, `removed`: all others.
    """

    both: tuple[Pair, ...]
    added: tuple[Tensor, ...]
    removed: tuple[Tensor, ...]
    renamed: tuple[Pair, ...]
    reshaped: tuple[Pair, ...]


def pair(old: Sequence[Tensor], new: Sequence[Tensor], digest_old: Digest, digest_new: Digest) -> Pairing:
    """Pair the tensors OLD and NEW.

    DIGEST_OLD, DIGEST_NEW: the digest of a tensor's content on that side, None if it cannot be read. Only tensors
    without a namesake are digested, and only where the other side has one of that dtype and shape.
    """
    named = {tensor.name: tensor for tensor in new}
    both: list[Pair] = []
    reshaped: list[Pair] = []
    for tensor in old:
        other = named.pop(tensor.name, None)
        if other is not None:
            (both if _form(tensor) == _form(other) else reshaped).append((tensor, other))
    paired = {tensor.name for tensor, _ in [*both, *reshaped]}
    gone = [tensor for tensor in old if tensor.name not in paired]
    come = [tensor for tensor in new if tensor.name in named]
    renamed = list(_renamed(gone, come, digest_old, digest_new))
    before, after = {one.name for one, _ in renamed}, {one.name for _, one in renamed}
    return Pairing(
        tuple(both),
        tuple(one for one in come if one.name not in after),
        tuple(one for one in gone if one.name not in before),
        tuple(renamed),
        tuple(reshaped),
    )


def digest_of(source: Source, tensor: Tensor, budget: Budget) -> bytes:
    """Return the BLAKE3 of the dtype, the shape and the bytes of TENSOR, which SOURCE is."""
    from blake3 import blake3

    hashing = blake3(repr((tensor.dtype, tensor.shape)).encode())
    for at in range(0, source.size, _BLOCK):
        budget.look_at_clock()
        hashing.update(source.exactly(at, min(_BLOCK, source.size - at)))
    return hashing.digest()


def _form(tensor: Tensor) -> tuple[str, tuple[int, ...]]:
    return tensor.dtype, tensor.shape


def _renamed(gone: Sequence[Tensor], come: Sequence[Tensor], old: Digest, new: Digest) -> Iterable[Pair]:
    """Yield pairs of equal content. Where several are equal, the first is paired with the first."""
    forms = {_form(tensor) for tensor in gone} & {_form(tensor) for tensor in come}
    waiting: dict[tuple[object, bytes], list[Tensor]] = {}
    for tensor in reversed(come):
        content = new(tensor) if _form(tensor) in forms else None
        if content is not None:
            waiting.setdefault((_form(tensor), content), []).append(tensor)
    for tensor in gone:
        content = old(tensor) if waiting and _form(tensor) in forms else None
        matching = waiting.get((_form(tensor), content), []) if content is not None else []
        if matching:
            yield tensor, matching.pop()
