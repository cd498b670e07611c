"""Writes how deployments are, for OperationsService: their shares, seats and circuits."""

import time
from collections.abc import Callable
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
