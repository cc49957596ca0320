"""A store in a bucket, through s3fs: its session, its event loop and its calls, and none of its caches.

A method makes one request; a read of ranges makes one for each merged run of ranges. All requests run on the event loop
of s3fs, and callers wait in their own threads. They compute the checksums there, so that the loop moves bytes alone.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from modelvc.errors import ConfigError, KeyMissing, RemoteChanged, RemoteError
from modelvc.store.backends import refusals, retry, s3errors
from modelvc.store.backends.api import Capabilities, Entry
from modelvc.store.backends.keys import check_key, check_prefix, is_key
from modelvc.store.backends.s3body import answer_body, request_body
from modelvc.store.backends.spans import merge, scatter

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterator, Sequence
    from concurrent.futures import Future

    from modelvc.store.backends.api import Data
    from modelvc.store.backends.options import RemoteOptions
    from modelvc.store.backends.retry import Waits
    from modelvc.store.backends.url import StoreLocation

_T = TypeVar("_T")
_PAGE = 1000
_TOGETHER = 16  # requests of one call that run at once
_CLOCK = 60  # seconds for which the last Date of the server is used, advanced by the clock of this computer
_SLOWEST = 64 << 10  # bytes per second; a slower upload counts as stuck
_UNASKED = 64 << 10  # bytes of the largest body that is sent without "Expect: 100-continue"
_CONFIG: dict[str, Any] = {
    "connect_timeout": 10,
    "read_timeout": 60,
    "max_pool_connections": 64,
    "retries": {"total_max_attempts": 1, "mode": "standard"},  # mvc retries itself: it bounds and counts its requests
    # The signature covers the checksum of the body, which the server verifies, so that the body is hashed once. On the
    # way back, mvc verifies every chunk against its name.
    "s3": {"payload_signing_enabled": False},
    "request_checksum_calculation": "when_required",  # mvc sends one itself, where the server and the user want it
    "response_checksum_validation": "when_required",
    "user_agent_extra": "modelvc",
}


class S3Backend:
    """The store at LOCATION in a bucket; the methods are those of `api.MeasurableBackend`."""

    def __init__(self, location: StoreLocation, options: RemoteOptions, waits: Waits | None = None) -> None:
        self.name = location.url
        self.capabilities = Capabilities(conditional=True, page=_PAGE)
        self.requests = 0
        self._bucket = location.host
        self._prefix = f"{location.path}/" if location.path else ""
        self._options = options
        self._waits = waits or retry.Waits()
        self._lock = threading.Lock()
        self._fs: Any = None
        self._reached = False
        self._stopped = False
        self._running: set[Future[Any]] = set()
        self._date = (0.0, 0.0)  # the clock of the server, and time.monotonic() of its answer
        self._may_check = True  # whether the user's configuration allows checksums
        self._paid = {"RequestPayer": "requester"} if options.own.get("requester_pays") else {}
        written = {"sse": "ServerSideEncryption", "sse_kms_key_id": "SSEKMSKeyId", "acl": "ACL"}
        self._written = {name: options.own[key] for key, name in written.items() if key in options.own}

    def server(self) -> str:
        self._filesystem()
        return f"{self._request('').endpoint} {self.name}"

    def rely_on(self, capabilities: Capabilities) -> None:
        self.capabilities = capabilities

    # -- the protocol

    def list(self, prefix: str) -> Iterator[Entry]:
        where = self._prefix + check_prefix(prefix)
        page: Future[dict[str, Any]] = self._start(lambda: self._call("list_objects_v2", "", Prefix=where))
        while True:
            answer = page.result()
            token = answer.get("NextContinuationToken")
            if answer.get("IsTruncated") and not token:
                raise RemoteError(
                    f"{self.name}: the server truncates its listing without a continuation token",
                    hint="run the command again; if it fails again, run `mvc doctor`",
                )
            if answer.get("IsTruncated"):  # the next page travels while this one is used
                page = self._start(partial(self._call, "list_objects_v2", "", Prefix=where, ContinuationToken=token))
            for found in answer.get("Contents", ()):
                key = found["Key"].removeprefix(self._prefix)
                if is_key(key):  # a bucket may hold other keys, such as the markers of folders
                    yield Entry(key, found["Size"], _plain(found["ETag"]), found["LastModified"].timestamp())
            if not answer.get("IsTruncated"):
                return

    def stat(self, keys: Collection[str]) -> dict[str, Entry]:
        wanted = [check_key(key) for key in keys]
        found = self._wait(lambda: _gather([partial(self._head, key) for key in wanted]))
        return {entry.key: entry for entry in found if entry is not None}

    def read(self, key: str, *, limit: int) -> tuple[bytes, Entry]:
        check_key(key)
        answer, data = self._wait(lambda: self._get(key, None, limit))
        return data, Entry(key, len(data), _plain(answer["ETag"]), answer["LastModified"].timestamp())

    def read_ranges(self, key: str, ranges: Sequence[tuple[int, int]]) -> Sequence[bytes]:
        check_key(key)
        spans = merge(ranges)
        asks = [partial(self._range, key, span.start, span.stop) for span in spans]
        bodies = self._wait(lambda: _gather(asks))
        return scatter(ranges, spans, bodies)

    def create(self, key: str, data: Data) -> Entry:
        if self.capabilities.conditional:
            return self._put(key, data, IfNoneMatch="*")
        if self.stat([key]):
            raise refusals.exists(key, self.name)
        return self._put(key, data)

    def put(self, key: str, data: Data) -> Entry:
        return self._put(key, data)

    def replace(self, key: str, data: Data, etag: str) -> Entry:
        if self.capabilities.conditional:
            return self._put(key, data, IfMatch=f'"{etag}"')
        self._check(check_key(key), etag)
        return self._put(key, data)

    def delete(self, key: str, etag: str | None) -> None:
        check_key(key)
        condition = {"IfMatch": f'"{etag}"'} if etag is not None and self.capabilities.conditional else {}
        if etag is not None and not condition and self.stat([key]):
            self._check(key, etag)
        try:
            self._wait(lambda: self._call("delete_object", key, **condition))
        except KeyMissing:
            return
        except RemoteChanged:
            if self._wait(lambda: self._head(key)) is not None:
                raise

    def now(self, *, write: bool = True) -> float:  # noqa: ARG002 - the server tells it to readers
        server, then = self._date
        if not server or not 0 <= time.monotonic() - then < _CLOCK:
            self._wait(lambda: self._call("list_objects_v2", "", Prefix=f"{self._prefix}config", MaxKeys=1))
            server, then = self._date
        if not server:
            raise RemoteError(f"{self.name}: the server does not report its time", hint="use another remote")
        return server + (time.monotonic() - then)

    def abort(self) -> None:
        with self._lock:
            self._stopped = True
            running = tuple(self._running)
        for future in running:
            future.cancel()

    def close(self) -> None:
        with self._lock:
            fs, self._fs = self._fs, None
        if fs is not None and fs._s3 is not None:  # noqa: SLF001 - s3fs has no public way to close
            asyncio.run_coroutine_threadsafe(fs._s3.__aexit__(None, None, None), fs.loop).result(10)  # noqa: SLF001

    # -- one request

    def _put(self, key: str, data: Data, **condition: str) -> Entry:
        check_key(key)
        self._filesystem()  # connecting sets _may_check
        arguments = request_body(data, checksums=self.capabilities.checksums and self._may_check)
        arguments |= self._written
        if (
            key.startswith("packs/") and "storage_class" in self._options.own
        ):  # such a class may cost more for small keys
            arguments["StorageClass"] = self._options.own["storage_class"]
        seconds = _CONFIG["read_timeout"] + len(data) / _SLOWEST

        async def ask() -> dict[str, Any]:
            async with asyncio.timeout(seconds):  # the timeouts of aiohttp cover reading, and not sending
                return await self._ask("put_object", key, **arguments, **condition)

        answer = self._wait(lambda: self._persist(ask, key))
        return Entry(key, len(data), _plain(answer["ETag"]), _date(answer) or time.time())

    def _check(self, key: str, etag: str) -> None:
        """Raise RemoteChanged unless KEY has ETAG: the place of a condition, for servers without them."""
        found = self.stat([key]).get(key)
        if found is None or found.etag != etag:
            raise refusals.changed(key, self.name)

    async def _head(self, key: str) -> Entry | None:
        try:
            found = await self._call("head_object", key)
        except KeyMissing:
            return None
        return Entry(key, found["ContentLength"], _plain(found["ETag"]), found["LastModified"].timestamp())

    async def _range(self, key: str, start: int, stop: int) -> bytes:
        _, data = await self._get(key, f"bytes={start}-{stop - 1}", stop - start)
        if len(data) != stop - start:
            raise refusals.too_short(key, self.name)
        return data

    async def _get(self, key: str, byte_range: str | None, limit: int) -> tuple[dict[str, Any], bytes]:
        arguments = {} if byte_range is None else {"Range": byte_range}

        async def ask() -> tuple[dict[str, Any], bytes]:
            answer = await self._ask("get_object", key, **arguments)
            async with answer["Body"] as body:
                if answer["ContentLength"] > limit:
                    raise refusals.too_large(key, self.name, limit)
                return answer, await answer_body(body, answer["ContentLength"])

        return await self._persist(ask, key)

    async def _call(self, method: str, key: str, **arguments: Any) -> dict[str, Any]:
        return await self._persist(lambda: self._ask(method, key, **arguments), key)

    async def _persist(self, ask: Callable[[], Awaitable[_T]], key: str) -> _T:
        """The answer of ASK; a transient failure is retried. Raises RemoteError about KEY."""
        waits = retry.delays()
        while True:
            try:
                return await ask()
            except RemoteError:
                raise
            except Exception as error:  # noqa: BLE001 - foreign exceptions end here
                failure = s3errors.explain(error, self._request(key))
            # A host that never answered is a wrong name: another try does not help.
            if not failure.retry or not waits or (failure.unreachable and not self._reached):
                raise _final(failure, reached=self._reached)
            wait = waits.pop(0)
            self._waits.announce(failure.error, wait)
            await asyncio.sleep(wait)

    async def _ask(self, method: str, key: str, **arguments: Any) -> dict[str, Any]:
        if key:
            arguments["Key"] = self._prefix + key
        answer: dict[str, Any] = await self._fs._call_s3(method, Bucket=self._bucket, **self._paid, **arguments)  # noqa: SLF001
        self._reached = True
        date = _date(answer)
        if date is not None:
            self._date = (date, time.monotonic())
        return answer

    # -- s3fs

    def _wait(self, make: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        return self._start(make).result()

    def _start(self, make: Callable[[], Coroutine[Any, Any, _T]]) -> Future[_T]:
        fs = self._filesystem()
        with self._lock:
            if self._stopped:
                raise RemoteError(f"{self.name}: interrupted")
            future = asyncio.run_coroutine_threadsafe(make(), fs.loop)
            self._running.add(future)
        future.add_done_callback(self._running.discard)
        return future

    def _filesystem(self) -> Any:
        with self._lock:
            if self._fs is None:
                self._fs = self._connect()
            return self._fs

    def _connect(self) -> Any:
        from aiobotocore.session import AioSession
        from fsspec.asyn import sync
        from s3fs import S3FileSystem

        options = self._options
        session = AioSession(profile=options.profile or None)
        session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_timestamp)
        own = options.own
        client_kwargs = {"region_name": options.region, "verify": own.get("ca_bundle")}
        fs = S3FileSystem(
            session=session,
            anon=bool(own.get("anonymous")),
            skip_instance_cache=True,
            use_listings_cache=False,
            config_kwargs={**_CONFIG, "s3": {**_CONFIG["s3"], "addressing_style": own.get("addressing_style", "auto")}},
            **({"endpoint_url": options.endpoint_url} if options.endpoint_url else {}),
            client_kwargs={name: value for name, value in client_kwargs.items() if value},
        )
        fs.retries = 1
        try:
            self._may_check = session.get_config_variable("request_checksum_calculation") != "when_required"
            if bundle := own.get("ca_bundle") or session.get_config_variable("ca_bundle"):
                os.close(
                    os.open(str(bundle), os.O_RDONLY)
                )  # raises OSError where aiohttp would report a broken connection
            client = sync(fs.loop, fs.set_session)
        except Exception as error:  # noqa: BLE001 - foreign exceptions end here
            raise s3errors.explain(error, self._request("")).error from None
        _check_conditions(client)
        client.meta.events.register("before-send.s3", self._count)
        return fs

    def _count(self, request: Any, **_: Any) -> None:
        self.requests += 1  # on the thread of the event loop alone
        if int(request.headers.get("Content-Length", 0)) <= _UNASKED:
            request.headers.pop("Expect", None)

    def _request(self, key: str) -> s3errors.S3Request:
        endpoint = self._options.endpoint_url
        if not endpoint and self._fs is not None and self._fs._s3 is not None:  # noqa: SLF001
            endpoint = self._fs._s3.meta.endpoint_url  # noqa: SLF001 - it may come from the environment
        return s3errors.S3Request(self.name, self._bucket, endpoint or "Amazon S3", key)


async def _gather(makers: Sequence[Callable[[], Awaitable[_T]]]) -> list[_T]:
    """All answers of MAKERS in order, `_TOGETHER` at a time. The first failure cancels the others."""
    if len(makers) == 1:
        return [await makers[0]()]
    gate = asyncio.Semaphore(_TOGETHER)

    async def one(make: Callable[[], Awaitable[_T]]) -> _T:
        async with gate:
            return await make()

    tasks = [asyncio.ensure_future(one(make)) for make in makers]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


def _check_conditions(client: Any) -> None:
    """Raise ConfigError if botocore does not know a condition: s3fs would drop it, and overwrite the key."""
    needed = (("PutObject", "IfNoneMatch"), ("PutObject", "IfMatch"), ("DeleteObject", "IfMatch"))
    for operation, member in needed:
        if member not in client.meta.service_model.operation_model(operation).input_shape.members:
            raise ConfigError(
                f"the installed botocore is too old: its {operation} does not know {member}",
                hint="run `pip install --upgrade s3fs aiobotocore`",
            )


def _final(failure: s3errors.S3Failure, *, reached: bool) -> RemoteError:
    """The error to raise for FAILURE. A host that was never reached is no transient failure."""
    if failure.unreachable and not reached:
        return RemoteError(str(failure.error), hint=failure.error.hint)
    return failure.error


def _plain(etag: str) -> str:
    """ETAG without its quotes."""
    return etag.strip('"')


def _timestamp(text: Any) -> Any:
    """The time in TEXT, for botocore: its own parser takes two thirds of the time of a listing."""
    from datetime import UTC, datetime

    try:
        found = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        from botocore.utils import parse_timestamp

        return parse_timestamp(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _date(answer: dict[str, Any]) -> float | None:
    """The Date of an ANSWER, in seconds since the epoch; None where it has none."""
    from email.utils import parsedate_to_datetime

    text = answer["ResponseMetadata"]["HTTPHeaders"].get("date", "")
    try:
        return parsedate_to_datetime(text).timestamp()
    except ValueError:
        return None
