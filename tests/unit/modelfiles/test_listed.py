"""The list that ships: what must never be on it, and what must not pass it."""

from __future__ import annotations

import pickle
import re
from fnmatch import fnmatchcase
from typing import Any

import pytest

from modelvc.modelfiles import name_list
from modelvc.modelfiles.facts import Use, most
from modelvc.modelfiles.inspect import inspect
from modelvc.modelfiles.source import of_bytes
from modelvc.modelfiles.verdict import Kind, Verdict, judge
from tests.support import listed_names
from tests.support.clone import ROOT

LISTED = name_list.shipped()
# Names that open files, run code, read pickles or call what they are given.
NEVER = """
builtins.compile builtins.eval builtins.exec builtins.getattr builtins.map builtins.open builtins.type
builtins.__import__ copyreg.__newobj_ex__ functools.partial functools.reduce importlib.import_module operator.attrgetter
operator.methodcaller
joblib.load joblib.memory.Memory joblib.numpy_pickle_compat.NDArrayWrapper joblib.parallel.Parallel
logging.FileHandler numpy.core._ufunc_reconstruct numpy._core._ufunc_reconstruct numpy.fromfile numpy.load numpy.memmap
os.system pandas.read_pickle pathlib.PosixPath pickle.loads posix.system scipy.spatial._ckdtree.cKDTree
scipy.stats._continuous_distns.uniform_gen scipy.stats._distn_infrastructure.rv_continuous_frozen
sklearn.datasets._base.load_files subprocess.Popen torch.jit.load torch.load torch.storage._load_from_bytes
torch._tensor._rebuild_from_type_v2 xgboost.core.DMatrix
""".split()  # noqa: SIM905


def is_in(name: str, table: dict[str, str]) -> bool:
    return any(fnmatchcase(name, shape) for shape in table)


def test_what_must_never_be_listed() -> None:
    assert [name for name in NEVER if LISTED.holds(name)] == []


def test_no_name_is_listed_that_the_script_refuses() -> None:
    assert [name for name in LISTED.names if is_in(name, listed_names.REFUSED)] == []


def test_every_name_that_may_be_called_has_a_reason() -> None:
    called = [name for name, use in LISTED.names.items() if use is Use.CONSTRUCTED]
    assert len(called) > 50
    assert [name for name in called if not is_in(name, listed_names.CALLED)] == []


def test_a_class_whose_init_opens_files_may_be_made_and_not_called() -> None:
    for name in ("xgboost.core.Booster", "lightgbm.basic.Booster", "sklearn.pipeline.Pipeline"):
        assert LISTED.allows(name, Use.CREATED)
        assert not LISTED.allows(name, Use.CONSTRUCTED)


def test_releases_before_are_still_listed() -> None:
    assert LISTED.allows("numpy.core.multiarray._reconstruct", Use.CONSTRUCTED)
    assert LISTED.allows("numpy._core.multiarray._reconstruct", Use.CONSTRUCTED)
    assert LISTED.allows("_loss.CyHalfSquaredError", Use.CONSTRUCTED)
    assert LISTED.allows("sklearn._loss._loss.CyHalfSquaredError", Use.CONSTRUCTED)


# -- attacks with listed names alone


class Call:
    """Pickled as a call."""

    def __init__(self, name: str, *args: Any) -> None:
        self.name, self.args = name, args


def saved(call: Call) -> bytes:
    """A pickle that makes CALL, without an import of what it names."""

    def body(value: Any) -> bytes:
        if isinstance(value, Call):
            return body(value.name.encode()) + b"(" + b"".join(map(body, value.args)) + b"tR"
        if isinstance(value, bytes):
            module, _, name = value.decode().rpartition(".")
            return f"c{module}\n{name}\n".encode()
        return pickle.dumps(value, 2)[2:-1]

    return b"\x80\x02" + body(call) + b"."


def verdict(call: Call) -> Verdict:
    return judge(inspect(of_bytes(saved(call))), LISTED)


METRIC = b"sklearn.metrics._classification.accuracy_score"  # only referred to by real files
TREE = b"sklearn.pipeline.Pipeline"  # only made by __new__


@pytest.mark.parametrize(
    "call",
    [
        Call(METRIC.decode(), [1], [1]),
        Call(TREE.decode(), []),
        Call("numpy.random._pickle.__bit_generator_ctor", METRIC),
        Call("numpy.random._pickle.__generator_ctor", "x", METRIC),
        Call("numpy.random._pickle.__randomstate_ctor", "x", TREE),
        Call("numpy.ma.core._mareconstruct", METRIC, b"numpy.ndarray", (0,), b"builtins.str"),
        Call("collections.defaultdict", METRIC),
        Call("copyreg._reconstructor", METRIC, b"builtins.object", None),
        Call("copyreg._reconstructor", TREE, TREE, None),
        Call("pandas.core.indexes.base._new_Index", METRIC, {}),
        Call("sklearn.neighbors._kd_tree.newObj", METRIC),
    ],
    ids=lambda call: call.name,
)
def test_listed_names_that_call_their_arguments_call_no_others(call: Call) -> None:
    found = verdict(call)
    assert found.kind in {Kind.UNLISTED, Kind.UNREADABLE}
    assert {METRIC.decode(), TREE.decode()} & set(found.called)


def test_what_these_names_are_for_stays_listed() -> None:
    assert verdict(Call("numpy.random._pickle.__bit_generator_ctor", b"numpy.random._pcg64.PCG64")).kind is Kind.LISTED
    assert verdict(Call("copyreg._reconstructor", TREE, b"builtins.object", None)).kind is Kind.LISTED
    assert verdict(Call("collections.defaultdict", b"builtins.int")).kind is Kind.LISTED


def test_a_result_that_is_called_is_known_bad() -> None:
    data = saved(Call("collections.defaultdict", b"builtins.int"))[:-1] + b")R."
    assert judge(inspect(of_bytes(data)), LISTED).kind is Kind.KNOWN_BAD


def test_no_text_calls_a_model_safe() -> None:
    pages = ["docs/inside.md", "docs/decisions/0019-inside.md", "docs/decisions/0020-gate-at-checkout.md"]
    modules = [
        "cli/commands/inspection.py", "cli/views/scan.py", "cli/views/verdicts.py", "formats/text/scan_rules.py",
        "formats/text/trusted_imports.py", "models/files/gate.py", "ops/inspection/scan.py", "drivers/hooks.py",
    ]  # fmt: skip
    files = [ROOT / page for page in pages] + [ROOT / "modelvc" / module for module in modules]
    files += [*(ROOT / "modelvc/modelfiles").rglob("*.py"), *(ROOT / "modelvc/models/inside").rglob("*.py")]
    scan = (ROOT / "docs/policy.md").read_text().partition("## Scan\n")[2].partition("\n## ")[0]
    assert scan
    texts = {str(path): path.read_text() for path in files} | {"policy.md#scan": scan}
    word = re.compile(r"\bsafe(?:ly|ty)?\b", re.IGNORECASE)
    assert {where: word.findall(text) for where, text in texts.items() if word.search(text)} == {}


def test_of_two_uses_the_greater_counts() -> None:
    assert [most(one, other) for one in (None, *Use) for other in Use] == [
        *Use,
        *Use,
        Use.CREATED, Use.CREATED, Use.CONSTRUCTED,
        *[Use.CONSTRUCTED] * 3,
    ]  # fmt: skip
