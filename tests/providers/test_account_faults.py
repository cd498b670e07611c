"""Complaints about the key, the model, the account, the load: one reason, whatever the status."""

import json

import pytest

from understudy.server.errors import Reason
from understudy.server.providers.failures import classify


def fault(**members: object) -> bytes:
    return json.dumps({"error": members}).encode()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            fault(message="Incorrect API key provided: xa***ey."),
            Reason.UPSTREAM_CREDENTIALS_REJECTED,
        ),
        (
            fault(message="API key not valid. Pass a valid one."),
            Reason.UPSTREAM_CREDENTIALS_REJECTED,
        ),
        (fault(message="foo/bar is not a valid model ID"), Reason.UPSTREAM_MODEL_NOT_FOUND),
        (fault(code="model_not_found"), Reason.UPSTREAM_MODEL_NOT_FOUND),
        (fault(type="invalid_model", message="Invalid model: x"), Reason.UPSTREAM_MODEL_NOT_FOUND),
        (fault(message="Model Not Exist"), Reason.UPSTREAM_MODEL_NOT_FOUND),
        (fault(message="Invalid model 'x'. Permitted models …"), Reason.UPSTREAM_MODEL_NOT_FOUND),
        (fault(message="Invalid model parameters"), Reason.UPSTREAM_REJECTED_REQUEST),
        (fault(code="model_decommissioned"), Reason.UPSTREAM_MODEL_NOT_FOUND),
        (
            (
                b'[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.",'
                b'"status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}]'
            ),
            Reason.UPSTREAM_CREDENTIALS_REJECTED,
        ),
        (
            b'{"code":"invalid-argument","error":"Incorrect API key provided: sk***ct."}',
            Reason.UPSTREAM_CREDENTIALS_REJECTED,
        ),
        (
            (
                b'{"type":"error","error":{"type":"invalid_request_error","message":"Your credit '
                b'balance is too low to access the Anthropic API."}}'
            ),
            Reason.UPSTREAM_QUOTA_EXHAUSTED,
        ),
        (
            b'{"error":{"message":"You have reached your specified API usage limits."}}',
            Reason.UPSTREAM_QUOTA_EXHAUSTED,
        ),
    ],
)
def test_what_the_operator_must_mend_is_not_the_caller_s_fault(body: bytes, reason: Reason) -> None:
    assert classify(400, {}, body).reason is reason


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (401, fault(type="insufficient_quota", code=401), Reason.UPSTREAM_QUOTA_EXHAUSTED),
        (403, fault(message="Team doesn't have any credits"), Reason.UPSTREAM_QUOTA_EXHAUSTED),
        (403, fault(message="Authorization failed"), Reason.UPSTREAM_CREDENTIALS_REJECTED),
        (413, fault(type="tokens", code="rate_limit_exceeded"), Reason.UPSTREAM_RATE_LIMITED),
        (424, fault(type="x"), Reason.UPSTREAM_BAD_STATUS),
        (424, b'{"error":"x","error_type":"generation"}', Reason.UPSTREAM_INTERNAL_ERROR),
        (429, fault(type="exceeded_current_quota_error"), Reason.UPSTREAM_QUOTA_EXHAUSTED),
        (429, fault(type="engine_overloaded_error"), Reason.UPSTREAM_OVERLOADED),
        (429, b'{"error":"Model is overloaded"}', Reason.UPSTREAM_OVERLOADED),
        (429, b'[{"error":{"status":"RESOURCE_EXHAUSTED"}}]', Reason.UPSTREAM_RATE_LIMITED),
        (498, fault(message="Flex tier capacity exceeded"), Reason.UPSTREAM_OVERLOADED),
        (503, fault(message="The engine is currently overloaded"), Reason.UPSTREAM_OVERLOADED),
        (503, fault(code="slow_down"), Reason.UPSTREAM_OVERLOADED),
        (503, b'{"error":"no healthy upstream"}', Reason.UPSTREAM_UNAVAILABLE),
        (500, fault(message="the model is overloaded"), Reason.UPSTREAM_INTERNAL_ERROR),
    ],
)
def test_one_failure_has_one_reason_whatever_its_status(
    status: int, body: bytes, reason: Reason
) -> None:
    assert classify(status, {}, body).reason is reason


def test_a_rate_is_waited_for_whatever_its_status() -> None:
    body = fault(message="Request too large", type="tokens", code="rate_limit_exceeded")

    assert classify(413, {"x-ratelimit-reset-tokens": "2s"}, body).retry_after == 2.0
    assert classify(413, {"x-ratelimit-reset-tokens": "2s"}, b"").retry_after is None
