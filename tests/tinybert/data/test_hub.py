"""Downloads from a server on this machine that plays the hub, or from a cache laid out by hand; no other network."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants
from huggingface_hub.utils import _http as hub_http

from tinybert.data.hub import download
from tinybert.errors import InputError

ROOT = Path(__file__).parents[3]
REVISION = "0123456789abcdef0123456789abcdef01234567"
SOURCE: dict[str, Any] = {"repository": "owner/name", "type": "model", "revision": REVISION}
DATA_SOURCE: dict[str, Any] = SOURCE | {"type": "dataset"}
MODEL = {
    "config.json": b"{}",
    "vocab.txt": b"[PAD]\n",
    "tokenizer.json": b"{}",
    "model.safetensors": bytes(range(256)) * 400,
    "pytorch_model.bin": b"pickle",
    "modeling_x.py": b"raise SystemExit",
    "README.md": b"# A model",
    ".gitattributes": b"* filter=lfs",
    "onnx/model.safetensors": b"again",
}
DOWNLOADED = ["README.md", "config.json", "model.safetensors", "tokenizer.json", "vocab.txt"]
DATASET = {
    "README.md": b"# Data",
    "data/train.parquet": b"PAR1",
    "data/test.parquet": b"PAR1 too",
    "load.py": b"1 / 0",
    "sub/dvc.yaml": b"stages:",
    "x.pkl": b"pickle",
}


def contents(folder):
    """Relative paths and bytes; a link would be a failure."""
    assert not any(path.is_symlink() for path in folder.rglob("*"))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class Hub(BaseHTTPRequestHandler):
    """As much of the hub's protocol as a download of one revision takes."""

    files: dict[str, bytes]
    error: tuple[int, str] | None  # status and code with which everything is answered
    break_off: bool  # after half of each file

    def do_GET(self):
        if self.error:
            self.reply(self.error[0], {"X-Error-Code": self.error[1]}, b"")
        elif self.path.split("?")[0].endswith(f"/owner/name/tree/{REVISION}"):
            tree = [
                {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                for name, content in self.files.items()
            ]
            self.reply(200, {"Content-Type": "application/json"}, json.dumps(tree).encode())
        elif f"/resolve/{REVISION}/" in self.path:
            content = self.files[self.path.split(f"/resolve/{REVISION}/")[1]]
            headers = {"X-Repo-Commit": REVISION, "ETag": f'"{hashlib.sha1(content).hexdigest()}"'}
            self.reply(200, headers, content)
        else:
            self.reply(404, {}, b"")

    do_HEAD = do_GET

    def reply(self, status, headers, content):
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(content))}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content[: len(content) // 2] if self.break_off and "/resolve/" in self.path else content)

    def log_message(self, format, *args):
        pass


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, no token, no progress bars."""
    options = {"HF_HUB_CACHE": str(tmp_path / "cache"), "HF_TOKEN_PATH": str(tmp_path / "token")}
    for name, value in (options | {"HF_HUB_DISABLE_PROGRESS_BARS": True, "HF_HUB_OFFLINE": False}).items():
        monkeypatch.setattr(constants, name, value)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def hub(cache, monkeypatch):
    handler = type("OneHub", (Hub,), {"files": MODEL, "error": None, "break_off": False})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(constants, "ENDPOINT", address)
        template = address + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield handler
        hub_http.close_session()
        server.shutdown()
        thread.join()


def lay_out(cache, files):
    """A model in a cache as the hub's library leaves it: snapshots of links to blobs."""
    snapshot, blobs = (cache / "models--owner--name" / name for name in (f"snapshots/{REVISION}", "blobs"))
    for name, content in files.items():
        blob, link = blobs / hashlib.sha1(content).hexdigest(), snapshot / name
        for folder in (blob.parent, link.parent):
            folder.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(content)
        link.symlink_to(blob)


def test_a_model_comes_without_pickles_code_and_copies_in_folders_and_so_does_the_cache(hub, cache, tmp_path):
    download(tmp_path / "out", **SOURCE)
    assert contents(tmp_path / "out") == {name: MODEL[name] for name in DOWNLOADED}
    snapshot = next(cache.rglob("config.json")).parent
    assert sorted(path.name for path in snapshot.iterdir()) == sorted(DOWNLOADED)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (None, ["README.md", "data/train.parquet", "data/test.parquet"]),
        (["data/t*n.parquet"], ["data/train.parquet"]),
    ],
)
def test_a_data_set_comes_whole_but_for_code_pickles_and_pipelines_or_by_patterns(hub, tmp_path, files, expected):
    hub.files = DATASET
    download(tmp_path / "out", **DATA_SOURCE, files=files)
    assert contents(tmp_path / "out") == {name: DATASET[name] for name in expected}


@pytest.mark.parametrize(
    ("source", "missing", "message"),
    [
        *(
            (DATA_SOURCE | {"files": ["*.md", pattern]}, "", "no file fits")
            for pattern in ("nothing*", "x.pkl", "*.py")
        ),
        (SOURCE, "model.safetensors", "has no weights in safetensors files"),
        (SOURCE, "config.json", "has no config.json"),
    ],
)
def test_a_repository_without_a_needed_file_is_refused(hub, tmp_path, source, missing, message):
    files = DATASET if source["type"] == "dataset" else MODEL
    hub.files = {name: content for name, content in files.items() if name != missing}
    with pytest.raises(InputError, match=message):
        download(tmp_path / "out", **source)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ((404, "RepoNotFound"), "model owner/name at 0123.*: the hub has no such repository"),
        ((401, ""), "the hub refuses access"),
        ((404, "RevisionNotFound"), "the repository has no such revision"),
        ((403, "GatedRepo"), "it is gated: accept its terms"),
        ((418, ""), "the hub cannot be reached"),
    ],
)
def test_a_refusal_of_the_hub_is_explained(hub, tmp_path, error, message):
    hub.error = error
    with pytest.raises(InputError, match=message):
        download(tmp_path / "out", **SOURCE)
    assert not (tmp_path / "out").exists()


def test_a_download_that_breaks_off_is_an_error_and_is_finished_by_the_next(hub, tmp_path, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    hub.break_off = True
    with pytest.raises(InputError, match="the download failed; what has arrived is kept, so run this again"):
        download(tmp_path / "out", **SOURCE)
    assert not (tmp_path / "out").exists()
    hub.break_off = False
    download(tmp_path / "out", **SOURCE)
    assert contents(tmp_path / "out") == {name: MODEL[name] for name in DOWNLOADED}


def test_a_hub_that_does_not_answer_is_an_error(cache, tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with pytest.raises(InputError, match="the hub cannot be reached, and this machine's cache does not have all"):
        download(tmp_path / "out", **SOURCE)


OFFLINE = """
import sys, pathlib, json
from tinybert.data.hub import download
download(pathlib.Path(sys.argv[1]), **json.loads(sys.argv[2]))
"""


@pytest.mark.parametrize(
    ("lost", "reason"),
    [
        ("", None),
        ("vocab.txt", "the cache has lost vocab.txt"),
        ("*", "the hub cannot be reached, and this machine's cache does not have all of it"),
    ],
)
def test_offline_a_filled_cache_is_enough_and_a_missing_file_is_an_error(tmp_path, lost, reason):
    cache, target = tmp_path / "cache", tmp_path / "out"
    if lost != "*":
        lay_out(cache, MODEL)
    if lost == "vocab.txt":
        next(cache.rglob(lost)).resolve().unlink()
    command = [sys.executable, "-c", OFFLINE, str(target), json.dumps(SOURCE)]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(cache)}
    result = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    error = f"tinybert.errors.InputError: model owner/name at {REVISION}: {reason}"
    assert error in result.stderr if reason else result.stderr == ""
    assert target.exists() == (lost != "*")
    assert lost or contents(target) == {name: MODEL[name] for name in DOWNLOADED}
