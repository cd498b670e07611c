"""Everything that can go wrong, by reason.

    UnderstudyError
      RequestError       the caller's to mend: a field, a name, a deadline
      AccessError        who may, and who may not
      RefusedError       no model was asked: no seat, no circuit, no time; ask again
      UpstreamError      a model was asked, and this came of it
      ConfigError        the operator's to mend, in the configuration file

The reason decides the gRPC status (`servicers.statuses`) and whether another attempt is worth
making (`routing.attempts`). Messages are for people, never hold a credential, and never quote an
upstream's body beyond what `providers` has cleaned.
"""

from collections.abc import Mapping
from enum import StrEnum


class Reason(StrEnum):
    """Why a call failed: the values of the proto's `ErrorReason`, which documents each."""

    INVALID_REQUEST = "INVALID_REQUEST"
    UNSUPPORTED_PARAMETER = "UNSUPPORTED_PARAMETER"
    REQUEST_TOO_LARGE = "REQUEST_TOO_LARGE"
    MODEL_NOT_FOUND = "MODEL_NOT_FOUND"
    EXPERIMENT_NOT_FOUND = "EXPERIMENT_NOT_FOUND"
    PAIR_NOT_FOUND = "PAIR_NOT_FOUND"
    GROUP_HAS_NO_WEIGHT = "GROUP_HAS_NO_WEIGHT"
    DEPLOYMENT_UNUSABLE = "DEPLOYMENT_UNUSABLE"
    CREDENTIALS_MISSING = "CREDENTIALS_MISSING"
    CREDENTIALS_REJECTED = "CREDENTIALS_REJECTED"
    ROLE_MISSING = "ROLE_MISSING"
    NOT_IMPLEMENTED = "NOT_IMPLEMENTED"
    DEADLINE_TOO_SHORT = "DEADLINE_TOO_SHORT"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    CANCELLED = "CANCELLED"
    DRAINING = "DRAINING"
    OVERLOADED = "OVERLOADED"
    LOCAL_POOL_EXHAUSTED = "LOCAL_POOL_EXHAUSTED"
    CIRCUIT_OPEN = "CIRCUIT_OPEN"
    BUDGET_EXCEEDED = "BUDGET_EXCEEDED"
    INTERNAL = "INTERNAL"
    UPSTREAM_REJECTED_REQUEST = "UPSTREAM_REJECTED_REQUEST"
    CONTEXT_LENGTH_EXCEEDED = "CONTEXT_LENGTH_EXCEEDED"
    CONTENT_POLICY_REJECTED = "CONTENT_POLICY_REJECTED"
    UPSTREAM_CREDENTIALS_REJECTED = "UPSTREAM_CREDENTIALS_REJECTED"
    UPSTREAM_FORBIDDEN = "UPSTREAM_FORBIDDEN"
    UPSTREAM_MODEL_NOT_FOUND = "UPSTREAM_MODEL_NOT_FOUND"
    UPSTREAM_TIMEOUT = "UPSTREAM_TIMEOUT"
    UPSTREAM_CONFLICT = "UPSTREAM_CONFLICT"
    UPSTREAM_RATE_LIMITED = "UPSTREAM_RATE_LIMITED"
    UPSTREAM_QUOTA_EXHAUSTED = "UPSTREAM_QUOTA_EXHAUSTED"
    UPSTREAM_INTERNAL_ERROR = "UPSTREAM_INTERNAL_ERROR"
    UPSTREAM_UNSUPPORTED = "UPSTREAM_UNSUPPORTED"
    UPSTREAM_UNAVAILABLE = "UPSTREAM_UNAVAILABLE"
    UPSTREAM_OVERLOADED = "UPSTREAM_OVERLOADED"
    UPSTREAM_GATEWAY_TIMEOUT = "UPSTREAM_GATEWAY_TIMEOUT"
    UPSTREAM_REDIRECT_REFUSED = "UPSTREAM_REDIRECT_REFUSED"
    UPSTREAM_BAD_STATUS = "UPSTREAM_BAD_STATUS"
    UPSTREAM_CONNECT_FAILED = "UPSTREAM_CONNECT_FAILED"
    UPSTREAM_CONNECTION_LOST = "UPSTREAM_CONNECTION_LOST"
    UPSTREAM_CONNECT_TIMEOUT = "UPSTREAM_CONNECT_TIMEOUT"
    UPSTREAM_DNS_FAILURE = "UPSTREAM_DNS_FAILURE"
    UPSTREAM_ADDRESS_REFUSED = "UPSTREAM_ADDRESS_REFUSED"
    UPSTREAM_TLS_UNTRUSTED = "UPSTREAM_TLS_UNTRUSTED"
    UPSTREAM_READ_TIMEOUT = "UPSTREAM_READ_TIMEOUT"
    UPSTREAM_MALFORMED_RESPONSE = "UPSTREAM_MALFORMED_RESPONSE"
    UPSTREAM_EMPTY_RESPONSE = "UPSTREAM_EMPTY_RESPONSE"
    UPSTREAM_TRUNCATED = "UPSTREAM_TRUNCATED"
    UPSTREAM_STREAM_TRUNCATED = "UPSTREAM_STREAM_TRUNCATED"
    UPSTREAM_STREAM_ERROR = "UPSTREAM_STREAM_ERROR"
    UPSTREAM_RESPONSE_TOO_LARGE = "UPSTREAM_RESPONSE_TOO_LARGE"
    UPSTREAM_BAD_ENCODING = "UPSTREAM_BAD_ENCODING"
    ETAG_MISMATCH = "ETAG_MISMATCH"
    ILLEGAL_TRANSITION = "ILLEGAL_TRANSITION"
    BAD_UPDATE_MASK = "BAD_UPDATE_MASK"
    IMMUTABLE_WHILE_RUNNING = "IMMUTABLE_WHILE_RUNNING"
    EXPERIMENT_EXISTS = "EXPERIMENT_EXISTS"
    GROUP_TAKEN = "GROUP_TAKEN"
    STORE_UNAVAILABLE = "STORE_UNAVAILABLE"
    ENDPOINT_NOT_ALLOWED = "ENDPOINT_NOT_ALLOWED"
    EXPERIMENT_NOT_STARTED = "EXPERIMENT_NOT_STARTED"
    FEEDBACK_EXISTS = "FEEDBACK_EXISTS"


class UnderstudyError(Exception):
    """The root. `message` is for people; `metadata` repeats what it interpolates.

    `attempts` counts the upstream calls made before it: at 0 the request is safe to send again.
    """

    def __init__(
        self, reason: Reason, message: str, *, metadata: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.metadata: Mapping[str, str] = metadata or {}
        self.attempts = 0


class RequestError(UnderstudyError):
    """The caller's to mend. `field` is the path of the fault, such as `messages[2].role`."""

    def __init__(
        self,
        message: str,
        *,
        field: str = "",
        reason: Reason = Reason.INVALID_REQUEST,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        labels = {**({"field": field} if field else {}), **(metadata or {})}
        super().__init__(reason, message, metadata=labels)
        self.field = field


class AccessError(UnderstudyError):
    """Who may, and who may not."""


class RefusedError(UnderstudyError):
    """No model was asked. `retry_after` is in seconds, `None` if waiting does not help."""

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        retry_after: float | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(reason, message, metadata=metadata)
        self.retry_after = retry_after


class UpstreamError(UnderstudyError):
    """A model was asked, and this came of it.

    `status` is the HTTP status, 0 without one; `retry_after` what the provider asked for, in
    seconds; `delivered` how many deltas the caller already has.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        status: int = 0,
        retry_after: float | None = None,
        delivered: int = 0,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(reason, message, metadata=metadata)
        self.status = status
        self.retry_after = retry_after
        self.delivered = delivered


class ConfigError(Exception):
    """A malformed configuration. Each fault is `path: what is wrong`, its file and line first."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults
