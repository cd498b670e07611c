"""How calls and offers ended, as small numbers for columns. Pure."""

from enum import IntEnum
from typing import Final

from understudy.server.domain.figures import CANCELLED, TIMED_OUT
from understudy.server.domain.mirroring import Outcome


class End(IntEnum):
    """How a call ended. What was given up says nothing of the model that was asked."""

    ANSWERED = 0
    FAILED = 1
    TIMED_OUT = 2
    GIVEN_UP = 3
    UNRECORDED = 4


def end_of(reason: str | None) -> End:
    """Return how a call ended whose record has this reason, `None` without a record."""
    if reason is None:
        return End.UNRECORDED
    if not reason:
        return End.ANSWERED
    if reason in CANCELLED:
        return End.GIVEN_UP
    return End.TIMED_OUT if reason in TIMED_OUT else End.FAILED


OUTCOMES: Final = tuple(Outcome)
UNDER_WAY: Final = -1
PLACES: Final = {one: place for place, one in enumerate(OUTCOMES)}


def place_of(outcome: str | None) -> int:
    """Return the place of an outcome in `OUTCOMES`, `UNDER_WAY` without one."""
    return UNDER_WAY if outcome is None else PLACES[Outcome(outcome)]
