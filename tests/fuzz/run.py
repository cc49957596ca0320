"""Fuzz one parser, guided by coverage: python -m tests.fuzz.run PARSER [--seconds N] [--keep FOLDER]

PARSER is a name of tests/support/parsers.py, or `all`, which shares the time among them. What breaks a promise is
written to tests/fuzz/found/PARSER/, where tests/properties/test_fuzz.py reads it from then on. It needs atheris, which
is no requirement of the tests: pip install atheris.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
LARGEST = 1 << 16  # bytes of one input


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("parser")
    words.add_argument("--seconds", type=int, default=60, help="in all")
    words.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = words.parse_args()
    if given.inside:
        _fuzz(given.parser, given.seconds)
    names = [given.parser] if given.parser != "all" else _names()
    bad = [name for name in names if not _run(name, max(1, given.seconds // len(names)))]
    print(f"broke a promise: {', '.join(bad)}" if bad else "no promise was broken")
    return 1 if bad else 0


def _names() -> list[str]:
    from tests.support.parsers import PARSERS

    return list(PARSERS)


def _run(name: str, seconds: int) -> bool:
    """One parser in a process of its own: libFuzzer ends the one it runs in."""
    print(f"{name}: {seconds} s", flush=True)
    command = [sys.executable, "-m", "tests.fuzz.run", name, "--seconds", str(seconds), "--inside"]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    telling = [line for line in done.stderr.splitlines() if line.startswith(("stat::number_of", "stat::average"))]
    print("\n".join(f"  {line.removeprefix('stat::')}" for line in telling))
    if done.returncode:
        print("\n".join(f"  {line}" for line in (done.stdout + done.stderr).splitlines()[-60:]))
    return done.returncode == 0


def _fuzz(name: str, seconds: int) -> None:
    import atheris

    with atheris.instrument_imports(include=["modelvc", "tomllib", "yaml"]):
        from tests.support.parsers import PARSERS

    parser = PARSERS[name]
    corpus = Path(tempfile.mkdtemp(prefix="mvc-corpus-"))
    for number, data in enumerate(parser.examples):
        (corpus / f"example-{number}").write_bytes(data)
    for path in (HERE / "found" / name).glob("*"):
        shutil.copy(path, corpus)
    (corpus.parent / f"{corpus.name}.dict").write_text(
        "".join('"' + "".join(f"\\x{byte:02x}" for byte in token[:60]) + '"\n' for token in parser.tokens)
    )
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={LARGEST}",
        "-timeout=20",
        "-rss_limit_mb=2048",
        "-print_final_stats=1",
        f"-dict={corpus}.dict",
        f"-artifact_prefix={HERE / 'found' / name}{os.sep}",
    ]
    (HERE / "found" / name).mkdir(parents=True, exist_ok=True)
    atheris.Setup([sys.argv[0], *options, str(corpus)], parser.check)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
