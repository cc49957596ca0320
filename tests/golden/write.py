"""Write a golden repository: one of everything that this version of mvc stores, for all later versions to read.

`python -m tests.golden.write NAME` makes tests/golden/NAME.tar.gz and NAME.json beside it. A name is written once, by
the version that first stores something in a new way; what is there never changes (tests/golden/test_repositories.py).
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from array import array
from dataclasses import replace
from pathlib import Path
from typing import Any

from blake3 import blake3

from modelvc import __version__
from modelvc.formats.binary import segment
from modelvc.formats.binary.root import Root
from modelvc.formats.binary.segment import Placement, Recipe, Segment
from modelvc.ids import Oid
from modelvc.store.backends import RemoteOptions, open_backend
from modelvc.store.local.store import LocalStore
from modelvc.store.objects.manifest import PartSource
from modelvc.store.remote.store import RemoteStore
from tests.support.clone import Clone
from tests.support.notebooks import cell, notebook

HERE = Path(__file__).parent
REVS = ("first", "second", "side", "main")
CONFLICT = "conflict"
NOTEBOOK = "analysis.ipynb"
POLICY = b"""
[[model]]
model = "model.bin"
metrics = "out/metrics.json"
params = "out/params.yaml"
predictions = "out/preds.csv"

[[metric]]
name = "test.acc"
direction = "higher"
min = 0.5
max_drop = { abs = 0.05 }
"""
METRICS: dict[str, dict[str, Any]] = {
    "first": {"test.acc": 0.75, "loss": float("inf"), "kind": "linear", "good": True},
    "second": {"test.acc": 0.875, "loss": 0.1, "kind": "forest", "good": True},
    "side": {"test.acc": 0.5, "loss": 1e-300, "kind": "linear", "good": False},
    "main": {"test.acc": 0.9375, "loss": float("nan"), "kind": "forest", "good": True},
}


def noise(name: str, size: int) -> bytes:
    """Bytes that do not compress."""
    return blake3(name.encode()).digest(length=size)


def ran(text: str) -> bytes:
    """A notebook as a kernel leaves it."""
    output = {"output_type": "stream", "name": "stdout", "text": [f"{text} ran\n"]}
    return notebook(cell(text, "one", outputs=[output]), cell("1 + 1", "two"))


def measured(clone: Clone, rev: str) -> None:
    found = {"test": {"acc": METRICS[rev]["test.acc"]}, **{k: v for k, v in METRICS[rev].items() if k != "test.acc"}}
    clone.write("out/metrics.json", json.dumps(found).encode())
    clone.write("out/params.yaml", f"depth: {len(rev)}\nname: {rev}\nrate: 1e-3\n".encode())
    said = [f"{row},{row % 2},{(row + (row % len(rev) == 0)) % 2}" for row in range(40)]
    clone.write("out/preds.csv", "\n".join(["id,y_true,y_pred", *said, ""]).encode())


def safetensors(name: str) -> bytes:
    """A file that is cut where its tensors begin."""
    tensors, data = {}, b""
    for at in range(3):
        body = bytes(70_000) if at else noise(name, 2_000) + bytes(68_000)
        tensors[f"layer{at}"] = {
            "dtype": "U8",
            "shape": [len(body)],
            "data_offsets": [len(data), len(data) + len(body)],
        }
        data += body
    head = json.dumps(tensors).encode()
    return len(head).to_bytes(8, "little") + head + data


def history(clone: Clone, remote: Path) -> None:
    """Files, folders, trees that share files, metrics, a merge that nobody settled, a notebook."""
    clone.write(".mvc/policy.toml", POLICY)
    clone.write(NOTEBOOK, ran("a = 1"))
    clone.git("add", ".mvc/policy.toml", NOTEBOOK)
    clone.git("commit", "-qm", "policy and notebook")
    pattern = noise("pattern", 500) * 1_400  # several chunks, which compress
    for rev in ("first", "second", "side", "main"):
        if rev == "side":
            clone.git("switch", "-q", "-c", "side")
        if rev == "main":
            clone.git("switch", "-q", "main")
        clone.write("model.bin", pattern + noise(rev, 3_000))
        clone.write("weights.safetensors", safetensors("first" if rev == "first" else "later"))
        for at in range(12):
            clone.write(f"records/{at % 3}/{at}.bin", noise(f"{rev if at == 5 else ''}{at}", 300))
        clone.write("records/empty", b"")
        clone.write("records/run", b"#!/bin/sh\n")
        (clone.path / "records/run").chmod(0o755)
        measured(clone, rev)
        clone.mvc("add", "model.bin", "weights.safetensors", "records")
        clone.git("add", "-u")
        clone.git("commit", "-qm", f"{rev} version")
        if rev in {"first", "second"}:
            clone.git("tag", rev)
    clone.git("switch", "-q", "-c", CONFLICT)
    clone.git("merge", "-q", "side", code=1)
    clone.git("add", "-A")
    clone.git("commit", "-q", "--no-verify", "-m", "a merge that nobody settled")
    clone.git("switch", "-q", "-f", "main")
    clone.write(NOTEBOOK, ran("a = 1"))
    clone.git("add", NOTEBOOK)
    clone.mvc("remote", "add", "origin", str(remote))  # not committed: it is a path of this machine
    clone.mvc("push", "--all")


def collect(clone: Clone, remote: Path) -> None:
    """Versions go, by which a pack and a root are written anew; they come again, one of them in a salted pack."""
    commits = []
    clone.git("switch", "-q", "-c", "again")
    for name in ("stays", "shares", "alone"):
        clone.write(f"{name}.bin", noise(name, 20_000))
        clone.mvc("add", f"{name}.bin")
        clone.git("commit", "-qm", name)
        commits.append(clone.git("rev-parse", "HEAD").strip())
        if name != "stays":
            clone.mvc("push")  # the first two in one pack
    clone.git("switch", "-q", "main")
    clone.git("branch", "-qf", "again", commits[0])
    clone.git("reflog", "expire", "--expire=now", "--all")
    clone.mvc("gc", "--remote", "--apply", "--exclusive", "--grace", "0")
    clone.git("branch", "-qf", "again", commits[-1])
    for path in (remote / "gc/repositories").iterdir():
        path.unlink()  # a folder of this machine
    clone.git("remote", "add", "team", "https://git.example.org/team/models.git")
    clone.mvc("push", "again", "--", "alone.bin")
    clone.mvc("push", "again")


def auxiliaries(clone: Clone, remote: Path) -> None:
    """Every segment gets auxiliary records, which are no content: as a later version has them for bases of deltas."""
    near = LocalStore(str(clone.path / ".git/mvc/store"))
    for kind, oid in list(near.roots()):
        path = Path(near.root_path(kind, oid))
        path.write_bytes(aided(near.read_root(kind, oid), near).encode())
    far = RemoteStore(open_backend(str(remote), RemoteOptions()))
    for shard, kind in (("b", "file"), ("t", "tree")):
        for path in sorted((remote / shard).glob("*/*")):
            found = far.read_root(kind, Oid(bytes.fromhex(path.name)))
            assert found is not None
            path.write_bytes(aided(found[0], far).encode())


def aided(root: Root, source: PartSource) -> Root:
    """A root whose segments, from SOURCE, have auxiliary records."""
    parts = [replace(part, data=with_bases(source.read_part(root, part))) for part in root.segments]
    leaves = [
        replace(
            leaf,
            segments=tuple(replace(part, data=with_bases(source.read_part(root, part))) for part in leaf.segments),
        )
        for leaf in root.leaves
    ]
    return replace(root, segments=tuple(parts), leaves=tuple(leaves))


def with_bases(data: bytes) -> bytes:
    """A segment whose first and last record are auxiliary records as well."""
    found = segment.parse(data)
    recipe, placement = found.recipe, found.placement
    chosen = (0, len(recipe) - 1)
    cids = b"".join(recipe.cids[place * 32 : place * 32 + 32] for place in chosen)
    lengths = array("I", [recipe.lengths[place] for place in chosen])
    if placement:
        placement = Placement(
            placement.packs,
            placement.pack + array("I", [placement.pack[place] for place in chosen]),
            (*placement.stored, *(placement.stored[place] for place in chosen)),
        )
    recipe = Recipe(recipe.cids + cids, recipe.lengths + lengths, recipe.spans)
    return Segment(recipe, placement, len(chosen)).encode()


def digests(clone: Clone, rev: str) -> dict[str, str]:
    """What every file of REV's models is."""
    clone.git("checkout", "-q", "-f", rev)
    clone.mvc("checkout")
    files = [clone.path / "model.bin", clone.path / "weights.safetensors", *sorted((clone.path / "records").rglob("*"))]
    return {
        str(path.relative_to(clone.path)): blake3(path.read_bytes()).hexdigest() for path in files if path.is_file()
    }


def pack(members: list[tuple[str, Path]], out: Path) -> None:
    """A tar that holds files, each below its name, and nothing of this machine."""
    with tarfile.open(out, "w:gz", compresslevel=9) as tar:
        for name, root in members:
            for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
                if path.is_file():
                    info = tarfile.TarInfo(str(Path(name) / path.relative_to(root)) if root.is_dir() else name)
                    data = path.read_bytes()
                    info.size, info.mode = len(data), 0o644
                    tar.addfile(info, io.BytesIO(data))


def write(name: str) -> None:
    out = HERE / f"{name}.tar.gz"
    if out.exists():
        sys.exit(f"{out.name} is there: what is golden never changes")
    with tempfile.TemporaryDirectory() as folder:
        remote = Path(folder, "remote")
        clone = Clone(Path(folder, "clone"), identity())
        clone.path.mkdir()
        clone.git("init", "-q", "-b", "main")
        clone.mvc("init")
        clone.git("commit", "-qm", "use mvc")
        history(clone, remote)
        collect(clone, remote)
        auxiliaries(clone, remote)
        found = {rev: digests(clone, rev) for rev in REVS}
        clone.git("checkout", "-q", "main")
        clone.git("bundle", "create", "-q", str(Path(folder, "history.bundle")), "--all")
        mvc = clone.path / ".git/mvc"
        pack(
            [
                ("history.bundle", Path(folder, "history.bundle")),
                ("remote", remote),
                ("mvc/store", mvc / "store"),
                ("mvc/outputs", mvc / "outputs"),
                ("mvc/reflog", mvc / "reflog"),
            ],
            out,
        )
    manifest = {
        "written by": __version__,
        "blake3": blake3(out.read_bytes()).hexdigest(),
        "files": found,
    }
    (HERE / f"{name}.json").write_text(json.dumps(manifest, indent=1) + "\n")


def identity() -> dict[str, str]:
    """Git as if nobody had configured it, and a date that never changes."""
    found = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    for role in ("AUTHOR", "COMMITTER"):
        found |= {
            f"GIT_{role}_NAME": "Ada",
            f"GIT_{role}_EMAIL": "ada@example.org",
            f"GIT_{role}_DATE": "2026-01-01T12:00:00Z",
        }
    return found


if __name__ == "__main__":
    subprocess.run(["git", "--version"], check=True)
    write(sys.argv[1])
