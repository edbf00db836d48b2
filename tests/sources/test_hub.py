"""The hub as a source: played by a server on this machine, or by a cache laid out by hand; no network beyond that."""

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
from pydantic import ValidationError

from stages.pipeline.errors import InputError
from stages.sources.hub.options import Options
from stages.sources.hub.source import write

ROOT = Path(__file__).parents[2]
REVISION = "0123456789abcdef0123456789abcdef01234567"
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
BROUGHT = ["README.md", "config.json", "model.safetensors", "tokenizer.json", "vocab.txt"]
DATASET = {
    "README.md": b"# Data",
    "data/train.parquet": b"PAR1",
    "data/test.parquet": b"PAR1 too",
    "load.py": b"1 / 0",
    "sub/dvc.yaml": b"stages:",
    "x.pkl": b"pickle",
}


def options(**changes: Any):
    return Options.model_validate({"repository": "owner/name", "type": "model", "revision": REVISION} | changes)


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
        self.answer(with_content=True)

    def do_HEAD(self):
        self.answer(with_content=False)

    def answer(self, *, with_content):
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
            self.reply(200, headers, content, with_content=with_content)
        else:
            self.reply(404, {}, b"")

    def reply(self, status, headers, content, *, with_content=True):
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(content))}).items():
            self.send_header(name, value)
        self.end_headers()
        if with_content:
            self.wfile.write(content[: len(content) // 2] if self.break_off and "/resolve/" in self.path else content)

    def log_message(self, format, *args):
        pass


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, no token, no progress bars."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
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


def lay_out(cache, files, *, type="model"):
    """A cache as the hub's library leaves it: snapshots of links to blobs."""
    repository = cache / f"{type}s--owner--name"
    for name, content in files.items():
        blob = repository / "blobs" / hashlib.sha1(content).hexdigest()
        link = repository / "snapshots" / REVISION / name
        blob.parent.mkdir(parents=True, exist_ok=True)
        link.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(content)
        link.symlink_to(blob)


def test_a_model_comes_without_pickles_code_and_copies_for_others(hub, tmp_path):
    write(tmp_path / "out", options=options())
    assert contents(tmp_path / "out") == {name: MODEL[name] for name in BROUGHT}


def test_what_is_not_wanted_is_not_even_downloaded(hub, cache, tmp_path):
    write(tmp_path / "out", options=options())
    snapshot = next(cache.rglob("config.json")).parent
    assert sorted(path.name for path in snapshot.iterdir()) == sorted(BROUGHT)


def test_a_data_set_comes_whole_but_for_code_pickles_and_pipelines(hub, tmp_path):
    hub.files = DATASET
    write(tmp_path / "out", options=options(type="dataset"))
    assert sorted(contents(tmp_path / "out")) == ["README.md", "data/test.parquet", "data/train.parquet"]


def test_patterns_choose_the_files(hub, tmp_path):
    hub.files = DATASET
    write(tmp_path / "out", options=options(type="dataset", files=["data/t*n.parquet"]))
    assert contents(tmp_path / "out") == {"data/train.parquet": b"PAR1"}


@pytest.mark.parametrize("pattern", ["nothing*", "x.pkl", "*.py"])
def test_a_pattern_that_brings_nothing_is_refused(hub, tmp_path, pattern):
    hub.files = DATASET
    with pytest.raises(InputError, match="no file fits"):
        write(tmp_path / "out", options=options(type="dataset", files=["*.md", pattern]))


@pytest.mark.parametrize(
    ("missing", "message"),
    [("model.safetensors", "has no weights in safetensors files"), ("config.json", "has no config.json")],
)
def test_a_model_without_safetensors_or_configuration_is_refused(hub, tmp_path, missing, message):
    hub.files = {name: content for name, content in MODEL.items() if name != missing}
    with pytest.raises(InputError, match=message):
        write(tmp_path / "out", options=options())


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
def test_what_the_hub_refuses_is_said(hub, tmp_path, error, message):
    hub.error = error
    with pytest.raises(InputError, match=message):
        write(tmp_path / "out", options=options())
    assert not (tmp_path / "out").exists()


def test_a_download_that_breaks_off_is_said_and_goes_on_next_time(hub, tmp_path, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    hub.break_off = True
    with pytest.raises(InputError, match="the download failed; what has arrived is kept, so run this again"):
        write(tmp_path / "out", options=options())
    assert not (tmp_path / "out").exists()
    hub.break_off = False
    write(tmp_path / "out", options=options())
    assert contents(tmp_path / "out") == {name: MODEL[name] for name in BROUGHT}


def test_a_hub_that_does_not_answer_is_said(cache, tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with pytest.raises(InputError, match="the hub cannot be reached, and this machine's cache does not have all"):
        write(tmp_path / "out", options=options())


def offline(cache, target, given):
    """What `write` does in a process with HF_HUB_OFFLINE=1: the last line it printed."""
    program = (
        "import sys, pathlib\n"
        "from stages.pipeline.errors import InputError\n"
        "from stages.sources.hub.options import Options\n"
        "from stages.sources.hub.source import write\n"
        "try:\n"
        "    write(pathlib.Path(sys.argv[1]), options=Options.model_validate_json(sys.argv[2]))\n"
        "except InputError as error:\n"
        "    print(error)\n"
    )
    command = [sys.executable, "-c", program, str(target), given.model_dump_json()]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(cache)}
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_offline_a_filled_cache_is_enough(tmp_path):
    lay_out(tmp_path / "cache", MODEL)
    assert offline(tmp_path / "cache", tmp_path / "out", options()) == ""
    assert contents(tmp_path / "out") == {name: MODEL[name] for name in BROUGHT}


def test_offline_an_empty_cache_is_said(tmp_path):
    said = offline(tmp_path / "cache", tmp_path / "out", options())
    assert "model owner/name at 0123" in said and "this machine's cache does not have all of it" in said
    assert not (tmp_path / "out").exists()


def test_offline_a_file_that_the_cache_has_lost_is_said(tmp_path):
    lay_out(tmp_path / "cache", MODEL)
    next((tmp_path / "cache").rglob("vocab.txt")).resolve().unlink()
    assert "the cache has lost vocab.txt" in offline(tmp_path / "cache", tmp_path / "out", options())


@pytest.mark.parametrize("revision", ["main", "v1.0", REVISION[:7], REVISION.upper(), REVISION + "0"])
def test_a_revision_that_can_move_is_not_accepted(revision):
    with pytest.raises(ValidationError, match="a branch or a tag moves"):
        options(revision=revision)


@pytest.mark.parametrize("wrong", [{"type": "space"}, {"files": []}, {"repository": "a/b/c"}, {"branch": "main"}])
def test_other_options_are_refused(wrong):
    with pytest.raises(ValidationError):
        options(**wrong)
