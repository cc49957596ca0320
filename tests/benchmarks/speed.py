"""How fast mvc is beside the tools at hand, on the same work in one run: what stands in docs/speed.md.

    python tests/benchmarks/speed.py [--big-mib 1024] [--many 10000] [--runs 3] [--s3] [--dir FOLDER]

The work: one file of random bytes; a folder of files of 4 KiB; ten versions of a checkpoint that each change a tenth of
it. Each operation runs in a process of its own; printed are the median of wall seconds, the ratio to mvc, the peak
memory of the largest process, and for mvc the requests made to the remote. dvc and git-lfs take part when they are on
the PATH; cp, cp with a sync of the file ("sync") and `python -c pass` are the floors. With --s3 the remote of mvc and
dvc is a SeaweedFS of this script's.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

MIB = 1 << 20
TENSORS = 40


class Took(NamedTuple):
    seconds: float
    rss: float  # MiB
    out: str


class Bench:
    def __init__(self, base: Path, args: argparse.Namespace) -> None:
        self.base = base
        self.args = args
        self.found: dict[tuple[str, str], dict[str, list[Took]]] = {}
        self.requests: dict[tuple[str, str], int] = {}
        self.env = {
            **os.environ,
            "HOME": str(base),
            "GIT_CONFIG_GLOBAL": str(base / "gitconfig"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "DVC_NO_ANALYTICS": "1",
            "NO_COLOR": "1",
        }
        (base / "gitconfig").write_text("[user]\nname=b\nemail=b@b\n[init]\ndefaultBranch=main\n[gc]\nauto=0\n")
        self.far = base / "far"
        self.endpoint = ""
        if args.s3:
            from tests.support import s3

            server = s3.shared()
            s3.make_bucket(server, "bench")
            self.endpoint = server.endpoint_url
            self.env |= {k: v for k, v in server.environment.items() if k != "AWS_ENDPOINT_URL"}

    def run(self, cwd: Path, *words: str) -> Took:
        start = time.perf_counter()
        with tempfile.TemporaryFile() as out:
            process = subprocess.Popen(words, cwd=cwd, env=self.env, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            seconds = time.perf_counter() - start
            out.seek(0)
            text = out.read().decode(errors="replace")
        if process.returncode:
            raise SystemExit(f"{' '.join(words)} -> {process.returncode}\n{text[-2000:]}")
        return Took(seconds, usage.ru_maxrss / 1024, text)

    def note(self, work: str, what: str, tool: str, took: Took) -> None:
        self.found.setdefault((work, what), {}).setdefault(tool, []).append(took)
        if tool == "mvc" and '"requests"' in took.out:
            self.requests[work, what] = json.loads(took.out[took.out.index("{") :])["requests"]

    # -- the work

    def make(self, repo: Path, work: str, version: int = 0) -> str:
        """Write the files of one workload; what to add."""
        if work == "big":
            with (repo / "big.bin").open("wb") as file:
                for i in range(self.args.big_mib):
                    file.write(random.Random(i).randbytes(MIB))
            return "big.bin"
        if work == "many":
            for i in range(self.args.many):
                path = repo / "many" / f"{i % 100:02d}" / f"{i}.bin"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(random.Random(i).randbytes(4096))
            return "many"
        with (repo / "ckpt.bin").open("wb") as file:
            for tensor in range(TENSORS):
                newest = max((v for v in range(version + 1) if (tensor - v * 4) % TENSORS < 4 and v), default=0)
                file.write(random.Random(1000 * newest + tensor).randbytes(self.args.history_mib * MIB // TENSORS))
        return "ckpt.bin"

    def turn(self, work: str, tool: str, number: int) -> None:
        repo = self.base / f"{work}-{tool}-{number}"
        shutil.rmtree(self.far, ignore_errors=True)
        repo.mkdir()
        self.run(repo, "git", "init", "-q")
        steps = {"mvc": self.mvc, "dvc": self.dvc, "lfs": self.lfs, "cp": self.cp}
        steps[tool](repo, work)
        shutil.rmtree(repo)
        shutil.rmtree(self.base / "copy", ignore_errors=True)

    def versions(self, repo: Path, work: str, tool: str, add: tuple[str, ...]) -> str:
        """Add every version of the work, and commit."""
        what = ""
        for version in range(10 if work == "history" else 1):
            what = self.make(repo, work, version)
            self.note(work, "add" if not version else "add next", tool, self.run(repo, *add, what))
            self.run(repo, "git", "add", "-A")
            self.run(repo, "git", "commit", "-qm", "x", "--no-verify")
        return what

    # -- the tools

    def cp(self, repo: Path, work: str) -> None:
        what = self.make(repo, work)
        (self.base / "copy").mkdir()
        self.note(work, "add", "cp", self.run(repo, "cp", "-r", what, str(self.base / "copy")))
        self.note(work, "checkout", "cp", self.run(self.base / "copy", "cp", "-r", what, "again"))
        if work == "big":  # a copy that keeps the promise of mvc: its bytes are on the disk when it ends
            synced = self.run(self.base / "copy", "sh", "-c", f"cp {what} synced && sync synced")
            for row in ("add", "checkout", "push", "fetch"):
                self.note(work, row, "sync", synced)

    def mvc(self, repo: Path, work: str) -> None:
        self.run(repo, "mvc", "init")
        where = ("s3://bench/" + repo.name, "--endpoint-url", self.endpoint) if self.endpoint else (str(self.far),)
        self.run(repo, "mvc", "remote", "add", "origin", *where)
        what = self.versions(repo, work, "mvc", ("mvc", "add"))
        self.run(repo, "mvc", "status")
        self.note(work, "status", "mvc", self.run(repo, "mvc", "status"))
        _remove(repo / what)
        self.note(work, "checkout", "mvc", self.run(repo, "mvc", "checkout"))
        self.note(work, "push", "mvc", self.run(repo, "mvc", "--json", "push", "--all"))
        self.note(work, "push again", "mvc", self.run(repo, "mvc", "--json", "push", "--all"))
        self.kept(work, "mvc", repo / ".git/mvc/store")
        shutil.rmtree(repo / ".git/mvc/store")
        self.note(work, "fetch", "mvc", self.run(repo, "mvc", "--json", "fetch", "--all"))

    def dvc(self, repo: Path, work: str) -> None:
        self.run(repo, "dvc", "init", "-q")
        where = f"s3://bench/{repo.name}" if self.endpoint else str(self.far)
        self.run(repo, "dvc", "remote", "add", "-q", "-d", "origin", where)
        if self.endpoint:
            self.run(repo, "dvc", "remote", "modify", "origin", "endpointurl", self.endpoint)
        what = self.versions(repo, work, "dvc", ("dvc", "add", "-q"))
        self.note(work, "status", "dvc", self.run(repo, "dvc", "status", "-q"))
        _remove(repo / what)
        self.note(work, "checkout", "dvc", self.run(repo, "dvc", "checkout", "-q"))
        self.note(work, "push", "dvc", self.run(repo, "dvc", "push", "-q", "-A"))
        self.note(work, "push again", "dvc", self.run(repo, "dvc", "push", "-q", "-A"))
        self.kept(work, "dvc", repo / ".dvc/cache")
        shutil.rmtree(repo / ".dvc/cache")
        self.note(work, "fetch", "dvc", self.run(repo, "dvc", "fetch", "-q", "-A"))

    def lfs(self, repo: Path, work: str) -> None:
        self.run(repo, "git", "lfs", "install", "--local")
        self.run(repo, "git", "lfs", "track", "*.bin")
        what = self.versions(repo, work, "lfs", ("git", "add"))
        self.note(work, "status", "lfs", self.run(repo, "git", "status", "--short"))
        _remove(repo / what)
        self.note(work, "checkout", "lfs", self.run(repo, "git", "checkout", "-q", "--", "."))
        self.kept(work, "lfs", repo / ".git/lfs/objects")

    def kept(self, work: str, tool: str, folder: Path) -> None:
        size = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) / MIB
        self.found.setdefault((work, "MiB kept"), {}).setdefault(tool, []).append(Took(size, 0, ""))

    def show(self) -> None:
        print(f"{'work':8} {'operation':11} {'tool':4} {'seconds':>9} {'x mvc':>7} {'MiB':>6}  requests")
        for (work, what), tools in self.found.items():
            middle = {tool: statistics.median(t.seconds for t in times) for tool, times in tools.items()}
            for tool, times in tools.items():
                ratio = f"{middle[tool] / middle['mvc']:7.2f}" if "mvc" in middle and tool != "mvc" else " " * 7
                asked = self.requests.get((work, what), "") if tool == "mvc" else ""
                rss = max(t.rss for t in times)
                print(
                    f"{work:8} {what:11} {tool:4} {middle[tool]:9.3f} {ratio} {rss or '':6.0f}  {asked}"
                    if rss
                    else f"{work:8} {what:11} {tool:4} {middle[tool]:9.1f} {ratio}"
                )


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--big-mib", type=int, default=1024)
    parser.add_argument("--many", type=int, default=10_000)
    parser.add_argument("--history-mib", type=int, default=200)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--work", default="big,many,history")
    parser.add_argument("--tools", default="mvc,dvc,lfs,cp")
    parser.add_argument("--s3", action="store_true")
    parser.add_argument("--dir", default=None)
    args = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parents[2]))
    os.environ["PATH"] = str(Path(sys.executable).parent) + os.pathsep + os.environ["PATH"]
    there = {"mvc": "mvc", "dvc": "dvc", "lfs": "git-lfs", "cp": "cp"}
    tools = [tool for tool in args.tools.split(",") if shutil.which(there[tool])]
    base = Path(tempfile.mkdtemp(prefix="mvc-speed-", dir=args.dir)).resolve()
    bench = Bench(base, args)
    try:
        for number in range(args.runs):
            for work in args.work.split(","):
                for tool in tools:
                    if tool == "cp" and work == "history":
                        continue
                    print(f"# run {number + 1}: {work} with {tool}", file=sys.stderr, flush=True)
                    bench.turn(work, tool, number)
        for _ in range(10):
            bench.note("start", "pass", "mvc", bench.run(base, "mvc", "--version"))
            bench.note("start", "pass", "py", bench.run(base, sys.executable, "-c", "pass"))
        bench.show()
    finally:
        shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    main()
