"""Refusals by policy are known in every provider's words, and told from other complaints."""

import json

import pytest

from understudy.server.errors import Reason
from understudy.server.providers.failures import classify


def fault(**members: object) -> bytes:
    return json.dumps({"error": members}).encode()


REFUSED = [
    (
        "Azure",
        400,
        fault(
            message="The response was filtered due to the prompt triggering Azure OpenAI's "
            "content management policy. Please modify your prompt and retry.",
            type=None,
            param="prompt",
            code="content_filter",
            status=400,
            innererror={
                "code": "ResponsibleAIPolicyViolation",
                "content_filter_result": {"hate": {"filtered": True, "severity": "high"}},
            },
        ),
    ),
    ("OpenAI", 400, fault(message="no", type="x", code="content_policy_violation")),
    (
        "OpenAI, reasoning",
        400,
        fault(
            message="Invalid prompt: your prompt was flagged as potentially violating our usage "
            "policy.",
            code="invalid_prompt",
        ),
    ),
    (
        "OpenAI, in words",
        400,
        fault(message="Your request was rejected as a result of our safety system."),
    ),
    ("Together", 422, fault(message="Input text may violate our content policy")),
    (
        "OpenRouter",
        403,
        fault(
            code=403,
            message="Your input was flagged",
            metadata={"reasons": ["violence"], "flagged_input": "…", "provider_name": "X"},
        ),
    ),
    ("inner code only", 400, fault(innererror={"code": "ResponsibleAIPolicyViolation"})),
    (
        "DeepSeek",
        400,
        fault(
            message="Content Exists Risk",
            type="invalid_request_error",
            code="invalid_request_error",
        ),
    ),
    ("DeepSeek, of old", 400, b'{"detail":"Content Exists Risk"}'),
    (
        "xAI",
        403,
        (
            b'{"code":"permission-denied","error":"Content violates usage guidelines. Team: t, API key '
            b'ID: k, Model: grok-4-0709, Failed check: SAFETY_CHECK_TYPE_BIO"}'
        ),
    ),
    (
        "Moonshot",
        400,
        fault(
            code=400,
            message="The request was rejected because it was considered high risk",
            param="prompt",
            type="content_filter",
        ),
    ),
    (
        "Qwen",
        400,
        fault(
            code="data_inspection_failed",
            message="Input data may contain inappropriate content.",
        ),
    ),
    (
        "Anthropic",
        400,
        (
            b'{"type":"error","error":{"type":"invalid_request_error","message":"Output blocked by '
            b'content filtering policy"}}'
        ),
    ),
]


@pytest.mark.parametrize(
    ("status", "body"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_a_refusal_by_policy_is_known_in_every_dialect(status: int, body: bytes) -> None:
    assert classify(status, {}, body).reason is Reason.CONTENT_POLICY_REJECTED


@pytest.mark.parametrize(
    ("status", "message", "reason"),
    [
        (400, "Invalid 'user': string too long. Expected 64 characters", None),
        (
            400,
            (
                "Invalid 'messages[0].content': string too long. Expected a string with maximum "
                "length 10485760, but got a string with length 10485761 instead."
            ),
            Reason.CONTEXT_LENGTH_EXCEEDED,
        ),
        (400, "Invalid 'tools[0].function.name': string too long.", None),
        (403, "Access to the chat endpoint is denied by our content policy.", "forbidden"),
    ],
)
def test_not_every_complaint_in_such_words_is_of_the_prompt(
    status: int, message: str, reason: Reason | str | None
) -> None:
    found = classify(status, {}, fault(message=message)).reason

    named = Reason.UPSTREAM_FORBIDDEN if reason == "forbidden" else reason
    assert found is (named or Reason.UPSTREAM_REJECTED_REQUEST)
