"""Writes how this process is, for OperationsService: its deployments, its mirror, the ledger.

How several processes are together is `sum_status`.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Final, Protocol

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from understudy.server.domain.deployment import Snapshot
from understudy.server.live import Live
from understudy.server.servicers.write_status import (
    SinkView,
    StandingView,
    write_deployments,
    write_sinks,
)
from understudy.v1 import operations_pb2

State: Final = operations_pb2.DeploymentStatus.State


class FiguresView(Protocol):
    """What became of one silent model's copies."""

    @property
    def offered(self) -> int: ...
    @property
    def outcomes(self) -> Mapping[str, int]: ...
    @property
    def shed(self) -> Mapping[str, int]: ...
    @property
    def not_mirrored(self) -> Mapping[str, int]: ...


class OutlayView(Protocol):
    """What one silent model costs all who share its cap, in 10^-9 US dollars.

    `seen` is when that was last known, in microseconds since 1970; None where nobody shares it.
    """

    @property
    def spent(self) -> int: ...
    @property
    def overshoot(self) -> int: ...
    @property
    def lost(self) -> int: ...
    @property
    def leased(self) -> int: ...
    @property
    def seen(self) -> int | None: ...


class SilentView(Protocol):
    """How one silent model is. The cap is in 10^-9 US dollars, its window in seconds."""

    @property
    def silent_model(self) -> str: ...
    @property
    def paused(self) -> bool: ...
    @property
    def in_flight(self) -> int: ...
    @property
    def circuit(self) -> str: ...
    @property
    def figures(self) -> FiguresView: ...
    @property
    def outlay(self) -> OutlayView: ...
    @property
    def cap(self) -> int: ...
    @property
    def cap_window(self) -> float: ...


class MirrorView(Protocol):
    """How the mirror is."""

    @property
    def paused(self) -> bool: ...
    @property
    def queued(self) -> int: ...
    @property
    def queued_bytes(self) -> int: ...
    @property
    def in_flight(self) -> int: ...
    @property
    def silent_models(self) -> Sequence[SilentView]: ...


class MirrorControl(Protocol):
    """The mirror, as its operator sees it."""

    @property
    def state(self) -> MirrorView:
        """How it is now."""
        ...

    def pause(self, silent_model: str | None = None) -> None:
        """Stop at once."""
        ...

    def resume(self, silent_model: str | None = None) -> None:
        """Go on."""
        ...


class OwnHost:
    """A host with one process that serves: this one. `started` is in seconds since 1970."""

    def __init__(
        self,
        live: Live,
        mirror: MirrorControl,
        *,
        in_flight: Callable[[], int],
        standing: Callable[[str], StandingView],
        started: float,
        sinks: Callable[[], Sequence[SinkView]] = tuple,
        mirror_share: Callable[[], float] = lambda: 1.0,
        taken: Callable[[], tuple[int, int]] = lambda: (0, 0),
    ) -> None:
        self._live = live
        self._mirror = mirror
        self._in_flight = in_flight
        self._standing = standing
        self._sinks = sinks
        self._mirror_share = mirror_share
        self._taken = taken
        self._started = Timestamp()
        self._started.FromNanoseconds(round(started * 1e9))

    async def status(self) -> operations_pb2.GetStatusResponse:
        """Return how it is."""
        snapshot = self._live.current
        begun, refused = self._taken()
        return operations_pb2.GetStatusResponse(
            version=version("understudy"),
            config_revision=snapshot.revision,
            start_time=self._started,
            in_flight=self._in_flight(),
            deployments=write_deployments(snapshot, self._standing),
            mirror=_write_mirror(snapshot, self._mirror.state, self._mirror_share()),
            sinks=write_sinks(self._sinks()),
            refused=refused,
            begun=begun,
        )

    async def pause(self, silent_model: str | None) -> None:
        """Stop mirroring."""
        self._mirror.pause(silent_model)

    async def resume(self, silent_model: str | None) -> None:
        """Go on with mirroring."""
        self._mirror.resume(silent_model)


def _write_mirror(
    snapshot: Snapshot, state: MirrorView, share: float
) -> operations_pb2.MirrorStatus:
    fractions = _fractions(snapshot)
    return operations_pb2.MirrorStatus(
        paused=state.paused,
        queued=state.queued,
        queued_bytes=state.queued_bytes,
        in_flight=state.in_flight,
        silent_models=[
            _write_silent(one, fractions.get(one.silent_model, 0.0) * share)
            for one in state.silent_models
        ],
        share=share,
    )


def _fractions(snapshot: Snapshot) -> dict[str, float]:
    """Return the largest share of anybody's prompts that each silent model is offered."""
    found: dict[str, float] = {}
    for group in snapshot.groups.values():
        for deployment in group.deployments:
            for silent in deployment.silent_models:
                found[silent.group] = max(found.get(silent.group, 0.0), silent.fraction)
    return found


def _write_silent(one: SilentView, fraction: float) -> operations_pb2.SilentModelStatus:
    figures, outlay = one.figures, one.outlay
    window = Duration()
    window.FromNanoseconds(round(one.cap_window * 1e9))
    status = operations_pb2.SilentModelStatus(
        silent_model=one.silent_model,
        paused=one.paused,
        state=State.Value(f"STATE_{one.circuit}"),
        in_flight=one.in_flight,
        effective_fraction=0.0 if one.paused else fraction,
        offered=figures.offered,
        outcomes=figures.outcomes,
        shed=figures.shed,
        not_mirrored=figures.not_mirrored,
        spent_nano_usd=outlay.spent,
        cap_nano_usd=one.cap,
        cap_window=window,
        overshoot_nano_usd=outlay.overshoot,
        lost_nano_usd=outlay.lost,
        leased_nano_usd=outlay.leased,
    )
    if outlay.seen is not None:
        status.spent_time.FromMicroseconds(outlay.seen)
    return status
