"""A folder of text files for each class, as movie reviews come: SPLIT/CLASS/*.txt, each file one text."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tinybert.data.text_files import open_text
from tinybert.errors import InputError

Row = dict[str, Any]
UNLABELLED = ("unsup", "unlabelled", "unlabeled")
"""Folders of texts without a class."""


def class_files(folder: Path, split: str) -> list[tuple[str, Path]]:
    """The files of a split with the names of their folders; empty where it is no such folder.

    A source without a folder for each split has the classes in it, and "train" alone. Files beside the folders are
    lists and the like, and no texts.
    """
    root = folder / split
    if not root.is_dir():
        if split != "train":
            return []
        root = folder
    classes = {path.name: sorted(path.glob("*.txt")) for path in sorted(root.iterdir()) if path.is_dir()}
    filled = {name: files for name, files in classes.items() if files}
    return [(name, file) for name, files in filled.items() for file in files] if len(filled) > 1 else []


def read_class_files(files: list[tuple[str, Path]], *, encoding: str | None) -> Iterator[Row]:
    """`text`, of the whole file, and `label`, its folder's name; None for one of UNLABELLED."""
    for name, path in files:
        try:
            with open_text(path, encoding=encoding) as file:
                text = file.read().strip("\n")
        except UnicodeError as error:
            raise InputError(f"{path} cannot be read ({type(error).__name__}: {error}); is it whole?") from error
        yield {"text": text, "label": None if name in UNLABELLED else name}
