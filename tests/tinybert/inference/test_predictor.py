"""A finished model, asked from its folder: the same predictions as in evaluation, and as of stock pipelines."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from transformers import BertTokenizer, pipeline

from tests.tinybert.tasks.conftest import checkpoint, tokenizer  # noqa: F401  (fixtures)
from tests.tinybert.tasks.test_kinds import KINDS, LABELS, MODEL_OF, ROWS, ROWS_OF
from tinybert.cli import main
from tinybert.data import length_batches
from tinybert.data.tokenizer import save_tokenizer
from tinybert.errors import InputError
from tinybert.export.convert import write_float32
from tinybert.finetuning.predict import Scorer
from tinybert.inference import predictor
from tinybert.inference.predictor import Predictor
from tinybert.model.checkpoint import save
from tinybert.tasks.tables import write_labels

REQUESTS: dict[str, list[Any]] = {
    "classification": [{"text": row["text"], "text_pair": row["text_pair"]} for row in ROWS["classification"]],
    "multilabel": [{"text": row["text"], "text_pair": row["text_pair"]} for row in ROWS["multilabel"]],
    "ner": [{"words": row["words"]} for row in ROWS["ner"]],
    "qa": [{"question": row["question"], "context": row["context"]} for row in ROWS["qa"]],
    "regression": [{"text": row["text"], "text_pair": row["text_pair"]} for row in ROWS["regression"]],
}
PREDICTION = {"classification": "label", "multilabel": "labels", "ner": "tags", "qa": "answer", "regression": "score"}
"""What of a result is what `decode` gives."""


@pytest.fixture(scope="session")
def models(checkpoint: Path, tokenizer: BertTokenizer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:  # noqa: F811
    """By kind, a folder with safetensors and float32 ONNX, whose head says something of each text."""
    folders = {}
    for kind in KINDS:
        folder = folders[kind] = tmp_path_factory.mktemp(kind)
        model = MODEL_OF[kind].build(checkpoint, labels=LABELS[kind], seed=3)
        with torch.no_grad():
            head = getattr(model, "qa_outputs" if kind == "qa" else "classifier")
            head.weight.mul_(40)
            head.bias[0] -= 4.0 * (kind == "ner")  # or all words are O
        scorer_of(kind, folder, tokenizer).sign(model)
        save(model, folder)
        save_tokenizer(tokenizer, folder=folder)
        write_float32(model, folder / "model.onnx")
    return folders


def scorer_of(kind: str, folder: Path, tokenizer: BertTokenizer) -> Scorer:  # noqa: F811
    save_tokenizer(tokenizer, folder=folder)
    write_labels(folder, LABELS[kind])
    length = {"max_length": 20, "doc_stride": 4} if kind == "qa" else {"max_length": 20}
    read = ROWS_OF[kind].Encoding.model_validate(length).model_dump()
    decoding = ROWS_OF[kind].Decoding().model_dump()
    accelerator = Accelerator(cpu=True, mixed_precision="no")
    return Scorer(kind, data=folder, checkpoint=folder, encoding=read, decoding=decoding, accelerator=accelerator)


def approximately(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: approximately(part) for name, part in value.items()}
    if isinstance(value, list):
        return [approximately(part) for part in value]
    return pytest.approx(value, abs=1e-5) if isinstance(value, float) else value


@pytest.mark.parametrize("kind", KINDS)
def test_results_hold_the_predictions_of_evaluation_from_onnx_and_from_safetensors(kind, models, tokenizer, tmp_path):  # noqa: F811
    scorer = scorer_of(kind, tmp_path, tokenizer)
    data = scorer.encode(ROWS[kind])
    model: Any = MODEL_OF[kind].build(models[kind], labels=LABELS[kind], seed=0)
    expected = scorer.decode(scorer.logits(model, data.features), data)
    onnx = Predictor(models[kind])(REQUESTS[kind])
    (models[kind] / "model.onnx").rename(tmp_path / "model.onnx")
    try:
        plain = Predictor(models[kind], threads=1)(REQUESTS[kind])
    finally:
        (tmp_path / "model.onnx").rename(models[kind] / "model.onnx")
    for results in (onnx, plain):
        assert [result[PREDICTION[kind]] for result in results] == approximately(expected)
    assert plain == approximately(onnx)


def test_what_stock_pipelines_say_of_a_class(models):
    stock = pipeline("text-classification", model=str(models["classification"]))
    texts = ["the cat sat", "red dog [SEP] ran"]
    expected = stock(texts)
    results = Predictor(models["classification"])(texts)
    assert [{name: result[name] for name in ("label", "score")} for result in results] == approximately(expected)
    assert sum(results[0]["scores"].values()) == pytest.approx(1.0)


def test_what_stock_pipelines_say_of_entities(models):
    stock = pipeline("token-classification", model=str(models["ner"]), aggregation_strategy="first")
    texts = ["the cat, in Paris: red dog", "is   it\tfrance?", "xylo ran"]
    for text, result in zip(texts, Predictor(models["ner"])(texts), strict=True):
        expected = [(e["entity_group"], e["start"], e["end"], pytest.approx(e["score"], abs=1e-5)) for e in stock(text)]
        found = [(e["type"], e["start"], e["end"], e["score"]) for e in result["entities"]]
        assert found == expected
        assert [e["text"] for e in result["entities"]] == [text[first:end] for _, first, end, _ in found]
        assert len(found) > 0


def test_an_answer_is_where_it_says_and_its_probability_that_of_its_ends(models):
    context = "the cat sat on a mat in the rain and it ran"
    (result,) = Predictor(models["qa"])([{"question": "where", "context": context}])
    assert context[result["start"] : result["end"]] == result["answer"] != ""
    assert 0 < result["score"] <= 1


def test_order_and_batches_change_nothing(models, monkeypatch):
    texts = [" ".join(["cat"] * n) for n in (1, 9, 3, 9, 2)]
    at_once = Predictor(models["classification"])(texts)
    monkeypatch.setattr(length_batches, "TOKENS", 12)
    monkeypatch.setattr(predictor, "REQUESTS", 2)
    assert [*Predictor(models["classification"]).stream(iter(texts))] == approximately(at_once)


def test_a_text_longer_than_the_positions_is_cut_or_read_in_windows(models):
    long = "cat " * 500 + "paris"
    assert Predictor(models["classification"])([long])[0]["label"] in LABELS["classification"]
    assert len(Predictor(models["ner"])([long])[0]["tags"]) == 501
    assert Predictor(models["qa"])([{"question": "where", "context": long}])[0]["end"] > 0
    assert Predictor(models["ner"])(["", "\u200b"]) == [{"entities": [], "tags": []}] * 2


@pytest.mark.parametrize(
    ("kind", "request_", "message"),
    [
        ("classification", {"body": "a"}, "request 2: expected a string for each of text, got {'body': 'a'}"),
        ("classification", {"text": "a", "text_pair": 3}, "request 2: text_pair: expected a string, got 3"),
        ("qa", "who", "request 2: expected a string for each of question, context, got 'who'"),
        ("ner", {"words": [1]}, "request 2: expected a text, or an object with text, or with words as a list"),
    ],
)
def test_a_request_of_another_form_is_refused(models, kind, request_, message):
    with pytest.raises(InputError) as caught:
        Predictor(models[kind])([REQUESTS[kind][0], request_])
    assert str(caught.value).startswith(message)


def test_a_folder_without_a_model_is_refused(models, tmp_path):
    def refusal(**options: Any) -> str:
        with pytest.raises(InputError) as caught:
            Predictor(tmp_path, **options)
        return str(caught.value)

    assert refusal() == f"{tmp_path} is no model folder: it has no config.json"
    config = json.loads((models["qa"] / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "tokenizer.json").write_bytes((models["qa"] / "tokenizer.json").read_bytes())
    assert refusal().endswith(
        "model_int8.onnx, onnx/model_quantized.onnx, model.onnx, onnx/model.onnx, model.safetensors"
    )
    assert refusal(precision="int8").endswith(" has none of model_int8.onnx, onnx/model_quantized.onnx")
    del config["tinybert"]
    (tmp_path / "config.json").write_text(json.dumps(config | {"architectures": ["BertModel"]}))
    assert "architectures is 'BertModel' with problem_type None, expected one of BertForTokenClass" in refusal()
    (tmp_path / "config.json").write_bytes((models["qa"] / "config.json").read_bytes())
    (tmp_path / "model.onnx").write_bytes(b"nonsense")
    assert refusal().startswith(f"{tmp_path}/model.onnx cannot be read as a model: ")
    (tmp_path / "tokenizer.json").write_text("{}")
    assert refusal().startswith(f"{tmp_path}/tokenizer.json cannot be read as a tokenizer: ")


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_that_another_program_made_is_known_by_its_architecture(kind, models, tmp_path):
    for file in models[kind].iterdir():
        (tmp_path / file.name).symlink_to(file)
    config = json.loads((models[kind] / "config.json").read_text())
    del config["tinybert"]
    (tmp_path / "config.json").unlink()
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert Predictor(tmp_path).kind == kind
    assert Predictor(tmp_path)(REQUESTS[kind]) == approximately(Predictor(models[kind])(REQUESTS[kind]))


def printed(capsys: pytest.CaptureFixture[str], *arguments: Any) -> list[Any]:
    code, (out, err) = main(["predict", *map(str, arguments)]), capsys.readouterr()
    assert (code, err) == (0, "")
    return [json.loads(line) for line in out.splitlines()]


def test_the_command_reads_arguments_files_and_lines(models, tmp_path, capsys, monkeypatch):
    pairs = models["classification"]
    expected = [
        {"label": r["label"], "score": round(r["score"], 6)} for r in Predictor(pairs)(REQUESTS["classification"])
    ]
    first = REQUESTS["classification"][0]
    assert printed(capsys, pairs, first["text"], "--pair", first["text_pair"]) == expected[:1]
    lines = "".join(json.dumps(request) + "\n" for request in REQUESTS["classification"])
    (tmp_path / "a.jsonl").write_text(lines)
    (tmp_path / "a.csv").write_text("text,text_pair\n" + "".join(f"{r['text']},{r['text_pair']}\n" for r in
                                                                 REQUESTS["classification"]))  # fmt: skip
    assert printed(capsys, pairs, "--file", tmp_path / "a.jsonl") == expected
    assert printed(capsys, pairs, "--file", tmp_path / "a.csv") == expected
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    assert printed(capsys, pairs, "--precision", "float32", "--threads", 1) == expected
    monkeypatch.setattr("sys.stdin", io.StringIO('the cat\n"the cat"\n{"text": "the cat"}\n'))
    one, two, three = printed(capsys, pairs, "--all")
    assert one == two == three and {*one["scores"]} == {*LABELS["classification"]}


def test_the_command_asks_a_question_and_finds_entities(models, capsys):
    (answer,) = printed(capsys, models["qa"], "where", "--context", "the cat sat on a mat")
    assert {*answer} == {"answer", "score", "start", "end"}
    (found,) = printed(capsys, models["ner"], "the cat, in Paris: red dog")
    assert [*found] == ["entities"] and {*found["entities"][0]} == {"text", "type", "start", "end", "score"}


def test_the_command_says_what_is_wrong_in_one_line(models, tmp_path, capsys, monkeypatch):
    qa = str(models["qa"])
    (tmp_path / "a.tsv").write_text("body\nx\n")
    assert main(["predict", qa, "--file", str(tmp_path / "a.tsv")]) == 2
    files = {"b.csv": b'question,context\n"x,y\n', "c.jsonl.gz": b"\x1f\x8b", "d.parquet": b"PAR1", "e.txt": b"\xff"}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        assert main(["predict", qa, "--file", str(tmp_path / name)]) == 2
    assert main(["predict", qa, "--file", str(tmp_path / "a.tsv"), "--context", "x"]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 6 and all(error.startswith("tinybert: error: ") for error in errors)
    assert "b.csv cannot be read to its end" in errors[1] and "c.jsonl.gz cannot" in errors[2]
    assert "expected a file that ends in .jsonl" in errors[3] and "line 1: byte 0xff" in errors[4]
    assert "--pair and --context go with a TEXT" in errors[5]
    monkeypatch.setattr("sys.stdin", io.StringIO("{\n"))
    assert main(["predict", str(models["qa"])]) == 2
    assert main(["predict", str(tmp_path), "a"]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert "line 1: broken JSON" in errors[0] and f"{tmp_path} is no model folder" in errors[1]


def test_logits_are_those_of_one_text_at_a_time(models):
    features = [{"input_ids": [2, *range(10, 10 + n), 3], "token_type_ids": [0] * (n + 2)} for n in (1, 7, 4)]
    network = predictor.open_network(models["ner"], precision="float32", threads=1)
    together = predictor.predict(network, features, kind="ner", pad_token_id=0)
    for feature, logits in zip(features, together, strict=True):
        (alone,) = predictor.predict(network, [feature], kind="ner", pad_token_id=0)
        np.testing.assert_allclose(logits, alone, atol=1e-5)
