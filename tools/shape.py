"""Student shapes that fit a budget, as entries of `students`: `python -m tools.shape --parameters 3e6`.

What counts is the model of a task: a stock classifier of two labels, which has no MLM head. A shape keeps the teacher's
ratio of intermediate to hidden size, and its number of heads as long as each has CHANNELS.
"""

import argparse
import sys
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from math import lcm
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import BertConfig, BertForSequenceClassification

from stages.parameters.sections import Shape, Student
from tinybert.errors import InputError
from tinybert.files import read_object
from tinybert.model.checkpoint_validation import SIZES, validate_checkpoint
from tinybert.model.size import count_parameters, multiply_adds

CHANNELS = 8
"""Of each head at least; and hidden sizes are multiples of it, which fill the processor's vectors."""


class Budget(NamedTuple):
    """At most `size` parameters, or multiply-adds of one sequence of `length` tokens."""

    unit: str
    size: int
    length: int
    vocab_size: int | None = None
    """Entries of the student's vocabulary; None takes the teacher's."""


def main() -> None:
    options = _options()
    unit, size = ("parameters", options.parameters) if options.parameters else ("multiply_adds", options.multiply_adds)
    budget = Budget(unit, size, options.length, options.vocab_size)
    try:
        teacher = read_teacher(options.teacher)
        students = fitting(teacher, budget, depths=options.layers)
        print("\n".join(report(teacher, students, length=options.length)))
    except InputError as error:
        sys.exit(f"ERROR: {error}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.shape", description=__doc__)
    budget = parser.add_mutually_exclusive_group(required=True)
    budget.add_argument("--parameters", metavar="N", type=_count, help="of the student at most, such as 3e6")
    budget.add_argument("--multiply-adds", metavar="N", type=_count, help="of the student for one sequence at most")
    parser.add_argument("--length", metavar="N", type=_count, default=128, help="tokens of that sequence (128)")
    parser.add_argument("--layers", metavar="N", type=_count, nargs="+", help="depths (the divisors of the teacher's)")
    parser.add_argument("--teacher", metavar="FOLDER", type=Path, default=Path("models/teacher"))
    parser.add_argument("--vocab-size", metavar="N", type=_count, help="word pieces (the teacher's)")
    return parser.parse_args()


def _count(text: str) -> int:
    """A whole number above 0, also as 3e6."""
    number = float(text)
    if not 1 <= number < 1e15 or number % 1:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, got {text}")
    return int(number)


def read_teacher(folder: Path) -> BertConfig:
    """The sizes of a BERT. Raises InputError where `folder` holds no BERT."""
    validate_checkpoint(folder)
    config = read_object(folder / "config.json")
    return BertConfig(**{name: config[name] for name in SIZES if name in config})


def fitting(teacher: BertConfig, budget: Budget, *, depths: Iterable[int] | None = None) -> list[Student]:
    """The widest student within `budget` of each depth, where there is one; depths are the divisors of the teacher's.

    With a divisor each student layer stands for equally many teacher layers. Raises InputError where no depth fits, or
    a depth or length is above the teacher's.
    """
    depths = sorted(set(depths or _divisors(teacher.num_hidden_layers)))
    if depths[-1] > teacher.num_hidden_layers:
        raise InputError(f"--layers {depths[-1]}: the teacher has {teacher.num_hidden_layers}")
    if budget.length > teacher.max_position_embeddings:
        raise InputError(f"--length {budget.length}: the teacher has {teacher.max_position_embeddings} positions")
    if (budget.vocab_size or 0) > teacher.vocab_size:
        raise InputError(f"--vocab-size {budget.vocab_size}: the teacher has {teacher.vocab_size} entries")
    students = [student for depth in depths if (student := widest(teacher, budget, depth=depth))]
    if not students:
        raise InputError(f"no student of {depths} layers has {budget.size:,} {budget.unit.replace('_', '-')} or fewer")
    return students


def widest(teacher: BertConfig, budget: Budget, *, depth: int) -> Student | None:
    """The widest student of this depth within `budget`."""
    shapes = [
        _student(teacher, depth=depth, width=width, heads=heads, vocab_size=budget.vocab_size)
        for width, heads in _widths(teacher)
    ]
    fit = bisect_right(shapes, budget.size, key=lambda student: sizes(teacher, student, budget.length)[budget.unit])
    return shapes[fit - 1] if fit else None


def _widths(teacher: BertConfig) -> list[tuple[int, int]]:
    """Hidden sizes from small to the teacher's, each with the most of the teacher's heads that have CHANNELS."""
    heads, full = _divisors(teacher.num_attention_heads), teacher.hidden_size
    ends = [*(min(CHANNELS * more, full) for more in heads[1:]), full]
    steps = [range(CHANNELS * n, end, lcm(n, CHANNELS)) for n, end in zip(heads, ends, strict=True)]
    return [(width, n) for n, widths in zip(heads, steps, strict=True) for width in widths] + [(full, heads[-1])]


def _divisors(number: int) -> list[int]:
    return [divisor for divisor in range(1, number + 1) if number % divisor == 0]


def _student(teacher: BertConfig, *, depth: int, width: int, heads: int, vocab_size: int | None) -> Student:
    return Student(
        method="rotation", num_hidden_layers=depth, keep_layers="uniform", hidden_size=width, num_attention_heads=heads,
        intermediate_size=width * teacher.intermediate_size // teacher.hidden_size, vocab_size=vocab_size,
        teacher_layers="uniform",
    )  # fmt: skip


def sizes(teacher: BertConfig, student: Student | None, length: int) -> dict[str, int]:
    """Parameters, and multiply-adds at `length` tokens, of `student` or of the teacher itself, under a classifier.

    They are counted on the model, which takes no memory on torch's device without data.
    """
    rules = {"method", "keep_layers", "teacher_layers"}
    own: dict[str, Any] = student.model_dump(exclude=rules, exclude_none=True) if student else {}
    with torch.device("meta"):
        model = BertForSequenceClassification(BertConfig(**teacher.to_dict() | own)).eval()
        products = multiply_adds(model, length=length)
    return {"parameters": count_parameters(model)["parameters"], "multiply_adds": products}


def report(teacher: BertConfig, students: Iterable[Student], *, length: int) -> Iterator[str]:
    """The lines of the section `students`, with sizes as comments."""
    full = sizes(teacher, None, length)
    yield f"# teacher: {_figures(full, length)}"
    yield "students:"
    for student in students:
        own = sizes(teacher, student, length)
        shares = " and ".join(f"1/{full[unit] / own[unit]:.1f}" for unit in own)
        name = f"l{student.num_hidden_layers}_h{student.hidden_size}"
        yield f"  {name}:  # {_figures(own, length)}; {shares} of the teacher"
        values = sorted(student.model_dump().items(), key=lambda item: item[0] not in Shape.model_fields)
        yield from (f"    {key}: {'null' if value is None else value}" for key, value in values)


def _figures(counted: dict[str, int], length: int) -> str:
    parameters, products = (counted[unit] / 1e6 for unit in ("parameters", "multiply_adds"))
    return f"{parameters:,.2f}M parameters, {products:,.1f}M multiply-adds at {length} tokens"


if __name__ == "__main__":
    main()
