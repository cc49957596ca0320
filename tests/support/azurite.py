"""The emulator of Azure, for tests by hand. It needs adlfs, and `npm install azurite` in the folder AZURITE.

AZURITE=DIR python -m pytest -W ignore::ResourceWarning tests/contracts tests/unit/store/backends -k azure
"""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec

from tests.support.s3 import die_with_parent

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="  # everybody's
_MAIN = os.path.join(os.environ.get("AZURITE", ""), "node_modules/azurite/dist/src/blob/main.js")


@dataclass(frozen=True, slots=True)
class Azurite:
    """A running emulator with the container `models`."""

    endpoint: str

    @property
    def connection(self) -> str:
        return f"{self._place()};AccountName={ACCOUNT};AccountKey={KEY}"

    def with_key(self, key: str) -> str:
        return f"{self._place()};AccountName={ACCOUNT};AccountKey={key}"

    def with_sas(self, **rights: bool) -> str:
        """The environment of an account that has RIGHTS alone."""
        from datetime import UTC, datetime, timedelta

        from azure.storage.blob import AccountSasPermissions, ResourceTypes, generate_account_sas

        types = ResourceTypes(service=True, container=True, object=True)
        day = datetime.now(UTC) + timedelta(days=1)
        sas = generate_account_sas(ACCOUNT, KEY, types, AccountSasPermissions(**rights), expiry=day)
        return f"{self._place()};SharedAccessSignature={sas}"

    def _place(self) -> str:
        return f"DefaultEndpointsProtocol=http;BlobEndpoint={self.endpoint}/{ACCOUNT}"


def found() -> bool:
    return os.path.isfile(_MAIN) and find_spec("adlfs") is not None


@cache
def shared() -> Azurite:
    """The emulator of this test process, which is killed at its end."""
    from azure.storage.blob import BlobServiceClient

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder = tempfile.mkdtemp(prefix="mvc-azurite-")
    words = ["node", _MAIN, "--silent", "--location", folder, "--blobPort", str(port)]
    words += ["--skipApiVersionCheck", "--disableTelemetry"]
    process = subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call, its library loaded before
    )
    atexit.register(lambda: (process.kill(), process.wait(), shutil.rmtree(folder, ignore_errors=True)))
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            time.sleep(0.1)
    server = Azurite(f"http://127.0.0.1:{port}")
    with BlobServiceClient.from_connection_string(server.connection) as client:
        client.create_container("models")
    return server
