"""The README's example of the library, on a tiny teacher and a corpus of its own; of its steps only a few are run."""

import ast
import subprocess
import sys
from itertools import islice, permutations
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow.parquet import write_table

from benchmarks.clones import ENVIRONMENT, ROOT
from tests.readme import blocks
from tinybert.data.packing import pack_texts
from tinybert.data.tokenizer import build_tokenizer, load_tokenizer, save_tokenizer
from tinybert.model.checkpoint import load_checkpoint, save
from tinybert.model.initialization import random_bert
from tinybert.pretraining.mlm import heldout_mlm_scores

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = ["the", "a", "small", "large", "model", "teacher", "learns", "reads", "from", "text", "and", "its", "student"]
SHAPE = {
    **{"hidden_size": 40, "num_hidden_layers": 4, "num_attention_heads": 4},
    **{"intermediate_size": 130, "max_position_embeddings": 128},
}
TEXTS = [" ".join(words) for words in islice(permutations(WORDS), 100)]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with what the example reads."""
    tokenizer = build_tokenizer([*SPECIAL, *WORDS], lowercase=True, max_length=128)
    save(random_bert(seed=1, vocab_size=len(tokenizer), **SHAPE), tmp_path / "models/teacher")
    save_tokenizer(tokenizer, folder=tmp_path / "models/teacher")
    for split in ("train", "heldout"):
        (tmp_path / "data/corpus" / split).mkdir(parents=True)
        write_table(pa.table({"text": TEXTS}), tmp_path / f"data/corpus/{split}/00000.parquet")
    return tmp_path


def test_the_readmes_example_prunes_distils_and_evaluates(project: Path) -> None:
    (example,) = [code for code in blocks("python") if "from tinybert" in code]
    assert "steps=100)" in example
    done = subprocess.run([sys.executable, "-c", example.replace("steps=100)", "steps=2)")], cwd=project, text=True,
                          env=ENVIRONMENT | {"PYTHONPATH": str(ROOT)}, capture_output=True)  # fmt: skip
    assert done.returncode == 0, done.stderr
    student, tokenizer = load_checkpoint(project / "models/pruned"), load_tokenizer(project / "models/teacher")
    assert (student.config.num_hidden_layers, student.config.hidden_size) == (2, 32)
    heldout = pack_texts(TEXTS, tokenizer=tokenizer, sequence_length=128)
    scores = heldout_mlm_scores(student, heldout, tokenizer=tokenizer)
    assert ast.literal_eval(done.stdout) == pytest.approx(scores, abs=1e-4)
