"""Run by path, without site-packages, by hooks/driver.sh: `python -I -S .../script.py MVC_DIR NAME ARGS`.

Finds modelvc beside itself, in the installed package or in the copy of its notebook part below `.git/mvc/`, so that a
virtual environment that is gone stops neither `git add` nor `git stash`.
"""

import os
import sys

sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from modelvc.drivers import utf8
from modelvc.drivers.notebooks.main import run

if __name__ == "__main__":
    utf8.ensure()
    sys.exit(run(sys.argv[1], sys.argv[2], sys.argv[3:]))
