"""Valid input spoilt at random: bytes of a file, or values of a tree."""

import copy
from typing import Any

from hypothesis import strategies as st

NASTY = [
    *(b"", b"\x00", b"\xff\xfe", b'"', b"\n", b"\r", b",", b"{", b"}", b"'", b"\t", b"-1", b"NaN", b"null", b"true"),
    *(b"[" * 100_000, b"9" * 5000, b"1e999", b"\\ud800", b"\xed\xa0\x80", "\N{RIGHT-TO-LEFT OVERRIDE}".encode()),
]
SCALARS = [
    *(None, True, False, 0, -1, 1, 3, 10**30, 0.0, -0.5, 1e-300, float("inf"), float("nan"), "", "x", "1e-3", "auto"),
    *("../..", "/", "data/raw", "${oops}", "\x00", "é" * 300, [], [1], ["a", "b"], {}, {"a": 1}),
]


@st.composite
def spoilt_bytes(draw: st.DrawFn, whole: bytes) -> bytes:
    """Up to four cuts, insertions, repetitions and flipped bits."""
    content = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(len(content) - 1, 0)))
        match draw(st.sampled_from(["cut", "remove", "insert", "repeat", "flip", "replace"])):
            case "cut":
                del content[place:]
            case "remove":
                del content[place : place + draw(st.integers(1, 40))]
            case "insert":
                content[place:place] = draw(st.sampled_from(NASTY) | st.binary(max_size=20))
            case "repeat":
                content[place:place] = content[place : place + draw(st.integers(1, 40))]
            case "flip" if content:
                content[place] ^= 1 << draw(st.integers(0, 7))
            case _:
                content[place : place + draw(st.integers(1, 12))] = draw(st.sampled_from(NASTY))
    return bytes(content)


@st.composite
def spoilt_tree(draw: st.DrawFn, whole: dict[str, Any]) -> dict[str, Any]:
    """Up to three values replaced, keys removed, renamed or added, at any depth."""
    tree = copy.deepcopy(whole)
    for _ in range(draw(st.integers(1, 3))):
        inner: dict[Any, Any] = tree
        key = draw(st.sampled_from(sorted(inner, key=str))) if inner else None
        while isinstance(deeper := inner.get(key), dict) and deeper and draw(st.booleans() | st.just(True)):
            inner = deeper
            key = draw(st.sampled_from(sorted(inner, key=str)))
        if inner:
            _spoil(draw, inner, key)
    return tree


def _spoil(draw: st.DrawFn, inner: dict[Any, Any], key: Any) -> None:
    match draw(st.sampled_from(["replace", "replace", "remove", "rename", "add"])):
        case "replace":
            inner[key] = copy.deepcopy(
                draw(st.sampled_from(SCALARS) | st.integers() | st.floats() | st.text(max_size=8))
            )
        case "remove":
            del inner[key]
        case "rename":
            inner[draw(st.text(max_size=8))] = inner.pop(key)
        case _:
            inner[draw(st.text(max_size=8))] = copy.deepcopy(draw(st.sampled_from(SCALARS)))
