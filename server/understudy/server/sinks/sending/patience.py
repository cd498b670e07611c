"""How long a sink waits before it tries again, and when it gives a batch up. Pure."""

from dataclasses import dataclass
from typing import Final

LONGEST_PAUSE: Final = 30.0  # seconds, unless the receiver asks for more
LONGEST_ASKED: Final = 300.0  # seconds that a receiver may ask for
MOST_SUSPECT_TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class Patience:
    """What a sink puts up with. Durations are in seconds."""

    first_pause: float = 1.0
    timeout: float = 10.0  # of one try
    batch: float = 600.0  # from the first try; then later calls are worth more than these

    def pause(self, tries: int, retry_after: float | None, ticket: float) -> float:
        """Return how long to wait after so many failed tries; `ticket` is drawn from [0, 1).

        Never less than the receiver asks for, unless that is beyond reason.
        """
        ceiling = min(LONGEST_PAUSE, self.first_pause * 2.0 ** min(tries - 1, 16))
        return max(ceiling * (0.5 + ticket / 2), min(retry_after or 0.0, LONGEST_ASKED))

    def gives_up(self, tries: int, age: float, suspect: bool) -> bool:
        """Tell whether a batch that was tried so often, for so long, shall be dropped."""
        return age >= self.batch or (suspect and tries >= MOST_SUSPECT_TRIES)


USUAL: Final = Patience()
