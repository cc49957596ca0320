"""Facts by oid: read once, kept for bytes that have that oid alone."""

from __future__ import annotations

import json
import math
import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from modelvc.errors import FileChanged
from modelvc.formats.limits import MIB
from modelvc.ids import ObjectName, Oid
from modelvc.modelfiles.facts import READER, Field, Finding, Import, ModelFacts, Severity, Tensor, Use
from modelvc.modelfiles.source import OutOfTime, Source, Unreadable
from modelvc.models.inside import facts, facts_cache
from modelvc.ops.tracking.add import add
from modelvc.repo import Repo, open_repo
from tests.support.clone import Clone
from tests.support.reading import using

if TYPE_CHECKING:
    from pathlib import Path

OID, OTHER = Oid(bytes(range(32))), Oid(bytes(32))
FULL = ModelFacts(
    "pickle",
    framework="scikit-learn",
    version="1.9.1",
    class_name="a.B",
    hyper_parameters=(("depth", 3), ("rate", 0.5), ("warm", False), ("name", "\u00fc\ud800")),
    figures=(("nodes", 0), ("loss", math.inf)),
    inputs=(Field("x", "float32", (-1, 3)), Field("y")),
    outputs=(Field("z", "int64"),),
    parameters=0,
    tensors=(Tensor("w", "float32", (2, 3), 8, 32, "a.safetensors"), Tensor("s", "int8", ())),
    imports=(Import("a.B", Use.CONSTRUCTED), Import("numpy.dtype", Use.REFERRED)),
    findings=(Finding(Severity.CODE, "TorchScript"), Finding(Severity.KNOWN_BAD, "calls os.system")),
    notes=("one", "two"),
    content="ab" * 32,
    unreadable="it ends too early",
)


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    clone = Clone.new(tmp_path / "clone", mvc=False)
    (clone.path / ".git/mvc").mkdir()
    clone.write("model.bin", b"MODEL one")
    time.sleep(0.05)
    found = open_repo(str(clone.path), {})
    add(found, ["model.bin"])
    facts_cache.tidy(found, lambda _: False)
    return found


def name_of(repo: Repo) -> ObjectName:
    pointer = repo.pointer(repo.path("model.bin"))
    return ObjectName(pointer.kind, pointer.oid)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What a reader of files that begin with MODEL was given."""
    found: list[bytes] = []

    def reader(source: Source, budget: object) -> ModelFacts:
        found.append(source.read_at(0, source.size))
        return ModelFacts("model", figures=(("size", source.size),))

    using(monkeypatch, reader)
    return found


# -- the cache


@pytest.mark.parametrize("one", [FULL, ModelFacts("unknown"), ModelFacts("npy", parameters=None)])
def test_facts_come_back(repo: Repo, one: ModelFacts) -> None:
    assert facts_cache.load(repo, OID) is None
    facts_cache.save(repo, OID, one)
    assert facts_cache.load(repo, OID) == one
    assert facts_cache.load(repo, OTHER) is None


def edited(value: Any, paths: list[Any]) -> list[bytes]:
    """VALUE as JSON, each time with another part of it gone or of another kind."""
    found = []
    for path in paths:
        for new in (None, 7, "x", [], {}, True, [1, 2, 3, 4, 5, 6, 7], 1.5):
            copy = json.loads(json.dumps(value))
            at = copy
            for key in path[:-1]:
                at = at[key]
            if type(at[path[-1]]) is not type(new):
                at[path[-1]] = new
                found.append(json.dumps(copy).encode() + b"\n")
    return found


def test_a_file_that_breaks_a_rule_counts_as_missing() -> None:
    good = facts_cache.encode(FULL, OID)
    assert facts_cache.decode(good, OID) == FULL
    value = json.loads(good)
    lists = [[key, 0] for key, one in value.items() if isinstance(one, list) and key != "notes"]
    inner = [["tensors", 0, at] for at in range(6)] + [["imports", 0, 0], ["imports", 0, 1], ["findings", 0, 0]]
    bad = edited(value, [[key] for key in value if key != "parameters"] + lists + inner)
    bad += [good[:-1], good[:-2], b"[]\n", b"{}\n", b"", b"[" * 100_000, b"\xff\n", bytes(len(good))]
    bad.append(json.dumps(value | {"later": 1}).encode() + b"\n")
    bad.append(json.dumps(value | {"oid": str(OTHER)}).encode() + b"\n")
    bad.append(json.dumps(value | {"parameters": "1"}).encode() + b"\n")
    for data in bad:
        with pytest.raises((ValueError, RecursionError)):
            facts_cache.decode(data, OID)


def test_a_torn_file_is_read_anew(repo: Repo, read: list[bytes]) -> None:
    name = name_of(repo)
    facts.facts_of(repo, name)
    with open(facts_cache.path_of(repo, name.oid), "r+b") as file:
        file.truncate(20)
    assert facts.facts_of(repo, name) is not None
    assert len(read) == 2


def test_facts_of_another_version_are_not_taken(repo: Repo) -> None:
    facts_cache.save(repo, OID, FULL)
    os.rename(facts_cache.path_of(repo, OID), facts_cache.path_of(repo, OTHER))
    assert facts_cache.load(repo, OTHER) is None


def test_facts_above_the_limit_are_neither_kept_nor_read(repo: Repo) -> None:
    facts_cache.save(repo, OID, ModelFacts("x", notes=("n" * 8 * MIB,)))
    assert not os.path.exists(facts_cache.path_of(repo, OID))
    facts_cache.save(repo, OID, ModelFacts("x"))
    with open(facts_cache.path_of(repo, OID), "ab") as file:
        file.write(b" " * 8 * MIB + b"\n")
    assert facts_cache.load(repo, OID) is None


def test_a_disk_that_refuses_is_ignored(repo: Repo) -> None:
    with open(os.path.join(repo.layout.mvc_dir, "facts"), "wb"):
        pass
    facts_cache.save(repo, OID, FULL)
    assert facts_cache.load(repo, OID) is None


def test_tidy(repo: Repo) -> None:
    for oid in (OID, OTHER):
        facts_cache.save(repo, oid, FULL)
    old = facts_cache.path_of(repo, OID).replace(f"/facts/{READER}/", "/facts/0/")
    os.makedirs(os.path.dirname(old))
    with open(old, "wb"), open(os.path.join(repo.layout.mvc_dir, "facts/strange"), "wb"):
        pass
    facts_cache.tidy(repo, lambda oid: oid == OID)
    left = [os.path.join(top, name) for top, _, names in os.walk(repo.layout.mvc_dir + "/facts") for name in names]
    assert left == [facts_cache.path_of(repo, OID), repo.layout.mvc_dir + "/facts/strange"][:1]
    assert os.listdir(repo.layout.mvc_dir + "/facts") == [str(READER)]


# -- facts of a version


@pytest.mark.parametrize("path", ["", "model.bin"])
def test_a_version_is_read_once(repo: Repo, read: list[bytes], path: str) -> None:
    name = name_of(repo)
    first = facts.facts_of(repo, name, path=path)
    assert first == facts.facts_of(repo, name, path=path) == ModelFacts("model", figures=(("size", 9),))
    assert read == [b"MODEL one"]


def test_a_version_that_is_not_here(repo: Repo, read: list[bytes]) -> None:
    assert facts.facts_of(repo, ObjectName("file", OID), path="model.bin") is None


def test_a_file_that_changes_while_it_is_read(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its facts are not kept; those of the stored bytes are."""
    name = name_of(repo)
    read = []

    def reader(source: Source, budget: object) -> ModelFacts:
        read.append(source.read_at(0, 9))
        with open(os.path.join(repo.layout.worktree, "model.bin"), "wb") as file:
            file.write(b"MODEL two")
        return ModelFacts("model", notes=(f"read {len(read)}",))

    using(monkeypatch, reader)
    assert facts.facts_of(repo, name, path="model.bin") == ModelFacts("model", notes=("read 2",))
    assert facts_cache.load(repo, name.oid) == ModelFacts("model", notes=("read 2",))
    os.unlink(repo.store.root_path("file", name.oid))
    facts_cache.tidy(repo, lambda _: False)
    assert facts.facts_of(repo, name, path="model.bin") is None


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Unreadable("it ends too early"), "it ends too early"),
        (OutOfTime("too slow"), "too slow"),
        (KeyError("x"), "its reader failed (KeyError)"),
        (RecursionError(), "its reader failed (RecursionError)"),
    ],
)
def test_a_file_that_is_not_read_to_its_end(
    repo: Repo, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    """It is unreadable, and nothing is kept: another release may read it."""

    def reader(source: Source, budget: object) -> ModelFacts:
        raise error

    using(monkeypatch, reader)
    found = facts.facts_of(repo, name_of(repo))
    assert found is not None
    assert found.unreadable == words
    assert facts_cache.load(repo, name_of(repo).oid) is None
    if isinstance(error, OutOfTime):
        with pytest.raises(OutOfTime):
            facts.inspected(repo, name_of(repo))


def test_a_damaged_object_is_an_error_of_the_store(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    def reader(source: Source, budget: object) -> ModelFacts:
        raise FileChanged("model.bin")

    using(monkeypatch, reader)
    with pytest.raises(FileChanged):
        facts.facts_of(repo, name_of(repo))
