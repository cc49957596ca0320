"""Run `mvc hook NAME ARGS` for the shims. Messages go to stderr, and no terminal library is loaded."""

from __future__ import annotations

import os

from modelvc.drivers.say import FAILED, NOT_HERE, say
from modelvc.errors import ModelvcError, NoRepository, shown


def run(argv: list[str]) -> int:
    """Run the hook NAME with ARGS from ARGV. Return the exit status that the shim passes to Git."""
    from modelvc.drivers import hooks

    name, *args = argv or [""]
    found = hooks.HOOKS.get(name)
    if found is None:
        say(f"there is no hook called {shown(name)}")
        return 0  # a shim of a newer version must not stop Git
    try:
        return found(os.getcwd(), os.environ, args)
    except NoRepository:
        return 0  # such as a bare repository, which has no models
    except ModelvcError as error:
        say(str(error), hint=error.hint)
    except ModuleNotFoundError as error:  # an incomplete installation: a new venv, an upgraded Python
        say(f"the installation is incomplete: {shown(error)}", hint="install modelvc again, then run `mvc install`")
        return NOT_HERE
    except KeyboardInterrupt:
        say("interrupted")
    except OSError as error:
        _say_os_error(error)
    except Exception as error:  # a bug in modelvc must not end Git's command with a traceback
        say(
            f"internal error: {shown(error)} ({type(error).__name__})",
            hint="this is a bug in modelvc; `mvc status` may say more",
        )
        if os.environ.get("MVC_DEBUG"):
            raise
    return FAILED


def _say_os_error(error: OSError) -> None:
    """Explain an error of the operating system: a full disk, missing permissions, a missing disk."""
    import errno

    where = f"{shown(os.fsdecode(error.filename))}: " if isinstance(error.filename, str | bytes) else ""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        say(f"{where}no space left, so not every model was updated", hint="free some space, then run `mvc checkout`")
    else:
        hint = "check its permissions and its disk, then run `mvc status`"
        say(f"{where}{shown(error.strerror or error)}", hint=hint)
