from __future__ import annotations

from dataclasses import replace

import botocore.exceptions as boto
import pytest
from s3fs.errors import translate_boto_error

from modelvc.errors import KeyMissing, RemoteBusy, RemoteChanged, RemoteDenied, RemoteError
from modelvc.store.backends.api import KeyDenied, NotUnderstood
from modelvc.store.backends.s3errors import S3Request, explain

REQUEST = S3Request("s3://models/team", "models", "https://s3.example.org", "config")


def said(code: str, status: int, **more: object) -> Exception:
    headers = more.pop("headers", {})
    response = {
        "Error": {"Code": code, "Message": f"{code}!", **more},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": headers},
    }
    return boto.ClientError(response, "PutObject")


@pytest.mark.parametrize("wrap", [False, True], ids=["bare", "s3fs"])
@pytest.mark.parametrize(
    ("code", "status", "kind", "retry"),
    [
        ("NoSuchKey", 404, KeyMissing, False),
        ("404", 404, KeyMissing, False),
        ("NoSuchBucket", 404, RemoteError, False),
        ("PreconditionFailed", 412, RemoteChanged, False),
        ("412", 412, RemoteChanged, False),
        ("ConditionalRequestConflict", 409, RemoteChanged, True),
        ("OperationAborted", 409, RemoteBusy, True),
        ("AccessDenied", 403, KeyDenied, False),
        ("403", 403, KeyDenied, False),
        ("ExpiredToken", 400, RemoteDenied, False),
        ("InvalidAccessKeyId", 403, RemoteDenied, False),
        ("SignatureDoesNotMatch", 403, RemoteDenied, False),
        ("RequestTimeTooSkewed", 403, RemoteDenied, False),
        ("SlowDown", 503, RemoteBusy, True),
        ("502", 502, RemoteBusy, True),
        ("429", 429, RemoteBusy, True),
        ("NotImplemented", 501, NotUnderstood, False),
        ("InvalidArgument", 400, NotUnderstood, False),
        ("MethodNotAllowed", 405, RemoteError, False),
        ("InvalidRange", 416, RemoteError, False),
        ("PermanentRedirect", 301, RemoteError, False),
    ],
)
def test_what_a_server_says(code: str, status: int, kind: type, retry: bool, wrap: bool):  # noqa: FBT001
    error = said(code, status)
    verdict = explain(translate_boto_error(error) if wrap else error, REQUEST)
    assert (type(verdict.error), verdict.retry) == (kind, retry)
    assert "models" in str(verdict.error)


@pytest.mark.parametrize(
    ("error", "kind", "retry", "hint"),
    [
        (boto.NoCredentialsError(), RemoteDenied, False, "AWS_PROFILE"),
        (boto.PartialCredentialsError(provider="env", cred_var="x"), RemoteDenied, False, "AWS_ACCESS_KEY_ID"),
        (boto.ProfileNotFound(profile="x"), RemoteDenied, False, "--profile"),
        (boto.UnauthorizedSSOTokenError(), RemoteDenied, False, "aws sso login"),
        (boto.TokenRetrievalError(provider="sso", error_msg="x"), RemoteDenied, False, "aws sso login"),
        (boto.EndpointConnectionError(endpoint_url="x"), RemoteBusy, True, "endpoint"),
        (boto.ConnectTimeoutError(endpoint_url="x"), RemoteBusy, True, "network"),
        (boto.ReadTimeoutError(endpoint_url="x"), RemoteBusy, True, "again"),
        (boto.ConnectionClosedError(endpoint_url="x"), RemoteBusy, True, "again"),
        (boto.SSLError(endpoint_url="x", error="x"), RemoteError, False, "AWS_CA_BUNDLE"),
        (boto.ParamValidationError(report="x"), RemoteError, False, ""),
        (ConnectionResetError(), RemoteBusy, True, "again"),
        (TimeoutError(), RemoteBusy, True, "again"),
        (FileNotFoundError(2, "No such file", "/token"), RemoteDenied, False, "AWS_WEB_IDENTITY_TOKEN_FILE"),
        (ZeroDivisionError("x"), RemoteError, False, ""),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_what_stops_a_request(error: Exception, kind: type, retry: bool, hint: str):  # noqa: FBT001
    verdict = explain(error, REQUEST)
    assert (type(verdict.error), verdict.retry) == (kind, retry)
    assert hint in verdict.error.hint


def test_an_endpoint_is_named():
    verdict = explain(boto.EndpointConnectionError(endpoint_url="x"), REQUEST)
    assert str(verdict.error) == "cannot reach https://s3.example.org"
    assert verdict.unreachable


def test_a_missing_bucket_comes_with_the_command_that_makes_it():
    error = explain(said("NoSuchBucket", 404), REQUEST).error
    assert str(error) == "there is no bucket models at https://s3.example.org"
    assert "`aws s3 mb s3://models --endpoint-url https://s3.example.org`" in error.hint
    error = explain(said("NoSuchBucket", 404), replace(REQUEST, endpoint="Amazon S3")).error
    assert "`aws s3 mb s3://models`" in error.hint


def test_the_region_is_read_from_the_header_too():
    error = explain(said("301", 301, headers={"x-amz-bucket-region": "eu-west-1"}), REQUEST).error
    assert str(error) == "the bucket models lies in the region eu-west-1"
    assert "--region eu-west-1" in error.hint


def test_hostile_words_are_shown_harmlessly():
    error = explain(said("Odd", 400, Message="\x1b[2J" + "x" * 1000), REQUEST).error
    assert "\x1b" not in str(error)
    assert len(str(error)) < 400
