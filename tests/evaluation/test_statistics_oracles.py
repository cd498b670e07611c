"""Our numbers are those of scipy and statsmodels wherever they have them, for whatever data."""

import math
from collections.abc import Callable, Sequence
from importlib import import_module
from random import Random
from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from understudy.server.domain.estimates import Estimate, Interval
from understudy.server.evaluation import means, quantiles
from understudy.server.evaluation.discordance import mid_p
from understudy.server.evaluation.distributions import (
    binomial_cdf,
    binomial_mass,
    binomial_quantile,
    t_critical,
)
from understudy.server.evaluation.keys import Keyed, keyed_mean, keyed_share, worth_at
from understudy.server.evaluation.moments import Comoments, Moments
from understudy.server.evaluation.proportions import Share, difference_of_proportions, proportion
from understudy.server.evaluation.ranking import Sample
from understudy.server.evaluation.ratios import ratio_of_totals
from understudy.server.evaluation.sample_ratio import Epoch, SampleRatio, check
from understudy.server.evaluation.win_rate import Verdicts, sign_test_p, win_rate

Bounds = Callable[..., tuple[float, float]]
_PROPORTION = import_module("statsmodels.stats.proportion")  # which has no types
wilson_oracle = cast(Bounds, _PROPORTION.proportion_confint)
newcombe_oracle = cast(Bounds, _PROPORTION.confint_proportions_2indep)

shares = st.integers(10, 10**6).flatmap(lambda n: st.builds(Share, st.integers(0, n), st.just(n)))
samples = st.lists(st.integers(0, 10**9), min_size=30, max_size=60)


def interval(found: Estimate) -> Interval:
    assert isinstance(found, Interval), found
    return found


def ends(found: Estimate) -> tuple[float, float]:
    return interval(found).low, interval(found).high


def percentiles(values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> tuple[float, float]:
    """The ends between which all but one in twenty lie."""
    return float(np.quantile(values, 0.025)), float(np.quantile(values, 0.975))


def approx(expected: Sequence[float], scale: float = 1) -> object:
    return pytest.approx(tuple(map(float, expected)), rel=1e-7, abs=1e-9 * scale)


@given(shares)
def test_a_proportion_has_wilsons_interval(share: Share) -> None:
    expected = wilson_oracle(share.hits, share.count, method="wilson")

    assert ends(proportion(share)) == approx(expected)


@given(shares, shares)
def test_a_difference_of_proportions_has_newcombes_interval(first: Share, second: Share) -> None:
    expected = newcombe_oracle(
        second.hits, second.count, first.hits, first.count, method="newcomb", compare="diff"
    )

    assert ends(difference_of_proportions(first, second)) == approx(expected)


@given(samples, samples)
def test_means_differ_as_welchs_test_says(first: list[int], second: list[int]) -> None:
    found = interval(means.difference(Moments.of(first), Moments.of(second)))
    if found.p is None:
        return  # scipy says NaN
    expected = stats.ttest_ind(second, first, equal_var=False)

    assert found.p == pytest.approx(float(expected.pvalue), rel=1e-6)
    bounds = expected.confidence_interval(0.95)
    assert (found.low, found.high) == approx((bounds.low, bounds.high), scale=10**9)


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)), min_size=30, max_size=60))
def test_pairs_differ_as_the_paired_t_test_says(pairs: list[tuple[int, int]]) -> None:
    found = interval(means.paired_difference(Moments.of(second - first for first, second in pairs)))
    if found.p is None:
        return
    expected = stats.ttest_rel([second for _, second in pairs], [first for first, _ in pairs])

    assert found.p == pytest.approx(float(expected.pvalue), rel=1e-6)
    bounds = expected.confidence_interval(0.95)
    assert (found.low, found.high) == approx((bounds.low, bounds.high), scale=10**9)


@given(st.integers(0, 5_000), st.integers(0, 5_000))
def test_few_and_many_discordant_pairs_have_the_mid_p(b: int, c: int) -> None:
    law = stats.binom(b + c, 0.5)
    expected = 2 * float(law.cdf(min(b, c))) - float(law.pmf(min(b, c))) if b + c else 1

    assert mid_p(b, c) == pytest.approx(min(1, expected), rel=1e-7)


@given(st.integers(0, 5_000), st.integers(0, 5_000))
def test_the_sign_test_is_exact(wins: int, losses: int) -> None:
    expected = stats.binomtest(wins, wins + losses).pvalue if wins + losses else 1

    assert sign_test_p(wins, losses) == pytest.approx(float(expected), rel=1e-9)


@given(
    st.floats(1e-6, 1 - 1e-6),
    st.integers(0, 10**6),
    st.sampled_from([0.01, 0.05, 0.5, 0.9, 0.95, 0.99]),
)
def test_a_binomial_quantile_is_the_least_count_that_reaches_it(
    probability: float, count: int, share: float
) -> None:
    found = binomial_quantile(probability, count, share)

    assert binomial_cdf(found, count, share) >= probability
    assert not found or binomial_cdf(found - 1, count, share) < probability
    assert found == pytest.approx(float(stats.binom.ppf(probability, count, share)), abs=1)


@given(st.integers(1, 10**6), st.data())
def test_the_binomial_law_is_scipys(count: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, count))
    law = stats.binom(count, 0.3)

    assert binomial_cdf(hits, count, 0.3) == pytest.approx(
        float(law.cdf(hits)), rel=1e-7, abs=1e-200
    )
    assert binomial_mass(hits, count, 0.3) == pytest.approx(
        float(law.pmf(hits)), rel=1e-6, abs=1e-200
    )


@given(st.lists(st.integers(0, 100), min_size=1, max_size=400), st.sampled_from([0.5, 0.9, 0.95]))
def test_a_quantile_has_the_interval_of_the_order_statistics(
    values: list[int], share: float
) -> None:
    found = quantiles.quantile(Sample(values), share)
    tested = stats.quantile_test(values, q=0, p=share)
    low, high = cast(tuple[float, float], tested.confidence_interval(0.95))

    if isinstance(found, Interval):
        assert (found.low, found.high) == (low, high)
        assert found.estimate == np.quantile(values, share, method="inverted_cdf")
    else:
        assert math.isnan(low) or math.isnan(high)


@pytest.mark.parametrize(("share", "n"), [(0.5, 60), (0.5, 2_000), (0.95, 300), (0.99, 5_000)])
def test_a_difference_of_quantiles_has_the_interval_of_as_many_draws_of_ranks(
    share: float, n: int
) -> None:
    draw = Random(7)
    arms = [[draw.lognormvariate(mean, 0.7) for _ in range(n)] for mean in (0, 0.1)]
    drawn = np.random.default_rng(7)
    picked = [
        np.sort(arm)[np.clip(drawn.binomial(n + 1, share, size=200_000), 1, n) - 1] for arm in arms
    ]
    low, high = percentiles(picked[1] - picked[0])

    found = interval(quantiles.difference_of_quantiles(Sample(arms[0]), Sample(arms[1]), share))

    assert found.low == pytest.approx(low, abs=0.05 * (high - low))
    assert found.high == pytest.approx(high, abs=0.05 * (high - low))


def test_ranks_stand_for_resampled_values() -> None:
    draw = Random(7)
    arms = [[draw.lognormvariate(mean, 0.7) for _ in range(1_000)] for mean in (0, 0.1)]
    drawn = np.random.default_rng(7)
    picked = [np.median(drawn.choice(arm, size=(5_000, 1_000)), axis=1) for arm in arms]
    low, high = percentiles(picked[1] - picked[0])

    found = interval(quantiles.difference_of_quantiles(Sample(arms[0]), Sample(arms[1]), 0.5))

    assert found.low == pytest.approx(low, abs=0.1 * (high - low))
    assert found.high == pytest.approx(high, abs=0.1 * (high - low))


@given(st.lists(st.integers(10, 10**6), min_size=2, max_size=6))
def test_shares_are_checked_by_pearsons_chi_square(counts: list[int]) -> None:
    expected = stats.chisquare(counts)

    found = check([Epoch(tuple(counts), (1.0,) * len(counts))])

    assert isinstance(found, SampleRatio)
    assert found.statistic == pytest.approx(float(expected.statistic), rel=1e-9, abs=1e-12)
    assert found.p == pytest.approx(float(expected.pvalue), rel=1e-6)


@given(st.integers(5, 60), st.integers(0, 60), st.integers(5, 60))
def test_a_win_rate_is_a_mean_of_scores(wins: int, ties: int, losses: int) -> None:
    scores = [1.0] * wins + [0.5] * ties + [0.0] * losses
    bounds = stats.ttest_1samp(scores, 0.5).confidence_interval(0.95)

    found = interval(win_rate(Verdicts(wins, ties, losses)))

    assert (found.low, found.high) == approx(
        (max(0.0, float(bounds.low)), min(1.0, float(bounds.high)))
    )


def test_a_ratio_of_totals_errs_as_far_as_resampled_pairs_do() -> None:
    draw = Random(3)
    pairs = [
        (size, size * draw.lognormvariate(-1, 0.3))
        for size in map(draw.gauss, [9] * 400, [2] * 400)
    ]
    held = np.array(pairs)
    picked = np.sum(held[np.random.default_rng(3).integers(0, 400, size=(5_000, 400))], axis=1)
    low, high = percentiles(np.divide(picked[:, 1], picked[:, 0]))

    found = interval(ratio_of_totals(Comoments.of(pairs)))

    assert found.estimate == pytest.approx(
        sum(pair[1] for pair in pairs) / sum(pair[0] for pair in pairs)
    )
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.05 * (high - low))


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 10**6)), min_size=30, max_size=60))
def test_the_error_over_keys_is_that_of_leaving_out_one_after_the_other(
    keys: list[tuple[int, int]],
) -> None:
    count, total = sum(key[0] for key in keys), sum(key[1] for key in keys)
    apart = [total / count - (total - key[1]) / (count - key[0]) for key in keys]

    found = Keyed.of(keys)

    assert found.mean == pytest.approx(total / count)
    assert found.squared_error == pytest.approx(sum(one * one for one in apart), rel=1e-6, abs=1e-9)


def test_keys_with_one_request_each_are_requests() -> None:
    draw = Random(5)
    values = [draw.gauss(10, 2) for _ in range(500)]
    hits = [draw.random() < 0.3 for _ in range(500)]

    plain, keyed = (
        interval(means.mean(Moments.of(values))),
        interval(keyed_mean(Keyed.of((1, value) for value in values))),
    )
    share = keyed_share((1, int(hit)) for hit in hits)

    assert (keyed.low, keyed.high) == pytest.approx((plain.low, plain.high), rel=2e-3)
    assert share.independent == pytest.approx(500, rel=0.05)
    assert worth_at([[value] for value in values], 10.0) == pytest.approx(500, rel=0.05)


def test_keys_whose_requests_are_all_alike_are_worth_one_request_each() -> None:
    share = keyed_share((20, 20 * (number % 2)) for number in range(200))

    assert share.independent == pytest.approx(200, rel=0.05)


def test_the_t_of_many_is_the_normal() -> None:
    assert t_critical(0.95, 1e9) == pytest.approx(1.959963984540054, rel=1e-7)
