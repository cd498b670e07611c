"""Who may be sent now: pauses, quotas, breakers, seats and money, in this order.

One for all threads of the mirror, which take turns by a lock. Whoever offers never takes it.
"""

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock

from understudy.server.config.settings import MirrorSettings
from understudy.server.domain.deployment import Deployment
from understudy.server.mirror.copies import Copy
from understudy.server.mirror.headroom import Headroom
from understudy.server.mirror.pauses import Pauses
from understudy.server.mirror.purse import Outlay, Purse, Reservation
from understudy.server.mirror.shedding import Hold, Shed
from understudy.server.routing.breaker import Breaker, Circuit, Health, Rule

_LOG = logging.getLogger(__name__)

# The file's `allowed_fails` and `cooldown_time` are about answers; nobody waits for these.
_RULE = Rule()


@dataclass(frozen=True, slots=True)
class Standing:
    """How a silent model stands with the admission."""

    in_flight: int
    circuits: Mapping[str, Circuit]  # by deployment
    outlay: Outlay


class Admission:
    """Counts the copies in flight, and gives seats to those that wait."""

    def __init__(
        self,
        settings: MirrorSettings,
        *,
        headroom: Headroom,
        clock: Callable[[], float],
        chance: Callable[[], float],
        price: Callable[[Copy], int],
        purse: Purse,
    ) -> None:
        self.pauses = Pauses()
        self.is_over = False  # nothing is sent any more
        self.purse = purse
        self._settings = settings
        self._headroom = headroom
        self._clock = clock
        self._chance = chance
        self._price = price
        self._lock = Lock()
        self._in_flight = 0
        self._by_model: Counter[str] = Counter()
        self._by_deployment: Counter[str] = Counter()
        self._breakers: dict[str, dict[str, Breaker]] = {}

    @property
    def in_flight(self) -> int:
        """How many copies are under way."""
        return self._in_flight

    def admit(self, copy: Copy) -> Shed | Hold | None:
        """Give a copy a seat; or return why it is shed, or what it must wait for."""
        now = self._clock()
        name, deployment = copy.silent_model, copy.target.deployment
        with self._lock:
            if self.is_over:
                return Shed.STOPPING
            if self.pauses.holds(name):
                return Shed.PAUSED
            if self._headroom.is_low(deployment):
                return Shed.QUOTA
            breaker = self._find_breaker(name, deployment)
            if breaker.wait(now):
                is_waking = breaker.circuit(now) is Circuit.WAKING
                return Shed.WAKING if is_waking else Shed.CIRCUIT_OPEN
            if (hold := self._find_hold(name, deployment)) is not None:
                return hold
            reserved = self.purse.reserve(name, self._price(copy), now)
            if isinstance(reserved, Reservation):
                copy.reservation = reserved
                copy.probes = breaker.begin(now)
                self._count(copy, 1)
                return None
            news = self.purse.take_news(name) if reserved is Shed.BUDGET else ""
        if news:
            _LOG.warning("the budget of silent model %r %s", name, news)
        return reserved

    def leave(self, copy: Copy, health: Health, *, cost: int | None, reason: str) -> None:
        """Take a copy's seat back, what it cost, and what is learnt of its deployment.

        `cost` is in 10^-9 dollars, None if nobody knows.
        """
        now, chance = self._clock(), self._chance()
        name, deployment = copy.silent_model, copy.target.deployment
        with self._lock:
            self._count(copy, -1)
            if copy.reservation is not None:
                self.purse.settle(name, copy.reservation, cost)
            breaker = self._breakers[name][deployment.id]
            left_alone = breaker.end(health, now, trial=copy.probes, chance=chance)
            circuit = breaker.circuit(now)
        if left_alone:
            _LOG.warning(
                "silent deployment %r is %s after %s: mostly left alone until it answers",
                deployment.id,
                circuit,
                reason,
            )

    def stand(self) -> Mapping[str, Standing]:
        """Return how every silent model stands that anything was sent to, or spent on."""
        now = self._clock()
        with self._lock:
            outlays = self.purse.outlays(now)
            return {
                name: Standing(
                    self._by_model[name],
                    {
                        one: breaker.circuit(now)
                        for one, breaker in self._breakers.get(name, {}).items()
                    },
                    outlays.get(name, Outlay()),
                )
                for name in self._breakers.keys() | outlays.keys()
            }

    def _find_breaker(self, name: str, deployment: Deployment) -> Breaker:
        breakers = self._breakers.setdefault(name, {})
        if deployment.id not in breakers:
            breakers[deployment.id] = Breaker(_RULE)
        return breakers[deployment.id]

    def _find_hold(self, name: str, deployment: Deployment) -> Hold | None:
        if self._in_flight >= self._settings.max_in_flight:
            return Hold.ALL_SEATS
        seats = deployment.max_parallel_requests
        if self._by_model[name] >= self._settings.max_in_flight_per_model or (
            seats is not None and self._by_deployment[deployment.id] >= seats
        ):
            return Hold.MODEL_SEATS
        return None

    def _count(self, copy: Copy, change: int) -> None:
        self._in_flight += change
        self._by_model[copy.silent_model] += change
        self._by_deployment[copy.target.deployment.id] += change
