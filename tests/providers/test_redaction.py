"""No credential leaves by way of an error, however a provider echoes it."""

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.server.domain.deployment import ClientCredentials, Endpoint, Secret
from understudy.server.errors import Reason, UpstreamError
from understudy.server.providers.failures import classify
from understudy.server.providers.redaction import redact, redacted, scrub

from .samples import KEY, endpoint, events, read

AZURE_KEY = "0123canary4567DEADbeef89abcdef01"
ODD_KEY = "pass/word+with=signs?%&~"


def parts(secret: str, length: int = 8) -> set[str]:
    return {secret[at : at + length] for at in range(len(secret) - length + 1)}


def b64(text: str) -> str:
    return b64encode(text.encode()).decode()


ECHOES: dict[str, Callable[[str], str]] = {
    "plain": lambda key: key,
    "quoted": lambda key: f'"{key}"',
    "in a sentence": lambda key: f"Incorrect API key provided: {key}. See https://x.example/keys.",
    "header": lambda key: f"Authorization: Bearer {key}",
    "url": lambda key: f"https://x.example/?api_key={quote(key, safe='')}&a=b",
    "base64": lambda key: b64(key),
    "base64 of the header": lambda key: b64(f"Bearer {key}"),
    "base64 of credentials": lambda key: b64(f"u:{key}"),
    "base64 for URLs": lambda key: urlsafe_b64encode(f"x {key}".encode()).decode(),
    "hexadecimal": lambda key: key.encode().hex(),
    "upper case": lambda key: key.upper(),
    "half": lambda key: f"key starting with {key[: len(key) // 2]}",
    "other half": lambda key: f"key ending in {key[len(key) // 2 :]}",
    "masked": lambda key: f"{key[:10]}***{key[-4:]}",
    "control characters around": lambda key: f"\x1b[31m{key}\x00",
}


@pytest.mark.parametrize("key", [KEY, AZURE_KEY, ODD_KEY], ids=["sk", "hex", "odd"])
@pytest.mark.parametrize("echo", ECHOES)
def test_an_echoed_key_is_redacted(echo: str, key: str) -> None:
    said = ECHOES[echo](key)
    error = classify(401, {}, _json(said))

    clean = redacted(error, endpoint(key))

    text = clean.message.lower()
    assert not any(part.lower() in text for part in parts(key))
    assert not any(part in clean.message for part in parts(b64(key)[:-4]))
    assert clean.message.startswith("the provider rejects this deployment's key (HTTP 401)")


@pytest.mark.parametrize("echo", [name for name in ECHOES if "half" not in name])
def test_a_key_that_looks_like_one_is_scrubbed_without_knowing_it(echo: str) -> None:
    message = classify(401, {}, _json(ECHOES[echo](KEY))).message

    assert not any(part in message for part in parts(KEY, 12))


def test_every_header_that_is_not_known_to_be_harmless_is_a_credential() -> None:
    target = Endpoint(
        "https://x.example/?token=query-canary&api-version=2024-02-01",
        (
            ("content-type", "application/json"),
            ("api-key", "header-canary"),
            ("x-gateway-auth", "gateway-canary"),
            ("cookie", "session=cookie-canary"),
            ("openai-organization", "org-plain"),
        ),
    )
    text = (
        "application/json header-canary gateway-canary cookie-canary query-canary org-plain "
        "2024-02-01"
    )

    assert redact(text, target).split() == [
        "application/json",
        *["[redacted]"] * 4,
        "org-plain",
        "2024-02-01",
    ]


def test_a_short_key_does_not_blot_out_words() -> None:
    assert redact("the latest test of it", endpoint("test")) == "the latest [redacted] of it"
    assert redact("ab abc", endpoint("ab")) == "ab abc"


def test_redaction_keeps_the_rest_of_an_error() -> None:
    error = UpstreamError(
        Reason.UPSTREAM_RATE_LIMITED,
        f"key {KEY}",
        status=429,
        retry_after=2.0,
        delivered=3,
        metadata={"a": f"x{KEY}", "b": "plain"},
    )

    clean = redacted(error, endpoint())

    assert (clean.reason, clean.status, clean.retry_after, clean.delivered) == (
        Reason.UPSTREAM_RATE_LIMITED,
        429,
        2.0,
        3,
    )
    assert clean.metadata == {"a": "x[redacted]", "b": "plain"}
    assert KEY not in str(clean)


def test_an_error_without_credentials_stays_the_same() -> None:
    error = classify(500, {}, b'{"error":{"message":"plain words"}}')

    assert redacted(error, endpoint()) is error


@pytest.mark.parametrize(
    "text",
    [
        "Rate limit reached for gpt-4o-mini-2024-07-18 in organization org-x on tokens per min",
        "The model `meta-llama/Llama-3.3-70B-Instruct-Turbo` does not exist",
        "Qwen/Qwen2.5-Coder-7B-Instruct-AWQ is busy... please wait",
        "This model's maximum context length is 8192 tokens; see https://platform.openai.com/docs",
        "hf-inference/models cannot be reached; request 550e8400-e29b-41d4-a716-446655440000",
        "Basic authentication is off; bearer token is invalid; the api key is missing",
        "`inputs` tokens + `max_new_tokens` must be <= 4097. Given: 8000 `inputs` tokens",
    ],
)
def test_ordinary_words_are_left_alone(text: str) -> None:
    assert scrub(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "sk-proj-abcd1234",
        "sk-ab...wxyz",
        "hf_abcdefgh",
        "gsk_abcdefgh",
        "AIzaSyA1234567",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc",
        "Bearer abc.def-1234",
        "api_key=hunter2-secret",
        'api-key: "0f1e2d3c"',
        "password: hunter22",
        "0123456789abcdef0123456789abcdef",
        "aB3dE6gH9jK2mN5pQ8sT1vW4",
        "abcd****wxyz",
        "abcd••••wxyz",
        "abcd...wxyz",
    ],
)
def test_whatever_looks_like_a_key_is_scrubbed(text: str) -> None:
    assert "[redacted]" in scrub(f"your key {text} is wrong")
    assert text not in scrub(f"your key {text} is wrong")


def test_a_key_echoed_in_a_stream_is_redacted() -> None:
    with pytest.raises(UpstreamError) as caught:
        read([events([f'{{"error":{{"message":"bad key {KEY}"}}}}'])], stream=True)

    assert KEY not in redacted(caught.value, endpoint()).message
    assert KEY not in caught.value.message


@pytest.mark.parametrize("length", [4090, 4096, 4100, 65_500, 65_536])
def test_no_cut_leaves_a_piece_of_a_key(length: int) -> None:
    text = "x" * 200 + " " + "y " * ((length - 201) // 2) + AZURE_KEY + " tail" * 100

    error = classify(401, {}, text.encode())

    assert not any(
        part in redacted(error, endpoint(AZURE_KEY)).message for part in parts(AZURE_KEY)
    )


@given(st.text(max_size=400), st.text(st.characters(codec="ascii"), max_size=60))
def test_any_text_and_any_key_can_be_redacted(text: str, key: str) -> None:
    found = redact(f"{text} {key} {text}", endpoint(key))

    if len(key.strip()) >= 8:
        assert key.strip() not in found.replace("[redacted]", "")


def _json(text: str) -> bytes:
    return json.dumps({"error": {"message": text}}).encode()


@pytest.mark.parametrize("echo", ["plain", "quoted", "in a sentence", "header", "upper case"])
def test_a_web_token_is_scrubbed_though_no_endpoint_holds_it(echo: str) -> None:
    parts = ({"alg": "RS256", "typ": "JWT"}, {"aud": "https://x.example", "exp": 1700000000})
    token = ".".join(urlsafe_b64encode(json.dumps(one).encode()).decode() for one in parts)

    message = classify(401, {}, _json(ECHOES[echo](token + ".c2lnbmF0dXJl"))).message

    assert token[4:12].lower() not in message.lower()
    assert token[-8:].lower() not in message.lower()


def test_the_secret_of_a_login_is_redacted() -> None:
    login = ClientCredentials("https://x.example/token", "me", Secret(ODD_KEY), "scope")
    target = Endpoint("https://y.example", (), login=login)

    for echo in ECHOES.values():
        assert ODD_KEY not in redact(echo(ODD_KEY), target)
