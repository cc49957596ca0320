"""The probe against servers that accept a condition and do not keep it."""

from __future__ import annotations

import itertools
import uuid
from typing import TYPE_CHECKING

import pytest

from modelvc.errors import RemoteDenied
from modelvc.store.backends.memory import MemoryBackend
from modelvc.store.backends.probe import Probe, measure_server, probe

if TYPE_CHECKING:
    from modelvc.store.backends.api import Capabilities, Data, Entry


class Careless(MemoryBackend):
    """Keeps only the conditions it is told to keep."""

    def __init__(self, kept: frozenset[str]) -> None:
        super().__init__(uuid.uuid4().hex)
        self.kept = kept

    def create(self, key: str, data: Data) -> Entry:
        return super().create(key, data) if "create" in self.kept else self.put(key, data)

    def replace(self, key: str, data: Data, etag: str) -> Entry:
        return super().replace(key, data, etag) if "replace" in self.kept else self.put(key, data)

    def delete(self, key: str, etag: str | None) -> None:
        super().delete(key, etag if "delete" in self.kept else None)


SUBSETS = [frozenset(some) for n in range(4) for some in itertools.combinations(("create", "replace", "delete"), n)]


@pytest.mark.parametrize("kept", SUBSETS, ids=lambda some: "+".join(sorted(some)) or "none")
def test_each_condition_is_measured(kept: frozenset[str]):
    backend = Careless(kept)
    found = probe(backend)
    assert found == Probe("create" in kept, "replace" in kept, "delete" in kept)
    assert found.conditional == (len(kept) == 3)
    assert list(backend.list("")) == []


def test_a_remote_that_refuses_everything_is_no_finding(monkeypatch: pytest.MonkeyPatch):
    backend = Careless(frozenset())

    def refuse(*_: object) -> None:
        raise RemoteDenied("no")

    monkeypatch.setattr(backend, "create", refuse)
    with pytest.raises(RemoteDenied):
        probe(backend)


class Measured(Careless):
    """Its server can also be told less."""

    def __init__(self, kept: frozenset[str]) -> None:
        super().__init__(kept)
        self.relied: list[Capabilities] = []

    def server(self) -> str:
        return self.name

    def rely_on(self, capabilities: Capabilities) -> None:
        self.capabilities = capabilities
        self.relied.append(capabilities)


@pytest.mark.parametrize("kept", SUBSETS, ids=lambda some: "+".join(sorted(some)) or "none")
def test_a_condition_that_is_taken_and_ignored_is_not_relied_on(kept: frozenset[str]):
    """Only what writers use is measured: deletes are gc's, which measures them itself."""
    backend = Measured(kept)
    found = measure_server(backend)
    assert found.conditional == ({"create", "replace"} <= kept)
    assert found.checksums
    assert backend.capabilities == found
    assert list(backend.list("")) == []
