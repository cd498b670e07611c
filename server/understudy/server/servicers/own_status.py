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
from understudy.server.servicers.write_status import StandingView, write_deployments
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


class SilentView(Protocol):
    """How one silent model is. Money is in 10^-9 US dollars, the window in seconds."""

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
    def spent(self) -> int: ...
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
    ) -> None:
        self._live = live
        self._mirror = mirror
        self._in_flight = in_flight
        self._standing = standing
        self._started = Timestamp()
        self._started.FromNanoseconds(round(started * 1e9))

    async def status(self) -> operations_pb2.GetStatusResponse:
        """Return how it is."""
        snapshot = self._live.current
        return operations_pb2.GetStatusResponse(
            version=version("understudy"),
            config_revision=snapshot.revision,
            start_time=self._started,
            in_flight=self._in_flight(),
            deployments=write_deployments(snapshot, self._standing),
            mirror=_write_mirror(snapshot, self._mirror.state),
        )

    async def pause(self, silent_model: str | None) -> None:
        """Stop mirroring."""
        self._mirror.pause(silent_model)

    async def resume(self, silent_model: str | None) -> None:
        """Go on with mirroring."""
        self._mirror.resume(silent_model)


def _write_mirror(snapshot: Snapshot, state: MirrorView) -> operations_pb2.MirrorStatus:
    fractions = _fractions(snapshot)
    return operations_pb2.MirrorStatus(
        paused=state.paused,
        queued=state.queued,
        queued_bytes=state.queued_bytes,
        in_flight=state.in_flight,
        silent_models=[
            _write_silent(one, fractions.get(one.silent_model, 0.0)) for one in state.silent_models
        ],
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
    figures = one.figures
    window = Duration()
    window.FromNanoseconds(round(one.cap_window * 1e9))
    return operations_pb2.SilentModelStatus(
        silent_model=one.silent_model,
        paused=one.paused,
        state=State.Value(f"STATE_{one.circuit}"),
        in_flight=one.in_flight,
        effective_fraction=0.0 if one.paused else fraction,
        offered=figures.offered,
        outcomes=figures.outcomes,
        shed=figures.shed,
        not_mirrored=figures.not_mirrored,
        spent_nano_usd=one.spent,
        cap_nano_usd=one.cap,
        cap_window=window,
    )
