"""Hands out the handlers of a service, and in their place a refusal while there is too much to do.

Here, and not in the handlers, because here a call costs least: its message has not been received,
let alone read, its caller not proved. The status and its details are written once.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, TypeAlias

import grpc

from understudy.server.servicers.overload import Overload, refusal
from understudy.server.servicers.statuses import to_status

Context = grpc.aio.ServicerContext[Any, Any]
AnyHandler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"

# What brings money and load. Everything else gets in: operators most of all during overload.
SHEDDABLE: Final = frozenset(
    {
        "/understudy.v1.CompletionService/CreateCompletion",
        "/understudy.v1.CompletionService/StreamCompletion",
    }
)


class Turnstile(grpc.GenericRpcHandler):
    """The handlers of one service by the full names of their methods. Without `overload` all pass."""

    def __init__(self, handlers: Mapping[str, AnyHandler], overload: Overload | None) -> None:
        self._handlers = handlers
        self._overload = overload
        # It takes a stream, whatever the caller sends, so that gRPC waits for no message of his.
        self._refusing: AnyHandler = grpc.stream_stream_rpc_method_handler(_refuse)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "AnyHandler | None":
        """Return who answers a call, None for a method of others."""
        method = handler_call_details.method
        found = self._handlers.get(method)
        if self._overload is not None and method in SHEDDABLE and self._overload.refuses():
            return self._refusing
        return found


_CODE, _MESSAGE, _TRAILERS = to_status(refusal())


async def _refuse(_: AsyncIterator[Any], context: Context) -> None:
    # An abort would do the same by way of an exception.
    context.set_code(_CODE)
    context.set_details(_MESSAGE)
    context.set_trailing_metadata(_TRAILERS)
