"""A reader of the table `[model]` of a pointer, written from docs/format.md alone."""

from __future__ import annotations

import tomllib
from typing import Any

KEYS = "of format framework version class parameters tensors content imports import_count import_digest code"


def read(pointer: bytes) -> dict[str, Any]:
    """What a version is; {} if its pointer does not say it."""
    said = tomllib.loads(pointer.decode())
    model = said.get("model", {})
    if model.get("of") != said["oid"] or not set(model) <= set(KEYS.split()):
        return {}
    names = model.get("imports", [])
    assert names == sorted(set(names))
    assert sum(len(name.encode()) + 1 for name in names) <= 8192
    assert [key for key in KEYS.split() if key in model] == list(model)
    return {"content": said["oid"], **model}
