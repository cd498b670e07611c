"""Asks a running service, and reads what its errors carry."""

from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import json_format
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from understudy.v1 import completion_pb2

Request = completion_pb2.CreateCompletionRequest
Answer = completion_pb2.CreateCompletionResponse
Piece = completion_pb2.StreamCompletionResponse


def prompt(model: str = "", content: str = "hi", **fields: Any) -> Request:
    """A request with one message."""
    body = {"messages": [{"role": "user", "content": content}], **fields}
    if model:
        body["model"] = model
    return json_format.ParseDict(body, Request())


@dataclass(frozen=True, slots=True)
class Told:
    """What a failed call told its caller."""

    code: grpc.StatusCode
    message: str
    reason: str
    metadata: dict[str, str]
    details: frozenset[str]
    may_retry: bool


def told(error: grpc.aio.AioRpcError) -> Told:
    """Read a failed call."""
    trailers = list(error.trailing_metadata() or ())
    info = ErrorInfo()
    names: set[str] = set()
    for key, value in trailers:
        if key == "grpc-status-details-bin":
            assert isinstance(value, bytes)
            for detail in Status.FromString(value).details:
                names.add(detail.type_url.rpartition(".")[2])
                detail.Unpack(info)  # into what it is not, it does nothing
    return Told(
        error.code(),
        error.details() or "",
        info.reason,
        dict(info.metadata),
        frozenset(names - {"ErrorInfo"}),
        ("grpc-retry-pushback-ms", "-1") not in {(key, value) for key, value in trailers},
    )
