"""How the mirror is at a moment, for people: values, made on demand."""

from collections.abc import Mapping

from msgspec import Struct

from understudy.server.mirror.ledger import Figures
from understudy.server.mirror.purse import Outlay
from understudy.server.routing.breaker import Circuit

_WORST_FIRST = (Circuit.OPEN, Circuit.HALF_OPEN, Circuit.WAKING, Circuit.CLOSED)


class SilentState(Struct, frozen=True):
    """How one silent model is. The cap is in 10^-9 US dollars, its window in seconds."""

    silent_model: str
    paused: bool
    in_flight: int
    circuits: Mapping[str, Circuit]  # by deployment
    figures: Figures
    outlay: Outlay
    cap: int
    cap_window: float

    @property
    def spent(self) -> int:
        """What it has cost in this window, in 10^-9 US dollars."""
        return self.outlay.spent

    @property
    def circuit(self) -> Circuit:
        """The worst of its deployments' circuits."""
        found = set(self.circuits.values())
        return next((one for one in _WORST_FIRST if one in found), Circuit.CLOSED)


class MirrorState(Struct, frozen=True):
    """How the mirror is. `unsettled` pairs have not ended, be it for want of the primary's end."""

    paused: bool
    stopping: bool
    queued: int
    queued_bytes: int
    in_flight: int
    unsettled: int
    silent_models: tuple[SilentState, ...]
