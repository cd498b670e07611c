"""Published and independently computed values come out, to the digits they were given in."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log, sqrt
from pathlib import Path
from typing import TypeAlias, cast

import pytest

from understudy.server.domain.estimates import Estimate, Interval
from understudy.server.evaluation import means, quantiles, ratios, sample_ratio, win_rate
from understudy.server.evaluation.discordance import (
    PairedCounts,
    mid_p,
    paired_difference_of_proportions,
)
from understudy.server.evaluation.distributions import normal_critical, t_critical
from understudy.server.evaluation.moments import Comoments, Moments
from understudy.server.evaluation.proportions import Share, difference_of_proportions
from understudy.server.evaluation.ranking import Sample
from understudy.server.evaluation.sample_ratio import Epoch, SampleRatio
from understudy.server.evaluation.win_rate import Verdicts

Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | float"
Found: TypeAlias = Mapping[str, float | Sequence[float] | None]


@dataclass(frozen=True)
class Given:
    """The input of a case, read by name."""

    values: Mapping[str, Json]

    def number(self, name: str) -> float:
        return cast(float, self.values[name])

    def whole(self, name: str) -> int:
        return cast(int, self.values[name])

    def numbers(self, name: str) -> Sequence[float]:
        return cast(Sequence[float], self.values[name])

    def wholes(self, name: str) -> tuple[int, ...]:
        return tuple(cast(Sequence[int], self.values[name]))


def interval(found: Estimate) -> Interval:
    assert isinstance(found, Interval), found
    return found


def ends(found: Estimate) -> tuple[float, float]:
    return interval(found).low, interval(found).high


def check_ratio(counts: tuple[int, ...], weights: Sequence[float]) -> SampleRatio:
    found = sample_ratio.check([Epoch(counts, tuple(weights))])
    assert isinstance(found, SampleRatio)
    return found


def srm_chi2(given: Given) -> Found:
    found = check_ratio(given.wholes("counts"), given.numbers("weights"))
    return {"chi2": found.statistic, "p": found.p}


def chisquare(given: Given) -> Found:
    counts = given.wholes("f_obs")
    found = check_ratio(counts, [1] * len(counts))
    return {"stat": found.statistic, "p": found.p}


def srm_sequential(given: Given) -> Found:
    epoch = Epoch(given.wholes("counts"), tuple(given.numbers("weights")))
    found = sample_ratio.watch([epoch], given.number("concentration"))
    return {"log_bayes_factor": found.log_bayes_factor, "p": found.p}


def newcombe(given: Given) -> Found:
    # The first group is the one that the second is subtracted from.
    baseline = Share(given.whole("x2"), given.whole("n2"))
    candidate = Share(given.whole("x1"), given.whole("n1"))
    return {"ci": ends(difference_of_proportions(baseline, candidate))}


def two_proportion_z(given: Given) -> Found:
    shares = [
        Share(*both) for both in zip(given.wholes("count"), given.wholes("nobs"), strict=True)
    ]
    return {"p": interval(difference_of_proportions(shares[1], shares[0])).p}


def mcnemar(given: Given) -> Found:
    return {"p_mid": mid_p(given.whole("b"), given.whole("c"))}


def newcombe10(given: Given) -> Found:
    both, first_only, second_only, neither = given.wholes("table")
    counts = PairedCounts(both, second_only, first_only, neither)
    found = interval(paired_difference_of_proportions(counts))
    return {"est_ci": (found.estimate, found.low, found.high)}


def ratings(given: Given) -> Found:
    verdicts = Verdicts(given.whole("win"), given.whole("tie"), given.whole("loss"))
    found = interval(win_rate.win_rate(verdicts))
    decisive = interval(win_rate.decisive_win_rate(verdicts))
    reach = (found.high - found.low) / 2
    return {
        "win_rate": found.estimate,
        "se": reach / t_critical(0.95, verdicts.n - 1),
        "t_ci": ends(found),
        "decisive": decisive.estimate,
        "wilson_decisive": ends(decisive),
        "sign_test_p": found.p,
        "bradley_terry_logit": log(decisive.estimate / (1 - decisive.estimate)),
    }


def summed(given: Given, arm: str) -> Moments:
    return Moments.from_sums(
        given.whole(f"n_{arm}"), given.number(f"sum_{arm}"), given.number(f"sumsq_{arm}")
    )


def error_of(found: Interval, freedom: float) -> float:
    return (found.high - found.low) / 2 / t_critical(0.95, freedom)


def welch(given: Given, of: Callable[[Moments, Moments], Estimate], name: str) -> Found:
    a, b = summed(given, "a"), summed(given, "b")
    found = interval(of(a, b))
    freedom = means.welch_freedom(a.variance, a.n, b.variance, b.n)
    error = error_of(found, freedom)
    return {name: found.estimate, "ci": ends(found), "p": found.p, "se": error}


def welch_abs(given: Given) -> Found:
    return welch(given, means.difference, "diff")


def welch_rel_delta(given: Given) -> Found:
    return welch(given, means.relative_difference, "lift")


def ratio_metric_delta(given: Given) -> Found:
    found: dict[str, float] = {}
    n = given.whole("n")
    for arm in ("a", "b"):
        total, count = (
            Moments.from_sums(
                n, given.number(f"{side}_sum_{arm}"), given.number(f"{side}_sumsq_{arm}")
            )
            for side in ("m", "d")
        )
        units = Comoments.from_sums(count, total, given.number(f"md_{arm}"))
        ratio = interval(ratios.ratio_of_totals(units))
        found[f"ratio_{arm}"] = ratio.estimate
        found[f"var_{arm}"] = (error_of(ratio, n - 1) * sqrt(n)) ** 2
    return found


def order_statistics(given: Given) -> Found:
    values = Sample(range(given.whole("n")))
    return {"lo_hi": ends(quantiles.quantile(values, given.number("q")))}


def quantile_test(given: Given) -> Found:
    first, last = map(int, str(given.values["data"]).split(".."))
    return {"ci": ends(quantiles.quantile(Sample(range(first, last + 1)), given.number("p")))}


CHECKS: Mapping[str, Callable[[Given], Found]] = {
    "srm_chi2": srm_chi2,
    "srm_sequential": srm_sequential,
    "chisquare": chisquare,
    "rate_diff_ci:newcomb": newcombe,
    "two_proportion_z": two_proportion_z,
    "mcnemar": mcnemar,
    "paired_rate_diff_ci:newcombe10": newcombe10,
    "win_rate": ratings,
    "welch_abs": welch_abs,
    "welch_rel_delta": welch_rel_delta,
    "ratio_metric_delta": ratio_metric_delta,
    "quantile_order_stat_indices_0based": order_statistics,
    "quantile_test": quantile_test,
}

# What no report says, because another number says it better, and what is looked at while an
# experiment runs, which a report is not.
NOT_SAID = {
    "rate_diff_ci:agresti-caffo",
    "rate_diff_ci:wald",
    "rate_diff_ci:score",
    "paired_rate_diff_ci:bonett_price",
    "wilcoxon",
    "cuped_abs",
    "bernoulli_confidence_sequence",
    "event_split_evalue_beta",
    "rollback_eprocess_psi_grid",
    "asymp_cs_rho",
    "asymp_cs_halfwidth",
    "sequential_diff_of_proportions",
    "sequential_relative_lift",
    "growthbook_hash",
    "eppo_md5_shard",
}
NOT_SAID_OF = {
    "mcnemar": {"chi2", "p_asym", "p_cc", "p_exact"},
    "two_proportion_z": {"z"},
    "win_rate": {"log_e_sign", "always_valid_ci_decisive"},
    "quantile_test": {"p"},
}

CASES = cast(
    list[Mapping[str, Json]],
    json.loads(Path(__file__).with_name("statistics_cases.json").read_text())["cases"],
)
SAID = [case for case in CASES if case["function"] in CHECKS]


def test_every_case_is_checked_or_left_out_on_purpose() -> None:
    assert {str(case["function"]) for case in CASES} == set(CHECKS) | NOT_SAID


@pytest.mark.parametrize(
    "case", SAID, ids=[f"{case['function']}-{number}" for number, case in enumerate(SAID)]
)
def test_the_case_comes_out(case: Mapping[str, Json]) -> None:
    function = str(case["function"])
    expected = cast(Mapping[str, float | Sequence[float]], case["expected"])

    found = CHECKS[function](Given(cast(Mapping[str, Json], case["input"])))

    assert set(expected) - set(found) == NOT_SAID_OF.get(function, set())
    tolerance = cast(float, case["rel_tol"])
    for name in found:
        assert found[name] == pytest.approx(expected[name], rel=tolerance), name


@pytest.mark.parametrize(
    ("share", "needed"),
    [(0.55, 807), (0.575, 367), (0.6, 210), (0.65, 97), (0.7, 54), (0.53, 2228)],
)
def test_the_pairs_that_a_share_of_wins_takes_are_those_of_the_exact_sign_test(
    share: float, needed: int
) -> None:
    assert win_rate.decisive_pairs_needed(share) == needed


def test_the_normal_critical_value_is_the_one_in_every_table() -> None:
    assert normal_critical(0.95) == pytest.approx(1.959963984540054, rel=1e-12)
