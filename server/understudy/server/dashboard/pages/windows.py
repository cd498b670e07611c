"""How far back figures go: the choices there are, and how fine each is drawn."""

from dataclasses import dataclass
from typing import Final

from understudy.server.domain.figures import Step


@dataclass(frozen=True, slots=True)
class Window:
    """A choice. `length` is in microseconds."""

    name: str
    words: str
    length: int
    step: Step


WINDOWS: Final = (
    Window("15m", "15 minutes", 15 * Step.MINUTE.value, Step.MINUTE),
    Window("1h", "hour", Step.HOUR.value, Step.MINUTE),
    Window("6h", "6 hours", 6 * Step.HOUR.value, Step.FIVE_MINUTES),
    Window("24h", "24 hours", Step.DAY.value, Step.FIVE_MINUTES),
    Window("7d", "7 days", 7 * Step.DAY.value, Step.HOUR),
)


def find_window(name: str | None) -> Window:
    """Return the choice of this name, else an hour."""
    return next((one for one in WINDOWS if one.name == name), WINDOWS[1])
