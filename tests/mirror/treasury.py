"""A treasury in memory, shared by the processes that a test plays."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from understudy.server.domain.spending import Lease, Spending, Window


@dataclass(slots=True)
class Row:
    """A lease as it is written down, and whether it has ended."""

    lease: Lease
    has_ended: bool = False


@dataclass(slots=True)
class MemoryTreasury:
    """Writes leases down, and remembers whose process has died."""

    rows: dict[str, Row] = field(default_factory=dict[str, Row])
    dead: set[str] = field(default_factory=set[str])
    writes: int = 0

    def hold(self, lease: Lease, decide: Callable[[Spending], int]) -> tuple[int, Spending]:
        """Write a lease down, and grant it what is decided."""
        others = self.sum(lease.silent_model, lease.window, but=lease.id)
        granted = decide(others)
        self._write(Row(_with(lease, granted)))
        return granted, others

    def end(self, lease: Lease) -> None:
        """Write down that a lease has ended."""
        self._write(Row(lease, has_ended=True))

    def look(self, window: Window) -> Mapping[str, Spending]:
        """Return what all have taken."""
        names = {row.lease.silent_model for row in self.rows.values()}
        return {name: self.sum(name, window) for name in names}

    def sum(self, silent_model: str, window: Window, but: str = "") -> Spending:
        """Return what all but one have taken."""
        spent = leased = lost = overshoot = 0
        for row in self.rows.values():
            lease = row.lease
            if (lease.silent_model, lease.window) != (silent_model, window) or lease.id == but:
                continue
            unspent = 0 if row.has_ended else max(lease.granted - lease.spent, 0)
            spent += lease.spent
            overshoot += lease.overshoot
            if lease.id in self.dead:
                lost += unspent
            else:
                leased += unspent
        return Spending(spent, leased, lost, overshoot)

    def _write(self, row: Row) -> None:
        self.writes += 1
        self.rows[row.lease.id] = row


def _with(lease: Lease, granted: int) -> Lease:
    return Lease(lease.id, lease.silent_model, lease.window, granted, lease.spent, lease.overshoot)
