"""Which unlabelled rows are new, new pairs of texts, and what a row without labels is to each kind of task."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tinybert.tasks.test_kinds import KINDS, MODEL_OF, PER_TOKEN, ROWS, ROWS_OF, encoded, with_teacher
from tests.tinybert.tasks.test_rows import ROWS as READ
from tests.tinybert.tasks.test_rows import SOURCES
from tinybert.errors import InputError
from tinybert.tasks.classification import model as classification
from tinybert.tasks.ner import model as ner
from tinybert.tasks.qa import model as qa
from tinybert.tasks.regression import model as regression
from tinybert.tasks.tables import read_rows, write_rows
from tinybert.tasks.unlabelled import NewRows, new_pairs, unlabelled_schema, with_texts, without_labels

INPUTS = ("text", "text_pair")


def pair(first: str, second: str | None = None, **more: Any) -> dict[str, Any]:
    return {"text": first, "text_pair": second} | more


def unlabelled(kind: str, row: dict) -> dict:
    return without_labels({name: row[name] for name in ROWS_OF[kind].INPUTS}, ROWS_OF[kind].SCHEMA)


def test_rows_of_training_validation_and_test_are_dropped_and_counted():
    labelled, held_out = [pair("a", label="x"), pair("b", "c", label="y")], [pair("d", label="x"), pair("e", "f")]
    new = NewRows(INPUTS, labelled=labelled, held_out=held_out)
    assert new.add([pair("a"), pair("b"), pair("b", "c"), pair("d"), pair("b"), pair("d", ""), pair("e", "f")]) == 2
    assert new.add([pair("b"), pair("g")]) == 1
    assert new.rows == [pair("b"), pair("d", ""), pair("g")]
    assert new.dropped == {"held_out": 2, "duplicate": 4}


def test_sentences_are_equal_where_all_their_words_are():
    new = NewRows(("words",), labelled=[{"words": ["a", "b"], "tags": ["O", "O"]}], held_out=[])
    assert new.add([{"words": ["a", "b"]}, {"words": ["a b"]}, {"words": ["a"]}]) == 2


TEXT = st.sampled_from("abcdef")
TABLE = st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=12)


@settings(deadline=None, derandomize=True, max_examples=200)
@given(TABLE, TABLE, st.integers(1, 3), st.integers(0, 5))
def test_new_pairs_are_new(rows: list[tuple[str, str]], held_out: list[tuple[str, str]], count: int, seed: int):
    labelled, others = ([pair(*texts, label=1.0) for texts in table] for table in (rows, held_out))
    made = new_pairs(labelled, inputs=INPUTS, held_out=others, count=count, seed=seed)
    texts = [(row["text"], row["text_pair"]) for row in made]
    assert len(set(texts)) == len(texts) <= count * len(rows)
    assert not set(texts) & set(rows)
    assert not any(a in {first for first, _ in held_out} and b in {b for _, b in held_out} for a, b in texts)
    assert {a for a, _ in texts} <= {a for a, _ in rows} and {b for _, b in texts} <= {b for _, b in rows}
    assert made == new_pairs(labelled, inputs=INPUTS, held_out=others, count=count, seed=seed)


def test_every_row_of_a_large_table_gets_as_many_new_pairs_as_are_asked_for():
    rows = [{"question": f"q{n}", "context": f"c{n}"} for n in range(40)]
    made = new_pairs(rows, inputs=("question", "context"), held_out=[], count=3, seed=2)
    assert [row["context"] for row in made] == [f"c{n}" for n in range(40) for _ in range(3)]
    assert made != new_pairs(rows, inputs=("question", "context"), held_out=[], count=3, seed=3)


@pytest.mark.parametrize(("rows", "inputs"), [([pair("a"), pair("b")], INPUTS), ([{"words": ["a"]}], ("words",))])
def test_rows_of_one_text_make_no_pairs(rows: list[dict], inputs: tuple[str, ...]):
    with pytest.raises(InputError, match="expected rows with two texts each"):
        new_pairs(rows, inputs=inputs, held_out=[], count=1, seed=1)


def test_copies_of_a_row_keep_the_texts_that_have_no_variants():
    rows = [{"question": f"q{n}", "context": f"c{n}", "answers": []} for n in range(2)]
    variants = {"question": [["a", "b"], ["c", "d"]]}
    made = with_texts(rows, variants, inputs=("question", "context"))
    texts = [("a", "c0"), ("b", "c0"), ("c", "c1"), ("d", "c1")]
    assert made == [{"question": question, "context": context} for question, context in texts]
    pairs = with_texts([pair("x", "y")], {"text": [["a", "b"]], "text_pair": [["c", "d"]]}, inputs=INPUTS)
    assert pairs == [pair("a", "c"), pair("b", "d")]


@pytest.mark.parametrize("kind", KINDS)
def test_the_inputs_of_a_row_are_read_without_its_labels(kind: str):
    columns, row = SOURCES[kind]
    without = {name: row[name] for name in ROWS_OF[kind].input_columns(columns)}
    assert len(without) < len(row)
    read = ROWS_OF[kind].read_input(without, columns=columns)
    assert read == {name: READ[kind][name] for name in ROWS_OF[kind].INPUTS}


@pytest.mark.parametrize(
    ("kind", "changed", "message"),
    [
        ("classification", {"sentence": " "}, "expected at least one visible character"),
        ("ner", {"tokens": []}, "expected one or more words, got none"),
        ("qa", {"question": ""}, "question: expected at least one visible character"),
        ("regression", {"second": None}, "expected a string, got null"),
    ],
)
def test_unlabelled_rows_that_no_model_can_learn_from_are_refused(kind: str, changed: dict, message: str):
    columns, row = SOURCES[kind]
    with pytest.raises(InputError, match=message):
        ROWS_OF[kind].read_input(row | changed, columns=columns)


@pytest.mark.parametrize("kind", KINDS)
def test_unlabelled_rows_survive_the_table(kind: str, tmp_path: Path):
    rows = [unlabelled(kind, READ[kind])]
    assert None in rows[0].values() and [*rows[0]] == ROWS_OF[kind].SCHEMA.names
    write_rows(tmp_path / "extra.parquet", rows, unlabelled_schema(ROWS_OF[kind].SCHEMA))
    assert read_rows(tmp_path, "extra") == rows


def batch_of(kind: str, tokenizer: Any, rows: list[dict]) -> dict[str, torch.Tensor]:
    return MODEL_OF[kind].collate(with_teacher(kind, encoded(kind, tokenizer, rows)), pad_token_id=0)


def logits_of(kind: str, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    teacher = batch["teacher_logits"]
    return torch.randn(teacher.shape, generator=torch.Generator().manual_seed(3)).requires_grad_()


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_without_labels_is_in_the_soft_loss_alone(kind: str, tokenizer: Any):
    module, rows = MODEL_OF[kind], ROWS[kind]
    batch, mixed = (batch_of(kind, tokenizer, [rows[0], last]) for last in (rows[1], unlabelled(kind, rows[1])))
    scores = logits_of(kind, batch)
    soft = partial(module.soft_loss, temperature=2.0)
    assert torch.equal(soft(scores, mixed), soft(scores, batch))
    first = {name: tensor[:1] for name, tensor in batch.items()}
    torch.testing.assert_close(module.hard_loss(scores, mixed), module.hard_loss(scores[:1], first))
    assert module.counts(mixed) == {"hard": module.counts(first)["hard"], "soft": module.counts(batch)["soft"]}
    module.hard_loss(scores, mixed).backward()
    assert scores.grad is not None and scores.grad[0].any() and not scores.grad[1].any()


@pytest.mark.parametrize("kind", KINDS)
def test_the_hard_loss_of_a_batch_without_labels_is_zero_and_so_is_its_gradient(kind: str, tokenizer: Any):
    module = MODEL_OF[kind]
    batch = batch_of(kind, tokenizer, [unlabelled(kind, row) for row in ROWS[kind]])
    scores = logits_of(kind, batch)
    loss = module.hard_loss(scores, batch)
    loss.backward()
    assert loss.item() == 0.0 and module.counts(batch)["hard"] == 0 < module.counts(batch)["soft"]
    assert scores.grad is not None and not scores.grad.any()


def test_hard_losses_of_labelled_and_unlabelled_rows_by_hand():
    equal = torch.zeros(3, 4)
    torch.testing.assert_close(
        classification.hard_loss(equal, {"labels": torch.tensor([2, -1, 0])}), torch.tensor(4.0).log()
    )
    scores = torch.tensor([[1.0], [5.0], [4.0]])
    assert regression.hard_loss(scores, {"labels": torch.tensor([0.0, float("nan"), 2.0])}).item() == (1 + 4) / 2
    tags = {"labels": torch.tensor([[-100, 1, -1, -100]])}
    certain = torch.tensor([[[0.0, 0.0], [0.0, 0.0], [9.0, 0.0], [0.0, 0.0]]])
    torch.testing.assert_close(ner.hard_loss(certain, tags), torch.tensor(2.0).log())
    spans = {"start_positions": torch.tensor([-1, 1]), "end_positions": torch.tensor([-1, 2]),
             "attention_mask": torch.ones(2, 4)}  # fmt: skip
    torch.testing.assert_close(qa.hard_loss(torch.zeros(2, 4, 2), spans), torch.tensor(4.0).log())


@pytest.mark.parametrize("kind", KINDS)
def test_labelled_rows_have_the_bits_of_the_plain_loss(kind: str, tokenizer: Any):
    """A student of labelled rows alone must not change in the last bit."""
    batch = batch_of(kind, tokenizer, ROWS[kind])
    results = []
    for loss_of in (MODEL_OF[kind].hard_loss, partial(plain_hard_loss, kind)):
        scores = logits_of(kind, batch)
        loss = loss_of(scores, batch)
        (0.5 * loss).backward()
        results.append((loss.detach(), scores.grad))
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def plain_hard_loss(kind: str, logits: torch.Tensor, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, mse_loss

    if kind == "regression":
        return mse_loss(logits.squeeze(-1), batch["labels"])
    if kind == "multilabel":
        return binary_cross_entropy_with_logits(logits, batch["labels"])
    if kind == "qa":
        real = logits.masked_fill(batch["attention_mask"].unsqueeze(-1) == 0, qa.IMPOSSIBLE)
        start, end = real.unbind(dim=-1)
        return (cross_entropy(start, batch["start_positions"]) + cross_entropy(end, batch["end_positions"])) / 2
    words = batch["labels"] != -100
    return cross_entropy(logits[words] if kind in PER_TOKEN else logits, batch["labels"][words])
