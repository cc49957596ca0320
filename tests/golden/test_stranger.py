"""A reader that was written from docs/format.md alone reads golden repositories, and one that this version writes."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from blake3 import blake3

from tests.golden.test_repositories import NAMES, cloned, unpacked
from tests.support import stranger_model
from tests.support.clone import Clone
from tests.support.stranger import Stranger

LINES = Path(__file__).parents[1] / "support/stranger.py"


def pointers(clone: Clone) -> dict[str, bytes]:
    """The pointers of the last commit, by model."""
    names = clone.git("ls-tree", "-r", "-z", "--name-only", "HEAD").split("\0")
    return {
        name.removesuffix(".mvc"): clone.git("cat-file", "blob", f"HEAD:{name}").encode()
        for name in names
        if name.endswith(".mvc") and not name.startswith(".mvc/")
    }


@pytest.mark.parametrize("name", NAMES)
def test_golden_repositories(name: str, tmp_path: Path) -> None:
    folder = unpacked(name, tmp_path)
    clone = cloned(folder, store=True)
    clone.mvc("checkout")
    stores = [Stranger(folder / "mvc/store"), *([Stranger(folder / "remote")] if (folder / "remote").exists() else [])]
    for model, pointer in pointers(clone).items():
        for store in stores:
            if not [*store.store.glob(f"?/*/{json.loads(pointer.split(b'oid = ')[1].split()[0])[7:]}")]:
                continue
            for inside, (_, content) in store.read(pointer).items():
                assert clone.read(f"{model}/{inside}" if inside else model) == content


@pytest.mark.parametrize("name", NAMES)
def test_what_golden_pointers_say_of_their_models(name: str, tmp_path: Path) -> None:
    """Those of releases before say nothing; this release says the same as the pointer, and as the bytes."""
    clone = cloned(unpacked(name, tmp_path), store=True)
    said = {model: stranger_model.read(pointer) for model, pointer in pointers(clone).items()}
    assert bool(said["weights.safetensors"]) == (name == "v1-inside")
    assert {model for model, found in said.items() if found} <= {"weights.safetensors", "records"}
    inside = clone.json("show", "weights.safetensors")["inside"]
    assert (inside["known_from"], inside["format"], inside["tensor_count"]) == ("bytes", "safetensors", 3)
    for key, value in said["weights.safetensors"].items():
        assert inside[{"tensors": "tensor_count", "of": "content"}.get(key, key)] == value


def test_what_this_version_writes(tmp_path: Path) -> None:
    clone = Clone.new(tmp_path / "clone")
    clone.mvc("remote", "add", "origin", str(tmp_path / "far"))
    chance = random.Random(4)
    written = {
        "zeros.bin": bytes(3_000_000),
        "noise.bin": chance.randbytes(3_000_000),
        "empty.bin": b"",
        **{f"folder/{n % 5}/{n}.bin": chance.randbytes(chance.randrange(20_000)) for n in range(300)},
        "folder/ü": b"x" * 70_000,
    }
    for name, content in written.items():
        clone.write(name, content)
    (clone.path / "folder/ü").chmod(0o755)
    clone.mvc("add", "zeros.bin", "noise.bin", "empty.bin", "folder")
    clone.git("commit", "-qm", "models")
    clone.mvc("push")
    for store in (Stranger(clone.path / ".git/mvc/store"), Stranger(tmp_path / "far")):
        found = {
            f"{model}/{inside}" if inside else model: one
            for model, pointer in pointers(clone).items()
            for inside, one in store.read(pointer).items()
        }
        assert {name: blake3(content).digest() for name, (_, content) in found.items()} == {
            name: blake3(content).digest() for name, content in written.items()
        }
        assert [name for name, (runs, _) in found.items() if runs] == ["folder/ü"]


def test_it_is_short() -> None:
    """A format whose reader takes more than 150 lines is not as simple as its page says."""
    assert len(LINES.read_text().splitlines()) <= 150
