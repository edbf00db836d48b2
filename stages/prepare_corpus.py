"""Documents, cleaned and each kept once, split into train and heldout by document.

In: `prepare_corpus.source`. Out: data/corpus/{train,heldout}.parquet with the column `text`.
"""

from collections import Counter
from itertools import islice
from pathlib import Path

from stages.parameters.section import Section
from stages.parameters.sections import PrepareCorpus
from stages.pipeline.stage import Run, run
from tinybert.atomic import atomic_folder
from tinybert.data.cleaning import clean, fingerprint, is_heldout
from tinybert.data.datasets import open_split, require_columns
from tinybert.data.documents import Writer
from tinybert.data.readers import Form, Row
from tinybert.errors import InputError, shorten
from tinybert.training.progress import log


class Parameters(Section):
    prepare_corpus: PrepareCorpus


def main(p: Parameters, run: Run) -> None:
    corpus = p.prepare_corpus
    form = Form(encoding=corpus.encoding, documents=corpus.documents)
    rows, _ = open_split(Path(corpus.source), config=corpus.config, split=corpus.split, form=form)
    counts, seen = Counter[str](), set[bytes]()
    with (
        atomic_folder("data/corpus") as folder,
        Writer(folder / "train.parquet") as train,
        Writer(folder / "heldout.parquet") as heldout,
    ):
        for number, row in enumerate(islice(rows, corpus.max_documents), start=1):
            text = clean(_text(row, number, corpus))
            side = _side(text, seen, corpus)
            counts[side] += 1
            if side in ("train", "heldout"):
                (train if side == "train" else heldout).add(text)
        _require_both(counts, corpus)
    log(f"data/corpus: {counts['train']} documents for training, {counts['heldout']} held out; "
        f"{counts['short']} too short and {counts['repeated']} repeated ones left out")  # fmt: skip


def _text(row: Row, number: int, corpus: PrepareCorpus) -> str:
    """The text of this row, empty where there is none."""
    require_columns(row, names=[corpus.text_column], where=corpus.source)
    value = row[corpus.text_column]
    if value is not None and not isinstance(value, str):
        raise InputError(
            f"{corpus.source}, split {corpus.split}, row {number}: column {corpus.text_column!r} "
            f"(prepare_corpus.text_column): expected a text, got {shorten(value)} ({type(value).__name__})"
        )
    return value or ""


def _side(text: str, seen: set[bytes], corpus: PrepareCorpus) -> str:
    """Where this document belongs; a document is repeated when its letters and digits were seen before."""
    if len(text) < corpus.min_characters:
        return "short"
    key = fingerprint(text)
    if key in seen:
        return "repeated"
    seen.add(key)
    return "heldout" if is_heldout(text, fraction=corpus.heldout) else "train"


def _require_both(counts: Counter[str], corpus: PrepareCorpus) -> None:
    if not counts["train"] or not counts["heldout"]:
        raise InputError(
            f"{corpus.source}: {counts.total()} documents leave {counts['train']} for training and "
            f"{counts['heldout']} held out ({counts['short']} are shorter than prepare_corpus.min_characters, "
            f"{counts['repeated']} repeated); both need at least one"
        )


if __name__ == "__main__":
    run(main, Parameters)
