"""The only table from gRPC statuses to errors, and the only reader of error details.

Pure but for the types of gRPC: deciding whether to try again is `retries`.
"""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, cast

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc.error_details_pb2 import (
    BadRequest,
    ErrorInfo,
    Help,
    LocalizedMessage,
    PreconditionFailure,
    QuotaFailure,
    RequestInfo,
    ResourceInfo,
    RetryInfo,
)
from google.rpc.status_pb2 import Status

from understudy.client import errors

DOMAIN: Final = "understudy"
DETAILS_KEY: Final = "grpc-status-details-bin"
PUSHBACK_KEY: Final = "grpc-retry-pushback-ms"

CLASSES: Final[Mapping[grpc.StatusCode, type[errors.UnderstudyError]]] = MappingProxyType(
    {
        grpc.StatusCode.CANCELLED: errors.Cancelled,
        grpc.StatusCode.UNKNOWN: errors.Unknown,
        grpc.StatusCode.INVALID_ARGUMENT: errors.InvalidArgument,
        grpc.StatusCode.DEADLINE_EXCEEDED: errors.DeadlineExceeded,
        grpc.StatusCode.NOT_FOUND: errors.NotFound,
        grpc.StatusCode.ALREADY_EXISTS: errors.AlreadyExists,
        grpc.StatusCode.PERMISSION_DENIED: errors.PermissionDenied,
        grpc.StatusCode.UNAUTHENTICATED: errors.Unauthenticated,
        grpc.StatusCode.RESOURCE_EXHAUSTED: errors.ResourceExhausted,
        grpc.StatusCode.FAILED_PRECONDITION: errors.FailedPrecondition,
        grpc.StatusCode.ABORTED: errors.Aborted,
        grpc.StatusCode.OUT_OF_RANGE: errors.OutOfRange,
        grpc.StatusCode.UNIMPLEMENTED: errors.Unimplemented,
        grpc.StatusCode.INTERNAL: errors.Internal,
        grpc.StatusCode.UNAVAILABLE: errors.Unavailable,
        grpc.StatusCode.DATA_LOSS: errors.DataLoss,
    }
)

# Reasons with which a server refuses a call before it has asked any model.
REFUSALS: Final = frozenset({"OVERLOADED", "DRAINING", "CIRCUIT_OPEN", "LOCAL_POOL_EXHAUSTED"})

_DETAILS: Final[Mapping[str, type[Message]]] = {
    kind.DESCRIPTOR.full_name: kind
    for kind in (
        BadRequest,
        ErrorInfo,
        Help,
        LocalizedMessage,
        PreconditionFailure,
        QuotaFailure,
        RequestInfo,
        ResourceInfo,
        RetryInfo,
    )
}

# gRPC gives "no connection" no status of its own. These are the texts with which its balancers
# and resolvers fail a call that was never sent, the same from 1.76 to 1.85.
_NEVER_SENT: Final = re.compile(
    r"connections to all backends failing|failed to connect to all addresses"
    r"|DNS resolution failed|errors resolving"
)
_LAST_ERROR: Final = re.compile(r"last error: (?:[A-Z_]+: )?(.*)", re.DOTALL)
_LONGEST_CAUSE: Final = 300  # characters; a list of servers makes long ones


def read_error(error: grpc.RpcError, target: str, timeout: float) -> errors.UnderstudyError:
    """Return the error of ours that tells what one of gRPC's says."""
    # The stubs do not know that these are pairs.
    trailers = cast("Iterable[tuple[str, str | bytes]]", error.trailing_metadata() or ())
    return read_status(error.code(), error.details() or "", trailers, target, timeout)


def read_status(
    code: grpc.StatusCode,
    text: str,
    trailers: Iterable[tuple[str, str | bytes]],
    target: str,
    timeout: float,
) -> errors.UnderstudyError:
    """Return the error that a status, its text and its trailers tell of."""
    details: tuple[Message, ...] = ()
    pushback: str | None = None
    for key, value in trailers:
        if key == DETAILS_KEY and isinstance(value, bytes):
            details = _read_details(value)
        elif key == PUSHBACK_KEY:
            pushback = value if isinstance(value, str) else ""
    info = next((one for one in details if isinstance(one, ErrorInfo)), None)
    wait = _read_pushback(pushback)
    if info is None or info.domain != DOMAIN:
        reason, message = _explain(code, text, target, timeout)
        failure = errors.Failure(reason=reason, message=message, code=code.name, details=details)
    else:
        failure = errors.Failure(
            reason=info.reason,
            message=text,
            code=code.name,
            metadata=dict(info.metadata),
            retry_after=_retry_delay(details) if wait is None else wait,
            violations=_violations(details),
            details=details,
            repeatable=info.reason in REFUSALS and (pushback is None or wait is not None),
        )
    return CLASSES[code](failure)


def _read_details(packed: bytes) -> tuple[Message, ...]:
    """Return the details that we know the types of; a proxy may add others, or nonsense."""
    try:
        status = Status.FromString(packed)
    except DecodeError:
        return ()
    found: list[Message] = []
    for one in status.details:
        kind = _DETAILS.get(one.type_url.rpartition("/")[2])
        if kind is not None:
            try:
                found.append(kind.FromString(one.value))
            except DecodeError:
                continue
    return tuple(found)


def _read_pushback(text: str | None) -> float | None:
    """Return the seconds to wait; `None` if not said. Anything but a number means never."""
    return int(text) / 1000 if text is not None and text.isdecimal() else None


def _retry_delay(details: Iterable[Message]) -> float | None:
    for one in details:
        if isinstance(one, RetryInfo):
            return max(0.0, one.retry_delay.ToNanoseconds() / 1e9)
    return None


def _violations(details: Iterable[Message]) -> tuple[errors.Violation, ...]:
    return tuple(
        errors.Violation(violation.field, violation.description)
        for one in details
        if isinstance(one, BadRequest)
        for violation in one.field_violations
    )


def _explain(code: grpc.StatusCode, text: str, target: str, timeout: float) -> tuple[str, str]:
    """Return reason and message for a status that the service itself did not write."""
    if code is grpc.StatusCode.UNAVAILABLE:
        if _NEVER_SENT.search(text):
            return errors.NO_SERVER, _tell_nobody(text, target)
        return code.name, (
            f"the connection to {target} ended before the answer: {text}; "
            "a model may have been asked, so the call was not repeated"
        )
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return code.name, f"no answer from {target} within {timeout:g} s"
    return code.name, text or f"{target} answered {code.name}"


def _tell_nobody(text: str, target: str) -> str:
    found = _LAST_ERROR.search(text)
    why = (found[1] if found else text)[:_LONGEST_CAUSE]
    if "unhealthy" in why:
        return f"no server at {target} is ready to serve ({why})"
    return (
        f"nothing answers at {target}; start one with `understudy demo` "
        f"or set UNDERSTUDY_TARGET ({why})"
    )
