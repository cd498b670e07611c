"""Nothing, too little, or the same thing over and over: what is said is finite, or that it lacks."""

import math
import subprocess
import sys
from collections.abc import Callable, Iterable
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.server.domain.estimates import Estimate, Insufficient, Interval, Lack
from understudy.server.evaluation import (
    discordance,
    keys,
    means,
    projections,
    proportions,
    quantiles,
    ratios,
    sample_ratio,
    speeds,
    win_rate,
)
from understudy.server.evaluation.discordance import PairedCounts, mid_p
from understudy.server.evaluation.keys import Keyed, keyed_share, worth_at
from understudy.server.evaluation.moments import Comoments, Moments
from understudy.server.evaluation.proportions import Share
from understudy.server.evaluation.ranking import Buckets, Sample
from understudy.server.evaluation.sample_ratio import Epoch, SampleRatio
from understudy.server.evaluation.win_rate import Verdicts

Values = list[float]


def keyed(arm: Values) -> Keyed:
    return Keyed.of((1 + number % 3, value) for number, value in enumerate(arm))


def share(arm: Values) -> Share:
    return Share(sum(value > 0 for value in arm), len(arm))


def shares_of_keys(arm: Values) -> Share:
    return keyed_share((2, 2 if value > 0 else 0) for value in arm)


def pairs(first: Values, second: Values) -> Iterable[tuple[float, float]]:
    return zip(first, second, strict=False)


def errors(first: Values, second: Values) -> PairedCounts:
    met = [(one > 0, other > 0) for one, other in pairs(first, second)]
    return PairedCounts(
        met.count((True, True)),
        met.count((True, False)),
        met.count((False, True)),
        met.count((False, False)),
    )


def verdicts(first: Values, second: Values) -> Verdicts:
    met = [(other > one) - (other < one) for one, other in pairs(first, second)]
    return Verdicts(met.count(1), met.count(0), met.count(-1))


EVERYTHING: dict[str, Callable[[Values, Values], Estimate]] = {
    "mean": lambda a, b: means.mean(Moments.of(a + b)),
    "difference": lambda a, b: means.difference(Moments.of(a), Moments.of(b)),
    "relative": lambda a, b: means.relative_difference(Moments.of(a), Moments.of(b)),
    "paired": lambda a, b: means.paired_difference(Moments.of(y - x for x, y in pairs(a, b))),
    "totals": lambda a, b: ratios.ratio_of_totals(Comoments.of(pairs(a, b))),
    "keyed": lambda a, b: keys.keyed_mean(keyed(a + b)),
    "keyed difference": lambda a, b: keys.keyed_difference(keyed(a), keyed(b)),
    "keyed relative": lambda a, b: keys.keyed_relative_difference(keyed(a), keyed(b)),
    "speeds": lambda a, b: speeds.speed_ratio(Moments.of(a), Moments.of(b)),
    "paired speeds": lambda a, b: speeds.paired_speed_ratio(
        Moments.of(y - x for x, y in pairs(a, b))
    ),
    "geometric": lambda a, b: speeds.geometric_mean(Moments.of(a + b)),
    "keyed speeds": lambda a, b: speeds.keyed_speed_ratio(keyed(a), keyed(b)),
    "proportion": lambda a, b: proportions.proportion(share(a + b)),
    "proportions": lambda a, b: proportions.difference_of_proportions(share(a), share(b)),
    "keyed proportion": lambda a, b: proportions.proportion(shares_of_keys(a + b)),
    "keyed proportions": lambda a, b: proportions.difference_of_proportions(
        shares_of_keys(a), shares_of_keys(b)
    ),
    "paired proportions": lambda a, b: discordance.paired_difference_of_proportions(errors(a, b)),
    "median": lambda a, b: quantiles.quantile(Sample(a + b), 0.5),
    "p95": lambda a, b: quantiles.quantile(Sample(a + b), 0.95),
    "medians": lambda a, b: quantiles.difference_of_quantiles(Sample(a), Sample(b), 0.5),
    "keyed medians": lambda a, b: quantiles.difference_of_quantiles(
        Sample(a), Sample(b), 0.5, (worth_at([a], 1), worth_at([[one] for one in b], 1))
    ),
    "wins": lambda a, b: win_rate.win_rate(verdicts(a, b)),
    "decisive wins": lambda a, b: win_rate.decisive_win_rate(verdicts(a, b)),
    "break-even": lambda a, b: projections.break_even(3_600, means.mean(Moments.of(a + b))),
}
DATA = {
    "empty": [],
    "one": [1.0],
    "few": [1.0, 2.0, 3.0],
    "zeros": [0.0] * 400,
    "constant": [0.1] * 400,
    "huge": [1e9 + number for number in range(400)],
    "one apart": [0.0] * 399 + [1e9],
    "whole": [float(number % 7) for number in range(400)],
}
everything = pytest.mark.parametrize("say", EVERYTHING.values(), ids=EVERYTHING)


def assert_sound(found: Estimate) -> None:
    if isinstance(found, Insufficient):
        assert found.needed is None or found.needed > found.n >= 0 or found.why is not Lack.TOO_FEW
        return
    assert all(map(math.isfinite, (found.estimate, found.low, found.high)))
    assert found.low <= found.estimate <= found.high
    assert found.n > 0
    assert found.p is None or 0 <= found.p <= 1


@everything
def test_whatever_there_is_something_finite_is_said_or_that_it_lacks(
    say: Callable[[Values, Values], Estimate],
) -> None:
    for first, second in product(DATA.values(), repeat=2):
        assert_sound(say(first, second))


@everything
@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(0, 600) | st.just(0.0), max_size=60),
    st.lists(st.floats(0, 600) | st.just(0.0), max_size=60),
)
def test_no_data_make_it_anything_else(
    say: Callable[[Values, Values], Estimate], first: Values, second: Values
) -> None:
    assert_sound(say(first, second))


@everything
def test_nothing_is_said_of_nothing(say: Callable[[Values, Values], Estimate]) -> None:
    found = say([], [])

    assert isinstance(found, Insufficient)
    assert found.n == 0
    assert found.needed is not None


@pytest.mark.parametrize("name", [name for name in EVERYTHING if name.endswith(("s", "ence"))])
def test_one_arm_alone_is_compared_with_nothing(name: str) -> None:
    found = EVERYTHING[name]([1.0] * 400, [])

    assert isinstance(found, Insufficient)
    assert found.n == 0


def test_the_same_cost_over_and_over_has_no_spread_to_judge_by() -> None:
    found = means.difference(Moments.of([0.1] * 50), Moments.of([0.3] * 50))

    assert isinstance(found, Interval)
    assert found.low == found.estimate == found.high == pytest.approx(0.2)
    assert found.p is None


def test_the_same_cost_per_request_has_none_either_however_keys_send() -> None:
    cost = 12_345.678
    found = keys.keyed_mean(Keyed.of((n % 7 + 1, (n % 7 + 1) * cost) for n in range(100)))

    assert isinstance(found, Interval)
    assert found.low == found.estimate == found.high == pytest.approx(cost)


def test_no_failure_at_all_is_not_a_rate_of_zero_for_sure() -> None:
    for found in (
        proportions.proportion(Share(0, 100)),
        proportions.proportion(keyed_share((50, 0) for _ in range(100))),
    ):
        assert isinstance(found, Interval)
        assert (found.estimate, found.low) == (0, 0)
        assert found.high == pytest.approx(0.037, abs=0.001)


def test_wins_alone_are_not_a_win_rate_of_one_for_sure() -> None:
    found = win_rate.win_rate(Verdicts(wins=12))

    assert isinstance(found, Interval)
    assert (found.estimate, found.high) == (1, 1)
    assert found.low == pytest.approx(0.757, abs=0.001)


@pytest.mark.parametrize(
    ("share", "one", "two"), [(0.5, 6, 20), (0.95, 72, 200), (0.99, 368, 1_000)]
)
def test_a_quantile_says_how_many_calls_it_takes(share: float, one: int, two: int) -> None:
    for n in (one - 1, one):
        found = quantiles.quantile(Sample(range(n)), share)
        assert isinstance(found, Interval) if n == one else found == Insufficient(n, one)
    for n in (two - 1, two):
        found = quantiles.difference_of_quantiles(Sample(range(n)), Sample(range(n)), share)
        assert isinstance(found, Interval) if n == two else found == Insufficient(n, two)


def test_the_arm_that_lacks_is_the_one_that_is_told() -> None:
    many, few = Moments.of(range(100)), Moments.of(range(7))

    assert means.difference(many, few) == means.difference(few, many) == Insufficient(7, 30)


def test_a_key_that_sends_most_requests_decides_too_much() -> None:
    found = keys.keyed_mean(Keyed.of([(10_000, 5.0), *((1, 1.0) for _ in range(99))]))

    assert isinstance(found, Insufficient)
    assert found.why is Lack.UNEVEN
    assert proportions.proportion(keyed_share([(10_000, 9), *((1, 0) for _ in range(99))])) == found


def test_what_may_be_zero_is_not_divided_by() -> None:
    around_zero = Moments.of([-1.0, 1.1] * 50)

    found = means.relative_difference(around_zero, Moments.of(range(100)))

    assert isinstance(found, Insufficient)
    assert found.why is Lack.NEAR_ZERO
    assert found.needed is not None
    assert found.needed > 5_000


def test_a_billion_of_each_is_no_trouble() -> None:
    n = 10**9
    found = proportions.difference_of_proportions(Share(n // 10, n), Share(n // 10 + 10**5, n))
    assert isinstance(found, Interval)
    assert found.low < found.estimate < found.high
    assert found.estimate == pytest.approx(1e-4)
    assert found.p is not None
    assert found.p < 1e-12
    paired = discordance.paired_difference_of_proportions(PairedCounts(n, n // 10, n // 10, n))
    assert isinstance(paired, Interval)
    assert paired.p == pytest.approx(1, abs=1e-4)
    assert 0 <= mid_p(n, n + 10**5) == pytest.approx(0.0253, abs=0.0001)
    assert win_rate.sign_test_p(n, n + 10**5) == pytest.approx(0.0253, abs=0.0001)
    ratio = sample_ratio.check([Epoch((9 * n, n), (9, 1))])
    assert isinstance(ratio, SampleRatio)
    assert ratio.p == 1
    assert sample_ratio.watch([Epoch((9 * n, n), (9, 1))]).p == 1
    assert sample_ratio.watch([Epoch((9 * n, n + n // 100), (9, 1))]).p == 0
    buckets = Buckets({(1.0, 2.0): n, (2.0, 4.0): n})
    medians = quantiles.difference_of_quantiles(buckets, buckets, 0.95)
    assert isinstance(medians, Interval)
    assert medians.estimate == 0


def test_values_that_no_call_has_are_refused() -> None:
    for wrong in (
        lambda: Moments.of([1.0, math.nan]),
        lambda: Moments.of([1.0, math.inf]),
        lambda: Share(3, 2),
        lambda: PairedCounts(1, -1, 1, 1),
        lambda: Verdicts(-1, 0, 0),
        lambda: Epoch((1, 2), (0, 0)),
        lambda: Epoch((1, 2), (1,)),
    ):
        with pytest.raises(ValueError, match=r"."):
            wrong()


def test_importing_what_reports_need_imports_no_scipy() -> None:
    modules = (
        "discordance keys means projections quantiles sample_ratio speeds win_rate completeness"
    )
    script = "; ".join(
        [
            *(f"import understudy.server.evaluation.{name}" for name in modules.split()),
            "import sys",
            "sys.exit(bool({'scipy', 'numpy'} & set(sys.modules)))",
        ]
    )

    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
