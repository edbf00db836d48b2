"""The embedded default data: the docstrings of installed packages as a corpus and three labelled tasks.

Nothing is imported from the packages and nothing of them is executed: their files are parsed.
"""

import gc
import itertools
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from stages.pipeline.parent import die_with_parent
from stages.sources.documentation import answers, docstrings, entities, layout, library, names, packages, prose, splits
from stages.sources.documentation.options import Options

Part = tuple[docstrings.Docstring, layout.Layout]

CORPUS = pa.schema([("id", pa.string()), ("text", pa.string())])
TASKS = {
    "library": pa.schema([("text", pa.string()), ("label", pa.string())]),
    "entities": pa.schema([("words", pa.list_(pa.string())), ("tags", pa.list_(pa.string()))]),
    "answers": pa.schema(
        [
            ("id", pa.string()),
            ("question", pa.string()),
            ("context", pa.string()),
            ("answers", pa.struct([("text", pa.list_(pa.string())), ("answer_start", pa.list_(pa.int32()))])),
        ]
    ),
}
LARGEST_LABEL = 0.22  # of the rows of `library`
WITHOUT_NAMES = 0.15  # of the rows of `entities`
MODULES_AT_ONCE = 50  # that a process reads between two reports


def write(folder: Path, *, options: Options) -> None:
    """Write corpus/train.parquet and TASK/{train,validation,test}.parquet into an existing empty folder.

    corpus: id, text. library: text, label. entities: words, tags (BIO). answers: id, question, context, answers, in the
    form of SQuAD. Raises InputError if an installed package is missing or is not of the pinned version.
    """
    packages.require(options.packages)
    gc.disable()  # syntax trees are many small objects without cycles: looking for cycles costs a third of the time
    try:
        _write(folder, options=options)
    finally:
        gc.enable()


def _write(folder: Path, *, options: Options) -> None:
    parts, index = _read(sorted(options.packages))
    _write_table(folder / "corpus" / "train.parquet", _corpus(parts), CORPUS)
    parts.sort(key=lambda part: splits.order(f"{part[0].package}/{part[0].module}.{part[0].name}"))
    import_names = {name: packages.import_names(name) for name in sorted(options.packages)}
    limits = {"train": options.train_rows, "validation": options.test_rows, "test": options.test_rows}
    chosen = {
        "library": splits.select(
            library.candidates(parts, import_names=import_names), limits=limits, share=lambda label: LARGEST_LABEL
        ),
        "entities": splits.select(
            entities.candidates(parts, index=index),
            limits=limits,
            share=lambda group: WITHOUT_NAMES if group == entities.NAMES_WITHOUT else 1.0,
        ),
        "answers": splits.select(answers.candidates(parts), limits=limits, share=answers.share),
    }
    for task, rows in chosen.items():
        for split in splits.SPLITS:
            _write_table(folder / task / f"{split}.parquet", rows[split], TASKS[task])


def _read(distributions: Iterable[str]) -> tuple[list[Part], names.Index]:
    """Every docstring with its layout, and the names that the packages define."""
    found: list[Part] = []
    definitions: list[docstrings.Definition] = []
    sources = ((package, *source) for package in distributions for source in packages.python_sources(package))
    with ProcessPoolExecutor(initializer=die_with_parent) as processes:
        for parts, defined in processes.map(_read_one, *zip(*sources, strict=True), chunksize=MODULES_AT_ONCE):
            found.extend(parts)
            definitions.extend(defined)
    return found, names.index(definitions)


def _read_one(package: str, module: str, source: str) -> tuple[list[Part], list[docstrings.Definition]]:
    texts, defined = docstrings.read(source, package=package, module=module)
    return [(docstring, layout.parse(docstring.text)) for docstring in texts], defined


def _corpus(parts: list[Part]) -> Iterator[dict[str, object]]:
    seen: set[str] = set()
    for _, group in itertools.groupby(parts, key=lambda part: (part[0].package, part[0].module)):
        for identity, text in prose.documents(group, seen=seen):
            yield {"id": identity, "text": text}


def _write_table(path: Path, rows: Iterable[dict[str, object]], schema: pa.Schema) -> None:
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), path, compression="zstd")
