"""OpenStack Swift with its S3 interface: four servers, one disk, one copy of each object."""

import getpass
import subprocess
from pathlib import Path

import pytest

from tests.pipeline_runs.clone import ROOT
from tests.sharing.remote import MISSING, Remote
from tests.sharing.server import HOST, Server, free_port

PROGRAMS = ROOT / ".venv/swift/bin"
BUCKET, USER = "models", "team:alice"
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
pipeline = catch_errors gatekeeper s3api tempauth slo proxy-server
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
[filter:slo]
use = egg:swift#slo
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
    commands = {port: [PROGRAMS / f"swift-{name}-server", folder / f"{name}.conf"] for name, port in ports.items()}
    words = {"s3://BUCKET/bert": f"s3://{BUCKET}/bert", "https://HOST": f"http://{HOST}:{ports['proxy']}",
             "KEY": USER, "SECRET": "secret"}  # fmt: skip
    server = Server(commands, log=folder / "log")
    return Remote("bert", "S3", words, wrong={"SECRET": "guessed"}, server=server, port=ports["proxy"])


def make_bucket(port: int) -> None:
    """No dvc command makes one."""
    session = pytest.importorskip("botocore.session", reason=MISSING).get_session()
    store = session.create_client("s3", endpoint_url=f"http://{HOST}:{port}", region_name="us-east-1",
                                        aws_access_key_id=USER, aws_secret_access_key="secret")  # fmt: skip
    store.create_bucket(Bucket=BUCKET)
