"""What Ctrl-C does to a file system of fsspec. What all backends do: tests/contracts."""

from __future__ import annotations

from pathlib import Path

import pytest
from fsspec.implementations.local import LocalFileSystem

from modelvc.errors import RemoteError
from modelvc.store.backends.generic import GenericBackend

ROOT = "b/cd/" + "cd" * 32


class Interrupted(LocalFileSystem):
    def info(self, path: str, **_: object) -> dict[str, object]:
        raise KeyboardInterrupt


def test_ctrl_c_is_no_error_of_the_remote(tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    backend = GenericBackend("test://store", store, lambda: Interrupted(skip_instance_cache=True), atomic=False)
    with pytest.raises(KeyboardInterrupt):
        backend.stat([ROOT])


def test_a_connection_that_comes_after_ctrl_c_is_not_used(tmp_path: Path) -> None:
    def connect() -> LocalFileSystem:
        backend.abort()
        return LocalFileSystem(skip_instance_cache=True)

    backend = GenericBackend("test://store", str(tmp_path / "store"), connect, atomic=False)
    with pytest.raises(RemoteError, match="interrupted"):
        backend.put(ROOT, b"late")
    assert not list(tmp_path.iterdir())
