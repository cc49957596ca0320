"""A real SSH server for tests: OpenSSH on a free port of 127.0.0.1, with its own keys."""

from __future__ import annotations

import atexit
import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass

import pytest

from tests.support.s3 import die_with_parent

SSHD = "/usr/sbin/sshd"
_shared: Sshd | None = None
_lock = threading.Lock()
_CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
PidFile none
AuthorizedKeysFile {folder}/user.pub
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
PermitRootLogin prohibit-password
Subsystem sftp internal-sftp
MaxStartups 100
"""
_CLIENT = """
Host mvc-test
  HostName 127.0.0.1
  Port {port}
  User {user}
  IdentityFile {folder}/user
  UserKnownHostsFile {folder}/known_hosts
"""


@dataclass(frozen=True, slots=True)
class Sshd:
    """A running server, and a home folder whose ~/.ssh/config calls it `mvc-test`."""

    port: int
    folder: str
    home: str
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def start() -> Sshd:
    if not os.path.exists(SSHD):
        pytest.skip(f"no SSH server: {SSHD} is missing (Debian: openssh-server)")
    folder = tempfile.mkdtemp(prefix="mvc-sshd-")
    for name in ("host", "user"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{folder}/{name}"]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    os.makedirs(f"{folder}/home/.ssh", mode=0o700)
    os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    _write(f"{folder}/sshd_config", _CONFIG.format(port=port, folder=folder))
    _write(f"{folder}/home/.ssh/config", _CLIENT.format(port=port, folder=folder, user=getpass.getuser()))
    with open(f"{folder}/host.pub", encoding="ascii") as file:
        _write(f"{folder}/known_hosts", f"[127.0.0.1]:{port} {file.read()}")
    with open(f"{folder}/log", "wb") as log:
        command = [SSHD, "-D", "-e", "-f", f"{folder}/sshd_config"]
        process = subprocess.Popen(command, stdout=log, stderr=log, preexec_fn=die_with_parent)  # noqa: PLW1509 - as in s3
    server = Sshd(port, folder, f"{folder}/home", process)
    try:
        _wait_ready(server)
    except BaseException:
        server.stop()
        raise
    return server


def shared() -> Sshd:
    """The server of this test process. The first call starts it; it is killed at the end of the process."""
    global _shared  # noqa: PLW0603 - a session fixture that several modules import would start several servers
    with _lock:
        if _shared is None:
            _shared = start()
            atexit.register(_shared.stop)
        return _shared


def _wait_ready(server: Sshd) -> None:
    for _ in range(200):
        if server.process.poll() is not None:
            break
        try:
            with socket.create_connection(("127.0.0.1", server.port), timeout=1) as connection:
                if connection.recv(4) == b"SSH-":
                    return
        except OSError:
            pass
        time.sleep(0.05)
    with open(f"{server.folder}/log", encoding="utf-8", errors="replace") as file:
        raise RuntimeError(f"sshd did not start:\n{file.read()}")


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
