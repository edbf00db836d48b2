"""Contenders that train in turn, round by round, and the table of their speeds."""

import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import nn
from transformers import BertConfig

from stages.model import attention
from stages.model.layers import choose_layers
from stages.training import loop
from stages.training.machine import Precision, set_up

RATE, WARMUP, DECAY, VOCABULARY = 5e-4, 0.1, 0.01, 30522
TEACHER, STUDENT = (12, 768, 12, 3072), (4, 312, 12, 1200)
"""BERT-base and TinyBERT4: layers, hidden size, attention heads, intermediate size."""
LAYERS = choose_layers("uniform", student=STUDENT[0], teacher=TEACHER[0])
AUTHORS = "the authors' loop"
Ends = list[float]
"""The times of the start and of the end of each step."""
OURS = "this project"
SKIPPED = 2
"""First steps, in which memory is allocated."""


def machine(precision: Precision = "auto") -> Accelerator:
    """As a stage sets it up, also after a Trainer or another precision in this process."""
    AcceleratorState._reset_state(reset_partial_state=True)
    return set_up(threads="auto", precision=precision, cpu=True)


def build(head: Any, shape: tuple[int, int, int, int]) -> Any:
    """A model of class `head`, the same random weights every time."""
    layers, hidden, heads, intermediate = shape
    torch.manual_seed(layers)
    return head(BertConfig(vocab_size=VOCABULARY, num_hidden_layers=layers, hidden_size=hidden,
                           num_attention_heads=heads, intermediate_size=intermediate))  # fmt: skip


def as_loaded(model: Any) -> Any:
    """The model as this project's stages load one."""
    model.set_attn_implementation(attention.NAME)
    return model


def train_here(
    objective: nn.Module, batches: Callable[[int], Any], *, steps: int, accelerator: Any, memory: loop.Memory
) -> Ends:
    """`steps` steps of this project's loop, saving as ever."""
    ends = [time.perf_counter()]
    with tempfile.TemporaryDirectory() as folder:
        for _ in loop.train(
            objective, batches=batches, steps=steps, rate=RATE, warmup=WARMUP, weight_decay=DECAY, seed=1,
            memory=memory, accelerator=accelerator, folder=Path(folder), label=OURS,
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


def speed(ends: Ends, *, tokens: float) -> float:
    """Tokens per second, by the median step of `tokens` tokens."""
    return tokens / float(np.median(np.diff(ends)[SKIPPED:]))


def rounds_of(contenders: Mapping[str, Callable[[], float]], *, rounds: int) -> list[dict[str, float]]:
    """The speed of each in each round; a round lets each train once."""
    return [{who: measure() for who, measure in contenders.items()} for _ in range(rounds)]


def lines(found: list[dict[str, float]], *, what: str) -> list[str]:
    """A line for each contender: its median speed, and how many times faster this project is in the same round."""
    rows: list[str] = []
    for who in found[0]:
        ratios = [one[OURS] / one[who] for one in found]
        low, middle, high = min(ratios), np.median(ratios), max(ratios)
        median = np.median([one[who] for one in found])
        rows.append(f"| {what} | {who} | {median:,.0f} | {middle:.2f} ({low:.2f} to {high:.2f}) |")
    return rows
