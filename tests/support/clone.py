"""A real clone, with real processes of Git and mvc, for tests that do what a person does."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blake3 import blake3

from tests.support import spawn

ROOT = Path(__file__).parents[2]
MVC = (sys.executable, "-P", "-m", "modelvc")  # as a process of its own


@dataclass(slots=True)
class Done:
    """The result of a process."""

    code: int
    out: str
    err: str


@dataclass(slots=True)
class Clone:
    """One worktree. `git` and `mvc` run in it, and fail the test unless they exit with the expected status."""

    path: Path
    env: dict[str, str] = field(default_factory=dict)
    fresh: bool = False  # mvc is a Python that starts from nothing, for tests of what that loads

    @classmethod
    def new(cls, path: Path, *, mvc: bool = True) -> Clone:
        path.mkdir(parents=True, exist_ok=True)
        clone = cls(path)
        clone.git("init", "-q", "-b", "main")
        if mvc:
            clone.mvc("init")
            clone.git("commit", "-qm", "use mvc")
        return clone

    def environment(self) -> dict[str, str]:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), **self.env}

    def run(self, *words: str, code: int = 0, cwd: Path | None = None, stdin: str = "") -> Done:
        done = subprocess.run(
            words,
            cwd=cwd or self.path,
            env=self.environment(),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        said = f"{' '.join(words)} -> {done.returncode}\n{done.stdout}{done.stderr}"
        assert done.returncode == code, said
        return Done(done.returncode, done.stdout, done.stderr)

    def git(self, *words: str, code: int = 0, cwd: Path | None = None) -> str:
        return self.run("git", *words, code=code, cwd=cwd).out

    def mvc(self, *words: str, code: int = 0, cwd: Path | None = None) -> Done:
        if self.fresh or "PYTHONPATH" in self.env:
            return self.run(*MVC, *words, code=code, cwd=cwd)
        found, out, err = spawn.mvc(words, str(cwd or self.path), self.environment())
        done = Done(found, out.decode(), err.decode())
        assert found == code, f"mvc {' '.join(words)} -> {found}\n{done.out}{done.err}"
        return done

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start mvc in a process group of its own, with stdout and stderr in one pipe."""
        return subprocess.Popen(
            [*MVC, *words],
            cwd=self.path,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def killed_after(self, seconds: float, *command: str) -> bool:
        """Run COMMAND and kill it with all its children after SECONDS. Return True if it was still running."""
        process = subprocess.Popen(
            command,
            cwd=self.path,
            env=self.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return True
        return False

    def json(self, *words: str, code: int = 0) -> Any:
        return json.loads(self.mvc("--json", *words, code=code).out)

    def let_go(self, *words: str) -> Any:
        """Run a gc that deletes all unreachable versions, by name where no remote has them."""
        names = [item["oid"] for item in self.json("gc", "--grace", "0", *words)["only_here"]]
        return self.json("gc", "--grace", "0", "--apply", *words, *names)

    # -- models

    def write(self, name: str, data: bytes | int) -> bytes:
        """Write a file. A number stands for 200,000 bytes that are made from it."""
        content = random.Random(data).randbytes(200_000) if isinstance(data, int) else data
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return content

    def read(self, name: str) -> bytes:
        return (self.path / name).read_bytes()

    def commit_model(self, seed: int, name: str = "model.bin") -> bytes:
        """Add and commit a new version of a model."""
        content = self.write(name, seed)
        self.mvc("add", name)
        self.git("commit", "-qm", f"version {seed}")
        return content

    def agrees(self, name: str = "model.bin") -> bool:
        """Whether the file has the content that its pointer names."""
        line = f'oid = "blake3:{blake3(self.read(name)).hexdigest()}"'
        return line in (self.path / f"{name}.mvc").read_text()
