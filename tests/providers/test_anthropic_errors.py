"""Replies of Anthropic's that are no answer, and what each means."""

import json
from collections.abc import Mapping

import pytest

from understudy.server.errors import Reason, UpstreamError

from .anthropic_events import END, PING, event, message, start, stop, words
from .samples import read


def failing(*pieces: bytes, stream: bool = True, status: int = 200) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        read(pieces, provider="anthropic", stream=stream, status=status)
    return caught.value


@pytest.mark.parametrize(
    ("body", "reason", "delivered"),
    [
        (b"", Reason.UPSTREAM_TRUNCATED, 0),
        (start(), Reason.UPSTREAM_TRUNCATED, 0),
        (start() + words("Hi"), Reason.UPSTREAM_STREAM_TRUNCATED, 1),
        (start() + words("Hi") + stop(None), Reason.UPSTREAM_STREAM_TRUNCATED, 1),
        (start() + words("Hi") + stop()[:-30], Reason.UPSTREAM_STREAM_TRUNCATED, 1),
        (END, Reason.UPSTREAM_EMPTY_RESPONSE, 0),
        (b"data\n\n", Reason.UPSTREAM_TRUNCATED, 0),
        (b"nonsense", Reason.UPSTREAM_MALFORMED_RESPONSE, 0),
        (b"disc", Reason.UPSTREAM_MALFORMED_RESPONSE, 0),
        (b"<html>", Reason.UPSTREAM_MALFORMED_RESPONSE, 0),
        (b"data: {nonsense\n\n", Reason.UPSTREAM_MALFORMED_RESPONSE, 0),
        (message([])[:-1], Reason.UPSTREAM_MALFORMED_RESPONSE, 0),
        (b"{}", Reason.UPSTREAM_EMPTY_RESPONSE, 0),
        (b'{"content":null}', Reason.UPSTREAM_EMPTY_RESPONSE, 0),
        (b'{"content":"Hi"}', Reason.UPSTREAM_MALFORMED_RESPONSE, 0),
    ],
)
def test_a_reply_that_is_no_answer_says_why(body: bytes, reason: Reason, delivered: int) -> None:
    error = failing(body)

    assert (error.reason, error.delivered, error.status) == (reason, delivered, 200)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("overloaded_error", Reason.UPSTREAM_OVERLOADED),
        ("rate_limit_error", Reason.UPSTREAM_RATE_LIMITED),
        ("api_error", Reason.UPSTREAM_INTERNAL_ERROR),
        ("timeout_error", Reason.UPSTREAM_GATEWAY_TIMEOUT),
        ("authentication_error", Reason.UPSTREAM_CREDENTIALS_REJECTED),
        ("permission_error", Reason.UPSTREAM_FORBIDDEN),
        ("not_found_error", Reason.UPSTREAM_MODEL_NOT_FOUND),
        ("invalid_request_error", Reason.UPSTREAM_REJECTED_REQUEST),
        ("billing_error", Reason.UPSTREAM_QUOTA_EXHAUSTED),
        ("request_too_large", Reason.REQUEST_TOO_LARGE),
    ],
)
def test_errors_within_a_reply_have_their_reasons(kind: str, reason: Reason) -> None:
    fault = {"type": kind, "message": "Words"}

    early = failing(start() + PING + event("error", error=fault))
    late = failing(start() + words("Hi"), event("error", error=fault))
    whole = failing(json.dumps({"type": "error", "error": fault}).encode())

    assert early.reason is whole.reason is reason
    assert (late.reason, late.delivered) == (Reason.UPSTREAM_STREAM_ERROR, 1)
    assert "Words" in late.message


@pytest.mark.parametrize(
    ("status", "kind", "text", "reason"),
    [
        (400, "invalid_request_error", "x: Field required", Reason.UPSTREAM_REJECTED_REQUEST),
        (401, "authentication_error", "invalid x-api-key", Reason.UPSTREAM_CREDENTIALS_REJECTED),
        (402, "billing_error", "Billing error", Reason.UPSTREAM_QUOTA_EXHAUSTED),
        (403, "permission_error", "No", Reason.UPSTREAM_FORBIDDEN),
        (404, "not_found_error", "model: claude-x", Reason.UPSTREAM_MODEL_NOT_FOUND),
        (413, "request_too_large", "Request exceeds the size", Reason.REQUEST_TOO_LARGE),
        (429, "rate_limit_error", "Number of tokens", Reason.UPSTREAM_RATE_LIMITED),
        (500, "api_error", "Internal server error", Reason.UPSTREAM_INTERNAL_ERROR),
        (504, "timeout_error", "Request timeout", Reason.UPSTREAM_GATEWAY_TIMEOUT),
        (529, "overloaded_error", "Overloaded", Reason.UPSTREAM_OVERLOADED),
        (
            400,
            "invalid_request_error",
            "Your credit balance is too low to access the Anthropic API. Please go to Plans",
            Reason.UPSTREAM_QUOTA_EXHAUSTED,
        ),
        (
            400,
            "invalid_request_error",
            "You have reached your specified API usage limits. You will regain access on 2027",
            Reason.UPSTREAM_QUOTA_EXHAUSTED,
        ),
        (
            400,
            "invalid_request_error",
            "Output blocked by content filtering policy",
            Reason.CONTENT_POLICY_REJECTED,
        ),
    ],
)
def test_refusals_have_their_reasons(status: int, kind: str, text: str, reason: Reason) -> None:
    body = {"type": "error", "error": {"type": kind, "message": text}, "request_id": "req_1"}

    error = failing(json.dumps(body).encode(), status=status)

    assert (error.reason, error.status) == (reason, status)
    assert text[:20] in error.message


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        (
            "prompt is too long: 210000 tokens > 200000 maximum",
            {"limitTokens": "200000", "requestedTokens": "210000"},
        ),
        (
            (
                "input length and `max_tokens` exceed context limit: 190000 + 21333 > 204798, "
                "decrease input length or `max_tokens` and try again"
            ),
            {"limitTokens": "204798", "requestedTokens": "211333"},
        ),
    ],
)
def test_a_prompt_that_is_too_long_is_recognised(text: str, limits: Mapping[str, str]) -> None:
    body = {"type": "error", "error": {"type": "invalid_request_error", "message": text}}

    error = failing(json.dumps(body).encode(), status=400)

    assert error.reason is Reason.CONTEXT_LENGTH_EXCEEDED
    assert error.metadata == limits
