"""How fast documents become blocks of token ids, beside `datasets.map` as the run_mlm example uses it, and in how much
memory.

`python -m benchmarks.preparation --rounds 3` writes benchmarks/preparation.md. It needs `dvc repro pack` in the
default, whose corpus is repeated, with a number before each document, until there is as much text as wanted.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import numpy as np
from datasets import Dataset, disable_progress_bars, load_dataset

from stages import pack, prepare_corpus
from stages.pipeline.stage import Run
from stages.runtime.probe import peak_bytes
from stages.text.documents import Writer, read_documents
from stages.text.tokenizer import load_tokenizer
from stages.training.machine import describe, set_up
from tests.pipeline_runs.clone import ENVIRONMENT, ROOT

LENGTH = 128
COMPARED = 100  # megabytes
GROWING = (10, 100, 1000)
MEGABYTE = 1_000_000
SOURCE = "raw.parquet"


def write_text(file: Path, megabytes: int) -> None:
    texts = [text for some in read_documents(ROOT / "data/corpus/train.parquet") for text in some]
    written, copy = 0, 0
    with Writer(file) as out:
        while written < megabytes * MEGABYTE:
            for text in texts:
                out.add(f"{copy} {text}")
                written += len(text.encode())
                if written >= megabytes * MEGABYTE:
                    break
            copy += 1


def ours() -> int:
    corpus = {"source": SOURCE, "config": None, "split": "train", "text_column": "text", "min_characters": 60,
              "max_documents": None, "heldout": 0.01}  # fmt: skip
    run = Run("", Path("unused"))
    prepare_corpus.main(prepare_corpus.Parameters.model_validate({"prepare_corpus": corpus}), run)
    pack.main(pack.Parameters.model_validate({"pack": {"sequence_length": LENGTH}}), run)
    return sum(len(np.load(file, mmap_mode="r")) for file in Path("data/packed").glob("*.npy"))


def mapped() -> int:
    """Tokenized and joined to blocks, as run_mlm does; nothing is cleaned, and a document that occurs twice stays."""
    disable_progress_bars()
    tokenizer = load_tokenizer(Path("models/tokenizer"))

    def tokenize(rows: dict[str, list]) -> dict[str, list]:
        return dict(tokenizer(rows["text"], return_special_tokens_mask=True))

    def group(rows: dict[str, list]) -> dict[str, list]:
        joined = {name: list(chain.from_iterable(lists)) for name, lists in rows.items()}
        end = len(joined["input_ids"]) // LENGTH * LENGTH
        return {name: [ids[n : n + LENGTH] for n in range(0, end, LENGTH)] for name, ids in joined.items()}

    rows: Dataset = load_dataset("parquet", data_files=SOURCE, split="train", cache_dir="cache")  # pyright: ignore
    rows = rows.map(tokenize, batched=True, num_proc=2, remove_columns=["text"])
    return len(rows.map(group, batched=True, num_proc=2))


WAYS: dict[str, Callable[[], int]] = {"ours": ours, "mapped": mapped}


def measured(way: str, megabytes: int) -> dict[str, float]:
    """Seconds without imports, blocks, and the peak of the process in MB, of one way in a process of its own."""
    with tempfile.TemporaryDirectory() as place:
        write_text(Path(place) / SOURCE, megabytes)
        (Path(place) / "models").mkdir()
        (Path(place) / "models/tokenizer").symlink_to(ROOT / "models/tokenizer")
        command = [sys.executable, "-m", "benchmarks.preparation", "--way", way]
        environment = ENVIRONMENT | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, cwd=place, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def run_one(way: str) -> None:
    start = time.perf_counter()
    blocks = WAYS[way]()
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "blocks": blocks, "peak": (peak_bytes() or 0) / MEGABYTE}))


def compared(rounds: int) -> list[str]:
    found = [{way: measured(way, COMPARED) for way in WAYS} for _ in range(rounds)]
    speeds = {way: [COMPARED / one[way]["seconds"] for one in found] for way in WAYS}
    ratios = np.array(speeds["ours"]) / np.array(speeds["mapped"])
    names = {"ours": "`prepare_corpus` and `pack`: cleaned, each document once, documents kept apart",
             "mapped": "`datasets.map`, two processes: tokenized and joined, nothing cleaned"}  # fmt: skip
    lines = [
        f"| {names[way]} | {np.median(speed):.1f} | {found[0][way]['blocks']:,.0f} |" for way, speed in speeds.items()
    ]
    return [*lines, "", f"Ratio: {np.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})."]


def growing() -> list[str]:
    rows = [(size, measured("ours", size)) for size in GROWING]
    return [f"| {size:,} | {size / one['seconds']:.1f} | {one['peak']:.0f} |" for size, one in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--way", choices=list(WAYS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        run_one(options.way)
        return
    machine = describe(set_up(threads="auto", precision="float32", cpu=True))
    text = f"""# How fast documents become blocks

`python -m benchmarks.preparation --rounds {options.rounds}`: the default's corpus, {os.cpu_count()} cores,
{machine["processor"]}; blocks of {LENGTH} tokens, the default's tokenizer.

## Beside `datasets.map`, {COMPARED} MB of text

| | MB/s | blocks |
|---|---|---|
{chr(10).join(compared(options.rounds))}

## More text, as much memory

| MB of text | MB/s | peak of the process, MB |
|---|---|---|
{chr(10).join(growing())}

What grows is 12 bytes, as Python keeps them, for each document, by which it is known again.

The text is the default's corpus, cleaned before and repeated with a number before each document, so that cleaning
finds little to remove and words come again and again, for both. `prepare_corpus` works in one process; in `pack` the
tokenizer takes both cores.
"""
    (ROOT / "benchmarks/preparation.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
