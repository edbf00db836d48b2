"""The embedded default data, from two small packages made up for these tests."""

import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from demonstration import answers, build, entities, layout, prose
from demonstration.docstrings import Definition, Docstring
from demonstration.selection import SPLITS
from tinybert.errors import InputError

SUMMARY = "Fold the {0} of every {1} along the {2} axis, and keep the {3} of what is left over at the end."
FUNCTION = '''
def fold_{number}(table, axis, mode="wide"):
    """{summary}

    Parameters
    ----------
    table : ndarray of shape (n_rows, n_columns)
        The {0} to be folded.
    axis : int, default={number}
        The {2} axis of `table`.

    Returns
    -------
    folded : ndarray
        The {3} of the {1}.

    Raises
    ------
    ValueError
        If the {1} has no {2} axis.

    Examples
    --------
    >>> fold_{number}([1, 2], 0)
    """
'''
NOUNS = "rows cells sheets pages marks lines blocks grains notes parts leaves stones roots waves tiles".split()


def install(folder: Path, name: str, *, offset: int) -> None:
    """Write a distribution of eight modules and its metadata, as an installer would."""
    package = folder / name
    (package / "tests").mkdir(parents=True)
    files = {f"{name}/__init__.py": f'"""The {name} package folds many kinds of paper."""\n'}
    for number in range(8):
        words = [NOUNS[(number * step + offset + step) % len(NOUNS)] for step in (1, 2, 4, 7)]
        text = FUNCTION.format(*words, number=number, summary=SUMMARY.format(*words))
        files[f"{name}/part_{number}.py"] = text + "\nraise RuntimeError('documentation must not be executed')\n"
    files[f"{name}/tests/test_part.py"] = '"""Nobody may read the documentation of a test."""\n'
    information = f"{name}-1.5.dist-info"
    (folder / information).mkdir()
    files[f"{information}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5+local\n"
    files[f"{information}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{information}/RECORD"])
    for path, text in files.items():
        (folder / path).write_text(text, encoding="utf-8")


def build_from_two_packages(site: Path, out: Path) -> dict[str, bytes]:
    install(site, "paperfold", offset=0)
    install(site, "inkpress", offset=5)
    out.mkdir()
    with pytest.MonkeyPatch.context() as context:
        context.setattr(sys, "path", [str(site), *sys.path])
        build.write(out, packages={"paperfold": "1.5", "inkpress": "1.5"}, train_rows=100, test_rows=10)
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*.parquet"))}


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("first")
    return build_from_two_packages(folder / "site", folder / "out")


def rows(table: bytes) -> list[dict[str, Any]]:
    return pq.read_table(pa.BufferReader(table)).to_pylist()


DEFINED = {
    "fold": "module",
    "fold.core": "module",
    "fold.core.PaperSheet": "class",
    "fold.core.press": "function",
    "fold.core.crease_all": "function",
    "fold.core.PaperSheet.size_now": "property",
}
INDEX = entities.build_index(Definition("fold", path, kind) for path, kind in DEFINED.items())


def tag(sentence: str) -> tuple[list[str], list[str]] | None:
    docstring = Docstring("fold", "fold.core", "press", "function", "", ())
    return entities.tag(sentence, docstring=docstring, parameters=frozenset({"width"}), index=INDEX)


def test_the_bytes_do_not_depend_on_where_the_packages_are(tables: dict[str, bytes], tmp_path: Path) -> None:
    assert build_from_two_packages(tmp_path / "another" / "site", tmp_path / "two") == tables
    names = [f"{task}/{split}" for task in ("answers", "entities", "library") for split in SPLITS]
    assert sorted(tables) == sorted(f"{name}.parquet" for name in ["corpus/train", *names])


def test_the_corpus_has_prose_and_arguments_but_no_example_and_no_test(tables: dict[str, bytes]) -> None:
    corpus = {row["id"]: row["text"] for row in rows(tables["corpus/train.parquet"])}
    assert corpus["paperfold/paperfold.part_0"] == (
        f"{SUMMARY.format(*(NOUNS[step] for step in (1, 2, 4, 7)))}\n"
        "table (ndarray of shape (n_rows, n_columns)): The cells to be folded.\n"
        "axis (int, default=0): The marks axis of table.\n"
        "folded (ndarray): The grains of the sheets.\n"
        "ValueError: If the sheets has no marks axis."
    )
    assert not any("tests" in name for name in corpus)


def test_every_answer_is_the_span_of_its_context(tables: dict[str, bytes]) -> None:
    questions = [row for split in SPLITS for row in rows(tables[f"answers/{split}.parquet"])]
    assert questions
    for row in questions:
        [start], [text] = row["answers"]["answer_start"], row["answers"]["text"]
        assert row["context"][start : start + len(text)] == text


def test_all_packages_that_are_missing_or_differ_are_named_in_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "paperfold", offset=0)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with pytest.raises(InputError) as error:
        build.write(tmp_path, packages={"paperfold": "1.6", "no-such-fold": "2.0"}, train_rows=100, test_rows=10)
    assert "paperfold: expected 1.6, got 1.5+local" in str(error.value)
    assert "no-such-fold: expected 2.0, got no such package" in str(error.value)


def test_names_in_mark_up_become_tags_and_the_mark_up_goes() -> None:
    sentence = "Call :func:`~fold.core.crease_all` from `fold.core` on a :class:`PaperSheet` if ``width=2`` and `None`."
    words = "Call crease_all from fold . core on a PaperSheet if width = 2 and None .".split()
    tags = "O B-FUNCTION O B-MODULE I-MODULE I-MODULE O O B-CLASS O B-PARAMETER O O O O O".split()
    assert tag(sentence) == (words, tags)


@pytest.mark.parametrize(
    "sentence",
    [
        "The result is then written into the `drawer` of the desk.",  # nothing has this name
        "The width of the sheet is taken from the first one.",  # a parameter without its mark-up
        "The sheet is made by crease_all and then put away.",  # a function without its mark-up
        "The sheet is as large as `size_now` says it should be.",  # neither function nor parameter
        "The sheets are turned into `PaperSheet`s one by one.",  # part of a longer word
        "If `width` is small then the width is doubled once more.",  # marked once, unmarked once
    ],
)
def test_a_sentence_with_an_uncertain_name_is_dropped(sentence: str) -> None:
    assert tag(sentence) is None


def test_the_name_of_a_library_its_alias_and_its_paths_are_blanked() -> None:
    examples = ["import paperfold as pf"] * prose.SHORTEST
    import_names = {"paper-fold": ["paperfold"], "inkpress": ["inkpress"]}
    pattern = prose.name_pattern(examples, import_names=import_names)
    text = "PaperFold and paper-fold call paperfold.core.crease through pf and to_inkpress, e.g. twice."
    blanked = prose.blank(text, pattern=pattern, roots={"paperfold"})
    assert blanked == "LIBRARY and LIBRARY call crease through LIBRARY and LIBRARY, e.g. twice."


def test_questions_on_a_google_docstring() -> None:
    text = (
        "Press a sheet flat.\n\nArgs:\n    sheet (`PaperSheet`):\n        The sheet of paper.\n"
        '    mode (`str`, *optional*, defaults to `"wide"`):\n        How to press it.\n\n'
        "Returns:\n    `int`: The number of creases.\n\nRaises:\n    ValueError: If the sheet is wet."
    )
    [lines] = answers.windows(layout.parse(text))
    context = " ".join(line.text for line in lines)
    assert context == (
        "Press a sheet flat. Parameters: sheet (PaperSheet): The sheet of paper. "
        'mode (str, optional, defaults to "wide"): How to press it. '
        "Returns: int: The number of creases. Raises: ValueError: If the sheet is wet."
    )
    assert {(question.kind, question.name): question.answer for question in answers.questions(lines)} == {
        ("does", "{owner}"): "Press a sheet flat",
        ("returned", "{owner}"): "The number of creases",
        ("returned type", "{owner}"): "int",
        ("raised", "{owner}"): "ValueError",
        ("raised when", "ValueError"): "If the sheet is wet",
        ("type", "sheet"): "PaperSheet",
        ("meaning", "sheet"): "The sheet of paper",
        ("default", "mode"): '"wide"',
        ("type", "mode"): "str",
        ("meaning", "mode"): "How to press it",
    }
