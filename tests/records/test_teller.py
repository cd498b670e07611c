"""What sinks are told is what the store keeps, and of prompts no more than is still to be told."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from understudy.server.capturing import Pattern, Redactor
from understudy.server.domain.mirroring import Outcome
from understudy.server.domain.records import Role
from understudy.server.domain.request import TraceContext
from understudy.server.domain.tellings import Answered, CopyEnded, Generation, Telling
from understudy.server.errors import Reason
from understudy.server.events import CallEnded, CallEvent, CallStarted, Mirrored
from understudy.server.records.batch import Batch
from understudy.server.records.fold import Fold
from understudy.server.records.teller import Teller

from .telling import answered, attempt, paired, request, silent_end


def tell(
    *events: CallEvent, teller: Teller | None = None, batch: Batch | None = None
) -> tuple[Telling, ...]:
    """What is told of these events."""
    teller = teller or Teller(Redactor())
    fold = Fold("metadata", offset=1000.0, teller=teller)
    batch = Batch() if batch is None else batch
    for event in events:
        fold.take(event, batch)
    return teller.drain()


def generations(tellings: tuple[Telling, ...]) -> list[Generation]:
    return [one for one in tellings if isinstance(one, Generation)]


def test_a_call_and_its_copy_are_told_with_their_words() -> None:
    asked = structs.replace(
        request("how are you?", metadata={"team": "blue"}),
        user="bob",
        trace=TraceContext("a" * 32, "b" * 16),
    )
    teller = Teller(Redactor())

    begun, *rest = answered("p", start=1.0, of=asked, offered=("gpt-4",))
    primary, answer, silent, copy = tell(begun, *rest, silent_end("p", start=1.0), teller=teller)

    assert isinstance(primary, Generation)
    assert isinstance(silent, Generation)
    assert isinstance(answer, Answered)
    assert primary.asked is silent.asked is answer.asked
    assert primary.asked.trace == TraceContext("a" * 32, "b" * 16)
    assert (primary.asked.user, primary.asked.labels) == ("bob", {"team": "blue"})
    assert primary.asked.chat is not None
    assert primary.asked.chat.messages == ()
    assert primary.messages == silent.messages == asked.chat.messages
    assert primary.choices is not None
    assert silent.choices is not None
    assert [one.choices[0].message.content for one in (primary, silent) if one.choices] == [
        "hello",
        "good day",
    ]
    assert (answer.started, answer.ended, answer.reason) == (1001_000_000, 1001_500_000, "")
    assert (answer.group, answer.attempts) == ("gpt-3.5-turbo", 1)
    assert copy == CopyEnded(pair_id="p", silent_model="gpt-4", outcome=Outcome.PAIRED)
    assert teller.held == 0


def test_rows_and_tellings_are_the_same_records() -> None:
    batch = Batch()

    told = tell(*paired("p", start=1.0), *paired("q", start=2.0), batch=batch)

    assert [one.record for one in generations(told)] == list(batch.records.values())


def test_a_prompt_that_may_be_kept_nowhere_is_told_to_nobody() -> None:
    told = tell(*answered("p", start=1.0, of=request("canary", may_mirror=False), text="canary"))

    (one,) = generations(told)
    assert (one.messages, one.choices, one.asked.chat) == (None, None, None)
    assert one.record.usage is not None
    assert "canary" not in repr(told)


def test_without_a_sink_that_wants_words_none_are_held() -> None:
    teller = Teller(Redactor(), with_words=False)

    told = tell(*answered("p", start=1.0, of=request("canary"), text="canary"), teller=teller)

    assert "canary" not in repr(told)
    assert len(told) == 2


def test_failures_fallbacks_and_refusals_are_told() -> None:
    events = [
        CallStarted("p", 1.0, request(), 7),
        *attempt("p", 1, 1.0, 2.0, reason=Reason.UPSTREAM_INTERNAL_ERROR, status=500),
        *attempt("p", 2, 2.0, 3.0, group="other", first=2.25),
        CallEnded("p", 3.0, None, 2),
        CallStarted("q", 4.0, request(), 7),
        CallEnded("q", 4.0, Reason.MODEL_NOT_FOUND, 0, "the canary is not told"),
    ]

    failed, second, served, refused = tell(*events)

    assert isinstance(failed, Generation)
    assert failed.message == "UPSTREAM_INTERNAL_ERROR (HTTP 500)"
    assert isinstance(second, Generation)
    assert second.record.role is Role.FALLBACK
    assert isinstance(served, Answered)
    assert (served.group, served.first_token, served.attempts) == ("other", 1_250_000, 2)
    assert isinstance(refused, Answered)
    assert (refused.reason, refused.group, refused.first_token) == ("MODEL_NOT_FOUND", "", None)
    assert "canary" not in repr(refused)


def test_who_was_not_offered_a_prompt_is_told_with_the_reason() -> None:
    told = tell(*answered("p", start=1.0, refused={"gpt-4": "SAMPLED_OUT"}))

    assert told[0] == CopyEnded(
        pair_id="p", silent_model="gpt-4", outcome=None, reason="SAMPLED_OUT"
    )


def test_labels_are_redacted_where_that_is_asked_for() -> None:
    labels = Redactor([Pattern("canary")])
    teller = Teller(labels)
    fold = Fold("metadata", 0.0, labels=labels, teller=teller)
    asked = structs.replace(
        request(metadata={"canary": "a canary"}), user="canary", request_id="canary"
    )
    batch = Batch()

    for event in answered("p", start=1.0, of=asked):
        fold.take(event, batch)

    assert "canary" not in repr(teller.drain())
    (record,) = batch.records.values()
    assert record.metadata == {"[redacted]": "a [redacted]"}
    assert record.request_id == "[redacted]"


def test_prompts_are_held_within_a_bound_and_the_oldest_go_first() -> None:
    teller = Teller(Redactor(), most_held=250)  # bytes; each prompt has 100
    fold = Fold("metadata", 0.0, teller=teller)
    for name in "abcd":
        for event in answered(name, start=1.0, offered=("gpt-4",)):
            fold.take(event, Batch())

    assert teller.held == 200
    teller.drain()
    for name in "abcd":
        fold.take(silent_end(name, start=1.0), Batch())

    held = {one.record.pair_id: one.messages is not None for one in generations(teller.drain())}
    assert held == {"a": False, "b": False, "c": True, "d": True}
    assert teller.held == 0


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 6))
def test_however_copies_end_each_is_told_once_and_no_prompt_is_left(
    random: Random, calls: int
) -> None:
    streams: list[list[CallEvent]] = []
    for number in range(calls):
        pair_id = f"p{number}"
        events = list(answered(pair_id, start=1.0, offered=("a", "b")))
        mirrored = next(n for n, one in enumerate(events) if isinstance(one, Mirrored))
        for silent in ("a", "b"):
            outcome = random.choice([Outcome.PAIRED, Outcome.SHED, Outcome.TIMED_OUT])
            place = random.randint(mirrored + 1, len(events))
            events.insert(place, silent_end(pair_id, silent, outcome, start=1.0))
        streams.append(events)
    merged: list[CallEvent] = []
    while streams:
        stream = random.choice(streams)
        merged.append(stream.pop(0))
        streams = [one for one in streams if one]
    teller, batch = Teller(Redactor()), Batch()

    told = tell(*merged, teller=teller, batch=batch)

    ids = [one.record.id for one in generations(told)]
    assert sorted(ids) == sorted(batch.records)
    assert all(one.messages is not None for one in generations(told))
    ends = [(one.pair_id, one.silent_model) for one in told if isinstance(one, CopyEnded)]
    assert sorted(ends) == sorted(batch.offers)
    assert sum(isinstance(one, Answered) for one in told) == calls
    assert teller.held == 0


@pytest.mark.parametrize("lost", ["begin", "everything"])
def test_what_is_told_late_of_a_call_that_is_forgotten_has_no_words(lost: str) -> None:
    events = list(answered("p", start=1.0, offered=("gpt-4",)))[1:] if lost == "begin" else []

    told = tell(*events, silent_end("p", start=1.0))

    (silent,) = generations(told)
    assert (silent.messages, silent.choices) == (None, None)
    assert silent.asked.pair_id == "p"
