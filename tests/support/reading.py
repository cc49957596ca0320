"""A reader of model files for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelvc.modelfiles import inspect
from modelvc.modelfiles.inspect import Format

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from modelvc.modelfiles.facts import ModelFacts
    from modelvc.modelfiles.source import Budget, Source


def using(monkeypatch: pytest.MonkeyPatch, reader: Callable[[Source, Budget], ModelFacts]) -> None:
    """Let READER alone read files, those that begin with MODEL."""
    monkeypatch.setattr(inspect, "FORMATS", (Format("model", lambda head: head.startswith(b"MODEL"), "facts", "x"),))
    monkeypatch.setattr(inspect, "import_module", lambda name: type("Module", (), {"x": staticmethod(reader)}))
