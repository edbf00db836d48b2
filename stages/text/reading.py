"""A data folder as rows: one in the layout of the Hugging Face hub, or one with plain files, or a single file.

The library `datasets` says which files belong to which configuration and split. The files themselves are read by
`stages.text.files`, because `datasets` guesses types: the text "007" becomes 7, and "NA" becomes nothing.
"""

import dataclasses
import itertools
import os
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from datasets import ClassLabel, Features, LargeList, List
from datasets.exceptions import DatasetsError
from huggingface_hub import DatasetCard

from stages.pipeline.errors import InputError
from stages.text.files import Row, data_format, read_rows

# What a configuration in the README may say beside its files. Anything else would change how they are to be read.
KNOWN_OPTIONS = {"name", "version", "data_dir", "data_files", "description", "features", "sep", "delimiter"}
# What `datasets` raises over types that it does not know and over metadata that is not its own.
STRANGE = (ValueError, TypeError, LookupError, AttributeError)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layout:
    """Which files make up which split, and what is known about their columns."""

    splits: dict[str, list[Path]]
    features: Features | None  # declared in the README
    separator: str | None  # of csv files


def open_split(folder: Path, *, config: str | None, split: str) -> tuple[Iterator[Row], Features | None]:
    """The rows of one split, read as they are asked for, and its features, if README or parquet file declare them.

    `folder` may also be a single file, whose only split is "train". Values of csv and tsv files are text unless the
    README declares otherwise. Raises InputError where there is no such folder, configuration or split, or no row in
    it; where a file cannot be read, while its rows are taken too.
    """
    layout = _layout(folder, config=config)
    if split not in layout.splits:
        raise InputError(f"{folder} has no split {split!r}; it has {', '.join(layout.splits)}")
    paths = layout.splits[split]
    rows = _rows(paths, layout)
    first = next(rows, None)
    if first is None:
        raise InputError(f"{folder}: the split {split!r} has no rows ({', '.join(path.name for path in paths)})")
    return itertools.chain([first], rows), layout.features or _parquet_features(paths[0])


def _rows(paths: list[Path], layout: Layout) -> Iterator[Row]:
    """The rows of several files, whose columns are the same."""
    columns: AbstractSet[str] = frozenset()
    for path in paths:
        for number, row in enumerate(read_rows(path, features=layout.features, separator=layout.separator)):
            columns = columns or row.keys()
            if number == 0 and not columns <= row.keys():
                raise InputError(f"{path} has the columns {list(row)}, but {paths[0]} has {sorted(columns)}")
            yield row


def split_names(folder: Path, *, config: str | None) -> list[str]:
    """The splits that `folder` has. Raises InputError as `open_split` does."""
    return list(_layout(folder, config=config).splits)


def class_names(features: Features | None, *, column: str) -> list[str] | None:
    """The names of the classes that the numbers in `column` (or in its lists) stand for; None where none are known."""
    feature = (features or {}).get(column)
    if isinstance(feature, List | LargeList):
        feature = feature.feature
    return list(feature.names) if isinstance(feature, ClassLabel) else None


def require_columns(found: Iterable[str], *, names: Iterable[str], where: str) -> None:
    """Raise InputError unless `found` (a row or features) has the columns `names`."""
    found = list(found)
    missing = [name for name in names if name not in found]
    if missing:
        raise InputError(f"{where} lacks the columns {', '.join(missing)}; it has {', '.join(found)}")


def _layout(folder: Path, *, config: str | None) -> Layout:
    if folder.is_file():
        if config is not None:
            raise InputError(f"{folder} is a single file and has no configuration {config!r}; leave it out")
        return Layout(splits={"train": [folder]}, features=None, separator=None)
    if not folder.is_dir():
        raise InputError(f"{folder} does not exist")
    built = _build(folder, config)
    splits = {str(split): _data_files(files, folder) for split, files in built.config.data_files.items()}
    return Layout(splits=splits, features=built.info.features, separator=getattr(built.config, "sep", None))


def _build(folder: Path, config: str | None) -> Any:
    """What `datasets` makes of the folder. It writes locks, so it is given a cache that is gone afterwards."""
    _refuse_remote_files(folder)
    datasets.disable_progress_bars()
    with tempfile.TemporaryDirectory() as cache:
        try:
            # An absolute path: a relative one that is called "csv" or "user/name" would mean something else.
            built = datasets.load_dataset_builder(str(folder.resolve()), name=config, cache_dir=cache)
        except (ValueError, OSError, RuntimeError, DatasetsError, zipfile.BadZipFile) as error:
            raise InputError(f"{folder} cannot be read as a data set: {error}") from error
    _refuse_options(built.config, folder)
    return built


def _refuse_remote_files(folder: Path) -> None:
    """Raise InputError where the README points at files elsewhere: no stage but those in sources uses the network."""
    card, standalone = folder / "README.md", folder / ".huggingface.yaml"
    try:
        declared = [DatasetCard.load(card, ignore_metadata_errors=True).data.to_dict()] if card.is_file() else []
        if standalone.is_file():
            declared.append(yaml.safe_load(standalone.read_text(encoding="utf-8")))
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(f"{folder}: the head of README.md cannot be read as YAML: {error}") from error
    for entry in declared:
        if "://" in str((entry or {}).get("configs")):
            raise InputError(f"{folder}: README.md names data files on another machine: {entry['configs']}")


def _refuse_options(options: Any, folder: Path) -> None:
    """Raise InputError where the README asks for another way of reading than `stages.text.files` has."""
    defaults = type(options)()
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if field.name not in KNOWN_OPTIONS and value != getattr(defaults, field.name):
            raise InputError(f"{folder}: README.md sets {field.name} to {value!r}, which is not supported here")


def _data_files(files: Iterable[str], folder: Path) -> list[Path]:
    # Not resolved: DVC may have made the files links into its cache.
    paths = [Path(os.path.normpath(file)) for file in files if not file.endswith(".dvc")]
    for path in paths:
        data_format(path)
        if not path.is_relative_to(folder.resolve()):
            raise InputError(f"{folder}: README.md names a file outside the folder: {path}")
    return paths


def _parquet_features(path: Path) -> Features | None:
    if data_format(path) != ".parquet":
        return None
    try:
        schema = pq.read_schema(path)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    try:
        return Features.from_arrow_schema(schema)
    except STRANGE as error:
        raise InputError(
            f"{path}: what it says of its columns cannot be read ({type(error).__name__}: {error}); wanted are types "
            "that the library datasets knows and, if there is metadata called 'huggingface', what that library writes"
        ) from error
