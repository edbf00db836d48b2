"""Checkpoint validation: config.json against the headers of the safetensors files, before any memory is allocated."""

import re
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from tinybert.errors import InputError
from tinybert.files import read_object

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
SIZES = (
    "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
    "max_position_embeddings", "type_vocab_size",
)  # fmt: skip
LAYER = re.compile(r"(?:bert\.)?encoder\.layer\.(\d+)\.")
OF_ENCODER = re.compile(r"(?:bert\.)?(?:embeddings|encoder)\.")
USED = re.compile(
    r"(?:bert\.)?(?:"
    r"embeddings\.(?:(?:word|position|token_type)_embeddings\.weight|position_ids|token_type_ids)|"
    r"encoder\.layer\.\d+\.(?:attention\.self\.(?:query|key|value)|(?:attention\.output|intermediate|output)\.dense)"
    r"\.(?:weight|bias)|"
    r"(?:embeddings|encoder\.layer\.\d+\.(?:attention\.)?output)\.LayerNorm\.(?:weight|bias|gamma|beta))"
)
"""The weights of BERT's encoder, by their names of now and of before; those of heads are not looked at."""
Shapes = dict[str, list[int]]


def validate_checkpoint(folder: Path) -> None:
    """Raise InputError where `folder` holds no BERT, or where its config.json differs from its weights.

    Only the headers of the weights are read. Every size in config.json is then the size of a tensor in the files, so
    that a small checkpoint cannot claim the memory of a large machine.
    """
    config = _config(folder)
    shapes: Shapes = {}
    for file in _files(folder):
        shapes |= tensor_shapes(file)
    layers, count = {int(match[1]) for name in shapes if (match := LAYER.match(name))}, config["num_hidden_layers"]
    if layers != set(range(count)):
        raise InputError(f"{folder}: the weights have {len(layers)} layers, expected {count} by config.json")
    if unused := sorted(name for name in shapes if OF_ENCODER.match(name) and not USED.fullmatch(name)):
        raise InputError(
            f"{folder}: {len(unused)} weights of the encoder are none of BERT's and would not be used, the first is "
            f"{unused[0]}"
        )
    for name, expected in _expected_shapes(config).items():
        shape = shapes.get(name, shapes.get(f"bert.{name}"))
        if shape is None:
            raise InputError(f"{folder}: the checkpoint lacks {name}")
        if shape != expected:
            raise InputError(f"{folder}: {name} has shape {shape}, expected {expected} by config.json")


def _config(folder: Path) -> dict[str, Any]:
    file = folder / "config.json"
    if not file.exists():
        raise InputError(f"{folder}: no config.json in it, so this is no checkpoint")
    config = read_object(file)
    if config.get("model_type") != "bert":
        raise InputError(f"{file}: model_type is {config.get('model_type')!r}, expected 'bert'")
    for name in ("is_decoder", "add_cross_attention"):
        if config.get(name):
            raise InputError(f"{file}: {name} is {config[name]!r}, expected an encoder, without it")
    positions = config.get("position_embedding_type") or "absolute"
    if positions != "absolute":
        raise InputError(
            f"{file}: position_embedding_type is {positions!r}, expected 'absolute', the only one there is"
        )
    config = {"type_vocab_size": 2, **config}  # old configurations leave it out
    for name in SIZES:
        if type(config.get(name)) is not int or config[name] < 1:
            raise InputError(f"{file}: {name} is {config.get(name)!r}, expected a whole number above 0")
    if config["hidden_size"] % config["num_attention_heads"]:
        raise InputError(f"{file}: hidden_size {config['hidden_size']} is not divisible by num_attention_heads")
    epsilon = config.get("layer_norm_eps", 1e-12)
    if type(epsilon) not in (int, float) or not 0 < epsilon < 1:
        raise InputError(f"{file}: layer_norm_eps is {epsilon!r}, expected a number above 0 and below 1")
    return config


def _files(folder: Path) -> list[Path]:
    """model.safetensors, or the files that its index names, all in this folder."""
    if (folder / WEIGHTS).exists():
        return [folder / WEIGHTS]
    if not (folder / INDEX).exists():
        raise InputError(f"{folder}: no {WEIGHTS} in it; weights in other formats are not read")
    names = read_object(folder / INDEX).get("weight_map")
    if not isinstance(names, dict) or not names:
        raise InputError(f"{folder / INDEX}: no weight_map in it")
    for name in names.values():
        if not isinstance(name, str) or Path(name).name != name or not name.endswith(".safetensors"):
            raise InputError(f"{folder / INDEX}: {name!r} is not the name of a *.safetensors file of this folder")
    return [folder / name for name in sorted(set(names.values()))]


def tensor_shapes(file: Path, *, exclude_dtypes: tuple[str, ...] = ()) -> Shapes:
    """Shapes by name, from the header of a safetensors file; data types that start with one of those are left out.

    Raises InputError where it cannot be read.
    """
    try:
        with safe_open(file, framework="numpy") as opened:
            parts = {name: opened.get_slice(name) for name in opened.keys()}
            return {n: p.get_shape() for n, p in parts.items() if not p.get_dtype().startswith(exclude_dtypes)}
    except (SafetensorError, OSError) as error:
        raise InputError(f"{file}: the weights cannot be read: {str(error).splitlines()[0]}") from None


def _expected_shapes(config: dict[str, Any]) -> Shapes:
    """One tensor for each size in config.json but the number of layers."""
    hidden = config["hidden_size"]
    return {
        "embeddings.word_embeddings.weight": [config["vocab_size"], hidden],
        "embeddings.position_embeddings.weight": [config["max_position_embeddings"], hidden],
        "embeddings.token_type_embeddings.weight": [config["type_vocab_size"], hidden],
        "encoder.layer.0.intermediate.dense.weight": [config["intermediate_size"], hidden],
    }
