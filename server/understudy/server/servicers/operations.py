"""Serves OperationsService: how the service is, and the brake of the mirror.

A pause takes effect first and is written down second: what somebody wants stopped is stopped,
whether or not the store is there to remember it.
"""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any, Protocol

import grpc

from understudy.server.errors import Reason, RefusedError, UnderstudyError
from understudy.server.live import Live
from understudy.server.routing.groups import find_group
from understudy.server.servicers.access import caller
from understudy.v1 import operations_pb2, operations_pb2_grpc

_LOG = logging.getLogger(__name__)

Context = grpc.aio.ServicerContext[Any, Any]


class Host(Protocol):
    """All that serves on this host, be it one process or several."""

    async def status(self) -> operations_pb2.GetStatusResponse:
        """Return how it is."""
        ...

    async def pause(self, silent_model: str | None) -> None:
        """Stop mirroring to one silent model, or to all; nothing is sent once this returns."""
        ...

    async def resume(self, silent_model: str | None) -> None:
        """Go on with one, or with all."""
        ...


class ConfigView(Protocol):
    """The configuration file as it was last read."""

    @property
    def time(self) -> float:
        """When what is in use was read, in seconds since 1970."""
        ...

    @property
    def error(self) -> str:
        """Why it could not be read again, empty if it could."""
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
    """Shows and steers. `store` is None where nothing is kept; pauses then end with the service."""

    def __init__(
        self, live: Live, host: Host, store: PauseStore | None, config: ConfigView
    ) -> None:
        self._live = live
        self._host = host
        self._store = store
        self._config = config

    async def GetStatus(
        self, request: operations_pb2.GetStatusRequest, context: Context
    ) -> operations_pb2.GetStatusResponse:
        """Tell how the service is."""
        status = await self._host.status()
        status.config_time.FromNanoseconds(round(self._config.time * 1e9))
        status.config_error = self._config.error
        return status

    async def PauseMirroring(
        self, request: operations_pb2.PauseMirroringRequest, context: Context
    ) -> operations_pb2.PauseMirroringResponse:
        """Stop mirroring at once."""
        name = self._check(request.silent_model)
        actor = caller.get().name
        await self._host.pause(name or None)
        _audit("paused", name, actor, request.cause)
        if self._store is not None:
            try:
                await asyncio.to_thread(self._store.pause, name, actor, request.cause)
            except RefusedError as error:
                raise _not_remembered("paused", "go on with it", error) from error
        return operations_pb2.PauseMirroringResponse(mirror=(await self._host.status()).mirror)

    async def ResumeMirroring(
        self, request: operations_pb2.ResumeMirroringRequest, context: Context
    ) -> operations_pb2.ResumeMirroringResponse:
        """Go on with mirroring; without a name, with every silent model."""
        name = self._check(request.silent_model)
        await self._host.resume(name or None)
        _audit("resumed", name, caller.get().name, request.cause)
        if self._store is not None:
            try:
                await asyncio.to_thread(_forget, self._store, name)
            except RefusedError as error:
                raise _not_remembered("resumed", "pause it again", error) from error
        return operations_pb2.ResumeMirroringResponse(mirror=(await self._host.status()).mirror)

    def _check(self, name: str) -> str:
        """Return the group's own name. Raises RequestError for one that does not exist."""
        return find_group(self._live.current, name).name if name else ""


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
        f"mirroring is {what} on this host, but that cannot be kept: a restart would "
        f"{otherwise}; {error.message}",
        retry_after=1.0,
    )
