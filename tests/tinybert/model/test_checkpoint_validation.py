"""Bad checkpoints are refused with the reason, before anything is allocated, executed or read outside their folder."""

import json
import pickle
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertForPreTraining

from tinybert.errors import InputError
from tinybert.model.checkpoint import load_checkpoint, save

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"


@pytest.fixture
def folder(teacher: BertForPreTraining, tmp_path: Path) -> Path:
    save(teacher, tmp_path / "bert")
    return tmp_path / "bert"


def refusal(folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_checkpoint(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def configure(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocab_size": 10**12}, "word_embeddings.weight has shape [99, 36], expected [10"),
        ({"max_position_embeddings": 10**12}, "position_embeddings.weight has shape [40, 36], expected ["),
        ({"type_vocab_size": 10**12}, "token_type_embeddings.weight has shape [2, 36], expected ["),
        ({"intermediate_size": 10**12}, "intermediate.dense.weight has shape [52, 36], expected ["),
        ({"hidden_size": 4 * 10**12}, "word_embeddings.weight has shape [99, 36], expected [99, 4"),
        ({"num_hidden_layers": 10**7}, ": the weights have 5 layers, expected 10000000 by config.json"),
        ({"num_attention_heads": 7}, "config.json: hidden_size 36 is not divisible by num_attention_heads"),
        ({"num_attention_heads": 0}, "config.json: num_attention_heads is 0, expected a whole number above 0"),
        ({"hidden_size": True}, "config.json: hidden_size is True, expected a whole number above 0"),
        ({"hidden_act": "os.system"}, ": the checkpoint cannot be loaded: KeyError: "),
        ({"is_decoder": True}, "config.json: is_decoder is True, expected an encoder, without it"),
        ({"add_cross_attention": 1}, "config.json: add_cross_attention is 1, expected an encoder"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type is 'relative_key', expected 'absolute'"),
        ({"model_type": "roberta"}, "config.json: model_type is 'roberta', expected 'bert'"),
        ({"layer_norm_eps": "x"}, "config.json: layer_norm_eps is 'x', expected a number above 0 and below 1"),
    ],
)
def test_a_configuration_that_differs_from_the_weights_is_refused(folder: Path, changes: dict, message: str):
    configure(folder, **changes)
    assert message in refusal(folder)


@pytest.mark.parametrize("content", ["[]", '"bert"', "{", "[" * 100_000, "\x00"])
def test_a_configuration_that_is_no_object_is_refused(folder: Path, content: str):
    (folder / "config.json").write_text(content)
    says = "holds no JSON object" if content in ("[]", '"bert"') else "not valid JSON: "
    assert refusal(folder).startswith(f"{folder}/config.json: {says}")
    (folder / "config.json").unlink()
    assert refusal(folder) == f"{folder}: no config.json in it, so this is no checkpoint"


@pytest.mark.parametrize("name", ["../other/model.safetensors", "/etc/passwd", "..", "weights.bin", 7, "a/../b"])
def test_an_index_that_points_outside_the_folder_is_refused(folder: Path, name: Any):
    (folder / WEIGHTS).rename(folder.parent / WEIGHTS)
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": {"bert.pooler.dense.bias": name}}))
    assert refusal(folder) == f"{folder}/{INDEX}: {name!r} is not the name of a *.safetensors file of this folder"


def test_weights_in_several_files_are_read(folder: Path, teacher: BertForPreTraining, tmp_path: Path):
    teacher.save_pretrained(tmp_path / "parts", max_shard_size="50kB")
    assert len(list((tmp_path / "parts").glob("*.safetensors"))) > 1
    save(load_checkpoint(tmp_path / "parts"), tmp_path / "again")
    assert (tmp_path / "again" / WEIGHTS).read_bytes() == (folder / WEIGHTS).read_bytes()


def test_a_missing_part_of_the_index_is_named(folder: Path):
    (folder / WEIGHTS).rename(folder / "part-1.safetensors")
    names = {"bert.pooler.dense.bias": "part-2.safetensors"}
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": names}))
    assert refusal(folder).startswith(f"{folder}/part-2.safetensors: the weights cannot be read: ")


def test_weights_that_are_cut_off_or_claim_more_bytes_than_there_are_are_refused(folder: Path):
    tensor = {"dtype": "F32", "shape": [2**40, 36], "data_offsets": [0, 2**40 * 36 * 4]}
    header = json.dumps({"bert.embeddings.word_embeddings.weight": tensor}).encode()
    claims = [struct.pack("<Q", len(header)) + header + bytes(64), struct.pack("<Q", 2**62) + b"{}"]
    whole = (folder / WEIGHTS).read_bytes()
    for content in (*claims, b"", whole[:5], whole[: len(whole) // 2], whole[:-99]):
        (folder / WEIGHTS).write_bytes(content)
        assert refusal(folder).startswith(f"{folder}/{WEIGHTS}: the weights cannot be read: ")


def test_a_weight_of_the_encoder_that_would_not_be_used_is_named(folder: Path):
    weights = load_file(folder / WEIGHTS)
    name = "bert.encoder.layer.0.attention.self.distance_embedding.weight"
    save_file(weights | {name: torch.zeros(3), "qa.weight": torch.zeros(3)}, folder / WEIGHTS, {"format": "pt"})
    assert refusal(folder).endswith(
        f": 1 weights of the encoder are none of BERT's and would not be used, the first is {name}"
    )


def test_weights_that_are_missing_or_of_another_shape_are_named(folder: Path):
    weights, first, other = load_file(folder / WEIGHTS), "embeddings.LayerNorm.bias", "layer.3.intermediate.dense.bias"
    kept = {name: weight for name, weight in weights.items() if not name.endswith((first, other))}
    save_file(kept, folder / WEIGHTS, {"format": "pt"})
    assert refusal(folder) == f"{folder}: the checkpoint lacks 2 of BERT's weights, the first is bert.{first}"
    other = f"bert.encoder.{other}"
    save_file(weights | {other: torch.zeros(50)}, folder / WEIGHTS, {"format": "pt"})
    assert refusal(folder) == f"{folder}: {other} has shape [50], expected [52] by config.json"


class Bomb:
    def __reduce__(self) -> tuple:
        return (Path.touch, (Path("exploded"),))


@pytest.mark.parametrize("name", ["pytorch_model.bin", WEIGHTS])
def test_a_pickle_is_not_opened_whatever_it_is_called(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(folder)
    (folder / WEIGHTS).unlink()
    (folder / name).write_bytes(pickle.dumps(Bomb()))
    says = "cannot be read: " if name == WEIGHTS else f"no {WEIGHTS} in it; weights in other formats are not read"
    assert says in refusal(folder)
    assert not (folder / "exploded").exists()


def test_code_of_a_repository_is_neither_run_nor_passed_on(folder: Path, tmp_path: Path):
    configure(folder, auto_map={"AutoModel": "modeling.Bomb"})
    (folder / "modeling.py").write_text("from pathlib import Path\nPath('exploded').touch()\n")
    save(load_checkpoint(folder), tmp_path / "again")
    assert not Path("exploded").exists()
    assert "auto_map" not in json.loads((tmp_path / "again/config.json").read_text())
