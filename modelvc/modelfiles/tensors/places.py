"""Where the bytes of a tensor are read from, also if they are compressed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelvc.modelfiles.archive import read_archive
from modelvc.modelfiles.facts import clean
from modelvc.modelfiles.recognise import is_zip
from modelvc.modelfiles.source import Unreadable
from modelvc.modelfiles.tensors import numpy_files

if TYPE_CHECKING:
    from modelvc.modelfiles.archive import Member
    from modelvc.modelfiles.facts import Tensor
    from modelvc.modelfiles.source import Budget, Source


class Places:
    """The tensors of one file."""

    def __init__(self, source: Source, budget: Budget) -> None:
        self._source = source
        self._budget = budget
        self._members: dict[str, Member] | None = None

    def open(self, tensor: Tensor) -> Source | None:
        """Return the bytes of TENSOR; None if they are not to be had, as in a compressed pickle.

        Those of a compressed array of .npz are read forward alone; open them again for another reading.
        Raises Unreadable if the file is not as its facts say.
        """
        if tensor.start >= 0:
            return self._source.part(tensor.start, tensor.end)
        if tensor.dtype == "object" or not is_zip(self._source.read_at(0, 4)):
            return None
        if self._members is None:
            found = read_archive(self._source, self._budget)
            self._members = {clean(one.name.removesuffix(".npy")): one for one in found}
        if tensor.name not in self._members:
            raise Unreadable("the file is not as its facts say")
        return numpy_files.elements(self._source, self._members[tensor.name], self._budget)
