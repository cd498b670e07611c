"""Every failure becomes the status that tells the caller who can mend it."""

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc.error_details_pb2 import (
    BadRequest,
    ErrorInfo,
    PreconditionFailure,
    ResourceInfo,
    RetryInfo,
)
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import strategies as st

from understudy.server.errors import Reason, RefusedError, RequestError, UpstreamError
from understudy.server.servicers.statuses import STATUSES, to_status

C = grpc.StatusCode
LABELS = {"provider": "openai", "model": "gpt-4", "deployment": "d", "attempt": "2"}

# reason, code, details beside ErrorInfo
ROWS: list[tuple[Reason, grpc.StatusCode, set[str]]] = [
    (Reason.UPSTREAM_REJECTED_REQUEST, C.INVALID_ARGUMENT, {"BadRequest"}),
    (Reason.CONTEXT_LENGTH_EXCEEDED, C.INVALID_ARGUMENT, {"BadRequest"}),
    (Reason.CONTENT_POLICY_REJECTED, C.INVALID_ARGUMENT, {"BadRequest"}),
    (Reason.UPSTREAM_CREDENTIALS_REJECTED, C.FAILED_PRECONDITION, {"PreconditionFailure"}),
    (Reason.UPSTREAM_FORBIDDEN, C.FAILED_PRECONDITION, {"PreconditionFailure"}),
    (Reason.UPSTREAM_MODEL_NOT_FOUND, C.FAILED_PRECONDITION, {"ResourceInfo"}),
    (Reason.MODEL_NOT_FOUND, C.NOT_FOUND, {"ResourceInfo"}),
    (Reason.UPSTREAM_TIMEOUT, C.UNAVAILABLE, {"RetryInfo"}),
    (Reason.UPSTREAM_CONFLICT, C.ABORTED, {"RetryInfo"}),
    (Reason.REQUEST_TOO_LARGE, C.INVALID_ARGUMENT, {"BadRequest"}),
    (Reason.UPSTREAM_RATE_LIMITED, C.RESOURCE_EXHAUSTED, {"RetryInfo", "QuotaFailure"}),
    (Reason.UPSTREAM_QUOTA_EXHAUSTED, C.RESOURCE_EXHAUSTED, {"QuotaFailure"}),
    (Reason.UPSTREAM_INTERNAL_ERROR, C.INTERNAL, set()),
    (Reason.UPSTREAM_UNSUPPORTED, C.UNIMPLEMENTED, set()),
    (Reason.UPSTREAM_UNAVAILABLE, C.UNAVAILABLE, {"RetryInfo"}),
    (Reason.UPSTREAM_OVERLOADED, C.UNAVAILABLE, {"RetryInfo"}),
    (Reason.UPSTREAM_GATEWAY_TIMEOUT, C.UNAVAILABLE, {"RetryInfo"}),
    (Reason.UPSTREAM_REDIRECT_REFUSED, C.FAILED_PRECONDITION, {"PreconditionFailure"}),
    (Reason.UPSTREAM_BAD_STATUS, C.INTERNAL, set()),
    (Reason.UPSTREAM_CONNECT_FAILED, C.UNAVAILABLE, {"RetryInfo"}),
    (Reason.UPSTREAM_CONNECTION_LOST, C.UNAVAILABLE, set()),
    (Reason.UPSTREAM_CONNECT_TIMEOUT, C.UNAVAILABLE, {"RetryInfo"}),
    (Reason.LOCAL_POOL_EXHAUSTED, C.RESOURCE_EXHAUSTED, {"RetryInfo"}),
    (Reason.UPSTREAM_DNS_FAILURE, C.UNAVAILABLE, {"RetryInfo"}),
    (Reason.UPSTREAM_TLS_UNTRUSTED, C.FAILED_PRECONDITION, {"PreconditionFailure"}),
    (Reason.UPSTREAM_READ_TIMEOUT, C.UNAVAILABLE, {"RetryInfo"}),
    (Reason.UPSTREAM_MALFORMED_RESPONSE, C.INTERNAL, set()),
    (Reason.UPSTREAM_EMPTY_RESPONSE, C.INTERNAL, set()),
    (Reason.UPSTREAM_TRUNCATED, C.UNAVAILABLE, {"RetryInfo"}),
    (Reason.UPSTREAM_STREAM_TRUNCATED, C.ABORTED, set()),
    (Reason.UPSTREAM_STREAM_ERROR, C.ABORTED, set()),
    (Reason.UPSTREAM_RESPONSE_TOO_LARGE, C.RESOURCE_EXHAUSTED, set()),
    (Reason.UPSTREAM_BAD_ENCODING, C.INTERNAL, set()),
    (Reason.CIRCUIT_OPEN, C.UNAVAILABLE, {"RetryInfo"}),
    (Reason.OVERLOADED, C.RESOURCE_EXHAUSTED, {"RetryInfo"}),
    (Reason.BUDGET_EXCEEDED, C.RESOURCE_EXHAUSTED, {"QuotaFailure"}),
    (Reason.ETAG_MISMATCH, C.ABORTED, set()),
    (Reason.ILLEGAL_TRANSITION, C.FAILED_PRECONDITION, set()),
    (Reason.BAD_UPDATE_MASK, C.INVALID_ARGUMENT, {"BadRequest"}),
    (Reason.INTERNAL, C.INTERNAL, set()),
]


def unpack(trailers: tuple[tuple[str, str | bytes], ...]) -> dict[str, any_pb2.Any]:
    raw = dict(trailers)["grpc-status-details-bin"]
    assert isinstance(raw, bytes)
    return {one.type_url.rpartition(".")[2]: one for one in Status.FromString(raw).details}


@pytest.mark.parametrize(("reason", "code", "details"), ROWS, ids=[row[0] for row in ROWS])
def test_a_reason_is_told_by_its_row(
    reason: Reason, code: grpc.StatusCode, details: set[str]
) -> None:
    told, message, trailers = to_status(UpstreamError(reason, "something", metadata=LABELS))

    found = unpack(trailers)
    assert told is code
    assert message == f"{reason}: something"
    assert found.keys() == {"ErrorInfo"} | details
    info = ErrorInfo()
    found["ErrorInfo"].Unpack(info)
    assert (info.reason, info.domain, dict(info.metadata)) == (str(reason), "understudy", LABELS)


def test_what_a_provider_asks_for_is_passed_on() -> None:
    error = UpstreamError(Reason.UPSTREAM_RATE_LIMITED, "slow down", retry_after=7.5)

    _, _, trailers = to_status(error)

    info = RetryInfo()
    unpack(trailers)["RetryInfo"].Unpack(info)
    assert info.retry_delay.ToSeconds() in (7, 8)


def test_after_an_attempt_the_client_is_told_not_to_retry() -> None:
    error = UpstreamError(Reason.UPSTREAM_UNAVAILABLE, "away")
    error.attempts = 2

    assert ("grpc-retry-pushback-ms", "-1") in to_status(error)[2]


def test_before_any_attempt_the_client_may_retry() -> None:
    assert len(to_status(RefusedError(Reason.OVERLOADED, "full"))[2]) == 1


def test_a_request_error_names_the_field() -> None:
    _, _, trailers = to_status(RequestError("it is wrong", field="messages[2].role"))

    bad = BadRequest()
    unpack(trailers)["BadRequest"].Unpack(bad)
    assert bad.field_violations[0].field == "messages[2].role"


@pytest.mark.parametrize(
    ("labels", "subject"),
    [
        ({"experiment": "x", "modelGroup": "gpt-4"}, "experiments/x"),
        ({"experiment": "x", "field": "experiment.control"}, "experiments/x"),
        ({"experiment": "x", "deployment": "d"}, "deployments/d"),
        ({"modelGroup": "gpt-4"}, "deployments/gpt-4"),
    ],
)
def test_a_precondition_names_what_stands_in_the_way(labels: dict[str, str], subject: str) -> None:
    _, _, trailers = to_status(RefusedError(Reason.GROUP_TAKEN, "taken", metadata=labels))

    failure = PreconditionFailure()
    unpack(trailers)["PreconditionFailure"].Unpack(failure)
    assert failure.violations[0].subject == subject


@pytest.mark.parametrize(
    ("reason", "label"),
    [
        (Reason.MODEL_NOT_FOUND, "model"),
        (Reason.EXPERIMENT_NOT_FOUND, "experiment"),
        (Reason.PAIR_NOT_FOUND, "pair"),
    ],
)
def test_a_missing_resource_is_named_with_its_type(reason: Reason, label: str) -> None:
    _, _, trailers = to_status(RefusedError(reason, "missing", metadata={label: "x"}))

    resource = ResourceInfo()
    unpack(trailers)["ResourceInfo"].Unpack(resource)
    assert (resource.resource_type, resource.resource_name) == (label, "x")


@given(
    st.sampled_from(sorted(STATUSES)),
    st.text(max_size=5000),
    st.dictionaries(st.text(max_size=20), st.text(max_size=600), max_size=12),
)
def test_a_status_is_small_and_printable_whatever_the_message(
    reason: Reason, message: str, labels: dict[str, str]
) -> None:
    """G-6 and S-7."""
    _, told, trailers = to_status(UpstreamError(reason, message, metadata=labels))

    raw = dict(trailers)["grpc-status-details-bin"]
    assert len(told.encode()) <= 1000
    assert told.isprintable()
    assert len(raw) * 4 / 3 <= 4096
