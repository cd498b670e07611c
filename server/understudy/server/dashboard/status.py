"""How the service is, as a page shows it. Pure: what is told by OperationsService, put in order.

The dashboard does not know the messages by name; the views here say what it reads of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from understudy.server.domain.mirroring import Outcome

# By the numbers of `DeploymentStatus.State`.
_STATES: Final = ("", "closed", "open", "half-open", "waking", "unusable")
_UNDER_WAY: Final = "UNDER_WAY"


class _Instant(Protocol):
    @property
    def seconds(self) -> int: ...
    @property
    def nanos(self) -> int: ...


class _DeploymentView(Protocol):
    deployment: str
    model_group: str
    provider: str
    model: str
    state: int
    reason: str
    share: float
    in_flight: int

    @property
    def trial_time(self) -> _Instant: ...


class _SilentView(Protocol):
    silent_model: str
    paused: bool
    state: int
    in_flight: int
    effective_fraction: float
    offered: int
    spent_nano_usd: int
    cap_nano_usd: int
    overshoot_nano_usd: int
    lost_nano_usd: int

    @property
    def outcomes(self) -> Mapping[str, int]: ...
    @property
    def shed(self) -> Mapping[str, int]: ...
    @property
    def not_mirrored(self) -> Mapping[str, int]: ...
    def HasField(self, field_name: str, /) -> bool: ...


class _MirrorView(Protocol):
    paused: bool
    queued: int
    queued_bytes: int
    in_flight: int

    @property
    def silent_models(self) -> Sequence[_SilentView]: ...


class _LagView(Protocol):
    @property
    def seconds(self) -> int: ...


class _SinkView(Protocol):
    sink: str
    waiting: int
    sent: int
    dropped: int
    away_cause: str

    @property
    def lag(self) -> _LagView: ...


class StatusView(Protocol):
    """What is read of `GetStatusResponse`."""

    version: str
    config_revision: int
    in_flight: int
    config_error: str

    @property
    def start_time(self) -> _Instant: ...
    @property
    def deployments(self) -> Sequence[_DeploymentView]: ...
    @property
    def mirror(self) -> _MirrorView: ...
    @property
    def sinks(self) -> Sequence[_SinkView]: ...


@dataclass(frozen=True, slots=True)
class DeploymentNow:
    """One deployment. `trial` is when it may be asked again, to the second, 0 where it is asked."""

    id: str
    provider: str
    model: str
    state: str
    reason: str
    share: float
    in_flight: int
    trial: int


@dataclass(frozen=True, slots=True)
class SilentNow:
    """One silent model. `ends` are the outcomes of its copies, whose sum is `offered`.

    Of what is `spent`, processes that died held what is `lost`, and `overshoot` is more than had
    been reserved.
    """

    name: str
    is_paused: bool
    state: str
    in_flight: int
    fraction: float
    offered: int
    ends: tuple[tuple[str, int], ...]
    shed: tuple[tuple[str, int], ...]
    not_mirrored: tuple[tuple[str, int], ...]
    spent: int | None
    cap: int | None
    lost: int
    overshoot: int


@dataclass(frozen=True, slots=True)
class SinkNow:
    """A tool that is told of calls. `lag` is in whole seconds; `away` is empty if all is well."""

    name: str
    waiting: int
    sent: int
    dropped: int
    lag: int
    away: str


@dataclass(frozen=True, slots=True)
class Board:
    """All of it. Instants are microseconds since 1970."""

    version: str
    revision: int
    started: int
    in_flight: int
    config_error: str
    groups: tuple[tuple[str, tuple[DeploymentNow, ...]], ...]
    is_paused: bool
    queued: int
    queued_bytes: int
    mirrored: int
    silents: tuple[SilentNow, ...]
    sinks: tuple[SinkNow, ...] = ()


def read_status(status: StatusView) -> Board:
    """Return what a page shows."""
    groups: dict[str, list[DeploymentNow]] = {}
    for one in status.deployments:
        groups.setdefault(one.model_group, []).append(_read_deployment(one))
    mirror = status.mirror
    return Board(
        status.version,
        status.config_revision,
        _microseconds(status.start_time),
        status.in_flight,
        status.config_error,
        tuple((name, tuple(some)) for name, some in groups.items()),
        mirror.paused,
        mirror.queued,
        mirror.queued_bytes,
        mirror.in_flight,
        tuple(_read_silent(one) for one in mirror.silent_models),
        tuple(
            SinkNow(one.sink, one.waiting, one.sent, one.dropped, one.lag.seconds, one.away_cause)
            for one in status.sinks
        ),
    )


def _read_deployment(one: _DeploymentView) -> DeploymentNow:
    return DeploymentNow(
        one.deployment,
        one.provider,
        one.model,
        _STATES[one.state],
        one.reason,
        one.share,
        one.in_flight,
        # To the second: it is told anew each time, and a little off.
        round(_microseconds(one.trial_time) / 1e6) * 1_000_000,
    )


def _read_silent(one: _SilentView) -> SilentNow:
    return SilentNow(
        one.silent_model,
        one.paused,
        _STATES[one.state],
        one.in_flight,
        one.effective_fraction,
        one.offered,
        _order_ends(one.outcomes, one.offered),
        _order(one.shed),
        _order(one.not_mirrored),
        one.spent_nano_usd if one.HasField("spent_nano_usd") else None,
        one.cap_nano_usd if one.HasField("cap_nano_usd") else None,
        one.lost_nano_usd,
        one.overshoot_nano_usd,
    )


def _order_ends(outcomes: Mapping[str, int], offered: int) -> tuple[tuple[str, int], ...]:
    """Return every end there is, and those under way: what is left of the sum."""
    known = [(one.value, outcomes.get(one.value, 0)) for one in Outcome]
    return (*known, (_UNDER_WAY, offered - sum(count for _, count in known)))


def _order(counts: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(counts.items(), key=lambda one: (-one[1], one[0])))


def _microseconds(instant: _Instant) -> int:
    return instant.seconds * 1_000_000 + instant.nanos // 1000
