"""Marks the words in which two texts differ: by style on a terminal, else by brackets."""

import re
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
    for tag, begin, end, its_begin, its_end in matcher.get_opcodes():
        is_same = tag == "equal"
        _append(marked[0], "".join(ours[begin:end]), "" if is_same else _LEFT, "[-{}-]", styled)
        _append(
            marked[1],
            "".join(theirs[its_begin:its_end]),
            "" if is_same else _RIGHT,
            "{{+{}+}}",
            styled,
        )
    return marked


def _append(text: Text, piece: str, style: str, brackets: str, styled: bool) -> None:
    if style and piece and not styled:
        piece = brackets.format(piece)
    text.append(piece, style if styled else None)
