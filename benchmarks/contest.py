"""Contenders that train in turn, round by round, and the table of their speeds."""

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

from stages.model import attention, projections
from stages.model.layers import choose_layers
from stages.training import loop
from stages.training.imitation import Imitation
from stages.training.machine import M_MMAP_MAX, M_TOP_PAD, M_TRIM_THRESHOLD, Precision, set_up, tune_glibc

RATE, WARMUP, DECAY, VOCABULARY = 5e-4, 0.1, 0.01, 30522
Shape = tuple[int, int, int, int]
TEACHER, STUDENT = (12, 768, 12, 3072), (4, 312, 12, 1200)
"""BERT-base and TinyBERT4: layers, hidden size, attention heads, intermediate size."""
LAYERS = choose_layers("uniform", student=STUDENT[0], teacher=TEACHER[0])
AUTHORS = "the authors' loop"
Ends = list[float]
"""The times of the start and of the end of each step."""
OURS = "this project"
SKIPPED = 2
"""First steps, in which memory is allocated."""
M_MMAP_THRESHOLD = -3
GLIBC = {M_MMAP_MAX: 2**16, M_MMAP_THRESHOLD: 2**25, M_TRIM_THRESHOLD: 2**26, M_TOP_PAD: 2**17}
"""What glibc has by itself where tensors are large."""


class Training(NamedTuple):
    objective: nn.Module
    batches: Callable[[int], Any]
    accelerator: Accelerator


def machine(precision: Precision = "auto") -> Accelerator:
    """As a stage sets it up, also after a Trainer, another precision or this project's loop in this process."""
    AcceleratorState._reset_state(reset_partial_state=True)
    tune_glibc(GLIBC)
    return set_up(threads="auto", precision=precision, cpu=True)


def build(head: Any, shape: Shape, **others: Any) -> Any:
    """A model of class `head`, the same random weights every time; `others` are further entries of its config."""
    layers, hidden, heads, intermediate = shape
    torch.manual_seed(layers)
    return head(BertConfig(vocab_size=VOCABULARY, num_hidden_layers=layers, hidden_size=hidden,
                           num_attention_heads=heads, intermediate_size=intermediate, **others))  # fmt: skip


def as_loaded(model: Any) -> Any:
    """The model as this project's stages load one."""
    model.set_attn_implementation(attention.NAME)
    return model


def imitation(student: Any, teacher: Any) -> Imitation:
    """All of TinyBERT's losses between inner states, each with weight 1; its projections train along.

    They start at random, since a random student was not cut out of its teacher.
    """
    maps = projections.for_channels(list(range(STUDENT[1])), teacher=TEACHER[1], states=STUDENT[0] + 1)
    torch.manual_seed(len(maps))
    for one in maps:
        nn.init.normal_(cast(nn.Linear, one).weight, std=student.config.initializer_range)
    weights = {"embedding": 1.0, "hidden": 1.0, "attention": 1.0}
    return Imitation(maps, student.config, teacher.config, teacher_layers=LAYERS, weights=weights)


def train_here(training: Training, *, steps: int, memory: loop.Memory | None = None, rate: float = RATE) -> Ends:
    """`steps` steps of this project's loop, saving as ever."""
    objective, batches, accelerator = training
    ends = [time.perf_counter()]
    with tempfile.TemporaryDirectory() as folder:
        for _ in loop.train(
            objective, batches=batches, steps=steps, rate=rate, warmup=WARMUP, weight_decay=DECAY, seed=1,
            memory=memory or loop.Memory(), accelerator=accelerator, folder=Path(folder), label=OURS,
        ):  # fmt: skip
            ends.append(time.perf_counter())
    return ends


def train_there(step: Callable[[int], None], *, steps: int) -> Ends:
    """`steps` steps of somebody else's loop."""
    ends = [time.perf_counter()]
    for n in range(steps):
        step(n)
        ends.append(time.perf_counter())
    return ends


class Watch(TrainerCallback):
    """What a Trainer did when, and its losses."""

    def __init__(self) -> None:
        self.ends: Ends = []
        self.losses: list[float] = []

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.ends = self.ends or [time.perf_counter()]

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.ends.append(time.perf_counter())

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if "loss" in logs:
            self.losses.append(float(logs["loss"]))


def train_by_trainer(model: Any, rows: Any, collator: Any, *, steps: int, batch_size: int, best: bool) -> Watch:
    """`steps` steps of transformers.Trainer; with `best`, in bf16, the fused optimizer, rows of a length together."""
    machine()
    torch.use_deterministic_algorithms(False)
    watch = Watch()
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder, max_steps=steps, per_device_train_batch_size=batch_size, learning_rate=RATE, warmup_steps=WARMUP,
            weight_decay=DECAY, logging_steps=max(1, steps // loop.POINTS), save_strategy="no", report_to=[],
            use_cpu=True, disable_tqdm=True, remove_unused_columns=False, bf16=best, seed=1,
            optim="adamw_torch_fused" if best else "adamw_torch",
            train_sampling_strategy="group_by_length" if best else "random",
        )  # fmt: skip
        Trainer(model, arguments, data_collator=collator, train_dataset=rows, callbacks=[watch]).train()
    return watch


def speed(ends: Ends, *, tokens: float) -> float:
    """Tokens per second, by the median step of `tokens` tokens."""
    return tokens / float(np.median(np.diff(ends)[SKIPPED:]))


def rounds_of(contenders: Mapping[str, Callable[[], float]], *, rounds: int) -> list[dict[str, float]]:
    """The speed of each in each round; a round lets each train once."""
    return [{who: measure() for who, measure in contenders.items()} for _ in range(rounds)]


def median_speed(found: list[dict[str, float]]) -> float:
    """This project's median speed."""
    return float(np.median([one[OURS] for one in found]))


def lines(found: list[dict[str, float]], *, what: str) -> list[str]:
    """A line for each contender: its median speed, and how many times faster this project is in the same round."""
    rows: list[str] = []
    for who in found[0]:
        ratios = [one[OURS] / one[who] for one in found]
        low, middle, high = min(ratios), np.median(ratios), max(ratios)
        median = np.median([one[who] for one in found])
        rows.append(f"| {what} | {who} | {median:,.0f} | {middle:.2f} ({low:.2f} to {high:.2f}) |")
    return rows
