"""General distillation of the teacher into a student on the corpus.

In: models/teacher, models/shrunk/S, models/gathered, data/packed, data/task_texts.
Out: models/students/S, reports/distill/S/{curve.tsv,metrics.json,machine.json}.
The first student that is distilled trains all others along whose distillation is due, since the teacher's pass is the
larger part of a step; each finds its training at its resume point when its own stage runs. models/gathered says no
more than that all students are shrunk by then.
"""

from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
from transformers import BertConfig, BertTokenizer

from stages.parameters.section import Section
from stages.parameters.sections import Compute, Distill, LayerMap, TaskTexts
from stages.pipeline.stage import Other, Run, run
from tinybert.atomic import atomic_folder
from tinybert.data.tokenizer import load_tokenizer, save_tokenizer
from tinybert.distillation.general import Learner, distill
from tinybert.distillation.projections import load_projections, save_projections
from tinybert.errors import InputError
from tinybert.files import write_curve, write_json
from tinybert.model.checkpoint import has_mlm_head, load_checkpoint, require_positions, save
from tinybert.model.size import count_parameters
from tinybert.pretraining.mlm import heldout_mlm_scores
from tinybert.pruning.layers import choose_layers
from tinybert.training.devices import describe, set_up
from tinybert.training.progress import Progress, log
from tinybert.training.sampling import Mixture

TEACHER = Path("models/teacher")


class Parameters(Section):
    compute: Compute
    distill: Distill
    task_texts: TaskTexts
    student: LayerMap


def main(p: Parameters, run: Run) -> None:
    options = p.distill
    accelerator = set_up(threads=p.compute.threads, precision=p.compute.precision)
    tokenizer, teacher = load_tokenizer(TEACHER), load_checkpoint(TEACHER).to(accelerator.device)
    blocks, heldout = (np.load(f"data/packed/{split}.npy", mmap_mode="r") for split in ("train", "heldout"))
    require_positions(blocks.shape[1], teacher.config, key="params.yaml: pack.sequence_length")
    task_blocks = np.load("data/task_texts/train.npy", mmap_mode="r")
    load = partial(load_learner, tokenizer=tokenizer, teacher=teacher.config)
    learner, others = load(run.key, p.student, run.resume), dict[Other, Learner]()
    for other in run.others if p.student.is_distilled else ():
        with suppress(InputError):  # which its own stage will say
            if other.parameters.student.is_distilled:
                others[other] = load(other.key, other.parameters.student, other.resume, tracked=False)
    distill(
        [learner, *others.values()] if p.student.is_distilled else [], teacher,
        Mixture(blocks, task_blocks, p.task_texts.share) if len(task_blocks) else blocks, tokenizer=tokenizer,
        weights=options.losses.weights(), relation_heads=options.losses.relation_heads, accelerator=accelerator,
        **options.model_dump(exclude={"losses"}),
    )  # fmt: skip
    if not run.writes:
        return
    for other, trained in others.items():
        if trained.state.curve and trained.state.curve[-1]["step"] == options.steps:
            other.set_finished()
    student, own = learner.student, learner.tokenizer or tokenizer
    models = {"student": student, "teacher": teacher}
    # Without these losses the vocabulary is not distilled, and the teacher needs no MLM head.
    of_the_head = options.losses.prediction or options.losses.hard
    scored = models if of_the_head and not learner.tokenizer and has_mlm_head(teacher) else {}
    scores = {name: heldout_mlm_scores(model, heldout, tokenizer=tokenizer)
              for name, model in scored.items()}  # fmt: skip
    sizes = {name: count_parameters(model)["parameters"] for name, model in models.items()}
    reports = Path("reports/distill") / run.key
    with atomic_folder(f"models/students/{run.key}") as folder:
        save(student, folder)
        save_tokenizer(own, folder=folder)
        save_projections(learner.projections, folder)
    write_curve(reports / "curve.tsv", learner.state.curve)
    write_json(reports / "metrics.json", {"heldout_mlm": scores, "parameters": sizes})
    write_json(reports / "machine.json", describe(accelerator))
    log(f"models/students/{run.key}: {sizes['student']:,} parameters, its teacher has {sizes['teacher']:,}")
    for name, score in scores.items():
        log(f"held-out MLM accuracy of the {name}: {score['accuracy']:.1%}")


def load_learner(
    name: str, layers: LayerMap, resume: Path, *, tokenizer: BertTokenizer, teacher: BertConfig, tracked: bool = True
) -> Learner:
    folder = Path("models/shrunk") / name
    student, own = load_checkpoint(folder), load_tokenizer(folder)
    chosen: list[int] = []
    if layers.teacher_layers is not None:
        chosen = choose_layers(layers.teacher_layers, student=student.config.num_hidden_layers,
                               teacher=teacher.num_hidden_layers)  # fmt: skip
    return Learner(
        student, load_projections(folder), chosen, None if own.get_vocab() == tokenizer.get_vocab() else own,
        folder=resume, progress=Progress(f"distill {name}", tracked=tracked),
    )  # fmt: skip


if __name__ == "__main__":
    run(main, Parameters, trains=True, together=True)
