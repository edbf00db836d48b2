"""Which of the project's files a script imports, directly or through others, read with ast."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]

# Code that cannot change what a stage writes, so that an edit of it does not run three hours of training again.
LEFT_OUT = {
    "stages/pipeline": "locks, messages, resume points and moves: outputs are the same bytes with and without",
    "stages/parameters": "accepts or refuses values and has no defaults: what it accepts reaches a stage unchanged",
}


def closure(*files: str) -> set[str]:
    """`files` and all that they import from stages/, but empty __init__ files and what is LEFT_OUT."""
    seen: set[str] = set()
    waiting = list(files)
    while waiting:
        file = waiting.pop()
        if file not in seen:
            seen.add(file)
            waiting += imports(file)
    return {file for file in seen if not file.startswith(tuple(LEFT_OUT)) and (ROOT / file).stat().st_size}


@cache
def imports(file: str) -> tuple[str, ...]:
    """The project's files that `file` names in an import statement, anywhere in it."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            names |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return tuple(sorted(path for name in names if (path := name.replace(".", "/") + ".py") and (ROOT / path).is_file()))
