"""Answers, with a clear no, the RPCs that are in the contract but not in this version."""

from typing import Any, NoReturn

import grpc
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message_factory import GetMessageClass

from understudy.server.errors import Reason, UnderstudyError
from understudy.server.servicers.guard import Guard


def add_unbuilt_service(service: ServiceDescriptor, guard: Guard) -> None:
    """Add a service each of whose methods says that this version does not serve it."""
    guard.add_registered_method_handlers(
        service.full_name, {method.name: _handler(method) for method in service.methods}
    )


async def _refuse(request: object, context: object) -> NoReturn:
    raise UnderstudyError(Reason.NOT_IMPLEMENTED, "this version does not serve this RPC")


def _handler(method: MethodDescriptor) -> Any:
    make = (
        grpc.unary_stream_rpc_method_handler
        if method.server_streaming
        else grpc.unary_unary_rpc_method_handler
    )
    return make(
        _refuse,
        request_deserializer=GetMessageClass(method.input_type).FromString,
        response_serializer=GetMessageClass(method.output_type).SerializeToString,
    )
