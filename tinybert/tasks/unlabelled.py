"""Rows without labels, which a fine-tuned teacher labels: which of them are new, and new pairs of the texts of rows.

A text is what a row has in one column of its kind's INPUTS: a string, or a list of words. All inputs of a row together
tell whether it is new. N rows.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tinybert.errors import InputError
from tinybert.tasks.protocol import Row

ROUNDS = 4
"""How often a row may draw, for each pair that is asked for: most draws give a new one, and a small table has few."""


def unlabelled_schema(schema: pa.Schema) -> pa.Schema:
    """That of a kind's rows where every column may be null, as those of labels are."""
    return pa.schema([field.with_nullable(True) for field in schema])


def without_labels(row: Row, schema: pa.Schema) -> Row:
    """A row of `schema` with None in each column that `row` lacks."""
    return {name: row.get(name) for name in schema.names}


class NewRows:
    """Collects rows whose inputs differ from those of all rows before, and counts the others.

    `labelled` rows are known from the start; rows with the inputs of a `held_out` row, of validation or test, are
    refused, since a student must not be trained on them.
    """

    def __init__(self, inputs: Sequence[str], *, labelled: Iterable[Row], held_out: Iterable[Row]) -> None:
        self._inputs = inputs
        self._seen, self._held_out = ({self._key(row) for row in rows} for rows in (labelled, held_out))
        self.rows = list[Row]()
        self.dropped = {"held_out": 0, "duplicate": 0}

    def add(self, rows: Iterable[Row]) -> int:
        """Take those that are new, and return how many."""
        before = len(self.rows)
        for row in rows:
            key = self._key(row)
            if key in self._held_out:
                self.dropped["held_out"] += 1
            elif key in self._seen:
                self.dropped["duplicate"] += 1
            else:
                self._seen.add(key)
                self.rows.append(row)
        return len(self.rows) - before

    def _key(self, row: Row) -> str:
        return json.dumps([row[name] for name in self._inputs])


def new_pairs(
    rows: Sequence[Row], *, inputs: Sequence[str], held_out: Sequence[Row], count: int, seed: int
) -> list[Row]:
    """Up to `count` rows for each of `rows` (N), of its second text with the first text of another row.

    For question answering that is the question of another row on this row's context, which has no answer there as a
    rule. No pair is one of `rows`, none comes twice, and none has both texts from `held_out` rows, of whatever rows. In
    each round every row draws one partner from a permutation of all, so that each first text comes about as often; a
    row that has drawn ROUNDS times for a pair in vain gets fewer. Raises InputError where a row has one text only.
    """
    if len(inputs) != 2 or any(row[name] is None for row in rows for name in inputs):
        raise InputError("expected rows with two texts each")
    first, second = inputs
    known = {(row[first], row[second]) for row in rows}
    firsts, seconds = ({row[name] for row in held_out} for name in inputs)
    made: list[list[Row]] = [[] for _ in rows]
    for partners in _permutations(len(rows), rounds=count * ROUNDS, seed=seed):
        for own, row, partner in zip(made, rows, partners, strict=True):
            pair = rows[partner][first], row[second]
            if len(own) < count and pair not in known and not (pair[0] in firsts and pair[1] in seconds):
                known.add(pair)
                own.append(dict(zip(inputs, pair, strict=True)))
    return [pair for own in made for pair in own]


def with_texts(
    rows: Sequence[Row], variants: Mapping[str, Sequence[Sequence[Any]]], *, inputs: Sequence[str]
) -> list[Row]:
    """Unlabelled copies of rows, N by copy, with the texts of each column in `variants` ([N][copies]) replaced."""
    copies = len(next(iter(variants.values()))[0])
    return [
        {name: variants[name][n][copy] if name in variants else row[name] for name in inputs}
        for n, row in enumerate(rows)
        for copy in range(copies)
    ]


def _permutations(count: int, *, rounds: int, seed: int) -> Iterator[list[int]]:
    """Of the numbers from 0 to `count` - 1."""
    for number in range(rounds):
        yield np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, number)))).permutation(count).tolist()
