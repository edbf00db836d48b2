"""Documents of a source, cleaned: all of them, or a part that one of several tasks reads."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

from tinybert.data.cleaning import clean
from tinybert.data.datasets import open_split, require_columns, split_files
from tinybert.data.readers import Form, Row, read_rows
from tinybert.errors import InputError, shorten

ROW_BITS = 40
"""A position is the number of a file and, in these bits, the number of a row in it, from 1."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where documents come from, and which of them are long enough."""

    path: Path
    config: str | None
    split: str
    text_column: str
    form: Form
    min_characters: int
    max_documents: int | None

    def texts(self) -> Iterator[tuple[int, str]]:
        """Number, from 1, and text of every row; empty where it is too short."""
        return self._texts(self._rows())

    def part(self, part: int, parts: int) -> Iterator[tuple[int, str]]:
        """Position and text of the rows of one part: of whole files, or of every `parts`-th row where files are few."""
        files = self.files(parts)
        if not files:
            yield from self._texts(self._rows(), first=part + 1, step=parts)
        _, features, form = split_files(self.path, config=self.config, split=self.split, form=self.form)
        for number in range(part, len(files), parts):
            rows = read_rows(files[number], features=features, form=form)
            for row, text in self._texts(rows, where=str(files[number])):
                yield number << ROW_BITS | row, text

    def files(self, parts: int) -> list[Path]:
        """Those of which each part reads some; none where it reads rows: of few files, or of the first documents."""
        files, _, _ = split_files(self.path, config=self.config, split=self.split, form=self.form)
        return files if len(files) >= parts and self.max_documents is None else []

    def _rows(self) -> Iterator[Row]:
        rows, _ = open_split(self.path, config=self.config, split=self.split, form=self.form)
        return islice(rows, self.max_documents)

    def _texts(
        self, rows: Iterator[Row], *, first: int = 1, step: int = 1, where: str | None = None
    ) -> Iterator[tuple[int, str]]:
        place = where or f"{self.path}, split {self.split}"
        for number, row in zip(count(first, step), islice(rows, first - 1, None, step), strict=False):
            text = clean(self._text(row, number, place))
            yield number, text if len(text) >= self.min_characters else ""

    def _text(self, row: Row, number: int, place: str) -> str:
        """The text of this row, empty where there is none."""
        require_columns(row, names=[self.text_column], where=str(self.path))
        value = row[self.text_column]
        if value is not None and not isinstance(value, str):
            raise InputError(
                f"{place}, row {number}: column {self.text_column!r} "
                f"(prepare_corpus.text_column): expected a text, got {shorten(value)} ({type(value).__name__})"
            )
        return value or ""
