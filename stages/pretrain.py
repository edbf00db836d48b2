"""Masked language modelling of the teacher.

In: models/initial, models/tokenizer, data/packed.
Out: models/teacher, reports/pretrain/{curve.tsv,metrics.json,machine.json}.
"""

from pathlib import Path

import numpy as np

from stages.parameters.section import Section
from stages.parameters.sections import Compute, Pretrain
from stages.pipeline.stage import Run, run
from tinybert.atomic import atomic_folder
from tinybert.data.tokenizer import load_tokenizer, save_tokenizer
from tinybert.files import write_curve, write_json
from tinybert.model.checkpoint import has_mlm_head, load_checkpoint, require_positions, save
from tinybert.pretraining.mlm import heldout_mlm_scores, pretrain
from tinybert.training.devices import describe, set_up
from tinybert.training.progress import Progress, log


class Parameters(Section):
    compute: Compute
    pretrain: Pretrain


def main(p: Parameters, run: Run) -> None:
    accelerator = set_up(threads=p.compute.threads, precision=p.compute.precision)
    tokenizer, model = load_tokenizer(Path("models/tokenizer")), load_checkpoint(Path("models/initial"))
    blocks, heldout = (np.load(f"data/packed/{split}.npy", mmap_mode="r") for split in ("train", "heldout"))
    require_positions(blocks.shape[1], model.config, key="params.yaml: pack.sequence_length")
    curve = pretrain(
        model, blocks, tokenizer=tokenizer, accelerator=accelerator, folder=run.resume, progress=Progress("pretrain"),
        **p.pretrain.model_dump(),
    )  # fmt: skip
    if not run.writes:
        return
    head = has_mlm_head(model)
    scores = heldout_mlm_scores(model, heldout, tokenizer=tokenizer) if head else {}
    reports = Path("reports/pretrain")
    with atomic_folder("models/teacher") as folder:
        save(model, folder, head=head)
        save_tokenizer(tokenizer, folder=folder)
    write_curve(reports / "curve.tsv", curve)
    write_json(reports / "metrics.json", {"heldout_mlm": scores})
    write_json(reports / "machine.json", describe(accelerator))
    shown = f"held-out MLM accuracy {scores['accuracy']:.1%}, loss {scores['loss']:.3f}" if head else "no MLM head"
    log(f"models/teacher: {shown}")


if __name__ == "__main__":
    run(main, Parameters, trains=True)
