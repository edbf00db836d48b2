"""Training throughput of several programs, measured in turn, round by round."""

import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import nn
from transformers import BertConfig, Trainer, TrainerCallback, TrainingArguments

from tinybert.distillation.intermediate import IntermediateDistillation
from tinybert.distillation.projections import projections_from
from tinybert.model import attention
from tinybert.pruning.layers import choose_layers
from tinybert.training import loop
from tinybert.training.devices import M_MMAP_MAX, M_TOP_PAD, M_TRIM_THRESHOLD, Precision, set_up, tune_glibc
from tinybert.training.loop import TrainState
from tinybert.training.progress import Progress

LEARNING_RATE, WARMUP, WEIGHT_DECAY, VOCAB_SIZE = 5e-4, 0.1, 0.01, 30522
Shape = tuple[int, int, int, int]
TEACHER, STUDENT = (12, 768, 12, 3072), (4, 312, 12, 1200)
"""BERT-base and TinyBERT4: layers, hidden size, attention heads, intermediate size."""
LAYERS = choose_layers("uniform", student=STUDENT[0], teacher=TEACHER[0])
AUTHORS, OURS = "the authors' loop", "this project"
Times = list[float]
"""When the first step started, and when each step ended."""
SKIPPED = 2
"""First steps, in which memory is allocated."""
M_MMAP_THRESHOLD = -3
GLIBC = {M_MMAP_MAX: 2**16, M_MMAP_THRESHOLD: 2**25, M_TRIM_THRESHOLD: 2**26, M_TOP_PAD: 2**17}
"""glibc's own options where tensors are large."""


class Training(NamedTuple):
    objective: nn.Module
    batches: Callable[[int], Any]
    accelerator: Accelerator


def set_up_cpu(precision: Precision = "auto") -> Accelerator:
    """As a stage does, also after a Trainer, another precision or this project's loop in the same process."""
    AcceleratorState._reset_state(reset_partial_state=True)
    tune_glibc(GLIBC)
    return set_up(threads="auto", precision=precision, cpu=True)


def build(head: Any, shape: Shape, **config: Any) -> Any:
    """A model of class `head`, with the same random weights every time; `config` are further entries of its config."""
    layers, hidden, heads, intermediate = shape
    torch.manual_seed(layers)
    return head(BertConfig(vocab_size=VOCAB_SIZE, num_hidden_layers=layers, hidden_size=hidden,
                           num_attention_heads=heads, intermediate_size=intermediate, **config))  # fmt: skip


def with_attention(model: Any) -> Any:
    """The model with this project's attention, as its stages load one."""
    model.set_attn_implementation(attention.NAME)
    return model


def intermediate_distillation(student: Any, teacher: Any) -> IntermediateDistillation:
    """TinyBERT's embedding, hidden and attention losses, each with weight 1.

    Its projections start at random, since a random student was not cut out of its teacher.
    """
    maps = projections_from(torch.zeros(TEACHER[1], STUDENT[1]), states=STUDENT[0] + 1)
    torch.manual_seed(len(maps))
    for linear in maps:
        nn.init.normal_(cast(nn.Linear, linear).weight, std=student.config.initializer_range)
    weights = {"embedding": 1.0, "hidden": 1.0, "attention": 1.0}
    return IntermediateDistillation(maps, student.config, teacher.config, teacher_layers=LAYERS, weights=weights)


def train_ours(
    training: Training, *, steps: int, state: TrainState | None = None, learning_rate: float = LEARNING_RATE
) -> Times:
    """`steps` steps of this project's loop, with resume points."""
    objective, batches, accelerator = training
    times = [time.perf_counter()]
    with tempfile.TemporaryDirectory() as folder:
        for _ in loop.train(
            objective, batches=batches, steps=steps, learning_rate=learning_rate, warmup=WARMUP,
            weight_decay=WEIGHT_DECAY, seed=1, state=state, accelerator=accelerator, folder=Path(folder),
            progress=Progress(OURS),
        ):  # fmt: skip
            times.append(time.perf_counter())
    return times


def train_theirs(step: Callable[[int], None], *, steps: int) -> Times:
    """`steps` steps of another loop."""
    times = [time.perf_counter()]
    for n in range(steps):
        step(n)
        times.append(time.perf_counter())
    return times


class StepTimes(TrainerCallback):
    """The times of a Trainer's steps, and its losses."""

    def __init__(self) -> None:
        self.times: Times = []
        self.losses: list[float] = []

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.times = self.times or [time.perf_counter()]

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.times.append(time.perf_counter())

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if "loss" in logs:
            self.losses.append(float(logs["loss"]))


def train_by_trainer(model: Any, rows: Any, collator: Any, *, steps: int, batch_size: int, best: bool) -> StepTimes:
    """`steps` steps of transformers.Trainer; with `best`, in bf16, the fused optimizer, similar lengths together."""
    set_up_cpu()
    torch.use_deterministic_algorithms(False)
    recorded = StepTimes()
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder, max_steps=steps, per_device_train_batch_size=batch_size, learning_rate=LEARNING_RATE,
            warmup_steps=WARMUP, weight_decay=WEIGHT_DECAY, logging_steps=max(1, steps // loop.POINTS),
            save_strategy="no", report_to=[], use_cpu=True, disable_tqdm=True, remove_unused_columns=False, bf16=best,
            seed=1, optim="adamw_torch_fused" if best else "adamw_torch",
            train_sampling_strategy="group_by_length" if best else "random",
        )  # fmt: skip
        Trainer(model, arguments, data_collator=collator, train_dataset=rows, callbacks=[recorded]).train()
    return recorded


def speed(times: Times, *, tokens: float) -> float:
    """Tokens per second of the median step, each having `tokens` tokens."""
    return tokens / float(np.median(np.diff(times)[SKIPPED:]))


Speeds = list[dict[str, float]]
"""Tokens per second of each program, in each round."""


def measure_rounds(programs: Mapping[str, Callable[[], float]], *, rounds: int) -> Speeds:
    """In each round, every program trains once."""
    return [{name: measure() for name, measure in programs.items()} for _ in range(rounds)]


def median_speed(speeds: Speeds) -> float:
    """That of this project."""
    return float(np.median([row[OURS] for row in speeds]))


FASTER_BY = """A column for each machine: how many times as fast this project is, the median of the rounds, in brackets
the smallest and the largest; in its own rows how many tokens a second it trains on. It computes in bfloat16 where the
machine multiplies that faster than float32 (`precision: auto`)."""


def cells(speeds: Speeds, *, label: str) -> dict[str, str]:
    """Of each program this project's speed-up over it in the same rounds, and of this project its median speed."""
    rows: dict[str, str] = {}
    for name in speeds[0]:
        ratios = [row[OURS] / row[name] for row in speeds]
        low, middle, high = min(ratios), np.median(ratios), max(ratios)
        rows[f"{label} | {name}"] = f"{middle:.2f} ({low:.2f} to {high:.2f})"
    return rows | {f"{label} | {OURS}": f"{median_speed(speeds):,.0f} tokens/s"}
