"""A corpus with planted near duplicates, and the stage that prepares it, run in processes of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.clones import ROOT

UNIQUE, PLANTED, WORDS = 1600, 120, 60
NEAR = {"n_grams": 3, "num_buckets": 20, "hashes_per_bucket": 5, "seed": 1, "shards": 3}
PROGRAM = """
import json, sys
from pathlib import Path
from stages import prepare_corpus
from stages.pipeline.stage import Run
if __name__ == "__main__":
    prepare_corpus.main(prepare_corpus.Parameters.model_validate(json.loads(sys.argv[1])), Run("", Path(".state/work")))
"""


def documents() -> list[str]:
    """1,600 of random words, 120 of which come again with two words of 60 changed."""
    random = np.random.default_rng(5)
    vocabulary = np.array(["".join(random.choice(list("abcdefghij"), 6)) for _ in range(5000)])
    unique = [list(random.choice(vocabulary, WORDS)) for _ in range(UNIQUE)]
    planted = [list(unique[n]) for n in random.choice(UNIQUE, PLANTED, replace=False)]
    for words in planted:
        words[5], words[50] = random.choice(vocabulary, 2)
    together = [*unique, *planted]
    return [" ".join(together[n]) for n in random.permutation(len(together))]


def parameters(**changes: Any) -> dict[str, Any]:
    corpus = {"source": "raw", "config": None, "split": "train", "text_column": "text", "encoding": None,
              "documents": "auto", "min_characters": 20, "max_documents": None, "heldout": 0.05}  # fmt: skip
    return {"prepare_corpus": corpus | {"near_duplicates": NEAR} | changes}


def prepared(folder: Path, **changes: Any) -> dict[str, bytes]:
    """Files of data/corpus, made by a process of its own in `folder`."""
    started = start(folder, **changes)
    assert started.wait(300) == 0
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted((folder / "data").rglob("*.parquet"))}


def start(folder: Path, **changes: Any) -> subprocess.Popen[bytes]:
    (folder / "program.py").write_text(PROGRAM)
    command = [sys.executable, "program.py", json.dumps(parameters(**changes))]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "DVC_STAGE": "prepare_corpus"}
    return subprocess.Popen(command, cwd=folder, env=environment)


def write_source(folder: Path) -> Path:
    """Six files of texts in `folder`/raw, some of them short and some repeated but for a comma or their case."""
    texts = documents()
    texts[10:10], texts[700:700] = ["too short", texts[3].replace(" ", ", ", 1)], ["", texts[1000].upper()]
    (folder / "raw").mkdir()
    for n in range(6):
        lines = [json.dumps({"text": text}) for text in texts[n::6]]
        (folder / "raw" / f"{n}.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def project(source: Path, folder: Path, **preparation: Any) -> Path:
    """A folder with the source and this section of compute.local.yaml."""
    folder.mkdir()
    (folder / "raw").symlink_to(source / "raw")
    (folder / "compute.local.yaml").write_text(json.dumps({"preparation": preparation}))
    return folder
