"""The errors of S3 servers and of the network, in mvc's words. Pure: an exception in, an S3Failure out."""

from __future__ import annotations

import shlex
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelvc.errors import KeyMissing, RemoteBusy, RemoteChanged, RemoteDenied, RemoteError, shown
from modelvc.store.backends.api import KeyDenied, NotUnderstood

if TYPE_CHECKING:
    from collections.abc import Mapping

_CREDENTIALS_HINT = (
    "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run `aws configure`; "
    "`mvc remote add ... --profile NAME` picks a profile for one remote, `-o anonymous=true` reads a public bucket"
)
_EXPIRED_HINT = "get fresh ones (`aws sso login`, or ask who gave you the token), then run the command again"
_ALLOW_HINT = (
    "the account needs s3:ListBucket on the bucket, and s3:GetObject, s3:PutObject, s3:DeleteObject on its keys"
)
_AGAIN_HINT = "run the command again: what was transferred is kept"
_NEEDS_HINT = "ask who runs the server: mvc needs ListObjectsV2, HeadObject, GetObject with a range, and PutObject"

_NO_CREDENTIALS = {"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "NoAuthTokenError"}
_NO_CREDENTIALS |= {"ProfileNotFound", "ConfigNotFound", "ConfigParseError", "InvalidConfigError"}
_NO_CREDENTIALS |= {"MetadataRetrievalError", "UnknownCredentialError"}
_NO_SESSION = {"SSOTokenLoadError", "UnauthorizedSSOTokenError", "TokenRetrievalError", "SSOError"}
_NO_SESSION |= {"LoginError", "LoginTokenLoadError", "LoginAuthorizationCodeError"}
_UNREACHABLE = {"EndpointConnectionError", "ConnectTimeoutError", "ProxyConnectionError"}
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"}
_BAD_KEY = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "InvalidSecurity"}
_REGION = {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}
_REGION |= {"TemporaryRedirect", "Redirect", "301", "307"}
_BUSY = {"SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "OperationAborted", "BadDigest"}
_BUSY |= {"IncompleteBody", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch", "TooManyRequests"}
_BUSY |= {"Throttling", "ThrottlingException", "RequestThrottled", "BandwidthLimitExceeded"}


@dataclass(frozen=True, slots=True)
class S3Request:
    """The facts of a request that messages need."""

    name: str  # the URL of the remote
    bucket: str
    endpoint: str  # a URL, or the name of the service
    key: str = ""

    @property
    def what(self) -> str:
        """The object of the request, in words: a key, or the whole remote."""
        return f"{shown(self.key)} in {shown(self.name)}" if self.key else shown(self.name)


@dataclass(frozen=True, slots=True)
class S3Failure:
    """The error to raise. `retry`: whether another try may help first. `unreachable`: the host did not answer."""

    error: RemoteError
    retry: bool = False
    unreachable: bool = False


def explain(error: BaseException, request: S3Request) -> S3Failure:
    """The failure that ERROR means. Every ERROR, also an unknown one, becomes one of mvc's own errors."""
    cause = error
    while not hasattr(cause, "response") and cause.__cause__ is not None and not _is_transport(cause):
        cause = cause.__cause__  # s3fs wraps the error of the server
    response = getattr(cause, "response", None)
    if isinstance(response, dict):
        return _answered(response, request)
    return _unanswered(cause, request)


def _answered(response: Mapping[str, Any], request: S3Request) -> S3Failure:
    said = response.get("Error") or {}
    code = str(said.get("Code", ""))
    status = int((response.get("ResponseMetadata") or {}).get("HTTPStatusCode") or 0)
    words = shown(said.get("Message") or code or f"status {status}", 200)
    if code == "NoSuchBucket":
        return S3Failure(_no_bucket(request))
    if code in {"NoSuchKey", "NotFound", "404"} or status == 404:
        return S3Failure(KeyMissing(f"{request.what} does not exist"))
    if code == "ConditionalRequestConflict":  # two writers met; S3 asks for another try
        return S3Failure(RemoteChanged(f"{request.what} is being written by another client"), retry=True)
    if code == "PreconditionFailed" or status == 412:
        return S3Failure(RemoteChanged(f"{request.what} was changed by another client"))
    if code in _REGION or status in {301, 307}:
        return S3Failure(_wrong_region(response, request, words))
    if code in _BUSY or status == 429 or (status >= 500 and status != 501):
        return S3Failure(RemoteBusy(f"{request.what}: the server is busy ({words})", hint=_AGAIN_HINT), retry=True)
    if code in _EXPIRED or (code == "AccessDenied" and "expired" in words.lower()):
        return S3Failure(RemoteDenied(f"the credentials for {shown(request.name)} have expired", hint=_EXPIRED_HINT))
    if code == "RequestTimeTooSkewed":
        hint = "set this computer's clock (a server refuses requests that are 15 minutes off)"
        return S3Failure(RemoteDenied(f"{request.what}: this computer's clock is wrong ({words})", hint=hint))
    if code in _BAD_KEY:
        hint = _CREDENTIALS_HINT
        return S3Failure(
            RemoteDenied(f"{request.what}: the server does not accept these credentials ({words})", hint=hint)
        )
    if status in {401, 403}:
        denied = KeyDenied if request.key else RemoteDenied
        return S3Failure(denied(f"{request.what}: not allowed ({words})", hint=_ALLOW_HINT))
    if code == "InvalidRange" or status == 416:
        return S3Failure(RemoteError(f"{request.what} is shorter than expected", hint="run `mvc fsck --remote`"))
    kind = NotUnderstood if status in {400, 501} else RemoteError
    return S3Failure(kind(f"{request.what}: {words} ({shown(code, 60)}, status {status})", hint=_NEEDS_HINT))


def _unanswered(error: BaseException, request: S3Request) -> S3Failure:
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & _NO_SESSION:
        return S3Failure(RemoteDenied(f"the sign-in for {shown(request.name)} has expired", hint=_EXPIRED_HINT))
    if "NoCredentialsError" in names:
        return S3Failure(RemoteDenied(f"there are no credentials for {shown(request.name)}", hint=_CREDENTIALS_HINT))
    if names & _NO_CREDENTIALS:
        why = shown(error, 200)
        return S3Failure(
            RemoteDenied(f"there are no usable credentials for {shown(request.name)}: {why}", hint=_CREDENTIALS_HINT)
        )
    inner = getattr(error, "kwargs", {}).get(
        "error"
    )  # botocore keeps the error about a bundle that is no certificate there
    if names & {"SSLError", "ClientSSLError"} or isinstance(error, ssl.SSLError) or isinstance(inner, ssl.SSLError):
        hint = (
            "check the endpoint; a private authority's certificate belongs into AWS_CA_BUNDLE or the remote's ca_bundle"
        )
        return S3Failure(RemoteError(f"{shown(request.endpoint)} has no certificate that can be trusted", hint=hint))
    if names & _UNREACHABLE:
        hint = "check the endpoint, the network and a proxy if there is one"
        return S3Failure(RemoteBusy(f"cannot reach {shown(request.endpoint)}", hint=hint), retry=True, unreachable=True)
    if "HTTPClientError" in names and "header" in str(error).lower():  # aiohttp, before anything is sent
        hint = "set them again without line breaks and control characters"
        return S3Failure(
            RemoteDenied(f"the credentials for {shown(request.name)} have a line break in them", hint=hint)
        )
    if _is_transport(error):
        why = "no answer in time" if "Timeout" in type(error).__name__ else "the connection broke"
        return S3Failure(RemoteBusy(f"{request.what}: {why}", hint=_AGAIN_HINT), retry=True)
    if isinstance(error, OSError) and error.filename:  # a token or a certificate that a setting names
        why = f"{shown(error.filename, 200)}: {shown(error.strerror or error, 200)}"
        hint = (
            "correct the setting that names it: AWS_WEB_IDENTITY_TOKEN_FILE, AWS_CA_BUNDLE, ca_bundle or ~/.aws/config"
        )
        return S3Failure(RemoteDenied(f"{request.what}: a file that a setting names cannot be read: {why}", hint=hint))
    return S3Failure(RemoteError(f"{request.what}: {shown(error, 200)} ({type(error).__name__})"))


def _is_transport(error: BaseException) -> bool:
    """Whether ERROR is about the connection: an error of botocore, aiohttp, or the operating system."""
    names = {kind.__name__ for kind in type(error).__mro__}
    known = {"HTTPClientError", "ConnectionClosedError", "ReadTimeoutError", "ResponseStreamingError"}
    known |= {"IncompleteReadError", "IncompleteRead", "ResponseParserError", "FSTimeoutError"}
    known |= {"ClientPayloadError", "ClientConnectionError", "ServerDisconnectedError"}
    return bool(names & known) or isinstance(error, (ConnectionError, TimeoutError))


def _no_bucket(request: S3Request) -> RemoteError:
    where = f" --endpoint-url {shlex.quote(shown(request.endpoint))}" if "://" in request.endpoint else ""
    return RemoteError(
        f"there is no bucket {shown(request.bucket, 80)} at {shown(request.endpoint)}",
        hint=f"create it with `aws s3 mb s3://{shown(request.bucket, 80)}{where}`, or correct the URL of the remote",
    )


def _wrong_region(response: Mapping[str, Any], request: S3Request, words: str) -> RemoteError:
    headers = (response.get("ResponseMetadata") or {}).get("HTTPHeaders") or {}
    region = (response.get("Error") or {}).get("Region") or headers.get("x-amz-bucket-region")
    if not region:
        return RemoteError(
            f"the bucket {shown(request.bucket, 80)} lies in another region ({words})",
            hint="ask with `aws s3api get-bucket-location`, then add the remote with `--region`",
        )
    region = shown(region, 40)
    return RemoteError(
        f"the bucket {shown(request.bucket, 80)} lies in the region {region}",
        hint=f"add the remote again with `--region {region}`",
    )
