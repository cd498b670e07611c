"""Complaints about the prompt are known in every provider's words."""

import json

import pytest

from understudy.server.errors import Reason
from understudy.server.providers.failures import classify


def fault(**members: object) -> bytes:
    return json.dumps({"error": members}).encode()


TOO_LONG = [
    (
        "OpenAI",
        400,
        fault(
            message="This model's maximum context length is 8192 tokens. However, your messages "
            "resulted in 9001 tokens. Please reduce the length of the messages.",
            type="invalid_request_error",
            param="messages",
            code="context_length_exceeded",
        ),
        ("8192", "9001"),
    ),
    (
        "OpenAI, asking too much",
        400,
        fault(
            message="This model's maximum context length is 4097 tokens. However, you requested "
            "4200 tokens (4100 in the messages, 100 in the completion).",
            code="context_length_exceeded",
        ),
        ("4097", "4200"),
    ),
    (
        "OpenAI, without numbers",
        400,
        fault(
            message="Your input exceeds the context window of this model. Please adjust your "
            "input and try again.",
            code="context_length_exceeded",
        ),
        (None, None),
    ),
    (
        "Together",
        422,
        fault(
            message="Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4097. "
            "Given: 8000 `inputs` tokens and 100 `max_new_tokens`",
            type="invalid_request_error",
            param="max_tokens",
        ),
        ("4097", "8100"),
    ),
    (
        "Hugging Face's server",
        422,
        (
            b'{"error":"Input validation error: `inputs` must have less than 1024 tokens. '
            b'Given: 5000","error_type":"validation"}'
        ),
        ("1024", "5000"),
    ),
    (
        "vLLM, flat",
        400,
        (
            b'{"object":"error","message":"This model\'s maximum context length is 2048 tokens. '
            b"However, your request has 8 input tokens plus 2045 'max_tokens'. Please reduce one "
            b'or the other.","type":"BadRequestError","param":null,"code":400}'
        ),
        ("2048", "2053"),
    ),
    (
        "vLLM, the prompt alone",
        400,
        fault(
            message="The decoder prompt (length 5000) is longer than the maximum model length of "
            "4096. Make sure that `max_model_len` is no smaller.",
            type="BadRequestError",
        ),
        ("4096", "5000"),
    ),
    (
        "SGLang",
        400,
        (
            b'{"object":"error","message":"The input (5000 tokens) is longer than the model\'s '
            b'context length (4096 tokens).","code":400}'
        ),
        ("4096", "5000"),
    ),
    (
        "OpenRouter",
        400,
        fault(
            message="This endpoint's maximum context length is 8192 tokens. However, you "
            "requested about 9000 tokens (8900 of text input, 100 in the output).",
            code=400,
        ),
        ("8192", "9000"),
    ),
    (
        "OpenRouter, quoting its provider",
        400,
        fault(
            message="Provider returned error",
            code=400,
            metadata={
                "provider_name": "X",
                "raw": '{"error":{"message":"prompt is too long: 210000 tokens > 200000 maximum"}}',
            },
        ),
        ("200000", "210000"),
    ),
    (
        "llama.cpp",
        400,
        fault(
            code=400,
            message="the request (8513 tokens) exceeds the available context size (4096 tokens)",
            type="exceed_context_size_error",
        ),
        ("4096", "8513"),
    ),
    (
        "LiteLLM's proxy",
        400,
        fault(
            message="litellm.ContextWindowExceededError: The input exceeds the model's maximum "
            "context limit of 8192 tokens.",
            code="400",
        ),
        ("8192", None),
    ),
    ("a gateway", 413, fault(code="context_length_exceeded"), (None, None)),
]


@pytest.mark.parametrize(
    ("status", "body", "numbers"), [row[1:] for row in TOO_LONG], ids=[row[0] for row in TOO_LONG]
)
def test_a_prompt_that_is_too_long_is_known_in_every_dialect(
    status: int, body: bytes, numbers: tuple[str | None, str | None]
) -> None:
    error = classify(status, {}, body)

    assert error.reason is Reason.CONTEXT_LENGTH_EXCEEDED
    found = error.metadata.get("limitTokens"), error.metadata.get("requestedTokens")
    assert found == numbers


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (401, Reason.UPSTREAM_CREDENTIALS_REJECTED),
        (404, Reason.UPSTREAM_MODEL_NOT_FOUND),
        (429, Reason.UPSTREAM_RATE_LIMITED),
        (500, Reason.UPSTREAM_INTERNAL_ERROR),
        (503, Reason.UPSTREAM_UNAVAILABLE),
    ],
)
def test_words_about_the_prompt_count_only_where_the_prompt_is_at_fault(
    status: int, reason: Reason
) -> None:
    body = fault(message="maximum context length is 5 tokens; our safety system")

    assert classify(status, {}, body).reason is reason
