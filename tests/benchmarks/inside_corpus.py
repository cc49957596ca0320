"""Read a corpus of real models, and compare what is read with what each model's own library says of it.

    python tests/fixtures/models/make.py --corpus FOLDER     (requirements.txt beside it names the libraries)
    python tests/benchmarks/inside_corpus.py FOLDER [-v]

It prints, for each format: models, how many were read to their end, how many have facts equal to the library's, and the
time. -v names each difference. The exit code is 1 if a model is unreadable.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from modelvc.modelfiles.documents.folders import inspect_folder
from modelvc.modelfiles.inspect import inspect
from modelvc.modelfiles.source import Budget, Source
from tests.support.model_facts import differences


class Row(NamedTuple):
    name: str
    format: str
    unreadable: str
    differences: list[str]
    seconds: float  # of this process


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("folder", type=Path)
    words.add_argument("-v", "--verbose", action="store_true")
    chosen = words.parse_args()
    known = json.loads((chosen.folder / "facts.json").read_text(encoding="utf-8"))
    rows = [_row(chosen.folder / name, name, facts) for name, facts in known.items()]
    by_format: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_format[row.format].append(row)
    print("| format | models | read | unreadable | facts as the library's | ms each |")
    print("|---|---|---|---|---|---|")
    for name, some in [*sorted(by_format.items()), ("all", rows)]:
        bad = sum(bool(row.unreadable) for row in some)
        same = sum(not row.differences for row in some)
        each = 1000 * sum(row.seconds for row in some) / len(some)
        print(f"| {name} | {len(some)} | {len(some) - bad} | {bad} | {same} | {each:.1f} |")
    for row in rows if chosen.verbose else []:
        for one in row.differences:
            print(f"{row.name}: {one}")
    return 1 if any(row.unreadable for row in rows) else 0


def _row(path: Path, name: str, known: dict[str, object]) -> Row:
    files = [path] if path.is_file() else [one for one in sorted(path.rglob("*")) if one.is_file()]
    opened = {str(one.relative_to(path)): os.open(one, os.O_RDONLY) for one in files}
    begun = time.process_time()
    sources = {one: _source(fd) for one, fd in opened.items()}
    facts = inspect(sources["."]) if path.is_file() else inspect_folder(sources, Budget())
    seconds = time.process_time() - begun
    for fd in opened.values():
        os.close(fd)
    return Row(name, str(known.get("format", facts.format)), facts.unreadable, differences(known, facts), seconds)


def _source(fd: int) -> Source:
    return Source(os.fstat(fd).st_size, lambda offset, length: os.pread(fd, length, offset))


if __name__ == "__main__":
    sys.exit(main())
