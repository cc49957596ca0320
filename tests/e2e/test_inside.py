"""What is inside a model: in its pointer, in `mvc show`, in Git's own diffs, and after all that moves versions."""

from __future__ import annotations

import shutil
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import stranger_model
from tests.support.clone import ROOT, Clone
from tests.support.models import safetensors

if TYPE_CHECKING:
    from pathlib import Path

SMALL, LARGE = safetensors({"a": [1, 2], "b": [3]}), safetensors({f"layer{at:02}": [0] * (at + 1) for at in range(12)})


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone.new(tmp_path / "clone")


def table(clone: Clone, name: str = "m.safetensors") -> dict[str, Any]:
    pointer = (clone.path / f"{name}.mvc").read_bytes()
    found = stranger_model.read(pointer)
    assert bool(found) == ("model" in tomllib.loads(pointer.decode()))
    return found


def add(clone: Clone, content: bytes, *words: str, name: str = "m.safetensors") -> Any:
    clone.write(name, content)
    (model,) = clone.json("add", name, *words)["models"]
    clone.git("commit", "-qm", "a version")
    return model


def test_the_pointer_says_what_the_version_is(clone: Clone) -> None:
    add(clone, SMALL, "-m", "acc=0.5")
    found = table(clone)
    assert found["content"] == found["of"]
    assert {key: found[key] for key in ("format", "framework", "parameters", "tensors")} == {
        "format": "safetensors",
        "framework": "torch",
        "parameters": 3,
        "tensors": 2,
    }
    add(clone, LARGE)
    assert table(clone)["tensors"] == 12
    for words in (["show"], ["log", "-p", "-1"], ["diff", "HEAD~1"]):
        shown = clone.git(*words)
        assert "-parameters 3\n-tensors 2\n+parameters 78\n+tensors 12\n" in shown, words
        assert " format safetensors\n framework torch\n" in shown


def test_bytes_of_no_known_format_have_no_description(clone: Clone) -> None:
    add(clone, SMALL)
    add(clone, b"not a tensor")
    assert table(clone) == {}
    add(clone, SMALL)
    assert table(clone)["tensors"] == 2
    add(clone, SMALL[:-1])
    assert table(clone) == {}, "it could not be read to its end"


def test_an_unchanged_model_keeps_its_pointer(clone: Clone) -> None:
    """Also the pointer of an earlier release, which says nothing of it."""
    add(clone, SMALL)
    pointer = clone.path / "m.safetensors.mvc"
    old = pointer.read_bytes().partition(b"\n[model]")[0]
    pointer.write_bytes(old)
    clone.git("commit", "-qam", "as an earlier release wrote it")
    assert clone.json("add", "m.safetensors")["models"][0]["change"] == "unchanged"
    (clone.path / "m.safetensors").touch()
    assert clone.json("add", "m.safetensors")["models"][0]["change"] == "unchanged"
    assert pointer.read_bytes() == old
    assert clone.json("show", "m.safetensors")["inside"]["known_from"] == "bytes"


def test_it_goes_with_the_version(clone: Clone) -> None:
    add(clone, SMALL, "-m", "acc=0.5")
    first = table(clone)
    clone.mvc("metrics", "set", "m.safetensors", "acc=0.75")
    assert table(clone) == first
    clone.git("commit", "-qam", "measured again")
    clone.mvc("mv", "m.safetensors", "models/n.safetensors")
    assert table(clone, "models/n.safetensors") == first
    clone.git("commit", "-qam", "moved")
    add(clone, LARGE, name="models/n.safetensors")
    assert table(clone, "models/n.safetensors") != first
    clone.mvc("rollback", "models/n.safetensors")
    assert table(clone, "models/n.safetensors") == first
    clone.git("commit", "-qam", "back")
    clone.mvc("checkout", "HEAD~1", "models/n.safetensors")
    assert table(clone, "models/n.safetensors")["tensors"] == 12


def test_a_conflict_takes_theirs_from_history(clone: Clone) -> None:
    add(clone, SMALL)
    clone.git("switch", "-q", "-c", "side")
    add(clone, LARGE)
    theirs = table(clone)
    clone.git("switch", "-q", "main")
    add(clone, safetensors({"c": [1]}))
    ours = table(clone)
    clone.git("merge", "-q", "side", code=1)
    assert table(clone) == ours
    assert "model" not in tomllib.loads((clone.path / "m.safetensors.mvc").read_text())["conflict"]
    clone.mvc("resolve", "m.safetensors", "--theirs")
    assert table(clone) == theirs


def test_adding_the_bytes_of_a_side_settles_a_conflict_with_its_description(clone: Clone) -> None:
    add(clone, SMALL)
    clone.git("switch", "-q", "-c", "side")
    add(clone, LARGE)
    theirs = table(clone)
    clone.git("switch", "-q", "main")
    add(clone, safetensors({"c": [1]}))
    clone.git("merge", "-q", "side", code=1)
    clone.write("m.safetensors", LARGE)
    clone.mvc("add", "m.safetensors")
    assert table(clone) == theirs


# -- mvc show


def test_show_says_what_is_inside(clone: Clone) -> None:
    add(clone, LARGE)
    out = clone.mvc("show", "m.safetensors").out
    assert "torch (safetensors)\n" in out
    assert "layer11" in out
    assert "layer01" not in out
    assert "and 2 more (--all)" in out
    everything = clone.mvc("show", "m.safetensors", "--all").out
    assert "layer00" in everything
    assert "more" not in everything
    found = clone.json("show", "HEAD:m.safetensors")["inside"]
    assert (found["known_from"], found["tensor_count"], found["parameters"]) == ("bytes", 12, 78)
    assert found["tensors"][0] == {"name": "layer11", "dtype": "float32", "shape": [12], "member": ""}
    assert found["content"] == table(clone)["of"]


def test_show_without_the_bytes(clone: Clone, tmp_path: Path) -> None:
    clone.mvc("remote", "add", "origin", str(tmp_path / "far"))
    clone.git("commit", "-qm", "remote")
    add(clone, SMALL)
    add(clone, LARGE)
    clone.mvc("push", "--all")
    other = Clone(tmp_path / "other")
    clone.git("clone", "-q", str(clone.path), str(other.path))
    found = other.json("show", "m.safetensors")["inside"]
    assert (found["known_from"], found["tensor_count"], found["tensors"]) == ("pointer", 12, [])
    out = other.mvc("show", "m.safetensors").out
    assert "(as its pointer says)" in out
    assert "its bytes are not in this clone: mvc fetch m.safetensors" in out
    other.mvc("install")
    other.mvc("checkout")
    assert other.json("show", "m.safetensors")["inside"]["known_from"] == "bytes"
    assert other.json("show", "HEAD~1:m.safetensors")["inside"]["known_from"] == "pointer"
    other.mvc("fetch", "--all")
    assert other.json("show", "HEAD~1:m.safetensors")["inside"]["tensors"][0]["name"] == "a"


def test_show_does_not_believe_a_pointer_that_it_can_check(clone: Clone) -> None:
    add(clone, SMALL)
    pointer = clone.path / "m.safetensors.mvc"
    pointer.write_text(pointer.read_text().replace("tensors = 2", "tensors = 9"))
    assert clone.json("show", "m.safetensors")["inside"]["tensor_count"] == 2
    assert clone.mvc("status", "--exit-code").code == 0


@pytest.mark.parametrize("content", [b"plain", SMALL[:-1]])
def test_show_of_what_is_not_understood(clone: Clone, content: bytes) -> None:
    add(clone, content)
    found = clone.json("show", "m.safetensors")["inside"]
    assert found["format"] == ("unknown" if content == b"plain" else "safetensors")
    assert bool(found["unreadable"]) == (content != b"plain")
    assert ("unreadable" in clone.mvc("show", "m.safetensors").out) == (content != b"plain")


def test_facts_of_what_gc_deletes_go_with_it(clone: Clone) -> None:
    add(clone, SMALL)
    kept = {path.name for path in clone.path.glob(".git/mvc/facts/*/*/*")}
    clone.write("scratch.safetensors", LARGE)
    clone.mvc("add", "scratch.safetensors")
    clone.git("rm", "-qf", "--cached", "scratch.safetensors.mvc")
    (clone.path / "scratch.safetensors.mvc").unlink()
    (clone.path / "scratch.safetensors").unlink()
    assert len([*clone.path.glob(".git/mvc/facts/*/*/*")]) == 2
    clone.let_go()
    assert {path.name for path in clone.path.glob(".git/mvc/facts/*/*/*")} == kept


# -- models that real libraries wrote

MODELS = ROOT / "tests/fixtures/models/inside"


def fixture(name: str) -> bytes:
    return (MODELS / name).read_bytes()


def test_a_model_that_was_saved_again(clone: Clone) -> None:
    for kind, name in (("torch/state-dict", "m.pt"), ("skops/random-forest", "m.skops")):
        suffix = name.removeprefix("m")
        add(clone, fixture(f"{kind}{suffix}"), name=name)
        clone.write(name, fixture(f"{kind}-again{suffix}"))
        assert f"  {name}  (bytes changed, content the same)\n" in clone.mvc("status").out
        done = add(clone, fixture(f"{kind}-again{suffix}"), name=name)
        assert done["same_content"]
        assert "bytes changed, content the same" in done["note"]
    done = add(clone, fixture("torch/bfloat16.pt"), name="m.pt")
    assert not done["same_content"]


def test_the_hyper_parameters_of_a_model_are_its_parameters(clone: Clone) -> None:
    add(clone, fixture("pairs/forest-old.pkl"), "--params", "auto", name="m.pkl")
    pointer = tomllib.loads((clone.path / "m.pkl.mvc").read_text())
    inside = clone.json("show", "m.pkl")["inside"]
    assert pointer["params"] == inside["hyper_parameters"]
    assert pointer["params"]["n_estimators"] == inside["figures"]["trees"]
    assert (pointer["model"]["framework"], pointer["model"]["class"]) == ("scikit-learn", "RandomForestClassifier")
    assert "sklearn.ensemble._forest.RandomForestClassifier" in pointer["model"]["imports"]
    assert {one["name"] for one in inside["imports"]} == set(pointer["model"]["imports"])


@pytest.mark.parametrize("name", ["huggingface/sharded", "mlflow/forest"])
def test_a_folder_is_one_model(clone: Clone, name: str) -> None:
    shutil.copytree(MODELS / name, clone.path / "m")
    clone.mvc("add", "m")
    clone.git("commit", "-qm", "a folder")
    found = clone.json("show", "m")["inside"]
    pointer = tomllib.loads((clone.path / "m.mvc").read_text())
    assert (found["format"], found["parameters"]) == (pointer["model"]["format"], pointer["model"].get("parameters"))
    assert found["format"] == name.partition("/")[0]
    assert all(one["member"] for one in found["tensors"])
    shutil.rmtree(clone.path / "m")
    shutil.rmtree(clone.path / ".git/mvc/facts")
    assert clone.json("show", "m")["inside"] == found, "from the store"
    clone.mvc("checkout", "m")
    shutil.rmtree(clone.path / ".git/mvc/facts")
    assert clone.json("show", "m")["inside"] == found, "from the worktree"


def test_a_program_in_a_model_is_named(clone: Clone) -> None:
    add(clone, fixture("torch/script.pt"), name="m.pt")
    assert "TorchScript" in tomllib.loads((clone.path / "m.pt.mvc").read_text())["model"]["code"][0]
    assert "TorchScript" in clone.git("show")
    assert "findings" in clone.mvc("show", "m.pt").out
