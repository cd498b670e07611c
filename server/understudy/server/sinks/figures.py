"""What a sink says of itself: how much it holds, sent and dropped, and why it is behind. Values
only; the status and the metrics read them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SinkFigures:
    """One sink at one moment.

    What was told and is neither `sent` nor `dropped` is `waiting`; the three never fall below
    zero, and `sent` and `dropped` only grow. `lag` is how many seconds the oldest that waits has
    been waiting. `away` says in our words why the last attempt did not arrive, and is empty
    while the receiver takes what it is given.
    """

    name: str  # such as `langfuse`
    waiting: int = 0
    sent: int = 0
    dropped: int = 0
    lag: float = 0.0
    away: str = ""
