"""The tokenizer and the starting weights.

In: `initialize.source`: data/corpus, for a new vocabulary and a random BERT, or a folder with a BERT checkpoint.
Out: models/tokenizer, models/initial.
"""

from pathlib import Path
from typing import Any

from stages.parameters.section import Section
from stages.parameters.sections import Initialize, Scratch
from stages.pipeline.stage import Run, run
from tinybert.atomic import atomic_folder
from tinybert.data.documents import read_documents
from tinybert.data.tokenizer import build_tokenizer, limit_length, load_tokenizer, save_tokenizer
from tinybert.data.wordpiece import count_words, train_vocabulary
from tinybert.errors import InputError
from tinybert.model.checkpoint import double_token_type, has_mlm_head, load_checkpoint, save
from tinybert.model.initialization import random_bert
from tinybert.training.progress import log

MIN_FREQUENCY = 2


class Parameters(Section):
    initialize: Initialize


def main(p: Parameters, run: Run) -> None:
    source = Path(p.initialize.source)
    if (source / "train").is_dir() and not (source / "config.json").exists():
        tokenizer, model = _new(source, _require_shape(p.initialize))
    else:
        _refuse_shape(p.initialize)
        tokenizer, model = load_tokenizer(source), load_checkpoint(source)
    _require_embeddings(tokenizer, model, source)
    double_token_type(model)
    limit_length(tokenizer, model.config.max_position_embeddings)
    with atomic_folder("models/tokenizer") as folder, atomic_folder("models/initial") as model_folder:
        save_tokenizer(tokenizer, folder=folder)
        save(model, model_folder, head=has_mlm_head(model))
    config = model.config
    log(f"models/initial: {config.num_hidden_layers} layers, hidden size {config.hidden_size}, "
        f"vocabulary of {config.vocab_size}")  # fmt: skip


def _new(corpus: Path, shape: Scratch) -> tuple[Any, Any]:
    words = count_words(read_documents(corpus / "train"), lowercase=shape.lowercase)
    vocabulary = train_vocabulary(words, vocab_size=shape.vocab_size, min_frequency=MIN_FREQUENCY)
    tokenizer = build_tokenizer(vocabulary, lowercase=shape.lowercase, max_length=shape.max_position_embeddings)
    sizes = shape.model_dump(exclude={"vocab_size", "lowercase", "seed"})
    return tokenizer, random_bert(seed=shape.seed, vocab_size=len(vocabulary), **sizes)


def _require_embeddings(tokenizer: Any, model: Any, source: Path) -> None:
    last, embeddings = max(tokenizer.get_vocab().values()), model.config.vocab_size
    if last >= embeddings:
        raise InputError(
            f"{source}: the tokenizer's ids go up to {last}, the model's {embeddings} embeddings to {embeddings - 1}; "
            "they do not belong together"
        )


def _require_shape(initialize: Initialize) -> Scratch:
    if initialize.scratch is None:
        raise InputError(f"params.yaml: initialize.scratch: expected the shape of a new model, got null: "
                         f"initialize.source {initialize.source} is a corpus")  # fmt: skip
    return initialize.scratch


def _refuse_shape(initialize: Initialize) -> None:
    if initialize.scratch is not None:
        raise InputError(f"params.yaml: initialize.scratch: expected null, got a shape: {initialize.source} is not a "
                         "corpus, and a checkpoint brings its own shape and vocabulary")  # fmt: skip


if __name__ == "__main__":
    run(main, Parameters)
