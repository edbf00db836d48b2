"""General distillation of the teacher into a student on the corpus.

In: models/teacher, models/shrunk/S, data/packed, data/task_texts.
Out: models/students/S, reports/distill/S/{curve.tsv,metrics.json,machine.json}.
"""

from pathlib import Path

import numpy as np

from stages.parameters.section import Section
from stages.parameters.sections import Compute, Distill, LayerMap, TaskTexts
from stages.pipeline.stage import Run, run
from tinybert.atomic import atomic_folder
from tinybert.data.tokenizer import load_tokenizer, save_tokenizer
from tinybert.distillation.general import distill
from tinybert.distillation.projections import load_projections, save_projections
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
    options, source = p.distill, Path("models/shrunk") / run.key
    accelerator = set_up(threads=p.compute.threads, precision=p.compute.precision)
    tokenizer, own = load_tokenizer(TEACHER), load_tokenizer(source)
    same = tokenizer.get_vocab() == own.get_vocab()
    teacher, student = (load_checkpoint(folder).to(accelerator.device) for folder in (TEACHER, source))
    blocks, heldout = (np.load(f"data/packed/{split}.npy", mmap_mode="r") for split in ("train", "heldout"))
    require_positions(blocks.shape[1], teacher.config, key="params.yaml: pack.sequence_length")
    maps = load_projections(source).to(accelerator.device)
    others = np.load("data/task_texts/train.npy", mmap_mode="r")
    texts = Mixture(blocks, others, p.task_texts.share) if len(others) else blocks
    curve = distill(
        student, teacher, texts, tokenizer=tokenizer, projections=maps, weights=options.losses.weights(),
        relation_heads=options.losses.relation_heads,
        teacher_layers=choose_layers(p.student.teacher_layers, student=student.config.num_hidden_layers,
                                     teacher=teacher.config.num_hidden_layers),
        accelerator=accelerator, folder=run.resume, progress=Progress(f"distill {run.key}"),
        student_tokenizer=None if same else own, **options.model_dump(exclude={"losses"}),
    )  # fmt: skip
    if not run.writes:
        return
    models = {"student": student, "teacher": teacher}
    # Without these losses the vocabulary is not distilled, and the teacher needs no MLM head.
    of_the_head = options.losses.prediction or options.losses.hard
    scored = models if of_the_head and same and has_mlm_head(teacher) else {}
    scores = {name: heldout_mlm_scores(model, heldout, tokenizer=tokenizer)
              for name, model in scored.items()}  # fmt: skip
    sizes = {name: count_parameters(model)["parameters"] for name, model in models.items()}
    reports = Path("reports/distill") / run.key
    with atomic_folder(f"models/students/{run.key}") as folder:
        save(student, folder)
        save_tokenizer(own, folder=folder)
        save_projections(maps, folder)
    write_curve(reports / "curve.tsv", curve)
    write_json(reports / "metrics.json", {"heldout_mlm": scores, "parameters": sizes})
    write_json(reports / "machine.json", describe(accelerator))
    log(f"models/students/{run.key}: {sizes['student']:,} parameters, its teacher has {sizes['teacher']:,}")
    for name, score in scores.items():
        log(f"held-out MLM accuracy of the {name}: {score['accuracy']:.1%}")


if __name__ == "__main__":
    run(main, Parameters, trains=True)
