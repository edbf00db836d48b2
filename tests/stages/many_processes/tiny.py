"""A folder with all that the training stages read, tiny; and their parameters."""

import copy
from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import BertConfig, BertForPreTraining

from stages import shrink
from stages.pipeline.stage import Run
from tests.tiny_bert import CONFIG
from tinybert.data.tokenizer import build_tokenizer, save_tokenizer
from tinybert.model import checkpoint
from tinybert.tasks.classification.rows import SCHEMA
from tinybert.tasks.cloze import SCHEMA as CLOZE
from tinybert.tasks.tables import write_labels, write_rows
from tinybert.tasks.unlabelled import unlabelled_schema

LENGTH = 16
CLS, SEP, FIRST = 2, 3, 5
WORDS = [f"w{n}" for n in range(CONFIG["vocab_size"] - FIRST)]
COMPUTE = {"threads": 1, "precision": "float32"}
TRAINING = {"learning_rate": 0.01, "warmup": 0.2, "weight_decay": 0.01, "dropout": 0.0, "seed": 3}
MASKS = {"mask_probability": 0.2, "whole_words": False}
INTERMEDIATE = {
    **{"embedding": 1.0, "hidden": 1.0, "attention": 1.0},
    **{"standardized": 1.0, "cosine": 1.0, "patience": 1.0, "relation": 1.0, "relation_heads": 2},
}
TEXTS = {"tasks": ["t"], "share": 0.4}
STEPS = 8
TASK = {"kind": "classification", "metric": "accuracy", "encoding": {"max_length": 12}, "decoding": {}}
PHASE = {"batch_size": 4, "learning_rate": 0.01, "warmup": 0.2}
SECTIONS: dict[str, dict[str, Any]] = {
    "pretrain": {"pretrain": TRAINING | MASKS | {"steps": STEPS, "batch_size": 5, "length_doublings": 1}},
    "distill": {
        "student": {"teacher_layers": "uniform"},
        "task_texts": TEXTS,
        "distill": TRAINING | MASKS | {"steps": STEPS, "batch_size": 5, "temperature": 2.0,
                                       "losses": INTERMEDIATE | {"prediction": 1.0, "hard": 1.0}},
    },
    "finetune_teacher": {"task": TASK | {"teacher": TRAINING | {"epochs": 2, "batch_size": 4}}},
    "teach": {"task": TASK | {"teaching": {}}},
    "finetune_student": {
        "student": {"teacher_layers": "uniform"},
        "task": TASK | {"student": {
            **{name: TRAINING[name] for name in ("weight_decay", "dropout", "seed")},
            "distill": True,
            "intermediate": PHASE | {"epochs": 2, "losses": INTERMEDIATE},
            "prediction": PHASE | {"epochs": 2, "temperature": 2.0, "soft": 1.0, "hard": 0.5},
        }},
    },
}  # fmt: skip
STAGES = list(SECTIONS)
STUDENTS = {"s": {}, "own": {"num_hidden_layers": 1, "vocab_size": 60}}
"""By name, in what the second differs from the first: it has a vocabulary of its own."""
KEYS = {"pretrain": "", "shrink": "s", "distill": "s", "finetune_teacher": "t", "teach": "t", "finetune_student": "t-s"}
"""The instance of each stage, of the task `t` and the student `s`."""


def parameters(stage: str) -> dict[str, Any]:
    """A copy of the stage's parameters."""
    return copy.deepcopy({"compute": COMPUTE} | SECTIONS[stage])


def without_mlm_losses() -> dict[str, Any]:
    """Parameters of general distillation that a student with a vocabulary of its own can have."""
    found = parameters("distill")
    found["distill"]["losses"] |= {"prediction": 0.0, "hard": 0.0}
    return found


def make(folder: Path) -> Path:
    """In `folder` data/{packed,task_texts,tasks/t,unlabelled/t.parquet,cloze/t.parquet} and
    models/{tokenizer,initial,teacher,shrunk}."""
    random = np.random.default_rng(1)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = build_tokenizer([*special, *WORDS], lowercase=True, max_length=CONFIG["max_position_embeddings"])
    torch.manual_seed(2)
    model = BertForPreTraining(BertConfig.from_dict(CONFIG))
    for name in ("tokenizer", "initial", "teacher"):
        (folder / "models" / name).mkdir(parents=True)
        save_tokenizer(tokenizer, folder=folder / "models" / name)
    for name in ("initial", "teacher"):
        checkpoint.save(model, folder / "models" / name)
    (folder / "data/packed").mkdir(parents=True)
    for split, count in (("train", 23), ("heldout", 9)):
        np.save(folder / f"data/packed/{split}.npy", np.stack([_block(random) for _ in range(count)]))
    (folder / "data/task_texts").mkdir()
    np.save(folder / "data/task_texts/train.npy", np.stack([_block(random) for _ in range(7)]))
    _task(folder / "data/tasks/t", random)
    shape = {"method": "rotation", "num_hidden_layers": 2, "keep_layers": "uniform", "hidden_size": 20,
             "num_attention_heads": 4, "intermediate_size": 28, "vocab_size": None}  # fmt: skip
    sections = {"compute": COMPUTE, "shrink": {"calibration_blocks": 16, "seed": 1}, "task_texts": TEXTS}
    with chdir(folder):
        for name, own in STUDENTS.items():
            shrink.main(
                shrink.Parameters.model_validate(sections | {"student": shape | own}), Run(name, Path("resume"))
            )
    return folder


def _block(random: np.random.Generator) -> np.ndarray:
    """One or two documents."""
    block = random.integers(FIRST, CONFIG["vocab_size"], LENGTH).astype(np.uint16)
    block[0], block[-1] = CLS, SEP
    middle = int(random.integers(5, LENGTH))
    if middle < LENGTH - 5:
        block[middle : middle + 2] = SEP, CLS
    return block


def _task(folder: Path, random: np.random.Generator) -> None:
    """Texts of 1 to 9 words; 13 rows make an epoch whose last batch has one row, fewer than there are processes.

    So do these and 4 without labels.
    """
    folder.mkdir(parents=True)
    for split, count in (("train", 13), ("validation", 7), ("test", 5)):
        rows = [_row(random) | {"label": f"{n % 3}"} for n in range(count)]
        write_rows(folder / f"{split}.parquet", rows, SCHEMA)
    write_labels(folder, ["0", "1", "2"])
    unlabelled = folder.parents[1] / "unlabelled"
    unlabelled.mkdir()
    rows = [_row(random) | {"label": None} for _ in range(4)]
    write_rows(unlabelled / f"{folder.name}.parquet", rows, unlabelled_schema(SCHEMA))
    cloze = folder.parents[1] / "cloze"
    cloze.mkdir()
    write_rows(cloze / f"{folder.name}.parquet", [], CLOZE)


def _row(random: np.random.Generator) -> dict[str, Any]:
    return {"text": " ".join(random.choice(WORDS, int(random.integers(1, 10)))), "text_pair": None}
