"""How fast documents become blocks of token ids, and in how much memory, beside `datasets.map` as in the run_mlm
example.

`python -m benchmarks.preparation --rounds 3` writes benchmarks/preparation.md. It needs `dvc repro pack` in the
default, whose corpus is repeated, with a number before each document, until there is enough text.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
from datasets import Dataset, disable_progress_bars, load_dataset

from benchmarks.clones import ENVIRONMENT, ROOT
from benchmarks.machines import legend, table
from stages import pack, prepare_corpus
from stages.pipeline.stage import Run
from tinybert.data.documents import Writer, read_documents
from tinybert.data.tokenizer import load_tokenizer
from tinybert.export.probe import peak_bytes

LENGTH = 128
COMPARED = 100  # megabytes
GROWING = (10, 100, 1000)
MEGABYTE = 1_000_000
SOURCE = "raw.parquet"


def write_text(corpus: Path, file: Path, megabytes: float, *, shuffled: bool = False) -> None:
    """Repeat the documents of `corpus` in `file`, each time with another number before each; or with words shuffled.

    Those with a number are near duplicates, the others are not.
    """
    texts, random = list(read_documents(corpus)), np.random.default_rng(1)
    written, copy = 0, 0
    with Writer(file) as out:
        while written < megabytes * MEGABYTE:
            for text in texts:
                words = " ".join(random.permutation(text.split())) if shuffled else text
                out.add(f"{copy} {words}")
                written += len(text.encode())
                if written >= megabytes * MEGABYTE:
                    break
            copy += 1


def by_stages(near: dict[str, int] | None = None) -> int:
    """Blocks of the stages prepare_corpus and pack."""
    corpus = {"source": SOURCE, "config": None, "split": "train", "text_column": "text", "encoding": None,
              "documents": "auto", "min_characters": 60, "max_documents": None, "heldout": 0.01,
              "near_duplicates": near}  # fmt: skip
    run = Run("", Path("work"))
    prepare_corpus.main(prepare_corpus.Parameters.model_validate({"prepare_corpus": corpus}), run)
    pack.main(pack.Parameters.model_validate({"pack": {"sequence_length": LENGTH}}), run)
    return sum(len(np.load(file, mmap_mode="r")) for file in Path("data/packed").glob("*.npy"))


def by_map() -> int:
    """Blocks of run_mlm: tokenized and joined; nothing is cleaned, and a document that occurs twice stays."""
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


COMPARED_PROGRAMS: dict[str, Callable[[], int]] = {"stages": by_stages, "map": by_map}
NEAR = {"n_grams": 5, "num_buckets": 14, "hashes_per_bucket": 8, "seed": 1, "shards": 16}
PROGRAMS = COMPARED_PROGRAMS | {"near": partial(by_stages, NEAR)}
REMOVED = {"stages": "exact duplicates", "near": "near duplicates too"}
PAGE, MEMORY = "preparation", "preparation: memory"
DESCRIPTIONS = {
    "stages": "`prepare_corpus` and `pack`: cleaned, each document once, documents kept apart",
    "map": "`datasets.map`, two processes: tokenized and joined, nothing cleaned",
}


def measure(program: str, megabytes: int) -> dict[str, float]:
    """Seconds without imports, blocks, and the peak memory in MB of a program in a process of its own."""
    with tempfile.TemporaryDirectory() as place:
        write_text(ROOT / "data/corpus/train", Path(place) / SOURCE, megabytes, shuffled=program == "near")
        (Path(place) / "models").mkdir()
        (Path(place) / "models/tokenizer").symlink_to(ROOT / "models/tokenizer")
        command = [sys.executable, "-m", "benchmarks.preparation", "--program", program]
        environment = ENVIRONMENT | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, cwd=place, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def run_here(program: str) -> None:
    """Run a program in the current folder, and print its figures as the last line."""
    start = time.perf_counter()
    blocks = PROGRAMS[program]()
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "blocks": blocks, "peak": (peak_bytes() or 0) / MEGABYTE}))


def compared(rounds: int) -> dict[str, str]:
    figures = [{program: measure(program, COMPARED) for program in COMPARED_PROGRAMS} for _ in range(rounds)]
    speeds = {program: [COMPARED / row[program]["seconds"] for row in figures] for program in COMPARED_PROGRAMS}
    ratios = np.array(speeds["stages"]) / np.array(speeds["map"])
    cells = {
        DESCRIPTIONS[program]: f"{np.median(speed):.1f} MB/s, {figures[0][program]['blocks']:,.0f} blocks"
        for program, speed in speeds.items()
    }
    return cells | {"ratio": f"{np.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"}


def growing() -> dict[str, str]:
    figures = {(what, size): measure(program, size) for program, what in REMOVED.items() for size in GROWING}
    return {
        f"{what} | {size:,}": f"{size / row['seconds']:.1f} MB/s, {row['peak']:.0f} MB"
        for (what, size), row in figures.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--program", choices=list(PROGRAMS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.program:
        run_here(options.program)
        return
    speeds = table(PAGE, compared(options.rounds), head="")
    growth = table(MEMORY, growing(), head="removed | MB of text")
    text = f"""# How fast documents become blocks

`python -m benchmarks.preparation --rounds {options.rounds}`: the default's corpus; blocks of {LENGTH} tokens, the
default's tokenizer. A column for each machine:

{legend(PAGE, MEMORY)}

## Beside `datasets.map`, {COMPARED} MB of text

{speeds}

## More text, as much memory

`prepare_corpus` and `pack` in one process, its peak memory; near duplicates in {NEAR["shards"]} shards, of text whose
words are shuffled.

{growth}

What grows is a fingerprint of 12 bytes for each document: some 130 bytes as Python keeps it.

The text is the default's corpus, cleaned before and repeated with a number before each document, so that cleaning
finds little to remove and words come again and again, for both. `prepare_corpus` works in one process; in `pack` the
tokenizer takes both cores.
"""
    (ROOT / "benchmarks/preparation.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
