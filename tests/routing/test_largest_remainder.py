"""Relative weights become basis points that sum to a whole."""

import math
from collections.abc import Mapping
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.server.domain.experiments import SLOTS
from understudy.server.errors import RequestError
from understudy.server.routing.slots import largest_remainder

RELATIVE = st.dictionaries(
    st.text(min_size=1, max_size=3),
    st.one_of(
        st.just(0.0),
        st.floats(0, 1e308, allow_subnormal=True),
        st.floats(0, 100),
        st.integers(0, 10).map(float),
    ),
    min_size=1,
    max_size=12,
).filter(lambda weights: any(weights.values()))


@given(RELATIVE)
def test_relative_weights_become_the_basis_points_nearest_to_them(
    weights: Mapping[str, float],
) -> None:
    points = largest_remainder(weights)

    total = sum(map(Fraction, weights.values()))
    assert sum(points.values()) == SLOTS
    for name, weight in weights.items():
        share = Fraction(weight) * SLOTS / total
        assert bool(points[name]) == bool(weight)
        assert points[name] - share < 1
        if min(Fraction(one) * SLOTS / total for one in weights.values() if one) >= 1:
            assert abs(points[name] - share) < 1


@given(RELATIVE, st.randoms(use_true_random=False))
def test_the_order_of_relative_weights_changes_nothing(
    weights: Mapping[str, float], random: Random
) -> None:
    shuffled = list(weights.items())
    random.shuffle(shuffled)

    assert largest_remainder(dict(shuffled)) == largest_remainder(weights)


@pytest.mark.parametrize(
    ("weights", "points"),
    [
        ({"gpt-4": 0.8, "llama-2": 0.2}, {"gpt-4": 8000, "llama-2": 2000}),
        ({"a": 1, "b": 1, "c": 1}, {"a": 3334, "b": 3333, "c": 3333}),
        ({"c": 2, "b": 2, "a": 2}, {"c": 3333, "b": 3333, "a": 3334}),
        ({"a": 1, "b": 0}, {"a": 10_000, "b": 0}),
        ({"a": 1, "b": 1e-9}, {"a": 9999, "b": 1}),
        ({"a": 1e308, "b": 1e308}, {"a": 5000, "b": 5000}),
        ({"a": 99.995, "b": 0.005}, {"a": 9999, "b": 1}),
    ],
)
def test_shares_are_rounded_to_a_whole(weights: dict[str, float], points: dict[str, int]) -> None:
    assert largest_remainder(weights) == points


@pytest.mark.parametrize("weight", [-1.0, math.nan, math.inf])
def test_what_is_no_weight_is_refused_by_name(weight: float) -> None:
    with pytest.raises(RequestError) as caught:
        largest_remainder({"gpt-4": 1.0, "llama-2": weight})

    assert caught.value.field == "models['llama-2']"


@pytest.mark.parametrize("weights", [{}, {"a": 0.0}])
def test_weights_that_sum_to_nothing_cannot_be_shared(weights: dict[str, float]) -> None:
    with pytest.raises(RequestError, match="sum to 0"):
        largest_remainder(weights)
