"""A docstring taken apart: its prose, and the arguments, returned values and exceptions that it describes.

Understands the numpydoc layout (underlined headers), the Google layout ("Args:" over an indented block), Sphinx fields
(":param x: ...") and Markdown. Prose is paragraphs and list entries; code examples, tables, formulas, literal blocks,
references and directives without prose are left out.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

# Sections
PARAMETERS = ("parameters", "other parameters", "args", "arguments", "keyword args", "keyword arguments", "params")
ITEM_TITLES = {
    **dict.fromkeys(PARAMETERS, "parameters"),
    **dict.fromkeys(("returns", "return", "yields"), "returns"),
    **{"raises": "raises", "attributes": "attributes"},
}
PROSE_TITLES = frozenset("note notes warning warnings description details tip summary remarks important".split())
DROPPED_TITLES = frozenset(
    "examples example references reference methods usage shape inputs outputs input output index todo".split()
    + ["see also", "example usage", "usage example"]
)
OTHER_TITLES = PROSE_TITLES | DROPPED_TITLES
TITLES = OTHER_TITLES | ITEM_TITLES.keys()
HEADER = re.compile(r"^([A-Z][A-Za-z]+(?: [A-Za-z]+)?)\s*:{1,2}\s*$")
UNDERLINE = re.compile(r"^\s*([-=~^\"*#+])\1{2,}\s*$")
TAG = re.compile(r"</?(?:Tip|tip|br|p|div|details|summary|img|a|hfoption|hfoptions)\b[^>]*>")

# Items
FIELD = re.compile(r"^:(?P<field>\w+)(?: (?P<name>[^:]+))?:\s*(?P<rest>.*)$")
FIELD_SECTIONS = {
    **dict.fromkeys(("param", "parameter", "arg"), "parameters"),
    **dict.fromkeys(("returns", "return"), "returns"),
    **dict.fromkeys(("raises", "raise"), "raises"),
}
NUMPYDOC_ITEM = re.compile(r"^(?P<name>[`*]*[A-Za-z_][\w.]*[`*]*(?:, ?[`*]*[A-Za-z_]\w*[`*]*)*) :(?: (?P<type>.*))?$")
GOOGLE_ITEM = re.compile(
    r"^(?P<name>`?\*{0,2}[A-Za-z_][\w.]*`?(?:, ?`?\*{0,2}[A-Za-z_]\w*`?)*)\s*(?:\((?P<type>.*)\))?\s*:(?P<rest>\s.*)?$"
)
TYPED_RETURN = re.compile(r"^(?P<type>`?[A-Za-z_][\w.]*\[[\w.,|\[\] ]*\]`?):\s(?P<rest>.*)$")
LONGEST_TYPE = 4  # words, where nothing but its shortness shows that it is one

# Lines
DIRECTIVE = re.compile(r"^\.\. *(?P<name>[\w:-]+?) *::(?P<rest>.*)$")
ADMONITIONS = frozenset("note warning tip important caution hint attention rubric admonition".split())
VERSIONS = {
    "versionadded": "Added in version",
    "versionchanged": "Changed in version",
    "deprecated": "Deprecated since version",
}
BULLET = re.compile(r"^(?:[-*+\u2022]|\d{1,2}[.)]|\(?[a-z\d]\))\s+(?=\S)")
TABLE = re.compile(r"^\s*(?:[=+|-]{2,}[\s=+|-]*|\|.*\||\+[-=].*)\s*$|\S {3,}\S.* {3,}\S")
TABLE_BORDERS = frozenset('=+|-~^"*#')


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

    def all_paragraphs(self) -> list[str]:
        """The prose, then the descriptions of the items."""
        return [*self.paragraphs, *(paragraph for item in self.items for paragraph in item.paragraphs)]


def parse(text: str) -> Layout:
    """Prose paragraphs (each one line, mark-up kept) and described items of a cleaned docstring."""
    prose: list[str] = []
    items: list[Item] = []
    for title, lines in _sections(TAG.sub("", text.expandtabs()).split("\n")):
        if title in ITEM_TITLES:
            items.extend(_items(ITEM_TITLES[title], lines))
        elif title not in DROPPED_TITLES:
            rest, fields = _without_fields(lines)
            items.extend(fields)
            prose.extend(paragraphs(rest))
    return Layout(tuple(prose), tuple(items))


def _sections(lines: list[str]) -> Iterator[tuple[str, list[str]]]:
    """(lower-case title, lines) for each part of a docstring; the title is empty before the first header."""
    title, body, indented, position = "", [], False, 0
    while position < len(lines):
        line, following = lines[position], lines[position + 1 :]
        at_margin, google = line.strip() and not line.startswith(" "), HEADER.match(line)
        position += 1
        if at_margin and following and UNDERLINE.match(following[0]):
            yield title, body
            title, body, indented, position = line.strip().rstrip(":").lower(), [], False, position + 1
        elif google and google[1].lower() in TITLES and next(filter(str.strip, following), "").startswith(" "):
            yield title, body
            title, body, indented = google[1].lower(), [], True
        elif indented and at_margin:  # a Google section ends where its indentation does
            yield title, body
            title, body, indented = "", [line], False
        else:
            body.append(line)
    yield title, body


def _items(section: str, lines: list[str]) -> Iterator[Item]:
    """Entries of a section: a line at the margin with what is indented below it."""
    for head, body in _entries(_dedent(lines)):
        name, kind, rest = _parse_head(section, head)
        if (not name and not kind and not rest) or name.lower() in OTHER_TITLES:
            continue
        if _is_type(rest, body) and section in ("parameters", "returns") and not (name and kind):
            name, kind, rest = name or kind, rest, ""
        yield Item(section, name, kind, tuple(paragraphs([rest, *_dedent(body)]) if rest else paragraphs(body)))


def _entries(lines: list[str]) -> list[tuple[str, list[str]]]:
    entries: list[tuple[str, list[str]]] = [("", [])]
    for line in lines:
        if line.strip() and not line.startswith(" "):
            entries.append((line.strip(), []))
        else:
            entries[-1][1].append(line)
    return entries[1:]


def _parse_head(section: str, line: str) -> tuple[str, str, str]:
    """(name, type, beginning of the description) of an entry's first line."""
    line = re.sub(r"^[-*] (?=\S)", "", line)
    numpydoc, google, typed = NUMPYDOC_ITEM.match(line), GOOGLE_ITEM.match(line), TYPED_RETURN.match(line)
    if numpydoc and section != "raises":
        return _bare(numpydoc["name"]), (numpydoc["type"] or "").strip(), ""
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
    """Whether the text after "name:" is a type, with a description that begins on the next line."""
    description = next((line.strip() for line in body if line.strip()), "")
    return bool(rest) and len(rest.split()) <= LONGEST_TYPE and rest[-1] not in ".:,;-" and description[:1].isupper()


def _bare(name: str) -> str:
    return re.sub(r":\w+:|[`*~]", "", name).strip()


def _without_fields(lines: list[str]) -> tuple[list[str], list[Item]]:
    """The lines without Sphinx fields and bare Google entries, and these as items."""
    kept: list[str] = []
    items: list[Item] = []
    position = 0
    while position < len(lines):
        line = lines[position]
        field, google = FIELD.match(line), GOOGLE_ITEM.match(line)
        end = _after_block(lines, position + 1, line)
        block = lines[position + 1 : end]
        if field:
            if section := FIELD_SECTIONS.get(field["field"]):
                name = (field["name"] or "").split(" ")[-1]
                items.append(Item(section, name, "", tuple(paragraphs([field["rest"], *_dedent(block)]))))
            position = end
        elif google and google["type"] is not None and block:
            if google["name"].lower() not in OTHER_TITLES:
                description = paragraphs([(google["rest"] or "").strip(), *_dedent(block)])
                items.append(Item("parameters", _bare(google["name"]), google["type"], tuple(description)))
            position = end
        else:
            kept.append(line)
            position += 1
    return kept, items


def paragraphs(lines: list[str]) -> list[str]:
    """The prose among lines: one string per paragraph or list entry, white space collapsed."""
    blocks: list[list[str]] = [[]]
    for line in map(str.strip, _prose_lines(_dedent(lines))):
        if blocks[-1] and (not line or BULLET.match(line)):
            blocks.append([])
        if line:
            blocks[-1].append(BULLET.sub("", line))
    return [re.sub(r"\s+", " ", " ".join(block)).strip() for block in blocks if block]


def _prose_lines(lines: list[str]) -> Iterator[str]:
    """Lines without examples, tables, literal blocks and directives; an empty line in the place of each."""
    position = 0
    while position < len(lines):
        line = lines[position]
        stripped = line.strip()
        directive = DIRECTIVE.match(stripped) if stripped.startswith("..") else None
        position += 1
        kept = [""]
        if stripped.startswith((">>>", "...", "$ ", "In [")):
            position = _after_paragraph(lines, position)
        elif stripped.startswith(("```", "~~~", "$$", "\\[")):
            position = _after_fence(lines, position, stripped)
        elif directive:
            position, prose = _directive(lines, position, directive)
            kept = ["", *prose, ""]
        elif stripped.startswith(".. ") or (position < len(lines) and stripped and UNDERLINE.match(lines[position])):
            position = _after_block(lines, position, line) if stripped.startswith(".. ") else position + 1
        elif ("  " in stripped or stripped[:1] in TABLE_BORDERS) and (TABLE.search(line) or UNDERLINE.match(line)):
            position = _after_paragraph(lines, position)
        elif stripped.endswith("::"):
            position = _after_block(lines, position, line)
            kept = [stripped[:-1] if stripped != "::" else "", ""]
        else:
            kept = [line]
        yield from kept


def _directive(lines: list[str], position: int, match: re.Match[str]) -> tuple[int, list[str]]:
    """The position after a directive, and its prose."""
    end = _after_block(lines, position, lines[position - 1])
    name, rest = match["name"], match["rest"].strip()
    content = [line for line in _dedent(lines[position:end]) if not re.match(r"^:[\w-]+:", line.strip())]
    if name in VERSIONS:
        version, _, more = rest.partition(" ")
        lead = [f"{VERSIONS[name]} {version.rstrip('.:')}.", ""] if re.match(r"^v?\d", version) else []
        return end, lead + [more.strip()] + list(_prose_lines(content))
    if name in ADMONITIONS:
        return end, ([rest] if name not in ("rubric", "admonition") else []) + list(_prose_lines(content))
    return end, []


def _after_paragraph(lines: list[str], position: int) -> int:
    while position < len(lines) and lines[position].strip():
        position += 1
    return position


def _after_fence(lines: list[str], position: int, opening: str) -> int:
    fence = {"\\[": "\\]"}.get(opening[:2], opening[:2] if opening.startswith("$$") else opening[:3])
    if opening.count(fence) > 1 and len(opening) > len(fence):
        return position
    while position < len(lines) and fence not in lines[position]:
        position += 1
    return position + 1


def _after_block(lines: list[str], position: int, opening: str) -> int:
    """The first position after an indented block that belongs to an opening line."""
    margin = _indentation(opening)
    while position < len(lines) and (not lines[position].strip() or _indentation(lines[position]) > margin):
        position += 1
    return position


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())


def _dedent(lines: list[str]) -> list[str]:
    margin = min((_indentation(line) for line in lines if line.strip()), default=0)
    return [line[margin:] for line in lines]
