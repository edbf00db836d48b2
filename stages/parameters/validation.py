"""Validate a part of params.yaml against a model, and say all that is wrong in one message."""

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from tinybert.errors import InputError, shorten

Model = TypeVar("Model", bound=BaseModel)


def read_file(file: Path) -> dict[str, Any]:
    """A YAML 1.2 file as DVC reads it, where `1e-4` is a number. Raises InputError when it is not YAML."""
    try:
        content = YAML(typ="safe").load(file.read_text(encoding="utf-8"))
    except (YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{file} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise InputError(f"{file}: expected sections with keys, got {shorten(content)}")
    return content


def validate(model: type[Model], given: dict[str, Any], *, section: tuple[str, ...] = ()) -> Model:
    """`given` as the frozen `model`.

    `section` is the path of `given` inside params.yaml, for the message. Raises InputError with one line for each
    place that is wrong: section, key, what is expected, what it got.
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


def refuse(problems: Iterable[str], *, file: Path = Path("params.yaml")) -> None:
    """Raises InputError with all the problems of `file`, if there are any."""
    lines = [f"  {problem}" for problem in problems]
    if lines:
        raise InputError(f"{file} is not valid:\n" + "\n".join(lines))


def _lines(
    error: ValidationError, model: type[BaseModel], given: dict[str, Any], section: tuple[str, ...]
) -> list[str]:
    complaints: dict[str, list[Any]] = {}
    for problem in error.errors():
        if problem["type"] == "default_factory_not_called":  # another field is wrong, and is said
            continue
        path = _path_in(given, problem["loc"])
        place = ".".join(map(str, (*section, *path))) or "(the whole file)"
        complaints.setdefault(place, []).append(problem)
    return [f"{place}: {_message(problems, model)}" for place, problems in complaints.items()]


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


def _message(problems: list[Any], model: type[BaseModel]) -> str:
    """Of one place; several problems are the branches of a union, of which one has to fit."""
    expected = [_expected(problem["msg"]) for problem in problems if "should" in problem["msg"]]
    others = [_other(problem, model) for problem in problems if "should" not in problem["msg"]]
    if expected:
        others.append(f"expected {' or '.join(dict.fromkeys(expected))}, got {shorten(problems[0]['input'])}")
    return "; ".join(dict.fromkeys(others))


def _expected(message: str) -> str:
    """What pydantic's "Input should be a valid integer" expects: "a valid integer"."""
    rest = message.partition(" should ")[2]
    return rest.removeprefix("be ").removeprefix("have ").replace("match pattern", "a text that matches")


def _other(problem: Any, model: type[BaseModel]) -> str:
    if problem["type"] == "missing":
        return "is missing"
    if problem["type"] == "extra_forbidden":
        return "is not a known key" + _suggestion(model, problem["loc"])
    return problem["msg"].removeprefix("Value error, ")


def _suggestion(model: Any, location: tuple[int | str, ...]) -> str:
    for step in location[:-1]:
        fields = getattr(model, "model_fields", {})
        model = fields[step].annotation if step in fields else next(iter(get_args(model)[-1:]), None)
        model = get_args(model)[0] if isinstance(model, UnionType) else model  # `Section | None`
    close = get_close_matches(str(location[-1]), getattr(model, "model_fields", {}), n=1)
    return f"; did you mean {close[0]}?" if close else ""
