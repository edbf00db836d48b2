"""Mark-up inside a line of prose: reStructuredText and Markdown, taken off, and what it said kept apart."""

import re
from dataclasses import dataclass

INLINE = re.compile(
    r":(?:[a-z]+:)?(?P<role>[a-z-]+):`(?P<target>[^`]+)`"
    r"|``(?P<literal>[^`]+)``"
    r"|\[`(?P<reference>[^`\]]+)`\](?:\([^)\s]*\))?"
    r"|`(?P<title>[^`<]+?)\s*<(?P<address>[^`>]+)>`_{0,2}"
    r"|`(?P<code>[^`]+)`_{0,2}"
    r"|\[(?P<label>[^\]]+)\]\((?:[^)\s]*)\)"
    r"|\*\*(?P<strong>[^*\s](?:[^*]*[^*\s])?)\*\*"
    r"|(?<![\w*])\*(?P<emphasis>[A-Za-z][^*]*?(?<!\s))\*(?![\w*])"
    r"|(?P<citation>\[(?:\d+|\w+\d{2,4}\w?|[A-Z]\w+)\]_)"
)
HOLE = re.compile(r" +(?=[ .,;])(?! ?\.\w)")  # what a citation leaves behind
MARKS = re.compile(r"[`*\[]")
TITLED = re.compile(r"^(?P<title>[^<]+?)\s*<(?P<target>[^>]+)>$")
CODE_ROLES = frozenset("class func meth mod exc attr obj data const function method module".split())


@dataclass(frozen=True)
class Segment:
    """A run of prose; `role` is empty for plain text, else the kind of mark-up, and `target` what it points at."""

    text: str
    role: str = ""
    target: str = ""


def segments(paragraph: str) -> list[Segment]:
    """A paragraph as plain runs and marked-up runs; the texts joined are the plain prose."""
    if not MARKS.search(paragraph):
        return [Segment(paragraph)]
    found: list[Segment] = []
    end = 0
    for match in INLINE.finditer(paragraph):
        found.append(Segment(paragraph[end : match.start()]))
        found.append(_segment(match))
        end = match.end()
    found.append(Segment(paragraph[end:]))
    return [segment for segment in found if segment.text]


def plain(paragraph: str) -> str:
    """A paragraph without its mark-up."""
    text = "".join(segment.text for segment in segments(paragraph))
    if "\\" in text:
        text = text.replace("\\ ", "").replace("\\*", "*").replace("\\_", "_")
    return HOLE.sub("", text).strip() if " " in text else text


def _segment(match: re.Match[str]) -> Segment:
    if match["role"]:
        return _role(match["role"], match["target"].strip())
    if match["reference"]:
        return _role("obj", match["reference"].strip())
    if match["title"]:
        return Segment(match["title"], "link")
    for name in ("literal", "code", "label", "strong", "emphasis"):
        if match[name]:
            role = {"literal": "code", "label": "link"}.get(name, name)
            return Segment(match[name].strip(), role, match[name].strip())
    return Segment("", "citation")


def _role(role: str, content: str) -> Segment:
    titled = TITLED.match(content)
    if titled:
        return Segment(titled["title"], role, titled["target"].lstrip("~!."))
    target = content.lstrip("~!.").removesuffix("()")
    shown = target.rsplit(".", 1)[-1] if content.startswith("~") else target
    return Segment(shown, role, target)
