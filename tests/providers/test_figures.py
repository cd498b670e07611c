"""Tokens and probabilities are read, or unsaid, but never invented."""

import pytest

from understudy.server.domain.completion import (
    CompletionTokensDetails,
    TokenLogprob,
    TopLogprob,
    Usage,
)

from .samples import events, last, read, whole, word

HELLO = '{"role":"assistant","content":"Hello"}'


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ('{"prompt_tokens":5,"completion_tokens":7}', (5, 7, 12)),
        ('{"prompt_tokens":5,"total_tokens":12}', (5, 7, 12)),
        ('{"completion_tokens":7,"total_tokens":12}', (5, 7, 12)),
        ('{"prompt_tokens":5.0,"completion_tokens":7.0,"total_tokens":12.0}', (5, 7, 12)),
        ('{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}', (0, 0, 0)),
        ('{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12,"cost":0.1}', (5, 7, 12)),
        ('{"total_tokens":12}', None),
        ('{"prompt_tokens":5}', None),
        ('{"prompt_tokens":13,"total_tokens":12}', None),
        ('{"prompt_tokens":-1,"completion_tokens":7,"total_tokens":6}', None),
        ('{"prompt_tokens":2147483648,"completion_tokens":7,"total_tokens":7}', None),
        ('{"prompt_tokens":1e300,"completion_tokens":7,"total_tokens":7}', None),
        (f'{{"prompt_tokens":{"9" * 5000}}}', None),
        ('{"prompt_tokens":"5","completion_tokens":7,"total_tokens":12}', None),
        ("{}", None),
        ("null", None),
        ("17", None),
    ],
)
def test_usage_is_read_or_unsaid_but_never_invented(
    usage: str, expected: tuple[int, int, int] | None
) -> None:
    _, answer = read([whole(HELLO, more=f',"usage":{usage}')])

    found = answer.usage
    counts = found and (found.prompt_tokens, found.completion_tokens, found.total_tokens)
    assert counts == expected


def test_details_that_cannot_be_are_left_out() -> None:
    usage = (
        '{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2,'
        '"prompt_tokens_details":{"cached_tokens":-1},"completion_tokens_details":null}'
    )

    _, answer = read([whole(HELLO, more=f',"usage":{usage}')])

    assert answer.usage == Usage(1, 1, 2)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (',"prompt_cache_hit_tokens":3,"prompt_cache_miss_tokens":2', (3, None)),  # DeepSeek
        (',"cached_tokens":3', (3, None)),  # Moonshot
        (',"cached_tokens":9,"prompt_tokens_details":{"cached_tokens":3}', (3, None)),
        (',"prompt_tokens_details":{"cached_tokens":null},"cached_tokens":3', (3, None)),
        (',"prompt_tokens_details":null', (None, None)),
        (',"reasoning_tokens":4', (None, 4)),  # Perplexity
        (',"completion_tokens_details":{"reasoning_tokens":4}', (None, 4)),
        (',"prompt_cache_hit_tokens":-3', (None, None)),
    ],
)
def test_parts_of_usage_stand_where_each_provider_puts_them(
    more: str, expected: tuple[int | None, int | None]
) -> None:
    usage = f'{{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12{more}}}'

    _, answer = read([whole(HELLO, more=f',"usage":{usage}')])

    found = answer.usage
    assert found is not None
    cached = found.prompt_tokens_details and found.prompt_tokens_details.cached_tokens
    thought = found.completion_tokens_details and found.completion_tokens_details.reasoning_tokens
    assert (cached, thought) == expected


def test_a_total_is_the_provider_s_even_where_thoughts_are_counted_apart() -> None:
    usage = (
        '{"prompt_tokens":37,"completion_tokens":9,"total_tokens":346,'
        '"completion_tokens_details":{"reasoning_tokens":300}}'
    )

    _, answer = read([whole(HELLO, more=f',"usage":{usage}')], provider="xai")

    assert answer.usage == Usage(
        37, 9, 346, completion_tokens_details=CompletionTokensDetails(reasoning_tokens=300)
    )


@pytest.mark.parametrize(
    ("cost", "nano"),
    [
        ("0.00012345", 123_450),
        ("1.2345e-4", 123_450),
        ("1E2", 100_000_000_000),
        ("0", 0),
        ("3", 3_000_000_000),
        ("0.0000000005", 0),  # half to even
        ("0.0000000015", 2),
        ("0.0000000005000001", 1),
        ('{"input_tokens_cost":0.1,"total_cost":0.006}', 6_000_000),  # Perplexity
        ("999999999999", None),
        ("-1", None),
        ("1e99999999999", None),
        ("1e-99", 0),
        (f"0.{'1' * 61}", None),
        ("1" * 5000, None),
        ('"0.1"', None),
        ("null", None),
        ("[]", None),
        ("{}", None),
        ("true", None),
    ],
)
def test_a_provider_s_own_price_is_read_to_the_nano(cost: str, nano: int | None) -> None:
    _, answer = read([whole(HELLO, more=f',"usage":{{"cost":{cost}}}')], provider="openrouter")
    chunk = f'{{"choices":[],"usage":{{"cost":{cost}}}}}'
    deltas, streamed = read([events([word("Hi"), last(), chunk])], stream=True)

    assert answer.provider_cost_nano_usd == streamed.provider_cost_nano_usd == nano
    assert {one.provider_cost_nano_usd for one in deltas} == {None}


def test_groq_counts_in_a_place_of_its_own() -> None:
    usage = '{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}'
    chunks = [word("Hi"), last()[:-1] + f',"x_groq":{{"id":"r","usage":{usage}}}}}']

    _, answer = read([events(chunks)], provider="groq", stream=True)

    assert answer.usage == Usage(5, 7, 12)


@pytest.mark.parametrize("odd", ["5", "[]", '{"usage":[]}', '{"usage":null,"error":null}', "null"])
def test_what_is_odd_in_that_place_does_no_harm(odd: str) -> None:
    chunks = [word("Hi"), last()[:-1] + f',"x_groq":{odd}}}']

    _, answer = read([events(chunks)], provider="groq", stream=True)

    assert answer.choices[0].message.content == "Hi"
    assert answer.usage is None


def test_log_probabilities_are_read() -> None:
    logprobs = (
        '{"content":[{"token":"a","logprob":-0.5,"bytes":[97],"top_logprobs":'
        '[{"token":"b","logprob":-1,"bytes":null}]}],"refusal":null}'
    )
    body = whole(HELLO).replace(
        b'"finish_reason"', f'"logprobs":{logprobs},"finish_reason"'.encode()
    )

    _, answer = read([body])

    found = answer.choices[0].logprobs
    assert found is not None
    assert found.content == (TokenLogprob("a", -0.5, (97,), (TopLogprob("b", -1.0),)),)
    assert found.refusal == ()


@pytest.mark.parametrize(
    "logprobs",
    ["0.25", '{"tokens":["a"]}', "{}", '{"content":[{"token":"a","logprob":0,"bytes":[256]}]}'],
)
def test_log_probabilities_of_another_shape_are_left_out(logprobs: str) -> None:
    body = whole(HELLO).replace(
        b'"finish_reason"', f'"logprobs":{logprobs},"finish_reason"'.encode()
    )

    _, answer = read([body])

    assert answer.choices[0].logprobs is None
    assert answer.choices[0].message.content == "Hello"
