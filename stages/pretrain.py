"""Masked language modelling.

In: models/initial, models/tokenizer, data/packed.
Out: models/teacher, reports/pretrain/{curve.tsv,metrics.json,machine.json}.
"""

from pathlib import Path

from stages.model.checkpoint import has_head, load_checkpoint, require_positions, save, set_dropout
from stages.parameters.compute import Compute
from stages.parameters.section import Section
from stages.parameters.training import Pretrain
from stages.pipeline.outputs import whole, whole_folder
from stages.pipeline.progress import say
from stages.pipeline.stage import Run, run
from stages.reporting.tables import write_curve, write_json
from stages.text.blocks_file import read_blocks
from stages.text.tokenizer import load_tokenizer, save_tokenizer
from stages.training.blocks import growing_length, masked_batch, masking_for
from stages.training.heldout import masked_word_scores
from stages.training.loop import Memory, train
from stages.training.machine import describe, set_up
from stages.training.masked_words import MaskedWords
from stages.training.sharing import share_of


class Parameters(Section):
    compute: Compute
    pretrain: Pretrain


def main(p: Parameters, run: Run) -> None:
    options = p.pretrain
    accelerator = set_up(threads=p.compute.threads, precision=p.compute.precision)
    tokenizer, model = load_tokenizer(Path("models/tokenizer")), load_checkpoint(Path("models/initial"))
    blocks, heldout = (read_blocks(Path("data/packed") / f"{split}.npy") for split in ("train", "heldout"))
    length = blocks.shape[1]
    require_positions(length, model.config, key="pack.sequence_length")
    masking = masking_for(tokenizer, probability=options.mask_probability, whole_words=options.whole_words,
                          vocab_size=model.config.vocab_size)  # fmt: skip
    set_dropout(model, hidden=options.dropout)
    model.to(accelerator.device)
    memory = Memory()
    for _ in train(
        MaskedWords(model),
        batches=lambda step: masked_batch(
            blocks, step, batch_size=options.batch_size, seed=options.seed, masking=masking, device=accelerator.device,
            share=share_of(accelerator),
            length=growing_length(step, steps=options.steps, longest=length, doublings=options.length_doublings)),
        steps=options.steps, rate=options.learning_rate, warmup=options.warmup, weight_decay=options.weight_decay,
        seed=options.seed, accelerator=accelerator, memory=memory, folder=run.resume, label="pretrain",
    ):  # fmt: skip
        pass
    if not run.writes:
        return
    scores = masked_word_scores(model, heldout, masking=masking, device=accelerator.device)
    with (
        whole_folder("models/teacher") as folder,
        whole("reports/pretrain/curve.tsv") as curve,
        whole("reports/pretrain/metrics.json") as metrics,
        whole("reports/pretrain/machine.json") as machine,
    ):
        save(model, folder, head=options.steps > 0 or has_head(model))
        save_tokenizer(tokenizer, folder=folder)
        write_curve(curve, memory.curve)
        write_json(metrics, {"masked_words": scores})
        write_json(machine, describe(accelerator))
    say(f"models/teacher: guesses {scores['accuracy']:.1%} of masked words in held-out documents")


if __name__ == "__main__":
    run(main, Parameters, trains=True)
