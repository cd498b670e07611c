"""Arrays say of sticky keys what lists of them say, and weights what repeated requests would."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.server.evaluation.keys import Keyed, keyed_share
from understudy.server.reporting.arms import Arm, compare_means, compare_quantiles
from understudy.server.reporting.columns import Ordered, comoments, moments
from understudy.server.reporting.labels import Labels, keep_largest

rows = st.lists(
    st.tuples(st.integers(1, 12), st.floats(-1e6, 1e6, allow_nan=False)), min_size=1, max_size=60
)


def arm(held: list[tuple[int, float]], weights: list[float] | None = None) -> Arm:
    return Arm(
        np.array([value for _, value in held]),
        np.array([key for key, _ in held], dtype=np.uint64),
        None if weights is None else np.array(weights),
    )


def by_key(held: list[tuple[int, float]]) -> list[tuple[float, float]]:
    found: defaultdict[int, list[float]] = defaultdict(list)
    for key, value in held:
        found[key].append(value)
    return [(len(values), sum(values)) for values in found.values()]


@given(rows)
def test_a_mean_of_keys_is_that_of_evaluation(held: list[tuple[int, float]]) -> None:
    ours, theirs = arm(held).keyed(), Keyed.of(by_key(held))

    assert (ours.keys, ours.requests) == (theirs.keys, theirs.requests)
    assert ours.mean == pytest.approx(theirs.mean, abs=1e-6)
    assert ours.squared_error == pytest.approx(theirs.squared_error, rel=1e-6, abs=1e-9)
    assert ours.even_keys == pytest.approx(theirs.even_keys)


@given(st.lists(st.tuples(st.integers(1, 12), st.booleans()), min_size=1, max_size=60))
def test_a_share_of_keys_is_that_of_evaluation(held: list[tuple[int, bool]]) -> None:
    told = [(key, float(value)) for key, value in held]

    ours, theirs = arm(told).share(), keyed_share(by_key(told))

    assert (ours.hits, ours.count, ours.keys) == (theirs.hits, theirs.count, theirs.keys)
    assert ours.independent == pytest.approx(theirs.independent)


@given(rows, st.floats(0.01, 100))
def test_weights_that_are_all_the_same_change_nothing(
    held: list[tuple[int, float]], weight: float
) -> None:
    plain, weighted = arm(held), arm(held, [weight] * len(held))

    for left, right in zip(
        (*compare_means(plain, plain), *compare_quantiles(plain, plain, 0.5)),
        (*compare_means(weighted, weighted), *compare_quantiles(weighted, weighted, 0.5)),
        strict=True,
    ):
        assert type(left) is type(right)
        assert getattr(left, "estimate", 0) == pytest.approx(
            getattr(right, "estimate", 0), abs=1e-6
        )
        assert getattr(left, "low", 0) == pytest.approx(getattr(right, "low", 0), abs=1e-3)


def test_calls_without_a_key_are_each_their_own() -> None:
    held = [(0, 1.0), (0, 2.0), (0, 3.0), (5, 4.0), (5, 5.0)]

    assert arm(held).keyed().keys == 4


def test_a_value_that_weighs_most_is_most_of_them() -> None:
    weighted = Ordered(np.array([1.0, 2.0, 3.0]), np.array([1.0, 6.0, 1.0]))

    assert [weighted.at(rank)[1] for rank in range(3)] == [2.0, 2.0, 2.0]


@given(st.lists(st.floats(-1e9, 1e9), max_size=50))
def test_moments_of_arrays_are_those_of_lists(values: list[float]) -> None:
    from understudy.server.evaluation.moments import Moments

    ours, theirs = moments(np.array(values)), Moments.of(values)

    assert ours.n == theirs.n
    assert ours.mean == pytest.approx(theirs.mean, abs=1e-3)
    assert ours.squares == pytest.approx(theirs.squares, rel=1e-6, abs=1e-3)


def test_equal_values_have_no_spread_at_all() -> None:
    values = np.full(1_000, 0.1)

    assert moments(values).squares == 0
    assert comoments(values, values).products == 0


def test_texts_beyond_the_most_frequent_are_one() -> None:
    labels = Labels(most=3)
    labels.extend(["b", "a", None, "a", "c", "d", "a", "b"])
    column = labels.take()

    names = keep_largest(column, labels.names, most=2)

    assert names == ["a", "b", "other"]
    assert column.tolist() == [1, 0, 2, 0, 2, 2, 0, 1]
