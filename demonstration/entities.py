"""The task `entities`: which words of a sentence name a parameter, a class, a function or a module.

The mark-up of a docstring says that a word is a name, and the definitions of the packages say of what. Sentences in
which either leaves a doubt are left out.
"""

import builtins
import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass

from demonstration.docstrings import Definition, Docstring
from demonstration.prose import Parsed, Segment, is_prose, segments, sentences
from demonstration.selection import Candidate, order

SHORTEST, LONGEST = 6, 50  # words of a sentence
MOST_SENTENCES = 12  # of one docstring
NO_NAMES = "none"  # the group of sentences that name nothing
WITHOUT_NAMES = 0.15  # share of the rows that they have at most
WORD = re.compile(r"(?:[A-Za-z]\.){2,}|\d+(?:\.\d+)+|\w+(?:[-']\w+)*|[^\w\s]")
LEFT_OVER = re.compile(r"[`$\\|{}*~^]|::|__|\w\(|:\w+:|\]_|@|//|\.\.\.|\w/\w|^ ?s\b|--|\w{2}\.[a-zA-Z_]\w")
CODE_SHAPE = re.compile(r"\w_\w|_\w|\w_$|[a-z][A-Z]|[A-Z]{2,}[a-z]{2,}")

LITERAL = re.compile(r"^(?:True|False|None|[-+]?\d[\d.]*(?:e[-+]?\d+)?|'[^']*'|\"[^\"]*\")$")
KEYWORD = re.compile(r"^(?P<name>[A-Za-z_]\w*) ?={1,2} ?(?P<value>.+)$")
DOTTED = re.compile(r"^(?!_+$)[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*$")
ORDINARY = re.compile(r"^(?:[a-z]+|[A-Z])$")  # could be a word or a symbol
ROLES = {
    **dict.fromkeys(("class", "exc"), "CLASS"),
    **dict.fromkeys(("func", "meth", "function", "method"), "FUNCTION"),
    **dict.fromkeys(("mod", "module"), "MODULE"),
}
CODE = frozenset({"code", "obj", "data", "attr", "const", "emphasis", "strong"})
TYPES = frozenset(
    name for name, value in vars(builtins).items() if isinstance(value, type) and not name.startswith("_")
)
ENGLISH_TYPES = frozenset("list tuple set object type slice map filter range super property zip memoryview".split())


@dataclass(frozen=True)
class Index:
    """The kinds under which names are defined, by package and last part of their path."""

    kinds: Mapping[tuple[str, str], Set[str]]
    everywhere: Mapping[str, Set[str]]  # the same over all packages
    local: Set[tuple[str, str]]  # (module, last part)
    modules: Set[str]  # full dotted paths
    roots: Set[str]  # first parts of these


def build_index(definitions: Iterable[Definition]) -> Index:
    """The definitions arranged for look-up; those of a module follow the module itself."""
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
    return Index(kinds, everywhere, local, modules, {path.split(".")[0] for path in modules})


def share(group: str) -> float:
    """The share of the rows that a group of sentences has at most."""
    return WITHOUT_NAMES if group == NO_NAMES else 1.0


def candidates(parsed: Iterable[Parsed], *, index: Index) -> Iterator[Candidate]:
    """Sentences of which every marked-up name is resolved and in which no name goes unmarked."""
    for docstring, layout in parsed:
        parameters = frozenset(docstring.parameters) | {
            name.strip(" *") for item in layout.items if item.section == "parameters" for name in item.name.split(",")
        }
        distinct = {sentence for paragraph in layout.all_paragraphs() for sentence in sentences(paragraph)}
        scope = {"docstring": docstring, "parameters": parameters, "index": index}
        tagged = (tag(sentence, **scope) for sentence in sorted(distinct, key=order))
        unit = f"{docstring.package}/{docstring.module}.{docstring.name}"
        for words, tags in itertools.islice(filter(None, tagged), MOST_SENTENCES):
            group = NO_NAMES if set(tags) <= {"O"} else "some"
            yield Candidate(docstring.module, unit, (group,), " ".join(words), {"words": words, "tags": tags})


def tag(
    sentence: str, *, docstring: Docstring, parameters: frozenset[str], index: Index
) -> tuple[list[str], list[str]] | None:
    """(words, BIO tags) of a sentence with its mark-up removed; None where a tag is uncertain."""
    if not sentence.endswith(".") or not (sentence[0].isupper() or sentence[0] in "`:[*"):
        return None
    runs = segments(sentence)
    if not SHORTEST <= len(sentence.split()) <= LONGEST or not is_prose("".join(run.text for run in runs)):
        return None
    words: list[str] = []
    tags: list[str] = []
    unmarked: list[str] = []
    for position, run in enumerate(runs):
        kind = _kind(run, docstring=docstring, parameters=parameters, index=index)
        if kind is None or (run.role and not _stands_apart(runs, position)):
            return None
        run_words = WORD.findall(run.text.removesuffix("()"))
        if not run.role or run.role in ("link", "emphasis", "strong") and kind == "O":
            if LEFT_OVER.search(run.text):
                return None
            unmarked.extend(run_words)
        words.extend(run_words)
        tags.extend(_tags(run_words, kind, is_keyword="=" in run.text))
    named = {word for word, name_tag in zip(words, tags, strict=True) if name_tag != "O"}
    if any(_is_unmarked_name(word, named, docstring, parameters, index) for word in unmarked):
        return None
    return words, tags


def _kind(run: Segment, *, docstring: Docstring, parameters: frozenset[str], index: Index) -> str | None:
    """PARAMETER, CLASS, FUNCTION or MODULE for a marked-up name, O for a literal or text, None where it is uncertain.

    "name=value" counts as its parameter: only the name before the sign is one.
    """
    if run.role in ("", "link", "citation") or (run.role in ("emphasis", "strong") and run.target not in parameters):
        return "O"
    target = run.target.removesuffix("()")
    if run.role in ROLES:
        return ROLES[run.role] if DOTTED.match(target) else None
    if run.role not in CODE:
        return None
    if LITERAL.match(target):
        return "O"
    keyword = KEYWORD.match(target)
    if keyword:
        return "PARAMETER" if keyword["name"] in parameters and LITERAL.match(keyword["value"]) else None
    if target in parameters and not run.target.endswith("()"):
        return "PARAMETER"
    if not DOTTED.match(target) or run.role == "attr":
        return None
    return _defined_kind(target, docstring=docstring, index=index)


def _defined_kind(target: str, *, docstring: Docstring, index: Index) -> str | None:
    if target in index.modules:
        return "MODULE"
    if target in TYPES:
        return None if target in ENGLISH_TYPES else "CLASS"
    last = target.rsplit(".", 1)[-1]
    if target.startswith("self.") or (ORDINARY.match(target) and (docstring.module, last) not in index.local):
        return None
    if "." in target and not _is_path(target, docstring=docstring, index=index):
        return None
    kinds = index.kinds.get((docstring.package, last)) or index.everywhere.get(last, frozenset())
    kind = next(iter(kinds)) if len(kinds) == 1 else ""
    return {"class": "CLASS", "function": "FUNCTION"}.get(kind)


def _is_path(target: str, *, docstring: Docstring, index: Index) -> bool:
    """Whether the part before the last dot is a module or a class rather than some object."""
    owner = target.split(".")[-2]
    kinds = index.kinds.get((docstring.package, owner), frozenset())
    return target.split(".")[0] in index.roots or (bool(kinds) and kinds <= {"class", "module"})


def _tags(words: list[str], kind: str, *, is_keyword: bool) -> list[str]:
    if kind == "O":
        return ["O"] * len(words)
    rest = "O" if is_keyword else f"I-{kind}"
    return [f"B-{kind}", *[rest] * (len(words) - 1)]


def _stands_apart(runs: list[Segment], position: int) -> bool:
    """Whether white space or punctuation, rather than a letter or a hyphen, is on both sides of a marked-up run."""
    before = runs[position - 1].text[-1:] if position else ""
    after = runs[position + 1].text[:1] if position + 1 < len(runs) else ""
    return not re.match(r"[\w\-=.\[(]", before.replace("(", "")) and not re.match(r"[\w\-=\[(']", after)


def _is_unmarked_name(
    word: str, named: set[str], docstring: Docstring, parameters: frozenset[str], index: Index
) -> bool:
    """Whether a word outside mark-up may name something; the article "a" is no parameter unless it is marked as one."""
    if word in named and re.match(r"\w", word) or (word in parameters and word != "a"):
        return True
    if CODE_SHAPE.search(word) or word in index.roots or (word in TYPES and word not in ENGLISH_TYPES):
        return True
    kinds = index.kinds.get((docstring.package, word), frozenset())
    return word[:1].isupper() and "class" in kinds
