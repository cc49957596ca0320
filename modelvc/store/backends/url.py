"""The URLs of remotes. They come from repositories, so a URL only names a location: no chain, option or secret."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.errors import ConfigError, shown, shown_url

if TYPE_CHECKING:
    from typing import Final

SUPPORTED: Final = "a folder, or a URL of file://, s3://, sftp://, az:// or gs:// (not tested)"
_ALIASES = {"s3a": "s3", "ssh": "sftp", "gcs": "gs", "abfs": "az", "abfss": "az"}
_SCHEMES = frozenset({"file", "s3", "sftp", "gs", "az", "memory"})
_CLOUDS = ("core.windows.net", "core.usgovcloudapi.net", "core.chinacloudapi.cn")  # names of Azure itself
_BUCKET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")


@dataclass(frozen=True, slots=True)
class StoreLocation:
    """Where a store lies: the parts of its URL.

    `host`: a bucket, `[user@]host[:port]`, a container, or `container@account.dfs.core.windows.net`. `path`: without a
    "/" at its end.
    """

    scheme: str
    host: str
    path: str

    @property
    def url(self) -> str:
        """The one spelling of this location."""
        if self.scheme == "file":
            return self.path
        scheme = "abfss" if self.scheme == "az" and "@" in self.host else self.scheme
        return f"{scheme}://{self.host}" + (f"/{self.path.lstrip('/')}" if self.path else "")


def parse_url(url: str) -> StoreLocation:
    """The location in URL, which may also be an absolute folder. Raises ConfigError."""
    if not url or not url.isprintable():
        raise ConfigError(f'"{shown_url(url)}" is not a URL', hint=f"a remote is {SUPPORTED}")
    if "::" in url:
        raise ConfigError(
            f'"{shown_url(url)}" chains file systems with "::"; that is never followed',
            hint=f"a remote is {SUPPORTED}",
        )
    scheme, separator, rest = url.partition("://")
    if not separator:
        return _folder(url)
    scheme = _ALIASES.get(scheme.lower(), scheme.lower())
    if scheme not in _SCHEMES:
        raise ConfigError(f'"{shown(scheme, 40)}://" is not supported', hint=f"a remote is {SUPPORTED}")
    if scheme == "file":
        return _folder(_file_path(url, rest))
    host, _, path = rest.partition("/")
    account = ""
    if scheme == "az" and "@" in host and ":" not in host:
        host, _, account = host.partition("@")
        _check_azure(url, account)
    _check_account(scheme, host)
    if scheme == "sftp":
        return _sftp(url, host, path)
    if not host or not _BUCKET.issuperset(host):
        raise ConfigError(f'"{shown_url(url)}" names no bucket', hint=f"write {scheme}://BUCKET/PREFIX")
    return StoreLocation(scheme, f"{host}@{account}" if account else host, "/".join(_parts(url, path)))


def absolute_url(url: str, cwd: str) -> str:
    """URL for use: in its one spelling; a relative folder is made absolute from CWD. Raises ConfigError."""
    if is_relative(url):
        url = os.path.join(cwd, url)
    return parse_url(url).url


def is_relative(url: str) -> bool:
    """Whether URL is a relative folder."""
    return bool(url) and "://" not in url and not os.path.isabs(url) and not _looks_remote(url)


def committed_url(url: str, cwd: str, top: str) -> str:
    """URL for a commit: in its one spelling; a folder relative to CWD is made relative to TOP. Raises ConfigError."""
    if not is_relative(url):
        return parse_url(url).url
    found = os.path.relpath(parse_url(os.path.join(cwd, url)).url, top)
    return found if is_relative(found) and not found.startswith("-") else f"./{found}"


def _folder(path: str) -> StoreLocation:
    if _looks_remote(path):
        raise ConfigError(
            f'"{shown_url(path)}" could be a folder or a host',
            hint=f"write ./{shown_url(path)} for the folder, or sftp://HOST/PATH",
        )
    if not os.path.isabs(path):
        raise ConfigError(
            f'the folder "{shown_url(path)}" is relative: it would be another one in each clone',
            hint="write it as an absolute path",
        )
    return StoreLocation("file", "", os.path.normpath(path))


def _looks_remote(path: str) -> bool:
    """Whether PATH is `host:path` or `scheme:path`: a colon before the first slash, as Git sees it."""
    return ":" in path.partition("/")[0]


def _file_path(url: str, rest: str) -> str:
    from urllib.parse import unquote

    host, slash, path = rest.partition("/")
    if not slash or host not in {"", "localhost"}:
        raise ConfigError(f'"{shown_url(url)}" names a host', hint="write file:///absolute/path")
    found = unquote("/" + path)
    if not found.isprintable():
        raise ConfigError(f'"{shown_url(url)}" has a control character in it', hint="write file:///absolute/path")
    return found


def _check_account(scheme: str, host: str) -> None:
    account, at, _ = host.rpartition("@")
    if at and (scheme != "sftp" or ":" in account):
        raise ConfigError(
            f"the {scheme}:// URL holds credentials, which everyone who clones could read",
            hint="take them out of the URL: they belong into the environment, ~/.aws or ~/.ssh",
        )


def _check_azure(url: str, host: str) -> None:
    """Refuse an account on another host than Azure's: the URL could send signed requests to any host."""
    account, _, service = host.partition(".")
    kind, _, cloud = service.partition(".")
    if not account.isascii() or not account.isalnum() or kind not in {"dfs", "blob"} or cloud not in _CLOUDS:
        raise ConfigError(
            f'"{shown_url(url)}" names no account of Azure',
            hint="write abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/FOLDER, or az://CONTAINER/FOLDER",
        )


def _sftp(url: str, host: str, path: str) -> StoreLocation:
    user, at, address = host.rpartition("@")
    name, _, port = address.partition(":")
    good = name and not name.startswith("-") and _BUCKET.issuperset(name) and (not at or _BUCKET.issuperset(user))
    if not good or not path or (port and not (port.isascii() and port.isdigit() and int(port) < 65536)):
        raise ConfigError(
            f'"{shown_url(url)}" does not name a host and a folder',
            hint="write sftp://[USER@]HOST[:PORT]/FOLDER, or sftp://HOST/~/FOLDER below the home folder",
        )
    home = path.startswith("~/")
    parts = _parts(url, path.removeprefix("~/"))
    return StoreLocation("sftp", host, ("~/" if home else "/") + "/".join(parts))


def _parts(url: str, path: str) -> list[str]:
    if "?" in path or "#" in path:
        raise ConfigError(f'"{shown_url(url)}" has "?" or "#" in it', hint="choose a plain folder name")
    parts = path.strip("/").split("/") if path.strip("/") else []
    if any(part in {"", ".", ".."} for part in parts):
        raise ConfigError(
            f'"{shown_url(url)}" has an empty, "." or ".." part', hint="write the folder without such parts"
        )
    return parts
