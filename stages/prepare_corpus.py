"""Documents, cleaned and each kept once, split into train and heldout by document.

In: `prepare_corpus.source`. Out: data/corpus/{train,heldout}/*.parquet with the column `text`, and
data/corpus/removed/*.parquet, which says of what was left out where it stood and why.
"""

import shutil
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pyarrow.parquet as pq

from stages.parameters.section import Section
from stages.parameters.sections import NearDuplicates, PrepareCorpus
from stages.pipeline.stage import Run, run
from tinybert.atomic import atomic_folder
from tinybert.data.archives import is_archive
from tinybert.data.cleaning import fingerprint, is_heldout
from tinybert.data.corpus import Source
from tinybert.data.documents import SCHEMAS, Writer, batches
from tinybert.data.readers import Form
from tinybert.errors import InputError
from tinybert.training.progress import log


class Parameters(Section):
    prepare_corpus: PrepareCorpus


def main(p: Parameters, run: Run) -> None:
    corpus = p.prepare_corpus
    source = Source(
        path=Path(corpus.source), config=corpus.config, split=corpus.split, text_column=corpus.text_column,
        form=Form(encoding=corpus.encoding, documents=corpus.documents),
        min_characters=corpus.min_characters, max_documents=corpus.max_documents,
    )  # fmt: skip
    with atomic_folder("data/corpus") as folder:
        if corpus.near_duplicates:
            _prepare_in_parts(source, corpus.near_duplicates, corpus.heldout, run.resume, folder)
        else:
            _prepare(source, corpus.heldout, folder)
        counts = _counts(folder)
        _require_both(counts, corpus)
    left_out = f"{counts['short']} too short, {counts['repeated']} repeated, {counts['near duplicate']} near duplicates"
    log(f"data/corpus: {counts['train']} documents for training, {counts['heldout']} held out; left out: {left_out}")


def _prepare(source: Source, fraction: float, folder: Path) -> None:
    """In one pass; a document is repeated when its letters and digits were seen before."""
    seen: dict[bytes, int] = {}
    with ExitStack() as stack:
        train, heldout, removed = (
            stack.enter_context(Writer(folder / name / "00000.parquet", schema)) for name, schema in SCHEMAS.items()
        )
        for number, text in source.texts():
            first = seen.setdefault(fingerprint(text), number) if text else None
            if first == number:
                (heldout if is_heldout(text, fraction=fraction) else train).add(text)
            else:
                removed.add("repeated" if first else "short", None, number, None, first)


def _prepare_in_parts(source: Source, near: NearDuplicates, heldout: float, work: Path, folder: Path) -> None:
    """By an engine, whose import takes seconds; what it has done stays in `work` until the stage has ended well."""
    from stages.pipeline.engine import run_step
    from tinybert.data.near_duplicates import Settings, steps

    if is_archive(source.path):
        raise InputError(
            f"prepare_corpus.source: expected files with near_duplicates, got the archive {source.path}, which every "
            "task would unpack; unpack it first"
        )
    settings = Settings(**near.model_dump(exclude={"shards"}), heldout=heldout)
    for name, tasks, pipeline in steps(source, settings, work, parts=near.shards):
        run_step(name, tasks, pipeline, folder=work / "logs")
    for name in SCHEMAS:
        shutil.copytree(work / name, folder / name)


def _counts(folder: Path) -> Counter[str]:
    """Documents by where they went, or why they went nowhere."""
    counts = Counter[str]()
    for file in folder.rglob("*.parquet"):
        if file.parent.name == "removed":
            for batch in batches(file, columns=["reason"]):
                counts.update(batch.column("reason").to_pylist())
        else:
            counts[file.parent.name] += pq.read_metadata(file).num_rows
    return counts


def _require_both(counts: Counter[str], corpus: PrepareCorpus) -> None:
    if not counts["train"] or not counts["heldout"]:
        raise InputError(
            f"{corpus.source}: {counts.total()} documents leave {counts['train']} for training and "
            f"{counts['heldout']} held out ({counts['short']} are shorter than prepare_corpus.min_characters, "
            f"{counts['repeated'] + counts['near duplicate']} repeated); both need at least one"
        )


if __name__ == "__main__":
    run(main, Parameters)
