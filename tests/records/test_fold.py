"""What late, early and missing events become; instants and fractions are those told."""

import pytest
from msgspec import structs

from understudy.server.capturing import Capture
from understudy.server.domain.chat import Message
from understudy.server.domain.completion import Choice, Completion
from understudy.server.domain.costs import (
    NOT_CHARGED,
    UNPRICED,
    Cost,
    CostReason,
    CostStatus,
)
from understudy.server.domain.mirroring import Outcome
from understudy.server.domain.records import TextState
from understudy.server.domain.request import SplitMode, Target
from understudy.server.errors import Reason
from understudy.server.events import AttemptEnded, CallEnded, CallEvent, SilentEnded
from understudy.server.records.batch import Batch
from understudy.server.records.fold import LONGEST_TEXT, Fold

from .telling import answered, attempt, request, silent_end


def fold(*events: CallEvent, capture: Capture = "content") -> Batch:
    batch, folding = Batch(), Fold(capture, offset=1000.0)
    for event in events:
        folding.take(event, batch)
    return batch


def test_instants_are_those_of_the_calendar() -> None:
    batch = fold(*answered("p", start=1.5, latency=0.25))

    (record,) = batch.records.values()
    assert (record.started, record.latency) == (1001_500_000, 250_000)


@pytest.mark.parametrize("place", [2, 3, 4, 5])
def test_an_end_finds_what_to_compare_with_whenever_it_comes(place: int) -> None:
    events = list(answered("p", start=1.0, latency=0.5, offered=("gpt-4",)))
    events.insert(place, silent_end("p", start=1.0, latency=2.0))

    (offer,) = fold(*events).offers.values()

    assert (offer.outcome, offer.latency_difference) == (Outcome.PAIRED, 1_500_000)
    assert (offer.caller, offer.model_group) == ("alice", "gpt-3.5-turbo")


SEVEN = Cost(7, CostStatus.EXACT, None, "list-1")
NINE = Cost(9, CostStatus.ESTIMATED, CostReason.NO_USAGE, "list-2")


def priced(event: CallEvent, cost: Cost) -> CallEvent:
    """Return the event with what its call cost."""
    if isinstance(event, AttemptEnded):
        return structs.replace(event, cost=cost)
    if isinstance(event, SilentEnded) and event.end.call is not None:
        call = structs.replace(event.end.call, cost=cost)
        return structs.replace(event, end=structs.replace(event.end, call=call))
    return event


def test_a_record_says_what_its_call_cost_and_how_that_is_known() -> None:
    events = [priced(one, SEVEN) for one in answered("p", offered=("gpt-4",))]
    batch = fold(*events, priced(silent_end("p"), NINE))

    first, second = batch.records.values()
    assert (first.cost, first.cost_status) == (7, CostStatus.EXACT)
    assert (first.cost_reason, first.price_version) == ("", "list-1")
    assert (second.cost, second.cost_status) == (9, CostStatus.ESTIMATED)
    assert (second.cost_reason, second.price_version) == ("NO_USAGE", "list-2")


@pytest.mark.parametrize(
    ("primary", "silent", "outcome", "difference"),
    [
        (SEVEN, NINE, Outcome.PAIRED, 2),
        (NINE, SEVEN, Outcome.PAIRED, -2),
        (SEVEN, UNPRICED, Outcome.PAIRED, None),
        (UNPRICED, NINE, Outcome.PAIRED, None),
        (SEVEN, NOT_CHARGED, Outcome.FAILED, None),
    ],
)
def test_costs_differ_where_both_are_known_and_both_answered(
    primary: Cost, silent: Cost, outcome: Outcome, difference: int | None
) -> None:
    events = [priced(one, primary) for one in answered("p", offered=("gpt-4",))]
    batch = fold(*events, priced(silent_end("p", outcome=outcome), silent))

    (offer,) = batch.offers.values()
    assert offer.cost_difference == difference


def test_what_serves_is_compared_and_not_what_failed_before() -> None:
    begin, *_ = answered("p", start=0.0)
    failed = attempt("p", 1, 0.0, 1.0, reason=Reason.UPSTREAM_OVERLOADED, status=503)
    served = attempt("p", 2, 1.0, 2.0)
    batch = fold(
        begin,
        *(priced(one, NOT_CHARGED) for one in failed),
        *(priced(one, SEVEN) for one in served),
        CallEnded("p", 2.0, None, 2),
        priced(silent_end("p", start=0.0), NINE),
    )

    assert [one.cost for one in batch.records.values()] == [0, 7, 9]
    (offer,) = batch.offers.values()
    assert offer.cost_difference == 2


def test_an_end_of_a_call_that_nobody_remembers_is_kept() -> None:
    batch = fold(silent_end("p", start=1.0))

    (offer,) = batch.offers.values()
    (record,) = batch.records.values()
    assert offer.outcome is Outcome.PAIRED
    assert offer.latency_difference is None
    assert record.text_state is TextState.DROPPED
    assert batch.texts == []


def test_an_attempt_whose_begin_is_missing_is_no_record() -> None:
    _, end = attempt("p", 1, 1.0, 2.0)

    assert len(fold(end)) == 0


def test_a_split_names_the_group_drawn_as_its_variant() -> None:
    target = Target(models={"gpt-4": 1.0, "llama": 0.0})
    batch = fold(*answered("p", of=request(target=target)))

    (record,) = batch.records.values()
    assert (record.variant, record.experiment, record.overridden) == ("gpt-4", "", False)


def test_an_override_is_told_apart() -> None:
    target = Target(models={"gpt-4": 1.0}, experiment="e", mode=SplitMode.OVERRIDE)
    batch = fold(*answered("p", of=request(target=target)))

    (record,) = batch.records.values()
    assert (record.variant, record.experiment, record.overridden) == ("gpt-4", "e", True)


def test_a_prompt_is_kept_once_for_all_its_calls() -> None:
    batch = fold(*answered("p", start=1.0, offered=("gpt-4",)), silent_end("p", start=1.0))

    assert [one.part for one in batch.texts] == [
        "prompt",
        *(one for one in batch.records),
    ]


def test_a_text_that_is_too_long_is_not_kept() -> None:
    batch = fold(*answered("p", text="x" * LONGEST_TEXT))

    (record,) = batch.records.values()
    assert record.text_state is TextState.TOO_LONG
    assert [one.part for one in batch.texts] == ["prompt"]


def test_half_a_character_does_no_harm() -> None:
    broken = Completion(
        (Choice(0, Message("assistant", content="a\ud800"), "stop\0"),), model="\ud800"
    )
    begun, *_ = answered("p")
    batch = fold(begun, *attempt("p", 1, 1.0, 2.0, completion=broken))

    (record,) = batch.records.values()
    assert record.text_state is TextState.DROPPED
    assert (record.served_model, record.finish_reason) == ("?", "stop\N{REPLACEMENT CHARACTER}")
