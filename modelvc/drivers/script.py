"""Run a notebook driver. hooks/driver.sh calls this file by path: `python -I -S .../script.py MVC_DIR NAME ARGS`.

It imports modelvc from its own package: the installed one, or the copy below `.git/mvc/`. With the copy, `git add` and
`git stash` work without site-packages and after the virtual environment was deleted.
"""

import os
import sys

sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from modelvc.drivers import utf8
from modelvc.drivers.notebooks.main import run

if __name__ == "__main__":
    utf8.ensure()
    sys.exit(run(sys.argv[1], sys.argv[2], sys.argv[3:]))
