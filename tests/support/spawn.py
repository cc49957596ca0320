"""Run mvc commands as forks of a process that has all modules loaded: that takes a few milliseconds, and not 300.

A command starts as `python -P -m modelvc` would, with its own folder, environment, descriptors and arguments. Only its
modules are loaded already. Commands that Git starts, or that tests start themselves, are new Python processes;
tests/test_startup.py looks at the modules that those load.

    python -P -m tests.support.spawn SOCKET     serves until its standard input ends
"""

from __future__ import annotations

import array
import atexit
import ctypes
import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ACCOUNT = "SPAWN_AS"  # of the environment of a command: `user:group`, numbers; the tests' own account must be root

_lock = threading.Lock()
_server: tuple[subprocess.Popen[bytes], str] | None = None


def mvc(words: Sequence[str], cwd: str, env: Mapping[str, str], stdin: bytes = b"") -> tuple[int, bytes, bytes]:
    """Run one command. Return its exit code, its stdout and its stderr."""
    given, out, err = (os.memfd_create(name) for name in ("stdin", "stdout", "stderr"))
    try:
        os.pwrite(given, stdin, 0)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.connect(address())
            fds = array.array("i", (given, out, err))
            line.sendmsg([b"!"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
            line.sendall(json.dumps([list(words), cwd, dict(env)]).encode("utf-8", "surrogatepass"))
            line.shutdown(socket.SHUT_WR)
            code = b"".join(iter(lambda: line.recv(100), b""))
        return int(code or -signal.SIGKILL), _all(out), _all(err)
    finally:
        for fd in (given, out, err):
            os.close(fd)


def _all(fd: int) -> bytes:
    return os.pread(fd, os.fstat(fd).st_size, 0)


def address() -> str:
    """The socket of the server of this test process. The first call starts the server; it ends with this process."""
    global _server  # noqa: PLW0603 - one for all tests of a process
    with _lock:
        if _server is None:
            folder = tempfile.mkdtemp(prefix="mvc-spawn-")
            address = os.path.join(folder, "socket")
            words = [sys.executable, "-P", "-m", "tests.support.spawn", address]
            root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
            env = {**os.environ, "PYTHONPATH": root, "OPENBLAS_NUM_THREADS": "1"}
            process = subprocess.Popen(words, env=env, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            _server = process, address
            atexit.register(_stop, process, address)
    return _server[1]


def _stop(process: subprocess.Popen[bytes], address: str) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()
    os.unlink(address)
    os.rmdir(os.path.dirname(address))


# -- in the server


def serve(address: str) -> None:
    import select

    _load()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the children are not waited for
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(address)
    listener.listen(64)
    print("ready", flush=True)
    gc.collect()
    gc.freeze()  # or every child would copy all of it
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in ready:
            return
        line, _ = listener.accept()
        if not os.fork():
            listener.close()
            _child(line)
        line.close()


def _load() -> None:
    import modelvc

    for module in pkgutil.walk_packages(modelvc.__path__, "modelvc."):
        if not module.name.endswith(("__main__", "drivers.script")):
            importlib.import_module(module.name)
    for name in ("modelvc.store.objects.zstd", "s3fs", "rich.table", "rich.progress", "yaml"):
        importlib.import_module(name)


def _child(line: socket.socket) -> None:
    """Become the command in LINE. This never returns."""
    _, control, _, _ = line.recvmsg(1, socket.CMSG_SPACE(12))
    fds = array.array("i", control[0][2])
    words, cwd, env = json.loads(b"".join(iter(lambda: line.recv(1 << 16), b"")).decode("utf-8", "surrogatepass"))
    for number, fd in enumerate(fds):
        os.dup2(fd, number)
        os.close(fd)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    if account := os.environ.pop(ACCOUNT, ""):
        _become(*map(int, account.split(":")))
    _as_started(words)
    code: Any = 70
    try:
        from modelvc.__main__ import main

        code = main()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:  # noqa: BLE001 - as the interpreter would
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
        code = 1
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    atexit._run_exitfuncs()
    line.sendall(str(code or 0).encode())
    os._exit(0)


def _become(user: int, group: int) -> None:
    """Become another account, with the usual umask. It may not enter the folder of the interpreter."""
    library = sysconfig.get_path("stdlib")
    held = os.open(library, os.O_RDONLY | os.O_DIRECTORY)
    packages = [getattr(module, "__path__", None) for module in tuple(sys.modules.values())]
    for path in (sys.path, *(one for one in packages if isinstance(one, list))):
        path[:] = [one.replace(library, f"/proc/self/fd/{held}", 1) for one in path]
    sys.path_importer_cache.clear()
    os.umask(0o022)
    os.setgroups([group])
    os.setgid(user)
    os.setuid(user)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE: or /proc/self belongs to the account before


def _as_started(words: list[str]) -> None:
    """Apply the environment as a new interpreter would, and the libraries that read it once."""
    sys.argv = ["mvc", *words]
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, encoding="utf-8", errors=errors, closefd=False)  # noqa: SIM115
        for number, mode, errors in ((0, "r", "strict"), (1, "w", "strict"), (2, "w", "backslashreplace"))
    )


if __name__ == "__main__":
    serve(sys.argv[1])
