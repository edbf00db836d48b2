"""Rows of a data folder: in the layout of the Hugging Face hub, with plain files, or a single file in its place.

The library `datasets` tells which files belong to which configuration and split. `tinybert.data.readers` reads the
files, because `datasets` guesses types: it turns the text "007" into 7, and "NA" into nothing. Some rows of a split are
chosen by a hash of their content: neither their order nor other rows change the choice.
"""

import dataclasses
import hashlib
import itertools
import json
import os
import tempfile
import zipfile
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from datasets import BuilderConfig, ClassLabel, DatasetBuilder, Features, LargeList, List
from datasets.exceptions import DatasetsError
from huggingface_hub import DatasetCard

from tinybert.data.readers import Row, data_format, read_rows
from tinybert.errors import InputError

# The options that a configuration in the README may have. Any other would change how its files are to be read.
SUPPORTED_OPTIONS = {"name", "version", "data_dir", "data_files", "description", "features", "sep", "delimiter"}
# What `datasets` raises for types that it does not know and for metadata that it did not write.
FEATURE_ERRORS = (ValueError, TypeError, LookupError, AttributeError)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layout:
    """The files of each split, and what is declared about their columns."""

    splits: dict[str, list[Path]]
    features: Features | None  # declared in the README
    separator: str | None  # of csv files


def open_split(folder: Path, *, config: str | None, split: str) -> tuple[Iterator[Row], Features | None]:
    """The rows of one split, read lazily, and its features, if the README or the parquet file declares them.

    `folder` may also be a single file, whose only split is "train". Values of csv and tsv files are text unless the
    README declares otherwise. Raises InputError where there is no such folder, configuration or split, or no row in
    it; a file that cannot be read raises it also later, while the rows are iterated.
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
    """The rows of several files, which have the same columns."""
    columns: Collection[str] = ()
    for path in paths:
        for number, row in enumerate(read_rows(path, features=layout.features, separator=layout.separator)):
            columns = columns or row.keys()
            if number == 0 and not row.keys() >= set(columns):
                raise InputError(f"{path} has the columns {list(row)}, but {paths[0]} has {sorted(columns)}")
            yield row


def class_names(features: Features | None, *, column: str) -> list[str] | None:
    """The class names behind the numbers in `column`, or in its lists; None where none are declared."""
    feature = (features or {}).get(column)
    if isinstance(feature, List | LargeList):
        feature = feature.feature
    return list(feature.names) if isinstance(feature, ClassLabel) else None


def require_columns(columns: Iterable[str], *, names: Iterable[str], where: str) -> None:
    """Raise InputError unless `columns` (of a row or of features) include all `names`."""
    present = list(columns)
    missing = [name for name in names if name not in present]
    if missing:
        raise InputError(f"{where} lacks the columns {', '.join(missing)}; it has {', '.join(present)}")


def hold_out(rows: list[Row], *, fraction: float) -> tuple[list[Row], list[Row]]:
    """(the remaining rows, about `fraction` of the rows), equal rows on one side."""
    sides: tuple[list[Row], list[Row]] = ([], [])
    for row in rows:
        sides[_position(row) < fraction].append(row)
    return sides


def subsample(rows: list[Row], *, at_most: int) -> list[Row]:
    """At most `at_most` of the rows, in their order."""
    if len(rows) <= at_most:
        return rows
    # From the other end of the positions than `hold_out`, so that both can be applied to one table.
    chosen = sorted(range(len(rows)), key=lambda n: (-_position(rows[n]), n))[:at_most]
    return [rows[n] for n in sorted(chosen)]


def _position(row: Row) -> float:
    """A number from 0 to 1 that depends on the row alone; equal rows have equal numbers."""
    text = json.dumps(row, sort_keys=True, ensure_ascii=False)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") / 2**64


def _layout(folder: Path, *, config: str | None) -> Layout:
    if folder.is_file():
        if config is not None:
            raise InputError(f"{folder} is a single file and has no configuration {config!r}; leave it out")
        return Layout(splits={"train": [folder]}, features=None, separator=None)
    if not folder.is_dir():
        raise InputError(f"{folder} does not exist")
    builder = _builder(folder, config)
    assert builder.config.data_files is not None, "only a script of its own would have none, and scripts are refused"
    splits = {str(split): _data_files(files, folder) for split, files in builder.config.data_files.items()}
    return Layout(splits=splits, features=builder.info.features, separator=getattr(builder.config, "sep", None))


def _builder(folder: Path, config: str | None) -> DatasetBuilder:
    """The builder that `datasets` has for the folder. It writes locks, so it gets a cache that is gone afterwards."""
    _refuse_remote_files(folder)
    datasets.disable_progress_bars()
    with tempfile.TemporaryDirectory() as cache:
        try:
            # An absolute path: a relative one that is called "csv" or "user/name" would mean something else.
            builder = datasets.load_dataset_builder(str(folder.resolve()), name=config, cache_dir=cache)
        except (ValueError, OSError, RuntimeError, DatasetsError, zipfile.BadZipFile) as error:
            raise InputError(f"{folder} cannot be read as a data set: {error}") from error
    _refuse_options(builder.config, folder)
    return builder


def _refuse_remote_files(folder: Path) -> None:
    """Raise InputError where the README names files elsewhere: reading a data set never uses the network."""
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


def _refuse_options(options: BuilderConfig, folder: Path) -> None:
    """Raise InputError where the README sets an option that `tinybert.data.readers` does not have."""
    defaults = type(options)()
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if field.name not in SUPPORTED_OPTIONS and value != getattr(defaults, field.name):
            raise InputError(f"{folder}: README.md sets {field.name} to {value!r}, which is not supported here")


def _data_files(files: Iterable[str], folder: Path) -> list[Path]:
    # Not resolved: the files may be links into a cache.
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
    except FEATURE_ERRORS as error:
        raise InputError(
            f"{path}: its schema cannot be read ({type(error).__name__}: {error}); expected types that the library "
            "datasets knows and, if there is metadata called 'huggingface', metadata that this library has written"
        ) from error
