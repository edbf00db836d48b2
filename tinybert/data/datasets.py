"""Rows of a source: a data set in the layout of the Hugging Face hub, plain files, a single file, or an archive of any.

The library `datasets` tells which files belong to which configuration and split. `tinybert.data.readers` reads the
files, because `datasets` guesses types: it turns the text "007" into 7, and "NA" into nothing.
"""

import contextlib
import dataclasses
import itertools
import os
import tempfile
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from datasets import BuilderConfig, ClassLabel, DatasetBuilder, Features, LargeList, List
from datasets.exceptions import DatasetsError
from huggingface_hub import DatasetCard

from tinybert.data.archives import extracted, is_archive
from tinybert.data.class_folders import class_files, read_class_files
from tinybert.data.readers import AS_IT_SAYS, FORMATS, LINES, Form, Row, data_format, read_rows
from tinybert.data.text_files import COMPRESSED
from tinybert.errors import InputError

# The options that a configuration in the README may have. Any other would change how its files are to be read.
SUPPORTED_OPTIONS = {"name", "version", "data_dir", "data_files", "description", "features", "sep", "delimiter"}
# What `datasets` raises for types that it does not know and for metadata that it did not write.
FEATURE_ERRORS = (ValueError, TypeError, LookupError, AttributeError)
SAVED = ("dataset_dict.json", "state.json")
"""In a folder that `save_to_disk` of `datasets` wrote."""
SPECIAL = {*"[]*?"}
NO_DATA = ("README", "LICENSE", ".")
"""Starts of the names of files that hold no rows."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layout:
    """The files of each split, and what is declared about their columns."""

    splits: dict[str, list[Path]]
    features: Features | None = None  # declared in the README
    separator: str | None = None  # of csv files


def open_split(
    source: Path, *, config: str | None, split: str, form: Form = AS_IT_SAYS, labelled: bool = False
) -> tuple[Iterator[Row], Features | None]:
    """The rows of one split, read lazily, and its features, if the README or the file declares them.

    `source` may also be a single file, whose only split is "train", or an archive. `split` may also be a file in the
    folder. Values of csv and tsv files are text unless the README declares otherwise. With `labelled` a folder of text
    files for each class is rows with `text` and `label`. Raises InputError where there is no such source, configuration
    or split, or no row in it; a file that cannot be read raises it also later, while the rows are iterated.
    """
    if is_archive(source):
        return _open_archive(source, config=config, split=split, form=form, labelled=labelled)
    if named := _named_file(source, split, config=config):
        return open_split(named, config=None, split="train", form=form, labelled=labelled)
    rows, features, names = _open(source, config=config, split=split, form=form, labelled=labelled)
    first = next(rows, None)
    if first is None:
        raise InputError(f"{source}: the split {split!r} has no rows ({', '.join(names)})")
    return itertools.chain([first], rows), features


def split_files(
    source: Path, *, config: str | None, split: str, form: Form
) -> tuple[list[Path], Features | None, Form]:
    """The files of a split, and the features and the form to read their rows with.

    None where rows come in one piece: from an archive, or from what `save_to_disk` wrote.
    """
    if is_archive(source) or any((source / name).is_file() for name in SAVED):
        return [], None, form
    if named := _named_file(source, split, config=config):
        return split_files(named, config=None, split="train", form=form)
    layout = _layout(source, config=config)
    separator = layout.separator or form.separator
    return _paths(source, layout.splits, split), layout.features, dataclasses.replace(form, separator=separator)


def _open_archive(source: Path, **options: Any) -> tuple[Iterator[Row], Features | None]:
    """As `open_split`; what is extracted is there as long as the iterator."""
    with contextlib.ExitStack() as stack:
        place = stack.enter_context(extracted(source))
        try:
            rows, features = open_split(place, **options)
        except InputError as error:
            raise InputError(str(error).replace(str(place), str(source))) from None
        return _while_open(rows, stack.pop_all(), place=place, source=source), features


def _while_open(rows: Iterator[Row], stack: contextlib.ExitStack, *, place: Path, source: Path) -> Iterator[Row]:
    """The rows, after which `place` is gone; an error names `source` in its stead."""
    with stack:
        try:
            yield from rows
        except InputError as error:
            raise InputError(str(error).replace(str(place), str(source))) from None


def _named_file(source: Path, split: str, *, config: str | None) -> Path | None:
    """The file in the folder `source` that `split` names, if it does."""
    path = Path(os.path.normpath(source / split))
    if not source.is_dir() or not path.is_file() or not path.is_relative_to(os.path.normpath(source)):
        return None
    if config is not None:
        raise InputError(f"{path} is a file and has no configuration {config!r}; leave it out")
    return path


def _open(
    source: Path, *, config: str | None, split: str, form: Form, labelled: bool
) -> tuple[Iterator[Row], Features | None, list[str]]:
    """Rows, features, and the names of the files."""
    if any((source / name).is_file() for name in SAVED):
        return _open_saved(source, split)
    if labelled and source.is_dir() and (files := class_files(source, split)):
        return read_class_files(files, encoding=form.encoding), None, [path.name for _, path in files]
    paths, declared, form = split_files(source, config=config, split=split, form=form)
    return _rows(paths, declared, form), declared or _parquet_features(paths[0]), [path.name for path in paths]


def _paths(source: Path, splits: Mapping[Any, Any], split: str) -> Any:
    if split not in splits:
        raise InputError(f"{source} has no split {split!r}, nor a file of that name; it has {', '.join(splits)}")
    return splits[split]


def _open_saved(folder: Path, split: str) -> tuple[Iterator[Row], Features | None, list[str]]:
    """Rows that `save_to_disk` of `datasets` wrote."""
    try:
        saved = datasets.load_from_disk(str(folder.resolve()))
    except (ValueError, OSError, KeyError, TypeError, pa.ArrowException) as error:
        raise InputError(f"{folder} cannot be read as saved by datasets ({type(error).__name__}: {error})") from error
    table = _paths(folder, {**saved} if isinstance(saved, datasets.DatasetDict) else {"train": saved}, split)
    return iter(table), table.features, [folder.name]


def _rows(paths: list[Path], features: Features | None, form: Form) -> Iterator[Row]:
    """The rows of several files, which have the same columns."""
    columns: Collection[str] = ()
    for path in paths:
        for number, row in enumerate(read_rows(path, features=features, form=form)):
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


def _layout(source: Path, *, config: str | None) -> Layout:
    if source.is_file():
        if config is not None:
            raise InputError(f"{source} is a single file and has no configuration {config!r}; leave it out")
        data_format(source)
        return Layout(splits={"train": [source]})
    if not source.is_dir():
        raise InputError(f"{source} does not exist")
    if files := _text_files(source):
        return Layout(splits={"train": files})
    with _without_patterns(source.resolve()) as place, tempfile.TemporaryDirectory() as cache:
        builder = _builder(source, place, config, cache=cache)
    assert builder.config.data_files is not None, "only a script of its own would have none, and scripts are refused"
    splits = {str(split): _data_files(files, source, place) for split, files in builder.config.data_files.items()}
    return Layout(splits=splits, features=builder.info.features, separator=getattr(builder.config, "sep", None))


def _text_files(folder: Path) -> list[Path]:
    """All files of a folder where no name tells a format, such as WikiExtractor's AA/wiki_00."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith(NO_DATA)]
    known = (*FORMATS, *COMPRESSED, ".dvc", ".yaml", ".zip")
    return [] if any(path.suffix.lower() in known or data_format(path) != LINES for path in files) else files


@contextlib.contextmanager
def _without_patterns(folder: Path) -> Iterator[Path]:
    """The folder, or, where its path has what `datasets` takes for a pattern, a copy in links at another path."""
    if not SPECIAL & {*str(folder)}:
        yield folder
        return
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name).resolve()
        for path in (path for path in sorted(folder.rglob("*")) if path.is_file()):
            link = copy / path.relative_to(folder)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path)
        yield copy


def _builder(folder: Path, place: Path, config: str | None, *, cache: str) -> DatasetBuilder:
    """The builder that `datasets` has for the folder, at `place`. It writes locks, into `cache`."""
    _refuse_remote_files(folder)
    datasets.disable_progress_bars()
    try:
        # An absolute path: a relative one that is called "csv" or "user/name" would mean something else.
        builder = datasets.load_dataset_builder(str(place), name=config, cache_dir=cache)
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


def _data_files(files: Iterable[str], folder: Path, place: Path) -> list[Path]:
    # Not resolved: the files may be links into a cache.
    paths = [Path(os.path.normpath(file)) for file in files if not file.endswith(".dvc")]
    for path in paths:
        if not path.is_relative_to(place):
            raise InputError(f"{folder}: README.md names a file outside the folder: {path}")
    inside = [folder / path.relative_to(place) for path in paths]
    for path in inside:
        data_format(path)
    return inside


def _parquet_features(path: Path) -> Features | None:
    if path.suffix.lower() != ".parquet":
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
