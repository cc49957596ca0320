"""The tar of torch before 0.1.10, which torch.load still tries first with every file.

It is recognised and not read: each of its members is a pickle. Any other tar is no model.
"""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING

from modelvc.modelfiles.facts import ModelFacts
from modelvc.modelfiles.recognise import is_pickle, is_tar

if TYPE_CHECKING:
    from modelvc.modelfiles.source import Budget, Source

_BLOCK = 512  # bytes
_LOADED = frozenset({"storages", "tensors", "pickle"})
_RENAMES = frozenset("xgXLKS")  # kinds of headers that give another name or size to the member behind them
_HEAD = 4096  # bytes
_MEMBERS = 10_000


def read(source: Source, budget: Budget) -> ModelFacts:
    """Return that the tar SOURCE is unreadable if torch, or a reader of pickles, would load a part of it."""
    if is_pickle(source.read_at(0, _HEAD)):
        return ModelFacts("pickle", unreadable="it is a pickle and a tar")
    at = 0
    for _ in range(_MEMBERS):
        budget.operate(1)
        block = source.read_at(at, _BLOCK)
        if not is_tar(block):
            return ModelFacts("unknown", notes=("a tar",))
        try:
            member = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except (tarfile.HeaderError, ValueError):
            break
        if member.name.removeprefix("./") in _LOADED or member.size < 0:
            break
        kind = member.type.decode("latin-1")
        if kind in _RENAMES:
            name = source.read_at(at + _BLOCK, min(max(member.size, 0), _HEAD))
            if any(one.encode() in name for one in _LOADED):
                break
        at += _BLOCK + (member.size + _BLOCK - 1) // _BLOCK * _BLOCK
    return ModelFacts("torch", unreadable="torch: the tar of releases before 0.1.10 is not read")
