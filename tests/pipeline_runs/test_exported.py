"""What the stages export and benchmark leave: models that run without torch, gates that fail, times of all ways."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stages.runtime.session import open_session, outputs
from tests.bad_input.project import edit, refused, stage
from tests.pipeline_runs.clone import ROOT, run

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
found = session.run(None, {name: np.array([ids], dtype=np.int64) for name, ids in inputs.items()})
outputs = {output.name: array[0].tolist() for output, array in zip(session.get_outputs(), found)}
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
def test_an_exported_model_runs_without_torch_and_gives_the_same(project: Path, clean: Path, task: str) -> None:
    folder = project / "models/tasks" / task / "onnx"
    done = subprocess.run([clean, "-c", SCRIPT, folder, TEXT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert task == "answers" or found["labels"] == json.loads(
        (project / "data/tasks" / task / "labels.json").read_text()
    )
    assert f"# {task}, as ONNX" in (folder / "README.md").read_text(encoding="utf-8")
    ids = np.array([found["ids"]])
    inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    here = outputs(open_session(folder / "model_int8.onnx", threads=1), inputs)
    assert here.keys() == found["outputs"].keys()
    for name, wanted in here.items():
        np.testing.assert_allclose(wanted[0], found["outputs"][name], rtol=1e-5, atol=1e-6)


def test_a_gate_that_is_not_passed_fails_the_stage_and_leaves_what_was_there(project: Path) -> None:
    folder = project / "models/tasks/library/onnx"
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    edit(project, {"export.largest_difference": 0.0})
    try:
        message = refused(stage(project, "export@library"), "export@library")
        assert re.match(
            r"a logit of the float32 ONNX model differs from PyTorch's by [\d.e-]+; wanted is at most", message
        )
        assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
        assert not list(project.rglob("*.partial"))
    finally:
        run(project, "git", "checkout", "-q", "params.yaml")


def is_reference(row: dict[str, object]) -> bool:
    return (row["who"], row["runtime"], row["precision"]) == ("teacher", "torch", "float32")


def test_every_way_to_run_a_model_is_timed_at_every_length(project: Path) -> None:
    found = json.loads((project / "reports/tasks/library/benchmark.json").read_text())
    ways = {(row["who"], row["runtime"], row["precision"], row["length"]) for row in found["latency"]}
    kinds = [("torch", "float32"), ("torch", "bfloat16"), ("onnxruntime", "float32"), ("onnxruntime", "int8")]
    wanted = {(who, *kind) for who in ("teacher", "student") for kind in kinds} - {("student", "onnxruntime", "int8")}
    assert ways == {(*way, n) for way in wanted | {("exported", "onnxruntime", "int8")} for n in (16, 64)}
    assert {(row["who"], row["runtime"], row["precision"], row["length"]) for row in found["throughput"]} == ways
    reference = [row["ratio"] for row in found["latency"] if is_reference(row)]
    assert reference == [1.0, 1.0]
    sizes = found["models"]
    assert sizes["exported"]["bytes"] < sizes["student"]["bytes"] < sizes["teacher"]["bytes"]
    assert sizes["student"]["multiply_adds"] < sizes["teacher"]["multiply_adds"]
