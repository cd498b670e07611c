"""What late, early and missing events become; instants and fractions are those told."""

import pytest

from understudy.server.domain.chat import Message
from understudy.server.domain.completion import Choice, Completion
from understudy.server.domain.mirroring import Outcome
from understudy.server.domain.records import TextState
from understudy.server.domain.request import SplitMode, Target
from understudy.server.events import CallEvent
from understudy.server.records.batch import Batch
from understudy.server.records.fold import LONGEST_TEXT, Capture, Fold

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
