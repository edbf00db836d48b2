"""OpenStack Swift with its S3 interface: four servers, one disk, one copy of each object."""

import getpass
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmarks.clones import ROOT
from tests.sharing.objects import key
from tests.sharing.remote import MISSING, Remote
from tests.sharing.server import HOST, Server, free_port

PROGRAMS = ROOT / ".venv/swift/bin"
BUCKET, USER, ACCOUNT = "models", "team:alice", "AUTH_team"
STORES = ("account", "container", "object")
RINGS = """\
import sys
from swift.common.ring import RingBuilder
for argument in sys.argv[1:]:
    file, port = argument.rsplit(":", 1)
    builder = RingBuilder(2, 1, 0)
    place = {"id": 0, "region": 1, "zone": 1, "ip": "127.0.0.1", "port": int(port), "device": "disk", "weight": 1}
    builder.add_dev(place)
    builder.rebalance(seed=1)
    builder.get_ring().save(file)
"""
COMMON = """\
[DEFAULT]
swift_dir = {folder}
devices = {folder}/devices
mount_check = false
bind_ip = {host}
bind_port = {port}
workers = 0
user = {user}
"""
STORE = """\
[pipeline:main]
pipeline = {name}-server
[app:{name}-server]
use = egg:swift#{name}
"""
PROXY = """\
[pipeline:main]
pipeline = catch_errors gatekeeper s3api tempauth container_quotas slo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
user_team_alice = secret .admin
[filter:container_quotas]
use = egg:swift#container_quotas
[filter:slo]
use = egg:swift#slo
"""
INSIDE = """\
[DEFAULT]
swift_dir = {folder}
[pipeline:main]
pipeline = proxy-server
[app:proxy-server]
use = egg:swift#proxy
"""
QUOTA = """\
import sys
from swift.common import internal_client, utils
folder, account, bucket, size = sys.argv[1:]
utils.set_swift_dir(folder)
client = internal_client.InternalClient(f"{folder}/inside.conf", "tests", 1)
used = int(client.get_container_metadata(account, bucket, "x-container-")["bytes-used"])
quota = str(used + int(size)) if size else ""
client.set_container_metadata(account, bucket, {"quota-bytes": quota}, "x-container-meta-")
"""


def swift(folder: Path) -> Remote:
    """Skips the test where Swift is not installed."""
    pytest.importorskip("dvc_s3", reason=MISSING)
    if not (PROGRAMS / "swift-proxy-server").exists():
        pytest.skip("OpenStack Swift is not installed: `make servers`")
    (folder / "devices/disk").mkdir(parents=True)
    (folder / "swift.conf").write_text("[swift-hash]\nswift_hash_path_suffix = tests\n")
    ports = {name: free_port() for name in (*STORES, "proxy")}
    rings = [f"{folder}/{name}.ring.gz:{ports[name]}" for name in STORES]
    subprocess.run([PROGRAMS / "python", "-c", RINGS, *rings], check=True)
    for name, port in ports.items():
        common = COMMON.format(folder=folder, host=HOST, port=port, user=getpass.getuser())
        (folder / f"{name}.conf").write_text(common + (PROXY if name == "proxy" else STORE.format(name=name)))
    (folder / "inside.conf").write_text(INSIDE.format(folder=folder))
    commands = {port: [PROGRAMS / f"swift-{name}-server", folder / f"{name}.conf"] for name, port in ports.items()}
    words = {"s3://BUCKET/bert": f"s3://{BUCKET}/bert", "https://HOST": f"http://{HOST}:{ports['proxy']}",
             "KEY": USER, "SECRET": "secret"}  # fmt: skip
    server = Server(commands, log=folder / "log")
    objects, wrong = Bucket(folder, ports["proxy"], "bert"), {"SECRET": "guessed"}
    return Remote("bert", "S3", words, objects, wrong, server, ports["proxy"], "endpointurl")


class Bucket:
    """Objects below a prefix of one bucket."""

    def __init__(self, folder: Path, port: int, prefix: str) -> None:
        self._folder, self._port, self._prefix = folder, port, prefix

    def create(self) -> None:
        """No dvc command makes one."""
        self._client().create_bucket(Bucket=BUCKET)

    def fresh(self, name: str) -> "Bucket":
        return Bucket(self._folder, self._port, name)

    def has(self, digest: str) -> bool:
        found = self._client().list_objects_v2(Bucket=BUCKET, Prefix=key(digest, self._prefix))
        return found["KeyCount"] > 0

    def read(self, digest: str) -> bytes:
        return self._client().get_object(Bucket=BUCKET, Key=key(digest, self._prefix))["Body"].read()

    def write(self, digest: str, content: bytes) -> None:
        self._client().put_object(Bucket=BUCKET, Key=key(digest, self._prefix), Body=content)

    def remove(self, digest: str) -> None:
        self._client().delete_object(Bucket=BUCKET, Key=key(digest, self._prefix))

    @contextmanager
    def room(self, size: int) -> Iterator[Callable[[], object]]:
        """By Swift's quota, which S3 has no words for."""
        self._limit(str(size))
        try:
            yield lambda: self._limit("")
        finally:
            self._limit("")

    def _limit(self, size: str) -> None:
        subprocess.run([PROGRAMS / "python", "-c", QUOTA, self._folder, ACCOUNT, BUCKET, size], check=True)

    def _client(self) -> Any:
        session = pytest.importorskip("botocore.session", reason=MISSING).get_session()
        return session.create_client("s3", endpoint_url=f"http://{HOST}:{self._port}", region_name="us-east-1",
                                     aws_access_key_id=USER, aws_secret_access_key="secret")  # fmt: skip
