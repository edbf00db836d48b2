"""What is wrong in params.yaml is said by `check`, all of it at once, before anything else runs."""

from pathlib import Path
from typing import Any

import pytest

from stages import check
from stages.pipeline.errors import InputError
from stages.pipeline.stage import Run
from tests.bad_input.project import edit, leftovers, refused, stage

CASES: list[tuple[str, dict[str, Any], list[str]]] = [
    (
        "a key that is not known",
        {"shrink.hidden_size -> hiden_size": None},
        ["shrink.hidden_size: is missing", "shrink.hiden_size: is not a known key; did you mean hidden_size?"],
    ),
    (
        "a key of an optional section that is not known",
        {"initialize.scratch.seed -> sede": None},
        ["initialize.scratch.seed: is missing", "initialize.scratch.sede: is not a known key; did you mean seed?"],
    ),
    (
        "a section that is not known",
        {"compute -> computer": None},
        ["compute: is missing", "computer: is not a known key; did you mean compute?"],
    ),
    (
        "another type",
        {"pretrain.batch_size": "many"},
        ["pretrain.batch_size: got 'many', should be a valid integer"],
    ),
    (
        "a number that YAML reads as a text",
        {"pretrain.learning_rate": "1e-3x"},
        ["pretrain.learning_rate: got '1e-3x', should be a valid number"],
    ),
    (
        "a value out of range",
        {"distill.mask_probability": 1.5},
        ["distill.mask_probability: got 1.5, should be less than or equal to 1"],
    ),
    (
        "a probability of masks that masks nothing",
        {"pretrain.mask_probability": 0.0},
        ["pretrain.mask_probability: got 0.0, should be greater than 0"],
    ),
    (
        "masked words to imitate without masks",
        {"distill.mask_probability": 0.0},
        ["distill: mask_probability is 0, but losses.prediction is learnt at masked tokens; wanted is one above 0"],
    ),
    (
        "a temperature to divide by that is 0",
        {"distill.temperature": 0.0},
        ["distill.temperature: got 0.0, should be greater than 0"],
    ),
    (
        "an infinite temperature",
        {"tasks.library.student.prediction.temperature": float("inf")},
        ["tasks.library.student.prediction.temperature: got inf, should be a finite number"],
    ),
    (
        "a student's width that its heads do not divide",
        {"shrink.hidden_size": 130},
        ["shrink: hidden_size 130 is not divisible by num_attention_heads 4"],
    ),
    (
        "a teacher's width that its heads do not divide",
        {"initialize.scratch.num_attention_heads": 3},
        ["initialize.scratch: hidden_size 256 is not divisible by num_attention_heads 3"],
    ),
    (
        "more layers than the teacher has",
        {"shrink.num_hidden_layers": 5},
        ["shrink.num_hidden_layers: is 5, but the teacher's (initialize.scratch.num_hidden_layers) is 4"],
    ),
    (
        "a student wider than its teacher",
        {"shrink.intermediate_size": 1025},
        ["shrink.intermediate_size: is 1025, but the teacher's (initialize.scratch.intermediate_size) is 1024"],
    ),
    (
        "an unknown rule for layers",
        {"shrink.keep_layers": "middle"},
        ["shrink.keep_layers: got 'middle', should be 'first', 'last' or 'uniform' or should be a valid list"],
    ),
    (
        "layers that the teacher does not have",
        {"distill.teacher_layers": [1, 4]},
        [
            "distill.teacher_layers: layers [1, 4]: wanted are 2 different numbers (num_hidden_layers) in rising "
            "order, from 0 to 3 (the teacher's layers)"
        ],
    ),
    (
        "attention of other heads to imitate",
        {"shrink.num_attention_heads": 2, "distill.losses.attention": 0}
        | {f"tasks.{name}.student.intermediate.losses.attention": 0 for name in ("library", "entities")},
        [
            "tasks.answers.student.intermediate.losses.attention: is 1.0, but shrink.num_attention_heads differs from "
            "the teacher's; wanted is 0"
        ],
    ),
    (
        "blocks longer than the positions",
        {"pack.sequence_length": 264},
        ["pack.sequence_length: is 264, above initialize.scratch.max_position_embeddings"],
    ),
    (
        "a length that cannot be halved so often",
        {"pretrain.length_doublings": 5},
        [
            "pretrain.length_doublings: is 5, but pack.sequence_length 128 cannot be halved so often; "
            "wanted is a whole number of tokens, 8 or more"
        ],
    ),
    (
        "nothing to learn from the teacher",
        {"distill.losses": dict.fromkeys(("embedding", "hidden", "attention", "prediction"), 0)},
        ["distill.losses: every weight is 0, at least one has to be above 0"],
    ),
    (
        "an unknown kind of task",
        {"tasks.entities.kind": "nre"},
        ["tasks.entities.kind: got 'nre', wanted is one of classification, ner, qa, regression"],
    ),
    (
        "an unknown kind of source",
        {"sources.documentation.kind": "web"},
        ["sources.documentation.kind: got 'web', wanted is one of documentation, hub"],
    ),
    (
        "an unknown metric",
        {"tasks.library.metric": "acuracy"},
        ["tasks.library.metric: got 'acuracy', wanted for classification is one of accuracy, f1_macro, f1, matthews"],
    ),
    (
        "a length that is missing",
        {"tasks.library.encoding.max_length -> max_lenght": None},
        [
            "tasks.library.encoding.max_length: is missing",
            "tasks.library.encoding.max_lenght: is not a known key; did you mean max_length?",
        ],
    ),
    (
        "a length that is no number",
        {"tasks.answers.encoding.max_length": "long"},
        ["tasks.answers.encoding.max_length: got 'long', should be a valid integer"],
    ),
    (
        "a length that YAML reads as a text",
        {"tasks.library.encoding.max_length": "64"},
        ["tasks.library.encoding.max_length: got '64', should be a valid integer"],
    ),
    (
        "a length that YAML reads as a fraction",
        {"tasks.entities.encoding.max_length": 64.0},
        ["tasks.entities.encoding.max_length: got 64.0, should be a valid integer"],
    ),
    (
        "a no, which is a text in YAML 1.2",
        {"tasks.answers.decoding.unanswerable": "no"},
        ["tasks.answers.decoding.unanswerable: got 'no', should be a valid boolean"],
    ),
    (
        "windows that leave gaps",
        {"tasks.answers.encoding.doc_stride": 94},
        [
            "tasks.answers.encoding: doc_stride is 94; wanted 1 to 93, since with max_length 192 and a long question "
            "a larger step skips parts of the context"
        ],
    ),
    (
        "no inner state to imitate",
        {"tasks.library.student.intermediate.losses": dict.fromkeys(("embedding", "hidden", "attention"), 0)},
        ["tasks.library.student: intermediate.losses are all 0, but intermediate.epochs is 1; wanted is one above 0"],
    ),
    (
        "a length to measure above the positions",
        {"benchmark.lengths": [16, 300, 256]},
        ["benchmark.lengths.1: is 300, above initialize.scratch.max_position_embeddings"],
    ),
    (
        "a revision that moves",
        {
            "sources.documentation.kind": "hub",
            "sources.documentation.options": {"repository": "a/b", "type": "model", "revision": "main"},
        },
        [
            "sources.documentation.options.revision: wanted is the full name of a commit, 40 digits of 0-9 and a-f, as "
            "the hub shows under Files, History; a branch or a tag moves, so that the same parameters would give other "
            "data tomorrow"
        ],
    ),
    (
        "a task's name that is no name of a folder",
        {"tasks.library -> Library": None},
        ["tasks.Library.[key]: got 'Library', String should match pattern '^[a-z][a-z0-9_]*$'"],
    ),
]


def the_complaints(project: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(project)
    with pytest.raises(InputError) as caught:
        check.main(check.Parameters({}), Run("", Path()))
    head, *lines = str(caught.value).split("\n")
    assert head == "params.yaml is not valid:"
    assert leftovers(project, "data/checked") == []
    return lines


@pytest.mark.parametrize(("changes", "wanted"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_check_says_the_key_what_it_is_and_what_is_wanted(
    project: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], wanted: list[str]
):
    edit(project, changes)
    assert the_complaints(project, monkeypatch) == [f"  {line}" for line in wanted]


@pytest.mark.parametrize("changes", [{"distill": False}, {"intermediate.epochs": 0}], ids=str)
def test_no_inner_state_is_needed_where_none_is_imitated(
    project: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
):
    weights = {f"intermediate.losses.{name}": 0 for name in ("embedding", "hidden", "attention")}
    edit(project, {f"tasks.library.student.{key}": value for key, value in (weights | changes).items()})
    monkeypatch.chdir(project)
    check.main(check.Parameters({}), Run("", Path()))
    assert (project / "data/checked").is_file()


def test_the_checkpoint_of_a_corpus_needs_a_shape(project: Path, monkeypatch: pytest.MonkeyPatch):
    edit(project, {"initialize.scratch": None})
    (line,) = the_complaints(project, monkeypatch)
    assert line.startswith("  initialize.scratch: is null, but initialize.source is the corpus")


def test_the_script_says_all_that_is_wrong_in_one_message_and_writes_nothing(project: Path):
    edit(project, {"shrink.hidden_size -> hiden_size": None, "pretrain.steps": -1, "pack.sequence_length": 1.5})
    message = refused(stage(project, "check"), "check")
    assert message.split("\n") == [
        "params.yaml is not valid:",
        "  pack.sequence_length: got 1.5, should be a valid integer",
        "  pretrain.steps: got -1, should be greater than or equal to 0",
        "  shrink.hidden_size: is missing",
        "  shrink.hiden_size: is not a known key; did you mean hidden_size?",
    ]
    assert leftovers(project, "data/checked") == []


def test_the_script_says_what_sections_ask_of_each_other(project: Path):
    edit(project, {"shrink.hidden_size": 512, "tasks.library.encoding.max_length": 300})
    message = refused(stage(project, "check"), "check")
    assert message.split("\n") == [
        "params.yaml is not valid:",
        "  shrink.hidden_size: is 512, but the teacher's (initialize.scratch.hidden_size) is 256",
        "  tasks.library.encoding.max_length: is 300, above initialize.scratch.max_position_embeddings",
    ]
    assert leftovers(project, "data/checked") == []


def test_the_presets_are_valid(project: Path, monkeypatch: pytest.MonkeyPatch):
    for preset in sorted((Path(check.__file__).parents[1] / "presets").glob("*.yaml")):
        (project / "params.yaml").write_bytes(preset.read_bytes())
        monkeypatch.chdir(project)
        check.main(check.Parameters({}), Run("", Path()))
        assert (project / "data/checked").read_text() == "params.yaml is valid\n", preset.name
