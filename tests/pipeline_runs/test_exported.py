"""Outputs of stages export and measure: models that run without torch, thresholds, timings of all variants."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from huggingface_hub import ModelCard
from transformers import AutoModelForSequenceClassification

from benchmarks.clones import ROOT, edit
from tests.readme import command
from tests.stages.bad_input.project import leftovers, refused, stage
from tinybert.export.runtime import open_session, run_session
from tinybert.inference.predictor import Predictor
from tinybert.tasks.tables import read_rows

NEEDED = ("onnxruntime", "tokenizers", "numpy")
TEXT = "Returns the sum of the array elements over a given axis."
SCRIPT = """
import importlib.util, json, sys
import numpy as np
import onnxruntime, tokenizers
assert importlib.util.find_spec("torch") is None and importlib.util.find_spec("transformers") is None
folder, text = sys.argv[1:]
encoded = tokenizers.Tokenizer.from_file(f"{folder}/tokenizer.json").encode(text)
inputs = {"input_ids": encoded.ids, "attention_mask": encoded.attention_mask, "token_type_ids": encoded.type_ids}
session = onnxruntime.InferenceSession(f"{folder}/model_int8.onnx", providers=["CPUExecutionProvider"])
arrays = session.run(None, {name: np.array([ids], dtype=np.int64) for name, ids in inputs.items()})
outputs = {output.name: array[0].tolist() for output, array in zip(session.get_outputs(), arrays)}
labels = json.load(open(f"{folder}/config.json")).get("id2label", {})
print(json.dumps({"ids": encoded.ids, "outputs": outputs, "labels": list(labels.values())}))
"""

pytestmark = pytest.mark.dvc


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with nothing but what the exported model needs."""
    folder = tmp_path_factory.mktemp("clean")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pins = re.findall(rf"^(?:{'|'.join(NEEDED)})==.*$", (ROOT / "requirements.txt").read_text(), flags=re.MULTILINE)
    assert len(pins) == len(NEEDED)
    subprocess.run([folder / "bin/python", "-m", "pip", "install", "--quiet", *pins], check=True, capture_output=True)
    return folder / "bin/python"


@pytest.mark.parametrize("task", ["answers", "entities", "library"])
def test_an_onnx_model_runs_without_torch_and_gives_the_same(project: Path, clean: Path, task: str) -> None:
    folder = project / "models/tasks" / task / "onnx/small"
    done = subprocess.run([clean, "-c", SCRIPT, folder, TEXT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    outputs = json.loads(done.stdout)
    labels = json.loads((project / "data/tasks" / task / "labels.json").read_text())
    assert task == "answers" or outputs["labels"] == labels
    assert f"# {task}" in (folder / "README.md").read_text(encoding="utf-8")
    ids = np.array([outputs["ids"]])
    inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    expected = run_session(open_session(folder / "model_int8.onnx", threads=1), inputs)
    assert expected.keys() == outputs["outputs"].keys()
    for name, logits in expected.items():
        np.testing.assert_allclose(outputs["outputs"][name], logits[0], rtol=1e-5, atol=1e-6)


REQUESTS = {"answers": ("question", "context"), "entities": ("words",), "library": ("text",)}
FOUND = {"answers": "answer", "entities": "tags", "library": "label"}


@pytest.mark.parametrize("task", REQUESTS)
def test_predictions_from_the_release_are_those_of_evaluation_on_every_test_row(project: Path, task: str) -> None:
    rows = read_rows(project / "data/tasks" / task, "test")
    requests = [{name: row[name] for name in REQUESTS[task]} for row in rows]
    results = Predictor(project / "models/release" / task / "small")(requests)
    evaluated = pq.read_table(project / "reports/tasks" / task / "students/small/predictions.parquet")
    assert [result[FOUND[task]] for result in results] == evaluated["student_int8"].to_pylist()


def test_the_readmes_command_for_predictions(project: Path) -> None:
    words = command("python -m tinybert.cli predict")
    done = subprocess.run([sys.executable, *words[1:]], cwd=project, capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout)
    assert answer["label"] in json.loads((project / "data/tasks/library/labels.json").read_text())
    assert 0 < answer["score"] <= 1


def test_the_release_is_a_folder_of_the_hub_with_its_scores(project: Path) -> None:
    folder = project / "models/release/library/small"
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == {
        *("README.md", "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "vocab.txt"),
        *("onnx/model.onnx", "onnx/model_quantized.onnx"),
    }
    card: Any = ModelCard.load(folder / "README.md").data
    score = json.loads((project / "reports/metrics/library/small.json").read_text())["score"]
    assert score in [result.metric_value for result in card.eval_results or []]
    AutoModelForSequenceClassification.from_pretrained(folder)


def test_a_missed_threshold_fails_the_stage_and_leaves_what_was_there(copy: Path) -> None:
    folder = copy / "models/tasks/library/onnx/small"
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    edit(copy, {"export.max_logit_diff": 0.0})
    message = refused(stage(copy, "export@library-small"), "export@library-small")
    assert re.match(r"params.yaml: export.max_logit_diff: expected at most 0 between .*, got [\d.e-]+", message)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert leftovers(copy) == []


def test_every_variant_of_a_model_is_timed_at_every_length(project: Path) -> None:
    measured = json.loads((project / "reports/tasks/library/students/small/measure.json").read_text())
    runs = [("torch", "float32"), ("torch", "bfloat16"), ("onnxruntime", "float32"), ("onnxruntime", "int8")]
    variants = {(model, *run) for model in ("teacher", "student") for run in runs}
    variants = variants - {("student", "onnxruntime", "int8")} | {("student_int8", "onnxruntime", "int8")}
    for table in ("latency", "throughput"):
        timed = {(row["model"], row["runtime"], row["precision"], row["length"]) for row in measured[table]}
        assert timed == {(*variant, length) for variant in variants for length in (16, 64)}
    reference = ("teacher", "torch", "float32")
    rows = [row for row in measured["latency"] if (row["model"], row["runtime"], row["precision"]) == reference]
    assert [row["ratio"] for row in rows] == [1.0, 1.0]
    sizes = measured["models"]
    assert sizes["student_int8"]["bytes"] < sizes["student"]["bytes"] < sizes["teacher"]["bytes"]
    assert sizes["student"]["multiply_adds"] < sizes["teacher"]["multiply_adds"]
