"""A key that carries much of the traffic is found, and no other is."""

import random
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.server.evaluation import heavy_keys
from understudy.server.evaluation.heavy_keys import COUNTERS, LEAST, SHARE, WINDOW, HeavyKeys


def found(keys: list[str]) -> set[str]:
    counted = HeavyKeys()
    return {key for key in keys if counted.count(key)}


def traffic(share: float, requests: int, seed: int = 1) -> list[str]:
    """One key with this share among keys that come once each."""
    draw = random.Random(seed)
    return ["heavy" if draw.random() < share else f"light-{number}" for number in range(requests)]


def test_a_key_with_an_eighth_of_the_requests_is_found_among_as_many_keys_as_requests() -> None:
    assert found(traffic(0.125, 20_000)) == {"heavy"}


def test_a_key_with_a_twelfth_is_not() -> None:
    assert found(traffic(1 / 12, 20_000)) == set()


def test_few_requests_say_nothing() -> None:
    assert found(["heavy"] * (LEAST - 1)) == set()
    assert found(["heavy"] * LEAST) == {"heavy"}


def test_requests_without_a_key_count_for_the_share_and_are_no_key() -> None:
    assert found(["heavy", *[""] * 19] * 500) == set()
    assert found(["heavy", *[""] * 4] * 500) == {"heavy"}
    assert found([""] * 5000) == set()


def test_a_key_that_grows_heavy_late_is_found() -> None:
    late = traffic(0, 3 * WINDOW) + traffic(0.2, WINDOW)

    assert found(late) == {"heavy"}


def test_memory_is_bounded() -> None:
    counted = HeavyKeys()
    for number in range(10_000):
        counted.count(f"light-{number}")
        assert len(counted._counts) <= COUNTERS  # pyright: ignore[reportPrivateUsage]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=400), st.integers(0, 2**32))
def test_what_is_found_is_heavy_and_what_is_clearly_heavy_is_found(
    weights: list[int], seed: int
) -> None:
    keys = [str(number) for number, weight in enumerate(weights) for _ in range(weight + 1)]
    keys *= LEAST // len(keys) + 1
    random.Random(seed).shuffle(keys)
    counts = Counter(keys)
    counted = HeavyKeys()
    heavy: set[str] = set()
    for number, key in enumerate(keys, 1):
        if counted.count(key):
            assert Counter(keys[:number])[key] > number * SHARE
            heavy.add(key)
    for key, count in counts.items():
        if count > len(keys) * (SHARE + 1 / COUNTERS) + 1:
            # At the end it is above by what can have been missed; asked once more, it is said.
            assert key in heavy or counted.count(key)


def test_the_window_is_long_against_what_a_share_needs() -> None:
    assert heavy_keys.LEAST * 10 <= heavy_keys.WINDOW
