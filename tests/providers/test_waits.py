"""How long a provider asks us to wait."""

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.server.providers.waits import LONGEST_WAIT, read_wait

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "20"}, 20),
        ({"retry-after": "0"}, 0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "20"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "20"}, 20),
        ({"retry-after": formatdate(NOW + 30, usegmt=True)}, 30),
        ({"x-ratelimit-reset-requests": "1s"}, 1),
        ({"x-ratelimit-reset-tokens": "6m0s"}, 360),
        ({"x-ratelimit-reset-tokens": "12ms"}, 0.012),
        ({"x-ratelimit-reset-tokens": "1h2m3.5s"}, 3723.5),
        ({"x-ratelimit-reset-tokens": "7.66s"}, 7.66),
        ({"x-ratelimit-reset-tokens": "23h59m"}, 86_340),
        ({"x-ratelimit-reset-requests": "10"}, 10),
        ({"x-ratelimit-reset-requests": "1s", "retry-after": "3"}, 3),
        # The limit that is used up counts; if neither is said to be, the nearer one.
        (
            {
                "x-ratelimit-reset-requests": "1s",
                "x-ratelimit-remaining-requests": "99",
                "x-ratelimit-reset-tokens": "6m0s",
                "x-ratelimit-remaining-tokens": "0",
            },
            360,
        ),
        ({"x-ratelimit-reset-requests": "1s", "x-ratelimit-reset-tokens": "6m0s"}, 1),
        # Nonsense.
        ({"retry-after": "-5"}, None),
        ({"retry-after": "1e9"}, None),
        ({"retry-after": "100000"}, None),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "a while"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "\uff11\uff12"}, None),
        ({"retry-after": formatdate(NOW - 30, usegmt=True)}, None),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, None),
        ({"retry-after": "Wed, 99 Foo 2023 99:99:99 GMT"}, None),
        ({"x-ratelimit-reset-requests": "-1s", "x-ratelimit-reset-tokens": ""}, None),
        ({"x-ratelimit-reset-requests": "99999h"}, None),
    ],
)
def test_a_wait_is_read_or_ignored(headers: dict[str, str], seconds: float | None) -> None:
    found = read_wait(headers, now=NOW)

    assert found == (None if seconds is None else pytest.approx(seconds))


def test_a_date_is_measured_by_the_provider_s_own_clock() -> None:
    headers = {
        "date": formatdate(NOW, usegmt=True),
        "retry-after": formatdate(NOW + 7, usegmt=True),
    }

    assert read_wait(headers) == 7
    assert read_wait({"retry-after": headers["retry-after"]}) is None


def test_limits_that_are_not_reached_are_no_wait() -> None:
    assert read_wait({"x-ratelimit-reset-tokens": "9ms"}, limited=False) is None


NAMES = st.sampled_from(
    [
        "retry-after",
        "retry-after-ms",
        "x-ratelimit-reset-requests",
        "x-ratelimit-reset-tokens",
        "date",
    ]
)


@given(st.dictionaries(NAMES, st.text() | st.floats().map(str) | st.integers().map(str)))
def test_a_wait_is_never_absurd(headers: dict[str, str]) -> None:
    found = read_wait(headers, now=NOW)

    assert found is None or 0 <= found <= LONGEST_WAIT
