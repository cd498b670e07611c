"""Hands calls on, as bytes, to the process that controls; and takes them there.

Who calls was proved where the call came in, and goes along as metadata. That is believed, because
the socket between the two is in a folder that only its owner can open.
"""

from collections.abc import AsyncIterator
from typing import Any, Final, NoReturn

import grpc
import msgspec
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

from understudy.server.domain.access import Identity, Role
from understudy.server.errors import AccessError, Reason, RefusedError
from understudy.server.servicers.access import AuthContext, Metadata, caller
from understudy.server.servicers.guard import Guard

Context = grpc.aio.ServicerContext[Any, Any]

_IDENTITY: Final = "understudy-identity-bin"
_DETAILS: Final = "grpc-status-details-bin"  # of every error that the other side has chosen
_C = grpc.StatusCode


class _Written(msgspec.Struct, frozen=True):
    """An identity on its way."""

    name: str
    roles: frozenset[Role]


_IDENTITIES = msgspec.json.Decoder(_Written)


class Forwarded:
    """Believes what came along with a call that was admitted elsewhere."""

    def __init__(self) -> None:
        self.is_open = False
        self.wants_certificates = False

    def admit(self, method: str, metadata: Metadata, auth: AuthContext) -> Identity:
        """Return who calls. Raises AccessError if that did not come along."""
        for key, value in metadata:
            if key == _IDENTITY:
                try:
                    found = _IDENTITIES.decode(value)
                except msgspec.DecodeError:
                    break
                return Identity(found.name, found.roles)
        raise AccessError(Reason.CREDENTIALS_MISSING, f"nobody says who calls {method}")


def add_forwarding(guard: Guard, service: ServiceDescriptor, channel: grpc.aio.Channel) -> None:
    """Add a service each of whose calls is handed on over a channel."""
    guard.add_registered_method_handlers(
        service.full_name,
        {
            method.name: _handler(f"/{service.full_name}/{method.name}", method, channel)
            for method in service.methods
        },
    )


def _handler(path: str, method: MethodDescriptor, channel: grpc.aio.Channel) -> Any:
    # Without serialisers bytes go through as they are.
    if method.server_streaming:
        stream: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_stream_rpc_method_handler(
            _stream(channel.unary_stream(path))
        )
        return stream
    unary: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(
        _unary(channel.unary_unary(path))
    )
    return unary


def _unary(ask: "grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]") -> Any:
    async def forward(request: bytes, context: Context) -> bytes:
        call = ask(request, timeout=context.time_remaining(), metadata=_say_who())
        try:
            answer = await call
            context.set_trailing_metadata(await call.trailing_metadata())
            return answer
        except grpc.aio.AioRpcError as error:
            await _fail_alike(context, error)

    return forward


def _stream(ask: "grpc.aio.UnaryStreamMultiCallable[bytes, bytes]") -> Any:
    async def forward(request: bytes, context: Context) -> AsyncIterator[bytes]:
        call = ask(request, timeout=context.time_remaining(), metadata=_say_who())
        try:
            async for message in call:
                yield message
            context.set_trailing_metadata(await call.trailing_metadata())
        except grpc.aio.AioRpcError as error:
            await _fail_alike(context, error)
        finally:
            call.cancel()  # whoever asked may have gone in the middle

    return forward


def _say_who() -> tuple[tuple[str, bytes]]:
    identity = caller.get()
    return ((_IDENTITY, msgspec.json.encode(_Written(identity.name, identity.roles))),)


async def _fail_alike(context: Context, error: grpc.aio.AioRpcError) -> NoReturn:
    trailers = error.trailing_metadata()
    code = error.code()
    if _DETAILS in trailers or code in (_C.DEADLINE_EXCEEDED, _C.CANCELLED):
        await context.abort(code, error.details() or "", tuple(trailers))
    # Not chosen by the other side, but of the way to it: its text names a path of this machine.
    raise RefusedError(
        Reason.DRAINING, "the process that controls this one is gone; ask again", retry_after=1.0
    ) from error
