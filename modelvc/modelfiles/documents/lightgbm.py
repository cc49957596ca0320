"""Read LightGBM models: text with a header, a block for each tree, and the parameters of the training."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from modelvc.modelfiles.documents.boosted import named_inputs, number
from modelvc.modelfiles.facts import Field, ModelFacts, clean
from modelvc.modelfiles.source import Unreadable

if TYPE_CHECKING:
    from modelvc.modelfiles.facts import Pairs, Value
    from modelvc.modelfiles.source import Budget, Source

_WINDOW = 1 << 20  # bytes
_LONGEST = 16 << 20  # bytes of a line of the header
_TAIL = 1 << 20  # bytes behind the trees: importances and parameters
_PARAMETERS = 1000
_NAMES = 10_000  # features whose names are kept
_WHAT = "the LightGBM model"
_TREE = b"Tree="
_END = b"end of trees"
_LEAVES = re.compile(rb"num_leaves=([0-9]{1,9})\n")
_PARAMETER = re.compile(r"\[([^:\]\n]{1,200}): ([^\n]*)\]")
# Parameters that say how a machine trained, not what was trained.
_MACHINE = frozenset({
    "num_threads", "machines", "local_listen_port", "time_out", "machine_list_filename", "gpu_platform_id",
    "gpu_device_id", "gpu_use_dp", "num_gpu", "verbosity", "device_type", "data", "valid", "input_model",
    "output_model", "output_result", "config", "task", "snapshot_freq", "two_round", "header", "pre_partition",
    "force_col_wise", "force_row_wise", "histogram_pool_size", "saved_feature_importance_type",
})  # fmt: skip


def read(source: Source, budget: Budget) -> ModelFacts:
    """Return the facts of the text model SOURCE."""
    lines = _Lines(source, budget)
    header = _header(lines)
    trees, leaves = _trees(lines)
    stated = header.get("tree_sizes")
    if stated is not None and len(stated.split()) != trees:
        raise Unreadable(f"{_WHAT} has not as many trees as it says")
    parameters = _parameters(lines.rest())
    objective = header.get("objective", "")
    chosen: dict[str, Value] = {"objective": clean(objective.split(" ")[0])} if objective else {}
    if header.get("num_class", "1") != "1":
        chosen["num_class"] = number(header["num_class"])
    names = header.get("feature_names", "").split()
    return ModelFacts(
        "lightgbm",
        framework="LightGBM",
        class_name="Booster",
        hyper_parameters=tuple((chosen | parameters | chosen).items()),
        figures=_figures(header, trees, leaves),
        inputs=named_inputs(names) if len(names) <= _NAMES else (Field("X", shape=(-1, len(names))),),
        notes=(clean(f"model format {header['version']}"),) if "version" in header else (),
    )


class _Lines:
    """The lines of a text, in windows."""

    def __init__(self, source: Source, budget: Budget) -> None:
        self._source, self._budget = source, budget
        self._window, self._at, self._read = b"", 0, 0

    def more(self) -> bool:
        """Read on, and keep what follows the byte before the current place. Return False at the end of the source."""
        kept = max(0, self._at - 1)
        rest = self._window[kept:]
        size = min(_WINDOW, self._source.size - self._read)
        if not size or len(rest) > _LONGEST:
            return False
        self._budget.operate(size >> 4)
        self._window, self._at = rest + self._source.exactly(self._read, size), self._at - kept
        self._read += size
        return True

    def line(self) -> bytes:
        """Return the next line. Raises Unreadable at the end, and for a line that is too long."""
        while (end := self._window.find(b"\n", self._at)) < 0:
            if not self.more():
                raise Unreadable(f"{_WHAT} ends too early, or has a line that is too long")
        found = self._window[self._at : end]
        self._at = end + 1
        return found

    def skip_to_line(self, *begins: bytes) -> bytes:
        """Skip lines until one begins with one of BEGINS. Return that line."""
        longest = max(map(len, begins))
        while True:
            places = [place for one in begins if (place := self._window.find(b"\n" + one, max(0, self._at - 1))) >= 0]
            if places:
                self._at = min(places) + 1
                return self.line()
            self._at = max(self._at, len(self._window) - longest)
            if not self.more():
                raise Unreadable(f"{_WHAT} ends too early")

    def rest(self) -> bytes:
        """Return the rest of the text. Raises Unreadable if it is too long."""
        left = len(self._window) - self._at + self._source.size - self._read
        if left > _TAIL + _LONGEST:
            raise Unreadable(f"{_WHAT} has too many bytes behind its trees")
        self._budget.keep(left)
        while self.more():
            pass
        return self._window[self._at :]


def _header(lines: _Lines) -> dict[str, str]:
    """Read the lines `key=value` up to the first empty line."""
    found: dict[str, str] = {}
    if lines.line() != b"tree":
        raise Unreadable(f"{_WHAT} has no header")
    while line := lines.line():
        try:
            key, separator, value = line.decode().partition("=")
        except UnicodeDecodeError:
            raise Unreadable(f"{_WHAT} is not valid UTF-8") from None
        if key in found or len(found) > _PARAMETERS or (not separator and key != "average_output"):
            raise Unreadable(f"{_WHAT} has a header that is malformed")
        found[key] = value
    return found


def _trees(lines: _Lines) -> tuple[int, int]:
    """Return the number of trees and of leaves."""
    count = leaves = 0
    while True:
        line = lines.skip_to_line(_TREE, _END)
        if line == _END:
            return count, leaves
        if line != b"%b%d" % (_TREE, count):
            raise Unreadable(f"{_WHAT} has trees out of order")
        found = _LEAVES.fullmatch(lines.line() + b"\n")
        if not found:
            raise Unreadable(f"{_WHAT} has a tree without a number of leaves")
        count += 1
        leaves += int(found[1])


def _parameters(rest: bytes) -> dict[str, Value]:
    """Return the parameters of the training in REST, which follows the trees."""
    _, _, after = rest.partition(b"\nparameters:\n")
    block, separator, _ = after.partition(b"\nend of parameters")
    if not separator:
        return {}
    found = (_PARAMETER.fullmatch(line) for line in block.decode(errors="replace").splitlines()[:_PARAMETERS])
    return {clean(one[1]): number(one[2]) for one in found if one and one[1] not in _MACHINE and one[2]}


def _figures(header: dict[str, str], trees: int, leaves: int) -> Pairs:
    each = number(header.get("num_tree_per_iteration", "1"))
    rounds = trees // each if isinstance(each, int) and each > 0 else trees
    highest = number(header.get("max_feature_idx", ""))
    features: Pairs = (("features", highest + 1),) if isinstance(highest, int) else ()
    return (("trees", trees), ("leaves", leaves), ("rounds", rounds), *features)
