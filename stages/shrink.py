"""Make a student of the teacher's weights, without training.

In: models/teacher, data/packed. Out: models/shrunk/S, with pruning.json (what was chosen, by which scores) and the
projections that distillation starts from.
"""

from pathlib import Path

import numpy as np

from stages.parameters.section import Section
from stages.parameters.sections import Compute, Shape, Shrink
from stages.pipeline.stage import Run, run
from tinybert.atomic import atomic_folder
from tinybert.data.tokenizer import load_tokenizer, save_tokenizer, special_id
from tinybert.distillation.projections import projections_from, save_projections
from tinybert.files import write_json
from tinybert.model.checkpoint import load_checkpoint, require_positions, save
from tinybert.model.size import count_parameters
from tinybert.pruning.calibration import texts_of
from tinybert.pruning.prune import prune
from tinybert.training.devices import set_up
from tinybert.training.progress import log

TEACHER = Path("models/teacher")


class Parameters(Section):
    compute: Compute
    shrink: Shrink
    student: Shape


def main(p: Parameters, run: Run) -> None:
    set_up(threads=p.compute.threads, precision="float32")  # closed-form fits, in float64
    teacher, tokenizer = load_checkpoint(TEACHER), load_tokenizer(TEACHER)
    blocks = np.load("data/packed/train.npy", mmap_mode="r")
    require_positions(blocks.shape[1], teacher.config, key="params.yaml: pack.sequence_length")
    rows = np.linspace(0, len(blocks) - 1, min(p.shrink.calibration_blocks, len(blocks))).astype(int)
    texts = texts_of(blocks[rows], cls_id=special_id(tokenizer, "cls"))
    pruned = prune(teacher, texts, seed=p.shrink.seed, **p.student.model_dump())
    with atomic_folder(f"models/shrunk/{run.key}") as folder:
        save(pruned.student, folder)
        save_tokenizer(tokenizer, folder=folder)
        save_projections(projections_from(pruned.basis_Dk, states=len(pruned.layers) + 1), folder)
        write_json(folder / "pruning.json", pruned.record)
    small, large = (count_parameters(model)["parameters"] / 1e6 for model in (pruned.student, teacher))
    log(f"models/shrunk/{run.key}: {small:.2f}M of the teacher's {large:.2f}M parameters, its layers {pruned.layers}")


if __name__ == "__main__":
    run(main, Parameters)
