"""Names as Python resolves them when it reads a pickle."""

from __future__ import annotations

import _compat_pickle
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modelvc.modelfiles.pickles.seen import Seen
    from modelvc.modelfiles.pickles.values import Global

# scikit-learn had a copy of joblib until 0.22.
JOBLIB = ("joblib.", "sklearn.externals.joblib.")
WRAPPERS = frozenset(f"{place}numpy_pickle.NumpyArrayWrapper" for place in JOBLIB)
_TEXT_AND_BYTES = 3  # from this protocol on names are those of Python 3


def imported(seen: Seen, protocol: int, module: str, name: str) -> Global:
    """Return the value of NAME in MODULE, as a pickle of PROTOCOL imports it: names of Python 2 have others in 3."""
    if protocol < _TEXT_AND_BYTES:
        if (module, name) in _compat_pickle.NAME_MAPPING:
            module, name = _compat_pickle.NAME_MAPPING[module, name]
        elif module in _compat_pickle.IMPORT_MAPPING:
            module = _compat_pickle.IMPORT_MAPPING[module]
    return seen.referred(f"{module}.{name}")
