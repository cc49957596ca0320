"""Train a forest that reads handwritten digits. Writes model.pkl, and what there is to say about it into out/.

Used by docs/metrics.md. Everything is fixed but what the command line says: the same words give the same model.
"""

from __future__ import annotations

import argparse
import csv
import json
import pickle
from pathlib import Path

from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--trees", type=int, default=10)
    parser.add_argument("--depth", type=int, default=12)
    asked = parser.parse_args()
    images, labels = load_digits(return_X_y=True)
    train, test = train_test_split(range(len(labels)), test_size=600, random_state=1)
    model = RandomForestClassifier(asked.trees, max_depth=asked.depth, random_state=1).fit(images[train], labels[train])
    said = model.predict(images[test])
    metrics = {
        "test": {
            "accuracy": round(float(accuracy_score(labels[test], said)), 4),
            "log_loss": round(float(log_loss(labels[test], model.predict_proba(images[test]))), 4),
        },
        "trees": asked.trees,
    }
    out = Path("out")
    out.mkdir(exist_ok=True)
    (out / "metrics.json").write_text(json.dumps(metrics))
    (out / "params.yaml").write_text(f"trees: {asked.trees}\ndepth: {asked.depth}\nseed: 1\n")
    with (out / "preds.csv").open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["id", "y_true", "y_pred"])
        table.writerows(zip(test, labels[test], said, strict=True))
    Path("model.pkl").write_bytes(pickle.dumps(model))


if __name__ == "__main__":
    main()
