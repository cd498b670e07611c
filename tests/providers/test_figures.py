"""Tokens and probabilities are read, or unsaid, but never invented."""

import pytest

from understudy.server.domain.completion import TokenLogprob, TopLogprob, Usage

from .samples import read, whole

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
