"""`mvc diff` says what changed inside of models, without loading any."""

from __future__ import annotations

import json
import shutil
import struct
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from modelvc.formats.pointer.model_table import ModelTable
from modelvc.formats.pointer.pointer import parse
from tests.support.clone import ROOT, Clone

if TYPE_CHECKING:
    from pathlib import Path

PAIRS = ROOT / "tests/fixtures/models/inside/pairs"


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone.new(tmp_path / "project")


def versions(clone: Clone, name: str, old: str, new: str, *metrics: str) -> None:
    """Add and commit OLD, then put NEW in its place."""
    shutil.copy(PAIRS / old, clone.path / name)
    clone.mvc("add", name, *metrics)
    clone.git("commit", "-qm", "old")
    shutil.copy(PAIRS / new, clone.path / name)


def block(clone: Clone, *words: str) -> list[str]:
    """The lines behind the table of models."""
    return clone.mvc("diff", *words).out.partition("\n\n")[2].splitlines()


def test_a_forest(clone: Clone) -> None:
    versions(clone, "churn.pkl", "forest-old.pkl", "forest-new.pkl", "-m", "test.auc=0.912")
    before = block(clone)
    assert before[0] == "churn.pkl   scikit-learn RandomForestClassifier   1.9.1"
    clone.write(".mvc/policy.toml", b'[[metric]]\nname = "test.auc"\ndirection = "higher"\n')
    clone.mvc("add", "churn.pkl", "-m", "test.auc=0.915")
    lines = block(clone)
    assert lines[: len(before)] == before  # the same before and after it is added
    found = [" ".join(line.split()) for line in lines]
    for line in (
        "n_estimators 8 -> 10",
        "max_depth 4 (unchanged)",
        "nodes 132 -> 148 (+12 %)",
        "imports 8, none new",
        "test.auc 0.912 -> 0.915 ↑ better",
    ):
        assert line in found
    assert not any("metric" in line for line in lines), "the block has the metrics"
    clone.mvc("diff", "--exit-code", code=1)


def test_retrained_weights(clone: Clone) -> None:
    versions(clone, "net.safetensors", "retrained-old.safetensors", "retrained-new.safetensors")
    assert block(clone) == [
        "net.safetensors   torch",
        "  parameters   12,874 -> 12,972 (+0.76 %)",
        "  tensors      9: 5 changed, 2 of another shape or type, 1 renamed, 1 same",
        "  tensor                values changed  largest  rel. norm    cosine",
        "  layer.0.value.weight  all 2,304       0.00415     0.0501  0.998746",
        "  layer.0.query.weight  all 2,304       0.00368       0.05  0.998754",
        "  layer.1.value.weight  all 2,304       0.00328     0.0498  0.998759",
        "  layer.1.query.weight  all 2,304        0.0038     0.0495  0.998779",
        "  layer.0.norm.weight   all 48          0.00289     0.0011  0.999999",
        "  reshaped  head.bias  float32 [10] -> float32 [12]",
        "  reshaped  head.weight  float32 [10, 48] -> float32 [12, 48]",
        "  renamed  layer.1.norm.weight -> layer.1.scale.weight",
    ]


def test_a_merged_adapter_shows_which_layers_it_changed(clone: Clone) -> None:
    versions(clone, "llm.safetensors", "lora-base.safetensors", "lora-merged.safetensors")
    lines = block(clone)
    assert lines[2] == "  tensors      9: 2 changed, 7 same"
    assert [line.split()[0] for line in lines[4:]] == ["layer.0.query.weight", "layer.1.query.weight"]
    clone.mvc("add", "llm.safetensors")
    clone.git("commit", "-qm", "new")
    assert block(clone, "HEAD~1", "HEAD") == lines
    markdown = clone.mvc("diff", "--md", "HEAD~1", "HEAD").out
    assert (
        "| llm.safetensors   torch | old | new |  |\n|---|---|---|---|\n| parameters |  | 12,874 | (unchanged) |\n"
        in markdown
    )
    assert "| layer.0.query.weight | all 2,304 |" in markdown
    [found] = clone.json("diff", "HEAD~1", "HEAD")["models"]
    tensors = found["inside"]["tensors"]
    assert (tensors["count"], tensors["same"], tensors["unread"]) == (9, 7, "")
    assert tensors["rows"][0]["numbers"]["changed"] == 2_304
    assert clone.json("diff", "--deep", "HEAD~1", "HEAD")["models"][0]["inside"] == found["inside"]


def test_without_the_bytes_what_the_pointers_say(clone: Clone) -> None:
    versions(clone, "m.pkl", "forest-old.pkl", "forest-new.pkl")
    clone.mvc("add", "m.pkl")
    told = {"8a": ("1.8.0", 12, ("a.b",)), "9a": ("1.9.1", 15, ("a.b", "os.system"))}
    texts = [clone.git("show", "HEAD:m.pkl.mvc"), clone.read("m.pkl.mvc").decode()]
    for text, (version, parameters, imports) in zip(texts, told.values(), strict=True):
        pointer = parse(text.encode())
        inside = ModelTable(
            pointer.oid, "pickle", "scikit-learn", version, "Forest", parameters=parameters, imports=imports
        )
        clone.write("m.pkl.mvc", replace(pointer, model=inside).encode())
        clone.git("add", "-f", "m.pkl.mvc")
        clone.git("commit", "-qm", version)
    shutil.rmtree(clone.path / ".git/mvc/store")
    shutil.rmtree(clone.path / ".git/mvc/facts", ignore_errors=True)
    oids = [parse(text.encode()).oid.short for text in texts]
    assert block(clone, "HEAD~1", "HEAD") == [
        "m.pkl   scikit-learn Forest   1.8.0 -> 1.9.1",
        "  parameters   12 -> 15 (+25 %)",
        "  imports      2: 1 new",
        "  new import   os.system",
        f"  the bytes of {oids[0]} and {oids[1]} are not in this clone, so this is what",
        "  the pointers say; mvc fetch brings the bytes",
    ]


def test_a_damaged_file_and_one_of_no_format(clone: Clone) -> None:
    versions(clone, "m.pkl", "forest-old.pkl", "forest-new.pkl")
    clone.write("m.pkl", clone.read("m.pkl")[:5_000])
    assert any(line.startswith("  not read") and "the new version: " in line for line in block(clone))
    clone.write("a.bin", 1)
    clone.mvc("add", "a.bin")
    clone.git("commit", "-qm", "a")
    clone.write("a.bin", 2)
    assert block(clone, "HEAD", "a.bin") == []
    assert clone.json("diff", "HEAD", "a.bin")["models"][0]["inside"] is None


def test_names_from_a_file_are_inert(clone: Clone) -> None:
    header = b'{"\\u001b[31mred\\n":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    data = len(header).to_bytes(8, "little") + header
    clone.write("m.safetensors", data + bytes(4))
    clone.mvc("add", "m.safetensors")
    clone.git("commit", "-qm", "old")
    clone.write("m.safetensors", data + b"\0\0\x80\x3f")
    out = clone.mvc("diff").out
    assert "red" in out
    assert "\x1b" not in out


def test_the_shards_of_a_folder_are_one_model(clone: Clone) -> None:
    folder = clone.path / "llm"
    folder.mkdir()
    (folder / "config.json").write_text('{"architectures": ["Tiny"], "model_type": "tiny", "hidden_size": 2}')
    (folder / "1.safetensors").write_bytes(weights(a=[1, 2], b=[3, 4], c=[5, 6]))
    (folder / "2.safetensors").write_bytes(weights(d=[7, 8]))
    clone.mvc("add", "llm")
    clone.git("commit", "-qm", "old")
    (folder / "1.safetensors").write_bytes(weights(a=[1, 2], c=[5, 9]))
    (folder / "2.safetensors").write_bytes(weights(b=[3, 4], d=[7, 8]))
    lines = [" ".join(line.split()) for line in block(clone)]
    assert lines[0].startswith("llm transformers Tiny")
    assert "tensors 4: 1 changed, 3 same" in lines
    assert any(line.startswith("c 1 of 2 3 0.384 0.98244") for line in lines)


def weights(**tensors: list[float]) -> bytes:
    """A safetensors file."""
    header, data = {}, b""
    for name, values in tensors.items():
        packed = struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": [len(values)], "data_offsets": [len(data), len(data) + len(packed)]}
        data += packed
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data
