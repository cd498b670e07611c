"""Tells the log when a receiver goes away, when things are lost, and when it is back.

Each is told once for a spell, not once for a batch. Hosts and causes are said, keys never.
"""

import logging
from collections import Counter
from collections.abc import Callable
from typing import Final

_QUIET: Final = 60.0  # seconds between two lines about losses

_LOG = logging.getLogger(__name__)


class Troubles:
    """What is wrong with one receiver now. For one lock's holders."""

    def __init__(self, name: str, clock: Callable[[], float]) -> None:
        self._name = name
        self._clock = clock
        self.away = ""
        self._lost: Counter[str] = Counter()  # by cause, not told of yet
        self._told: float | None = None

    def note_away(self, why: str) -> None:
        """The receiver took nothing."""
        if not self.away:
            _LOG.warning("%s: %s; what comes is held and tried again", self._name, why)
        self.away = why

    def note_arrival(self) -> None:
        """The receiver took something."""
        if self.away:
            self.away = ""
            self._tell_losses()
            _LOG.info("%s: it takes what it is sent again", self._name)

    def note_loss(self, count: int, why: str) -> None:
        """So many items were dropped."""
        self._lost[why] += count
        now = self._clock()
        if self._told is None or now - self._told >= _QUIET:
            self._told = now
            self._tell_losses()

    def note_end(self) -> None:
        """Nothing more will come."""
        self._tell_losses()

    def _tell_losses(self) -> None:
        if self._lost:
            causes = "; ".join(f"{count} dropped: {why}" for why, count in self._lost.items())
            _LOG.warning("%s: %s", self._name, causes)
            self._lost.clear()
