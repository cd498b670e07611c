"""Says who may ask a deployment now: seats, counted for each deployment and purpose."""

from collections import Counter

from understudy.server.domain.deployment import Deployment
from understudy.server.errors import Reason, RefusedError
from understudy.server.ports import Permit, Purpose

SEAT_WAIT = 1.0  # seconds to suggest to whoever finds no seat


class SeatGate:
    """Gives out at most `max_parallel_requests` seats for each deployment and purpose.

    For one event loop: nothing here is locked.
    """

    def __init__(self) -> None:
        self._taken: Counter[tuple[str, Purpose]] = Counter()

    def enter(self, deployment: Deployment, purpose: Purpose) -> Permit | RefusedError:
        """Return a seat, or why there is none. Never blocks, never raises."""
        key = (deployment.id, purpose)
        limit = deployment.max_parallel_requests
        if limit is not None and self._taken[key] >= limit:
            return RefusedError(
                Reason.LOCAL_POOL_EXHAUSTED,
                f"all {limit} seats of deployment {deployment.id!r} are taken "
                "(max_parallel_requests)",
                retry_after=SEAT_WAIT,
                metadata={"deployment": deployment.id},
            )
        self._taken[key] += 1
        return _Seat(self._taken, key)

    def seats(self, deployment_id: str) -> int:
        """Return how many primary calls a deployment has in flight."""
        return self._taken[deployment_id, Purpose.PRIMARY]

    @property
    def taken(self) -> int:
        """Seats taken now, in all."""
        return self._taken.total()


class _Seat:
    __slots__ = ("_key", "_taken")

    def __init__(self, taken: Counter[tuple[str, Purpose]], key: tuple[str, Purpose]) -> None:
        self._taken = taken
        self._key = key

    def leave(self, reason: Reason | None) -> None:
        """Give the seat back; how it went does not matter to seats."""
        self._taken[self._key] -= 1
