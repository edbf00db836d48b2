"""Fine-tuning of a student on labels, by this project and by transformers.Trainer as in its run_glue example."""

from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from benchmarks.task_distillation import BATCH, HEAD, Features, batches_of, padded
from benchmarks.throughput import (
    STUDENT,
    Times,
    Training,
    build,
    set_up_cpu,
    train_by_trainer,
    train_ours,
    with_attention,
)
from tinybert.finetuning.fit import TaskPrediction
from tinybert.finetuning.predict import predict
from tinybert.model.checkpoint import set_dropout
from tinybert.tasks.classification import model as classification

PADDED_BY_TRAINER = 128


def training(features: Features) -> tuple[Training, Any]:
    """This project's training, and its student."""
    accelerator = set_up_cpu()
    student = with_attention(build(HEAD, STUDENT))
    set_dropout(student, hidden=0.1)
    objective = TaskPrediction(student, classification, hard=1.0, soft=0.0, temperature=1.0)
    return Training(objective, batches_of(features), accelerator), student


def finetune_ours(features: Features, *, steps: int) -> tuple[Times, Any]:
    """Times and the student."""
    program, student = training(features)
    return train_ours(program, steps=steps), student


def finetune_by_trainer(features: Features, *, steps: int, best: bool) -> tuple[Times, Any, np.ndarray]:
    """Times, the student and the tokens of each step.

    Every text is padded to max_seq_length, which is 128; with `best`, to the longest of its batch.
    """
    student, tokens = build(HEAD, STUDENT), []

    def collate(rows: Features) -> dict[str, torch.Tensor]:
        tokens.append(sum(len(row["input_ids"]) for row in rows))
        return classification.collate(rows, pad_token_id=0) if best else padded(rows, PADDED_BY_TRAINER)

    recorded = train_by_trainer(student, features, collate, steps=steps, batch_size=BATCH, best=best)
    return recorded.times, student, np.array(tokens[:steps])


def heldout_loss(student: Any, features: Features) -> float:
    """Cross-entropy to the gold labels, in float32."""
    accelerator = set_up_cpu("float32")
    logits = predict(student, features, classification, pad_token_id=0, accelerator=accelerator)
    labels = torch.tensor([feature["label"] for feature in features])
    return float(cross_entropy(torch.tensor(np.stack(logits)), labels))
