"""Where nothing differs, one report in twenty says otherwise, and no more: sticky keys included.

Every run is seeded, so that a test that passes keeps passing.
"""

import math
from collections.abc import Callable
from random import Random
from typing import TypeVar

import pytest

from understudy.server.domain.estimates import Estimate, Interval
from understudy.server.domain.histograms import PART, bucket
from understudy.server.evaluation import means, quantiles, speeds
from understudy.server.evaluation.discordance import PairedCounts, paired_difference_of_proportions
from understudy.server.evaluation.keys import (
    Keyed,
    keyed_difference,
    keyed_relative_difference,
    keyed_share,
    worth_at,
)
from understudy.server.evaluation.moments import Moments, log_duration
from understudy.server.evaluation.proportions import Share, difference_of_proportions, proportion
from understudy.server.evaluation.ranking import Buckets, Sample
from understudy.server.evaluation.win_rate import Verdicts, win_rate

from .traffic import RUNS, Keys, failures, hits, latencies, latency, most, sticky

T = TypeVar("T")


def two(make: Callable[[], T]) -> tuple[T, T]:
    """Make a baseline and a candidate of the same law."""
    return make(), make()


def rates(draw: Random) -> Estimate:
    return difference_of_proportions(hits(draw, 400, 0.05), hits(draw, 100, 0.05))


def keyed_rates(draw: Random) -> Estimate:
    return difference_of_proportions(keyed_share(failures(draw)), keyed_share(failures(draw)))


def pairs_of_errors(draw: Random) -> Estimate:
    counts = [0, 0, 0, 0]
    for _ in range(200):
        hard = draw.random() < 0.1  # prompts that any model tends to fail on
        first, second = (draw.random() < (0.5 if hard else 0.02) for _ in range(2))
        counts[(0 if first else 2) + (0 if second else 1)] += 1
    return paired_difference_of_proportions(PairedCounts(*counts))


def costs(draw: Random) -> Estimate:
    return means.difference(Moments.of(latencies(draw, 400)), Moments.of(latencies(draw, 300)))


def relative_costs(draw: Random) -> Estimate:
    return means.relative_difference(*two(lambda: Moments.of(latencies(draw, 400))))


def paired_costs(draw: Random) -> Estimate:
    sizes = latencies(draw, 100)
    return means.paired_difference(
        Moments.of(size * (draw.uniform(0.5, 1.5) - draw.uniform(0.5, 1.5)) for size in sizes)
    )


def totals(keys: Keys) -> Keyed:
    return Keyed.of((len(key), math.fsum(key)) for key in keys)


def keyed_costs(draw: Random) -> Estimate:
    return keyed_difference(*two(lambda: totals(sticky(draw))))


def keyed_relative_costs(draw: Random) -> Estimate:
    return keyed_relative_difference(*two(lambda: totals(sticky(draw, 200))))


def pairs_of_latencies(draw: Random) -> Estimate:
    return speeds.paired_speed_ratio(
        Moments.of(log_duration(latency(draw)) - log_duration(latency(draw)) for _ in range(50))
    )


def groups_of_latencies(draw: Random) -> Estimate:
    few, many = (Moments.of(map(log_duration, latencies(draw, n))) for n in (40, 200))
    return speeds.speed_ratio(few, many)


def keyed_latencies(draw: Random) -> Estimate:
    def arm() -> Keyed:
        return totals([[log_duration(one) for one in key] for key in sticky(draw)])

    return speeds.keyed_speed_ratio(*two(arm))


def medians(draw: Random) -> Estimate:
    arms = two(lambda: Sample(latencies(draw, 100)))
    return quantiles.difference_of_quantiles(*arms, share=0.5)


def tails(draw: Random) -> Estimate:
    arms = two(lambda: Sample(latencies(draw, 250)))
    return quantiles.difference_of_quantiles(*arms, share=0.95)


def bucketed_medians(draw: Random) -> Estimate:
    def arm() -> Buckets:
        counts: dict[int, int] = {}
        for value in latencies(draw, 100):
            index = bucket(round(value))
            counts[index] = counts.get(index, 0) + 1
        return Buckets.logarithmic(counts, PART)

    return quantiles.difference_of_quantiles(*two(arm), share=0.5)


def keyed_medians(draw: Random) -> Estimate:
    def arm() -> tuple[Sample, float]:
        keys = sticky(draw, 150)
        sample = Sample(value for key in keys for value in key)
        return sample, worth_at(keys, sample.at(quantiles.rank_of(sample.n, 0.5))[1])

    (before, worth_before), (after, worth_after) = two(arm)
    return quantiles.difference_of_quantiles(before, after, 0.5, (worth_before, worth_after))


def reviews(draw: Random) -> Estimate:
    drawn = "".join(draw.choices("wtl", (0.35, 0.3, 0.35), k=60))
    found = win_rate(Verdicts(*map(drawn.count, "wtl")))
    assert isinstance(found, Interval)
    # Shifted so that zero is where nothing differs, as everywhere else.
    return Interval(
        found.estimate - 0.5, found.low - 0.5, found.high - 0.5, found.n, found.method, found.p
    )


def said(found: list[Estimate]) -> list[Interval]:
    """The intervals, where nearly all are: the others said that they rest on too little."""
    intervals = [one for one in found if isinstance(one, Interval)]
    assert len(intervals) >= 0.95 * len(found)
    return intervals


def missed(found: list[Estimate], truth: float) -> int:
    return sum(not one.low <= truth <= one.high for one in said(found))


COMPARISONS: list[tuple[Callable[[Random], Estimate], float]] = [
    (rates, 0),
    (keyed_rates, 0),
    (pairs_of_errors, 0),
    (costs, 0),
    (relative_costs, 0),
    (paired_costs, 0),
    (keyed_costs, 0),
    (keyed_relative_costs, 0),
    (pairs_of_latencies, 1),
    (groups_of_latencies, 1),
    (keyed_latencies, 1),
    (medians, 0),
    (tails, 0),
    (bucketed_medians, 0),
    (keyed_medians, 0),
    (reviews, 0),
]


@pytest.mark.parametrize("runs", RUNS)
@pytest.mark.parametrize(
    ("compare", "nothing"), COMPARISONS, ids=[one.__name__ for one, _ in COMPARISONS]
)
def test_equal_arms_differ_in_one_report_of_twenty(
    compare: Callable[[Random], Estimate], nothing: float, runs: int
) -> None:
    found = [compare(Random(seed)) for seed in range(runs)]

    assert missed(found, nothing) <= most(runs)
    assert sum(one.p is not None and one.p < 0.05 for one in said(found)) <= most(runs)


def test_sticky_keys_taken_for_independent_requests_raise_false_alarms() -> None:
    """What the keyed forms are for."""

    def taken_apart(draw: Random) -> Estimate:
        return means.difference(*two(lambda: Moments.of(x for key in sticky(draw) for x in key)))

    def rates_taken_apart(draw: Random) -> Estimate:
        def arm() -> Share:
            keys = failures(draw)
            return Share(sum(key[1] for key in keys), sum(key[0] for key in keys))

        return difference_of_proportions(*two(arm))

    for naive in (taken_apart, rates_taken_apart):
        assert missed([naive(Random(seed)) for seed in range(200)], 0) > 40


@pytest.mark.parametrize("runs", RUNS)
def test_a_rate_is_within_its_interval(runs: int) -> None:
    rates = [proportion(hits(Random(seed), 100, 0.05)) for seed in range(runs)]
    keyed = [proportion(keyed_share(failures(Random(seed)))) for seed in range(runs)]

    assert missed(rates, 0.05) <= most(runs)
    assert missed(keyed, 0.1) <= most(runs)


def slower(draw: Random) -> Estimate:
    fast = Moments.of(log_duration(latency(draw)) for _ in range(100))
    slow = Moments.of(log_duration(2 * latency(draw)) for _ in range(100))
    return speeds.speed_ratio(fast, slow)


def dearer(draw: Random) -> Estimate:
    prompts = latencies(draw, 100)
    return means.paired_difference(
        Moments.of(100 + prompt * draw.uniform(-0.5, 0.5) for prompt in prompts)
    )


def dearer_for_sticky_keys(draw: Random) -> Estimate:
    cheap, dear = sticky(draw, 200), sticky(draw, 200)
    return keyed_relative_difference(
        totals(cheap), totals([[2 * one for one in key] for key in dear])
    )


def slower_tails(draw: Random) -> Estimate:
    fast, slow = (Sample(draw.expovariate(rate) for _ in range(300)) for rate in (2, 1))
    return quantiles.difference_of_quantiles(fast, slow, 0.95)


def failing_more(draw: Random) -> Estimate:
    counts = [0, 0, 0, 0]
    for _ in range(150):
        first = draw.random() < 0.05
        second = draw.random() < (0.8 if first else 0.1)
        counts[(0 if first else 2) + (0 if second else 1)] += 1
    return paired_difference_of_proportions(
        PairedCounts(counts[0], counts[1], counts[2], counts[3])
    )


@pytest.mark.parametrize("runs", RUNS)
@pytest.mark.parametrize(
    ("compare", "truth"),
    [
        (slower, 2),
        (dearer, 100),
        (dearer_for_sticky_keys, 1),
        (slower_tails, math.log(20) / 2),
        (failing_more, 0.05 * 0.8 + 0.95 * 0.1 - 0.05),
    ],
)
def test_what_differs_is_within_the_interval(
    compare: Callable[[Random], Estimate], truth: float, runs: int
) -> None:
    assert missed([compare(Random(seed)) for seed in range(runs)], truth) <= most(runs)


@pytest.mark.parametrize("runs", RUNS)
@pytest.mark.parametrize("share", [0.5, 0.95])
def test_a_quantile_is_within_its_interval(share: float, runs: int) -> None:
    found: list[Estimate] = []
    for seed in range(runs):
        draw = Random(seed)
        found.append(quantiles.quantile(Sample(draw.random() for _ in range(100)), share))

    assert missed(found, share) <= most(runs)
