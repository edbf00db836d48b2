"""Fine-tuning of a student on labels, here and by transformers.Trainer as its run_glue example sets it up."""

from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from benchmarks.contest import STUDENT, Ends, Training, as_loaded, build, machine, train_by_trainer, train_here
from benchmarks.task_distillation import BATCH, HEAD, Features, batches_of, padded
from stages.model.checkpoint import set_dropout
from stages.tasks import classification
from stages.training.prediction import predict
from stages.training.task_prediction import TaskPrediction

PADDED_BY_TRAINER = 128


def training(features: Features) -> tuple[Training, Any]:
    """What is trained, and the student in it."""
    accelerator = machine()
    student = as_loaded(build(HEAD, STUDENT))
    set_dropout(student, hidden=0.1)
    objective = TaskPrediction(student, classification, hard=1.0, soft=0.0, temperature=1.0)
    return Training(objective, batches_of(features), accelerator), student


def finetune_here(features: Features, *, steps: int) -> tuple[Ends, Any]:
    made, student = training(features)
    return train_here(made, steps=steps), student


def finetune_by_trainer(features: Features, *, steps: int, best: bool) -> tuple[Ends, Any, np.ndarray]:
    """Times, the student and the tokens of each step.

    Every text is padded to max_seq_length, which is 128; with `best`, to the longest of its batch.
    """
    student, tokens = build(HEAD, STUDENT), []

    def collate(rows: Features) -> dict[str, torch.Tensor]:
        tokens.append(sum(len(row["input_ids"]) for row in rows))
        return classification.collate(rows, pad_token_id=0) if best else padded(rows, PADDED_BY_TRAINER)

    watch = train_by_trainer(student, features, collate, steps=steps, batch_size=BATCH, best=best)
    return watch.ends, student, np.array(tokens[:steps])


def heldout_loss(student: Any, features: Features) -> float:
    """Cross-entropy to the gold labels, in float32."""
    accelerator = machine("float32")
    logits = predict(student, features, classification, pad_token_id=0, accelerator=accelerator)
    return float(cross_entropy(torch.tensor(np.stack(logits)), torch.tensor([one["label"] for one in features])))
