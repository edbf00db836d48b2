"""The command `tinybert`. It runs on the base dependencies: nothing here imports torch."""

import argparse
import sys
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

from tinybert.errors import InputError
from tinybert.files import read_object
from tinybert.inference import command as predict
from tinybert.model.checkpoint_validation import Shapes, tensor_shapes

SIZES = {
    "layers": "num_hidden_layers",
    "hidden size": "hidden_size",
    "attention heads": "num_attention_heads",
    "intermediate size": "intermediate_size",
    "vocabulary": "vocab_size",
    "positions": "max_position_embeddings",
}
TIED = "cls.predictions.decoder."
"""Old checkpoints store the output layer too, which is tied to the word embeddings."""
NO_WEIGHT = ("I", "U", "BOOL")
"""Starts of the data types of buffers, such as position ids."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0, or 2 with one line on standard error."""
    parser = argparse.ArgumentParser(prog="tinybert", description="Use small BERT models of the tinybert pipeline.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("describe", help="what a model folder holds", description=describe.__doc__)
    command.add_argument("folders", metavar="FOLDER", nargs="+", type=Path)
    command.set_defaults(run=_describe)
    command = commands.add_parser("predict", help="what a model says of texts", description=predict.__doc__)
    predict.add_arguments(command)
    command.set_defaults(run=predict.run)
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except BrokenPipeError:  # as `| head` leaves it
        sys.stderr.close()
    except (InputError, OSError) as error:
        print(f"tinybert: error: {error}", file=sys.stderr)
        return 2
    return 0


def _describe(options: argparse.Namespace) -> None:
    models = {folder: describe(folder) for folder in options.folders}
    for number, (folder, model) in enumerate(models.items()):
        print(f"\n{folder}" if number else folder)
        width = max(map(len, model))
        print(*(f"  {name:<{width}}  {value}" for name, value in model.items()), sep="\n")


def describe(folder: Path) -> dict[str, str]:
    """Architecture, sizes, parameters, files and labels of a model, from config.json and the headers of its weights."""
    if not (folder / "config.json").is_file():
        raise InputError(f"{folder} is no model folder: it has no config.json")
    config = read_object(folder / "config.json")
    weights, onnx = sorted(folder.glob("model*.safetensors")), sorted([*folder.glob("*.onnx*"), *folder.glob("onnx/*")])
    if not weights and not onnx:
        raise InputError(f"{folder} is no model folder: it has no model.safetensors and no *.onnx")
    shapes = {name: shape for file in weights for name, shape in tensor_shapes(file, exclude_dtypes=NO_WEIGHT).items()}
    model = {"architecture": _join(config.get("architectures") or config.get("model_type"))}
    model |= {title: _join(config.get(key)) for title, key in SIZES.items()}
    if weights:
        model["parameters"] = _count(shapes, tied=config.get("tie_word_embeddings", True))
    files = {file.relative_to(folder).as_posix(): file for file in [*weights, *onnx]}
    model |= {name: f"{file.stat().st_size:,} bytes" for name, file in files.items()}
    return model | ({"labels": _join(config["id2label"])} if "id2label" in config else {})


def _count(shapes: Shapes, *, tied: bool) -> str:
    """The number of weights, and of those outside the embedding tables. A tied weight counts once."""
    counts = {name: prod(shape) for name, shape in shapes.items() if not (tied and name.startswith(TIED))}
    tables = sum(count for name, count in counts.items() if "embeddings" in name and len(shapes[name]) == 2)
    return f"{sum(counts.values()):,} ({sum(counts.values()) - tables:,} without embeddings)"


def _join(value: Any) -> str:
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
    return ", ".join("unknown" if entry is None else str(entry) for entry in values)


if __name__ == "__main__":
    sys.exit(main())
