"""Complaints about length in the words of those who follow OpenAI, and of some who do not."""

import json

import pytest

from understudy.server.errors import Reason
from understudy.server.providers.failures import classify


def fault(**members: object) -> bytes:
    return json.dumps({"error": members}).encode()


# The numbers are what the model takes, and what it was given.
TOO_LONG = [
    (
        "DeepSeek",
        400,
        fault(
            message="This model's maximum context length is 131072 tokens. However, you requested "
            "133034 tokens (125034 in the messages, 8000 in the completion). Please reduce the "
            "length of the messages or completion.",
            type="invalid_request_error",
            code="invalid_request_error",
        ),
        ("131072", "133034"),
    ),
    (
        "Groq",
        400,
        fault(
            message="Please reduce the length of the messages or completion.",
            type="invalid_request_error",
            param="messages",
            code="context_length_exceeded",
        ),
        (None, None),
    ),
    (
        "Cerebras",
        400,
        (
            b'{"message":"Please reduce the length of the messages or completion. Current length is '
            b'42328 while limit is 40000","type":"invalid_request_error","param":"messages"}'
        ),
        ("40000", "42328"),
    ),
    (
        "Mistral",
        400,
        (
            b'{"object":"error","message":"Prompt contains 1000172 tokens and 0 draft tokens, too large '
            b'for model with 40960 maximum context length","type":"invalid_request_error","code":"3051"}'
        ),
        ("40960", "1000172"),
    ),
    (
        "Mistral, briefly",
        400,
        b'{"object":"error","message":"Prompt 262280 > 262144 maximum context length"}',
        ("262144", "262280"),
    ),
    (
        "xAI",
        400,
        (
            b'{"code":"Client specified an invalid argument","error":"This model\'s maximum prompt '
            b'length is 131072 but the request contains 136973 tokens."}'
        ),
        ("131072", "136973"),
    ),
    (
        "Gemini, in a list",
        400,
        (
            b'[{"error":{"code":400,"message":"The input token count (1200293) exceeds the maximum '
            b'number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}]'
        ),
        ("1048576", "1200293"),
    ),
    (
        "Gemini, an error written as the text of another",
        400,
        fault(
            message='{\n  "error": {\n    "code": 400,\n    "message": "The input token count '
            '(3475108) exceeds the maximum number of tokens allowed (1048576).",\n    "status": '
            '"INVALID_ARGUMENT"\n  }\n}\n',
            code=400,
            status="Bad Request",
        ),
        ("1048576", "3475108"),
    ),
    (
        "Gemini, without numbers",
        400,
        (
            b'[{"error":{"message":"The input token count exceeds the maximum number of tokens '
            b'allowed."}}]'
        ),
        (None, None),
    ),
    (
        "Moonshot",
        400,
        fault(
            message="Invalid request: Your request exceeded model token limit: 262144 (requested: "
            "263162)",
            type="invalid_request_error",
        ),
        ("262144", "263162"),
    ),
    (
        "Fireworks",
        400,
        fault(message="The prompt is too long: 1000008, model maximum context length: 131071"),
        ("131071", "1000008"),
    ),
    (
        "Together, of late",
        400,
        fault(
            message="The input (1000016 tokens) is longer than the model's context length (131072 "
            "tokens)."
        ),
        ("131072", "1000016"),
    ),
    (
        "vLLM, of late",
        400,
        fault(
            message="This model's maximum context length is 262144 tokens. However, your request "
            "has 1000010 input tokens. Please reduce the length of the input messages."
        ),
        ("262144", "1000010"),
    ),
    (
        "Poolside, by OpenRouter",
        400,
        fault(
            message="Input length 264373 exceeds the maximum allowed input length of 262112 tokens."
        ),
        ("262112", "264373"),
    ),
    (
        "Qwen",
        400,
        fault(message="Range of input length should be [1, 258048]"),
        ("258048", None),
    ),
    (
        "MiniMax",
        400,
        fault(message="invalid params, context window exceeds limit (2013)"),
        (None, None),
    ),
    (
        "Anthropic",
        400,
        (
            b'{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: '
            b'210000 tokens > 200000 maximum"}}'
        ),
        ("200000", "210000"),
    ),
    (
        "Anthropic, with the answer's room",
        400,
        (
            b'{"type":"error","error":{"type":"invalid_request_error","message":"input length and '
            b"`max_tokens` exceed context limit: 190000 + 21333 > 204798, decrease input length or "
            b'`max_tokens` and try again"}}'
        ),
        ("204798", "211333"),
    ),
    (
        "LM Studio",
        400,
        (
            b'{"error":"The number of tokens to keep from the initial prompt is greater than the '
            b'context length. Try to load the model with a larger context length."}'
        ),
        (None, None),
    ),
    (
        "Ollama",
        400,
        b'{"error":"prompt too long; exceeded max context length by 12 tokens"}',
        (None, None),
    ),
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
