"""What may not matter does not: which arm comes first, the unit of money, the order of calls."""

from collections import Counter
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.server.domain.estimates import Estimate, Insufficient, Interval
from understudy.server.domain.histograms import PART, bucket
from understudy.server.evaluation import means, quantiles, speeds
from understudy.server.evaluation.discordance import PairedCounts, paired_difference_of_proportions
from understudy.server.evaluation.keys import (
    Keyed,
    keyed_difference,
    keyed_relative_difference,
    keyed_share,
)
from understudy.server.evaluation.moments import Comoments, Moments, log_duration
from understudy.server.evaluation.proportions import Share, difference_of_proportions
from understudy.server.evaluation.ranking import Buckets, Sample
from understudy.server.evaluation.ratios import ratio_of_totals
from understudy.server.evaluation.sample_ratio import Epoch, check, watch
from understudy.server.evaluation.win_rate import Verdicts, win_rate

Values = list[int]
values = st.lists(st.integers(1, 10**9), min_size=30, max_size=60)
counts = st.integers(0, 10**9)


def keyed(arm: Values) -> Keyed:
    """Deal values to keys of one to three requests."""
    return Keyed.of((1 + number % 3, value * (1 + number % 3)) for number, value in enumerate(arm))


def shares(arm: Values) -> Share:
    return keyed_share((3, value % 4) for value in arm)


COMPARISONS: dict[str, Callable[[Values, Values], Estimate]] = {
    "means": lambda a, b: means.difference(Moments.of(a), Moments.of(b)),
    "keyed means": lambda a, b: keyed_difference(keyed(a), keyed(b)),
    "medians": lambda a, b: quantiles.difference_of_quantiles(Sample(a), Sample(b), 0.5),
    "keyed shares": lambda a, b: difference_of_proportions(shares(a), shares(b)),
}


def close(expected: float) -> object:
    return pytest.approx(expected, rel=1e-9, abs=1e-6)


def assert_swapped(found: Estimate, swapped: Estimate) -> None:
    if isinstance(found, Insufficient) or isinstance(swapped, Insufficient):
        assert isinstance(found, Insufficient)
        assert isinstance(swapped, Insufficient)
        return
    assert swapped.estimate == close(-found.estimate)
    assert (swapped.low, swapped.high) == (close(-found.high), close(-found.low))
    assert swapped.p == found.p or swapped.p == pytest.approx(found.p, rel=1e-9)


@pytest.mark.parametrize("compare", COMPARISONS.values(), ids=COMPARISONS)
@settings(max_examples=30, deadline=None)
@given(values, values)
def test_swapping_the_arms_flips_the_signs(
    compare: Callable[[Values, Values], Estimate], first: Values, second: Values
) -> None:
    assert_swapped(compare(first, second), compare(second, first))


@pytest.mark.parametrize("compare", COMPARISONS.values(), ids=COMPARISONS)
@settings(max_examples=30, deadline=None)
@given(values)
def test_an_arm_does_not_differ_from_itself(
    compare: Callable[[Values, Values], Estimate], arm: Values
) -> None:
    found = compare(arm, arm)

    if isinstance(found, Interval):
        assert found.estimate == 0
        assert found.low <= 0 <= found.high
        assert found.p in (None, pytest.approx(1))


@given(counts, counts, counts, counts)
def test_swapping_the_sides_of_pairs_flips_the_signs(a: int, b: int, c: int, d: int) -> None:
    assert_swapped(
        paired_difference_of_proportions(PairedCounts(a, b, c, d)),
        paired_difference_of_proportions(PairedCounts(a, c, b, d)),
    )


@given(counts, counts, counts)
def test_swapping_wins_and_losses_turns_the_win_rate_around(w: int, t: int, x: int) -> None:
    found, swapped = win_rate(Verdicts(w, t, x)), win_rate(Verdicts(x, t, w))

    if isinstance(found, Interval) and isinstance(swapped, Interval):
        assert swapped.estimate == close(1 - found.estimate)
        assert (swapped.low, swapped.high) == (close(1 - found.high), close(1 - found.low))
        assert swapped.p == found.p
    else:
        assert found == swapped


def test_swapping_the_arms_inverts_a_ratio_of_speeds() -> None:
    draw = Random(1)
    first, second = (Moments.of(draw.gauss(13, 1) for _ in range(50)) for _ in range(2))

    found, swapped = speeds.speed_ratio(first, second), speeds.speed_ratio(second, first)

    assert isinstance(found, Interval)
    assert isinstance(swapped, Interval)
    assert swapped.estimate == pytest.approx(1 / found.estimate)
    assert (swapped.low, swapped.high) == pytest.approx((1 / found.high, 1 / found.low))
    assert swapped.p == pytest.approx(found.p)


COSTS: dict[str, Callable[[Values, Values], Estimate]] = {
    "means": COMPARISONS["means"],
    "keyed means": COMPARISONS["keyed means"],
    "relative": lambda a, b: means.relative_difference(Moments.of(a), Moments.of(b)),
    "keyed relative": lambda a, b: keyed_relative_difference(keyed(a), keyed(b)),
    "pairs": lambda a, b: means.paired_difference(
        Moments.of(y - x for x, y in zip(a, b, strict=False))
    ),
    "totals": lambda a, b: ratio_of_totals(Comoments.of(zip(a, b, strict=False))),
}


@pytest.mark.parametrize("compare", COSTS.values(), ids=COSTS)
@settings(max_examples=30, deadline=None)
@given(values, values)
def test_a_million_times_the_cost_has_the_same_p(
    compare: Callable[[Values, Values], Estimate], first: Values, second: Values
) -> None:
    found = compare(first, second)
    scaled = compare([10**6 * one for one in first], [10**6 * one for one in second])

    if isinstance(found, Interval) and isinstance(scaled, Interval):
        assert scaled.p == found.p or scaled.p == pytest.approx(found.p, rel=1e-6, abs=1e-12)
    else:
        assert isinstance(found, Insufficient)
        assert isinstance(scaled, Insufficient)
        assert (scaled.n, scaled.why) == (found.n, found.why)


@settings(max_examples=50, deadline=None)
@given(values, values, st.randoms(use_true_random=False))
def test_the_order_of_calls_is_irrelevant(first: Values, second: Values, draw: Random) -> None:
    shuffled = first.copy()
    draw.shuffle(shuffled)

    for compare in (COMPARISONS["means"], COMPARISONS["medians"], COMPARISONS["keyed shares"]):
        found, again = compare(first, second), compare(shuffled, second)
        if isinstance(found, Interval) and isinstance(again, Interval):
            assert (again.low, again.high) == (close(found.low), close(found.high))
        else:
            assert found == again


@given(st.lists(st.integers(-(10**9), 10**9)), st.lists(st.integers(-(10**9), 10**9)))
def test_moments_add_up(first: Values, second: Values) -> None:
    added, whole = Moments.of(first) + Moments.of(second), Moments.of(first + second)

    assert added.n == whole.n
    assert added.mean == pytest.approx(whole.mean, rel=1e-9, abs=1e-6)
    assert added.squares == pytest.approx(whole.squares, rel=1e-9, abs=1e-6)
    from_sums = Moments.from_sums(
        whole.n, sum(first + second), sum(one * one for one in first + second)
    )
    assert from_sums.squares == pytest.approx(whole.squares, rel=1e-9, abs=1e-6)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_an_epoch_in_two_halves_is_one(first: int, second: int, later: int) -> None:
    whole = [Epoch((first, second), (9, 1)), Epoch((later, later), (1, 1))]
    halves = [
        Epoch((first // 2, second // 3), (9, 1)),
        Epoch((later, later), (5, 5)),
        Epoch((first - first // 2, second - second // 3), (0.9, 0.1)),
    ]

    assert watch(halves).log_bayes_factor == pytest.approx(
        watch(whole).log_bayes_factor, rel=1e-9, abs=1e-6
    )
    once, twice = check(whole), check(halves)
    if isinstance(once, Insufficient) or isinstance(twice, Insufficient):
        assert once == twice
    else:
        assert once.counts == twice.counts
        assert once.p == pytest.approx(twice.p, rel=1e-6, abs=1e-12)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=20, max_size=300), st.sampled_from([0.5, 0.9]))
def test_values_in_buckets_have_an_interval_that_holds_the_one_of_the_values(
    held: Values, share: float
) -> None:
    counted = Counter(bucket(value) for value in held)

    exact = quantiles.quantile(Sample(held), share)
    bucketed = quantiles.quantile(Buckets.logarithmic(counted, PART), share)

    if isinstance(exact, Insufficient):
        assert bucketed == exact
    else:
        assert isinstance(bucketed, Interval)
        assert bucketed.low * (1 - 1e-12) <= exact.low
        assert exact.high <= bucketed.high * (1 + 1e-12)
        assert bucketed.estimate == pytest.approx(exact.estimate, rel=PART + 1e-9)


def test_durations_below_the_clocks_step_are_one_step() -> None:
    assert log_duration(0) == log_duration(1) == 0
