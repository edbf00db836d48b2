"""What the names in a docstring stand for, as far as the definitions of the packages tell it surely."""

import builtins
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from stages.sources.documentation.docstrings import Definition, Docstring
from stages.sources.documentation.markup import Segment

LITERAL = re.compile(r"^(?:True|False|None|[-+]?\d[\d.]*(?:e[-+]?\d+)?|'[^']*'|\"[^\"]*\")$")
KEYWORD = re.compile(r"^(?P<name>[A-Za-z_]\w*) ?={1,2} ?(?P<value>.+)$")
DOTTED = re.compile(r"^(?!_+$)[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*$")
ORDINARY = re.compile(r"^(?:[a-z]+|[A-Z])$")  # could be a word or a symbol
ROLES = {"class": "CLASS", "exc": "CLASS", "func": "FUNCTION", "meth": "FUNCTION", "function": "FUNCTION"}
ROLES |= {"method": "FUNCTION", "mod": "MODULE", "module": "MODULE"}
CODE = frozenset({"code", "obj", "data", "attr", "const", "emphasis", "strong"})
TYPES = frozenset(
    name for name, value in vars(builtins).items() if isinstance(value, type) and not name.startswith("_")
)
ENGLISH_TYPES = frozenset("list tuple set object type slice map filter range super property zip memoryview".split())


@dataclass(frozen=True)
class Index:
    """The kinds under which names are defined, by package and last part of their path."""

    kinds: Mapping[tuple[str, str], frozenset[str]]
    everywhere: Mapping[str, frozenset[str]]  # the same over all packages
    local: frozenset[tuple[str, str]]  # (module, last part)
    modules: frozenset[str]  # full dotted paths
    roots: frozenset[str]  # first parts of these


def index(definitions: Iterable[Definition]) -> Index:
    """Definitions arranged for look-up."""
    kinds: dict[tuple[str, str], set[str]] = defaultdict(set)
    everywhere: dict[str, set[str]] = defaultdict(set)
    modules: set[str] = set()
    local: set[tuple[str, str]] = set()
    module = ""
    for definition in definitions:
        last = definition.path.rsplit(".", 1)[-1]
        kinds[definition.package, last].add(definition.kind)
        everywhere[last].add(definition.kind)
        if definition.kind == "module":
            module = definition.path
            modules.add(module)
        else:
            local.add((module, last))
    return Index(
        {key: frozenset(value) for key, value in kinds.items()},
        {key: frozenset(value) for key, value in everywhere.items()},
        frozenset(local),
        frozenset(modules),
        frozenset(path.split(".")[0] for path in modules),
    )


def resolve(segment: Segment, *, docstring: Docstring, parameters: frozenset[str], names: Index) -> str | None:
    """PARAMETER, CLASS, FUNCTION or MODULE for a marked-up name, O for a literal, None where it is not sure.

    "name=value" counts as its parameter: only the name before the sign is one.
    """
    target = segment.target.removesuffix("()")
    if segment.role in ROLES:
        return ROLES[segment.role] if DOTTED.match(target) else None
    if segment.role not in CODE:
        return None
    if LITERAL.match(target):
        return "O"
    keyword = KEYWORD.match(target)
    if keyword:
        return "PARAMETER" if keyword["name"] in parameters and LITERAL.match(keyword["value"]) else None
    if target in parameters and not segment.target.endswith("()"):
        return "PARAMETER"
    if not DOTTED.match(target) or segment.role == "attr":
        return None
    return _defined(target, docstring=docstring, names=names)


def _defined(target: str, *, docstring: Docstring, names: Index) -> str | None:
    if target in names.modules:
        return "MODULE"
    if target in TYPES:
        return None if target in ENGLISH_TYPES else "CLASS"
    last = target.rsplit(".", 1)[-1]
    if target.startswith("self.") or (ORDINARY.match(target) and (docstring.module, last) not in names.local):
        return None
    if "." in target and not _is_path(target, docstring=docstring, names=names):
        return None
    kinds = names.kinds.get((docstring.package, last)) or names.everywhere.get(last, frozenset())
    found = next(iter(kinds)) if len(kinds) == 1 else ""
    return {"class": "CLASS", "function": "FUNCTION"}.get(found)


def _is_path(target: str, *, docstring: Docstring, names: Index) -> bool:
    """Whether what is before the last dot is a module or a class, not some object."""
    owner = target.split(".")[-2]
    kinds = names.kinds.get((docstring.package, owner), frozenset())
    return target.split(".")[0] in names.roots or (bool(kinds) and kinds <= {"class", "module"})
