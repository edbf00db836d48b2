"""A page on this machine where a visitor types a text and a student answers, in the visitor's browser.

`make demo`, or `python -m tools.demo --packages FOLDER` where FOLDER is the node_modules of
tests/transformers_js/package.json. It serves models/release as it is; nothing that is typed is sent anywhere.
"""

import argparse
import json
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tinybert.errors import InputError
from tinybert.files import read_object

ROOT = Path(__file__).parents[1]
PAGE = Path(__file__).with_suffix(".html")
RELEASE, PACKAGES = ROOT / "models/release", ROOT / ".venv/transformers-js/node_modules"


def models(release: Path) -> list[dict[str, Any]]:
    """Name and kind of task of each model in `release`. Raises InputError without any."""
    found = []
    for file in sorted(release.glob("*/*/config.json")):
        name = file.parent.relative_to(release).as_posix()
        task = read_object(file).get("tinybert")
        found += [{"name": name, "kind": task["kind"]}] if task else []
    if not found:
        raise InputError(f"{release} holds no model; `dvc repro` makes them")
    return found


class Handler(SimpleHTTPRequestHandler):
    """The page, the list of models, their files under /models, and those of packages under /js."""

    extensions_map = SimpleHTTPRequestHandler.extensions_map | {".mjs": "text/javascript", ".wasm": "application/wasm"}

    def __init__(self, *arguments: Any, release: Path, packages: Path) -> None:
        self._places = {"models": release, "js": packages}
        super().__init__(*arguments)

    def do_GET(self) -> None:
        if self.path.partition("?")[0] == "/":
            self._send(PAGE.read_bytes(), "text/html; charset=utf-8")
        elif self.path == "/models.json":
            self._send(json.dumps(models(self._places["models"])).encode(), "application/json")
        else:
            super().do_GET()

    def translate_path(self, path: str) -> str:
        """The file of an address; SimpleHTTPRequestHandler has cleaned it of .. and the like."""
        name, _, rest = path.partition("?")[0].lstrip("/").partition("/")
        self.directory = str(self._places.get(name, Path("/nonexistent")))
        return super().translate_path(f"/{rest}")

    def log_message(self, format: str, *arguments: Any) -> None:
        """Requests are not printed."""

    def _send(self, content: bytes, kind: str) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def serve(*, port: int, release: Path = RELEASE, packages: Path = PACKAGES) -> ThreadingHTTPServer:
    """A server on loopback; port 0 takes a free one. Raises InputError where models or packages are missing."""
    models(release)
    if not (packages / "@huggingface/transformers").is_dir():
        raise InputError(f"{packages} has no Transformers.js; `make demo` installs it, which takes npm")
    return ThreadingHTTPServer(("127.0.0.1", port), partial(Handler, release=release, packages=packages))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--release", type=Path, default=RELEASE)
    parser.add_argument("--packages", type=Path, default=PACKAGES)
    options = parser.parse_args()
    try:
        server = serve(port=options.port, release=options.release, packages=options.packages)
    except (InputError, OSError, OverflowError) as error:
        raise SystemExit(f"error: {error}") from None
    print(f"http://127.0.0.1:{server.server_port} - Ctrl-C ends it", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


if __name__ == "__main__":
    main()
