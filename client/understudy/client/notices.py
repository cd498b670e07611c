"""Warns, once, that an answer came otherwise than by the experiment that its call names.

The server says so with each answer; a program that logs warnings should read it one time.
"""

import sys
import warnings
from collections.abc import Iterable
from typing import Final, Protocol

REASONS: Final = frozenset({"SPLIT_DIFFERS", "NOT_REGISTERED", "EXPERIMENT_NOT_STARTED"})

_OWN: Final = "understudy."


class Notice(Protocol):
    """A warning of the server's."""

    @property
    def reason(self) -> str:
        """UPPER_SNAKE_CASE."""
        ...

    @property
    def message(self) -> str:
        """For people."""
        ...


class ExperimentWarning(UserWarning):
    """An experiment that is followed serves another split than the call names, or none yet."""


class Notices:
    """What one client has been told of its experiments. For any number of threads."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], object] = {}

    def heed(self, experiment: str, notices: Iterable[Notice]) -> None:
        """Warn of what is said of an experiment for the first time."""
        if not experiment:
            return
        for one in notices:
            if one.reason not in REASONS:
                continue
            mine = object()
            # One step, so that of two threads one is first.
            if self._told.setdefault((experiment, one.reason), mine) is mine:
                warnings.warn(one.message, ExperimentWarning, stacklevel=_callers_level())


def _callers_level() -> int:
    """Return the `stacklevel` at which `heed` sees the first line that is not of this package."""
    level = 1
    frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage] # as `warnings` itself does
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(_OWN):
        frame = frame.f_back
        level += 1
    return level
