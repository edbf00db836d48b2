"""Fine-tune a student for one task: intermediate distillation (hidden states, attention), then prediction distillation.

Trains on the labelled rows of the task and on the unlabelled ones of data/teaching, which have no gold labels to learn.

In: models/students/S, models/tasks/T/teacher, data/tasks/T, data/teaching/T.
Out: models/tasks/T/students/S, reports/tasks/T/students/S/{intermediate_curve.tsv,curve.tsv,machine.json}.
"""

from functools import partial
from pathlib import Path
from typing import Any

from stages.parameters.section import Section
from stages.parameters.sections import Compute, LayerMap
from stages.parameters.tasks import FinetuneStudent, Intermediate, Phase, Scored
from stages.pipeline.stage import Run, run
from tinybert.atomic import atomic_folder
from tinybert.data.retokenizing import Retokenizer
from tinybert.data.tokenizer import load_tokenizer, save_tokenizer, special_id
from tinybert.distillation.intermediate import IntermediateDistillation
from tinybert.distillation.projections import load_projections
from tinybert.distillation.task import (
    TaskIntermediateDistillation,
    TeacherVocabulary,
    task_deviations,
    task_targets,
)
from tinybert.distillation.teacher import cast_linear_weights_to_bf16
from tinybert.distillation.teaching import attach_logits, read_logits
from tinybert.files import write_curve, write_json
from tinybert.finetuning.fit import TaskBatches, TaskPrediction, fit
from tinybert.finetuning.predict import Scorer
from tinybert.model.checkpoint import save, set_dropout
from tinybert.model.inputs import Batch
from tinybert.pruning.layers import choose_layers
from tinybert.tasks.protocol import Feature
from tinybert.tasks.tables import read_rows
from tinybert.training.data_parallel import UNSHARDED, Shard, shard_of
from tinybert.training.devices import describe, set_up
from tinybert.training.loop import TrainState, train
from tinybert.training.progress import Progress


class Task(Scored):
    student: FinetuneStudent


class Parameters(Section):
    compute: Compute
    student: LayerMap
    task: Task


def main(p: Parameters, run: Run) -> None:
    task, options = p.task, p.task.student
    source, tuned = Path("models/students") / run.student, Path("models/tasks") / run.task
    accelerator = set_up(threads=p.compute.threads, precision=p.compute.precision)
    scorer = Scorer(task.kind, data=Path("data/tasks") / run.task, checkpoint=source, encoding=task.encoding,
                    decoding=task.decoding, accelerator=accelerator)  # fmt: skip
    student = scorer.task.build(source, labels=scorer.labels, seed=options.seed).to(accelerator.device)
    set_dropout(student, hidden=options.dropout)
    validation, labelled = scorer.read("validation"), scorer.read("train").features

    def batches(phase: Phase, features: list[Feature], shard: Shard) -> TaskBatches:
        return TaskBatches(
            features, scorer.task, batch_size=phase.batch_size, seed=options.seed, pad_token_id=scorer.pad_token_id,
            device=accelerator.device, shard=shard,
        )  # fmt: skip

    own = shard_of(accelerator)
    both = {"weight_decay": options.weight_decay, "seed": options.seed, "accelerator": accelerator}
    state, name = TrainState(), f"{run.student} of {run.task}"
    features, phase = labelled, options.prediction
    hard, soft = (phase.hard, phase.soft) if options.distill else (1.0, 0.0)
    if options.distill:
        taught = Path("data/teaching") / run.task
        every = [*labelled, *scorer.encode(read_rows(taught, "extra")).features]
        teacher = scorer.task.build(tuned / "teacher", labels=scorer.labels, seed=0)
        teacher = cast_linear_weights_to_bf16(teacher.to(accelerator.device).eval(), accelerator)
        vocabulary = _teacher_vocabulary(scorer, teacher, folder=tuned / "teacher")
        first = options.intermediate
        if first.epochs:
            _distill_intermediate(student, teacher, first, batches(first, every, own),
                                  whole=batches(first, every, UNSHARDED), rule=p.student, source=source, state=state,
                                  folder=run.resume / "intermediate", progress=Progress(f"{name}, intermediate"),
                                  vocabulary=vocabulary, **both)  # fmt: skip
        if soft:
            features = every
            if vocabulary:
                theirs = vocabulary.features(every)
                attach_logits(every, vocabulary.own_pieces(scorer.logits(teacher, theirs), every))
            else:
                attach_logits(every, read_logits(taught / "logits.safetensors"))
    curve = fit(
        TaskPrediction(student, scorer.task, hard=hard, soft=soft, temperature=phase.temperature),
        student,
        batches=batches(phase, features, own), epochs=phase.epochs, learning_rate=phase.learning_rate,
        warmup=phase.warmup,
        score=lambda: scorer.scores(student, validation)[task.metric],
        folder=run.resume / "prediction", progress=Progress(name), **both,
    )  # fmt: skip
    if not run.writes:
        return
    reports = Path("reports/tasks") / run.task / "students" / run.student
    with atomic_folder(tuned / "students" / run.student) as folder:
        save(student, folder)
        save_tokenizer(scorer.tokenizer, folder=folder)
    write_curve(reports / "intermediate_curve.tsv", state.curve)
    write_curve(reports / "curve.tsv", curve)
    write_json(reports / "machine.json", describe(accelerator))


def _teacher_vocabulary(scorer: Scorer, teacher: Any, *, folder: Path) -> TeacherVocabulary | None:
    """None where the student has its teacher's vocabulary, so that both read the same tokens."""
    tokenizer = load_tokenizer(folder)
    if tokenizer.get_vocab() == scorer.tokenizer.get_vocab():
        return None
    return TeacherVocabulary(Retokenizer(scorer.tokenizer, tokenizer), special_id(tokenizer, "pad"),
                             teacher.config.max_position_embeddings)  # fmt: skip


def _distill_intermediate(
    student: Any, teacher: Any, phase: Intermediate, batches: TaskBatches, *, whole: TaskBatches, rule: LayerMap,
    source: Path, accelerator: Any, vocabulary: TeacherVocabulary | None, **training: Any,
) -> None:  # fmt: skip
    """The first phase, on the student in place; its projections are not needed afterwards.

    `batches` are this process's shards of those of `whole`.
    """
    configs, losses = (student.config, teacher.config), phase.losses
    layers = choose_layers(rule.teacher_layers, student=configs[0].num_hidden_layers,
                           teacher=configs[1].num_hidden_layers)  # fmt: skip
    seen = (lambda step: vocabulary.inputs(whole(step))[0]) if vocabulary else whole
    options = {"layers": layers, "autocast": accelerator.autocast}
    deviations_MD = task_deviations(teacher, seen, **options) if losses.standardized else None
    intermediate = IntermediateDistillation(
        load_projections(source), *configs, teacher_layers=layers, weights=losses.weights(),
        relation_heads=losses.relation_heads, deviations_MD=deviations_MD,
    ).to(accelerator.device)  # fmt: skip

    def with_targets(step: int) -> Batch:
        batch, targets = batches(step), partial(task_targets, teacher, values=intermediate.takes_values, **options)
        if vocabulary:
            return vocabulary.with_targets(batch, targets)
        return batch | {"teacher": targets(batch)}

    for _ in train(
        TaskIntermediateDistillation(student, intermediate), batches=with_targets,
        steps=phase.epochs * batches.steps_in_epoch, learning_rate=phase.learning_rate, warmup=phase.warmup,
        accelerator=accelerator, **training,
    ):  # fmt: skip
        pass


if __name__ == "__main__":
    run(main, Parameters, trains=True)
