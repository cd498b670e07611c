"""The only table from errors to gRPC statuses, and the only place that writes error details.

The caller's code must be able to tell who can mend a failure: so a provider's 401 is no
UNAUTHENTICATED, and its 404 no NOT_FOUND.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import Message as ProtoMessage
from google.rpc.error_details_pb2 import (
    BadRequest,
    ErrorInfo,
    PreconditionFailure,
    QuotaFailure,
    ResourceInfo,
    RetryInfo,
)
from google.rpc.status_pb2 import Status

from understudy.server.errors import (
    Reason,
    RefusedError,
    RequestError,
    UnderstudyError,
    UpstreamError,
)

DOMAIN = "understudy"
LONGEST_MESSAGE = 1000  # bytes; gRPC turns a header of over 8 kB into another error altogether
LONGEST_VALUE = 256  # characters of a metadata value
LONGEST_DETAILS = 3000  # bytes
DEFAULT_RETRY = 1.0  # seconds to suggest where nobody said

# After an upstream attempt the client must not retry by itself: we have.
PUSHBACK = ("grpc-retry-pushback-ms", "-1")


class Detail(Enum):
    """The standard error detail beside ErrorInfo."""

    NONE = auto()
    BAD_REQUEST = auto()
    PRECONDITION = auto()
    QUOTA = auto()
    RESOURCE = auto()


@dataclass(frozen=True, slots=True)
class Row:
    """How a reason is told: its code, whether to come back later, and the detail that fits."""

    code: grpc.StatusCode
    retry: bool = False
    detail: Detail = Detail.NONE


_C = grpc.StatusCode
_INVALID = Row(_C.INVALID_ARGUMENT, detail=Detail.BAD_REQUEST)
_OPERATOR = Row(_C.FAILED_PRECONDITION, detail=Detail.PRECONDITION)
_AWAY = Row(_C.UNAVAILABLE, retry=True)

STATUSES: Mapping[Reason, Row] = MappingProxyType(
    {
        Reason.INVALID_REQUEST: _INVALID,
        Reason.UNSUPPORTED_PARAMETER: _INVALID,
        Reason.REQUEST_TOO_LARGE: _INVALID,
        Reason.MODEL_NOT_FOUND: Row(_C.NOT_FOUND, detail=Detail.RESOURCE),
        Reason.EXPERIMENT_NOT_FOUND: Row(_C.NOT_FOUND, detail=Detail.RESOURCE),
        Reason.PAIR_NOT_FOUND: Row(_C.NOT_FOUND, detail=Detail.RESOURCE),
        Reason.GROUP_HAS_NO_WEIGHT: _OPERATOR,
        Reason.DEPLOYMENT_UNUSABLE: _OPERATOR,
        Reason.CREDENTIALS_MISSING: Row(_C.UNAUTHENTICATED),
        Reason.CREDENTIALS_REJECTED: Row(_C.UNAUTHENTICATED),
        Reason.ROLE_MISSING: Row(_C.PERMISSION_DENIED),
        Reason.NOT_IMPLEMENTED: Row(_C.UNIMPLEMENTED),
        Reason.DEADLINE_TOO_SHORT: Row(_C.DEADLINE_EXCEEDED),
        Reason.DEADLINE_EXCEEDED: Row(_C.DEADLINE_EXCEEDED),
        Reason.CANCELLED: Row(_C.CANCELLED),
        Reason.DRAINING: _AWAY,
        Reason.OVERLOADED: Row(_C.RESOURCE_EXHAUSTED, retry=True),
        Reason.LOCAL_POOL_EXHAUSTED: Row(_C.RESOURCE_EXHAUSTED, retry=True),
        Reason.CIRCUIT_OPEN: _AWAY,
        Reason.BUDGET_EXCEEDED: Row(_C.RESOURCE_EXHAUSTED, detail=Detail.QUOTA),
        Reason.INTERNAL: Row(_C.INTERNAL),
        Reason.UPSTREAM_REJECTED_REQUEST: _INVALID,
        Reason.CONTEXT_LENGTH_EXCEEDED: _INVALID,
        Reason.CONTENT_POLICY_REJECTED: _INVALID,
        Reason.UPSTREAM_CREDENTIALS_REJECTED: _OPERATOR,
        Reason.UPSTREAM_FORBIDDEN: _OPERATOR,
        Reason.UPSTREAM_MODEL_NOT_FOUND: Row(_C.FAILED_PRECONDITION, detail=Detail.RESOURCE),
        Reason.UPSTREAM_TIMEOUT: _AWAY,
        Reason.UPSTREAM_CONFLICT: Row(_C.ABORTED, retry=True),
        Reason.UPSTREAM_RATE_LIMITED: Row(_C.RESOURCE_EXHAUSTED, retry=True, detail=Detail.QUOTA),
        Reason.UPSTREAM_QUOTA_EXHAUSTED: Row(_C.RESOURCE_EXHAUSTED, detail=Detail.QUOTA),
        Reason.UPSTREAM_INTERNAL_ERROR: Row(_C.INTERNAL),
        Reason.UPSTREAM_UNSUPPORTED: Row(_C.UNIMPLEMENTED),
        Reason.UPSTREAM_UNAVAILABLE: _AWAY,
        Reason.UPSTREAM_OVERLOADED: _AWAY,
        Reason.UPSTREAM_GATEWAY_TIMEOUT: _AWAY,
        Reason.UPSTREAM_REDIRECT_REFUSED: _OPERATOR,
        Reason.UPSTREAM_BAD_STATUS: Row(_C.INTERNAL),
        Reason.UPSTREAM_CONNECT_FAILED: _AWAY,
        Reason.UPSTREAM_CONNECTION_LOST: Row(_C.UNAVAILABLE),
        Reason.UPSTREAM_CONNECT_TIMEOUT: _AWAY,
        Reason.UPSTREAM_DNS_FAILURE: _AWAY,
        Reason.UPSTREAM_ADDRESS_REFUSED: _OPERATOR,
        Reason.UPSTREAM_TLS_UNTRUSTED: _OPERATOR,
        Reason.UPSTREAM_READ_TIMEOUT: _AWAY,
        Reason.UPSTREAM_MALFORMED_RESPONSE: Row(_C.INTERNAL),
        Reason.UPSTREAM_EMPTY_RESPONSE: Row(_C.INTERNAL),
        Reason.UPSTREAM_TRUNCATED: _AWAY,
        Reason.UPSTREAM_STREAM_TRUNCATED: Row(_C.ABORTED),
        Reason.UPSTREAM_STREAM_ERROR: Row(_C.ABORTED),
        Reason.UPSTREAM_RESPONSE_TOO_LARGE: Row(_C.RESOURCE_EXHAUSTED),
        Reason.UPSTREAM_BAD_ENCODING: Row(_C.INTERNAL),
        Reason.ETAG_MISMATCH: Row(_C.ABORTED),
        Reason.ILLEGAL_TRANSITION: Row(_C.FAILED_PRECONDITION),
        Reason.BAD_UPDATE_MASK: _INVALID,
        Reason.IMMUTABLE_WHILE_RUNNING: _OPERATOR,
        Reason.EXPERIMENT_EXISTS: Row(_C.ALREADY_EXISTS, detail=Detail.RESOURCE),
        Reason.GROUP_TAKEN: _OPERATOR,
        Reason.STORE_UNAVAILABLE: _AWAY,
        Reason.ENDPOINT_NOT_ALLOWED: Row(_C.PERMISSION_DENIED),
        Reason.EXPERIMENT_NOT_STARTED: Row(_C.FAILED_PRECONDITION),
        Reason.FEEDBACK_EXISTS: Row(_C.ALREADY_EXISTS, detail=Detail.RESOURCE),
    }
)


def to_status(
    error: UnderstudyError,
) -> tuple[grpc.StatusCode, str, tuple[tuple[str, str | bytes], ...]]:
    """Return the code, the message and the trailers that tell a caller of an error.

    The message begins with the reason and is at most 1000 bytes; the trailers are under 4 kB.
    """
    row = STATUSES[error.reason]
    message = _clip(f"{error.reason}: {_printable(error.message)}", LONGEST_MESSAGE)
    status = Status(code=row.code.value[0], message=message)
    status.details.append(_pack(_error_info(error)))
    for detail in _further(row, error, message):
        status.details.append(_pack(detail))
        if status.ByteSize() > LONGEST_DETAILS:
            del status.details[-1]
            break
    trailers: list[tuple[str, str | bytes]] = [
        ("grpc-status-details-bin", status.SerializeToString())
    ]
    if error.attempts:
        trailers.append(PUSHBACK)
    return row.code, message, tuple(trailers)


def _error_info(error: UnderstudyError) -> ErrorInfo:
    info = ErrorInfo(reason=error.reason, domain=DOMAIN)
    for key, value in error.metadata.items():
        info.metadata[key] = _printable(value)[:LONGEST_VALUE]
    return info


def _further(row: Row, error: UnderstudyError, message: str) -> list[ProtoMessage]:
    details: list[ProtoMessage] = []
    if row.retry:
        details.append(_retry_info(error))
    labels = error.metadata
    match row.detail:
        case Detail.NONE:
            pass
        case Detail.BAD_REQUEST:
            bad = BadRequest()
            field = error.field if isinstance(error, RequestError) else ""
            bad.field_violations.add(field=field or "messages", description=message)
            details.append(bad)
        case Detail.PRECONDITION:
            failure = PreconditionFailure()
            failure.violations.add(
                type=_PRECONDITIONS.get(error.reason, "CONFIGURATION"),
                subject=_subject(labels),
                description=message,
            )
            details.append(failure)
        case Detail.QUOTA:
            quota = QuotaFailure()
            quota.violations.add(
                subject=f"deployments/{labels.get('deployment', '')}", description=message
            )
            details.append(quota)
        case Detail.RESOURCE:
            kind = next((one for one in _RESOURCES if one in labels), "model")
            name = labels.get(kind, "")
            details.append(
                ResourceInfo(
                    resource_type=kind,
                    resource_name=_printable(name)[:LONGEST_VALUE],
                    description=message,
                )
            )
    return details


# What may be missing, in the order in which an error's labels are looked through for it.
_RESOURCES = ("model", "experiment", "pair", "feedback")


def _subject(labels: Mapping[str, str]) -> str:
    """Return what stands in the way, as a path."""
    for label, folder in (("deployment", "deployments"), ("experiment", "experiments")):
        if name := labels.get(label):
            return f"{folder}/{_printable(name)[:LONGEST_VALUE]}"
    return f"deployments/{_printable(labels.get('modelGroup', ''))[:LONGEST_VALUE]}"


_PRECONDITIONS: Mapping[Reason, str] = {
    Reason.IMMUTABLE_WHILE_RUNNING: "STATE",
    Reason.GROUP_TAKEN: "GROUP",
    Reason.UPSTREAM_CREDENTIALS_REJECTED: "CREDENTIALS",
    Reason.UPSTREAM_FORBIDDEN: "CREDENTIALS",
    Reason.UPSTREAM_TLS_UNTRUSTED: "TLS",
    Reason.UPSTREAM_ADDRESS_REFUSED: "ADDRESS",
    Reason.UPSTREAM_REDIRECT_REFUSED: "REDIRECT",
}


def _retry_info(error: UnderstudyError) -> RetryInfo:
    asked: float | None = None
    if isinstance(error, UpstreamError | RefusedError):
        asked = error.retry_after
    info = RetryInfo()
    info.retry_delay.FromNanoseconds(round((DEFAULT_RETRY if asked is None else asked) * 1e9))
    return info


def _pack(message: ProtoMessage) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed


def _printable(text: str) -> str:
    """Escape what could forge a log line or move a cursor; lone surrogates cannot be sent."""
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )


def _clip(text: str, most: int) -> str:
    raw = text.encode()
    if len(raw) <= most:
        return text
    return raw[: most - 3].decode(errors="ignore") + "…"
