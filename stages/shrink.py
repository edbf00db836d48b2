"""Make a student of the teacher's weights, without training.

In: models/teacher, data/packed, data/task_texts.
Out: models/shrunk/S, with pruning.json (what was chosen, by which scores) and the projections that distillation starts
from.
"""

from pathlib import Path

import numpy as np

from stages.parameters.section import Section
from stages.parameters.sections import Compute, Shape, Shrink, TaskTexts
from stages.pipeline.stage import Run, run
from tinybert.atomic import atomic_folder
from tinybert.data.tokenizer import load_tokenizer, save_tokenizer, special_id
from tinybert.distillation.projections import projections_from, save_projections
from tinybert.files import write_json
from tinybert.model.checkpoint import load_checkpoint, require_positions, save
from tinybert.model.size import count_parameters
from tinybert.pruning.calibration import texts_of
from tinybert.pruning.prune import prune
from tinybert.pruning.vocabulary import (
    frequencies,
    most_frequent_entries,
    reduce_embeddings,
    reduce_tokenizer,
    unknown_share,
)
from tinybert.training.devices import set_up
from tinybert.training.progress import log

TEACHER = Path("models/teacher")


class Parameters(Section):
    compute: Compute
    shrink: Shrink
    student: Shape
    task_texts: TaskTexts


def main(p: Parameters, run: Run) -> None:
    set_up(threads=p.compute.threads, precision="float32")  # closed-form fits, in float64
    teacher, tokenizer = load_checkpoint(TEACHER), load_tokenizer(TEACHER)
    blocks = np.load("data/packed/train.npy", mmap_mode="r")
    require_positions(blocks.shape[1], teacher.config, key="params.yaml: pack.sequence_length")
    rows = np.linspace(0, len(blocks) - 1, min(p.shrink.calibration_blocks, len(blocks))).astype(int)
    texts = texts_of(blocks[rows], cls_id=special_id(tokenizer, "cls"))
    pruned = prune(teacher, texts, seed=p.shrink.seed, **p.student.model_dump(exclude={"vocab_size"}))
    student, record, own = pruned.student, pruned.record, tokenizer
    if p.student.vocab_size:
        frequencies_V = _frequencies(blocks, p.task_texts, vocab_size=teacher.config.vocab_size)
        kept = most_frequent_entries(frequencies_V, tokenizer, size=p.student.vocab_size)
        own = reduce_tokenizer(tokenizer, kept)
        student = reduce_embeddings(student, kept, pad_token_id=special_id(own, "pad"))
        unknown = unknown_share(frequencies_V, tokenizer, own)
        record = record | {"vocabulary": kept, "unknown": unknown, "covered": float(frequencies_V[kept].sum())}
        log(
            f"vocabulary: {len(kept)} of {len(tokenizer)} entries, {record['covered']:.2%} of tokens keep their piece, "
            f"{unknown:.3%} become [UNK]"
        )
    with atomic_folder(f"models/shrunk/{run.key}") as folder:
        save(student, folder)
        save_tokenizer(own, folder=folder)
        save_projections(projections_from(pruned.basis_Dk, states=len(pruned.layers) + 1), folder)
        write_json(folder / "pruning.json", record)
    small, large = (count_parameters(model)["parameters"] / 1e6 for model in (student, teacher))
    log(f"models/shrunk/{run.key}: {small:.2f}M of the teacher's {large:.2f}M parameters, its layers {pruned.layers}")


def _frequencies(blocks: np.ndarray, others: TaskTexts, *, vocab_size: int) -> np.ndarray:
    """Of the teacher's entries in what the student will be distilled on, [V]."""
    corpus = frequencies(blocks, vocab_size=vocab_size)
    task_blocks = np.load("data/task_texts/train.npy", mmap_mode="r")
    if not len(task_blocks):
        return corpus
    return (1 - others.share) * corpus + others.share * frequencies(task_blocks, vocab_size=vocab_size)


if __name__ == "__main__":
    run(main, Parameters)
