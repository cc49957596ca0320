"""Random days of several people: real Git and mvc, three clones, two servers, two remotes, accidents.

The world and its oracle are in tests/support/wild.py, what people do in tests/support/deeds.py.

MVC_SEEDS=10 MVC_OPERATIONS=2000 MVC_BUDGET=0 is the whole of it (no bound on the time); every run does a little.
MVC_FORKED=1 makes hooks cheap.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from tests.support import deeds
from tests.support.wild import World

if TYPE_CHECKING:
    from pathlib import Path

SEEDS = int(os.environ.get("MVC_SEEDS", "2"))
FIRST = int(os.environ.get("MVC_FIRST", "1"))
OPERATIONS = int(os.environ.get("MVC_OPERATIONS", "150"))
FORKED = bool(os.environ.get("MVC_FORKED"))  # see tests/support/interpreter.py
LOG = bool(os.environ.get("MVC_LOG"))  # print what was done
SECONDS = float(os.environ.get("MVC_BUDGET", "60"))  # for one seed; 0: as long as it takes


@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS))
def test_nothing_is_lost(tmp_path: Path, seed: int) -> None:
    world = World.new(tmp_path, seed, forked=FORKED)
    end = time.monotonic() + (SECONDS or float("inf"))
    done = 0
    while done < OPERATIONS and time.monotonic() < end:
        deeds.step(world)
        done += 1
    versions = world.end()
    print(f"seed {seed}: {done} operations, {versions} versions read, {len(world.lost)} given up by a clean-up")
    assert versions, "somebody pushed something"
    if LOG:
        print("\n".join(world.log))
