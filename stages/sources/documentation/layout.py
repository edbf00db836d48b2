"""A docstring taken apart: its prose, and the arguments, returned values and exceptions that it describes.

Understands the numpydoc layout (underlined headers), the Google layout ("Args:" over an indented block), Sphinx fields
(":param x: ...") and Markdown.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from stages.sources.documentation.blocks import UNDERLINE, after_block, dedent, paragraphs

ITEM_TITLES = {
    "parameters": "parameters",
    "other parameters": "parameters",
    "args": "parameters",
    "arguments": "parameters",
    "keyword args": "parameters",
    "keyword arguments": "parameters",
    "params": "parameters",
    "returns": "returns",
    "return": "returns",
    "yields": "returns",
    "raises": "raises",
    "attributes": "attributes",
}
PROSE_TITLES = frozenset("note notes warning warnings description details tip summary remarks important".split())
DROPPED_TITLES = frozenset(
    "examples example references reference methods usage shape inputs outputs input output index todo".split()
    + ["see also", "example usage", "usage example"]
)
OTHER_TITLES = PROSE_TITLES | DROPPED_TITLES
HEADER = re.compile(r"^([A-Z][A-Za-z]+(?: [A-Za-z]+)?)\s*:{1,2}\s*$")
FIELD = re.compile(r"^:(?P<field>\w+)(?: (?P<name>[^:]+))?:\s*(?P<rest>.*)$")
GOOGLE_ITEM = re.compile(
    r"^(?P<name>`?\*{0,2}[A-Za-z_][\w.]*`?(?:, ?`?\*{0,2}[A-Za-z_]\w*`?)*)\s*(?:\((?P<type>.*)\))?\s*:(?P<rest>\s.*)?$"
)
LONGEST_TYPE = 4  # words, where nothing but its shortness shows that it is one
TAG = re.compile(r"</?(?:Tip|tip|br|p|div|details|summary|img|a|hfoption|hfoptions)\b[^>]*>")


@dataclass(frozen=True)
class Item:
    """One entry of a section: an argument, a returned value or an exception, with its mark-up."""

    section: str  # parameters, returns, raises or attributes
    name: str  # empty where a returned value has none
    type: str  # as written; empty where there is none
    paragraphs: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """A docstring's prose, in its order, and its items."""

    paragraphs: tuple[str, ...]
    items: tuple[Item, ...]


def parse(text: str) -> Layout:
    """Prose paragraphs (each one line, mark-up kept) and described items of a cleaned docstring."""
    prose: list[str] = []
    items: list[Item] = []
    for title, lines in _sections(TAG.sub("", text.expandtabs()).split("\n")):
        if title in ITEM_TITLES:
            section = ITEM_TITLES[title]
            found = list(_items(section, lines))
            items.extend(found)
        elif title not in DROPPED_TITLES:
            rest, fields = _without_fields(lines)
            items.extend(fields)
            prose.extend(paragraphs(rest))
    return Layout(tuple(prose), tuple(items))


def _sections(lines: list[str]) -> Iterator[tuple[str, list[str]]]:
    """(lower-case title, lines) for each part of a docstring; the title is empty before the first header."""
    title, body, indented = "", [], False
    position = 0
    while position < len(lines):
        line = lines[position]
        following = lines[position + 1] if position + 1 < len(lines) else ""
        google = HEADER.match(line)
        name = google[1].lower() if google else line.strip().lower()
        if line.strip() and not line.startswith(" ") and UNDERLINE.match(following):
            yield title, body
            title, body, indented, position = line.strip().rstrip(":").lower(), [], False, position + 2
            continue
        known = name in ITEM_TITLES or name in PROSE_TITLES or name in DROPPED_TITLES
        if google and known and _next_is_indented(lines, position):
            yield title, body
            title, body, indented, position = name, [], True, position + 1
            continue
        if indented and line.strip() and not line.startswith(" "):  # a Google section ends where its indentation does
            yield title, body
            title, body, indented = "", [], False
        body.append(line)
        position += 1
    yield title, body


def _next_is_indented(lines: list[str], position: int) -> bool:
    following = next((line for line in lines[position + 1 :] if line.strip()), "")
    return following.startswith(" ")


def _items(section: str, lines: list[str]) -> Iterator[Item]:
    """Entries of a section: a line at the margin with what is indented below it."""
    for head, body in _entries(dedent(lines)):
        name, kind, rest = _head(section, head)
        if (not name and not kind and not rest) or name.lower() in OTHER_TITLES:
            continue
        if _is_type(rest, body) and section in ("parameters", "returns") and not (name and kind):
            name, kind, rest = name or kind, rest, ""
        yield Item(section, name, kind, tuple(paragraphs([rest, *dedent(body)]) if rest else paragraphs(body)))


def _entries(lines: list[str]) -> Iterator[tuple[str, list[str]]]:
    head, body = "", []
    for line in lines:
        if line.strip() and not line.startswith(" "):
            if head:
                yield head, body
            head, body = line.strip(), []
        else:
            body.append(line)
    if head:
        yield head, body


def _head(section: str, line: str) -> tuple[str, str, str]:
    """(name, type, beginning of the description) of an entry's first line."""
    line = re.sub(r"^[-*] (?=\S)", "", line)
    numpydoc = re.match(
        r"^(?P<name>[`*]*[A-Za-z_][\w.]*[`*]*(?:, ?[`*]*[A-Za-z_]\w*[`*]*)*) :(?: (?P<type>.*))?$", line
    )
    google = GOOGLE_ITEM.match(line)
    if numpydoc and section != "raises":
        return _bare(numpydoc["name"]), (numpydoc["type"] or "").strip(), ""
    typed = re.match(r"^(?P<type>`?[A-Za-z_][\w.]*\[[\w.,|\[\] ]*\]`?):\s(?P<rest>.*)$", line)
    if section == "returns" and typed:
        return "", typed["type"], typed["rest"].strip()
    if google and (section != "returns" or google["type"] is None):
        rest = (google["rest"] or "").strip()
        if section == "returns":
            return "", _bare(google["name"]), rest
        return _bare(google["name"]), (google["type"] or "").strip(), rest
    if section == "returns":
        is_type = len(line.split()) <= 8 and not line.endswith(".")
        return ("", line, "") if is_type else ("", "", line)
    return (_bare(line), "", "") if re.match(r"^[`*\w.,: ]+$", line) and len(line.split()) <= 3 else ("", "", "")


def _is_type(rest: str, body: list[str]) -> bool:
    """Whether what follows "name:" is a type, with a description that begins on the next line."""
    begins = next((line.strip() for line in body if line.strip()), "")
    return bool(rest) and len(rest.split()) <= LONGEST_TYPE and rest[-1] not in ".:,;-" and begins[:1].isupper()


def _bare(name: str) -> str:
    return re.sub(r":\w+:|[`*~]", "", name).strip()


def _without_fields(lines: list[str]) -> tuple[list[str], list[Item]]:
    """Lines without Sphinx fields and bare Google entries, and these as items."""
    kept: list[str] = []
    items: list[Item] = []
    position = 0
    sections = {"param": "parameters", "parameter": "parameters", "arg": "parameters", "returns": "returns"}
    sections |= {"return": "returns", "raises": "raises", "raise": "raises"}
    while position < len(lines):
        line = lines[position]
        field, google = FIELD.match(line), GOOGLE_ITEM.match(line)
        end = after_block(lines, position + 1, line)
        if field:
            section = sections.get(field["field"])
            if section:
                name = (field["name"] or "").split(" ")[-1]
                items.append(
                    Item(section, name, "", tuple(paragraphs([field["rest"], *dedent(lines[position + 1 : end])])))
                )
            position = end
        elif google and google["type"] is not None and end > position + 1:
            text = [(google["rest"] or "").strip(), *dedent(lines[position + 1 : end])]
            if google["name"].lower() not in OTHER_TITLES:
                items.append(Item("parameters", _bare(google["name"]), google["type"], tuple(paragraphs(text))))
            position = end
        else:
            kept.append(line)
            position += 1
    return kept, items
