"""YAML: texts alone, and nothing that makes few bytes many values."""

from __future__ import annotations

import pytest

from modelvc.modelfiles.documents.yaml_text import read_yaml
from modelvc.modelfiles.source import Budget, Unreadable


def test_every_scalar_is_a_text() -> None:
    data = b"a: 1\nb: [true, null, '2026-01-01']\nc:\n  d: {}\n  e: ''\n"
    assert read_yaml(data, Budget(), "it") == {"a": "1", "b": ["true", "null", "2026-01-01"], "c": {"d": {}, "e": ""}}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"a: 1\na: 2\n", "it has a key twice"),
        (b"a: &x 1\n", "it has an alias"),
        (b"a: *x\n", "it has an alias"),
        (b"a: !!python/name:os.system x\n", "it has a tag"),
        (b"!!map {}\n", "it has a tag"),
        (b"? [a]\n: 1\n", "it has a key that is no text"),
        (b"? {a: b}\n: 1\n", "it has a key that is no text"),
        (b"a: [\n", "it is not valid YAML"),
        (b"a: \xff\n", "it is not valid YAML"),
        (b"a: \x07\n", "it is not valid YAML"),
        (b"", "it holds more or fewer documents than one"),
        (b"a: 1\n---\nb: 1\n", "it holds more or fewer documents than one"),
        (b"[" * 150 + b"]" * 150, "it is nested too deeply"),
        (b"[" * 100_000, "it is nested too deeply"),
        (b"a" * 200_000, "it is larger than 131,072 bytes"),
    ],
)
def test_anything_else_is_unreadable(data: bytes, why: str) -> None:
    with pytest.raises(Unreadable, match=f"^{why}$"):
        read_yaml(data, Budget(), "it")
