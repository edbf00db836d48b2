"""Which code a stage runs: its script and all of the project's files that it imports, read with ast, each with a hash.

The hash is one of the syntax tree without docstrings and bare strings, so that comments, docstrings and layout count
for nothing. A stage depends on a file that holds its closure (see plan.py), so that an edit runs what imports it.
"""

import ast
import hashlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tinybert.errors import InputError

PACKAGES = ("stages", "tinybert", "demonstration")
EXCLUDED = {
    "stages/__init__.py": "how a stage dies and its threads wait: outputs have the same bytes with and without",
    "stages/pipeline": "hands resolved parameters on, locks, starts processes; computes no output",
    "stages/parameters": "accepts or refuses values; what it resolves reaches a stage as a file that it depends on",
    "tinybert/atomic.py": "moves outputs to their place; computes none",
    "tinybert/errors.py": "messages of runs that end without an output",
    "tinybert/training/progress.py": "what a terminal shows: outputs have the same bytes with and without",
    "tinybert/training/tracking.py": "where curves also go: outputs have the same bytes with and without",
    "tinybert/training/resume.py": "what a killed run goes on from: outputs have the same bytes with and without",
}
"""Code that cannot change what a stage writes, with the reason; an edit of it runs no stage again."""
Closure = dict[str, str]
"""Hashes by path, relative to the project."""


class Code:
    """The code of the project in `root`, each file parsed once."""

    def __init__(self, root: Path = Path()) -> None:
        self._root = root
        self._hash, self._imports = cache(self._read_hash), cache(self._read_imports)

    def closure(self, script: str, *, kind: str | None = None) -> Closure:
        """Of `script`, for one `kind` of task or source where it imports by kind.

        Files without code, such as an empty __init__.py, and those of EXCLUDED are not in it, nor what they import.
        """
        seen: set[str] = set()
        waiting = [script]
        while waiting:
            file = waiting.pop()
            if file not in seen and not is_excluded(file):
                seen.add(file)
                waiting += self._direct_dependencies(file, kind)
        return {file: self._hash(file) for file in sorted(seen) if (self._root / file).stat().st_size}

    def _direct_dependencies(self, file: str, kind: str | None) -> list[str]:
        """What `file` imports by a statement or by kind, or names and has beside it, a template say."""
        if not file.endswith(".py"):
            return []
        modules, by_kind, texts = self._imports(file)
        assert kind or not by_kind, f"{file} imports by kind, in a stage that has none"
        modules = [*modules, *(name.format(kind) for name in by_kind)]
        folder = (self._root / file).parent
        beside = [folder / text for text in texts if (folder / text).is_file()]
        return [*self._paths(modules), *(path.relative_to(self._root).as_posix() for path in beside)]

    def _paths(self, modules: list[str]) -> Iterator[str]:
        """The files of modules, and the __init__.py of the packages that they are in."""
        for name in modules:
            path = name.replace(".", "/")
            parents = [parent.as_posix() for parent in Path(path).parents][:-1]
            candidates = [f"{path}.py", *(f"{place}/__init__.py" for place in (path, *parents))]
            yield from (file for file in candidates if (self._root / file).is_file())

    def _read_imports(self, file: str) -> tuple[list[str], list[str], list[str]]:
        """Modules of the project, f-strings of import_module with {} for the kind, and strings that name files."""
        tree = self._parse(file)
        modules = [name for node in ast.walk(tree) for name in _imported(node) if name.partition(".")[0] in PACKAGES]
        by_kind = [_pattern(node, file) for node in ast.walk(tree) if _is_dynamic(node)]
        texts = {str(node.value) for node in ast.walk(tree) if isinstance(node, ast.Constant)}
        return modules, by_kind, [text for text in sorted(texts) if re.fullmatch(r"[\w-]+\.(?!py$)\w+", text)]

    def _read_hash(self, file: str) -> str:
        content = dump(self._parse(file)).encode() if file.endswith(".py") else (self._root / file).read_bytes()
        return hashlib.blake2b(content, digest_size=16).hexdigest()

    def _parse(self, file: str) -> ast.Module:
        """Raises InputError for a file that is gone, or saved in the middle of an edit."""
        try:
            return ast.parse((self._root / file).read_text(encoding="utf-8"), filename=file)
        except (SyntaxError, OSError, UnicodeDecodeError) as error:
            raise InputError(f"{file} is not valid Python: {error}") from None


def is_excluded(file: str) -> bool:
    return any(file == place or file.startswith(f"{place}/") for place in EXCLUDED)


def dump(node: object) -> str:
    """A syntax tree as text, without docstrings. Empty fields are omitted, since newer versions of Python add some."""
    if isinstance(node, ast.JoinedStr):  # Python 3.12 adds an empty constant after a nested format
        node = ast.JoinedStr([part for part in node.values if getattr(part, "value", None) != ""])
    if isinstance(node, ast.AST):
        fields = ((name, value) for name, value in ast.iter_fields(node) if name not in ("kind", "type_comment"))
        shown = ", ".join(f"{name}={dump(value)}" for name, value in fields if value is not None and value != [])
        return f"{type(node).__name__}({shown})"
    if isinstance(node, list):
        return f"[{', '.join(dump(item) for item in node if not _is_bare_string(item))}]"
    return repr(node)


def _is_bare_string(node: object) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0 and node.module, "imports are absolute"
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []


def _is_dynamic(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "import_module"


def _pattern(call: ast.AST, file: str) -> str:
    """`tinybert.tasks.{}.model` of the call import_module(f"tinybert.tasks.{kind}.model")."""
    assert isinstance(call, ast.Call)
    parts = call.args[0].values if isinstance(call.args[0], ast.JoinedStr) else []
    texts = ["{}" if isinstance(part, ast.FormattedValue) else str(getattr(part, "value", "")) for part in parts]
    assert texts.count("{}") == 1, f"{file}:{call.lineno}: import_module takes an f-string with one placeholder"
    return "".join(texts)
