"""What a reply that is no answer means: the HTTP rows of the error table."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.server.errors import Reason, UpstreamError
from understudy.server.providers import dialect
from understudy.server.providers.failures import classify

from .samples import read, whole

ROWS = [
    (400, Reason.UPSTREAM_REJECTED_REQUEST),
    (401, Reason.UPSTREAM_CREDENTIALS_REJECTED),
    (402, Reason.UPSTREAM_QUOTA_EXHAUSTED),
    (403, Reason.UPSTREAM_FORBIDDEN),
    (404, Reason.UPSTREAM_MODEL_NOT_FOUND),
    (408, Reason.UPSTREAM_TIMEOUT),
    (409, Reason.UPSTREAM_CONFLICT),
    (413, Reason.REQUEST_TOO_LARGE),
    (415, Reason.UPSTREAM_REJECTED_REQUEST),
    (422, Reason.UPSTREAM_REJECTED_REQUEST),
    (429, Reason.UPSTREAM_RATE_LIMITED),
    (500, Reason.UPSTREAM_INTERNAL_ERROR),
    (501, Reason.UPSTREAM_UNSUPPORTED),
    *((status, Reason.UPSTREAM_UNAVAILABLE) for status in (502, 503, *range(520, 528))),
    (504, Reason.UPSTREAM_GATEWAY_TIMEOUT),
    (529, Reason.UPSTREAM_OVERLOADED),
    *((status, Reason.UPSTREAM_REDIRECT_REFUSED) for status in (300, 301, 302, 303, 304, 307, 308)),
    *(
        (status, Reason.UPSTREAM_BAD_STATUS)
        for status in (100, 101, 199, 405, 418, 424, 451, 499, 505, 530, 600, 699, 999)
    ),
]
PROVIDERS = ["openai", "azure", "huggingface", "together_ai", "baseten", "openrouter"]


def fault(**members: object) -> bytes:
    return json.dumps({"error": members}).encode()


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(("status", "reason"), ROWS)
def test_every_status_has_a_reason(provider: str, status: int, reason: Reason) -> None:
    with pytest.raises(UpstreamError) as caught:
        read([fault(message="it is so")], provider=provider, status=status)

    error = caught.value
    assert error.reason is reason
    assert error.status == status
    assert error.delivered == 0
    assert f"(HTTP {status})" in error.message
    assert error.message.startswith(("the provider", "the prompt", "the gateway"))
    assert ("it is so" in error.message) is (reason is not Reason.UPSTREAM_REDIRECT_REFUSED)


# Error bodies as each provider words them. The numbers are limit and request.
@pytest.mark.parametrize("code", ["insufficient_quota", "billing_hard_limit_reached"])
def test_an_empty_account_is_no_rate_limit(code: str) -> None:
    headers = {"retry-after": "20", "x-ratelimit-reset-requests": "1s"}

    error = classify(429, headers, fault(message="You exceeded your quota", code=code))

    assert error.reason is Reason.UPSTREAM_QUOTA_EXHAUSTED
    assert error.retry_after is None


def test_a_prompt_over_the_rate_is_a_rate_limit() -> None:
    error = classify(
        429,
        {"retry-after-ms": "1500"},
        fault(
            message="Request too large for gpt-4 on tokens per min (TPM): Limit 10000, Requested "
            "12000. The input or output tokens must be reduced in order to run successfully.",
            type="tokens",
            code="rate_limit_exceeded",
        ),
    )

    assert error.reason is Reason.UPSTREAM_RATE_LIMITED
    assert error.retry_after == 1.5


@pytest.mark.parametrize(
    ("body", "quoted"),
    [
        (fault(message="plain words"), "plain words"),
        (b'{"error":"bare words"}', "bare words"),
        (b'{"message":"flat words","type":"x"}', "flat words"),
        (b'{"detail":"Not Found"}', "Not Found"),
        (
            b'{"detail":[{"loc":["body"],"msg":"field required","input":"secret prompt"}]}',
            "field req",
        ),
        (b'[{"error":{"message":"in a list"}}]', "in a list"),
        (
            b'{"error":{"message":"two\\nlines\\u001b[31m\\u2028red\\u200b\\u202e"}}',
            "two lines[31m red",
        ),
        (b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body>", "502 Bad Gateway"),
        (b"upstream connect error", "upstream connect error"),
        (fault(message="Provider erred", metadata={"raw": '{"detail":"why"}'}), "erred: why"),
        (fault(message="Provider erred", metadata={"raw": "in plain words"}), "erred: in plain w"),
        (b'"a JSON string"', "a JSON string"),
        (
            (
                b'{"object":"error","message":{"detail":[{"msg":"Extra inputs","input":"secret '
                b'prompt"}]},"raw_status_code":422}'
            ),
            "Extra inputs",
        ),
        (fault(message='{"error": {"message": "within"}}'), "within"),
        (fault(message="{no JSON}"), "{no JSON}"),
        (b'{"error":"{\\"message\\":\\"JSON in a string\\"}"}', "JSON in a string"),
    ],
)
def test_the_provider_s_own_words_are_quoted(body: bytes, quoted: str) -> None:
    message = classify(500, {}, body).message

    assert quoted in message
    assert message.isprintable()
    assert "secret prompt" not in message


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b"null", b"<html><body>hi</body></html>", b'{"foo":"bar"}', b"{" * 9],
)
def test_a_body_that_says_nothing_leaves_the_status(body: bytes) -> None:
    message = classify(500, {}, body).message

    assert message.startswith("the provider failed (HTTP 500)")


@pytest.mark.parametrize(
    "text", ["word " * 20_000, "x" * 100_000, "\u2028" * 50_000, "é" * 40_000, "sk-" * 30_000]
)
@pytest.mark.parametrize("shape", ['{{"error":{{"message":"{}"}}}}', "{}"])
def test_quotations_are_short(text: str, shape: str) -> None:
    assert len(classify(500, {}, shape.format(text).encode()).message) < 400


def test_a_reply_is_read_no_further_than_64_kib() -> None:
    reader = dialect("openai").reader(False, 500, {})
    reader.feed(b"x" * 65_535)

    with pytest.raises(UpstreamError):
        reader.feed(b"xx")


def test_a_compressed_error_is_known_by_its_status() -> None:
    with pytest.raises(UpstreamError) as caught:
        read([b"\x1f\x8b\x08garbage"], status=429, headers={"content-encoding": "gzip"})

    assert caught.value.reason is Reason.UPSTREAM_RATE_LIMITED
    assert "garbage" not in caught.value.message


@pytest.mark.parametrize("location", ["http://169.254.169.254/", "https://evil.example/?key=1"])
def test_a_redirect_does_not_say_where_to(location: str) -> None:
    body = f'<html><title>Moved</title><a href="{location}">here</a></html>'.encode()

    error = classify(302, {"location": location}, body)

    assert error.reason is Reason.UPSTREAM_REDIRECT_REFUSED
    assert location not in error.message
    assert not error.metadata


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"code": 429}, Reason.UPSTREAM_RATE_LIMITED),
        ({"code": "502"}, Reason.UPSTREAM_UNAVAILABLE),
        ({"code": "rate_limit_exceeded"}, Reason.UPSTREAM_RATE_LIMITED),
        ({"type": "insufficient_quota"}, Reason.UPSTREAM_QUOTA_EXHAUSTED),
        ({"type": "overloaded_error"}, Reason.UPSTREAM_OVERLOADED),
        ({"type": "service_unavailable"}, Reason.UPSTREAM_UNAVAILABLE),
        ({"type": "timeout"}, Reason.UPSTREAM_GATEWAY_TIMEOUT),
        ({"type": "server_error"}, Reason.UPSTREAM_INTERNAL_ERROR),
        ({"type": "invalid_request_error"}, Reason.UPSTREAM_REJECTED_REQUEST),
        (
            {"type": "invalid_request_error", "code": "context_length_exceeded"},
            Reason.CONTEXT_LENGTH_EXCEEDED,
        ),
        (
            {"type": "invalid_request_error", "code": "model_not_found"},
            Reason.UPSTREAM_MODEL_NOT_FOUND,
        ),
        (
            {"type": "invalid_request_error", "code": "rate_limit_exceeded"},
            Reason.UPSTREAM_RATE_LIMITED,
        ),
        ({"type": "authentication_error"}, Reason.UPSTREAM_CREDENTIALS_REJECTED),
        ({"status": "UNAVAILABLE"}, Reason.UPSTREAM_UNAVAILABLE),
        ({"http_status_code": 422}, Reason.UPSTREAM_REJECTED_REQUEST),
        ({"type": "billing_error"}, Reason.UPSTREAM_QUOTA_EXHAUSTED),
        ({"type": "request_too_large"}, Reason.REQUEST_TOO_LARGE),
        ({"type": "conflict_error"}, Reason.UPSTREAM_CONFLICT),
        ({"type": "api_error"}, Reason.UPSTREAM_INTERNAL_ERROR),
        (
            {"type": "api_error", "message": "Output blocked by content filtering policy"},
            Reason.CONTENT_POLICY_REJECTED,
        ),
        ({"code": "content_filter"}, Reason.CONTENT_POLICY_REJECTED),
        ({"message": "`inputs` must have less than 5 tokens"}, Reason.CONTEXT_LENGTH_EXCEEDED),
        ({"message": "whatever"}, Reason.UPSTREAM_INTERNAL_ERROR),
    ],
)
@pytest.mark.parametrize("beside", ['"choices":[]', '"choices":[{"message":{"content":"a"}}]'])
def test_an_error_within_a_reply_of_status_200_counts_by_its_kind(
    members: dict[str, object], reason: Reason, beside: str
) -> None:
    body = f'{{"error":{json.dumps({"message": "x", **members})},{beside}}}'

    with pytest.raises(UpstreamError) as caught:
        read([body.encode()])

    assert caught.value.reason is reason
    assert caught.value.status == 200


def test_a_choice_that_ended_in_error_is_a_failure() -> None:
    with pytest.raises(UpstreamError) as caught:
        read([whole('{"content":"half an ans"}', '"error"')])

    assert caught.value.reason is Reason.UPSTREAM_INTERNAL_ERROR


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "error",
                    "message",
                    "code",
                    "type",
                    "detail",
                    "metadata",
                    "raw",
                    "msg",
                    "innererror",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.integers(100, 999), JSON | st.none(), st.binary(max_size=200))
def test_no_body_is_too_strange(status: int, value: object, raw: bytes) -> None:
    for body in (json.dumps(value).encode(), raw, b'{"error":' + raw):
        error = classify(status, {}, body)

        assert error.message.isprintable()
        assert len(error.message) < 500
