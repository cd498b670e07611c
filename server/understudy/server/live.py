"""Holds the configuration in use. It is swapped whole; a request reads it once, at its start.

It has two halves that change by themselves: what the file says, and the experiments.
"""

from dataclasses import replace

from understudy.server.domain.deployment import Snapshot
from understudy.server.domain.experiments import Roster
from understudy.server.routing.assignment import takeovers


class Live:
    """The current snapshot. Reading and swapping are single steps, so no lock is needed."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._current = snapshot
        self._is_waiting = False

    @property
    def current(self) -> Snapshot:
        """The snapshot that a request starting now shall use to its end."""
        return self._current

    @property
    def is_waiting(self) -> bool:
        """Whether there may be experiments that are not known yet, so that nobody may be asked."""
        return self._is_waiting

    def wait(self) -> None:
        """Wait for the experiments."""
        self._is_waiting = True

    def reload(self, snapshot: Snapshot) -> None:
        """Use what another file says, with the experiments that are in use."""
        current = self._current
        self._current = replace(
            snapshot,
            revision=current.revision,
            experiments=current.experiments,
            takeovers=current.takeovers,
        )

    def follow(self, roster: Roster) -> None:
        """Use other experiments. Whether they are newer is for whoever follows the store to see."""
        self._is_waiting = False
        self._current = replace(
            self._current,
            revision=roster.revision,
            experiments=roster.experiments,
            takeovers=takeovers(roster.experiments.values()),
        )
