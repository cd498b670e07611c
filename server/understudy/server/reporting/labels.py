"""Gives texts small numbers, so that a column of them is one of numbers. In bounded memory."""

from collections.abc import Iterable
from typing import Final

import numpy as np

from understudy.server.domain.figures import OTHER
from understudy.server.reporting.columns import Codes

MOST_SHOWN: Final = 50
MOST_SEEN: Final = 100_000  # different texts, after which new ones are not told apart
MANY: Final = -1  # the code of what is not told apart


class Labels:
    """Texts in the order in which they were first seen, and a column of which one stands where.

    An absent text is the empty one.
    """

    def __init__(self, most: int = MOST_SEEN) -> None:
        self._most = most
        self._codes: dict[str, int] = {}
        self._chunks: list[Codes] = []

    def extend(self, texts: Iterable[str | None]) -> None:
        """Add texts to the column."""
        self._chunks.append(np.array([self._code(one or "") for one in texts], dtype=np.int64))

    def take(self) -> Codes:
        """Return the column, and let go of it."""
        chunks, self._chunks = self._chunks, []
        return np.concatenate(chunks) if chunks else np.empty(0, dtype=np.int64)

    @property
    def names(self) -> tuple[str, ...]:
        """The texts, each at the place of its code."""
        return tuple(self._codes)

    def find(self, text: str) -> int | None:
        """Return the code of a text, `None` if it was not seen."""
        return self._codes.get(text)

    def _code(self, text: str) -> int:
        code = self._codes.get(text)
        if code is None:
            if len(self._codes) >= self._most:
                return MANY
            code = self._codes[text] = len(self._codes)
        return code


def keep_largest(column: Codes, names: tuple[str, ...], most: int = MOST_SHOWN) -> list[str]:
    """Make all but the most frequent texts one; return the names, by code, of what is left.

    The column is changed in place: the codes in it are then those of the names returned, the most
    frequent first, and `other` the last if there are more.
    """
    counts = np.bincount(column[column >= 0], minlength=len(names))
    order = sorted(
        (code for code in range(len(names)) if counts[code]),
        key=lambda code: (-counts[code], names[code]),
    )
    kept = order[:most]
    shown = [names[code] for code in kept]
    others = len(order) > most or bool((column == MANY).any())
    table = np.full(len(names) + 1, len(kept), dtype=np.int64)  # the last place is that of MANY
    for place, code in enumerate(kept):
        table[code] = place
    column[:] = table[column]
    if others:
        shown.append(OTHER)
    return shown
