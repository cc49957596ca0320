"""Clones that hold notebooks, and checks that must hold whatever Git did."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.support.clone import Clone
from tests.support.notebooks import SAID, cell, notebook, validate

NAME = "n.ipynb"
TEXTS = ("one\nmore", "two", "three", "four")


def said(text: str) -> Any:
    return {**SAID, "text": [f"{text}\n"]}


def ran(*texts: str, who: str = "run", start: str = "c") -> bytes:
    """A notebook that was run: the output of each cell names who ran it."""
    return notebook(*(cell(text, f"{start}{place}-4f7a9e", outputs=[said(who)]) for place, text in enumerate(texts)))


def heard(data: bytes) -> list[str]:
    """The text of each cell's output; "" for none."""
    return ["".join(one["outputs"][0]["text"]).strip() if one["outputs"] else "" for one in json.loads(data)["cells"]]


def with_notebook(path: Path) -> Clone:
    """A clone whose history has the notebook TEXTS, and whose worktree has its outputs besides."""
    found = Clone.new(path)
    commit(found, ran(*TEXTS), "notebook")
    return found


def copied(found: Clone, path: Path) -> Clone:
    shutil.copytree(found.path, path, symlinks=True)
    copy = Clone(path)
    copy.git("status", "--short")  # other inodes: Git looks at everything once
    return copy


def commit(clone: Clone, data: bytes, message: str = "change", name: str = NAME) -> None:
    clone.write(name, data)
    clone.git("add", "--", name)
    clone.git("commit", "-qm", message)


def configure(clone: Clone, *lines: str) -> None:
    """Add lines to `[notebooks]` without a commit."""
    with (clone.path / ".mvc/config.toml").open("a") as file:
        file.write("\n".join(["", "[notebooks]", *lines, ""]))


def stored(clone: Clone, name: str = NAME, at: str = "HEAD") -> bytes:
    """The bytes that Git holds."""
    return _bytes(clone, "cat-file", "blob", f"{at}:{name}")


def slip(clone: Clone, data: bytes, name: str = NAME) -> None:
    """Stage a notebook without the filter, as a client without filters does."""
    words = ["git", "hash-object", "-w", "--no-filters", "--stdin"]
    blob = subprocess.run(
        words, cwd=clone.path, env=clone.environment(), input=data, stdout=subprocess.PIPE, check=True
    )
    clone.git("update-index", "--add", "--cacheinfo", f"100644,{blob.stdout.decode().strip()},{name}")


def settled(clone: Clone, *names: str) -> None:
    """Check that Git sees no change, that no object holds an output, and that the notebooks are valid."""
    assert clone.git("status", "--short") == ""
    pristine(clone)
    for name in names or (NAME,):
        validate(clone.read(name))
        validate(stored(clone, name))


def pristine(clone: Clone) -> None:
    """Check that no object holds an output, unreachable ones included."""
    everything = _bytes(clone, "cat-file", "--batch", "--batch-all-objects")
    assert b"nbformat" in everything
    assert b'"output_type"' not in everything
    clone.git("fsck", "--strict")


def _bytes(clone: Clone, *words: str) -> bytes:
    done = subprocess.run(["git", *words], cwd=clone.path, env=clone.environment(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
