"""Which of the teacher's layers a student takes, or imitates."""

from stages.pipeline.errors import InputError


def choose_layers(rule: str | list[int], *, student: int, teacher: int) -> list[int]:
    """`student` layers of `teacher`, counted from 0, in rising order.

    `first` and `last` take that end. `uniform` takes the last layer of each of `student` blocks as equal as can be:
    with a divisible number, TinyBERT's g(m) = m * N / M (Jiao et al. 2020, section 4.1), counted from 0. A list is
    taken as it is. Raises InputError when the list does not fit, or more layers are wanted than there are.
    """
    if student > teacher:
        raise InputError(f"num_hidden_layers is {student}, but the teacher has {teacher} layers")
    if isinstance(rule, list):
        return _checked(rule, student=student, teacher=teacher)
    rules = {
        "first": range(student),
        "last": range(teacher - student, teacher),
        "uniform": [(m + 1) * teacher // student - 1 for m in range(student)],
    }
    return list(rules[rule])


def _checked(layers: list[int], *, student: int, teacher: int) -> list[int]:
    rising = all(low < high for low, high in zip(layers, layers[1:], strict=False))
    if len(layers) != student or not rising or layers[-1] >= teacher:
        raise InputError(
            f"layers {layers}: wanted are {student} different numbers (num_hidden_layers) in rising order, "
            f"from 0 to {teacher - 1} (the teacher's layers)"
        )
    return layers
