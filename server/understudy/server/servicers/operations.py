"""Serves OperationsService: how the service is, and the brake of the mirror.

A pause takes effect first and is written down second: what somebody wants stopped is stopped,
whether or not the store is there to remember it.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final, Protocol

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from understudy.server.domain.deployment import Snapshot
from understudy.server.errors import Reason, RefusedError, UnderstudyError
from understudy.server.live import Live
from understudy.server.routing.groups import find_group
from understudy.server.servicers.access import caller
from understudy.server.servicers.write_status import StandingView, write_deployments
from understudy.v1 import operations_pb2, operations_pb2_grpc

_LOG = logging.getLogger(__name__)

Context = grpc.aio.ServicerContext[Any, Any]
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


class PauseView(Protocol):
    """A pause that is remembered; the empty name is all."""

    @property
    def silent_model(self) -> str: ...


class PauseStore(Protocol):
    """Remembers pauses. Blocks; raises RefusedError while the store is away."""

    def load(self) -> Iterable[PauseView]:
        """Return the pauses in force."""
        ...

    def pause(self, silent_model: str, actor: str, cause: str) -> None:
        """Remember one."""
        ...

    def resume(self, silent_model: str) -> None:
        """Forget one."""
        ...


class OperationsServicer(operations_pb2_grpc.OperationsServiceServicer):
    """Shows and steers. `store` is None where nothing is kept; pauses then end with the process."""

    def __init__(
        self,
        live: Live,
        mirror: MirrorControl,
        store: PauseStore | None,
        *,
        in_flight: Callable[[], int],
        standing: Callable[[str], StandingView],
        started: float,
    ) -> None:
        self._live = live
        self._mirror = mirror
        self._store = store
        self._in_flight = in_flight
        self._standing = standing
        self._started = Timestamp()
        self._started.FromNanoseconds(round(started * 1e9))

    async def GetStatus(
        self, request: operations_pb2.GetStatusRequest, context: Context
    ) -> operations_pb2.GetStatusResponse:
        """Tell how the service is."""
        snapshot = self._live.current
        return operations_pb2.GetStatusResponse(
            version=version("understudy"),
            config_revision=snapshot.revision,
            start_time=self._started,
            in_flight=self._in_flight(),
            deployments=write_deployments(snapshot, self._standing),
            mirror=self._write_mirror(),
        )

    async def PauseMirroring(
        self, request: operations_pb2.PauseMirroringRequest, context: Context
    ) -> operations_pb2.PauseMirroringResponse:
        """Stop mirroring at once."""
        name = self._check(request.silent_model)
        actor = caller.get().name
        self._mirror.pause(name or None)
        _audit("paused", name, actor, request.cause)
        if self._store is not None:
            try:
                await asyncio.to_thread(self._store.pause, name, actor, request.cause)
            except RefusedError as error:
                raise _not_remembered("paused", "go on with it", error) from error
        return operations_pb2.PauseMirroringResponse(mirror=self._write_mirror())

    async def ResumeMirroring(
        self, request: operations_pb2.ResumeMirroringRequest, context: Context
    ) -> operations_pb2.ResumeMirroringResponse:
        """Go on with mirroring; without a name, with every silent model."""
        name = self._check(request.silent_model)
        self._mirror.resume(name or None)
        _audit("resumed", name, caller.get().name, request.cause)
        if self._store is not None:
            try:
                await asyncio.to_thread(_forget, self._store, name)
            except RefusedError as error:
                raise _not_remembered("resumed", "pause it again", error) from error
        return operations_pb2.ResumeMirroringResponse(mirror=self._write_mirror())

    def _check(self, name: str) -> str:
        """Return the group's own name. Raises RequestError for one that does not exist."""
        return find_group(self._live.current, name).name if name else ""

    def _write_mirror(self) -> operations_pb2.MirrorStatus:
        state = self._mirror.state
        fractions = _fractions(self._live.current)
        return operations_pb2.MirrorStatus(
            paused=state.paused,
            queued=state.queued,
            queued_bytes=state.queued_bytes,
            in_flight=state.in_flight,
            silent_models=[
                _write_silent(one, fractions.get(one.silent_model, 0.0))
                for one in state.silent_models
            ],
        )


def _forget(store: PauseStore, name: str) -> None:
    names = [name] if name else [one.silent_model for one in store.load()]
    for one in names:
        store.resume(one)


def _audit(what: str, name: str, actor: str, cause: str) -> None:
    told = f" ({cause})" if cause else ""
    _LOG.warning("mirroring to %s was %s by %s%s", name or "all", what, actor or "nobody", told)


def _not_remembered(what: str, otherwise: str, error: RefusedError) -> UnderstudyError:
    return RefusedError(
        Reason.STORE_UNAVAILABLE,
        f"mirroring is {what} in this process, but that cannot be kept: a restart would "
        f"{otherwise}; {error.message}",
        retry_after=1.0,
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
