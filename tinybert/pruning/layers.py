"""The choice of teacher layers that a student keeps, or is distilled from."""

from collections.abc import Sequence

from tinybert.errors import InputError


def choose_layers(rule: str | list[int], *, student: int, teacher: int, influence: Sequence[float] = ()) -> list[int]:
    """Choose `student` of `teacher` layers, counted from 0, in increasing order.

    "first" and "last" take that end. "uniform" takes the last layer of each of `student` blocks of about equal size:
    where the numbers divide, TinyBERT's g(m) = m * N / M (Jiao et al. 2020, section 4.1), counted from 0. "importance"
    takes those of the greatest `influence`, one number for each teacher layer (see importance.layer_influence), the
    earlier ones of equals. A list is taken as it is. Raises InputError when the list does not fit, or the teacher has
    fewer layers.
    """
    if student > teacher:
        raise InputError(f"num_hidden_layers is {student}, but the teacher has {teacher} layers")
    if isinstance(rule, list):
        increasing = all(low < high for low, high in zip(rule, rule[1:], strict=False))
        if len(rule) != student or not increasing or rule[-1] >= teacher:
            raise InputError(
                f"layers {rule}: expected {student} different numbers (num_hidden_layers) in increasing order, "
                f"from 0 to {teacher - 1} (the teacher's layers)"
            )
        return rule
    by_influence = sorted(range(len(influence)), key=lambda n: (-influence[n], n))
    rules = {
        "importance": sorted(by_influence[:student]),
        "first": range(student),
        "last": range(teacher - student, teacher),
        "uniform": [(m + 1) * teacher // student - 1 for m in range(student)],
    }
    return list(rules[rule])
