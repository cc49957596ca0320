"""What Git runs through its shims: `mvc hook NAME ARGS`. No terminal libraries; words go to stderr."""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager, nullcontext

from modelvc.drivers.say import FAILED, NOT_HERE, say
from modelvc.errors import ModelvcError, NoRepository, shown


def run(argv: list[str]) -> int:
    """Run one hook; the exit status that Git acts on."""
    from modelvc.drivers import hooks

    name, *args = argv or [""]
    found = hooks.HOOKS.get(name)
    if found is None:
        say(f"there is no hook called {shown(name)}")
        return 0  # a shim of a newer version must not stop Git
    try:
        with _telling(name):
            return found(os.getcwd(), os.environ, args)
    except NoRepository:
        return 0  # bare, for instance: there are no models to look after
    except ModelvcError as error:
        say(str(error), hint=error.hint)
    except ModuleNotFoundError as error:  # half an installation: a venv made anew, a Python that was upgraded
        say(f"the installation is not whole: {shown(error)}", hint="install modelvc again, then run `mvc install`")
        return NOT_HERE
    except KeyboardInterrupt:
        say("interrupted")
    except OSError as error:
        _disk(error)
    except Exception as error:  # Git's work is not to be lost to a bug of ours
        say(
            f"internal error: {shown(error)} ({type(error).__name__})",
            hint="this is a bug in modelvc; `mvc status` may say more",
        )
        if os.environ.get("MVC_DEBUG"):
            raise
    return FAILED


def _disk(error: OSError) -> None:
    """Say what the operating system refused: a full disk, permissions, a disk that is gone."""
    import errno

    where = f"{shown(os.fsdecode(error.filename))}: " if isinstance(error.filename, str | bytes) else ""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        say(f"{where}no space is left, so not every model follows", hint="free some space, then run `mvc checkout`")
    else:
        hint = "see to its permissions and its disk, then run `mvc status`"
        say(f"{where}{shown(error.strerror or error)}", hint=hint)


def _telling(name: str) -> AbstractContextManager[None]:
    """Say on a terminal what a push waits for."""
    if name != "pre-push" or not sys.stderr.isatty():
        return nullcontext()
    from modelvc.store.backends import retry

    return retry.heard_by(say)
