"""Marks the words in which two texts differ: by style on a terminal, else by brackets."""

import re
from collections.abc import Iterable
from difflib import SequenceMatcher

from rich.text import Text

MOST_WORDS = 1500  # of either text; beyond, to find the differences takes longer than to read them

_WORD = re.compile(r"\s+|\w+|[^\w\s]")
_LEFT, _RIGHT = "bold red", "bold green"


def mark_differences(left: str, right: str, *, styled: bool) -> tuple[Text, Text]:
    """Return both texts, each with what the other has not marked."""
    ours, theirs = _WORD.findall(left), _WORD.findall(right)
    if max(len(ours), len(theirs)) > MOST_WORDS:
        return Text(left), Text(right)
    marked = Text(), Text()
    matcher = SequenceMatcher(None, ours, theirs, autojunk=False)
    for is_same, mine, its in _join(
        (tag == "equal", "".join(ours[a:b]), "".join(theirs[c:d]))
        for tag, a, b, c, d in matcher.get_opcodes()
    ):
        _append(marked[0], mine, "" if is_same else _LEFT, "[-{}-]", styled)
        _append(marked[1], its, "" if is_same else _RIGHT, "{{+{}+}}", styled)
    return marked


def _join(pieces: Iterable[tuple[bool, str, str]]) -> list[tuple[bool, str, str]]:
    """Return pieces without those that share nothing but a blank between two differences."""
    joined: list[tuple[bool, str, str]] = []
    for is_same, mine, its in pieces:
        differs = not is_same or (bool(joined) and mine.isspace())
        if differs and joined and not joined[-1][0]:
            _, before, its_before = joined.pop()
            joined.append((False, before + mine, its_before + its))
        else:
            joined.append((is_same, mine, its))
    return joined


def _append(text: Text, piece: str, style: str, brackets: str, styled: bool) -> None:
    if style and piece and not styled:
        piece = brackets.format(piece)
    text.append(piece, style if styled else None)
