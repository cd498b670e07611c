"""Quantiles of histograms are those of the values, within what is promised."""

from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.server.domain.histograms import bucket, quantile, value_of

DURATIONS = st.integers(100, 600_000_000)


def histogram(values: list[int]) -> dict[int, int]:
    counts: dict[int, int] = {}
    for value in values:
        counts[bucket(value)] = counts.get(bucket(value), 0) + 1
    return counts


@given(DURATIONS)
def test_a_bucket_stands_for_what_is_in_it(value: int) -> None:
    assert abs(value_of(bucket(value)) - value) <= 0.025 * value


@given(st.lists(DURATIONS, min_size=20), st.sampled_from([0.5, 0.9, 0.95]))
def test_a_quantile_is_off_by_a_known_part_of_itself(values: list[int], q: float) -> None:
    exact = sorted(values)[floor(q * (len(values) - 1))]

    found = quantile(histogram(values), q)

    assert found is not None
    assert abs(found - exact) <= 0.025 * exact


@pytest.mark.parametrize(("count", "q"), [(0, 0.5), (1, 0.5), (19, 0.95), (99, 0.99)])
def test_few_values_have_no_quantile(count: int, q: float) -> None:
    assert quantile({400: count}, q) is None
    assert quantile({400: count + 1}, q) == (value_of(400) if count else None)


@pytest.mark.parametrize("value", [-(10**9), -1, 0, 1, 10**30])
def test_what_no_clock_measures_does_no_harm(value: int) -> None:
    assert 0 <= bucket(value) <= 680
