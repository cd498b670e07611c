"""A report on a silent model recovers what its pairs were made of, and says what it lacks."""

import random
from collections import Counter
from math import exp, isfinite

import pytest
from msgspec import structs
from sqlalchemy import Engine, update

from understudy.server.database.engine import writing
from understudy.server.domain.estimates import Insufficient, Method
from understudy.server.domain.reports import Facts, Report, Section
from understudy.server.records.schema import records
from understudy.server.reporting.metrics import describe

from .conftest import empty_store
from .filling import (
    HOUR,
    NOW,
    PRIMARY,
    SILENT,
    START,
    Filling,
    find,
    lacking,
    of_silent,
    report,
    value,
)

SPREAD = 0.5  # of the logarithm of latencies
MEDIANS = 800_000, 1_200_000  # microseconds
PRICES = 3_000, 1_000  # nano-USD for a token
P95 = 1.6448536269514722


def fill(engine: Engine, count: int, *, seed: int = 7, swap: bool = False) -> None:
    """Write pairs by known laws: lognormal latencies, prices by token. Swapped, of other sides."""
    draw = random.Random(seed)
    filling = Filling()
    for number in range(count):
        tokens = draw.randint(50, 150)
        sides = [
            {
                "latency": round(median * exp(draw.gauss(0, SPREAD))),
                "first_token_latency": round(median / 10 * exp(draw.gauss(0, SPREAD))),
                "completion_tokens": tokens,
                "cost_nano_usd": price * tokens,
                "reason": "" if draw.random() > failing else "UPSTREAM_INTERNAL_ERROR",
            }
            for median, price, failing in zip(MEDIANS, PRICES, (0.02, 0.03), strict=True)
        ]
        valid, lengths = [draw.random() < share for share in (0.9, 0.8)], [100, 80]
        if swap:
            sides, valid, lengths = sides[::-1], valid[::-1], lengths[::-1]
        primary, silent = sides
        outcome = "FAILED" if silent["reason"] else "UNPAIRED" if primary["reason"] else "PAIRED"
        compared = {
            "primary_schema_valid": valid[0],
            "silent_schema_valid": valid[1],
            "primary_length": lengths[0],
            "silent_length": lengths[1],
        }
        filling.pair(
            f"{number:06d}",
            START + number * HOUR // count,
            primary=primary,
            silent=silent,
            outcome=outcome,
            reason=silent["reason"],
            **(compared if outcome == "PAIRED" else {}),
        )
    filling.write(engine)


SLOW = exp(SPREAD * P95)
TRUTHS = {
    "latency_p50": MEDIANS[1] / 1e6,
    "latency_p50_baseline": MEDIANS[0] / 1e6,
    "latency_p50_difference": (MEDIANS[1] - MEDIANS[0]) / 1e6,
    "latency_p95": MEDIANS[1] * SLOW / 1e6,
    "latency_p95_baseline": MEDIANS[0] * SLOW / 1e6,
    "latency_p95_difference": (MEDIANS[1] - MEDIANS[0]) * SLOW / 1e6,
    "latency_ratio": MEDIANS[1] / MEDIANS[0],
    "first_token_p50": MEDIANS[1] / 1e7,
    "first_token_p95_baseline": MEDIANS[0] * SLOW / 1e7,
    "first_token_ratio": MEDIANS[1] / MEDIANS[0],
    "cost_mean": PRICES[1] * 100 / 1e9,
    "cost_mean_baseline": PRICES[0] * 100 / 1e9,
    "cost_mean_difference": (PRICES[1] - PRICES[0]) * 100 / 1e9,
    "completion_tokens_mean": 100,
    "error_rate": 0.03,
    "error_rate_baseline": 0.02,
    "error_rate_difference": 0.01,
    "schema_valid_rate_difference": -0.1,
}


def misses(section: Section) -> list[str]:
    """Return the figures whose interval leaves the truth out; none is off by two of them."""
    found: list[str] = []
    for metric, truth in TRUTHS.items():
        one = value(section, metric)
        low, high = (2 * edge - one.estimate for edge in (one.low, one.high))
        assert low <= truth <= high, (metric, truth, one)
        if not one.low <= truth <= one.high:
            found.append(metric)
    return found


def test_the_laws_that_pairs_follow_are_found_again(engine: Engine) -> None:
    fill(engine, 1_000)

    section = of_silent(engine)

    # Each interval may miss one time in twenty.
    assert len(misses(section)) <= 3
    assert value(section, "cost_ratio").estimate == pytest.approx(1 / 3)
    cost = value(section, "cost_mean").estimate
    assert value(section, "cost_per_1000").estimate == pytest.approx(cost * 1_000)
    assert value(section, "cost_per_month").estimate == pytest.approx(cost * 1_000 * 730)
    assert section.subject == SILENT
    assert section.baseline == PRIMARY


@pytest.mark.proof
def test_intervals_leave_out_the_truth_as_rarely_as_they_say(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    found: Counter[str] = Counter()
    runs = 20
    for seed in range(runs):
        with empty_store(tmp_path_factory.mktemp("store")) as engine:
            fill(engine, 5_000, seed=seed)
            found.update(misses(of_silent(engine)))

    checked = runs * len(TRUTHS)
    # Figures of one run go together, so that they miss together: twice what independent ones do.
    assert found.total() <= 2 * 0.05 * checked, found
    assert max(found.values(), default=0) <= 5, found


def test_every_offer_ends_as_one_of_the_counts_and_refusals_are_told_by_reason(
    engine: Engine,
) -> None:
    filling = Filling()
    ends = {"PAIRED": 5, "UNPAIRED": 1, "FAILED": 2, "TIMED_OUT": 3, "CANCELLED": 1, "LOST": 1}
    for outcome, count in ends.items():
        for number in range(count):
            filling.pair(f"{outcome}{number}", outcome=outcome)
    for number in range(4):
        filling.offer(f"shed{number}", outcome="SHED", reason="QUEUE_FULL", record_id=None)
    filling.offer("open", outcome=None, record_id=None)
    for number in range(6):
        filling.refuse(f"not{number}", "SAMPLED_OUT")
    filling.write(engine)

    section = of_silent(engine)

    for outcome, count in ends.items():
        assert value(section, outcome.lower()).estimate == count
    assert value(section, "offered").estimate == 18
    assert value(section, "under_way").estimate == 1
    assert value(section, "shed").estimate == value(section, "shed_queue_full").estimate == 4
    assert value(section, "not_mirrored_sampled_out").estimate == 6
    assert value(section, "completeness").estimate == pytest.approx(5 / 17)
    assert any("29.4%" in one for one in section.caveats)
    assert any("took too long 3 times" in one for one in section.caveats)


def test_what_is_missing_is_bounded_where_it_is_much(lite: Engine) -> None:
    filling = Filling()
    for number in range(900):
        filling.pair(f"p{number}", equal=number < 450)
    for number in range(100):
        filling.offer(f"s{number}", outcome="SHED", record_id=None)
    filling.write(lite)

    section = of_silent(lite)

    found, bounds = value(section, "equal_rate"), value(section, "equal_rate_bounds")
    assert found.estimate == 0.5
    assert bounds.low == pytest.approx(found.low * 0.9)
    assert bounds.high == pytest.approx(found.high * 0.9 + 0.1)
    assert bounds.method is Method.BOUNDS
    assert value(section, "latency_p50_bounds").estimate == 1.0
    assert isinstance(find(section, "latency_p95_bounds"), Insufficient)


def test_a_primary_that_retried_is_marked_and_not_compared_in_speed(lite: Engine) -> None:
    filling = Filling()
    for number in range(100):
        filling.pair(f"p{number}")
    for number in range(5):
        failed = {"reason": "UPSTREAM_UNAVAILABLE", "latency": 9_000_000}
        filling.pair(f"r{number}", primary=failed)
        filling.record(f"r{number}", START + 9_000_000, attempt=2)
    filling.write(lite)

    section = of_silent(lite)

    assert value(section, "paired").estimate == 105
    assert value(section, "primary_retried").estimate == 5
    assert value(section, "latency_p50_baseline").n == 100
    assert value(section, "latency_p50_difference").n == 100
    assert value(section, "error_rate_baseline").estimate == pytest.approx(5 / 105)
    assert any("in 5 of 105 pairs" in one for one in section.caveats)


def test_what_a_caller_gave_up_is_no_failure_of_either_model(lite: Engine) -> None:
    filling = Filling()
    for number in range(50):
        filling.pair(f"p{number}")
        filling.pair(f"c{number}", primary={"reason": "CANCELLED"}, outcome="UNPAIRED")
    filling.write(lite)

    section = of_silent(lite)

    assert value(section, "error_rate_baseline").estimate == 0
    assert value(section, "error_rate_baseline").n == 50


def test_prompts_from_the_providers_cache_are_told(lite: Engine) -> None:
    filling = Filling()
    for number in range(40):
        cached = {"token_details": {"prompt_tokens_details": {"cached_tokens": number % 2}}}
        filling.pair(f"p{number}", silent=cached)
    filling.write(lite)

    assert any("in 20 of 40 pairs" in one for one in of_silent(lite).caveats)


@pytest.mark.parametrize("of_primary", [False, True])
def test_a_rented_endpoint_costs_its_rent_spread_over_its_calls(
    engine: Engine, of_primary: bool
) -> None:
    filling = Filling()
    rented = {"cost_nano_usd": None, "cost_reason": "HOURLY", "cost_status": "UNKNOWN"}
    paid = {"cost_nano_usd": 7_200_000}
    sides = (rented, paid) if of_primary else (paid, rented)
    for number in range(1_000):
        start = START + number * HOUR // 1_000
        filling.pair(f"{number:04d}", start, primary=sides[0], silent=sides[1])
    filling.write(engine)
    endpoint = PRIMARY if of_primary else SILENT

    section = of_silent(
        engine, Facts(rents={endpoint: 3_600_000_000}), start=START, end=START + HOUR
    )

    side = "_baseline" if of_primary else ""
    cost = value(section, f"cost_mean{side}")
    assert (cost.low, cost.estimate, cost.high) == pytest.approx((0.0036,) * 3, abs=1e-15)
    assert cost.method is Method.RENT
    assert value(section, "cost_mean_difference").estimate == pytest.approx(
        0.0036 if of_primary else -0.0036
    )
    assert value(section, "break_even_calls_per_hour").estimate == pytest.approx(500)
    assert value(section, "calls_per_hour").estimate == 1_000
    assert any(
        "rented for $3.6 an hour" in one and "$0.0036 each" in one for one in section.caveats
    )


def test_swapping_the_sides_turns_each_difference_round(
    lite: Engine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    fill(lite, 400)
    with empty_store(tmp_path_factory.mktemp("swapped")) as other:
        fill(other, 400, swap=True)
        section, swapped = of_silent(lite), of_silent(other)

    differences = [one.metric for one in section.figures if one.metric.endswith("_difference")]
    assert len(differences) > 8
    for metric in differences:
        found, turned = find(section, metric), find(swapped, metric)
        if isinstance(found, Insufficient):
            assert isinstance(turned, Insufficient), metric
            continue
        assert value(swapped, metric).estimate == pytest.approx(-found.estimate), metric
        assert value(swapped, metric).low == pytest.approx(-found.high, abs=1e-9), metric
        assert value(swapped, metric).p == pytest.approx(found.p), metric
    ratio = value(section, "latency_ratio").estimate
    assert value(swapped, "latency_ratio").estimate == pytest.approx(1 / ratio)


def test_scaling_costs_leaves_their_p_alone(lite: Engine) -> None:
    filling = Filling()
    draw = random.Random(3)
    for number in range(300):
        first, second = draw.randint(1_000, 2_000), draw.randint(1_000, 2_100)
        filling.pair(
            f"{number:04d}", primary={"cost_nano_usd": first}, silent={"cost_nano_usd": second}
        )
    filling.write(lite)
    before = of_silent(lite)
    with writing(lite) as connection:
        scaled = records.c.cost_nano_usd * 1_000_000
        connection.execute(update(records).values(cost_nano_usd=scaled))
    after = of_silent(lite)

    for metric in ("cost_mean_difference", "cost_ratio", "cost_per_month_difference"):
        assert value(after, metric).p == pytest.approx(value(before, metric).p), metric
    small, large = (value(one, "cost_mean_difference").estimate for one in (before, after))
    assert large == pytest.approx(small * 1e6)


def test_sixty_wins_and_forty_losses(engine: Engine) -> None:
    filling = Filling()
    for number in range(100):
        filling.pair(f"{number:03d}")
        verdict = "SILENT" if number < 60 else "PRIMARY"
        filling.rate(f"{number:03d}", verdict, first="SILENT" if number % 2 else "PRIMARY")
    filling.write(engine)

    section = of_silent(engine)

    rate = value(section, "win_rate")
    assert (rate.estimate, rate.low, rate.high) == pytest.approx((0.6, 0.5023, 0.6977), abs=5e-5)
    assert value(section, "decisive_win_rate").estimate == 0.6
    assert value(section, "first_side_rate").estimate == 0.5
    assert value(section, "pairs_to_go").estimate == 110
    assert value(section, "rated").estimate == 100


def test_a_pair_that_several_people_rated_counts_once(lite: Engine) -> None:
    filling = Filling()
    for number in range(20):
        filling.pair(f"{number:03d}")
        for reviewer, verdict in (("ann", "SILENT"), ("bob", "SILENT"), ("eve", "PRIMARY")):
            filling.rate(f"{number:03d}", verdict, reviewer=reviewer)
    filling.pair("split")
    filling.rate("split", "SILENT")
    filling.rate("split", "PRIMARY", reviewer="bob")
    filling.write(lite)

    section = of_silent(lite)

    assert value(section, "rated").estimate == 21
    assert value(section, "win_rate").estimate == pytest.approx(20.5 / 21)
    assert any("62 ratings are of 21 pairs" in one for one in section.caveats)


def test_pairs_are_told_apart_by_baseline_and_breakdown(engine: Engine) -> None:
    filling = Filling()
    for number in range(120):
        group, team = ("paid", "cheap")[number % 2], ("search", "ads", None)[number % 3]
        metadata = {"team": team} if team else {}
        filling.pair(
            f"{number:03d}",
            primary={"metadata": metadata, "model_group": group},
            model_group=group,
            caller=f"caller-{number % 4}",
            variant="v",
        )
    filling.write(engine)

    def parts(group_by: str) -> dict[tuple[str, str], float]:
        found = report(engine, f"silentModels/{SILENT}", group_by=group_by).sections
        return {(one.baseline, one.group): value(one, "offered").estimate for one in found}

    assert parts("") == {("paid", ""): 60, ("cheap", ""): 60}
    assert parts("metadata.team") == {
        (group, team): 20 for group in ("paid", "cheap") for team in ("search", "ads", "")
    }
    assert parts("variant") == {("paid", "v"): 60, ("cheap", "v"): 60}
    assert parts("caller")[("paid", "caller-0")] == 30


def test_all_beyond_the_fifty_largest_are_other(lite: Engine) -> None:
    filling = Filling()
    for number in range(130):
        filling.pair(f"{number:03d}", caller=f"caller-{number % 70}")
    filling.write(lite)

    sections = report(lite, f"silentModels/{SILENT}", group_by="caller").sections

    assert len(sections) == 51
    assert sum(value(one, "offered").estimate for one in sections) == 130
    assert "other" in {one.group for one in sections}


def check_figures(found: Report) -> None:
    """Every figure is finite, and explained."""
    for section in found.sections:
        for one in section.figures:
            assert describe(one.metric).unit is one.unit
            if not isinstance(one.found, Insufficient):
                told = structs.astuple(one.found)
                assert all(isfinite(x) for x in told if isinstance(x, float)), one


def test_without_data_each_figure_says_how_much_it_takes(engine: Engine) -> None:
    found = report(engine, "silentModels/nobody")

    check_figures(found)
    (section,) = found.sections
    assert {"latency_p95_difference", "cost_mean", "error_rate", "win_rate"} <= lacking([section])
    p95 = find(section, "latency_p95_difference")
    assert p95 == Insufficient(0, 200)
    assert found.caveats == ("nothing is recorded of it in this window",)


@pytest.mark.parametrize(
    "outcome", ["PAIRED", "UNPAIRED", "FAILED", "TIMED_OUT", "SHED", "LOST", None]
)
@pytest.mark.parametrize("count", [1, 2, 40])
def test_one_sided_data_gives_no_exception_and_no_nonsense(
    lite: Engine, outcome: str | None, count: int
) -> None:
    filling = Filling()
    for number in range(count):
        filling.offer(f"{number:03d}", outcome=outcome, record_id=None, model_group="")
    filling.write(lite)

    found = report(lite, f"silentModels/{SILENT}")

    check_figures(found)
    assert "latency_p50_difference" in lacking(found.sections)


def test_a_side_whose_cost_is_unknown_leaves_the_other_its_own(lite: Engine) -> None:
    filling = Filling()
    unknown = {"cost_nano_usd": None, "cost_reason": "NO_PRICE", "cost_status": "UNKNOWN"}
    for number in range(40):
        filling.pair(f"{number:03d}", silent=unknown)
    filling.write(lite)

    found = report(lite, f"silentModels/{SILENT}")

    check_figures(found)
    (section,) = found.sections
    assert value(section, "cost_mean_baseline").estimate == pytest.approx(1e-6)
    assert isinstance(find(section, "cost_mean"), Insufficient)
    assert isinstance(find(section, "cost_mean_difference"), Insufficient)
    assert any("unknown in 40 of 40 pairs" in one for one in section.caveats)


def test_a_window_takes_only_what_began_in_it(engine: Engine) -> None:
    fill(engine, 100)

    found = report(engine, f"silentModels/{SILENT}", start=START, end=START + HOUR // 2)

    assert value(found.sections[0], "offered").estimate == 50
    assert (found.start, found.end) == (START, START + HOUR // 2)


def test_the_time_before_the_first_call_is_no_traffic(lite: Engine) -> None:
    fill(lite, 100)

    found = report(lite, f"silentModels/{SILENT}", start=START - 100 * HOUR, end=NOW)

    assert found.start == START
    assert value(found.sections[0], "calls_per_hour").estimate == pytest.approx(100)
    assert any("since the first call" in one for one in found.caveats)


def test_an_offer_without_its_primarys_record_still_counts(lite: Engine) -> None:
    filling = Filling()
    for number in range(40):
        filling.pair(f"{number:03d}")
    filling.offer("lost", outcome="LOST", record_id=None, model_group="")
    filling.write(lite)

    (section,) = report(lite, f"silentModels/{SILENT}").sections

    assert section.baseline == PRIMARY
    assert value(section, "offered").estimate == 41
