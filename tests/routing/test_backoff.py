"""How long to wait before a deployment is asked again."""

import math
import subprocess
import sys
from email.utils import formatdate
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.server.providers.waits import read_wait
from understudy.server.routing.backoff import FIRST, LONGEST, LONGEST_ASKED, wait_before

tickets = st.floats(0, 1, exclude_max=True)


@given(st.integers(1, 100), tickets, st.floats(0, 5))
def test_the_wait_is_jittered_below_a_ceiling(repeat: int, ticket: float, least: float) -> None:
    wait = wait_before(repeat, ticket, None, least)

    assert wait is not None
    assert least <= wait <= max(LONGEST, least)


@given(st.integers(1, 100), tickets, st.floats(0, LONGEST_ASKED))
def test_a_provider_is_given_the_time_it_asks_for(repeat: int, ticket: float, asked: float) -> None:
    wait = wait_before(repeat, ticket, asked, 0)

    assert wait is not None
    assert wait >= asked


def test_a_provider_that_asks_for_too_long_is_not_waited_for() -> None:
    assert wait_before(1, 0.5, LONGEST_ASKED + 1, 0) is None


@given(st.integers(1, 10**9), tickets, st.floats(0, 100), st.floats(0, 100), st.booleans())
def test_a_wait_ends_before_the_deadline_or_is_none(
    repeat: int, ticket: float, asked: float, remaining: float, is_asked: bool
) -> None:
    """T-4."""
    wait = wait_before(repeat, ticket, asked if is_asked else None, 0, remaining)

    assert wait is None or wait < remaining
    if is_asked and asked <= LONGEST_ASKED and asked + FIRST < remaining:
        assert wait is not None
        assert asked <= wait <= asked + FIRST


NOW = 1_700_000_000.0


@given(
    st.integers(0, 120),
    st.sampled_from(["seconds", "date", "milliseconds", "reset", "reset-span"]),
    tickets,
    st.floats(0, 200),
)
def test_however_a_provider_says_how_long_it_is_honoured_up_to_a_minute(
    seconds: int, form: str, ticket: float, remaining: float
) -> None:
    """T-4: in seconds, as a date, in milliseconds, by its limits."""
    name, value = {
        "seconds": ("retry-after", f"{seconds}"),
        "date": ("retry-after", formatdate(NOW + seconds, usegmt=True)),
        "milliseconds": ("retry-after-ms", f"{seconds * 1000}"),
        "reset": ("x-ratelimit-reset-requests", f"{seconds}"),
        "reset-span": ("x-ratelimit-reset-tokens", f"{seconds // 60}m{seconds % 60}s"),
    }[form]

    wait = wait_before(1, ticket, read_wait({name: value}, now=NOW), 0, remaining)

    if seconds > LONGEST_ASKED or seconds >= remaining:
        assert wait is None
    elif seconds + FIRST < remaining:
        assert wait is not None
        assert seconds <= wait <= seconds + FIRST


@pytest.mark.parametrize("value", ["-5", "1e9", "nan", "9" * 400, "soon", "Fri, 31 Dec 9999"])
def test_nonsense_is_no_wait_that_a_provider_asked_for(value: str) -> None:
    """T-4."""
    wait = wait_before(1, 0.5, read_wait({"retry-after": value}, now=NOW), 0)

    assert wait == 0.5 * FIRST


@pytest.mark.parametrize(("repeat", "ceiling"), [(1, FIRST), (2, 2 * FIRST), (99, LONGEST)])
def test_a_thousand_waits_are_uniform(repeat: int, ceiling: float) -> None:
    """T-5: Kolmogorov and Smirnov's test, by the series of its limit."""
    random, size = Random(4), 1000
    waits = [wait_before(repeat, random.random(), None, 0) for _ in range(size)]
    shares = sorted(wait / ceiling for wait in waits if wait is not None)
    distance = max(
        max((index + 1) / size - share, share - index / size) for index, share in enumerate(shares)
    )
    mark = distance * math.sqrt(size)
    p = 2 * sum((-1) ** (k - 1) * math.exp(-2 * (k * mark) ** 2) for k in range(1, 100))

    assert len(shares) == size
    assert p > 1e-4


def test_two_processes_do_not_wait_alike() -> None:
    """T-5: the tickets that the completer draws by default."""
    program = (
        "import random; from understudy.server.completer import Completer; "
        "ticket = Completer.__init__.__kwdefaults__['ticket']; "
        "print([ticket() for _ in range(3)])"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, check=True, timeout=30
        ).stdout
        for _ in range(2)
    }

    assert len(told) == 2
