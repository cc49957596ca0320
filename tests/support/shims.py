"""A Git repository with the hooks of mvc, and a stand-in for Python that notes each call."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from modelvc.git.layout import Layout, discover
from modelvc.git.setup import hooks

# Says yes to "have you modelvc?", notes the call, and like the real one remembers the pointers that it has seen.
_STAND_IN = """\
#!/bin/sh
[ "$2" = -c ] && exit 0
printf '%s\\n' "$*" >>'{log}'
case $5 in
  pre-push) cat >>'{log}.stdin'; exit ${{SAYS:-0}} ;;
  pre-commit) exit ${{SAYS:-0}} ;;
esac
dir=$(git rev-parse --absolute-git-dir)/mvc
mkdir -p "$dir"
{{
  git ls-files -s -t -- '*.mvc' | git hash-object --stdin
  for part in "$(git diff-files -p -U0 --no-textconv --text -- '*.mvc' | sed -n '/^[-+*]/p')" \
    "$(git ls-files -s -t -- '*.mvc' | sed -n 's/^S [^	]*	//p')"; do
    if [ -z "$part" ]; then echo -; else printf '%s\n' "$part" | git hash-object --stdin; fi
  done
}} >"$dir/seen"
cat ./*.mvc 2>/dev/null >"$dir/looked"
exit ${{SAYS:-0}}
"""


@dataclass(slots=True)
class Shimmed:
    """One worktree. Git runs in it, and fails the test unless it exits with the expected status."""

    path: Path
    log: Path
    env: dict[str, str] = field(default_factory=dict)

    @classmethod
    def new(cls, top: Path, *, install: bool = True) -> Shimmed:
        (top / "r").mkdir(parents=True)
        found = cls(top / "r", top / "log")
        found.git("init", "-q", "-b", "main")
        found.python.write_text(_STAND_IN.format(log=found.log))
        found.python.chmod(0o755)
        if install:
            found.install()
        return found

    @property
    def python(self) -> Path:
        return self.log.parent / "stand-in"

    @property
    def layout(self) -> Layout:
        return discover(str(self.path), {})

    def install(self) -> hooks.Installed:
        return hooks.install(self.layout, str(self.python))

    def sh(self, script: str, *, code: int | None = 0, stdin: str = "", cwd: Path | None = None) -> str:
        """Run a shell script. Return its stdout and stderr together."""
        done = subprocess.run(
            ["/bin/sh", "-c", script],
            cwd=cwd or self.path,
            env={**os.environ, "GIT_EDITOR": "true", **self.env},
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="surrogateescape",
            check=False,
        )
        assert code is None or done.returncode == code, f"{script}\n{done.stdout}"
        return done.stdout

    def git(self, *words: str, code: int | None = 0, cwd: Path | None = None) -> str:
        done = subprocess.run(
            ["git", *words],
            cwd=cwd or self.path,
            env={**os.environ, "GIT_EDITOR": "true", **self.env},
            capture_output=True,
            text=True,
            errors="surrogateescape",
            check=False,
        )
        assert code is None or done.returncode == code, f"{words}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def write(self, name: str, content: str | bytes = "x") -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def commit(self, **files: str) -> None:
        """Commit files by name; `_` in the name of a pointer stands for a dot."""
        for name, content in files.items():
            self.write(name.replace("_", "."), content)
        self.git("add", "-A")
        self.git("commit", "-qm", " ".join(f"{name}={content}" for name, content in files.items()))

    # -- what the stand-in was asked

    def calls(self) -> list[str]:
        """The hooks that started Python since the last call of this."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        assert all(line.startswith("-P -m modelvc hook ") for line in lines), lines
        return [line.removeprefix("-P -m modelvc hook ") for line in lines]

    def stdin(self) -> str:
        return Path(f"{self.log}.stdin").read_text()

    def in_step(self, cwd: Path | None = None) -> bool:
        """Whether the pointers in the worktree are those that the last start of Python saw."""
        looked = 'cat ./*.mvc 2>/dev/null | cmp - "$(git rev-parse --absolute-git-dir)/mvc/looked"'
        return not self.sh(looked, code=None, cwd=cwd)
