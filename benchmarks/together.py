"""What a front of students costs: several of them distilled by one pass of their teacher, against one after another.

`python -m benchmarks.together` writes benchmarks/together.md. The teacher is a BERT-base, the students are TinyBERT's
smaller one (Jiao et al. 2020: 4 layers of 312) and three below it, all with random weights; blocks are random tokens
without padding. Each round times every student alone and the first k of them together.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from transformers import BertForPreTraining, BertTokenizer

from benchmarks.clones import ROOT
from benchmarks.machines import legend, table
from benchmarks.throughput import SKIPPED, TEACHER, VOCAB_SIZE, Shape, build, set_up_cpu, with_attention
from tinybert.data.tokenizer import build_tokenizer
from tinybert.distillation.general import Learner, distill
from tinybert.distillation.projections import projections_from
from tinybert.pruning.layers import choose_layers
from tinybert.training.progress import Progress

STUDENTS = (4, 312, 12, 1200), (4, 264, 12, 1056), (3, 192, 12, 768), (2, 120, 12, 480)
COUNTS = (1, 2, 4)
PAGE = "together"
LENGTH, BATCH = 128, 8
WEIGHTS = {"embedding": 1.0, "hidden": 1.0, "attention": 1.0}


class Clock(Progress):
    """Notes when each step ends, and prints nothing."""

    def __init__(self) -> None:
        super().__init__("clock")
        self.times: list[float] = []

    def step(self, step: int, *, tokens: int, text: Callable[[], str]) -> None:
        self.times.append(time.perf_counter())


def tokenizer() -> BertTokenizer:
    """Of as many entries as the teacher has; what they are is of no account."""
    entries = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"w{n}" for n in range(VOCAB_SIZE - 5))]
    return build_tokenizer(entries, lowercase=True, max_length=LENGTH)


def seconds_of_step(shapes: Sequence[Shape], blocks: np.ndarray, words: BertTokenizer, *, steps: int) -> float:
    """Median seconds of a step of all `shapes` together."""
    accelerator, clock = set_up_cpu(), Clock()
    teacher = with_attention(build(BertForPreTraining, TEACHER))
    learners = [learner(shape, clock) for shape in shapes]
    distill(learners, teacher, blocks, tokenizer=words, steps=steps, batch_size=BATCH, weights=WEIGHTS,
            mask_probability=0.0, accelerator=accelerator)  # fmt: skip
    ends = clock.times[len(shapes) - 1 :: len(shapes)]
    return statistics.median(np.diff(ends)[SKIPPED - 1 :])


def learner(shape: Shape, clock: Clock) -> Learner:
    student = with_attention(build(BertForPreTraining, shape))
    layers = choose_layers("uniform", student=shape[0], teacher=TEACHER[0])
    maps = projections_from(torch.eye(TEACHER[1])[:, : shape[1]], states=shape[0] + 1)
    return Learner(student, maps, layers, progress=clock)


def rounds(blocks: np.ndarray, *, count: int, steps: int) -> list[dict[str, Any]]:
    """Of each round the seconds of a step: `alone` by student, `together` by number of students."""
    words = tokenizer()
    return [
        {
            "alone": [seconds_of_step([shape], blocks, words, steps=steps) for shape in STUDENTS],
            "together": {k: seconds_of_step(STUDENTS[:k], blocks, words, steps=steps) for k in COUNTS if k > 1},
        }
        for _ in range(count)
    ]


def cells(measured: Sequence[dict[str, Any]]) -> dict[str, str]:
    rows: dict[str, str] = {}
    for k in COUNTS:
        together = [row["together"].get(k, row["alone"][0]) for row in measured]
        apart = [sum(row["alone"][:k]) for row in measured]
        saved = statistics.median(b / a for a, b in zip(together, apart, strict=True))
        costs = [seconds / row["alone"][0] for seconds, row in zip(together, measured, strict=True)]
        rows |= {
            f"{k} | seconds of a step": f"{statistics.median(together):.2f}",
            f"{k} | in steps of the first": f"{statistics.median(costs):.2f} ({min(costs):.2f} to {max(costs):.2f})",
            f"{k} | times faster than one after another": f"{saved:.2f}",
        }
    return rows


def page(measured: Sequence[dict[str, Any]], *, count: int, steps: int) -> str:
    costs = table(PAGE, cells(measured), head="students | ")
    shapes = ", ".join(f"{layers} layers of {hidden}" for layers, hidden, *_ in STUDENTS)
    return f"""# What a front of students costs

`python -m benchmarks.together --rounds {count} --steps {steps}`: general distillation of a BERT-base
into the first of {shapes}; {BATCH} x {LENGTH} tokens a step.
Medians of the rounds, in brackets the smallest and the largest.

{costs}

{legend(PAGE)}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=7)
    options = parser.parse_args()
    blocks = np.random.default_rng(1).integers(5, VOCAB_SIZE, (options.steps * BATCH, LENGTH))
    text = page(rounds(blocks, count=options.rounds, steps=options.steps), count=options.rounds, steps=options.steps)
    (ROOT / "benchmarks/together.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
