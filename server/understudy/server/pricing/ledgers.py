"""Who spent how much: one ledger for each reason to ask a model, which add up to the total. Pure."""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from understudy.server.domain.costs import Cost, CostStatus
from understudy.server.domain.records import Role


class Ledger(Struct, frozen=True, gc=False):
    """The calls of one kind. `nano_usd` is the sum of what is known; `unknown` calls are not in it."""

    nano_usd: int = 0
    exact: int = 0
    estimated: int = 0
    unknown: int = 0

    @property
    def calls(self) -> int:
        """How many there were."""
        return self.exact + self.estimated + self.unknown

    def __add__(self, other: "Ledger") -> "Ledger":
        return Ledger(
            self.nano_usd + other.nano_usd,
            self.exact + other.exact,
            self.estimated + other.estimated,
            self.unknown + other.unknown,
        )


def keep_ledgers(entries: Iterable[tuple[Role, Cost]]) -> dict[Role, Ledger]:
    """Return a ledger for each role that there is an entry of."""
    ledgers: dict[Role, Ledger] = {}
    for role, cost in entries:
        ledgers[role] = ledgers.get(role, Ledger()) + _enter(cost)
    return ledgers


def total(ledgers: Mapping[Role, Ledger]) -> Ledger:
    """Return what all of them come to."""
    return sum(ledgers.values(), Ledger())


def _enter(cost: Cost) -> Ledger:
    return Ledger(
        cost.nano_usd or 0,
        exact=cost.status is CostStatus.EXACT,
        estimated=cost.status is CostStatus.ESTIMATED,
        unknown=cost.status is CostStatus.UNKNOWN,
    )
