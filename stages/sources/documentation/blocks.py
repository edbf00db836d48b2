"""Which lines of a docstring are prose: paragraphs and list entries.

Code examples, tables, formulas, literal blocks, references and directives without prose are left out.
"""

import re
from collections.abc import Iterator

UNDERLINE = re.compile(r"^\s*([-=~^\"*#+])\1{2,}\s*$")
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


def paragraphs(lines: list[str]) -> list[str]:
    """The prose among lines: one string per paragraph or list entry, white space collapsed."""
    found: list[str] = []
    current: list[str] = []
    for line in _prose_lines(dedent(lines)):
        starts_entry = BULLET.match(line.strip())
        if current and (not line.strip() or starts_entry):
            found.append(" ".join(current))
            current = []
        if line.strip():
            current.append(BULLET.sub("", line.strip()))
    if current:
        found.append(" ".join(current))
    return [re.sub(r"\s+", " ", paragraph).strip() for paragraph in found]


def _prose_lines(lines: list[str]) -> Iterator[str]:
    """Lines without examples, tables, literal blocks and directives; an empty line where something was left out."""
    position = 0
    while position < len(lines):
        line = lines[position]
        stripped = line.strip()
        directive = DIRECTIVE.match(stripped) if stripped.startswith("..") else None
        position += 1
        if stripped.startswith((">>>", "...", "$ ", "In [")):
            position = _after_paragraph(lines, position)
            yield ""
        elif stripped.startswith(("```", "~~~", "$$", "\\[")):
            position = _after_fence(lines, position, stripped)
            yield ""
        elif directive:
            position, kept = _directive(lines, position, directive)
            yield ""
            yield from kept
            yield ""
        elif stripped.startswith(".. ") or (position < len(lines) and stripped and UNDERLINE.match(lines[position])):
            position = after_block(lines, position, line) if stripped.startswith(".. ") else position + 1
            yield ""
        elif ("  " in stripped or stripped[:1] in TABLE_BORDERS) and (TABLE.search(line) or UNDERLINE.match(line)):
            position = _after_paragraph(lines, position)
            yield ""
        elif stripped.endswith("::"):
            yield stripped[:-1] if stripped != "::" else ""
            position = after_block(lines, position, line)
            yield ""
        else:
            yield line


def _directive(lines: list[str], position: int, match: re.Match[str]) -> tuple[int, list[str]]:
    """Where a directive ends, and the prose it has."""
    end = after_block(lines, position, lines[position - 1])
    name, rest = match["name"], match["rest"].strip()
    content = [line for line in dedent(lines[position:end]) if not re.match(r"^:[\w-]+:", line.strip())]
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


def after_block(lines: list[str], position: int, opening: str) -> int:
    """The first line after an indented block that belongs to an opening line."""
    margin = _indentation(opening)
    while position < len(lines) and (not lines[position].strip() or _indentation(lines[position]) > margin):
        position += 1
    return position


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())


def dedent(lines: list[str]) -> list[str]:
    margin = min((_indentation(line) for line in lines if line.strip()), default=0)
    return [line[margin:] for line in lines]
