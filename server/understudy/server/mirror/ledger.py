"""Counts what becomes of every copy. Each tally has one writer, and the sum is made on reading.

For each silent model: offered = the sum of the outcomes + those that have not ended yet.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum

from msgspec import Struct

from understudy.server.domain.mirroring import Outcome, SilentEnd


class _Figure(StrEnum):  # whose hash is a string's, and not a call into Python
    OFFERED = "OFFERED"
    OUTCOME = "OUTCOME"
    SHED = "SHED"
    NOT_MIRRORED = "NOT_MIRRORED"


class Figures(Struct, frozen=True):
    """What became of one silent model's copies."""

    offered: int = 0
    outcomes: Mapping[str, int] = {}
    shed: Mapping[str, int] = {}  # by reason; their sum is the outcome SHED
    not_mirrored: Mapping[str, int] = {}  # by reason; these were never offered

    @property
    def open(self) -> int:
        """Copies that have not ended yet."""
        return self.offered - sum(self.outcomes.values())


class Tally:
    """The counts of one writer."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, _Figure, str], int] = {}

    def offer(self, silent_model: str) -> None:
        """Count a copy that was offered."""
        self._add(silent_model, _Figure.OFFERED)

    def end(self, end: SilentEnd) -> None:
        """Count a copy's end."""
        self._add(end.silent_model, _Figure.OUTCOME, end.outcome.value)
        if end.outcome is Outcome.SHED:
            self._add(end.silent_model, _Figure.SHED, end.reason)

    def refuse(self, silent_model: str, reason: str) -> None:
        """Count a prompt that was not offered."""
        self._add(silent_model, _Figure.NOT_MIRRORED, reason)

    def copy(self) -> Mapping[tuple[str, _Figure, str], int]:
        """Return the counts of this moment. From any thread: copying a dict is one step."""
        return self._counts.copy()

    def _add(self, silent_model: str, figure: _Figure, label: str = "") -> None:
        key = (silent_model, figure, label)
        self._counts[key] = self._counts.get(key, 0) + 1


def sum_up(tallies: Iterable[Tally]) -> Mapping[str, Figures]:
    """Return the figures of each silent model.

    Who counts offers comes last, or a copy could have ended without having been offered.
    """
    offered: Counter[str] = Counter()
    labelled: dict[_Figure, dict[str, Counter[str]]] = {figure: {} for figure in _Figure}
    for tally in tallies:
        for (name, figure, label), count in tally.copy().items():
            if figure is _Figure.OFFERED:
                offered[name] += count
            else:
                labelled[figure].setdefault(name, Counter())[label] += count
    names = offered.keys() | labelled[_Figure.NOT_MIRRORED].keys()
    return {
        name: Figures(
            offered[name],
            *(
                dict(labelled[figure].get(name, {}))
                for figure in (_Figure.OUTCOME, _Figure.SHED, _Figure.NOT_MIRRORED)
            ),
        )
        for name in sorted(names)
    }
