"""Which measure a metric's name means, and which spellings are one label. Tables decide; nothing is guessed."""

from __future__ import annotations

from decimal import Context, Decimal, InvalidOperation
from typing import NamedTuple

# The measures that predictions can give, and the names that scikit-learn, Keras and Lightning have for each.
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
_PARTS = ("train_", "val_", "valid_", "test_", "eval_")  # the part of the data that was measured
_MEANS = {f"{mean}{rest}": mean for mean in ("macro", "micro", "weighted") for rest in ("", "_avg", "_average")}

_MOST_EXPONENT = 400  # a number with a larger one is compared as text: written out, it would be as long
_EXACT = Context(prec=1_100)  # digits: more than a field of predictions has characters, so that nothing is rounded


class Meaning(NamedTuple):
    """The meaning of a metric's name.

    `measure`: "" for an unknown one. `mean`: the mean over labels that the name asks for; "" for none. `labels`: the
    texts before the measure that may be a label, the longest first; of `test.1.0.f1`: `test.1.0`, `1.0` and `0`.
    """

    measure: str
    mean: str = ""
    labels: tuple[str, ...] = ()


def meaning(metric: str) -> Meaning:
    """The meaning of the name METRIC. The measure is its last part between dots and slashes: val/accuracy, f1_macro."""
    starts = [0, *(at + 1 for at, character in enumerate(metric) if character in "./")]
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
    """The one spelling of the label or id TEXT: numbers that are equal get one text; other texts stay as they are."""
    text = text.strip()
    if text.isdigit() and text.isascii() and (text[0] != "0" or text == "0"):
        return text  # the usual case
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
