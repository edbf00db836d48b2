"""Docstrings, their layout, their mark-up, and the choice of rows."""

from demonstration import docstrings, layout, prose
from demonstration.layout import Item
from demonstration.prose import Segment
from demonstration.selection import SPLITS, Candidate, select

SOURCE = '''"""A module."""
class Sheet:
    """A sheet."""
    def __init__(self, width, *, height=1): ...
    @property
    def area(self):
        """Its size."""
    def turn(self, angle, *rest):
        """Turn it."""
        def inner():
            """Not public."""
add_newdoc("fold.core", "press", """Press it.""")
'''

MIXED: str = """The first
paragraph::

    some = code

>>> 1 + 1
2

===== =====
a     b
===== =====

- one entry,
  in two lines
- another entry

.. math:: x^2

.. versionadded:: 1.2
.. note:: Mind the
   gap.

```python
more = code
```
The last."""


def test_docstrings_come_with_their_kind_and_the_parameters_in_scope() -> None:
    texts, definitions = docstrings.read(SOURCE, package="fold", module="fold.core")
    assert [(item.name, item.kind, item.text, item.parameters) for item in texts] == [
        ("", "module", "A module.", ()),
        ("Sheet", "class", "A sheet.", ("width", "height")),
        ("Sheet.area", "property", "Its size.", ("width", "height")),
        ("Sheet.turn", "function", "Turn it.", ("angle", "rest", "width", "height")),
        ("press", "function", "Press it.", ()),
    ]
    assert ("fold.core.Sheet.area", "property") in [(item.path, item.kind) for item in definitions]
    copied = "# automatically generated from sheet.py\n" + SOURCE
    assert docstrings.read(copied, package="p", module="m") == ([], [])


def test_only_prose_stays_of_the_lines_of_a_docstring() -> None:
    assert layout.paragraphs(MIXED.split("\n")) == [
        "The first paragraph:",
        "one entry, in two lines",
        "another entry",
        "Added in version 1.2.",
        "Mind the gap.",
        "The last.",
    ]


def test_numpydoc_google_and_field_layouts_give_the_same_items() -> None:
    numpydoc = "Do.\n\nParameters\n----------\nwide : int\n    The width.\n\nRaises\n------\nKeyError\n    If lost."
    google = "Do.\n\nArgs:\n    wide (int): The width.\n\nRaises:\n    KeyError: If lost."
    expected = (Item("parameters", "wide", "int", ("The width.",)), Item("raises", "KeyError", "", ("If lost.",)))
    assert layout.parse(numpydoc) == layout.parse(google) == layout.Layout(("Do.",), expected)
    fields = layout.parse("Do.\n\n:param int wide: The width.\n:raises KeyError: If lost.")
    assert [(item.name, item.paragraphs) for item in fields.items] == [(i.name, i.paragraphs) for i in expected]
    after_google = layout.parse("Do.\n\nReturns:\n    The sum.\n\nMore is said here.")
    assert after_google.paragraphs == ("Do.", "More is said here.")


def test_mark_up_is_removed_and_kept_as_the_role_of_its_segment() -> None:
    line = "See :class:`~a.b.Sheet`, ``x``, [`~Sheet.turn`] and `the guide <https://x.org>`_ [1]_."
    assert prose.plain(line) == "See Sheet, x, turn and the guide."
    marked = [segment for segment in prose.segments(line) if segment.role]
    assert marked == [
        Segment("Sheet", "class", "a.b.Sheet"),
        Segment("x", "code", "x"),
        Segment("turn", "obj", "Sheet.turn"),
        Segment("the guide", "link"),
    ]


def test_a_sentence_does_not_end_at_an_abbreviation() -> None:
    text = "Use it, e.g. In a test. See Smith et al. (2001) for more. It is 0.5 by default."
    assert prose.sentences(text) == [
        "Use it, e.g. In a test.",
        "See Smith et al. (2001) for more.",
        "It is 0.5 by default.",
    ]


def test_all_rows_of_a_module_are_in_one_split_and_repeated_text_is_in_none_twice() -> None:
    texts = [
        "one two three four five six seven {}",
        "ONE  two three four five six seven {}!",
        "other words say {} here",
    ]
    candidates = [
        Candidate(f"module{number % 40}", f"unit{number}", ("all",), texts[number % 3].format(number), {"n": number})
        for number in range(400)
    ]
    kept = select(candidates, limits=dict.fromkeys(SPLITS, 500), share=lambda group: 1.0)
    assert [{"n": 0}, {"n": 2}] == sorted((row for split in SPLITS for row in kept[split]), key=str)


def test_a_group_fills_no_more_than_its_share() -> None:
    candidates = [
        Candidate(f"m{n}", f"u{n}", ("big" if n % 5 else "small",), f"text {chr(97 + n % 26) * (n + 1)} x", {"n": n})
        for n in range(300)
    ]
    limits = {"train": 20, "validation": 10, "test": 10}
    kept = select(candidates, limits=limits, share=lambda group: 0.5)
    sizes = {split: (sum(bool(row["n"] % 5) for row in kept[split]), len(kept[split])) for split in SPLITS}  # type: ignore[operator]
    assert sizes["train"] == (10, 20)
    assert all(big <= 5 for split, (big, _) in sizes.items() if split != "train")
