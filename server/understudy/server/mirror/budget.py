"""What mirroring may cost: a cap for each silent model and window of time. Pure.

The most that a call can cost is reserved before it is sent, so that calls in flight cannot
overspend together. After the call the real cost takes the place of what was reserved; where
nobody knows it, what was reserved counts as spent. Sums are whole 10^-9 dollars. They are kept in
the memory of one process: for one that keeps no records. Where there are records the cap is shared
by all processes that keep them in one place, see `leasing`.
"""

NANO = 1_000_000_000


class Budget:
    """The spending of all silent models. Instants are seconds of one monotonic clock."""

    def __init__(self, usd: float, per: float) -> None:
        self.cap = round(usd * NANO)
        self.per = per
        self._spent: dict[str, int] = {}
        self._overshoot: dict[str, int] = {}
        self._began: dict[str, float] = {}
        self._told: set[str] = set()

    def reserve(self, silent_model: str, cost: int, now: float) -> bool:
        """Reserve what a call may cost, or return False if that would go beyond the cap."""
        spent = self.spent(silent_model, now)
        if spent + cost > self.cap and cost:
            return False
        if now >= self._began.setdefault(silent_model, now) + self.per:
            self._began[silent_model] = now
            self._overshoot[silent_model] = 0
            self._told.discard(silent_model)
        self._spent[silent_model] = spent + cost
        return True

    def settle(self, silent_model: str, reserved: int, cost: int | None, since: float) -> None:
        """Put what a call cost in the place of what was reserved for it at the instant `since`.

        None: nobody knows. A window that is over stays as it is, and the next one owes it nothing.
        """
        if cost is not None and since >= self._began.get(silent_model, since):
            spent = self._spent.get(silent_model, 0) + cost - reserved
            self._spent[silent_model] = max(spent, 0)
            beyond = self._overshoot.get(silent_model, 0) + max(cost - reserved, 0)
            self._overshoot[silent_model] = beyond

    def spent(self, silent_model: str, now: float) -> int:
        """Return what was spent in the window, reservations included."""
        if now >= self._began.get(silent_model, now) + self.per:
            return 0
        return self._spent.get(silent_model, 0)

    def overshoot(self, silent_model: str, now: float) -> int:
        """Return what calls of the window cost beyond what was reserved for them."""
        if now >= self._began.get(silent_model, now) + self.per:
            return 0
        return self._overshoot.get(silent_model, 0)

    def is_news(self, silent_model: str) -> bool:
        """Return whether nobody was told yet that this window's cap is reached."""
        news = silent_model not in self._told
        self._told.add(silent_model)
        return news
