"""Where the money for copies comes from: a cap of this process's own, or one shared by many.

`OwnPurse` keeps what was spent in memory, for a process that keeps no records. What shares a cap
is `shared_purse`.
"""

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from understudy.server.mirror.budget import Budget
from understudy.server.mirror.leasing import Account
from understudy.server.mirror.shedding import Hold, Shed


@dataclass(frozen=True, slots=True)
class Reservation:
    """What was put aside for one copy, in 10^-9 dollars: since when, or from which lease."""

    cost: int
    since: float = 0.0
    account: Account | None = None


@dataclass(frozen=True, slots=True)
class Outlay:
    """What a silent model has cost in this window, in 10^-9 dollars.

    `spent` includes what calls under way may cost, `lost`, and `overshoot`: what calls cost beyond
    what was reserved. `lost` is what processes held that died; `leased` what those that live hold
    besides. `seen` is when others last said what they have spent, in microseconds since 1970; None
    if there are no others.
    """

    spent: int = 0
    overshoot: int = 0
    lost: int = 0
    leased: int = 0
    seen: int | None = None


class Purse(Protocol):
    """The money for the copies of one process. `cap` is in 10^-9 dollars, `per` in seconds."""

    cap: int
    per: float

    def reserve(self, silent_model: str, cost: int, now: float) -> Reservation | Hold | Shed:
        """Put aside what a copy may cost; or return why it is shed, or what it must wait for.

        `now` is an instant of the mirror's clock. Never blocks.
        """
        ...

    def settle(self, silent_model: str, reservation: Reservation, cost: int | None) -> None:
        """Put what a copy cost in the place of what was put aside; None: nobody knows."""
        ...

    def outlays(self, now: float) -> Mapping[str, Outlay]:
        """Return what each silent model has cost in this window."""
        ...

    def take_news(self, silent_model: str) -> str:
        """Return what nobody was told yet of why there is no money, empty if all was said."""
        ...

    def start(self) -> None:
        """Begin."""
        ...

    def close(self) -> Future[None]:
        """Give back what is left; return what is done when that is. Never blocks."""
        ...


class OwnPurse:
    """A cap of this process's own. Not locked: admission is."""

    def __init__(self, usd: float, per: float) -> None:
        self._budget = Budget(usd, per)
        self._models: set[str] = set()
        self.cap = self._budget.cap
        self.per = per

    def reserve(self, silent_model: str, cost: int, now: float) -> Reservation | Hold | Shed:
        """Put aside what a copy may cost."""
        self._models.add(silent_model)
        if self._budget.reserve(silent_model, cost, now):
            return Reservation(cost, now)
        return Shed.BUDGET

    def settle(self, silent_model: str, reservation: Reservation, cost: int | None) -> None:
        """Put what a copy cost in the place of what was put aside."""
        self._budget.settle(silent_model, reservation.cost, cost, reservation.since)

    def outlays(self, now: float) -> Mapping[str, Outlay]:
        """Return what each silent model has cost in this window."""
        return {
            one: Outlay(self._budget.spent(one, now), self._budget.overshoot(one, now))
            for one in self._models
        }

    def take_news(self, silent_model: str) -> str:
        """Return what nobody was told yet."""
        if not self._budget.is_news(silent_model):
            return ""
        return "is spent; it is played nothing more for now"

    def start(self) -> None:
        """Nothing to begin."""

    def close(self) -> Future[None]:
        """Nothing to give back."""
        nothing: Future[None] = Future()
        nothing.set_result(None)
        return nothing
