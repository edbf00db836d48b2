"""Transformers.js reads a release folder as it is: ids and logits of `tinybert predict`, in Node and in a browser."""

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser
from tokenizers import Tokenizer

from tests.browser import CHROMIUM, TIMEOUT, WHY_NOT, Opened, launched
from tests.tinybert.tasks.test_kinds import HOSTILE, KINDS
from tinybert.inference.networks import Precision, open_network
from tools.demo import PACKAGES, serve

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(
    not (NODE and (PACKAGES / "@huggingface/transformers").is_dir()),
    reason="Transformers.js is not installed here: `make servers` does it, which takes npm",
)
NAMES: dict[str, Precision] = {"q8": "int8", "fp32": "float32"}
"""Precisions by the names of Transformers.js."""
REQUESTS = [*((text, None) for text in HOSTILE), ("the cat sat", "who ran [SEP] where")]
LIMIT = "new Promise((_, fail) => setTimeout(() => fail(new Error('no answer in time')), 60000))"


def expected(folder: Path, text: str, pair: str | None, precision: Precision) -> dict[str, Any]:
    """Ids, and logits of each output, as the Python side has them."""
    encoding = Tokenizer.from_file(str(folder / "tokenizer.json")).encode(text, pair)
    inputs = {"input_ids": encoding.ids, "attention_mask": encoding.attention_mask, "token_type_ids": encoding.type_ids}
    network = open_network(folder, precision=precision, threads=1)
    outputs = network({name: np.array([values], dtype=np.int64) for name, values in inputs.items()})
    return {"ids": encoding.ids, "logits": [array[0].tolist() for array in outputs.values()]}


def assert_same(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert found["ids"] == wanted["ids"]
    for ours, theirs in zip(wanted["logits"], found["logits"], strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-3)


@pytest.mark.parametrize("dtype", NAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_node_has_the_ids_and_logits_of_python(kind: str, dtype: str, release: Path) -> None:
    requests = [request for request in REQUESTS if len(request[0]) < 60]
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    script = Path(__file__).parent / "logits.mjs"
    done = subprocess.run([str(NODE), script, PACKAGES, release, f"{kind}/small", dtype], input=lines,
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    for (text, pair), one in zip(requests, found, strict=True):
        assert_same(one, expected(release / kind / "small", text, pair, NAMES[dtype]))


@pytest.fixture(scope="module")
def address(release: Path) -> Iterator[str]:
    server = serve(port=0, release=release)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip(WHY_NOT)
    with launched() as browser:
        yield browser


@pytest.fixture
def page(chromium: Browser, address: str) -> Iterator[Opened]:
    with chromium.new_page() as tab:
        opened = Opened(tab)
        tab.goto(address)
        tab.wait_for_selector("body[data-ready]", timeout=TIMEOUT)
        yield opened
        assert [url for url in opened.requests if not url.startswith((f"{address}/", "blob:", "data:"))] == []


def test_a_browser_has_the_ids_and_logits_of_python(page: Opened, release: Path) -> None:
    for kind in KINDS:
        for dtype, precision in NAMES.items():
            for text, pair in (REQUESTS[0], REQUESTS[-1]):
                arguments = ", ".join(map(json.dumps, (f"{kind}/small", dtype, text, pair)))
                wanted = expected(release / kind / "small", text, pair, precision)
                assert_same(page.ask(f"Promise.race([logits({arguments}), {LIMIT}])"), wanted)


SHOWN = {"classification": ".bar", "multilabel": ".bar", "regression": ".number", "ner": "mark", "qa": "mark"}


@pytest.mark.parametrize("kind", KINDS)
def test_the_demonstration_answers_what_is_typed(kind: str, page: Opened) -> None:
    page.page.select_option("#model", f"{kind}/small")
    if kind == "qa":
        page.page.fill("#question", "who ran")
    page.page.fill("#context" if kind == "qa" else "#text", "the cat in paris ran, a big red dog")
    page.page.wait_for_selector(f"#result {SHOWN[kind]}")
    assert page.console == []
    assert page.ask("document.documentElement.scrollWidth <= innerWidth")
