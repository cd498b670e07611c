"""Says who may ask a deployment now: seats and a breaker for each deployment and purpose.

Why a breaker opens is `routing.cooldown`'s to say. Spending is no part of this.
"""

import logging
import random
from collections.abc import Callable, Collection
from dataclasses import dataclass

from understudy.server.domain.deployment import Deployment
from understudy.server.errors import Reason, RefusedError
from understudy.server.ports import Permit, Purpose
from understudy.server.routing.breaker import Breaker, Circuit, Health
from understudy.server.routing.cooldown import ALONE, find_rest, find_rule, read_sign

_LOG = logging.getLogger(__name__)

SEAT_WAIT = 1.0  # seconds to suggest to whoever finds no seat
JITTER = 0.2  # of the time that is suggested to whoever finds a circuit open
# Deployments come and go with configurations, and with the addresses that callers name.
MOST_PLACES = 1024


@dataclass(frozen=True, slots=True)
class Standing:
    """How a deployment stands with the gate. Times are in seconds, 0 while the circuit is closed."""

    in_flight: int
    circuit: Circuit
    open_for: float = 0.0
    trial_in: float = 0.0
    cause: str = ""  # the last failure


class DeploymentGate:
    """Lets callers in. For one event loop: nothing here is locked.

    At most `max_parallel_requests` are in at a time, and while a circuit is open nobody but a
    trial. `chance` returns numbers in [0, 1).
    """

    def __init__(
        self, clock: Callable[[], float], chance: Callable[[], float] = random.random
    ) -> None:
        self._clock = clock
        self._chance = chance
        self._places: dict[tuple[str, Purpose], _Place] = {}

    def enter(
        self, deployment: Deployment, purpose: Purpose, *, replaceable: bool = False
    ) -> Permit | RefusedError:
        """Return a seat, or why there is none. Never blocks, never raises."""
        place = self._find(deployment.id, purpose)
        now = self._clock()
        rule = find_rule(deployment, replaceable=replaceable)
        if rule is not None:
            place.breaker.rule = rule
            if (wait := place.breaker.wait(now)) > 0:
                return self._refuse(deployment, place, wait)
        limit = deployment.max_parallel_requests
        if limit is not None and place.taken >= limit:
            return RefusedError(
                Reason.LOCAL_POOL_EXHAUSTED,
                f"all {limit} seats of deployment {deployment.id!r} are taken "
                "(max_parallel_requests)",
                retry_after=SEAT_WAIT,
                metadata={"deployment": deployment.id},
            )
        place.taken += 1
        if rule is None:
            return _Seat(place)
        trial = place.breaker.begin(now)
        return _Watched(self, place, deployment, replaceable=replaceable, trial=trial, now=now)

    def learn(self, seat: "_Watched", reason: Reason | None, retry_after: float | None) -> None:
        """Take what the end of a call says of its deployment."""
        if seat.breaker is not seat.place.breaker:
            return  # it began before the deployment became what it is
        now, place, deployment = self._clock(), seat.place, seat.deployment
        before = place.breaker.circuit(now)
        sign = read_sign(deployment, reason, now - seat.since, replaceable=seat.replaceable)
        rest = find_rest(deployment, reason, retry_after, replaceable=seat.replaceable)
        if reason is not None and (rest or sign is Health.BAD):
            place.cause = reason
        place.breaker.end(sign, now, trial=seat.trial, chance=self._chance())
        if rest:
            place.breaker.rest(now, rest)
        after = place.breaker.circuit(now)
        if before is Circuit.CLOSED and after is not Circuit.CLOSED:
            wait = place.breaker.wait(now)
            _LOG.warning(
                "deployment %r is left alone for %.1f s after %s", deployment.id, wait, place.cause
            )
        elif before is not Circuit.CLOSED and after is Circuit.CLOSED:
            _LOG.info("deployment %r answers again", deployment.id)

    def standing(self, deployment_id: str) -> Standing:
        """Return how a deployment stands with those who answer callers."""
        place = self._places.get((deployment_id, Purpose.PRIMARY))
        if place is None:
            return Standing(0, Circuit.CLOSED)
        now = self._clock()
        circuit = place.breaker.circuit(now)
        if circuit is Circuit.CLOSED:
            return Standing(place.taken, circuit)
        return Standing(
            place.taken,
            circuit,
            now - place.breaker.since,
            place.breaker.wait(now),
            place.cause,
        )

    def forget(self, deployment_ids: Collection[str]) -> None:
        """Forget how deployments failed: they are gone, or are not what they were.

        Who is in there now keeps the seat, which counts as long as the deployment is known.
        """
        for key, place in tuple(self._places.items()):
            if key[0] in deployment_ids:
                place.breaker, place.cause = Breaker(ALONE), ""
                if not place.taken:
                    del self._places[key]

    @property
    def taken(self) -> int:
        """Seats taken now, in all."""
        return sum(one.taken for one in self._places.values())

    def _refuse(self, deployment: Deployment, place: "_Place", wait: float) -> RefusedError:
        return RefusedError(
            Reason.CIRCUIT_OPEN,
            f"deployment {deployment.id!r} is left alone for {wait:.1f} s after {place.cause}",
            retry_after=wait * (1 + JITTER * self._chance()),
            metadata={"deployment": deployment.id, "cause": place.cause},
        )

    def _find(self, deployment_id: str, purpose: Purpose) -> "_Place":
        key = deployment_id, purpose
        place = self._places.pop(key, None) or _Place()
        if len(self._places) >= MOST_PLACES:
            self._forget_one()
        self._places[key] = place  # the longest unused comes first
        return place

    def _forget_one(self) -> None:
        """Forget a deployment that nobody asks now, rather one that is well."""
        now = self._clock()
        chosen: tuple[str, Purpose] | None = None
        for key, place in self._places.items():
            if not place.taken:
                chosen = chosen or key
                if not place.breaker.wait(now):
                    chosen = key
                    break
        if chosen is not None:
            del self._places[chosen]


class _Place:
    __slots__ = ("breaker", "cause", "taken")

    def __init__(self) -> None:
        self.taken = 0
        self.breaker = Breaker(ALONE)
        self.cause = ""


class _Seat:
    """A seat at a deployment that is never left alone."""

    __slots__ = ("place",)

    def __init__(self, place: _Place) -> None:
        self.place = place

    def leave(self, reason: Reason | None, retry_after: float | None = None) -> None:
        """Give the seat back; how it went does not matter."""
        self.place.taken -= 1


class _Watched(_Seat):
    __slots__ = ("_gate", "breaker", "deployment", "replaceable", "since", "trial")

    def __init__(
        self,
        gate: DeploymentGate,
        place: _Place,
        deployment: Deployment,
        *,
        replaceable: bool,
        trial: bool,
        now: float,
    ) -> None:
        super().__init__(place)
        self._gate = gate
        self.breaker = place.breaker
        self.deployment = deployment
        self.replaceable = replaceable
        self.trial = trial
        self.since = now

    def leave(self, reason: Reason | None, retry_after: float | None = None) -> None:
        """Give the seat back, and say how it went."""
        super().leave(reason)
        self._gate.learn(self, reason, retry_after)
