"""What follows from the numbers: bounds for what is missing, money per month, pairs to go."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.server.domain.estimates import Insufficient, Interval, Lack, Method
from understudy.server.evaluation import projections
from understudy.server.evaluation.completeness import (
    Bounds,
    Completeness,
    bound_mean,
    bound_quantile,
)
from understudy.server.evaluation.means import mean
from understudy.server.evaluation.moments import Moments
from understudy.server.evaluation.projections import HOUR, MONTH
from understudy.server.evaluation.proportions import Share, proportion
from understudy.server.evaluation.quantiles import rank_of
from understudy.server.evaluation.ranking import Buckets, Sample
from understudy.server.evaluation.win_rate import (
    Verdicts,
    decisive_pairs_needed,
    pairs_to_go,
    win_rate,
)

USD = 10**9


def test_sixty_wins_and_forty_losses_are_a_win_rate_of_three_fifths() -> None:
    found = win_rate(Verdicts(wins=60, losses=40))

    assert isinstance(found, Interval)
    assert (found.estimate, round(found.low, 4), round(found.high, 4)) == (0.6, 0.5023, 0.6977)


def test_pairs_to_go_shrink_with_each_decision_and_grow_with_ties() -> None:
    assert pairs_to_go(Verdicts()) == 210
    assert pairs_to_go(Verdicts(60, 0, 40)) == 110
    assert pairs_to_go(Verdicts(60, 100, 40)) == 420 - 200
    assert pairs_to_go(Verdicts(150, 0, 100)) == 0
    assert pairs_to_go(Verdicts(ties=50)) is None


@pytest.mark.parametrize("share", [0.5, 0.4, 1.0, 0.505])
def test_no_number_of_pairs_tells_what_is_next_to_nothing(share: float) -> None:
    with pytest.raises(ValueError, match="a share of wins"):
        decisive_pairs_needed(share)


def test_pairs_are_complete_enough_where_one_in_twenty_is_missing() -> None:
    assert Completeness(95, 5).enough
    assert not Completeness(94, 6).enough
    assert not Completeness(0, 0).enough
    assert Completeness(0, 0).share is None


@given(st.integers(10, 500), st.integers(0, 500), st.integers(0, 500), st.integers(0, 500))
def test_the_rate_of_all_is_within_the_bounds_whatever_the_missing_were(
    pairs: int, hits: int, missing: int, missed_hits: int
) -> None:
    hits, missed_hits = min(hits, pairs), min(missed_hits, missing)

    found = bound_mean(proportion(Share(hits, pairs)), Completeness(pairs, missing), 0, 1)

    assert found.low is not None
    assert found.high is not None
    assert found.low - 1e-9 <= (hits + missed_hits) / (pairs + missing) <= found.high + 1e-9


def test_nothing_missing_leaves_the_interval_as_it_is() -> None:
    found = proportion(Share(30, 100))

    assert isinstance(found, Interval)
    assert bound_mean(found, Completeness(100, 0), 0, 1) == Bounds(found.low, found.high)


def test_too_little_is_bounded_by_what_there_can_be() -> None:
    assert bound_mean(Insufficient(3, 10), Completeness(3, 1), -1, 1) == Bounds(-1, 1)


@given(
    st.lists(st.integers(1, 100), min_size=1, max_size=50),
    st.lists(st.integers(1, 1_000), max_size=50),
    st.sampled_from([0.5, 0.9, 0.95]),
)
def test_the_quantile_of_all_is_within_the_bounds_whatever_the_missing_were(
    values: list[int], missing: list[int], share: float
) -> None:
    everything = sorted(values + missing)
    truth = everything[rank_of(len(everything), share)]

    found = bound_quantile(Sample(values), share, len(missing))

    assert found.low is None or found.low <= truth
    assert found.high is None or truth <= found.high


def test_a_quantile_beyond_what_was_heard_has_no_upper_bound() -> None:
    values = Sample(range(100))

    assert bound_quantile(values, 0.95, 0) == Bounds(94, 94)
    assert bound_quantile(values, 0.95, 6) == Bounds(94, None)
    assert bound_quantile(values, 0.5, 200) == Bounds(None, None)
    assert bound_quantile(Sample([]), 0.5, 3) == Bounds(None, None)


def test_a_bucket_guesses_with_the_same_relative_error_at_both_edges() -> None:
    low, guess, high = Buckets.logarithmic({10: 3}, 0.02).at(2)

    assert guess / low - 1 == pytest.approx(0.02)
    assert 1 - guess / high == pytest.approx(0.02)


def test_buckets_hold_as_many_values_as_were_counted() -> None:
    buckets = Buckets({(2, 4): 2, (0, 1): 1, (4, 8): 0})

    assert buckets.n == 3
    assert [buckets.at(rank) for rank in range(3)] == [(0, 0.5, 1), (2, 8 / 3, 4), (2, 8 / 3, 4)]
    for rank in (-1, 3):
        with pytest.raises(IndexError):
            buckets.at(rank)


def test_an_hour_of_a_rented_endpoint_is_shared_by_its_calls() -> None:
    per_hour = 36 * USD // 10

    assert projections.rent(per_hour, HOUR) == per_hour
    assert projections.rent(per_hour, 90 * 60 * 1_000_000) == 54 * USD // 10
    assert projections.rent_per_call(per_hour, HOUR, 1_000) == 36 * USD // 10_000
    assert projections.rent_per_call(per_hour, HOUR, 0) is None


def test_the_rent_breaks_even_where_the_calls_of_an_hour_cost_as_much() -> None:
    costs = Moments.of([3_600_000 + spread for spread in range(-500, 501)])

    found = projections.break_even(36 * USD // 10, mean(costs))

    assert isinstance(found, Interval)
    assert found.estimate == pytest.approx(1_000)
    assert found.low < 1_000 < found.high
    assert found.high - found.low < 0.1


def test_what_may_cost_nothing_never_breaks_even() -> None:
    free = mean(Moments.of([0] * 50))

    assert projections.break_even(USD, free) == Insufficient(50, None, Lack.NEAR_ZERO)
    assert projections.break_even(USD, Insufficient(3, 30)) == Insufficient(3, 30)


def test_a_day_is_a_part_of_a_month() -> None:
    day = 24 * HOUR

    assert MONTH == 730 * HOUR
    assert projections.per_month(2 * USD, day) == round(2 * USD * 730 / 24)
    assert projections.calls_per_month(240, day) == 7_300
    assert projections.per_month(USD, 0) is None
    assert projections.calls_per_month(1, 0) is None


def test_money_is_rounded_once_half_to_even() -> None:
    assert projections.per_thousand(5, 2_000) == 2  # 2.5
    assert projections.per_thousand(7, 2_000) == 4  # 3.5
    assert projections.per_thousand(-5, 2_000) == -2
    assert projections.per_thousand(1, 0) is None


@given(st.integers(0, 10**24), st.integers(1, 10**9))
def test_sums_beyond_what_a_float_holds_stay_whole(total: int, calls: int) -> None:
    found = projections.per_thousand(total, calls)

    assert found is not None
    assert abs(2 * (found * calls - 1_000 * total)) <= calls


def test_a_difference_per_request_becomes_one_per_month() -> None:
    found = Interval(2.0, 1.0, 3.0, 50, Method.PAIRED_T, 0.01)

    assert projections.scale(found, 1_000) == Interval(
        2_000, 1_000, 3_000, 50, Method.PAIRED_T, 0.01
    )
    assert projections.scale(Insufficient(3, 30), 5) == Insufficient(3, 30)
