"""Which of the project's files a script imports, directly or through others, read with ast."""

import ast
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from itertools import product
from pathlib import Path

ROOT = Path(__file__).parents[2]

# Code that cannot change what a stage writes, so that an edit of it does not run three hours of training again.
LEFT_OUT = {
    "stages/__init__.py": "how a stage dies: outputs are the same bytes with and without",
    "stages/pipeline": "locks, messages, resume points and moves: outputs are the same bytes with and without",
    "stages/parameters": "accepts or refuses values and has no defaults: what it accepts reaches a stage unchanged",
}

Kinds = Mapping[str, Collection[str]]
"""What `source.kind` and `task.kind` may be when a script imports the module of a kind."""


def closure(*files: str, kinds: Kinds, left_out: Collection[str] = LEFT_OUT) -> set[str]:
    """`files`, the package itself and all they import or load from stages/; not empty files nor those of `left_out`."""
    seen: set[str] = set()
    waiting = ["stages/__init__.py", *files]
    while waiting:
        file = waiting.pop()
        if file not in seen:
            seen.add(file)
            waiting += needs(file, kinds)
    kept = (file for file in seen if not any(file == place or file.startswith(f"{place}/") for place in left_out))
    return {file for file in kept if (ROOT / file).stat().st_size}


def needs(file: str, kinds: Kinds) -> set[str]:
    """The project's files that `file` imports by a statement or by importlib, or names and has beside it."""
    return imports(file) | by_kind(file, kinds) | neighbours(file) if file.endswith(".py") else set()


@cache
def imports(file: str) -> set[str]:
    """The project's files that `file` names in an import statement, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            names |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {path for name in names if (ROOT / (path := _path(name))).is_file()}


def by_kind(file: str, kinds: Kinds) -> set[str]:
    """The project's files that `file` imports by `import_module`, for these kinds."""
    return {_path(name) for call in dynamic(file) for name in _texts(call.args[0], file, kinds)}


@cache
def neighbours(file: str) -> set[str]:
    """Files in the folder of `file` that are not Python and that it names in a string: page.html beside page.py."""
    strings = {node.value for node in ast.walk(tree(file)) if isinstance(node, ast.Constant)}
    beside = {path.name: path.relative_to(ROOT).as_posix() for path in (ROOT / file).parent.iterdir() if path.is_file()}
    return {path for name, path in beside.items() if name in strings and not name.endswith(".py")}


@cache
def dynamic(file: str) -> list[ast.Call]:
    """The calls of import_module in `file`."""
    calls = [node for node in ast.walk(tree(file)) if isinstance(node, ast.Call)]
    return [call for call in calls if ast.unparse(call.func).split(".")[-1] == "import_module"]


@cache
def tree(file: str) -> ast.Module:
    return ast.parse((ROOT / file).read_text(encoding="utf-8"))


def _path(module: str) -> str:
    return module.replace(".", "/") + ".py"


def _texts(node: ast.expr, file: str, kinds: Kinds) -> list[str]:
    """All texts that the expression can be; one that this cannot tell fails, so that no import goes unseen."""
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    if isinstance(node, ast.FormattedValue):
        return _texts(node.value, file, kinds)
    if isinstance(node, ast.JoinedStr):
        return ["".join(parts) for parts in product(*(_texts(part, file, kinds) for part in node.values))]
    if isinstance(node, ast.Attribute) and node.attr == "kind":
        return list(kinds[ast.unparse(node.value).split(".")[-1]])
    values = list(_values(node.id, file)) if isinstance(node, ast.Name) else []
    assert values, f"{file}:{node.lineno}: cannot tell which module {ast.unparse(node)!r} stands for"
    return [text for value in values for text in _texts(value, file, kinds)]


def _values(name: str, file: str) -> Iterator[ast.expr]:
    """What the file gives the name: in assignments, and one after another in a comprehension over a tuple."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Assign) and name in map(ast.unparse, node.targets):
            yield node.value
        elif isinstance(node, ast.comprehension) and ast.unparse(node.target) == name:
            assert isinstance(node.iter, ast.Tuple), f"{file}:{node.target.lineno}: wanted is a tuple of texts"
            yield from node.iter.elts
