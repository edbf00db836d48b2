"""`tinybert describe` agrees with torch and Transformers on the model in a folder."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from transformers import BertConfig, BertForPreTraining, BertForSequenceClassification

from tinybert.cli import describe, main
from tinybert.model.size import count_parameters

LABELS = ["bad", "good", "odd, or neither"]


@pytest.fixture
def folder(config: BertConfig, tmp_path: Path) -> Path:
    """A model with both of BERT's pretraining heads."""
    BertForPreTraining(config).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def counted(model: torch.nn.Module) -> str:
    sizes = count_parameters(model)
    return f"{sizes['parameters']:,} ({sizes['parameters_without_embeddings']:,} without embeddings)"


def test_sizes_are_those_of_the_configuration_and_parameters_those_of_the_model(
    folder: Path, config: BertConfig
) -> None:
    assert describe(folder) == {
        **{"architecture": "BertForPreTraining", "layers": "5", "hidden size": "36", "attention heads": "4"},
        **{"intermediate size": "52", "vocabulary": "99", "positions": "40"},
        "parameters": counted(BertForPreTraining(config)),
        "model.safetensors": f"{(folder / 'model.safetensors').stat().st_size:,} bytes",
    }


def test_labels_stand_in_their_order(config: BertConfig, tmp_path: Path) -> None:
    config.id2label = dict(enumerate(LABELS))
    model = BertForSequenceClassification(config)
    model.save_pretrained(tmp_path)
    assert describe(tmp_path)["labels"] == "bad, good, odd, or neither"
    assert describe(tmp_path)["parameters"] == counted(model)


def test_shards_of_one_checkpoint_are_counted_together(config: BertConfig, tmp_path: Path) -> None:
    model = BertForPreTraining(config)
    model.save_pretrained(tmp_path, max_shard_size="50KB")
    described = describe(tmp_path)
    assert described["parameters"] == counted(model) and sum(name.startswith("model-0000") for name in described) > 1


def test_tied_weights_and_buffers_of_old_checkpoints_are_no_parameters(folder: Path, config: BertConfig) -> None:
    weights = {name: weight.half().clone() for name, weight in BertForPreTraining(config).state_dict().items()}
    assert "cls.predictions.decoder.weight" in weights
    save_file(weights | {"bert.embeddings.position_ids": torch.arange(40)[None]}, folder / "model.safetensors")
    assert describe(folder)["parameters"] == counted(BertForPreTraining(config))


def test_an_onnx_folder_has_its_files_and_no_parameters(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.onnx").write_bytes(b"x" * 12_345)
    (folder / "model_int8.onnx").write_bytes(b"x" * 678)
    described = describe(folder)
    assert (described["model.onnx"], described["model_int8.onnx"]) == ("12,345 bytes", "678 bytes")
    (folder / "onnx").mkdir()
    (folder / "onnx/model_quantized.onnx").write_bytes(b"x" * 9)
    assert describe(folder)["onnx/model_quantized.onnx"] == "9 bytes"
    assert described["layers"] == "5" and "parameters" not in described


def test_several_folders_are_shown_one_after_another(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = shutil.copytree(folder, folder.parent / "other")
    assert main(["describe", str(folder), str(other)]) == 0
    shown = [block.splitlines() for block in capsys.readouterr().out.split("\n\n")]
    assert [lines[0] for lines in shown] == [str(folder), str(other)]
    assert shown[0][1:] == shown[1][1:] and "  attention heads    4" in shown[0]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", None, "model is no model folder: it has no config.json"),
        ("config.json", b"{", "model/config.json: not valid JSON"),
        ("config.json", b"[]", "model/config.json: "),
        ("model.safetensors", None, "model is no model folder: it has no model.safetensors and no *.onnx"),
        ("model.safetensors", b"", "model/model.safetensors: the weights cannot be read: "),
        ("model.safetensors", b"version https://git-lfs", "model/model.safetensors: the weights cannot be read: "),
    ],
)
def test_a_folder_that_is_no_model_is_refused_in_one_line(
    folder: Path, name: str, content: bytes | None, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / name).unlink() if content is None else (folder / name).write_bytes(content)
    assert main(["describe", str(folder)]) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.startswith(f"tinybert: error: {folder.parent}/{message}")
    assert shown.err.count("\n") == 1
