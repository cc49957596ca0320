"""Start-up is a feature: what Git calls, and what people call all day, loads little."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.clone import ROOT, Clone

if TYPE_CHECKING:
    from pathlib import Path

# Never on the way to an answer that needs none of them.
TERMINAL = {"typer", "rich", "click", "fsspec", "s3fs", "nbdime", "pygit2", "git", "numpy", "backports", "blake3"}
HEAVY = TERMINAL | {"dataclasses", "inspect", "re", "pathlib", "json", "subprocess", "tomllib", "typing", "xxhash"}
# Hooks may open the store and look at history, but talk plainly.
DRIVER = {"typer", "rich", "click", "fsspec", "s3fs", "nbdime", "pygit2", "git", "numpy"}


def _loaded(clone: Clone, *argv: str, cwd: Path | None = None, depth: int = 1) -> tuple[set[str], str]:
    """Modules that `mvc ARGV` has loaded when it ends, apart from those that Python itself starts with.

    DEPTH: parts of their names, such as 2 for modelvc.store.
    """
    code = (
        "import sys; before = set(sys.modules); sys.argv[1:] = " + repr(list(argv)) + "\n"
        "from modelvc.__main__ import main\n"
        "status = main(); sys.stdout.flush()\n"
        f"loaded = sorted({{'.'.join(name.split('.')[:{depth}]) for name in set(sys.modules) - before}})\n"
        "sys.stderr.write('\\n' + __import__('json').dumps([status, loaded]))"
    )
    # -S and -E: an environment's own start-up files would count as ours
    env = {**clone.environment(), "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-S", "-c", f"import sys; sys.path += {sys.path!r}\n{code}"]
    done = subprocess.run(
        words, cwd=cwd or clone.path, env=env, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
    )
    status, loaded = json.loads(done.stderr.rpartition("\n")[2])
    assert status == 0, done.stderr
    return set(loaded), done.stdout


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    clone = Clone.new(tmp_path / "project")
    clone.write("model.bin", 1)
    for name in ("a", "b/c"):
        clone.write(f"sub/folder/{name}", name.encode())
    clone.mvc("add", "model.bin", "sub/folder")
    clone.git("commit", "-qm", "models")
    clone.git("status")
    time.sleep(0.2)  # an index that is younger than the grain of file times is not relied on
    assert "2 models, all clean" in clone.mvc("status").out  # remembers that all is clean
    return clone


def test_a_clean_status_loads_nothing_heavy(clone: Clone) -> None:
    loaded, out = _loaded(clone, "status")
    assert out == "2 models, all clean\n"
    assert not loaded & HEAVY


def test_from_a_sub_folder_too(clone: Clone) -> None:
    loaded, out = _loaded(clone, "status", "--exit-code", cwd=clone.path / "sub/folder")
    assert out == "2 models, all clean\n"
    assert not loaded & HEAVY


def test_the_version_loads_nothing_heavy(clone: Clone) -> None:
    loaded, out = _loaded(clone, "--version")
    assert out.startswith("mvc ")
    assert not loaded & HEAVY


def test_a_status_that_must_look_says_the_same_and_loads_no_remote(clone: Clone) -> None:
    (clone.path / ".git/mvc/state").unlink()
    loaded, out = _loaded(clone, "status")
    assert out == "2 models, all clean\n"
    assert not loaded & {"fsspec", "s3fs", "nbdime", "pygit2", "git", "numpy", "rich"}


# What commands that only look, and one that finds nothing new, do not load. typer itself brings difflib.
HEAVY_WORK = {
    "pygit2",
    "git",
    "pyfastcdc",
    "backports",
    "yaml",
    "sqlite3",
    "asyncio",
    "concurrent",
    "numpy",
    "xml",
    "ssl",
}


@pytest.mark.parametrize(
    "line", ["log", "log model.bin", "show model.bin", "show HEAD:model.bin", "diff", "ls", "ls HEAD", "add model.bin"]
)
def test_commands_that_only_look_load_nothing_heavy(clone: Clone, line: str) -> None:
    loaded, _ = _loaded(clone, *line.split())
    assert not loaded & HEAVY_WORK


# What cuts chunks where tensors begin; whoever may write to the store loads it.
CONTAINERS = {f"modelvc.modelfiles.{name}" for name in ("compressed", "containers", "recognise", "zip_records")}


@pytest.mark.parametrize(
    "line",
    ["status", "ls", "log", "add model.bin", "metrics show", "checkout --offline", "--version"]
    + [f"hook {name}" for name in ("post-index-change", "post-checkout", "pre-commit")],
)
def test_the_readers_of_model_files_are_loaded_by_whoever_looks_inside(clone: Clone, line: str) -> None:
    if line == "status":
        (clone.path / ".git/mvc/state").unlink()
    loaded, _ = _loaded(clone, *line.split(), depth=3)
    assert "modelvc.formats.paths" in loaded or line == "--version"
    readers = {name for name in loaded if name.startswith("modelvc.modelfiles.")}
    assert readers <= CONTAINERS


def test_kept_facts_are_shown_without_reading_the_model(clone: Clone) -> None:
    loaded, out = _loaded(clone, "show", "model.bin", depth=3)
    assert "inside" in out
    assert "modelvc.modelfiles.inspect" not in loaded


def test_checking_an_environment_loads_nothing_heavy(clone: Clone) -> None:
    pointer = clone.path / "model.bin.mvc"
    oid = pointer.read_text().partition('oid = "')[2].partition('"')[0]
    system = 'python = "3.11.0"\nimplementation = "CPython"\nplatform = "linux"\nmachine = "x86_64"\n'
    pointer.write_text(f'{pointer.read_text()}\n[env]\nof = "{oid}"\n{system}')
    for line in ("env check model.bin.mvc", "env show model.bin", "env diff model.bin", "env export model.bin"):
        loaded, out = _loaded(clone, *line.split())
        assert out
        assert not loaded & (HEAVY_WORK | {"fsspec", "s3fs", "xxhash", "rich"})


def test_an_unchanged_add_asks_no_python(clone: Clone) -> None:
    code = (
        "import sys; sys.argv[1:] = ['add', 'model.bin']\n"
        "from modelvc.__main__ import main; main(); sys.stdout.flush()\n"
        "sys.stderr.write(' '.join(name for name in sys.modules if name.startswith('modelvc.models.environment.')))"
    )
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, cwd=clone.path, env=clone.environment(), capture_output=True, text=True, check=True)
    assert done.stdout.startswith("unchanged")
    assert done.stderr == "modelvc.models.environment.choose"


def test_a_command_loads_no_other(clone: Clone) -> None:
    code = (
        "import sys; sys.argv[1:] = ['ls']; from modelvc.__main__ import main; main(); sys.stdout.flush()\n"
        "sys.stderr.write(' '.join(name for name in sys.modules if name.startswith('modelvc.cli.commands.')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=clone.path,
        env=clone.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == "modelvc.cli.commands.reading"


@pytest.mark.parametrize("hook", ["post-index-change", "post-checkout", "pre-commit", "pre-push"])
def test_hooks_load_no_terminal_library(clone: Clone, hook: str) -> None:
    loaded, _ = _loaded(clone, "hook", hook, *(["origin", "nowhere"] if hook == "pre-push" else []))
    assert "modelvc" in loaded
    assert not loaded & DRIVER


def test_help_needs_no_remote_and_no_history(clone: Clone) -> None:
    loaded, _ = _loaded(clone, "--help")
    assert not loaded & {"fsspec", "s3fs", "nbdime", "pygit2", "git", "numpy", "rich", "blake3", "backports"}


@pytest.mark.parametrize("before", ["", "status", "ls", "add -m", "push -r", "remote"])
def test_completion_loads_no_more_than_it_needs(clone: Clone, before: str) -> None:
    loaded, out = _loaded(clone, "complete", "--word=", "--", *before.split())
    assert out or "-" in before  # no metric and no remote is here
    assert not loaded & (HEAVY_WORK | (TERMINAL - ({"typer"} if before else set())))
