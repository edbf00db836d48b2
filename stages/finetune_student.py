"""Fine-tune a student for one task: intermediate distillation (hidden states, attention), then prediction distillation.

Trains on the labelled rows of the task and on the unlabelled ones of data/teaching, which have no gold labels to learn.
A student without distillation (`distill: false`, `teacher_layers: null`) learns the gold labels of the first alone.

In: models/students/S, models/tasks/T/teacher, data/tasks/T, data/teaching/T.
Out: models/tasks/T/students/S, reports/tasks/T/students/S/{intermediate_curve.tsv,curve.tsv,machine.json}.
"""

from functools import partial
from pathlib import Path
from typing import Any

import torch

from stages.parameters.section import Section
from stages.parameters.sections import Compute, LayerMap, Layers
from stages.parameters.tasks import FinetuneStudent, Phase, Scored
from stages.pipeline.stage import Run, run
from tinybert.atomic import atomic_folder
from tinybert.data.retokenizing import Retokenizer
from tinybert.data.tokenizer import load_tokenizer, save_tokenizer, special_id
from tinybert.distillation.intermediate import IntermediateDistillation
from tinybert.distillation.projections import load_projections
from tinybert.distillation.task import (
    KeptBatches,
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
from tinybert.training.devices import describe, set_up, spare_memory
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
    validation, features, phase = scorer.read("validation"), scorer.read("train").features, options.prediction
    state, hard, soft = TrainState(), 1.0, 0.0
    if options.distill and (rule := p.student.teacher_layers) is not None:
        teaching = _Teaching(scorer, options, accelerator, run, features)
        teaching.distill_intermediate(student, rule=rule, state=state)
        hard, soft = phase.hard, phase.soft
        features = teaching.with_logits() if soft else features
    curve = fit(
        TaskPrediction(student, scorer.task, hard=hard, soft=soft, temperature=phase.temperature),
        student,
        batches=_batches(scorer, features, phase, seed=options.seed, accelerator=accelerator), epochs=phase.epochs,
        learning_rate=phase.learning_rate, warmup=phase.warmup, weight_decay=options.weight_decay, seed=options.seed,
        accelerator=accelerator, score=lambda: scorer.scores(student, validation)[task.metric],
        folder=run.resume / "prediction", progress=Progress(f"{run.student} of {run.task}"),
    )  # fmt: skip
    if not run.writes:
        return
    reports = Path("reports/tasks") / run.task / "students" / run.student
    with atomic_folder(tuned / "students" / run.student) as folder:
        scorer.sign(student)
        save(student, folder)
        save_tokenizer(scorer.tokenizer, folder=folder)
    write_curve(reports / "intermediate_curve.tsv", state.curve)
    write_curve(reports / "curve.tsv", curve)
    write_json(reports / "machine.json", describe(accelerator))


def _batches(
    scorer: Scorer, features: list[Feature], phase: Phase, *, seed: int, accelerator: Any, shard: Shard | None = None,
    regroup: bool = True,
) -> TaskBatches:  # fmt: skip
    """Those of this process, or of another `shard`."""
    return TaskBatches(
        features, scorer.task, batch_size=phase.batch_size, seed=seed, pad_token_id=scorer.pad_token_id,
        device=accelerator.device, shard=shard or shard_of(accelerator), regroup=regroup,
    )  # fmt: skip


class _Teaching:
    """A fine-tuned teacher, and what a student learns from it: the labelled and the extra rows."""

    def __init__(
        self, scorer: Scorer, options: FinetuneStudent, accelerator: Any, run: Run, labelled: list[Feature]
    ) -> None:
        self._scorer, self._options, self._accelerator, self._run = scorer, options, accelerator, run
        folder, self._taught = Path("models/tasks") / run.task / "teacher", Path("data/teaching") / run.task
        self._features = [*labelled, *scorer.encode(read_rows(self._taught, "extra")).features]
        teacher = scorer.task.build(folder, labels=scorer.labels, seed=0).to(accelerator.device).eval()
        self._teacher = cast_linear_weights_to_bf16(teacher, accelerator)
        self._vocabulary = _teacher_vocabulary(scorer, teacher, folder=folder)

    def with_logits(self) -> list[Feature]:
        """The features, with the teacher's logits."""
        logits, scorer = read_logits(self._taught / "logits.safetensors"), self._scorer
        if self._vocabulary and logits[0].ndim > 1:  # of the teacher's tokens
            logits = scorer.logits(self._teacher, self._vocabulary.features(self._features))
            logits = self._vocabulary.own_pieces(logits, self._features, of_last=scorer.task.OF_LAST_PIECE)
        attach_logits(self._features, logits)
        return self._features

    def distill_intermediate(self, student: Any, *, rule: Layers, state: TrainState) -> None:
        """The first phase, on the student in place; its projections are not needed afterwards."""
        phase, accelerator, seed = self._options.intermediate, self._accelerator, self._options.seed
        if not phase.epochs:
            return
        batches = _batches(self._scorer, self._features, phase, seed=seed, accelerator=accelerator, regroup=False)
        layers = choose_layers(rule, student=student.config.num_hidden_layers,
                               teacher=self._teacher.config.num_hidden_layers)  # fmt: skip
        intermediate = self._losses(student, layers)

        def with_targets(step: int) -> Batch:
            batch = batches(step)
            targets = partial(task_targets, self._teacher, layers=layers, autocast=accelerator.autocast,
                              queries=intermediate.compares_queries, values=intermediate.teacher_values)  # fmt: skip
            if self._vocabulary:
                return self._vocabulary.with_targets(batch, targets)
            return batch | {"teacher": targets(batch)}

        kept = KeptBatches(with_targets, group=batches.group, limit=partial(spare_memory, accelerator),
                           last_epoch=(phase.epochs - 1) * batches.steps_in_epoch)  # fmt: skip
        for _ in train(
            TaskIntermediateDistillation(student, intermediate), batches=kept, state=state,
            steps=phase.epochs * batches.steps_in_epoch, learning_rate=phase.learning_rate, warmup=phase.warmup,
            weight_decay=self._options.weight_decay, seed=seed, accelerator=accelerator,
            folder=self._run.resume / "intermediate",
            progress=Progress(f"{self._run.student} of {self._run.task}, intermediate"),
        ):  # fmt: skip
            pass

    def _losses(self, student: Any, layers: list[int]) -> IntermediateDistillation:
        losses, source = self._options.intermediate.losses, Path("models/students") / self._run.student
        return IntermediateDistillation(
            load_projections(source), student.config, self._teacher.config, teacher_layers=layers,
            weights=losses.weights(), relation_heads=losses.relation_heads,
            deviations_MD=self._deviations(layers) if losses.standardized else None,
        ).to(self._accelerator.device)  # fmt: skip

    def _deviations(self, layers: list[int]) -> torch.Tensor:
        """On whole batches, the same in every process."""
        whole = _batches(self._scorer, self._features, self._options.intermediate, seed=self._options.seed,
                         accelerator=self._accelerator, shard=UNSHARDED)  # fmt: skip
        vocabulary = self._vocabulary
        inputs = (lambda step: vocabulary.inputs(whole(step))[0]) if vocabulary else whole
        return task_deviations(self._teacher, inputs, layers=layers, autocast=self._accelerator.autocast)


def _teacher_vocabulary(scorer: Scorer, teacher: Any, *, folder: Path) -> TeacherVocabulary | None:
    """None where the student has its teacher's vocabulary, so that both read the same tokens."""
    tokenizer = load_tokenizer(folder)
    if tokenizer.get_vocab() == scorer.tokenizer.get_vocab():
        return None
    return TeacherVocabulary(Retokenizer(scorer.tokenizer, tokenizer), special_id(tokenizer, "pad"),
                             teacher.config.max_position_embeddings)  # fmt: skip


if __name__ == "__main__":
    run(main, Parameters, trains=True)
