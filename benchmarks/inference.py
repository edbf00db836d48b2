"""Latency of small BERTs beside large ones in PyTorch. Weights are random, since their values do not change a time.

`python -m benchmarks.inference --rounds 100` writes benchmarks/inference.md. Every round times every model, so
that the noise of the machine hits all alike; a ratio is the median of the rounds' own ratios, with their range.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import BertConfig, BertForSequenceClassification

from benchmarks.clones import ROOT
from benchmarks.machines import legend, table
from tinybert.export.convert import write_float32
from tinybert.export.int8 import write_int8
from tinybert.export.latency import Variant, Variants, onnx_variants, time_variants, torch_variants
from tinybert.model.size import count_parameters, multiply_adds
from tinybert.training.devices import set_up

VOCAB_SIZE = 30522
LENGTHS = (16, 128)
WAIT = 4.0  # seconds at most for other programs to end, in each timing
PAGE = "inference"
PAIRS = {
    "MiniLM (6 layers, 384) and a student of 3 layers, 192": ((6, 384, 12, 1536), (3, 192, 12, 768)),
    "BERT-base (12 layers, 768) and TinyBERT4 (4 layers, 312)": ((12, 768, 12, 3072), (4, 312, 12, 1200)),
}


def build(layers: int, hidden: int, heads: int, intermediate: int) -> Any:
    config = BertConfig(vocab_size=VOCAB_SIZE, num_hidden_layers=layers, hidden_size=hidden,
                        num_attention_heads=heads, intermediate_size=intermediate)  # fmt: skip
    return BertForSequenceClassification(config).eval()


def measure(teacher: Any, student: Any, *, rounds: int, threads: int) -> dict[str, str]:
    """The cells of one table."""
    with tempfile.TemporaryDirectory() as place:
        variants: Variants = {}
        for name, model in (("teacher", teacher), ("student", student)):
            files = {precision: Path(place) / f"{name}_{precision}.onnx" for precision in ("float32", "int8")}
            write_float32(model, files["float32"])
            write_int8(model, files["int8"])
            variants |= torch_variants(name, model) | onnx_variants(name, files, threads=threads)
        cells: dict[str, str] = {}
        for length in LENGTHS:
            seconds, _ = time_variants(
                variants, batch_size=1, length=length, vocab_size=VOCAB_SIZE, rounds=rounds, wait=WAIT
            )
            cells |= times_faster(length, seconds)
    return cells


def sizes(teacher: Any, student: Any) -> str:
    parameters = [count_parameters(model)["parameters"] / 1e6 for model in (teacher, student)]
    products = [multiply_adds(model, length=max(LENGTHS)) / 1e6 for model in (teacher, student)]
    return (
        f"{parameters[0]:.1f}M and {parameters[1]:.1f}M parameters; {products[0]:,.0f}M and {products[1]:,.0f}M "
        f"multiply-adds for {max(LENGTHS)} tokens, {products[0] / products[1]:.1f} times fewer."
    )


def times_faster(length: int, seconds: dict[Variant, np.ndarray]) -> dict[str, str]:
    """Of each variant; of the teacher in PyTorch, which they are compared with, milliseconds."""
    reference = seconds[Variant("teacher", "torch", "float32")]
    cells: dict[str, str] = {}
    for variant, times in seconds.items():
        low, middle, high = np.percentile(reference / times, (5, 50, 95))
        own = f"{np.median(times) * 1000:.1f} ms" if times is reference else f"{middle:.1f} ({low:.1f} to {high:.1f})"
        cells[f"{length} | {variant.model}, {variant.runtime} {variant.precision}"] = own
    return cells


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    options = parser.parse_args()
    set_up(threads="auto", precision="float32", cpu=True)
    torch.use_deterministic_algorithms(False)
    measured: dict[str, tuple[str, dict[str, str]]] = {}
    for title, shapes in PAIRS.items():
        teacher, student = (build(*shape) for shape in shapes)
        cells = measure(teacher, student, rounds=options.rounds, threads=torch.get_num_threads())
        measured[title] = sizes(teacher, student), cells
    parts = [
        f"## {title}\n\n{text}\n\n{table(f'{PAGE}: {title}', cells, head='tokens | model')}\n"
        for title, (text, cells) in measured.items()
    ]
    head = f"""# How fast a small BERT answers

`python -m benchmarks.inference --rounds {options.rounds}`: one sequence at a time. Times faster than the teacher in
PyTorch float32: the median of the rounds' own ratios, and their 5th to 95th percentile. A model is called twice in its
turn, of which the second counts: it has its weights in the caches, as a service has that answers all the time. Float32
ONNX is standard operators; int8 has fused attention and weights of 7 bits by channel (`tinybert/export/int8.py`).

{legend(*(f"{PAGE}: {title}" for title in PAIRS))}
"""
    text = "\n".join([head, *parts])
    (ROOT / "benchmarks/inference.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
