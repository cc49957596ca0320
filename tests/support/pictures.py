"""The pictures of README.md: a terminal and the page of `mvc plot`, both from one real run.

`python -m tests.support.pictures` draws them; the page needs chromium on the PATH. `tests/e2e/test_readme.py` runs the
same commands and compares what they print with the text inside the pictures. The run is the same everywhere: models,
dates and names are fixed, so commit ids are too.
"""

from __future__ import annotations

import hashlib
import html
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from tests.support.clone import ROOT, Clone
from tests.support.terminal import on_terminal

TERMINAL = ROOT / "docs/pictures/terminal.svg"
REPORT = ROOT / "docs/pictures/report.png"
WIDTH = 100  # columns of the terminal
WINDOW = "1100,580"  # of the browser
LARGEST = 150_000  # bytes of a picture
TRAININGS = ((1, 0.717, 3.91), (3, 0.842, 1.68), (8, 0.921, 0.74), (20, 0.953, 0.52), (50, 0.967, 0.47))  # trees
WORSE = (80, 0.938, 0.61)
SESSION = (
    "mvc add model.pkl --metrics metrics.json",
    'git commit -qm "80 flat trees"',
    "mvc log model.pkl -n 3",
    "mvc check",
    "mvc rollback model.pkl",
)
_ERASED = re.compile(r"[^\n]*\n[^\n]*\x1b\[1A\x1b\[2K|[^\n]*\r\x1b\[2K")  # lines that the terminal takes back: progress
_FONTS = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)  # from a network
POLICY = """\
[[metric]]
name = "accuracy"
direction = "higher"
min = 0.7
max_drop = { abs = 0.01 }

[[metric]]
name = "log_loss"
direction = "lower"
max_rise = { abs = 0.2 }
"""


def history(folder: Path) -> Clone:
    """Make a clone in FOLDER with a version of a model for each training, and the files of one more."""
    clone = Clone(folder)
    clone.env = {"TZ": "UTC", "GIT_DEFAULT_HASH": "sha1", "NO_COLOR": ""}
    for role in ("AUTHOR", "COMMITTER"):
        clone.env |= {f"GIT_{role}_NAME": "Ada", f"GIT_{role}_EMAIL": "ada@example.org"}
    clone.git("init", "-q", "-b", "main")
    _date(clone, 0)
    clone.mvc("init")
    clone.write(".mvc/policy.toml", POLICY.encode())
    clone.git("add", ".mvc/policy.toml")
    clone.git("commit", "-qm", "use mvc")
    for day, training in enumerate(TRAININGS, 1):
        _date(clone, day)
        _train(clone, *training)
        clone.mvc("add", "model.pkl", "--metrics", "metrics.json")
        clone.git("commit", "-qm", f"{training[0]} trees")
    _date(clone, len(TRAININGS) + 1)
    _train(clone, *WORSE)
    return clone


def _date(clone: Clone, day: int) -> None:
    clone.env |= {f"GIT_{role}_DATE": f"2026-03-{2 + day:02}T10:00:00+0000" for role in ("AUTHOR", "COMMITTER")}


def _train(clone: Clone, trees: int, accuracy: float, loss: float) -> None:
    """Write a model of 8 MB that shares all but its last 5 % with every other one, and its metrics."""
    clone.write("model.pkl", random.Random(0).randbytes(7_600_000) + random.Random(trees).randbytes(400_000))
    clone.write("metrics.json", f'{{"accuracy": {accuracy}, "log_loss": {loss}, "trees": {trees}}}'.encode())


def session(clone: Clone) -> str:
    """Return what a terminal shows after SESSION, with its colours as escape sequences."""
    shown = ""
    for command in SESSION:
        _, said = on_terminal(clone, "-c", command, program=("sh",), columns=WIDTH)
        shown += f"\x1b[1m$ {command}\x1b[0m\n{_ERASED.sub('', said)}"
    return shown


def report(clone: Clone) -> str:
    """Return the page of `mvc plot`."""
    clone.mvc("plot", "model.pkl", "-o", "report.html")
    return (clone.path / "report.html").read_text()


def plain(shown: str) -> list[str]:
    """Return the lines of SHOWN without colours."""
    return [line.rstrip() for line in Text.from_ansi(shown).plain.splitlines()]


def drawn() -> list[str]:
    """Return the lines of text in the picture of the terminal."""
    lines: dict[str, str] = {}
    for at, text in re.findall(r'clip-path="url\(#mvc-line-(\d+)\)">(.*?)</text>', TERMINAL.read_text()):
        lines[at] = lines.get(at, "") + html.unescape(text).replace("\xa0", " ")
    return [line.rstrip() for line in lines.values()]


def digest(page: str) -> str:
    return hashlib.sha256(page.encode()).hexdigest()


def digest_in(picture: bytes) -> str:
    """Return the digest of the page that PICTURE shows, or "" if it has none."""
    found = re.search(rb"tEXtpage\0([0-9a-f]{64})", picture)
    return found[1].decode() if found else ""


def draw_terminal(shown: str) -> None:
    console = Console(width=WIDTH, record=True, file=Path("/dev/null").open("w"), force_terminal=True)  # noqa: SIM115
    console.print(Text.from_ansi(shown.rstrip("\n")), soft_wrap=False)
    TERMINAL.write_text(_FONTS.sub("", console.export_svg(title="digits", theme=MONOKAI, unique_id="mvc")))


def draw_report(page: str, folder: Path) -> None:
    """Photograph PAGE. The picture carries the digest of the page."""
    chromium = shutil.which("chromium")
    if not chromium:
        sys.exit("chromium is not on the PATH: docs/pictures/report.png stays as it is")
    (folder / "page.html").write_text(page)
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={folder}/profile"]
    target = folder / "page.png"
    subprocess.run(
        [chromium, *options, f"--window-size={WINDOW}", f"--screenshot={target}", f"file://{folder}/page.html"],
        check=True,
        capture_output=True,
    )
    data = target.read_bytes()
    chunk = b"tEXtpage\0" + digest(page).encode()
    written = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    header = 8 + 25  # the signature and IHDR
    REPORT.write_bytes(data[:header] + written + data[header:])


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "digits").mkdir()
        clone = history(folder / "digits")
        draw_terminal(session(clone))
        clone.git("reset", "-q", "--hard")
        draw_report(report(clone), folder)


if __name__ == "__main__":
    main()
