"""What mirroring may cost: a cap for each silent model and window of time. Pure.

A call's cost is reserved before it is sent, so that calls in flight cannot overspend together,
and given back if it never reached the model. Sums are whole 10^-9 dollars.
"""

from understudy.server.domain.deployment import Deployment

NANO = 1_000_000_000

# Until prices are known every call is taken to cost a cent: about what 1,000 tokens in and 500
# out cost at the dearer models, so that the cap errs on the side of the purse.
ASSUMED_COST = NANO // 100


def assume_cost(deployment: Deployment) -> int:
    """Return what a call is taken to cost, in 10^-9 dollars. Simulated models cost nothing."""
    return 0 if deployment.provider == "simulated" else ASSUMED_COST


class Budget:
    """The spending of all silent models. Instants are seconds of one monotonic clock."""

    def __init__(self, usd: float, per: float) -> None:
        self.cap = round(usd * NANO)
        self.per = per
        self._spent: dict[str, int] = {}
        self._began: dict[str, float] = {}
        self._told: set[str] = set()

    def reserve(self, silent_model: str, cost: int, now: float) -> bool:
        """Reserve the cost of a call, or return False if that would go beyond the cap."""
        spent = self.spent(silent_model, now)
        if spent + cost > self.cap and cost:
            return False
        if now >= self._began.setdefault(silent_model, now) + self.per:
            self._began[silent_model] = now
            self._told.discard(silent_model)
        self._spent[silent_model] = spent + cost
        return True

    def give_back(self, silent_model: str, cost: int) -> None:
        """Return what was reserved for a call that never reached its model."""
        self._spent[silent_model] = max(self._spent.get(silent_model, 0) - cost, 0)

    def spent(self, silent_model: str, now: float) -> int:
        """Return what was spent in the window, reservations included."""
        if now >= self._began.get(silent_model, now) + self.per:
            return 0
        return self._spent.get(silent_model, 0)

    def is_news(self, silent_model: str) -> bool:
        """Return whether nobody was told yet that this window's cap is reached."""
        news = silent_model not in self._told
        self._told.add(silent_model)
        return news
