"""Small inputs of ../shared/cases that went wrong once: each is right now, or answered by one clear message."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from benchmarks.clones import ROOT
from tests.stages.bad_input.project import edit, refused, run_well, stage_here, write
from tinybert.tasks.classification import encoding as classification
from tinybert.tasks.tables import read_labels, read_rows

CASES = ROOT.parent / "shared/cases"
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not beside the project")
TEXTS = {"text": "text", "label": "label"}


def task(project: Path, case: str, *, kind: str = "classification", data: str = "data", **changes: Any) -> None:
    """A task `mine` on the data of a case, without a validation split of its own unless `changes` say so."""
    metric = {"classification": "accuracy", "regression": "spearman"}[kind]
    section = {"source": str(CASES / case / data), "columns": TEXTS, "splits": {"validation": "test"}} | changes
    edit(project, {"tasks.library -> mine": None})
    edit(project, {"tasks.mine": {"kind": kind, "metric": metric, "data": section}})


def message(project: Path, name: str = "prepare_task@mine") -> str:
    text = refused(stage_here(project, name), name)
    assert len(text) < 500
    return text


def texts(project: Path, split: str = "train") -> list[tuple[str, str]]:
    run_well(project, "prepare_task@mine")
    return [(row["text"], row["label"]) for row in read_rows(project / "data/tasks/mine", split)]


def checkpoint(project: Path, case: str) -> None:
    edit(project, {"initialize": {"source": str(CASES / case / "checkpoint"), "scratch": None}})


def served(project: Path) -> Any:
    run_well(project, "initialize")
    return AutoTokenizer.from_pretrained(project / "models/tokenizer")


def test_brackets_in_path(project: Path):
    task(project, "brackets-in-path", data="data[1]")
    assert texts(project)
    shutil.copytree(CASES / "brackets-in-path/data[1]", project / "data/x[1]")
    edit(project, {"tasks.mine.data.source": "data/x[1]"})
    assert texts(project)


def test_cased_tokenizer_json_only(project: Path):
    checkpoint(project, "cased-tokenizer-json-only")
    original = Tokenizer.from_file(str(CASES / "cased-tokenizer-json-only/checkpoint/tokenizer.json"))
    assert served(project)("Paris paris")["input_ids"] == original.encode("Paris paris").ids
    assert not served(project).do_lower_case


def test_cased_vocab_only(project: Path):
    checkpoint(project, "cased-vocab-only")
    assert served(project)("Paris paris")["input_ids"][1:-1] != served(project)("paris paris")["input_ids"][1:-1]


def test_cjk_alphabet(project: Path):
    characters = [chr(0x4E00 + n) for n in range(3000)]
    rows = [{"text": "".join(characters[n : n + 40])} for n in range(0, 3000, 20) for _ in range(2)]
    write(project, {"data/mine/train.jsonl": [row | {"text": f"{n} {row['text']}"} for n, row in enumerate(rows)]})
    edit(project, {"prepare_corpus.source": "data/mine", "prepare_corpus.min_characters": 10})
    edit(project, {"initialize.scratch.vocab_size": 8192})
    run_well(project, "prepare_corpus")
    assert len(served(project)) > 2900
    done = stage_here(project, "pack")
    assert done.returncode == 0, done.stderr
    share = done.stdout.partition("train.npy")[2].partition("tokens, ")[2].partition("%")[0]
    assert float(share) < 1


def ids_everywhere(project: Path, text: str) -> list[int]:
    """What training reads of a text, when every reader of the saved tokenizer reads the same."""
    auto, place = served(project), project / "models/tokenizer"
    row = {"text": text, "text_pair": None, "label": None}
    (feature,) = classification.encode([row], tokenizer=auto.backend_tokenizer, max_length=64, labels=[])
    readers = auto(text)["input_ids"], Tokenizer.from_file(str(place / "tokenizer.json")).encode(text).ids
    assert [feature["input_ids"]] * 2 == [*readers]
    return feature["input_ids"]


def test_entity_markers(project: Path):
    checkpoint(project, "entity-markers")
    tokens = served(project).convert_ids_to_tokens(ids_everywhere(project, "[E1] good [SEP] film"))
    assert tokens[1] == "[E1]" and tokens.count("[SEP]") == 2


def test_sep_in_text(project: Path):
    checkpoint(project, "no-model-max-length")
    task(project, "sep-in-text")
    for text, _ in texts(project):
        assert ids_everywhere(project, text).count(served(project).sep_token_id) == 2


def test_japanese_tokenizer_class(project: Path):
    checkpoint(project, "japanese-tokenizer-class")
    assert "its tokenizer is a BertJapaneseTokenizer, expected BertTokenizer" in message(project, "initialize")


def test_latin1(project: Path):
    task(project, "latin1")
    assert "train.csv, line 2: byte 0xe9 is not UTF-8; `encoding` names another" in message(project)
    edit(project, {"tasks.mine.data.encoding": "latin-1"})
    assert ("caf\u00e9", "ham") in texts(project)


def test_misnamed_split(project: Path):
    task(project, "misnamed-split", splits={"train": "train", "validation": 0.4, "test": "validation"})
    assert ", split validation, row 2: label: expected one of the training rows' labels, a, b, got 'c'" in message(
        project
    )


def test_a_class_that_a_drawn_share_takes_away_is_named_with_its_row(project: Path):
    source = CASES / "misnamed-split/data/rare/rare.csv"
    labels = [line.rpartition(",")[2] for line in source.read_text().splitlines()[1:]]
    rare = next(label for label in labels if labels.count(label) == 1)
    task(project, "misnamed-split", data="data/rare/rare.csv", splits={"validation": 0.4, "test": 0.05})
    text = message(project)
    assert f"split train, row {labels.index(rare) + 1} (drawn for " in text and f"got {rare!r}" in text


def test_no_model_max_length(project: Path):
    checkpoint(project, "no-model-max-length")
    positions = json.loads((CASES / "no-model-max-length/checkpoint/config.json").read_text())[
        "max_position_embeddings"
    ]
    tokenizer = served(project)
    assert tokenizer.model_max_length == positions
    assert len(tokenizer("a " * 9999, truncation=True)["input_ids"]) == positions


def test_numeric_class_names_csv(project: Path):
    task(project, "numeric-class-names-csv", columns={"text": "text", "label": "stars"})
    assert texts(project) == [("a", "1"), ("b", "2"), ("c", "3")]


def test_one_token_type(project: Path):
    checkpoint(project, "one-token-type")
    run_well(project, "initialize")
    assert json.loads((project / "models/initial/config.json").read_text())["type_vocab_size"] == 2


def test_other_pre_tokenizer(project: Path):
    checkpoint(project, "other-pre-tokenizer")
    assert "the pre_tokenizer of tokenizer.json has {'type': 'WhitespaceSplit'}" in message(project, "initialize")


def test_pandas_to_json(project: Path):
    task(project, "pandas-to-json")
    assert "holds one object with a column under each key, 'text', 'label'; expected one object a line" in message(
        project
    )


def test_relative_positions(project: Path):
    checkpoint(project, "relative-positions")
    assert "position_embedding_type is 'relative_key', expected 'absolute'" in message(project, "initialize")


def test_stsb_hidden_test(project: Path):
    task(project, "stsb-hidden-test", kind="regression", splits={"validation": "validation"})
    assert "test rows (splits.test): expected scores that differ, got -1 for all 2 rows" in message(project)


def test_ten_int_classes(project: Path):
    task(project, "ten-int-classes")
    assert len(texts(project)) == 12
    assert read_labels(project / "data/tasks/mine") == [str(n) for n in range(12)]


def test_tsv_quotes_merge(project: Path):
    task(project, "tsv-quotes-merge")
    assert texts(project)[1:3] == [('"Great', "pos"), ("awful stuff", "neg")] and len(texts(project)) == 6


def test_tsv_quotes_refused(project: Path):
    pair = {"text": ["question", "sentence"], "label": "label"}
    task(project, "tsv-quotes-refused", columns=pair, splits={"validation": "validation", "test": "validation"})
    run_well(project, "prepare_task@mine")
    rows = read_rows(project / "data/tasks/mine", "train")
    assert rows[0]["text_pair"] == '"Song" was written by a poet.' and rows[1]["text_pair"] == '"It was late'


def test_every_case_is_tried():
    names = {case.name.replace("-", "_") for case in CASES.iterdir() if case.is_dir()}
    assert names <= {name.removeprefix("test_") for name in globals()}
