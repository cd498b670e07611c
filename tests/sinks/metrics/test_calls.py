"""What is told of calls is counted, by labels that nobody but the operator can multiply."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.server.domain.deployment import Snapshot
from understudy.server.domain.experiments import Experiment, Variant
from understudy.server.domain.feedback import Feedback
from understudy.server.domain.mirroring import Outcome
from understudy.server.domain.records import Role
from understudy.server.domain.tellings import Asked, CopyEnded
from understudy.server.sinks.metrics import CallMetrics, Reading
from understudy.server.sinks.metrics.calls import MOST_SETS
from understudy.server.sinks.metrics.vocabulary import MOST, OTHER, clean

from ...routing.making import deployment, snapshot
from .telling import answered, call, exposed, total

KNOWN = replace(
    snapshot(
        deployment("d", group="g"), deployment("e", group="g"), deployment("s", group="silent")
    ),
    experiments={
        "x": Experiment(
            id="x", control="a", variants=(Variant("a", "g", 5_000), Variant("b", "silent", 5_000))
        )
    },
)


def metrics(known: Snapshot = KNOWN) -> CallMetrics:
    return CallMetrics(lambda: known)


def count(reading: Reading) -> int:
    return len(reading.samples) + len(reading.spreads)


def test_calls_are_counted_by_group_deployment_variant_and_role() -> None:
    told = metrics()

    told.tell([call(), call(experiment="x", variant="a", first_token=30_000)])
    told.tell([call(group="silent", deployment="s", role=Role.SILENT, cost=None, usage=None)])
    told.tell(
        [call(deployment="e", role=Role.RETRY, reason="UPSTREAM_RATE_LIMITED", latency=10_000)]
    )

    found = exposed(told.reading)
    calls = "understudy_upstream_calls_total"
    assert total(found, calls) == 4
    assert total(found, calls, experiment="x", variant="a") == 1
    assert total(found, calls, group="silent", deployment="s", role="SILENT") == 1
    errors = "understudy_upstream_call_errors_total"
    assert total(found, errors) == total(found, errors, reason="UPSTREAM_RATE_LIMITED") == 1
    assert total(found, "understudy_tokens_total", type="input") == 30
    assert total(found, "understudy_tokens_total", type="output") == 15
    assert total(found, "understudy_cached_input_tokens_total") == 12
    assert total(found, "understudy_unmetered_calls_total") == 1
    assert total(found, "understudy_cost_usd_total") == pytest.approx(4.5e-6, rel=1e-12)
    assert total(found, "understudy_unpriced_calls_total", role="SILENT") == 1
    duration = "understudy_upstream_call_duration_seconds"
    assert total(found, f"{duration}_count") == 4
    assert total(found, f"{duration}_sum") == pytest.approx(0.46)
    # A bound belongs to what is below it.
    assert total(found, f"{duration}_bucket", le="0.01") == 1
    assert total(found, "understudy_upstream_call_time_to_first_token_seconds_count") == 1


def test_requests_and_opinions_are_counted_once_however_many_calls_they_took() -> None:
    told = metrics()

    told.tell([call(), call(role=Role.RETRY), answered(2.0, first_token=100_000)])
    told.tell([answered(reason="UPSTREAM_UNAVAILABLE"), Feedback("f", "p", "thumbs", True)])
    told.tell([CopyEnded(pair_id="p", silent_model="silent", outcome=Outcome.PAIRED)])

    found = exposed(told.reading)
    assert total(found, "understudy_requests_total", group="g") == 2
    assert total(found, "understudy_request_errors_total", reason="UPSTREAM_UNAVAILABLE") == 1
    assert total(found, "understudy_request_duration_seconds_sum") == pytest.approx(2.2)
    assert total(found, "understudy_request_time_to_first_token_seconds_count") == 1
    assert total(found, "understudy_feedback_total") == 1


def test_a_hundred_thousand_users_and_models_grow_no_series() -> None:
    """L-8."""
    told = metrics()
    told.tell([call(), answered(), call(group="a-0", deployment="b", experiment="c", variant="d")])
    told.tell([answered(group="a-0", experiment="c", variant="d")])
    before = count(told.reading)

    for number in range(100_000):
        asked = Asked(
            pair_id=f"p{number}", caller=f"c{number}", user=f"u{number}", labels={"l": f"{number}"}
        )
        name = f"m{number}"
        told.tell(
            [
                call(asked=asked, group=name, deployment=name, experiment=name, variant=name),
                answered(asked=asked, group=name, experiment=name, variant=name),
            ]
        )

    assert count(told.reading) == before
    found = exposed(told.reading)
    assert total(found, "understudy_requests_total", group=OTHER) == 100_001
    assert not [labels for _, labels in found if any("m7" in value for _, value in labels)]


def test_beyond_so_many_groups_and_sets_of_labels_the_rest_is_other() -> None:
    known = snapshot(*(deployment(f"d{at}", group=f"g{at}") for at in range(MOST + 50)))
    experiments = {
        f"x{at}": Experiment(
            id=f"x{at}", control="a", variants=tuple(Variant(f"v{n}", "g0", 0) for n in range(9))
        )
        for at in range(MOST)
    }
    told = metrics(replace(known, experiments=experiments))

    told.tell([answered(group=f"g{at}") for at in range(MOST + 50)])
    groups = total(exposed(told.reading), "understudy_requests_total", group=OTHER)
    told.tell(
        [
            answered(group=f"g{group}", experiment=f"x{group}", variant=f"v{variant}")
            for group in range(MOST)
            for variant in range(9)
        ]
    )

    assert groups == 51  # the empty name has a place too
    names = [name for name, _ in exposed(told.reading) if name == "understudy_requests_total"]
    assert len(names) <= MOST_SETS + 1
    assert total(exposed(told.reading), "understudy_requests_total") == MOST + 50 + 9 * MOST


def test_a_name_that_a_reload_has_removed_is_counted_on() -> None:
    known = [KNOWN]
    told = CallMetrics(lambda: known[0])
    told.tell([answered()])
    known[0] = snapshot(deployment("n", group="new"))

    told.tell([answered(), answered(group="new"), answered(group="silent")])

    found = exposed(told.reading)
    assert total(found, "understudy_requests_total", group="g") == 2
    assert total(found, "understudy_requests_total", group="new") == 1
    assert total(found, "understudy_requests_total", group=OTHER) == 1


def test_what_providers_and_clocks_get_wrong_takes_nothing_back() -> None:
    told = metrics()
    told.tell([call(), answered()])
    before = exposed(told.reading)

    told.tell([call(latency=-5, cost=-1), answered(-3.0)])

    after = exposed(told.reading)
    assert all(after[key] >= value for key, value in before.items())


@given(st.text(max_size=300))
def test_a_clean_name_is_short_and_has_nothing_that_a_format_minds(name: str) -> None:
    told = clean(name)

    assert len(told) <= 120
    assert told.isprintable()
    told.encode()
