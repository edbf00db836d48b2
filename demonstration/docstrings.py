"""Docstrings and definitions of installed packages, from the syntax trees of their files.

Nothing is imported or executed. Files of tests, and other projects' code that a package carries along, are left out.
"""

import ast
import functools
import importlib.metadata
import inspect
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tinybert.errors import InputError

# Folders of tests, of other projects' code, and outside of the installation (..).
SKIPPED_FOLDERS = frozenset(
    ".. tests test _internal_testing _vendor vendor vendored externals _external third_party thirdparty "
    "array_api_compat array_api_extra cobyqa pyprima _uarray pocketfft pythoncapi_compat _testing".split()
)
SKIPPED_FILES = frozenset({"conftest.py", "setup.py", "_version.py", "version.py"})
# A file that a generator copied from another file of the same package says so at its top.
GENERATED = "automatically generated from"
GENERATED_WITHIN = 1000  # characters
# Compiled functions get their docstrings through a call such as add_docstr(target, text).
ATTACHING_CALLS = ("add_docstr", "add_newdoc", "add_docstring", "_add_docstr")
PROPERTY = re.compile(r"property\b|\.(?:setter|getter|deleter)$|^(?:cache_readonly|doc_controls)$")

_own_text = functools.partial(ast.get_docstring, clean=False)
Function = ast.FunctionDef | ast.AsyncFunctionDef
Member = tuple[str, str, str | None, tuple[str, ...]]
"""(qualified name, kind, docstring, parameters in scope)"""


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
    """A name that a package defines, to which its prose can refer."""

    package: str
    path: str  # dotted, module included
    kind: str  # module, class, function or property


def require_versions(packages: dict[str, str]) -> None:
    """Check that every distribution is installed in its pinned version, a local part such as "+cpu" aside.

    Raises InputError naming all that differ: package, expected version, installed version.
    """
    problems = []
    for name, expected in sorted(packages.items()):
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            installed = "no such package"
        if installed.partition("+")[0] != expected.partition("+")[0]:
            problems.append(f"{name}: expected {expected}, got {installed}")
    if problems:
        raise InputError(
            "the packages that documentation is read from are not the pinned ones:\n  "
            + "\n  ".join(problems)
            + "\ninstall the expected versions, or write the installed ones into this source's `packages`"
        )


def import_names(name: str) -> list[str]:
    """The top-level names under which a distribution is imported, such as "sklearn" for scikit-learn."""
    files = importlib.metadata.distribution(name).files or []
    paths = [PurePosixPath(file.as_posix()) for file in files]
    packages = {path.parts[0] for path in paths if path.name == "__init__.py" and len(path.parts) == 2}
    return sorted(packages or {path.stem for path in paths if path.suffix == ".py" and len(path.parts) == 1})


def python_sources(name: str) -> Iterator[tuple[str, str]]:
    """(dotted module name, source) of each documented Python file of a distribution, in the order of their paths."""
    distribution = importlib.metadata.distribution(name)
    for path in sorted(PurePosixPath(file.as_posix()) for file in distribution.files or []):
        if _is_documented(path):
            source = Path(str(distribution.locate_file(path))).read_text(encoding="utf-8")
            yield ".".join(path.with_suffix("").parts).removesuffix(".__init__"), source


def _is_documented(path: PurePosixPath) -> bool:
    if path.suffix != ".py" or path.name in SKIPPED_FILES or path.name.startswith("test_"):
        return False
    return "/testing/_internal/" not in f"/{path}" and SKIPPED_FOLDERS.isdisjoint(path.parts)


def read(source: str, *, package: str, module: str) -> tuple[list[Docstring], list[Definition]]:
    """All docstrings and definitions at module and class level; functions inside functions are left out."""
    if GENERATED in source[:GENERATED_WITHIN]:
        return [], []
    with warnings.catch_warnings():  # old files have invalid escapes in their strings
        warnings.simplefilter("ignore")
        tree = ast.parse(source)
    members: list[Member] = [("", "module", _own_text(tree), ()), *_members(tree.body, "", ())]
    docstrings = [
        Docstring(package, module, name, kind, inspect.cleandoc(text), parameters)
        for name, kind, text, parameters in members
        if text
    ]
    paths = [(f"{module}.{name}" if name else module, kind) for name, kind, _, _ in members if name or kind == "module"]
    return docstrings, [Definition(package, path, kind) for path, kind in paths]


def _members(body: list[ast.stmt], prefix: str, outer: tuple[str, ...]) -> Iterator[Member]:
    """The members of a module or class; `outer` are the parameters that are in scope for all of them."""
    for node in body:
        if isinstance(node, Function):
            yield prefix + node.name, _function_kind(node), _own_text(node), _argument_names(node) + outer
        elif isinstance(node, ast.ClassDef):
            scope = _constructor_names(node)
            yield prefix + node.name, "class", _own_text(node), scope
            yield from _members(node.body, f"{prefix}{node.name}.", scope)
        elif isinstance(node, ast.If | ast.Try):
            yield from _members(node.body, prefix, outer)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            yield from _attached(node.value)


def _function_kind(node: Function) -> str:
    """A method that is read like an attribute, without a call, is a property."""
    decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
    return "property" if any(PROPERTY.search(decorator) for decorator in decorators) else "function"


def _argument_names(node: Function) -> tuple[str, ...]:
    arguments = node.args
    plain = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    starred = [argument for argument in (arguments.vararg, arguments.kwarg) if argument]
    return tuple(argument.arg for argument in plain + starred if argument.arg not in ("self", "cls"))


def _constructor_names(node: ast.ClassDef) -> tuple[str, ...]:
    """The fields of a data class, then the arguments of the constructor."""
    targets = [child.target for child in node.body if isinstance(child, ast.AnnAssign)]
    constructors = [child for child in node.body if isinstance(child, Function) and child.name == "__init__"]
    fields = [target.id for target in targets if isinstance(target, ast.Name)]
    return (*fields, *(name for child in constructors for name in _argument_names(child)))


def _attached(call: ast.Call) -> Iterator[Member]:
    """The compiled function that a call gives its docstring."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name not in ATTACHING_CALLS or len(call.args) < 2:
        return
    text = call.args[-1].elts[-1] if isinstance(call.args[-1], ast.Tuple) else call.args[-1]
    target = call.args[-2]
    function = target.value if isinstance(target, ast.Constant) else getattr(target, "attr", None)
    if isinstance(text, ast.Constant) and isinstance(text.value, str) and isinstance(function, str):
        yield function.split(".")[-1], "function", text.value, ()
