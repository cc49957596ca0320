"""Write the lists of names in modelvc/modelfiles/listed: what the machine sees in files that real libraries wrote.

    python -m tests.support.listed_names [FOLDER]

in an environment that has the libraries; the lists of those libraries are written, others stay. Every estimator,
kernel, loss and scorer of scikit-learn is made, fitted and saved by each pickler; so are arrays, sparse arrays, frames,
state dicts and boosters. Names are what mvc's reader saw in the files, never what a module has.

A name that was seen is refused if REFUSED matches it. A name that a file calls is listed only if CALLED says why no
argument and no state makes it run, import or open anything. The script stops at a called name without a reason.
"""

from __future__ import annotations

import array
import collections
import datetime as dt
import decimal
import fractions
import inspect as python_inspect
import io
import os
import pickle
import random
import re
import sys
import tempfile
import types
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from fnmatch import fnmatchcase
from importlib import import_module, metadata
from typing import Any, TypeAlias

from modelvc.modelfiles.facts import Use
from modelvc.modelfiles.inspect import inspect
from modelvc.modelfiles.name_list import FOLDER, NameList, is_name, parse
from modelvc.modelfiles.source import of_bytes

Values: TypeAlias = "Iterator[tuple[str, Any]]"

# Names that are not listed even if they were seen, and why. Globs.
REFUSED = {
    "builtins.getattr": "leads from a listed name to any attribute of it",
    "builtins.type": "makes classes",
    "builtins.print": "writes to the terminal",
    "functools.partial": "a partial that is called calls its function, with arguments of the file",
    "functools.reduce": "calls its argument",
    "operator.*": "methodcaller and attrgetter lead from a listed name to any method",
    "copyreg.__newobj_ex__": "makes objects of its argument with any keywords",
    "numpy.memmap*": "opens and truncates files",
    "numpy.load": "opens files, and reads pickles in them",
    "numpy.core._ufunc_reconstruct": "imports any module",
    "numpy._core._ufunc_reconstruct": "imports any module",
    "scipy.stats.*": "a distribution runs the text in `_parse_arg_template` of its state",
    "scipy.spatial.*": "a tree follows the offsets in its state without a check",
    "scipy.optimize.*": "no estimator needs them to be loaded",
    "joblib.memory.*": "makes folders, and reads pickles from them",
    "joblib._store_backends.*": "makes folders, and reads pickles from them",
    "joblib.func_inspect.*": "reads source files",
    "joblib.numpy_pickle_compat.*": "opens another file, and reads a pickle in it",
    "joblib.parallel.*": "starts processes",
    "torch.storage._load_from_bytes": "reads another pickle",
    "torch.jit.*": "runs programs of the file",
    "torch._utils._rebuild_wrapper_subclass": "makes an object of its argument",
    "torch.nn.*": "modules have hooks that are called; state dicts do without",
    "dateutil.tz.*": "opens the file that it is given",
    "zoneinfo.*": "opens files by name",
    "pytz.*": "opens files by name",
    "pathlib.*": "no model needs a path",
    "logging.*": "opens files, and formats texts of the file",
    "threading.*": "starts threads",
    "multiprocessing.*": "starts processes",
    "*.test_*": "tests are no part of a library",
    "*.tests.*": "tests are no part of a library",
    "__main__.*": "the project's own",
}

# Names that a file may call, and why that is harmless whatever the arguments and the state. Globs.
CALLED = {
    "array.*": "data: the class of an array is checked by the function that makes it",
    "random.Random": "numbers",
    "re._compile": "a pattern, which can at worst be slow",
    "types.SimpleNamespace": "data",
    "_codecs.encode": "an encoding of Python; its name cannot lead out of the package `encodings`",
    "builtins.bytearray": "data",
    "builtins.bytes": "data",
    "builtins.complex": "data",
    "builtins.frozenset": "data",
    "builtins.list": "data",
    "builtins.dict": "data",
    "builtins.object": "an object without state",
    "builtins.int": "a number",
    "builtins.range": "data",
    "builtins.set": "data",
    "builtins.slice": "data",
    "builtins.tuple": "data",
    "collections.OrderedDict": "data",
    "collections.Counter": "data",
    "collections.deque": "data",
    "collections.defaultdict": "its factory is called for a missing key, which no opcode asks for",
    "copyreg._reconstructor": "makes an object of its argument, which then counts as created",
    "datetime.*": "data",
    "decimal.Decimal": "data",
    "fractions.Fraction": "data",
    "uuid.UUID": "data",
    "numpy.*multiarray._reconstruct": "an empty array of a class of numpy; other classes count as constructed",
    "numpy.*multiarray.scalar": "a number of a dtype; objects are refused",
    "numpy.*numeric._frombuffer": "an array over bytes of the file",
    "numpy.bool*": "a number",
    "numpy.complex*": "a number",
    "numpy.float*": "a number",
    "numpy.int*": "a number",
    "numpy.uint*": "a number",
    "numpy.*long*": "a number",
    "numpy.str_": "a text",
    "numpy.bytes_": "data",
    "numpy.random.Generator": "a generator over a bit generator",
    "numpy.random.RandomState": "a generator by a seed",
    "numpy.random.mtrand.RandomState": "a generator by a seed",
    "numpy.random.MT19937": "a bit generator: numbers",
    "numpy.random.PCG64*": "a bit generator: numbers",
    "numpy.random.Philox": "a bit generator: numbers",
    "numpy.random.SFC64": "a bit generator: numbers",
    "numpy.ndarray": "an array: its size is compared with its bytes",
    "numpy.dtype": "a dtype; its state is checked by numpy",
    "numpy.ma.core._mareconstruct": "makes a masked array of its arguments, which then count as created",
    "numpy.ma.core.MaskedConstant": "a constant",
    "numpy.random._pickle.__*_ctor": "a generator by its name; a class among its arguments then counts as constructed",
    "numpy.random._*.*": "a bit generator: numbers",
    "numpy.random.bit_generator.*": "the seed of a bit generator: numbers; its helper checks a number and sets fields",
    "_loss.Cy*": "a loss of at most two numbers, of scikit-learn before 1.8",
    "_loss.__pyx_unpickle_*": "the same, whose fields are set with a check of their types",
    "sklearn.*.__pyx_unpickle_*": "an object of one class of Cython, whose fields are set with a check of their types",
    "sklearn.tree._tree.Tree": "an empty tree of three numbers; its state is checked by __setstate__",
    "sklearn.tree._criterion.*": "an empty object of numbers",
    "sklearn.tree._splitter.*": "an empty object of numbers",
    "sklearn.*.newObj": "makes an object of its argument by __new__, which then counts as created",
    "sklearn.neighbors._*.BinaryTree": "an empty tree",
    "sklearn.metrics._dist_metrics.*": "a metric: numbers and arrays",
    "sklearn.linear_model._sgd_fast.*": "a loss of at most two numbers",
    "sklearn._loss._loss.*": "a loss of at most two numbers",
    "sklearn._loss.*.Cy*": "a loss of at most two numbers",
    "sklearn.ensemble._hist_gradient_boosting.*": "an object of arrays",
    "sklearn.utils._random.*": "numbers",
    "scipy.interpolate.*": "an object of arrays",
    "scipy.sparse.*": "an object of arrays, whose sizes are checked when it is made",
    "joblib.numpy_pickle.NumpyArrayWrapper": "says where the bytes of an array lie",
    "pandas._libs.internals._unpickle_block": "a block of an array",
    "pandas._libs.arrays.__pyx_unpickle_NDArrayBacked": "an object of one class of Cython over an array",
    "pandas._libs.interval.Interval": "two numbers or dates",
    "pandas.Interval": "two numbers or dates",
    "pandas.Period": "a date",
    "pandas.PeriodDtype": "a dtype; its text is looked up in a table of dtypes",
    "pandas.StringDtype": "a dtype",
    "pandas._libs.tslibs.*": "dates",
    "pandas.core.indexes.base._new_Index": "makes an index of its argument, which then counts as created",
    "pandas.core.indexes.*": "an index over an array",
    "pandas.core.internals.*": "blocks of arrays",
    "pandas.*.Index": "an index over an array",
    "pandas.core.arrays.*": "an array",
    "pandas.core.dtypes.dtypes.*": "a dtype; its text is looked up in a table of dtypes",
    "torch._utils._rebuild_tensor*": "a tensor over a storage of the file; sizes are checked",
    "torch._utils._rebuild_parameter": "a tensor with hooks that only training calls",
    "torch._utils._rebuild_parameter_with_state": "a tensor, and attributes of it",
    "torch._utils._rebuild_qtensor": "a tensor over a storage of the file",
    "torch._utils._rebuild_sparse_tensor": "a tensor of two tensors",
    "torch._utils._rebuild_sparse_csr_tensor": "a tensor of three tensors",
    "torch.device": "a name in a table",
    "torch.Size": "numbers",
    "torch.serialization._get_layout": "a name in a table",
}


# What classes run when an object of them is made by `__new__`, gets its state or is deleted, and why that is harmless.
HOOKS = {
    "builtins.dict.__new__": "an empty dict",
    "builtins.tuple.__new__": "data",
    "catboost.core.*": "reads the bytes of a model, and sets attributes",
    "lightgbm.basic.Booster.*": "reads the text of a model, and frees only what it made of that text",
    "numpy.ndarray.*": "an array: sizes are compared with bytes",
    "numpy.ma*.MaskedArray.*": "an array and its mask",
    "pandas.*CategoricalDtype.__setstate__": "sets two attributes",
    "pandas.core.generic.NDFrame.*": "sets attributes",
    "pandas.*Index.__new__": "an index of its arguments",
    "pandas.core.internals.managers.*": "sets attributes",
    "scipy.sparse._*.__setstate__": "sets attributes",
    "random.Random.*": "sets numbers",
    "_random.Random.*": "sets numbers",
    "sklearn.base.BaseEstimator.__setstate__": "compares the version, warns, and sets attributes",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor.__setstate__": "sets attributes",
    "sklearn.impute._iterative._ImputerTriplet.__new__": "a tuple of names",
    "sklearn.isotonic.IsotonicRegression.__setstate__": "sets attributes, and makes a function of two arrays",
    "sklearn.linear_model._passive_aggressive.*.__new__": "warns",
    "sklearn.metrics._dist_metrics.*": "sets numbers and arrays",
    "sklearn.neighbors._*_tree.*": "sets numbers and arrays",
    "sklearn.utils._bunch.Bunch.*": "ignores a state, and sets items",
    "uuid.UUID.*": "sets a number",
    "xgboost.core.Booster.*": "reads the bytes of a model, and frees only what it made of those bytes",
}


def _is(name: str, table: dict[str, str]) -> bool:
    return any(fnmatchcase(name, shape) for shape in table)


# -- what is made


def _texts() -> list[str]:
    return ["red apple", "green pear", "blue plum", "red plum", "green apple", "blue pear"] * 10


def _data() -> list[tuple[Any, Any]]:
    """Data of different kinds, of which most estimators take one."""
    import numpy as np

    generator = np.random.RandomState(0)
    x = generator.rand(60, 4)
    classes = np.arange(60) % 3
    two = np.arange(60) % 2
    numbers = x @ np.arange(1.0, 5.0) + 1
    whole = generator.randint(0, 3, (60, 4))
    return [
        (x, classes),
        (x, two),
        (x, numbers),
        (x, np.column_stack([numbers, -numbers])),
        (x, np.column_stack([two, 1 - two])),
        (x[:, 0], numbers),
        (whole, classes),
        (np.column_stack([x, x]), np.column_stack([numbers, numbers])),
        (_texts(), two),
        ([{"a": 1.0, "b": "x"}, {"a": 2.0, "c": 3}] * 30, two),
        (x > 0.5, two),
        (two, None),
        ([["a", "b"], ["b"], ["c", "a"]] * 20, None),
        (x, np.where(np.arange(60) % 5, two, -1)),
        (x @ x.T, numbers),
    ]


def _needed(name: str, kind: type) -> dict[str, Any]:
    """Arguments that the estimator NAME cannot do without."""
    from sklearn.decomposition import PCA
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge

    regression = any("Regressor" in base.__name__ for base in kind.__mro__)
    one: Any = LinearRegression() if regression else LogisticRegression()
    known: dict[str, Any] = {
        "estimator": one,
        "base_estimator": one,
        "estimators": [("a", one), ("b", Ridge() if regression else RandomForestClassifier(2))],
        "transformers": [("a", PCA(2), [0, 1, 2])],
        "transformer_list": [("a", PCA(2)), ("b", PCA(1))],
        "steps": [("a", PCA(2)), ("b", one)],
        "param_grid": {"fit_intercept": [True, False]},
        "param_distributions": {"fit_intercept": [True, False]},
        "dictionary": _data()[0][0][:4],
        "base_regressor": one,
    }
    wanted = python_inspect.signature(kind).parameters  # type: ignore[arg-type]
    needed = {key for key, one in wanted.items() if one.default is one.empty and one.kind not in {2, 4}}
    if name in {"ClassifierChain", "RegressorChain", "MultiOutputClassifier"} and "base_estimator" in wanted:
        needed.add("base_estimator")
    return {key: known[key] for key in needed if key in known}


def _few(kind: type) -> dict[str, Any]:
    """Arguments that keep training short, and random states that are objects."""
    wanted = python_inspect.signature(kind).parameters  # type: ignore[arg-type]
    few = {"n_estimators": 3, "max_iter": 20, "n_init": 1, "cv": 2, "n_quantiles": 10, "n_clusters": 3}
    return {key: value for key, value in few.items() if key in wanted}


def _fitted(made: Callable[[], Any], *, once: bool = False) -> Values:
    """Yield the estimator MADE fitted on each data that it takes (ONCE: on the first), or as it is."""
    found = 0
    for x, y in _data():
        try:
            one = made()
            one.fit(x, y) if y is not None else one.fit(x)
        except Exception:  # noqa: BLE001 - data of another kind
            continue
        found += 1
        yield "", one
        if once:
            return
    if not found:
        yield "unfitted", made()


def _estimators() -> Values:
    import numpy as np
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.utils import all_estimators

    for name, kind in all_estimators():
        try:
            needed = _needed(name, kind)
            few = _few(kind)
            for more in ({}, {"random_state": np.random.RandomState(0)}):
                if more and "random_state" not in python_inspect.signature(kind).parameters:
                    continue

                def made(kind: type = kind, given: dict[str, Any] = {**needed, **few, **more}) -> Any:  # noqa: B006
                    return kind(**given)

                yield from ((f"{name} {words}", one) for words, one in _fitted(made, once=bool(more)))
        except Exception as error:  # noqa: BLE001 - abstract, or a library is missing
            print("  not made:", error, file=sys.stderr)


# Parameters whose value brings a class of its own, with all their values.
_CHOICES = (
    ("SGDRegressor", "loss", "squared_error huber epsilon_insensitive squared_epsilon_insensitive"),
    ("SGDClassifier", "loss", "hinge log_loss modified_huber squared_hinge perceptron"),
    ("PassiveAggressiveClassifier", "loss", "hinge squared_hinge"),
    ("GradientBoostingRegressor", "loss", "squared_error absolute_error huber quantile"),
    ("GradientBoostingClassifier", "loss", "log_loss exponential"),
    ("HistGradientBoostingRegressor", "loss", "squared_error absolute_error gamma poisson"),
    ("DecisionTreeRegressor", "criterion", "squared_error friedman_mse absolute_error poisson"),
    ("DecisionTreeRegressor", "splitter", "best random"),
    ("DecisionTreeClassifier", "criterion", "gini entropy log_loss"),
    ("SVC", "kernel", "linear poly rbf sigmoid"),
    ("MLPClassifier", "solver", "lbfgs sgd adam"),
    ("LogisticRegression", "solver", "lbfgs liblinear newton-cg newton-cholesky sag saga"),
    ("KNeighborsClassifier", "algorithm", "ball_tree kd_tree brute"),
    ("KNeighborsClassifier", "metric", "minkowski manhattan chebyshev euclidean cosine"),
    ("KNeighborsRegressor", "metric", "canberra braycurtis hamming jaccard dice russellrao rogerstanimoto"),
    ("KNeighborsRegressor", "metric", "sokalsneath sokalmichener matching yule"),
    ("KernelDensity", "kernel", "gaussian tophat epanechnikov exponential linear cosine"),
    ("KernelDensity", "algorithm", "kd_tree ball_tree"),
)  # fmt: skip


def _choices() -> Values:
    """Estimators with every value of the parameters in _CHOICES, and Gaussian processes with every kernel."""
    from sklearn import gaussian_process
    from sklearn.utils import all_estimators

    kinds = dict(all_estimators())
    k = gaussian_process.kernels
    given = [(name, key, value) for name, key, values in _CHOICES for value in values.split()]
    kernels = [
        k.RBF() + k.WhiteKernel(), k.ConstantKernel() * k.Matern(), k.RationalQuadratic(), k.ExpSineSquared(),
        k.DotProduct() ** 2, k.PairwiseKernel(), k.CompoundKernel([k.RBF(), k.RBF()]), k.Exponentiation(k.RBF(), 2),
    ]  # fmt: skip
    given += [("GaussianProcessRegressor", "kernel", one) for one in kernels]
    more = {"KNeighborsRegressor": {"algorithm": "ball_tree"}}
    for name, key, value in given:
        kind = kinds[name]
        options = {**_few(kind), **more.get(name, {}), key: value}
        yield from ((f"{name} {value}", one) for _, one in _fitted(lambda k=kind, o=options: k(**o), once=True))


def _linked() -> Values:
    """Linear models with every link, kept in their private state."""
    from sklearn import linear_model

    for power in (0, 1, 1.5, 2, 3):
        for link in ("auto", "identity", "log"):
            made = linear_model.TweedieRegressor(power=power, link=link)
            yield from _fitted(lambda made=made: made, once=True)
    for kind in (linear_model.PoissonRegressor, linear_model.GammaRegressor):
        yield from _fitted(kind, once=True)


def _composed() -> Values:
    import numpy as np
    from sklearn import compose, feature_extraction, impute, linear_model, model_selection, pipeline, preprocessing

    lr = linear_model.LogisticRegression
    x, y = _data()[1]
    yield "pipeline", pipeline.make_pipeline(preprocessing.StandardScaler(), lr()).fit(x, y)
    yield "unfitted", pipeline.make_pipeline(impute.SimpleImputer(), "passthrough")
    numbers = pipeline.make_pipeline(impute.SimpleImputer(), preprocessing.StandardScaler())
    columns = compose.ColumnTransformer(
        [("n", numbers, [0, 1]), ("c", preprocessing.OneHotEncoder(handle_unknown="ignore"), [2]), ("d", "drop", [3])]
    )
    yield "columns", pipeline.make_pipeline(columns, lr()).fit(np.round(x, 1), y)
    for kind in (feature_extraction.text.CountVectorizer, feature_extraction.text.TfidfVectorizer):
        for given in ({}, {"stop_words": "english"}, {"analyzer": "char_wb", "dtype": np.float32}):
            yield "texts", pipeline.make_pipeline(kind(**given), lr()).fit(_texts(), y)
    for function in (*(getattr(np, name) for name in _FUNCTIONS), None):
        yield "function", preprocessing.FunctionTransformer(function)
    from sklearn.experimental import enable_halving_search_cv  # noqa: F401

    for search in (model_selection.GridSearchCV, model_selection.HalvingGridSearchCV):
        for scoring in (None, "accuracy", ["accuracy", "roc_auc"]):
            if scoring and search is not model_selection.GridSearchCV:
                continue
            refit = "accuracy" if isinstance(scoring, list) else True
            given = {"C": [0.1, 1.0], "class_weight": [None, "balanced"]}
            yield "search", search(lr(), given, cv=2, scoring=scoring, refit=refit).fit(x, y)
    for name in sorted(dir(model_selection)):
        kind = getattr(model_selection, name)
        if isinstance(kind, type) and name.endswith(("Fold", "Split", "Out")) and not name.startswith("Base"):
            for given in ((), (2,), ([0, 1],)):
                with suppress(TypeError, ValueError):
                    yield name, kind(*given)
                    break
    yield "sparse coefficients", lr().fit(x, y).sparsify()


def _scorers() -> Values:
    from sklearn import metrics

    for name in metrics.get_scorer_names():
        yield name, metrics.get_scorer(name)
    yield "made", metrics.make_scorer(metrics.fbeta_score, beta=2)


def _frames_fitted() -> Values:
    import pandas as pd
    from sklearn import compose, linear_model, pipeline, preprocessing

    x, y = _data()[1]
    frame = pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "c": pd.Categorical(["u", "v"] * 30), "d": ["x", "y", "z"] * 20})
    select = compose.make_column_selector
    for chosen in (["c", "d"], select(dtype_exclude="number"), pd.Index(["c"]), slice("c", "d")):
        columns = compose.make_column_transformer(
            (preprocessing.OneHotEncoder(), chosen), (preprocessing.StandardScaler(), ["a", "b"])
        )
        yield "frame", pipeline.make_pipeline(columns, linear_model.LogisticRegression()).fit(frame, y)
    yield "output", preprocessing.StandardScaler().set_output(transform="pandas").fit(frame[["a", "b"]])
    yield "labels", linear_model.LogisticRegression().fit(frame[["a", "b"]], frame["d"])


def _python() -> Values:
    for one in (
        {"a": [1, 2.0, None, True, 1j], "b": {3}, "c": frozenset({4}), "d": (slice(1, 2), range(3)), "e": b"x"}, object,
        bytearray(b"x"), collections.OrderedDict(a=1), collections.Counter("aab"), collections.deque([1], 2),
        collections.defaultdict(int, a=1), collections.defaultdict(list), dt.datetime(2020, 1, 2, 3),  # noqa: DTZ001
        dt.date(2020, 1, 2), dt.timedelta(1), dt.time(1), dt.datetime(2020, 1, 2, tzinfo=dt.UTC),
        decimal.Decimal("1.5"), fractions.Fraction(1, 3), uuid.UUID(int=1), object(),
        (int, float, str, bool, list, dict), array.array("d", [1.0]), random.Random(1), re.compile("a"),
        types.SimpleNamespace(a=1),
    ):  # fmt: skip
        yield type(one).__name__, one


_BITS = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")  # generators of numpy
_FUNCTIONS = (  # of numpy, that transformers are made of
    "abs", "arcsin", "arcsinh", "arctan", "cbrt", "ceil", "cos", "cosh", "exp", "exp2", "expm1", "floor", "log",
    "log10", "log1p", "log2", "negative", "reciprocal", "rint", "sign", "sin", "sinh", "sqrt", "square", "tan",
    "tanh", "trunc",
)  # fmt: skip


def _arrays() -> Values:
    import numpy as np

    for kind in [*"?bBhHiIlLqQefdgFDO", "S3", "U3", "V4", "M8[ns]", "m8[s]", ">f4", ">i8"]:
        dtype = np.dtype(kind)
        yield kind, dtype
        yield kind, np.zeros(3, dtype)
        yield kind, np.zeros((2, 2), dtype, order="F")
        yield kind, np.zeros(3, dtype)[0]
    yield "record", np.zeros(2, [("a", "f4"), ("b", "i8", 2)])
    yield "records", np.rec.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")])
    yield "masked", np.ma.array([1, 2], mask=[True, False])
    yield "masked", np.ma.masked
    yield "objects", np.array([1, "a", None, [2]], object)
    for name in _BITS:
        yield name, np.random.Generator(getattr(np.random, name)(1))
        yield name, getattr(np.random, name)(1)
    yield "seed", np.random.SeedSequence(1)
    yield "state", np.random.RandomState(1)
    for kind in (np.float64, np.int64, np.bool_, np.str_):
        yield "kind", kind
        yield "value", kind(1)


def _sparse() -> Values:
    import numpy as np
    from scipy import interpolate, sparse

    dense = np.eye(4)
    for kind in ("bsr", "coo", "csc", "csr", "dia", "dok", "lil"):
        for ending in ("matrix", "array"):
            yield kind, getattr(sparse, f"{kind}_{ending}")(dense)
    yield "spline", interpolate.BSpline(np.arange(8.0), np.arange(4.0), 3)


def _frames() -> Values:
    import pandas as pd

    frame = pd.DataFrame({"a": [1, 2], "b": [1.5, None], "c": ["x", "y"], "d": [True, False]})
    yield "frame", frame
    yield "series", frame["a"]
    yield "text", frame["c"].astype("string")
    yield "category", frame["c"].astype("category")
    yield "numbers", frame["a"].astype("Int64")
    yield "numbers", frame["b"].astype("Float32")
    yield "truth", frame["d"].astype("boolean")
    dates = pd.date_range("2020-01-01", periods=3)
    for one in (
        pd.Index(["a", "b"]), pd.Index([1, 2]), pd.Index([1.5]), pd.RangeIndex(3), dates,
        pd.DatetimeIndex(list(dates)),
        pd.MultiIndex.from_tuples([(1, "a")]), pd.CategoricalIndex(["a"]), pd.timedelta_range("1s", periods=2),
        pd.IntervalIndex.from_breaks([0, 1, 2]), pd.period_range("2020", periods=2, freq="D"),
        pd.Timestamp("2020-01-01"),
        pd.Timedelta("1s"), pd.NaT, pd.NA, pd.Interval(0, 1), pd.Period("2020"), pd.Series(dates),
    ):  # fmt: skip
        yield "index", one


def _skops() -> Iterator[bytes]:
    """Estimators as skops writes them: it calls some classes that a pickle does not."""
    import numpy as np
    import skops.io

    for maker in (_choices, _composed, _linked):
        for _, one in maker():
            with suppress(Exception):  # an object that skops cannot write
                yield skops.io.dumps(one)
    values = [np.zeros(3, kind)[0] for kind in [*"?bBhHiIlLqQefdFD", "U3", "S3"]]
    for one in (*values, np.random.RandomState(1), *(np.random.Generator(getattr(np.random, n)(1)) for n in _BITS)):
        with suppress(Exception):
            yield skops.io.dumps(one)


def _catboost() -> Values:
    import catboost

    x, y = _data()[1]
    for kind in (catboost.CatBoost, catboost.CatBoostClassifier, catboost.CatBoostRegressor, catboost.CatBoostRanker):
        given = {"group_id": [n // 10 for n in range(60)]} if kind is catboost.CatBoostRanker else {}
        yield kind.__name__, kind({"iterations": 3}) if kind is catboost.CatBoost else kind(iterations=3)
        if kind is not catboost.CatBoost:
            made = kind(iterations=3, verbose=False, allow_writing_files=False)
            yield kind.__name__, made.fit(x, y, **given)


def _xgboost() -> Values:
    import xgboost

    x, y = _data()[1]
    for name in ("XGBClassifier", "XGBRegressor", "XGBRFClassifier", "XGBRFRegressor", "XGBRanker"):
        kind = getattr(xgboost, name)
        given = {"qid": [n // 10 for n in range(60)]} if name == "XGBRanker" else {}
        yield name, kind(n_estimators=3)
        yield name, kind(n_estimators=3, booster="gbtree").fit(x, y, **given)
    yield "booster", xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(x, y), 3)


def _lightgbm() -> Values:
    import lightgbm

    x, y = _data()[1]
    for name in ("LGBMClassifier", "LGBMRegressor", "LGBMRanker"):
        kind = getattr(lightgbm, name)
        given = {"group": [30, 30]} if name == "LGBMRanker" else {}
        yield name, kind(n_estimators=3, verbose=-1)
        yield name, kind(n_estimators=3, verbose=-1).fit(x, y, **given)
    yield "booster", lightgbm.train({"verbose": -1, "objective": "binary"}, lightgbm.Dataset(x, y), 3)


def _torch() -> Iterator[bytes]:
    import torch

    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2), torch.nn.Embedding(4, 3))
    optimiser = torch.optim.Adam(model.parameters())
    kinds = [
        "float64", "float32", "float16", "bfloat16", "complex64", "complex128", "int64", "int32", "int16", "int8",
        "uint8", "bool", "float8_e4m3fn", "float8_e5m2",
    ]  # fmt: skip
    tensors = {name: torch.zeros(2, dtype=getattr(torch, name)) for name in kinds if hasattr(torch, name)}
    sparse = torch.eye(3).to_sparse()
    quantised = torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)
    channels = torch.quantize_per_channel(torch.ones(2, 3), torch.ones(2), torch.zeros(2), 0, torch.qint8)
    for one in (
        model.state_dict(), optimiser.state_dict(), tensors, {"epoch": 1, "model": model.state_dict()}, sparse,
        sparse.to_sparse_csr(), quantised, channels, torch.nn.Parameter(torch.ones(2)), [torch.device("cpu")],
        {"dtype": torch.float16, "size": torch.Size([1])},
    ):  # fmt: skip
        for old in (False, True):
            out = io.BytesIO()
            torch.save(one, out, _use_new_zipfile_serialization=not old)
            yield out.getvalue()


# -- what is seen


def _saved(value: Any) -> Iterator[bytes]:
    """Yield VALUE as each pickler writes it."""
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        yield pickle.dumps(value, protocol)
    try:
        import joblib
    except ImportError:
        return
    with tempfile.TemporaryDirectory() as folder:
        for compress in (0, 3):
            path = os.path.join(folder, "x")
            joblib.dump(value, path, compress=compress)
            with open(path, "rb") as file:
                yield file.read()


def seen(makers: list[Callable[[], Any]]) -> dict[str, Use]:
    """Return the names in the files of all values of MAKERS, with the most that a file does with each."""
    order = list(Use)
    found: dict[str, Use] = {}
    for maker in makers:
        try:
            for value in maker():
                files = [value] if isinstance(value, bytes) else _files(value)
                for data in files:
                    facts = inspect(of_bytes(data))
                    if facts.unreadable:
                        print("  unreadable:", facts.unreadable, file=sys.stderr)
                    for name, use in facts.imports:
                        if order.index(use) >= order.index(found.get(name, Use.REFERRED)):
                            found[name] = use
        except Exception as error:  # noqa: BLE001 - another library or release; what was seen before counts
            print(f"  {maker.__name__}: {type(error).__name__} {error}", file=sys.stderr)
    return found


def _files(value: tuple[str, Any]) -> list[bytes]:
    try:
        return list(_saved(value[1]))
    except Exception as error:  # noqa: BLE001 - an object that cannot be pickled
        print(f"  {value[0]} not saved: {error}", file=sys.stderr)
        return []


MAKERS = [
    _python, _arrays, _sparse, _frames, _estimators, _choices, _linked, _composed, _scorers, _frames_fitted, _xgboost,
    _lightgbm, _catboost, _torch, _skops,
]  # fmt: skip
# The package of pip that a module belongs to.
LIBRARIES = {
    "sklearn": "scikit-learn", "_loss": "scikit-learn", "numpy": "numpy", "scipy": "scipy", "joblib": "joblib",
    "pandas": "pandas",
    "catboost": "catboost", "xgboost": "xgboost", "lightgbm": "lightgbm", "torch": "torch",
}  # fmt: skip


def library(name: str) -> str:
    """Return the library that NAME belongs to, or `python`; "" for another one.

    A module that is nowhere was read where no name stands: a file with the wrappers of joblib is read both ways.
    """
    top = name.split(".", maxsplit=1)[0]
    return "python" if top in sys.stdlib_module_names else LIBRARIES.get(top, "")


def sorted_out(found: dict[str, Use]) -> dict[str, dict[str, Use]]:
    """Return FOUND by library, without what is refused.

    Raises SystemExit for a name that is called, or whose class runs code of its own, without a reason here.
    """
    lists: dict[str, dict[str, Use]] = {}
    without = []
    for name, use in sorted(found.items()):
        owner = library(name)
        if _is(name, REFUSED) or not is_name(name) or not owner or _value(name) is None:
            print(f"refused: {use.value} {name}", file=sys.stderr)
        elif use is Use.CONSTRUCTED and not _is(name, CALLED):
            without.append(f"calls {name}")
        elif hooks := [one for one in own_hooks(name) if use is Use.CREATED and not _is(one, HOOKS)]:
            without += hooks
        else:
            lists.setdefault(owner, {})[name] = use
    if without:
        raise SystemExit("without a reason:\n" + "\n".join(sorted(set(without))))
    return lists


def _value(name: str) -> object:
    """Return what NAME stands for; None if it stands for nothing.

    A file with the wrappers of joblib is read both ways, and one of them may see a name where none was written.
    """
    module, _, attribute = name.rpartition(".")
    try:
        return getattr(import_module(module), attribute, None)
    except ImportError:
        return object() if module == "_loss" else None  # scikit-learn called its module so before 1.8


def own_hooks(name: str) -> list[str]:
    """Return what the class NAME runs when an object is made by `__new__`, gets its state or is deleted."""
    kind = _value(name)
    hooks = ("__new__", "__setstate__", "__del__", "__setattr__")
    mro = kind.__mro__[:-1] if isinstance(kind, type) else ()
    return [f"{base.__module__}.{base.__qualname__}.{hook}" for base in mro for hook in hooks if hook in vars(base)]


def main(folder: str = FOLDER) -> None:
    """Write a list for each library into FOLDER."""
    warnings.simplefilter("ignore")
    for name, names in sorted_out(seen(MAKERS)).items():
        version = (
            f"{sys.version_info[0]}.{sys.version_info[1]}"
            if name == "python"
            else metadata.version(name).partition("+")[0]
        )
        path = os.path.join(folder, f"{name}-{version}.txt")
        found = names
        if os.path.exists(path):  # Python is the same in several environments
            with open(path, encoding="ascii") as file:
                found = dict(NameList(parse(file.read())).with_names(names).names)
        head = [f"# library: {name}", f"# version: {version}", "# script: tests/support/listed_names.py"]
        lines = [f"{use.value} {one}" for one, use in sorted(found.items())]
        with open(path, "w", encoding="ascii") as file:
            file.write("\n".join([*head, *lines]) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:2])
