"""The embedded demonstration data: the docstrings of installed packages as a corpus and three labelled tasks.

Real English, and labels that need neither an annotator nor a network: `library` (classification: which library does a
passage document), `entities` (named entities: which words of a sentence name a parameter, a class, a function or a
module) and `answers` (extractive question answering on a function's documentation). Source files are parsed; no package
is imported and none of its code executed. The same versions give the same bytes.
"""

import gc
import itertools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from demonstration import answers, docstrings, entities, layout, prose
from demonstration.docstrings import Definition
from demonstration.prose import Parsed
from demonstration.selection import SPLITS, Row, order, select

CORPUS = pa.schema([("id", pa.string()), ("text", pa.string())])
SPANS = pa.struct([("text", pa.list_(pa.string())), ("answer_start", pa.list_(pa.int32()))])
QUESTION = [(name, pa.string()) for name in ("id", "question", "context")]
TASKS = {
    "library": pa.schema([("text", pa.string()), ("label", pa.string())]),
    "entities": pa.schema([("words", pa.list_(pa.string())), ("tags", pa.list_(pa.string()))]),
    "answers": pa.schema([*QUESTION, ("answers", SPANS)]),
}
LARGEST_LABEL = 0.22  # of the rows of `library`
MODULES_PER_CHUNK = 50  # sent to a worker process at once


def write(
    folder: Path, *, packages: dict[str, str], train_rows: int, test_rows: int,
    initializer: Callable[[], object] | None = None,
) -> None:  # fmt: skip
    """Write corpus/train.parquet and TASK/{train,validation,test}.parquet into an existing empty folder.

    corpus: id, text. library: text, label. entities: words, tags (BIO). answers: id, question, context, answers, as in
    SQuAD. `packages` are distributions with their exact versions. A task has at most `train_rows` training rows and
    `test_rows` rows in each of the other two splits. `initializer` is called in each worker process.

    Raises InputError if a package is not installed, or is installed in another version.
    """
    docstrings.require_versions(packages)
    names = sorted(packages)
    limits = {"train": train_rows, "validation": test_rows, "test": test_rows}
    gc.disable()  # syntax trees are many small objects without cycles: looking for cycles costs a third of the time
    try:
        parsed, index = _read(names, initializer=initializer)
        _write_table(folder / "corpus" / "train.parquet", _corpus(parsed), CORPUS)
        for task, splits in _tasks(parsed, index, names, limits=limits).items():
            for split in SPLITS:
                _write_table(folder / task / f"{split}.parquet", splits[split], TASKS[task])
    finally:
        gc.enable()


def _read(packages: list[str], *, initializer: Callable[[], object] | None) -> tuple[list[Parsed], entities.Index]:
    """Every docstring with its layout, in the order of packages and files, and the names that the packages define."""
    parsed: list[Parsed] = []
    definitions: list[Definition] = []
    sources = ((package, *source) for package in packages for source in docstrings.python_sources(package))
    # Forked, also where that is not the default, so that they are children of this process.
    with ProcessPoolExecutor(mp_context=get_context("fork"), initializer=initializer) as processes:
        results = processes.map(_read_module, *zip(*sources, strict=True), chunksize=MODULES_PER_CHUNK)
        for module_docstrings, module_definitions in results:
            parsed.extend(module_docstrings)
            definitions.extend(module_definitions)
    return parsed, entities.build_index(definitions)


def _read_module(package: str, module: str, source: str) -> tuple[list[Parsed], list[Definition]]:
    texts, definitions = docstrings.read(source, package=package, module=module)
    return [(docstring, layout.parse(docstring.text)) for docstring in texts], definitions


def _corpus(parsed: list[Parsed]) -> Iterator[Row]:
    seen: set[str] = set()
    for module, pairs in itertools.groupby(parsed, key=lambda pair: f"{pair[0].package}/{pair[0].module}"):
        for identity, text in prose.documents(module, [pair[1] for pair in pairs], seen=seen):
            yield {"id": identity, "text": text}


def _tasks(
    parsed: list[Parsed], index: entities.Index, packages: list[str], *, limits: dict[str, int]
) -> dict[str, dict[str, list[Row]]]:
    """The rows of each task and split, chosen from all docstrings in one shuffled order."""
    shuffled = sorted(parsed, key=lambda pair: order(f"{pair[0].package}/{pair[0].module}.{pair[0].name}"))
    names = {name: docstrings.import_names(name) for name in packages}
    passages = prose.library_candidates(shuffled, import_names=names)
    sentences = entities.candidates(shuffled, index=index)
    return {
        "library": select(passages, limits=limits, share=lambda label: LARGEST_LABEL),
        "entities": select(sentences, limits=limits, share=entities.share),
        "answers": select(answers.candidates(shuffled), limits=limits, share=answers.share),
    }


def _write_table(path: Path, rows: Iterable[Row], schema: pa.Schema) -> None:
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), path, compression="zstd")
