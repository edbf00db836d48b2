"""Validate a part of params.yaml against a model, and say all that is wrong in one message."""

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from stages.pipeline.errors import InputError

Model = TypeVar("Model", bound=BaseModel)


def read_file(file: Path) -> dict[str, Any]:
    """A YAML 1.2 file as DVC reads it, where `1e-4` is a number. Raises InputError when it is not YAML."""
    try:
        content = YAML(typ="safe").load(file.read_text(encoding="utf-8"))
    except (YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{file} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise InputError(f"{file} holds {_short(content)}; wanted are sections with keys")
    return content


def validate(model: type[Model], given: dict[str, Any], *, section: tuple[str, ...] = ()) -> Model:
    """`given` as the frozen `model`.

    `section` is the path of `given` inside params.yaml, for the message. Raises InputError with one line for each
    place that is wrong: section, key, what it got, what it wants.
    """
    refuse(problems(model, given, section=section))
    return model.model_validate(given)


def problems(model: type[BaseModel], given: dict[str, Any], *, section: tuple[str, ...] = ()) -> list[str]:
    """A line for each place where `given` is not a `model`; none where it is."""
    try:
        model.model_validate(given)
    except ValidationError as error:
        return _lines(error, model, given, section)
    return []


def refuse(problems: Iterable[str]) -> None:
    """Raises InputError with all the problems, if there are any."""
    lines = [f"  {problem}" for problem in problems]
    if lines:
        raise InputError("params.yaml is not valid:\n" + "\n".join(lines))


def _lines(
    error: ValidationError, model: type[BaseModel], given: dict[str, Any], section: tuple[str, ...]
) -> list[str]:
    wanted: dict[str, list[str]] = {}
    for problem in error.errors():
        path = _path_in(given, problem["loc"])
        place = ".".join(map(str, (*section, *path))) or "(the whole file)"
        wanted.setdefault(place, []).append(_say(problem, model))
    return [f"{place}: {_join(says)}" for place, says in wanted.items()]


def _path_in(given: Any, location: tuple[int | str, ...]) -> list[int | str]:
    """The part of pydantic's location that is a path in the file: branches of a union have names there too."""
    path: list[int | str] = []
    for step in location:
        if isinstance(given, dict):
            given = given.get(step)
        elif isinstance(given, list) and isinstance(step, int):
            given = given[step]
        else:
            break
        path.append(step)
    return path


def _say(problem: Any, model: type[BaseModel]) -> str:
    if problem["type"] == "missing":
        return "is missing"
    if problem["type"] == "extra_forbidden":
        return "is not a known key" + _suggestion(model, problem["loc"])
    message = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return message if problem["type"] == "value_error" else f"got {_short(problem['input'])}, {message}"


def _suggestion(model: Any, location: tuple[int | str, ...]) -> str:
    for step in location[:-1]:
        fields = getattr(model, "model_fields", {})
        model = fields[step].annotation if step in fields else next(iter(get_args(model)[-1:]), None)
        model = get_args(model)[0] if isinstance(model, UnionType) else model  # `Section | None`
    close = get_close_matches(str(location[-1]), getattr(model, "model_fields", {}), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _join(says: list[str]) -> str:
    """Several complaints on one value are the branches of a union: what it got is said once."""
    first, *others = dict.fromkeys(says)
    tails = [other.partition(", ")[2] or other for other in others if other.startswith("got ")]
    return " or ".join([first, *tails]) if tails else "; ".join([first, *others])
