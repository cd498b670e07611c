"""A report on an experiment compares variants with the control, by what is independent."""

import random

import pytest
from sqlalchemy import Engine

from understudy.server.domain.estimates import Insufficient, Method
from understudy.server.domain.reports import EpochFacts, ExperimentFacts, Facts, Report, Section
from understudy.server.errors import Reason, RequestError

from .conftest import empty_store
from .filling import HOUR, START, Filling, find, lacking, report, value
from .test_pairs import check_figures

EVEN = {"control": 5_000, "new": 5_000}


def facts(*weights: dict[str, int]) -> Facts:
    """An experiment `ab` whose epochs had these weights."""
    epochs = [EpochFacts(number=place, weights=one) for place, one in enumerate(weights, 1)]
    experiment = ExperimentFacts(
        id="ab", control="control", variants=("control", "new"), epochs=tuple(epochs)
    )
    return Facts(experiment=experiment)


def of_experiment(engine: Engine, known: Facts | None = None, group_by: str = "") -> Report:
    """Return the report on the experiment `ab`."""
    found = report(engine, "experiments/ab", known or facts(EVEN), group_by=group_by)
    check_figures(found)
    return found


def fill(engine: Engine, count: int, *, swap: bool = False, seed: int = 5) -> None:
    """Write calls, each drawn for itself, of which those of `new` are slower and cheaper."""
    draw, filling = random.Random(seed), Filling()
    for number in range(count):
        is_new = draw.random() < 0.5
        latency = round((1_500_000 if is_new else 1_000_000) * draw.lognormvariate(0, 0.4))
        cost = round((700 if is_new else 1_000) * draw.uniform(0.5, 1.5))
        is_failed = draw.random() < (0.08 if is_new else 0.04)
        filling.call(
            f"{number:06d}",
            "new" if is_new is not swap else "control",
            START + number * HOUR // count,
            latency=latency,
            cost_nano_usd=cost,
            reason="UPSTREAM_UNAVAILABLE" if is_failed else "",
        )
    filling.write(engine)


def test_a_variant_is_compared_with_the_control(engine: Engine) -> None:
    fill(engine, 2_000)

    combined, first = of_experiment(engine).sections

    assert (combined.subject, combined.baseline) == ("new", "control")
    assert (combined.epoch, first.epoch) == (0, 1)
    for metric, truth in {
        "latency_ratio": 1.5,
        "latency_p50_difference": 0.5,
        "cost_mean_difference": -300e-9,
        "cost_ratio": 0.7,
        "error_rate_difference": 0.04,
    }.items():
        found = value(combined, metric)
        low, high = (2 * edge - found.estimate for edge in (found.low, found.high))
        assert low <= truth <= high, (metric, found)
    assert value(combined, "cost_mean_difference").method is Method.WELCH
    requests = value(combined, "requests").estimate + value(combined, "requests_baseline").estimate
    assert requests == 2_000
    assert value(combined, "calls_per_hour").estimate == pytest.approx(2_000, rel=0.01)
    assert value(combined, "sample_ratio_p").estimate > 0.001
    alike = {one.metric: one.found for one in first.figures}
    assert alike["latency_ratio"] == find(combined, "latency_ratio")


def test_swapping_the_arms_turns_each_difference_round(
    lite: Engine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    fill(lite, 600)
    with empty_store(tmp_path_factory.mktemp("swapped")) as other:
        fill(other, 600, swap=True)
        section, swapped = (of_experiment(one).sections[0] for one in (lite, other))

    for one in section.figures:
        if one.metric.endswith("_difference") and not isinstance(one.found, Insufficient):
            turned = value(swapped, one.metric)
            assert turned.estimate == pytest.approx(-one.found.estimate), one.metric
            assert turned.low == pytest.approx(-one.found.high, abs=1e-9), one.metric
            assert turned.p == pytest.approx(one.found.p), one.metric


def sticky(seed: int, keys: int = 120, calls: int = 12) -> Filling:
    """Make an A/A experiment whose keys differ much more than the calls of one."""
    draw, filling = random.Random(seed), Filling()
    for key in range(keys):
        variant, level = draw.choice(("control", "new")), draw.gauss(0, 1)
        for number in range(draw.randint(1, 2 * calls)):
            filling.call(
                f"{key:03d}{number:03d}",
                variant,
                START + draw.randrange(HOUR),
                latency=round(1_000_000 * draw.lognormvariate(level, 0.1)),
                cost_nano_usd=round(1_000 * draw.lognormvariate(level, 0.1)),
                key_hash=f"{key + 1:016x}",
                assignment="STICKY",
            )
    return filling


def test_calls_of_sticky_keys_are_as_many_as_their_keys(lite: Engine) -> None:
    sticky(1).write(lite)

    section = of_experiment(lite).sections[0]

    keys = value(section, "keys").estimate + value(section, "keys_baseline").estimate
    assert keys == 120
    for metric in ("cost_mean_difference", "latency_ratio"):
        assert value(section, metric).n == 120
        assert value(section, metric).method is Method.JACKKNIFE
    share = value(section, "traffic_share")
    assert share.n == 120


@pytest.mark.proof
def test_two_equal_variants_with_sticky_keys_differ_as_rarely_as_claimed(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    runs, found = 200, dict.fromkeys(("cost_mean_difference", "latency_ratio"), 0)
    for seed in range(runs):
        with empty_store(tmp_path_factory.mktemp("store")) as engine:
            sticky(seed).write(engine)
            section = of_experiment(engine).sections[0]
            for metric in found:
                p = value(section, metric).p
                found[metric] += p is not None and p < 0.05

    # 200 runs at 5 %: more than 20 come by chance once in 500.
    assert max(found.values()) <= 20, found


def test_one_key_alone_is_too_little(lite: Engine) -> None:
    filling = Filling()
    for number in range(500):
        variant = ("control", "new")[number % 2]
        filling.call(f"{number:03d}", variant, key_hash=f"{number % 2 + 1:016x}")
    filling.write(lite)

    section = of_experiment(lite).sections[0]

    assert {"cost_mean_difference", "error_rate", "latency_p50_difference"} <= lacking([section])
    assert find(section, "cost_mean") == Insufficient(1, 30)


@pytest.mark.parametrize("variant", ["control", "new", "gone"])
def test_calls_of_one_arm_only_give_no_nonsense(lite: Engine, variant: str) -> None:
    filling = Filling()
    for number in range(300):
        filling.call(f"{number:03d}", variant)
    filling.write(lite)

    section = of_experiment(lite).sections[0]

    assert "latency_p50_difference" in lacking([section])


def test_an_experiment_that_nobody_asked_has_figures_that_say_so(engine: Engine) -> None:
    (section,) = of_experiment(engine).sections

    assert {"cost_mean", "error_rate_difference", "sample_ratio_p"} <= lacking([section])


def drifting(engine: Engine) -> None:
    """Write two equal variants, whose shares change while everything becomes slower."""
    filling, number = Filling(), 0
    draw = random.Random(2)
    for epoch, (control, new), latency in (
        (1, (1_800, 200), 1_000_000),
        (2, (300, 700), 3_000_000),
    ):
        for variant, count in (("control", control), ("new", new)):
            for _ in range(count):
                number += 1
                filling.call(
                    f"{number:05d}",
                    variant,
                    START + number * 1_000,
                    epoch=epoch,
                    latency=round(latency * draw.lognormvariate(0, 0.1)),
                    cost_nano_usd=latency // 1_000 + draw.randrange(100),
                )
    filling.write(engine)


def test_what_time_changed_is_no_difference_between_variants(lite: Engine) -> None:
    drifting(lite)
    known = facts({"control": 9_000, "new": 1_000}, {"control": 3_000, "new": 7_000})

    combined, first, second = of_experiment(lite, known).sections

    for section in (combined, first, second):
        ratio = value(section, "latency_ratio")
        assert ratio.estimate == pytest.approx(1, abs=0.03), section.epoch
        cost = value(section, "cost_mean_difference")
        assert abs(cost.estimate) < 0.05 * value(section, "cost_mean").estimate
        p50 = value(section, "latency_p50_difference")
        assert p50.low <= 0 <= p50.high
    assert any("shares of traffic changed" in one for one in combined.caveats)
    assert not any("shares of traffic changed" in one for one in first.caveats)


def test_epochs_with_the_same_shares_are_added_up_as_they_are(lite: Engine) -> None:
    filling = Filling()
    for number in range(400):
        filling.call(f"{number:03d}", ("control", "new")[number % 2], epoch=1 + number % 3 // 2)
    filling.write(lite)

    combined, *_ = of_experiment(lite, facts(EVEN, EVEN)).sections

    assert value(combined, "cost_mean").method is Method.T
    assert not any("shares of traffic changed" in one for one in combined.caveats)


@pytest.mark.parametrize("has_keys", [False, True])
def test_shares_that_are_not_those_of_the_weights_are_told(lite: Engine, has_keys: bool) -> None:
    filling = Filling()
    for number in range(2_000):
        variant = "new" if number % 10 < 4 else "control"
        filling.call(f"{number:04d}", variant, key_hash=f"{number + 1:016x}" if has_keys else "")
    filling.write(lite)

    section = of_experiment(lite).sections[0]

    assert value(section, "sample_ratio_p").estimate < 0.001
    assert value(section, "traffic_share").estimate == pytest.approx(0.4)
    assert any("did not get the shares" in one for one in section.caveats)


def test_a_key_counts_once_in_a_run_however_often_and_in_however_many_epochs(lite: Engine) -> None:
    filling = Filling()
    for number in range(4_000):
        key = number % 100
        variant = "new" if key < 55 else "control"
        filling.call(
            f"{number:04d}",
            variant,
            START + number,
            epoch=1 + number // 2_000,
            key_hash=f"{key + 1:016x}",
        )
    filling.write(lite)

    combined, first, second = of_experiment(lite, facts(EVEN, EVEN)).sections

    for section in (combined, first, second):
        share = value(section, "traffic_share")
        assert (share.estimate, share.n) == (0.55, 100)


def test_calls_that_are_not_compared_are_left_out_and_told(lite: Engine) -> None:
    filling = Filling()
    for number in range(100):
        filling.call(f"n{number}", ("control", "new")[number % 2])
        filling.call(f"p{number}", "control", epoch=0)
    for number in range(30):
        filling.call(f"o{number}", "new", epoch=0, overridden=True, assignment="OVERRIDDEN")
    filling.write(lite)

    section = of_experiment(lite).sections[0]

    assert value(section, "requests").estimate == value(section, "requests_baseline").estimate == 50
    assert any(one.startswith("30 calls brought weights") for one in section.caveats)
    assert any(one.startswith("100 calls came while nothing") for one in section.caveats)


def test_a_call_is_one_whatever_its_attempts(lite: Engine) -> None:
    filling = Filling()
    for number in range(100):
        start, variant = START + number * 10_000_000, ("control", "new")[number % 2]
        if variant == "control":
            filling.call(f"{number:03d}", variant, start)
            continue
        failed = {"reason": "UPSTREAM_UNAVAILABLE", "latency": 500_000, "cost_nano_usd": 0}
        filling.call(f"{number:03d}", variant, start, **failed)
        filling.call(f"{number:03d}", variant, start + 600_000, attempt=2)
    filling.write(lite)

    section = of_experiment(lite).sections[0]

    assert value(section, "requests").estimate == value(section, "answered").estimate == 50
    assert value(section, "latency_p50").estimate == pytest.approx(1.6)
    assert value(section, "latency_p50_baseline").estimate == pytest.approx(1.0)
    assert value(section, "error_rate").estimate == 0
    assert value(section, "retried").estimate == 50
    assert any("50 of 100 calls took more than one attempt" in one for one in section.caveats)


def test_who_gives_up_is_no_error_and_who_waits_too_long_is_told(lite: Engine) -> None:
    filling = Filling()
    ends = ["CANCELLED"] * 20 + ["DEADLINE_EXCEEDED"] * 10 + [""] * 70
    for number, reason in enumerate(ends * 2):
        filling.call(f"{number:03d}", ("control", "new")[number // 100], reason=reason)
    filling.write(lite)

    section = of_experiment(lite).sections[0]

    assert value(section, "gave_up").estimate == 20
    assert value(section, "error_rate").estimate == value(section, "timeout_rate").estimate == 0.125
    assert value(section, "latency_p50").n == 70


def test_a_key_that_sends_most_is_told(lite: Engine) -> None:
    filling = Filling()
    for number in range(2_000):
        key = 1 if number % 2 else number + 2
        filling.call(f"{number:04d}", ("control", "new")[key % 2], key_hash=f"{key:016x}")
    filling.write(lite)

    section = of_experiment(lite).sections[0]

    assert any("1 sticky key sends 50% of the calls" in one for one in section.caveats)


def test_broken_down_each_value_has_its_own_section(engine: Engine) -> None:
    filling = Filling()
    for number in range(80):
        filling.call(
            f"{number:02d}",
            ("control", "new")[number % 2],
            caller=f"team-{number % 4 // 2}",
            metadata={"tier": "gold"} if number < 20 else {},
        )
    filling.write(engine)

    def parts(group_by: str) -> dict[str, float]:
        sections: tuple[Section, ...] = of_experiment(engine, group_by=group_by).sections
        return {one.group: value(one, "requests").estimate for one in sections}

    assert parts("caller") == {"team-0": 20, "team-1": 20}
    assert parts("metadata.tier") == {"": 30, "gold": 10}
    assert parts("metadata.none") == {"": 40}
    assert parts("variant") == {"": 40}


def test_feedback_is_told_by_variant(engine: Engine) -> None:
    filling = Filling()
    for number in range(400):
        half, arm = divmod(number, 2)
        variant, key = ("control", "new")[arm], f"{number // 4 + 1:016x}"
        filling.call(f"{number:03d}", variant, key_hash=key)
        filling.say(f"{number:03d}", "Helpful?", half % 10 < (5, 8)[arm], variant, key)
        filling.say(f"{number:03d}", "score", 3.0 + arm + half % 7 / 10, variant, key)
    filling.write(engine)

    section = of_experiment(engine).sections[0]

    helpful = value(section, "feedback_helpful_rate_difference")
    assert helpful.estimate == pytest.approx(0.3)
    assert helpful.low > 0.1
    score = value(section, "feedback_score_mean_difference")
    assert score.estimate == pytest.approx(1)
    assert score.method is Method.JACKKNIFE
    assert value(section, "feedback_score_mean_baseline").estimate == pytest.approx(3.3, abs=0.01)


@pytest.mark.parametrize(
    ("parent", "group_by", "field"),
    [
        ("", "", "parent"),
        ("experiments/", "", "parent"),
        ("silentModels/", "", "parent"),
        ("models/gpt-4", "", "parent"),
        ("silentModels/gpt-4", "model", "group_by"),
        ("silentModels/gpt-4", "metadata.", "group_by"),
        ("experiments/other", "", "parent"),
    ],
)
def test_what_cannot_be_asked_names_its_field(
    lite: Engine, parent: str, group_by: str, field: str
) -> None:
    with pytest.raises(RequestError) as refused:
        report(lite, parent, facts(EVEN), group_by=group_by)

    assert refused.value.field == field
    if parent == "experiments/other":
        assert refused.value.reason is Reason.EXPERIMENT_NOT_FOUND


def test_a_window_ends_after_it_begins(lite: Engine) -> None:
    with pytest.raises(RequestError) as refused:
        report(lite, "silentModels/x", start=START, end=START)

    assert refused.value.field == "end_time"
