"""Docstrings and definitions of a Python source, read from its syntax tree: nothing is imported or executed."""

import ast
import inspect
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

Callable = ast.FunctionDef | ast.AsyncFunctionDef
# Copies that a generator wrote from another file of the same package say so at their top.
GENERATED = "automatically generated from"
GENERATED_WITHIN = 1000
# Compiled functions get their docstrings through a call such as add_docstr(target, text).
ATTACHING_CALLS = ("add_docstr", "add_newdoc", "add_docstring", "_add_docstr")
PROPERTY = re.compile(r"property\b|\.(?:setter|getter|deleter)$|^(?:cache_readonly|doc_controls)$")


@dataclass(frozen=True)
class Docstring:
    """One docstring, cleaned of its indentation, with the names that are in scope for its prose."""

    package: str  # distribution
    module: str  # dotted
    name: str  # inside the module; empty for the module itself
    kind: str  # module, class, function or property
    text: str
    parameters: tuple[str, ...]  # of the function, and of the class it belongs to


@dataclass(frozen=True)
class Definition:
    """A name that a package defines: what a mark-up in its prose can refer to."""

    package: str
    path: str  # dotted, module included
    kind: str  # module, class, function or property


def read(source: str, *, package: str, module: str) -> tuple[list[Docstring], list[Definition]]:
    """All docstrings and definitions at module and class level; functions inside functions are left out."""
    if GENERATED in source[:GENERATED_WITHIN]:
        return [], []
    with warnings.catch_warnings():  # old files have invalid escapes in their strings
        warnings.simplefilter("ignore")
        tree = ast.parse(source)
    found: list[Docstring] = []
    definitions = [Definition(package, module, "module")]

    def add(name: str, kind: str, text: str | None, parameters: tuple[str, ...]) -> None:
        if name:
            definitions.append(Definition(package, f"{module}.{name}", kind))
        if text:
            found.append(Docstring(package, module, name, kind, inspect.cleandoc(text), parameters))

    add("", "module", _own_text(tree), ())
    for name, kind, text, parameters in _members(tree.body, "", ()):
        add(name, kind, text, parameters)
    return found, definitions


def _members(
    body: list[ast.stmt], prefix: str, outer: tuple[str, ...]
) -> Iterator[tuple[str, str, str | None, tuple[str, ...]]]:
    """(qualified name, kind, docstring, parameters in scope) of the statements of a module or class."""
    for node in body:
        if isinstance(node, Callable):
            yield prefix + node.name, _callable_kind(node), _own_text(node), _argument_names(node) + outer
        elif isinstance(node, ast.ClassDef):
            scope = _constructor_names(node)
            yield prefix + node.name, "class", _own_text(node), scope
            yield from _members(node.body, f"{prefix}{node.name}.", scope)
        elif isinstance(node, ast.If | ast.Try):
            yield from _members(node.body, prefix, outer)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            yield from _attached(node.value)


def _callable_kind(node: Callable) -> str:
    """A method that is read like an attribute, without a call, is a property."""
    decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
    return "property" if any(PROPERTY.search(decorator) for decorator in decorators) else "function"


def _own_text(node: ast.Module | ast.ClassDef | Callable) -> str | None:
    return ast.get_docstring(node, clean=False)


def _argument_names(node: Callable) -> tuple[str, ...]:
    arguments = node.args
    plain = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    starred = [argument for argument in (arguments.vararg, arguments.kwarg) if argument]
    return tuple(argument.arg for argument in plain + starred if argument.arg not in ("self", "cls"))


def _constructor_names(node: ast.ClassDef) -> tuple[str, ...]:
    """What a class is built from: the arguments of its constructor, or the fields of a data class."""
    fields = [
        child.target.id
        for child in node.body
        if isinstance(child, ast.AnnAssign) and isinstance(child.target, ast.Name)
    ]
    constructors = [child for child in node.body if isinstance(child, Callable) and child.name == "__init__"]
    return tuple(fields) + tuple(name for child in constructors for name in _argument_names(child))


def _attached(call: ast.Call) -> Iterator[tuple[str, str, str | None, tuple[str, ...]]]:
    called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if called not in ATTACHING_CALLS or len(call.args) < 2:
        return
    text = call.args[-1].elts[-1] if isinstance(call.args[-1], ast.Tuple) else call.args[-1]
    target = call.args[-2]
    name = target.value if isinstance(target, ast.Constant) else getattr(target, "attr", None)
    if isinstance(text, ast.Constant) and isinstance(text.value, str) and isinstance(name, str):
        yield name.split(".")[-1], "function", text.value, ()
