"""Writes how deployments and sinks are, for OperationsService."""

import time
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from understudy.server.domain.deployment import Deployment, Snapshot
from understudy.v1 import operations_pb2

State: Final = operations_pb2.DeploymentStatus.State


class StandingView(Protocol):
    """How the breaker of a deployment is. Times are in seconds, 0 while its circuit is closed."""

    @property
    def in_flight(self) -> int: ...
    @property
    def circuit(self) -> str: ...
    @property
    def open_for(self) -> float: ...
    @property
    def trial_in(self) -> float: ...
    @property
    def cause(self) -> str: ...


class SinkView(Protocol):
    """How far a tool has heard of calls. `lag` is in seconds."""

    @property
    def name(self) -> str: ...
    @property
    def waiting(self) -> int: ...
    @property
    def sent(self) -> int: ...
    @property
    def dropped(self) -> int: ...
    @property
    def lag(self) -> float: ...
    @property
    def away(self) -> str: ...


def write_sinks(sinks: Iterable[SinkView]) -> list[operations_pb2.SinkStatus]:
    """Return how far each tool has heard."""
    found: list[operations_pb2.SinkStatus] = []
    for one in sinks:
        status = operations_pb2.SinkStatus(
            sink=one.name,
            waiting=one.waiting,
            sent=one.sent,
            dropped=one.dropped,
            away_cause=one.away,
        )
        status.lag.FromNanoseconds(round(one.lag * 1e9))
        found.append(status)
    return found


def write_deployments(
    snapshot: Snapshot, standing: Callable[[str], StandingView]
) -> list[operations_pb2.DeploymentStatus]:
    """Return every deployment of the snapshot, as it is now."""
    return [
        _write_deployment(one, weight, standing(one.id))
        for group in snapshot.groups.values()
        for tier in group.tiers
        for one, weight in zip(tier.deployments, tier.weights, strict=True)
    ]


def _write_deployment(
    one: Deployment, weight: float, standing: StandingView
) -> operations_pb2.DeploymentStatus:
    status = operations_pb2.DeploymentStatus(
        deployment=one.id,
        model_group=one.group,
        provider=one.provider,
        model=one.model,
        state=State.Value(f"STATE_{standing.circuit}"),
        share=weight,
        in_flight=standing.in_flight,
    )
    if one.unusable:
        status.state, status.reason = State.STATE_UNUSABLE, one.unusable
    elif status.state != State.STATE_CLOSED:
        status.reason = f"left alone after {standing.cause}"
        now = time.time()
        status.open_time.FromNanoseconds(round((now - standing.open_for) * 1e9))
        status.trial_time.FromNanoseconds(round((now + standing.trial_in) * 1e9))
    return status
