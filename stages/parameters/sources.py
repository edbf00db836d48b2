"""Section `sources`: what `fetch` brings to data/raw/NAME."""

from typing import Any

from stages.parameters.kinds import SourceKind
from stages.parameters.section import Section


class Source(Section):
    kind: SourceKind
    options: dict[str, Any]
    """What the kind of source reads; see its options.py."""
