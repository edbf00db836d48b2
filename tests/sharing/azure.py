"""Azurite, Microsoft's server for trying Azure's blobs."""

import base64
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from benchmarks.clones import ROOT
from tests.sharing.objects import key
from tests.sharing.remote import MISSING, Remote
from tests.sharing.server import HOST, Server, free_port

PROGRAM = ROOT / ".venv/azurite/node_modules/.bin/azurite-blob"
CONTAINER, USER = "models", "alice"
OPTIONS = ("--skipApiVersionCheck", "--disableTelemetry", "--silent")


def azure(folder: Path) -> Remote:
    """Skips the test where Azurite is not installed."""
    pytest.importorskip("dvc_azure", reason=MISSING)
    if not PROGRAM.exists() or shutil.which("node") is None:
        pytest.skip("Azurite is not installed: `make servers`, where npm is")
    port = free_port()
    right, wrong = (base64.b64encode(secret).decode() for secret in (b"secret", b"guessed"))
    place = ("--blobHost", HOST, "--blobPort", str(port), "--location", str(folder))
    command = ["env", f"AZURITE_ACCOUNTS={USER}:{right}", PROGRAM, *place, *OPTIONS]
    words = {"azure://CONTAINER/bert": f"azure://{CONTAINER}/bert", "SECRET": connection_string(port, right)}
    objects, server = Container(words["SECRET"], "bert"), Server({port: command}, log=folder / "log")
    return Remote("bert", "Azure", words, objects, {"SECRET": connection_string(port, wrong)}, server)


def connection_string(port: int, secret: str) -> str:
    endpoint = f"http://{HOST}:{port}/{USER}"
    return f"DefaultEndpointsProtocol=http;AccountName={USER};AccountKey={secret};BlobEndpoint={endpoint};"


class Container:
    """Objects below a prefix of one container."""

    def __init__(self, connection: str, prefix: str) -> None:
        self._connection, self._prefix = connection, prefix

    def create(self) -> None:
        self._client().create_container()

    def fresh(self, name: str) -> "Container":
        return Container(self._connection, name)

    def has(self, digest: str) -> bool:
        return self._client().get_blob_client(key(digest, self._prefix)).exists()

    def read(self, digest: str) -> bytes:
        return self._client().download_blob(key(digest, self._prefix)).readall()

    def write(self, digest: str, content: bytes) -> None:
        self._client().upload_blob(key(digest, self._prefix), content, overwrite=True)

    def remove(self, digest: str) -> None:
        self._client().delete_blob(key(digest, self._prefix))

    def room(self, size: int) -> AbstractContextManager[Callable[[], object]]:
        raise NotImplementedError("Azurite knows no limit")

    def _client(self) -> Any:
        blob = pytest.importorskip("azure.storage.blob", reason=MISSING)
        return blob.ContainerClient.from_connection_string(self._connection, CONTAINER)
