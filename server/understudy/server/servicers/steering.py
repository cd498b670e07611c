"""How the service is, and the brake of the mirror, for who does not come by the wire.

What OperationsService does is done by it, so that a page and a call do the same.
"""

from typing import cast

from understudy.server.domain.access import Identity
from understudy.server.servicers.access import caller
from understudy.server.servicers.operations import Context, OperationsServicer
from understudy.v1 import operations_pb2 as pb

_NO_CALL = cast(Context, None)  # what they do needs none


class Steering:
    """Asked on the event loop that the service runs on, each time in a task of its own."""

    def __init__(self, operations: OperationsServicer) -> None:
        self._operations = operations

    async def status(self) -> pb.GetStatusResponse:
        """Return how it is."""
        return await self._operations.GetStatus(pb.GetStatusRequest(), _NO_CALL)

    async def pause(self, silent_model: str, *, actor: str, cause: str) -> None:
        """Stop mirroring to one silent model, or to all if the name is empty."""
        caller.set(Identity(actor, frozenset()))
        request = pb.PauseMirroringRequest(silent_model=silent_model, cause=cause)
        await self._operations.PauseMirroring(request, _NO_CALL)

    async def resume(self, silent_model: str, *, actor: str, cause: str) -> None:
        """Go on with one, or with all."""
        caller.set(Identity(actor, frozenset()))
        request = pb.ResumeMirroringRequest(silent_model=silent_model, cause=cause)
        await self._operations.ResumeMirroring(request, _NO_CALL)
