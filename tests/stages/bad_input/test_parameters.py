"""`plan` reports all that is wrong in params.yaml at once, before any other stage runs."""

from pathlib import Path
from typing import Any

import pytest

from stages.parameters.validation import read_file
from stages.parameters.whole import validate_whole
from tests.stages.bad_input.project import edit, leftovers, refused, stage
from tinybert.errors import InputError

LOSSES = ("embedding", "hidden", "attention")
NO_ATTENTION = {"intermediate": {"losses": {"attention": 0}}}
CHECKPOINT = {"initialize": {"source": "data/raw/checkpoint", "scratch": None}}
BRANCH = {"repository": "a/b", "type": "model", "revision": "main"}
CASES: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown key": ({"students.small.hidden_size -> hiden_size": None},
        "students.small.hidden_size: is missing\n"
        "students.small.hiden_size: is not a known key; did you mean hidden_size?"),
    "an unknown key of an optional section": ({"initialize.scratch.seed -> sede": None},
        "initialize.scratch.seed: is missing\ninitialize.scratch.sede: is not a known key; did you mean seed?"),
    "an unknown section": ({"compute -> computer": None},
        "compute: is missing\ncomputer: is not a known key; did you mean compute?"),
    "another type": ({"pretrain.batch_size": "many"},
        "pretrain.batch_size: expected a valid integer, got 'many'"),
    "a number that YAML reads as a text": ({"pretrain.learning_rate": "1e-3x"},
        "pretrain.learning_rate: expected a valid number, got '1e-3x'"),
    "a value out of range": ({"distill.mask_probability": 1.5},
        "distill.mask_probability: expected less than or equal to 1, got 1.5"),
    "a mask probability that masks nothing": ({"pretrain.mask_probability": 0.0},
        "pretrain.mask_probability: expected greater than 0, got 0.0"),
    "distilled MLM logits without masks": ({"distill.mask_probability": 0.0},
        "distill: expected mask_probability above 0, got 0: losses.prediction is computed at masked positions"),
    "distilled MLM logits and true tokens without masks": (
        {"distill.mask_probability": 0.0, "distill.losses.hard": 1.0},
        "distill: expected mask_probability above 0, got 0: losses.prediction and losses.hard are computed at masked "
        "positions"),
    "true tokens without masks": (
        {"distill.mask_probability": 0.0, "distill.losses.prediction": 0, "distill.losses.hard": 1.0},
        "distill: expected mask_probability above 0, got 0: losses.hard is computed at masked positions"),
    "a temperature of 0": ({"distill.temperature": 0.0},
        "distill.temperature: expected greater than 0, got 0.0"),
    "an infinite temperature": ({"finetuning.student.prediction.temperature": float("inf")},
        "finetuning.student.prediction.temperature: expected a finite number, got inf"),
    "a student's width that its heads do not divide": ({"students.small.hidden_size": 130},
        "students.small: hidden_size 130 is not divisible by num_attention_heads 4"),
    "a teacher's width that its heads do not divide": ({"initialize.scratch.num_attention_heads": 3},
        "initialize.scratch: hidden_size 256 is not divisible by num_attention_heads 3"),
    "more layers than the teacher has": ({"students.small.num_hidden_layers": 5},
        "students.small.num_hidden_layers: is 5, but the teacher's (initialize.scratch.num_hidden_layers) is 4"),
    "a student wider than its teacher": ({"students.small.intermediate_size": 1025},
        "students.small.intermediate_size: is 1025, but the teacher's (initialize.scratch.intermediate_size) is 1024"),
    "an unknown rule for layers": ({"students.small.keep_layers": "middle"},
        "students.small.keep_layers: expected 'first', 'last', 'uniform' or 'importance' or a valid list, "
        "got 'middle'"),
    "an unknown method of pruning": ({"students.small.method": "magnitude"},
        "students.small.method: expected 'rotation', 'importance', 'first', 'random' or 'scratch', got 'magnitude'"),
    "a vocabulary of its own under losses of the MLM head": ({"students.small.vocab_size": 4000},
        "students.small.vocab_size: expected null, got 4000: distill.losses.prediction compares MLM logits over the "
        "teacher's vocabulary; set it to 0"),
    "more entries than the teacher has": (
        {"students.small.vocab_size": 9000, "distill.losses.prediction": 0},
        "students.small.vocab_size: is 9000, but the teacher's (initialize.scratch.vocab_size) is 8192"),
    "a share of task texts that is no block": ({"task_texts": {"tasks": ["library"], "share": 0.02}},
        "task_texts.share: is 0.02, which makes 0 of the 16 blocks of a step (distill.batch_size); "
        "expected a share that leaves one or more for each of corpus and tasks"),
    "texts of a task that is not there": ({"task_texts.tasks": ["library", "libary"]},
        "task_texts.tasks.1: expected a task of section tasks, got 'libary'"),
    "layers that the teacher does not have": ({"students.small.teacher_layers": [1, 4]},
        "students.small.teacher_layers: layers [1, 4]: expected 2 different numbers (num_hidden_layers) in "
        "increasing order, from 0 to 3 (the teacher's layers)"),
    "distilled attention of another number of heads": (
        {"students.small.num_attention_heads": 2, "distill.losses.attention": 0}
        | {f"tasks.{name}.student": NO_ATTENTION for name in ("library", "entities")},
        "finetuning.student.intermediate.losses.attention: expected 0, got 1.0: "
        "students.small.num_attention_heads differs from the teacher's; "
        "finetuning.student.intermediate.losses.relation takes any numbers"),
    "relation heads that do not divide the widths": (
        {"distill.losses.relation": 1.0, "students.small.hidden_size": 132},
        "distill.losses.relation_heads: is 12, which does not divide initialize.scratch.hidden_size 256"),
    "relation heads that do not divide the width of a student of a checkpoint": (
        {"distill.losses": dict.fromkeys((*LOSSES, "prediction"), 0) | {"relation": 1.0}} | CHECKPOINT,
        "distill.losses.relation_heads: is 12, which does not divide students.small.hidden_size 128"),
    "relation heads of tasks that do not divide the widths": (
        {"finetuning.student.intermediate.losses.relation_heads": 7,
         "tasks.library.student": {"intermediate": {"losses": {"relation": 0.5}}},
         "tasks.entities.student": {"intermediate": {"losses": {"relation": 0.5, "relation_heads": 8}}}},
        "tasks.library.student.intermediate.losses.relation_heads: is 7, which does not divide "
        "students.small.hidden_size 128, initialize.scratch.hidden_size 256"),
    "no relation heads": ({"distill.losses.relation_heads": 0},
        "distill.losses.relation_heads: expected greater than or equal to 1, got 0"),
    "a weight below 0": ({"distill.losses.cosine": -1.0},
        "distill.losses.cosine: expected greater than or equal to 0, got -1.0"),
    "the true tokens of a task's texts, which are not masked": ({"finetuning.student.intermediate.losses.hard": 1.0},
        "finetuning.student.intermediate.losses.hard: is not a known key"),
    "blocks longer than the positions": ({"pack.sequence_length": 264},
        "pack.sequence_length: is 264, above initialize.scratch.max_position_embeddings"),
    "a length that cannot be halved so often": ({"pretrain.length_doublings": 5},
        "pretrain.length_doublings: is 5, but pack.sequence_length 128 cannot be halved so often; "
        "expected a whole number of tokens, 8 or more"),
    "a distillation without a loss": ({"distill.losses": dict.fromkeys((*LOSSES, "prediction"), 0)},
        "distill.losses: every weight is 0, at least one has to be above 0"),
    "an unknown kind of task": ({"tasks.entities.kind": "nre"},
        'tasks.entities.kind: expected one of classification, multilabel, ner, qa, regression, got "nre"'),
    "an unknown kind of source": ({"sources.documentation.kind": "web"},
        'sources.documentation.kind: expected one of documentation, hub, got "web"'),
    "an unknown metric": ({"tasks.library.metric": "acuracy"},
        "tasks.library.metric: expected for classification one of accuracy, f1_macro, f1, matthews, got 'acuracy'"),
    "a misspelt length": ({"tasks.library.encoding": {"max_lenght": 64}},
        "tasks.library.encoding.max_lenght: is not a known key; did you mean max_length?"),
    "a length that is no number": ({"tasks.answers.encoding.max_length": "long"},
        "tasks.answers.encoding.max_length: expected a valid integer, got 'long'"),
    "a length that YAML reads as a text": ({"tasks.library.encoding": {"max_length": "64"}},
        "tasks.library.encoding.max_length: expected a valid integer, got '64'"),
    "a length that YAML reads as a fraction": ({"tasks.entities.encoding": {"max_length": 64.0}},
        "tasks.entities.encoding.max_length: expected a valid integer, got 64.0"),
    "a no, which is a text in YAML 1.2": ({"tasks.answers.decoding.unanswerable": "no"},
        "tasks.answers.decoding.unanswerable: expected a valid boolean, got 'no'"),
    "windows that leave gaps": ({"tasks.answers.encoding.doc_stride": 94},
        "tasks.answers.encoding: doc_stride: expected 1 to 93, got 94, since with max_length 192 and a long "
        "question a larger stride skips parts of the context"),
    "an intermediate distillation without a loss": (
        {"finetuning.student.intermediate.losses": dict.fromkeys(LOSSES, 0)},
        "finetuning.student: expected one of intermediate.losses above 0 for 2 epochs, got 0 for all"),
    "an override of a key that the default has not": (
        {"tasks.library.teacher": {"epoch": 3}, "tasks.entities.student": {"prediction": {"sofd": 1.0}}},
        "tasks.entities.student.prediction.sofd: is not a known key; did you mean soft?\n"
        "tasks.library.teacher.epoch: is not a known key; did you mean epochs?"),
    "an override that makes the default impossible": (
        {"tasks.library.student": {"prediction": {"soft": 0, "hard": 0}}},
        "tasks.library.student: expected prediction.soft or prediction.hard above 0, got 0 for both"),
    "an override that is no section": ({"tasks.library.teacher": 3},
        "tasks.library.teacher: expected a valid dictionary, got 3"),
    "new pairs of rows with one text": (
        {"finetuning.teaching.new_pairs": 2, "tasks.library.teaching": {"new_pairs": 0}},
        "finetuning.teaching.new_pairs: expected 0, got 2: a row of entities has one text, words"),
    "new pairs that are no number": ({"tasks.library.teaching": {"new_pairs": "many"}},
        "tasks.library.teaching.new_pairs: expected a valid integer, got 'many'"),
    "cloze questions for a task that asks none": ({"tasks.library.teaching": {"cloze_questions": 2}},
        "tasks.library.teaching.cloze_questions: expected 0, got 2: library is not a question-answering task "
        "(kind: qa)"),
    "unlabelled rows that DVC does not watch": ({"tasks.library.data.unlabelled": {"source": "data/raw/documentation"}},
        "tasks.library.data.unlabelled.source: expected tasks.library.data.source (data/raw/documentation/library) or "
        "a path in it, which is what DVC watches, got 'data/raw/documentation'"),
    "unlabelled rows in unknown columns": (
        {"tasks.library.data.unlabelled": {"source": "data/raw/documentation/library/x", "columns": {"txt": "a"}}},
        "tasks.library.data.unlabelled.columns.txt: is not a known key; did you mean text?"),
    "a default that no kind can use": ({"finetuning.encoding": {"max_length": 64}},
        "finetuning.encoding: is not a known key; did you mean teaching?"),
    "a measured length above the positions": ({"measure.lengths": [16, 300, 256]},
        "measure.lengths.1: is 300, above initialize.scratch.max_position_embeddings"),
    "a revision that moves": ({"sources.documentation": {"kind": "hub", "options": BRANCH}},
        "sources.documentation.options.revision: expected the full name of a commit, 40 digits of 0-9 and a-f, as "
        "the hub shows under Files, History, got 'main'; a branch or a tag moves, so that the same parameters "
        "would give other data tomorrow"),
    "a task's name that is no folder's": ({"tasks.library -> Library": None},
        "tasks.Library.[key]: expected a text that matches '^[a-z][a-z0-9_]*$', got 'Library'"),
    "a student's name that is no folder's": ({"students.small -> a/b": None},
        "students.a/b.[key]: expected a text that matches '^[a-z][a-z0-9_]*$', got 'a/b'"),
    "a student's name that the report needs": ({"students.small -> teacher": None},
        "students.teacher.[key]: expected another name, since reports use teacher, baseline, tfidf, distill and "
        "NAME_int8; got 'teacher'"),
}  # fmt: skip


def problems(project: Path) -> str:
    with pytest.raises(InputError) as caught:
        validate_whole(read_file(project / "params.yaml"))
    head, *lines = str(caught.value).split("\n  ")
    assert head == "params.yaml is not valid:"
    return "\n".join(lines)


@pytest.mark.parametrize(("changes", "expected"), CASES.values(), ids=CASES)
def test_a_message_names_the_key_and_the_value_it_expected(project: Path, changes: dict[str, Any], expected: str):
    edit(project, changes)
    assert problems(project) == expected


@pytest.mark.parametrize("changes", [{"distill": False}, {"intermediate.epochs": 0}], ids=str)
def test_no_intermediate_loss_is_needed_where_nothing_is_distilled(project: Path, changes: dict[str, Any]):
    weights = {f"intermediate.losses.{name}": 0 for name in LOSSES}
    edit(project, {f"finetuning.student.{key}": value for key, value in (weights | changes).items()})
    validate_whole(read_file(project / "params.yaml"))


@pytest.mark.parametrize("name", ["standardized", "cosine", "patience", "relation"])
def test_one_loss_of_any_kind_is_enough(project: Path, name: str):
    losses = dict.fromkeys(LOSSES, 0) | {name: 1.0, "relation_heads": 8}
    places = {"distill.losses": losses | {"prediction": 0}, "finetuning.student.intermediate.losses": losses}
    edit(project, places | {"students.small.num_attention_heads": 2})
    validate_whole(read_file(project / "params.yaml"))


@pytest.mark.parametrize("changes", [{"distill.losses.relation": 0.0}, {"distill.steps": 0}], ids=str)
def test_relation_heads_matter_where_relations_are_distilled(project: Path, changes: dict[str, Any]):
    edit(project, {"distill.losses.relation": 1.0, "distill.losses.relation_heads": 7} | changes)
    validate_whole(read_file(project / "params.yaml"))


def test_a_checkpoint_of_a_corpus_needs_a_shape(project: Path):
    edit(project, {"initialize.scratch": None})
    assert problems(project).startswith("initialize.scratch: is null, but initialize.source is the corpus")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"students.small.hidden_size -> hiden_size": None, "pretrain.steps": -1, "pack.sequence_length": 1.5},
            ["pack.sequence_length: expected a valid integer, got 1.5",
             "pretrain.steps: expected greater than or equal to 0, got -1",
             "students.small.hidden_size: is missing",
             "students.small.hiden_size: is not a known key; did you mean hidden_size?"],
        ),
        (
            {"students.small.hidden_size": 512, "tasks.library.encoding": {"max_length": 300}},
            ["students.small.hidden_size: is 512, but the teacher's (initialize.scratch.hidden_size) is 256",
             "tasks.library.encoding.max_length: is 300, above initialize.scratch.max_position_embeddings"],
        ),
    ],
    ids=["within sections", "between sections"],
)  # fmt: skip
def test_plan_reports_all_problems_at_once_and_writes_nothing(
    project: Path, changes: dict[str, Any], expected: list[str]
):
    edit(project, changes)
    assert refused(stage(project, "plan"), "plan").split("\n  ") == ["params.yaml is not valid:", *expected]
    assert leftovers(project, "plan") == []
