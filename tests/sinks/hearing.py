"""Sinks for tests: one that remembers, and some that misbehave."""

import threading
from collections.abc import Sequence

from understudy.server.domain.tellings import Answered, CopyEnded, Generation, Telling


class Heard:
    """A sink that remembers what it was told, in order, and that it was closed."""

    def __init__(self) -> None:
        self.tellings: list[Telling] = []
        self.closed = 0

    def tell(self, tellings: Sequence[Telling]) -> None:
        """Remember."""
        self.tellings.extend(tellings)

    def close(self, timeout: float) -> None:
        """Count."""
        self.closed += 1

    @property
    def generations(self) -> list[Generation]:
        """The upstream calls."""
        return [one for one in self.tellings if isinstance(one, Generation)]

    @property
    def ids(self) -> list[str]:
        """The ids of the upstream calls."""
        return [one.record.id for one in self.generations]

    @property
    def answered(self) -> list[Answered]:
        """The requests."""
        return [one for one in self.tellings if isinstance(one, Answered)]

    @property
    def copies(self) -> list[CopyEnded]:
        """The ends of offers."""
        return [one for one in self.tellings if isinstance(one, CopyEnded)]


class Failing(Heard):
    """A sink that breaks its word."""

    def tell(self, tellings: Sequence[Telling]) -> None:
        """Raise, with what nobody may read in a log."""
        super().tell(tellings)
        raise ValueError(f"canary {tellings}")

    def close(self, timeout: float) -> None:
        """Raise again."""
        raise OSError("canary")


class Stuck(Heard):
    """A sink that does not return until it is freed."""

    def __init__(self) -> None:
        super().__init__()
        self.free = threading.Event()

    def tell(self, tellings: Sequence[Telling]) -> None:
        """Wait."""
        self.free.wait(30)
        super().tell(tellings)
