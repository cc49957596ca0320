"""Azure Blob Storage through adlfs: connections, and the errors of Azure in mvc's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelvc.errors import ConfigError, RemoteBusy, RemoteDenied, RemoteError, shown
from modelvc.store.backends.api import KeyDenied

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelvc.store.backends.url import StoreLocation

_CREDENTIALS_HINT = (
    "set AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY "
    "(or AZURE_STORAGE_SAS_TOKEN)"
)
_ALLOW_HINT = "the key or SAS needs to read and list, and for a push to create and write"
_AGAIN_HINT = "run the command again: what was transferred is kept"
_BAD_KEY = {"AuthenticationFailed", "InvalidAuthenticationInfo", "NoAuthenticationInformation"}


class Unreachable(RemoteBusy):
    """The host does not answer."""


def connect(location: StoreLocation) -> Any:
    """A file system for the account in LOCATION, or else in the environment. Raises ConfigError or RemoteDenied."""
    from adlfs import AzureBlobFileSystem

    _, at, host = location.host.partition("@")
    account, _, suffix = host.partition(".")
    cloud = suffix.partition(".")[2]
    try:
        fs = AzureBlobFileSystem(
            **({"account_name": account, "account_host": f"{account}.blob.{cloud}"} if at else {}),
            skip_instance_cache=True,
            use_listings_cache=False,
            connection_timeout=10,
            read_timeout=60,
        )
    except ValueError as error:
        raise _unusable(location.url, str(error)) from None
    found = getattr(fs.service_client, "account_name", None)
    if at and found not in {account, None}:
        raise ConfigError(
            f"the environment has credentials for the account {shown(found, 80)}, "
            f"{shown(location.url)} names {account}",
            hint="set those of that account; a connection string names one itself",
        )
    policy = fs.service_client._config.retry_policy  # noqa: SLF001 - there is no public way
    policy.total_retries = 0  # mvc retries itself: it bounds and counts its requests
    return fs


def require_container(fs: Any, container: str) -> None:
    """Raise the error of adlfs where there is no CONTAINER; else a missing key would be all that a user sees."""
    try:
        fs.info(container)
    except FileNotFoundError:
        raise
    except Exception as error:  # a SAS may allow keys alone: then nothing is known about the container
        if explain(error, "", "") is None:
            raise


def explain(error: BaseException, name: str, key: str) -> RemoteError | None:
    """The RemoteError for ERROR about KEY ("" for none) in the store NAME; None where ERROR is not Azure's."""
    what = f"{key} in {shown(name)}" if key else shown(name)
    for cause in _causes(error):
        names = {kind.__name__ for kind in type(cause).__mro__}
        code, status = str(getattr(cause, "error_code", "") or ""), getattr(cause, "status_code", None) or 0
        text = str(cause).partition("\n")[0]
        if code == "ContainerNotFound" or "The specified container does not exist" in text:
            return RemoteError(
                f"there is no container for {shown(name)}",
                hint="create it with `az storage container create`, or correct the URL of the remote",
            )
        if code == "InvalidRange" or status == 416:
            return RemoteError(f"{what} is shorter than expected", hint="run `mvc fsck --remote`")
        if code in _BAD_KEY or status == 401 or "failed to authenticate" in text:
            why = f"{what}: the server does not accept these credentials ({shown(code or text, 100)})"
            return RemoteDenied(why, hint=_CREDENTIALS_HINT)
        if status == 403:
            denied = KeyDenied if key else RemoteDenied
            return denied(f"{what}: not allowed ({shown(code or text, 100)})", hint=_ALLOW_HINT)
        if "ServiceRequestError" in names:
            hint = "check the account, the network and a proxy if there is one"
            return Unreachable(f"cannot reach {shown(name)} ({shown(text, 100)})", hint=hint)
        if "ServiceResponseError" in names or status == 429 or status >= 500:
            return RemoteBusy(f"{what}: the server is busy ({shown(code or text, 100)})", hint=_AGAIN_HINT)
        if names & {"ClientAuthenticationError", "CredentialUnavailableError"}:
            return _unusable(name, text)
    return None


def _unusable(name: str, why: str) -> RemoteDenied:
    if "Must provide either a connection_string or account_name" in why:
        return RemoteDenied(f"there are no credentials for {shown(name)}", hint=_CREDENTIALS_HINT)
    return RemoteDenied(
        f"there are no usable credentials for {shown(name)} ({shown(why, 200)})", hint=_CREDENTIALS_HINT
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield ERROR and its causes: adlfs wraps the errors of Azure."""
    cause: BaseException | None = error
    for _ in range(8):
        if cause is None:
            return
        yield cause
        cause = cause.__cause__ or cause.__context__
