"""What the README tells its readers to type."""

import re
import shlex

from benchmarks.clones import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """Its code blocks in a language."""
    pairs = re.findall(r"^```(\w*)\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)
    return [block for name, block in pairs if name == language]


def command(start: str) -> list[str]:
    """Its first command with this start, without the comment."""
    line = next(line for block in blocks("") for line in block.splitlines() if line.startswith(start))
    return shlex.split(line, comments=True)
