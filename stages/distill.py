"""General distillation: the student learns the teacher's inner states, and its masked words, on the corpus.

In: models/teacher, models/shrunk, data/packed.
Out: models/student, reports/distill/{curve.tsv,metrics.json,machine.json}.
"""

import json
from pathlib import Path

from torch import nn
from transformers import BertForPreTraining

from stages.model import projections
from stages.model.checkpoint import has_head, load_checkpoint, require_positions, save, set_dropout
from stages.model.layers import choose_layers
from stages.model.size import count_parameters
from stages.parameters.compute import Compute
from stages.parameters.section import Section
from stages.parameters.training import Distill
from stages.pipeline.errors import InputError
from stages.pipeline.outputs import whole, whole_folder
from stages.pipeline.progress import say
from stages.pipeline.stage import Run, run
from stages.reporting.tables import write_curve, write_json
from stages.text.blocks_file import read_blocks
from stages.text.tokenizer import load_tokenizer, save_tokenizer
from stages.training.blocks import masked_batch, masking_for
from stages.training.distillation import GeneralDistillation
from stages.training.heldout import masked_word_scores
from stages.training.imitation import Imitation
from stages.training.loop import Memory, train
from stages.training.machine import describe, set_up
from stages.training.sharing import share_of
from stages.training.teaching import rounded_once, show_blocks

TEACHER, SHRUNK = Path("models/teacher"), Path("models/shrunk")


class Parameters(Section):
    compute: Compute
    distill: Distill


def main(p: Parameters, run: Run) -> None:
    options = p.distill
    accelerator = set_up(threads=p.compute.threads, precision=p.compute.precision)
    tokenizer = load_tokenizer(SHRUNK)
    teacher, student = (load_checkpoint(folder).to(accelerator.device) for folder in (TEACHER, SHRUNK))
    _require_head(teacher, options)
    blocks, heldout = (read_blocks(Path("data/packed") / f"{split}.npy") for split in ("train", "heldout"))
    require_positions(blocks.shape[1], teacher.config, key="pack.sequence_length")
    masking = masking_for(tokenizer, probability=options.mask_probability, whole_words=options.whole_words,
                          vocab_size=student.config.vocab_size)  # fmt: skip
    maps, imitation, layers = _imitation(student, teacher, options)
    set_dropout(student, hidden=options.dropout)
    rounded = rounded_once(teacher.eval(), accelerator)

    def batch(step: int):
        one = masked_batch(blocks, step, batch_size=options.batch_size, seed=options.seed, masking=masking,
                           device=accelerator.device, share=share_of(accelerator))  # fmt: skip
        return one | show_blocks(rounded, one, layers=layers, predictions=options.losses.prediction > 0,
                                 autocast=accelerator.autocast)  # fmt: skip

    memory = Memory()
    for _ in train(
        GeneralDistillation(student, imitation, prediction=options.losses.prediction, temperature=options.temperature),
        batches=batch, steps=options.steps, rate=options.learning_rate, warmup=options.warmup,
        weight_decay=options.weight_decay, seed=options.seed, accelerator=accelerator, memory=memory,
        folder=run.resume, label="distill",
    ):  # fmt: skip
        pass
    if not run.writes:
        return
    models = {"student": student, "teacher": teacher}
    asked = models if options.losses.prediction else {}  # else words are not distilled, and need no head of the teacher
    scores = {who: masked_word_scores(model, heldout, masking=masking, device=accelerator.device)
              for who, model in asked.items()}  # fmt: skip
    sizes = {who: count_parameters(model)["parameters"] for who, model in models.items()}
    with (
        whole_folder("models/student") as folder,
        whole("reports/distill/curve.tsv") as curve,
        whole("reports/distill/metrics.json") as metrics,
        whole("reports/distill/machine.json") as machine,
    ):
        save(student, folder)
        save_tokenizer(tokenizer, folder=folder)
        projections.save(maps, folder)
        write_curve(curve, memory.curve)
        write_json(metrics, {"masked_words": scores, "parameters": sizes})
        write_json(machine, describe(accelerator))
    say(f"models/student: {sizes['student']:,} parameters, its teacher {sizes['teacher']:,}")
    for who, score in scores.items():
        say(f"the {who} guesses {score['accuracy']:.1%} of masked words in held-out documents")


def _require_head(teacher: BertForPreTraining, options: Distill) -> None:
    """A head that was drawn at random predicts noise, which a student would learn."""
    if options.losses.prediction and not has_head(teacher):
        raise InputError(
            f"params.yaml: distill.losses.prediction is {options.losses.prediction}, but the checkpoint in {TEACHER} "
            "has no masked-word head to learn from; wanted is 0, or pretrain.steps above 0, which trains one"
        )


def _imitation(
    student: BertForPreTraining, teacher: BertForPreTraining, options: Distill
) -> tuple[nn.ModuleList, Imitation, list[int]]:
    kept = json.loads((SHRUNK / "cut.json").read_text())["hidden"]
    count = student.config.num_hidden_layers
    layers = choose_layers(options.teacher_layers, student=count, teacher=teacher.config.num_hidden_layers)
    maps = projections.for_channels(kept, teacher=teacher.config.hidden_size, states=count + 1).to(student.device)
    weights = options.losses.model_dump(include={"embedding", "hidden", "attention"})
    return maps, Imitation(maps, student.config, teacher.config, teacher_layers=layers, weights=weights), layers


if __name__ == "__main__":
    run(main, Parameters, trains=True)
