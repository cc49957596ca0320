"""Which measure a metric's name means, and which labels are one label: by tables, never by a guess."""

from __future__ import annotations

from decimal import Context, Decimal, InvalidOperation
from typing import NamedTuple

# The names of scikit-learn, Keras and Lightning for what predictions can give.
_MEASURES = {
    "accuracy": ("acc", "accuracy_score", "binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy"),
    "error_rate": (),
    "auc": ("auroc", "roc_auc", "roc_auc_score"),
    "log_loss": ("logloss",),
    "brier": ("brier_score", "brier_score_loss"),
    "mse": ("mean_squared_error",),
    "mae": ("mean_absolute_error",),
    "rmse": ("root_mean_squared_error",),
    "r2": ("r2_score",),
    "f1": ("f1_score",),
    "precision": ("precision_score",),
    "recall": ("recall_score",),
    "balanced_accuracy": ("balanced_accuracy_score",),
}
_BY_NAME = {name: measure for measure, others in _MEASURES.items() for name in (measure, *others)}
_PARTS = ("train_", "val_", "valid_", "test_", "eval_")  # what it was measured on
_MEANS = {f"{mean}{rest}": mean for mean in ("macro", "micro", "weighted") for rest in ("", "_avg", "_average")}

_MOST_EXPONENT = 400
_EXACT = Context(prec=1_100)


class Meaning(NamedTuple):
    """A measure ("": unknown), the mean over labels that the name says ("" for none), and what may be a label.

    `labels`: what stands before the measure, the longest first: of `test.1.0.f1` it is `test.1.0`, `1.0` and `0`.
    """

    measure: str
    mean: str = ""
    labels: tuple[str, ...] = ()


def meaning(metric: str) -> Meaning:
    """What the metric's name says: its last part between dots and slashes, such as val/accuracy or f1_macro."""
    starts = [0, *(at + 1 for at, sign in enumerate(metric) if sign in "./")]
    labels = tuple(metric[start : starts[-1] - 1] for start in starts[:-1])
    mean = _MEANS.get(_plain(labels[-1]), "") if labels else ""
    name = _plain(metric[starts[-1] :])
    for part in _PARTS:
        name = name.removeprefix(part)
    for said, one in _MEANS.items():
        if name.endswith(f"_{said}"):
            mean, name = one, name.removesuffix(f"_{said}")
        elif name.startswith(f"{said}_"):
            mean, name = one, name.removeprefix(f"{said}_")
    return Meaning(_BY_NAME.get(name, ""), mean, labels)


def _plain(text: str) -> str:
    return text.strip().lower().replace("-", "_").replace(" ", "_")


def canonical(text: str) -> str:
    """The label, or id, that TEXT means: numbers that are equal are equal, however they are written; else TEXT."""
    text = text.strip()
    if text.isdigit() and text.isascii() and (text[0] != "0" or text == "0"):
        return text  # nearly always
    if not text or text[-1] not in "0123456789." or not text.isascii() or "_" in text:
        return text
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    if not number.is_finite() or abs(number.adjusted()) > _MOST_EXPONENT:
        return text
    found = format(number.normalize(_EXACT), "f")
    return "0" if found == "-0" else found
