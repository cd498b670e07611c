"""Marks which words of two texts differ. Pure, and bounded: somebody waits for it.

The shortest way from one to the other is found by Myers' algorithm, and given up where it is long:
two texts with little in common are read sooner without marks.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

MOST_CHARACTERS: Final = 20_000  # of each text; the rest is not compared
MOST_CHANGES: Final = 400  # words taken out or put in

_WORD: Final = re.compile(r"\w+|\s+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Run:
    """Some words, and whether the other text has them at this place."""

    text: str
    is_shared: bool


@dataclass(frozen=True, slots=True)
class Marked:
    """Two texts in runs. `is_compared` is false where they have too little in common."""

    left: tuple[Run, ...]
    right: tuple[Run, ...]
    is_compared: bool = True


def mark(left: str, right: str) -> Marked:
    """Return both texts with their differences."""
    ours, theirs = _WORD.findall(left), _WORD.findall(right)
    shared = _match(ours, theirs)
    if shared is None:
        return Marked((Run(left, True),), (Run(right, True),), is_compared=False)
    return Marked(
        _join(ours, {one for one, _ in shared}), _join(theirs, {one for _, one in shared})
    )


def _match(ours: Sequence[str], theirs: Sequence[str]) -> list[tuple[int, int]] | None:
    """Return which words are the same, as pairs of places; `None` if it takes too long to say."""
    least = min(len(ours), len(theirs))
    begin = next((at for at in range(least) if ours[at] != theirs[at]), least)
    end = 0
    while end < least - begin and ours[-1 - end] == theirs[-1 - end]:
        end += 1
    middle = _walk(ours[begin : len(ours) - end], theirs[begin : len(theirs) - end])
    if middle is None:
        return None
    head = [(at, at) for at in range(begin)]
    tail = [(len(ours) - at, len(theirs) - at) for at in range(end, 0, -1)]
    return head + [(one + begin, other + begin) for one, other in middle] + tail


def _walk(ours: Sequence[str], theirs: Sequence[str]) -> list[tuple[int, int]] | None:
    furthest = {1: 0}  # on each diagonal, how far along `ours` so many changes lead
    history: list[dict[int, int]] = []
    for changes in range(min(MOST_CHANGES, len(ours) + len(theirs)) + 1):
        history.append(furthest.copy())
        for diagonal in range(-changes, changes + 1, 2):
            x = _step(furthest, diagonal, changes)
            y = x - diagonal
            while x < len(ours) and y < len(theirs) and ours[x] == theirs[y]:
                x, y = x + 1, y + 1
            furthest[diagonal] = x
            if x >= len(ours) and y >= len(theirs):
                return _walk_back(history, len(ours), len(theirs))
    return None


def _step(furthest: dict[int, int], diagonal: int, changes: int) -> int:
    is_down = diagonal == -changes or (
        diagonal != changes and furthest[diagonal - 1] < furthest[diagonal + 1]
    )
    return furthest[diagonal + 1] if is_down else furthest[diagonal - 1] + 1


def _walk_back(history: Sequence[dict[int, int]], x: int, y: int) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for changes in range(len(history) - 1, -1, -1):
        furthest, diagonal = history[changes], x - y
        start = _step(furthest, diagonal, changes)
        while x > start and y > start - diagonal:
            x, y = x - 1, y - 1
            found.append((x, y))
        if changes:
            is_down = start == furthest.get(diagonal + 1) and (
                diagonal == -changes
                or (diagonal != changes and furthest[diagonal - 1] < furthest[diagonal + 1])
            )
            x, y = (start, start - diagonal - 1) if is_down else (start - 1, start - diagonal)
    return found[::-1]


def _join(words: Sequence[str], shared: set[int]) -> tuple[Run, ...]:
    runs: list[Run] = []
    begin = 0
    for at in range(1, len(words) + 1):
        if at == len(words) or (at in shared) != (begin in shared):
            runs.append(Run("".join(words[begin:at]), begin in shared))
            begin = at
    return tuple(runs)
