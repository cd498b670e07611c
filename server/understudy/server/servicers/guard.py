"""Stands before every handler: who may, how many are under way, and errors into statuses.

It takes the place of the server when servicers are added and wraps each handler once, because an
interceptor of `grpc.aio` would look the handler up again for each call.
"""

import logging
import traceback
from asyncio import CancelledError
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn, Protocol, cast

import grpc
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError

from understudy.server.domain.access import Identity
from understudy.server.errors import (
    AccessError,
    Reason,
    RefusedError,
    RequestError,
    UnderstudyError,
)
from understudy.server.servicers.access import AuthContext, Metadata, caller
from understudy.server.servicers.calls import Calls
from understudy.server.servicers.overload import Overload
from understudy.server.servicers.sizing import has_more_fields
from understudy.server.servicers.statuses import to_status
from understudy.server.servicers.turnstile import SHEDDABLE, Turnstile

_LOG = logging.getLogger(__name__)

_WATCHES = frozenset({"/understudy.v1.ExperimentService/WatchExperiments"})

Context = grpc.aio.ServicerContext[Any, Any]
Behaviour = Callable[[Any, Context], Any]


# Beyond what any model takes; at eighty bytes each, and more in what is made of them.
_MOST_FIELDS = 100_000


@dataclass(frozen=True, slots=True)
class _Unreadable:
    """Stands for a request that cannot be read, or must not."""

    fault: RequestError


class Handler(Protocol):
    """What grpc calls a method handler."""

    request_streaming: bool
    response_streaming: bool
    request_deserializer: Callable[[bytes], Any] | None  # None: bytes are handed on
    response_serializer: Callable[[Any], bytes] | None
    unary_unary: Behaviour | None
    unary_stream: Behaviour | None
    stream_stream: Behaviour | None


class Admission(Protocol):
    """Knows who may call what."""

    @property
    def is_open(self) -> bool:
        """Whether nobody has to prove anything."""
        ...

    @property
    def wants_certificates(self) -> bool:
        """Whether a certificate may prove who calls."""
        ...

    def admit(self, method: str, metadata: Metadata, auth: AuthContext) -> Identity:
        """Return who calls, if it may call this method. Raises AccessError."""
        ...


class Guard:
    """Adds servicers to a server, each handler wrapped. With `overload` completions are bounded."""

    def __init__(
        self,
        server: grpc.aio.Server,
        access: Admission,
        calls: Calls,
        overload: Overload | None = None,
    ) -> None:
        self._server = server
        self._access = access
        self._calls = calls
        self._overload = overload

    @property
    def taken(self) -> tuple[int, int]:
        """How many completions were begun, and refused because there was too much to do."""
        return (0, 0) if self._overload is None else (self._overload.begun, self._overload.refused)

    @property
    def door(self) -> grpc.aio.Server:
        """Itself, for generated code: that only ever adds handlers to what it calls a server."""
        return cast(grpc.aio.Server, self)

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """Do nothing: generated code registers each service twice, and once is enough."""

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Handler]) -> None:
        """Add a service, each of its handlers wrapped."""
        wrapped = {
            f"/{service}/{name}": self._wrap(f"/{service}/{name}", handler)
            for name, handler in handlers.items()
        }
        self._server.add_generic_rpc_handlers((Turnstile(wrapped, self._overload),))

    def _wrap(self, method: str, handler: Handler) -> "grpc.RpcMethodHandler[Any, Any]":
        read = handler.request_deserializer
        serializers = (read and _tolerant(read), handler.response_serializer)
        if handler.unary_unary is not None:
            return grpc.unary_unary_rpc_method_handler(
                self._guard(method, handler.unary_unary, streams=False), *serializers
            )
        if handler.unary_stream is not None:
            return grpc.unary_stream_rpc_method_handler(
                self._guard(method, handler.unary_stream, streams=True), *serializers
            )
        if handler.stream_stream is not None:
            return grpc.stream_stream_rpc_method_handler(
                self._guard(method, handler.stream_stream, streams=True), *serializers
            )
        raise TypeError(f"{method} streams its requests only, which no service here does")

    def _guard(self, method: str, behaviour: Behaviour, *, streams: bool) -> Behaviour:
        access, calls, overload = self._access, self._calls, self._overload

        async def guarded(request: Any, context: Context) -> Any:
            calls.enter()
            try:
                identity = _admit(access, method, context)
                caller.set(identity)  # each call has a task, hence a context, of its own
                if isinstance(request, _Unreadable):
                    raise request.fault
                reply = behaviour(request, context)
                if not hasattr(reply, "__aiter__"):
                    return await reply
                # Written from here and closed here: left to grpc, a cancelled call's generator
                # would end, and close its connection, whenever it happened to be collected.
                async with aclosing(reply) as messages:
                    async for message in messages:
                        await context.write(message)
                return None
            except UnderstudyError as error:
                await _abort(context, error)
            except (grpc.aio.AbortError, CancelledError):
                raise
            except Exception as error:  # noqa: BLE001 - the last line of defence
                _LOG.error("%s failed by an error of our own: %s", method, _describe(error))
                await _abort(
                    context,
                    UnderstudyError(
                        Reason.INTERNAL, "an error of the server's own; its log says where"
                    ),
                )
            finally:
                calls.leave()

        async def watched(request: Any, context: Context) -> Any:
            admit = partial(_admit, access, method, context)
            if streams:
                # Now, while nobody ends it: cancelled in the middle of this, gRPC would send it
                # again with the status, be refused by itself, and leave the call open.
                await context.send_initial_metadata(())
            with calls.watching(admit):
                if streams and calls.draining:
                    await _abort(context, _going_down())
                try:
                    return await guarded(request, context)
                except CancelledError:
                    # A cancelled handler tells grpc.aio nothing: the call would stay open.
                    if calls.draining:
                        await _abort(context, _going_down())
                    try:
                        admit()
                    except AccessError as error:
                        await _abort(context, error)
                    raise

        async def bounded(request: Any, context: Context) -> Any:
            assert overload is not None
            try:
                entered = overload.enter()
            except RefusedError as error:
                await _abort(context, error)
            try:
                return await guarded(request, context)
            finally:
                overload.leave(entered)

        if overload is not None and method in SHEDDABLE:
            return bounded
        return guarded if method.startswith("/understudy.") and method not in _WATCHES else watched


def _admit(access: Admission, method: str, context: Context) -> Identity:
    """Return who calls. Raises AccessError for who may not."""
    if access.is_open:
        return access.admit(method, (), {})
    return access.admit(
        method,
        tuple(context.invocation_metadata() or ()),
        context.auth_context() if access.wants_certificates else {},
    )


def _going_down() -> RefusedError:
    return RefusedError(Reason.DRAINING, "the server goes down")


async def _abort(context: Context, error: UnderstudyError) -> NoReturn:
    code, message, trailers = to_status(error)
    await context.abort(code, message, trailers)
    raise error  # abort has raised already; this tells the type checker


def _tolerant(deserialize: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """Let a malformed request reach the handler: grpc would answer it with a text of its own."""
    # It is the `FromString` of a message's class.
    kind = cast(Descriptor, cast(Any, deserialize).__self__.DESCRIPTOR)

    def read(data: bytes) -> Any:
        # A field takes two bytes at least.
        if len(data) > 2 * _MOST_FIELDS and has_more_fields(data, kind, _MOST_FIELDS):
            what = f"the request has more than {_MOST_FIELDS} fields"
            return _Unreadable(RequestError(what, reason=Reason.REQUEST_TOO_LARGE))
        try:
            return deserialize(data)
        except DecodeError:
            what = "the request is no message of the type that it should be"
            return _Unreadable(RequestError(what))

    return read


def _describe(error: Exception) -> str:
    """Say what failed where, without the error's own text: that may quote a key or a prompt."""
    frames = traceback.extract_tb(error.__traceback__)[-8:]
    return f"{type(error).__name__} at " + " < ".join(
        f"{frame.name} ({frame.filename.rpartition('/')[2]}:{frame.lineno})"
        for frame in reversed(frames)
    )
