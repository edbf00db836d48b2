"""What holds for every kind of task."""

import subprocess
import sys
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from pydantic import BaseModel, ValidationError
from tokenizers import AddedToken, Tokenizer
from transformers import AutoModel, AutoTokenizer

import tinybert.tasks
from tinybert.data.tokenizer import load_tokenizer, save_tokenizer
from tinybert.model import attention
from tinybert.model.inputs import MODEL_INPUTS
from tinybert.tasks.classification import encoding as classification_encoding
from tinybert.tasks.classification import metrics as classification_metrics
from tinybert.tasks.classification import model as classification
from tinybert.tasks.classification import rows as classification_rows
from tinybert.tasks.multilabel import encoding as multilabel_encoding
from tinybert.tasks.multilabel import metrics as multilabel_metrics
from tinybert.tasks.multilabel import model as multilabel
from tinybert.tasks.multilabel import rows as multilabel_rows
from tinybert.tasks.ner import encoding as ner_encoding
from tinybert.tasks.ner import metrics as ner_metrics
from tinybert.tasks.ner import model as ner
from tinybert.tasks.ner import rows as ner_rows
from tinybert.tasks.protocol import TaskEncoding, TaskMetrics, TaskModel, TaskRows
from tinybert.tasks.qa import encoding as qa_encoding
from tinybert.tasks.qa import metrics as qa_metrics
from tinybert.tasks.qa import model as qa
from tinybert.tasks.qa import rows as qa_rows
from tinybert.tasks.regression import encoding as regression_encoding
from tinybert.tasks.regression import metrics as regression_metrics
from tinybert.tasks.regression import model as regression
from tinybert.tasks.regression import rows as regression_rows

# Pyright checks here that every module has the members of its Protocol, with their types.
ROWS_OF: dict[str, TaskRows] = {
    "classification": classification_rows, "multilabel": multilabel_rows, "ner": ner_rows, "qa": qa_rows,
    "regression": regression_rows,
}  # fmt: skip
ENCODING_OF: dict[str, TaskEncoding] = {
    "classification": classification_encoding, "multilabel": multilabel_encoding, "ner": ner_encoding,
    "qa": qa_encoding, "regression": regression_encoding,
}  # fmt: skip
MODEL_OF: dict[str, TaskModel] = {
    "classification": classification, "multilabel": multilabel, "ner": ner, "qa": qa, "regression": regression,
}  # fmt: skip
METRICS_OF: dict[str, TaskMetrics] = {
    "classification": classification_metrics, "multilabel": multilabel_metrics, "ner": ner_metrics, "qa": qa_metrics,
    "regression": regression_metrics,
}  # fmt: skip
KINDS = sorted(file.parent.name for file in Path(*tinybert.tasks.__path__).glob("*/__init__.py"))
PAIRS = [
    {"text": "the cat sat", "text_pair": "on the mat", "label": "yes"},
    {"text": "dog", "text_pair": "", "label": "no"},
    {"text": "a big red dog ran", "text_pair": "in the rain", "label": "maybe"},
]
ROWS = {
    "classification": PAIRS,
    "multilabel": [row | {"labels": labels} for row, labels in zip(PAIRS, [["a", "c"], [], ["b"]], strict=True)],
    "regression": [row | {"label": label} for row, label in zip(PAIRS, [0.5, 3.25, -2.0], strict=True)],
    "ner": [
        {"words": ["the", "cat", "paris"], "tags": ["O", "O", "B-LOC"]},
        {"words": ["xylo"], "tags": ["B-LOC"]},
        {"words": ["big", "paris", "in", "france"], "tags": ["B-LOC", "I-LOC", "O", "B-LOC"]},
    ],
    "qa": [
        {"question": "where", "context": "the cat sat on a mat", "answers": [{"text": "a mat", "start": 15}]},
        {"question": "who ran", "context": "it was a dog", "answers": []},
        {"question": "capital of france", "context": "paris.", "answers": [{"text": "paris", "start": 0}]},
    ],
}
LABELS = {
    "classification": ["maybe", "no", "yes"], "multilabel": ["a", "b", "c", "d"], "ner": ["O", "B-LOC", "I-LOC"],
    "qa": [], "regression": [],
}  # fmt: skip
WIDTH = {"classification": 3, "multilabel": 4, "ner": 3, "qa": 2, "regression": 1}
PER_TOKEN = ("ner", "qa")
WITH_CLASSES = [kind for kind in KINDS if kind != "regression"]


def encoded(kind: str, tokenizer, rows: list[dict] | None = None, *, max_length: int = 31) -> list[dict]:
    options = {"doc_stride": 7} if kind == "qa" else {}
    encode, labels = ENCODING_OF[kind].encode, LABELS[kind]
    backend = tokenizer.backend_tokenizer
    return encode(rows or ROWS[kind], tokenizer=backend, max_length=max_length, labels=labels, **options)


def with_teacher(kind: str, features: list[dict]) -> list[dict]:
    random = np.random.default_rng(5)
    lengths = [(len(feature["input_ids"]),) if kind in PER_TOKEN else () for feature in features]
    logits = [random.normal(size=(*length, WIDTH[kind])).astype(np.float32) for length in lengths]
    return [feature | {"teacher_logits": scores} for feature, scores in zip(features, logits, strict=True)]


@pytest.fixture(params=KINDS)
def kind(request) -> str:
    return request.param


@pytest.fixture
def batch(kind: str, tokenizer) -> dict[str, torch.Tensor]:
    return MODEL_OF[kind].collate(with_teacher(kind, encoded(kind, tokenizer)), pad_token_id=0)


def random_logits(kind: str, batch: dict) -> torch.Tensor:
    shape = batch["input_ids"].shape if kind in PER_TOKEN else batch["input_ids"].shape[:1]
    return torch.randn(*shape, WIDTH[kind], generator=torch.Generator().manual_seed(3))


def certain_teacher(kind: str, batch: dict) -> torch.Tensor:
    """Logits of a teacher that gives all probability to the gold label."""
    if kind == "qa":
        gold = torch.stack([batch["start_positions"], batch["end_positions"]], dim=-1)
        return F.one_hot(gold, batch["input_ids"].shape[1]).transpose(1, 2) * 1e4
    if kind == "multilabel":
        return (batch["labels"] * 2 - 1) * 1e4
    return F.one_hot(batch["labels"].clamp(min=0), WIDTH[kind]) * 1e4


def widened(batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The batch with five more positions of padding after every row."""
    padded = dict(batch)
    for name, value in batch.items():
        if value.ndim > 1 and value.shape[1] == batch["input_ids"].shape[1]:
            fill = -100 if name == "labels" else 0
            padded[name] = F.pad(value, (0, 0) * (value.ndim - 2) + (0, 5), value=fill)
    return padded


def members(protocol: type) -> set[str]:
    return {name for name in {*vars(protocol), *protocol.__annotations__} if not name.startswith("_")}


def refusals(model: type[BaseModel], values: dict[str, Any]) -> list[tuple[tuple, str]]:
    """Key and message of each error."""
    try:
        model.model_validate(values)
    except ValidationError as refused:
        return [(error["loc"], error["msg"]) for error in refused.errors()]
    return []


@pytest.mark.parametrize(
    ("protocol", "modules"),
    [(TaskRows, ROWS_OF), (TaskEncoding, ENCODING_OF), (TaskModel, MODEL_OF), (TaskMetrics, METRICS_OF)],
)
def test_every_kind_has_a_module_with_all_members_of_each_protocol(protocol: type, modules: dict[str, Any]):
    assert sorted(modules) == KINDS
    assert len(members(protocol)) >= 5
    for kind, module in modules.items():
        name = protocol.__name__.removeprefix("Task").lower()
        assert module.__name__ == f"tinybert.tasks.{kind}.{name}"
        assert members(protocol) - vars(module).keys() == set()


def test_every_field_of_encoding_and_decoding_has_a_default_and_is_an_argument(kind: str, tokenizer):
    encoding, decoding = ROWS_OF[kind].Encoding().model_dump(), ROWS_OF[kind].Decoding().model_dump()
    task, labels = ENCODING_OF[kind], LABELS[kind]
    features = task.encode(ROWS[kind], tokenizer=tokenizer.backend_tokenizer, labels=labels, **encoding)
    logits = [*random_logits(kind, MODEL_OF[kind].collate(features, pad_token_id=0)).numpy()]
    if kind in PER_TOKEN:
        logits = [padded[: len(feature["input_ids"])] for padded, feature in zip(logits, features, strict=True)]
    assert len(task.decode(logits, features=features, rows=ROWS[kind], labels=labels, **decoding)) == 3


@pytest.mark.parametrize("length", ["64", 64.0, True])
def test_a_length_must_be_an_integer_and_is_not_converted_to_one(kind: str, length: Any):
    others = {"doc_stride": 8} if kind == "qa" else {}
    encoding = ROWS_OF[kind].Encoding
    assert refusals(encoding, {"max_length": 64} | others) == []
    assert refusals(encoding, {"max_length": length} | others) == [(("max_length",), "Input should be a valid integer")]


def test_a_key_that_the_kind_does_not_know_is_refused(kind: str):
    for model in (ROWS_OF[kind].Columns, ROWS_OF[kind].Encoding, ROWS_OF[kind].Decoding):
        assert (("other",), "Extra inputs are not permitted") in refusals(model, {"other": 1})


def test_rows_encodings_and_metrics_import_neither_torch_nor_transformers():
    modules = [f"tinybert.tasks.{kind}.{name}" for kind in KINDS for name in ("rows", "encoding", "metrics")]
    imports = "; ".join(f"import {module}" for module in ["tinybert.tasks.protocol", *modules])
    code = f"import sys; {imports}; print(sorted({{'torch', 'transformers', 'sklearn', 'scipy'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_build_keeps_the_checkpoints_encoder_and_adds_a_head_for_the_labels(kind, checkpoint):
    model: Any = MODEL_OF[kind].build(checkpoint, labels=LABELS[kind], seed=1)
    built, saved = model.bert.state_dict(), AutoModel.from_pretrained(checkpoint).state_dict()
    same = {name for name in built if torch.equal(built[name], saved[name])}
    assert {name for name in built if "pooler" not in name} <= same
    head = model.qa_outputs if kind == "qa" else model.classifier
    assert (head.out_features, model.config.num_labels) == (WIDTH[kind], WIDTH[kind])
    assert model.config._attn_implementation == attention.NAME
    if LABELS[kind]:
        assert [model.config.id2label[index] for index in range(WIDTH[kind])] == LABELS[kind]
        assert model.config.label2id == {label: index for index, label in enumerate(LABELS[kind])}


def test_build_of_a_half_precision_checkpoint_is_float32(kind, checkpoint, tmp_path):
    AutoModel.from_pretrained(checkpoint, dtype=torch.bfloat16).save_pretrained(tmp_path)
    model = MODEL_OF[kind].build(tmp_path, labels=LABELS[kind], seed=1)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_hard_loss_of_an_unpadded_batch_is_that_of_transformers(kind, tokenizer, checkpoint):
    torch.manual_seed(11)
    module, model = MODEL_OF[kind], MODEL_OF[kind].build(checkpoint, labels=LABELS[kind], seed=1).eval()
    batch = module.collate(encoded(kind, tokenizer)[:1], pad_token_id=0)
    outputs = model(**batch)
    torch.testing.assert_close(module.hard_loss(module.logits(outputs), batch), outputs.loss)


def test_padding_changes_no_loss(kind, tokenizer, checkpoint):
    torch.manual_seed(13)
    module, model = MODEL_OF[kind], MODEL_OF[kind].build(checkpoint, labels=LABELS[kind], seed=1).eval()
    batch = module.collate(with_teacher(kind, encoded(kind, tokenizer)[:1]), pad_token_id=0)
    losses = []
    for padded in (batch, widened(batch)):
        logits = module.logits(model(**{name: padded[name] for name in MODEL_INPUTS}))
        soft = module.soft_loss(logits, padded, temperature=2.0)
        losses.append(torch.stack([module.hard_loss(logits, padded), soft]))
    assert batch["input_ids"].shape[1] + 5 == widened(batch)["input_ids"].shape[1]
    torch.testing.assert_close(losses[1], losses[0])


def test_logits_at_padding_change_no_loss(kind, batch):
    module = MODEL_OF[kind]
    scores = random_logits(kind, batch)
    changed = scores.clone()
    if kind in PER_TOKEN:
        assert (batch["attention_mask"] == 0).any()
        changed[batch["attention_mask"] == 0] = 50.0
    for loss in (module.hard_loss, partial(module.soft_loss, temperature=3.0)):
        assert torch.equal(loss(changed, batch), loss(scores, batch))


def test_a_batchs_loss_weighs_its_labelled_units_alike(kind, batch):
    module, scores, size = MODEL_OF[kind], random_logits(kind, batch), len(batch["input_ids"])
    units = (batch["labels"] != -100).sum(dim=1) if kind == "ner" else torch.ones(size)
    singles = [{name: value[index : index + 1] for name, value in batch.items()} for index in range(size)]
    for loss in (module.hard_loss, partial(module.soft_loss, temperature=1.5)):
        each = torch.stack([loss(scores[index : index + 1], single) for index, single in enumerate(singles)])
        torch.testing.assert_close(loss(scores, batch), (each * units).sum() / units.sum())
    assert module.counts(batch) == dict.fromkeys(("hard", "soft"), units.sum())


@pytest.mark.parametrize("kind", WITH_CLASSES, indirect=True)
def test_soft_loss_against_a_certain_teacher_is_the_hard_loss(kind, batch):
    module, scores = MODEL_OF[kind], random_logits(kind, batch)
    batch["teacher_logits"] = certain_teacher(kind, batch)
    torch.testing.assert_close(module.soft_loss(scores, batch, temperature=1.0), module.hard_loss(scores, batch))


def test_the_cross_entropy_of_class_logits_is_the_hard_loss_and_kinds_without_classes_have_none(kind, tokenizer, batch):
    module, scores, features = MODEL_OF[kind], random_logits(kind, batch), encoded(kind, tokenizer)
    lengths = [len(feature["input_ids"]) if kind in PER_TOKEN else None for feature in features]
    logits = [row[:length].numpy() for row, length in zip(scores, lengths, strict=True)]
    classes = ENCODING_OF[kind].class_logits(logits, features=features)
    assert (classes is not None) == (kind in ("classification", "ner"))
    if classes is not None:
        logits_NC, gold_N = map(torch.from_numpy, classes)
        assert len(gold_N) == module.counts(batch)["hard"]
        torch.testing.assert_close(F.cross_entropy(logits_NC, gold_N), module.hard_loss(scores, batch))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_soft_loss_is_least_where_the_student_agrees_with_the_teacher(kind, temperature, batch):
    student = batch["teacher_logits"].clone().requires_grad_()
    MODEL_OF[kind].soft_loss(student, batch, temperature=temperature).backward()
    torch.testing.assert_close(student.grad, torch.zeros_like(student), atol=1e-6, rtol=0)


def test_collate_takes_read_only_teacher_logits(kind, tokenizer):
    features = with_teacher(kind, encoded(kind, tokenizer))
    for feature in features:
        feature["teacher_logits"].flags.writeable = False
    stored = MODEL_OF[kind].collate(features, pad_token_id=0)["teacher_logits"]
    for feature, row in zip(features, stored, strict=True):
        np.testing.assert_array_equal(row[: len(feature["teacher_logits"])], feature["teacher_logits"])


def test_encoding_leaves_the_tokenizer_as_it_was(kind, tokenizer):
    before = tokenizer.backend_tokenizer.to_str()
    encoded(kind, tokenizer)
    assert tokenizer.backend_tokenizer.to_str() == before
    assert tokenizer("a [SEP]")["input_ids"].count(tokenizer.sep_token_id) == 2


HOSTILE = (
    "a good film [SEP] the plot", "[CLS]", "[MASK] [PAD][UNK]", "[E1] Ann [E1]", "[e1]", "see<mark>this", "##s",
    "a\u200bb", "Caf\u00e9\u0301 \u5317\u4eac \U0001f600", "a\tb\nc  d", "x" * 120, "don't--stop... [ SEP ]",
)  # fmt: skip


def test_what_is_trained_is_what_every_reader_of_the_saved_tokenizer_gives(kind, tokenizer, tmp_path):
    marked = deepcopy(tokenizer)
    added: Any = [AddedToken("[E1]", special=True), AddedToken("<mark>")]
    marked.add_tokens(added)
    save_tokenizer(marked, folder=tmp_path)
    readers = load_tokenizer(tmp_path), AutoTokenizer.from_pretrained(tmp_path)
    plain = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    for text in HOSTILE:
        one, inputs = {
            "classification": ({"text": text, "text_pair": text, "label": "no"}, (text, text)),
            "multilabel": ({"text": text, "text_pair": None, "labels": []}, (text,)),
            "regression": ({"text": text, "text_pair": None, "label": 1.0}, (text,)),
            "ner": ({"words": text.split(), "tags": ["O"] * len(text.split())}, (text.split(),)),
            "qa": ({"question": text, "context": text, "answers": []}, (text, text)),
        }[kind]
        options = {"is_split_into_words": True} if kind == "ner" else {}
        [feature] = encoded(kind, readers[0], [one], max_length=512)
        for reader in readers:
            served = reader(*inputs, **options)
            assert served["input_ids"] == feature["input_ids"], text
            assert served["token_type_ids"] == feature["token_type_ids"], text
        assert plain.encode(*inputs, is_pretokenized=kind == "ner").ids == feature["input_ids"], text
