"""Connections over SFTP: the file system of fsspec, with the host keys and the configuration of the user's ssh."""

from __future__ import annotations

import os
from typing import Any

from modelvc.errors import ConfigError, shown

try:
    import paramiko
    from fsspec.implementations.sftp import SFTPFileSystem
except ImportError:
    raise ConfigError(
        "sftp:// needs a package that is not installed", hint="run `pip install 'modelvc[sftp]'`"
    ) from None

_SECONDS = 15  # to connect
_PIECE = 32 << 10  # bytes of one read: paramiko puts larger ones together by copying all earlier bytes each time
_KNOWN_HOSTS = ("/etc/ssh/ssh_known_hosts", "~/.ssh/known_hosts")


class StrictSFTPFileSystem(SFTPFileSystem):  # type: ignore[misc] # fsspec has no types
    """SFTP that refuses an unknown host key, and does not wait for an answer to each 32 KiB, as that of fsspec does."""

    def _connect(self) -> None:
        client = paramiko.SSHClient()
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        for path in self.ssh_kwargs.pop("known_hosts"):
            if os.path.exists(path):
                client.load_system_host_keys(path)
        client.connect(self.host, **self.ssh_kwargs)
        self.client = client
        self.ftp = client.open_sftp()
        self.ftp.get_channel().settimeout(60)

    def _open(self, path: str, mode: str = "rb", **_: Any) -> Any:
        file = self.ftp.open(path, mode)
        if "w" in mode:
            file.set_pipelined(True)
        return file

    def cat_file(self, path: str, start: int, end: int, **_: Any) -> bytes:
        with self.ftp.open(path, "rb") as file:
            return b"".join(file.readv([(at, min(_PIECE, end - at)) for at in range(start, end, _PIECE)]))


def connect(host: str) -> StrictSFTPFileSystem:
    """A connection to HOST, `[user@]host[:port]`, as `ssh` makes it. Raises ConfigError for a host behind a proxy."""
    user, _, address = host.rpartition("@")
    name, _, port = address.partition(":")
    settings = _settings(name)
    if "proxycommand" in settings or "proxyjump" in settings:
        raise ConfigError(
            f"~/.ssh/config reaches {shown(name)} through another host, which mvc does not support",
            hint="open a tunnel with `ssh -L`, or mount the folder with sshfs",
        )
    return StrictSFTPFileSystem(
        settings.get("hostname", name),
        skip_instance_cache=True,
        known_hosts=[os.path.expanduser(path) for path in settings.get("userknownhostsfile", "").split()]
        or [os.path.expanduser(path) for path in _KNOWN_HOSTS],
        port=int(port or settings.get("port", 22)),
        username=user or settings.get("user"),
        key_filename=settings.get("identityfile"),
        timeout=_SECONDS,
        banner_timeout=_SECONDS,
        auth_timeout=_SECONDS,
    )


def _settings(name: str) -> dict[str, Any]:
    """The settings of ~/.ssh/config for the host NAME."""
    path = os.path.expanduser("~/.ssh/config")
    if not os.path.exists(path):
        return {}
    return dict(paramiko.SSHConfig.from_path(path).lookup(name))
