"""What people look for first in a model, for every view that has no room for all of it."""

from __future__ import annotations

# Hyper-parameters that people look for first.
WELL_KNOWN = (
    "n_estimators", "max_depth", "learning_rate", "objective", "C", "alpha", "n_neighbors", "n_clusters", "kernel",
    "hidden_size", "num_hidden_layers", "num_leaves", "model_type",
)  # fmt: skip
# Formats whose arrays are parts of an object: of many, such as those of a forest's trees, only the number counts.
OBJECTS = frozenset({"pickle", "joblib", "skops"})
