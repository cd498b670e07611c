"""What the journal is told ends up in the store, whichever database it is."""

from msgspec import structs

from understudy.server.domain.completion import Completion, Usage
from understudy.server.domain.costs import Cost, CostReason, CostStatus
from understudy.server.domain.mirroring import Outcome
from understudy.server.domain.record_queries import Query
from understudy.server.domain.records import Role, TextState
from understudy.server.errors import Reason
from understudy.server.events import AttemptEnded, CallEnded, CallStarted

from ..stub.eventually import eventually_sync
from .stores import Store
from .telling import answered, attempt, new_pair_id, paired, request, silent_end


def test_an_answered_call_is_a_record(store: Store) -> None:
    pair_id = new_pair_id()
    with store.open() as records:
        for event in answered(pair_id, of=request(metadata={"team": "a\0b"})):
            records.recorder.note(event)
        eventually_sync(lambda: records.recorder.figures.written)

        pair = records.reader.get_pair(pair_id, with_texts=True)

    assert pair is not None
    (kept,) = pair.primary
    record = kept.record
    assert record.role is Role.PRIMARY
    assert (record.request_id, record.caller, record.revision) == ("request-1", "alice", 7)
    assert record.metadata == {"team": "a\N{REPLACEMENT CHARACTER}b"}
    assert (record.latency, record.first_token) == (500_000, None)
    assert record.usage is not None
    assert record.usage.total_tokens == 5
    assert (record.served_model, record.finish_reason) == ("served-1", "stop")
    assert record.cost is None
    assert record.text_state is TextState.NOT_CAPTURED
    assert kept.texts.messages is None


def test_what_a_call_cost_is_read_as_it_was_written(store: Store) -> None:
    pair_id = new_pair_id()
    cost = Cost(1_234, CostStatus.ESTIMATED, CostReason.TIMED, "list-1")
    with store.open() as records:
        for event in answered(pair_id):
            if isinstance(event, AttemptEnded):
                event = structs.replace(event, cost=cost)
            records.recorder.note(event)
        eventually_sync(lambda: records.recorder.figures.written)
        pair = records.reader.get_pair(pair_id, with_texts=False)

    assert pair is not None
    record = pair.primary[0].record
    assert (record.cost, record.cost_status) == (1_234, CostStatus.ESTIMATED)
    assert (record.cost_reason, record.price_version) == ("TIMED", "list-1")


def test_a_pair_has_both_sides_and_their_difference(store: Store) -> None:
    pair_id = new_pair_id()
    with store.open(store.settings(capture="content")) as records:
        for event in paired(pair_id):
            records.recorder.note(event)
        eventually_sync(lambda: records.reader.count_outcomes())
        found = records.reader.list_pairs(Query(order="latency_difference"), with_texts=True)

    ((pair, place),) = found.items
    assert place.value == 1_000_000
    (side,) = pair.silents
    assert side.outcome is Outcome.PAIRED
    assert side.fraction == 0.5
    assert side.comparison is not None
    assert side.comparison.similarity == 0.25
    assert side.comparison.both_json is None
    assert side.kept is not None
    assert side.kept.record.role is Role.SILENT
    assert side.kept.texts.choices is not None
    assert side.kept.texts.choices[0].message.content == "good day"
    assert pair.primary[0].texts.messages is not None
    assert pair.primary[0].texts.messages[0].content == "hi"


def test_the_ledger_balances_after_a_close(store: Store) -> None:
    ends = (Outcome.PAIRED, Outcome.FAILED, Outcome.TIMED_OUT, Outcome.SHED, Outcome.CANCELLED)
    with store.open() as records:
        for outcome in ends:
            pair_id = new_pair_id()
            for event in answered(pair_id, offered=("gpt-4",)):
                records.recorder.note(event)
            records.recorder.note(silent_end(pair_id, outcome=outcome))
        for event in answered(new_pair_id(), offered=("gpt-4",), refused={"llama": "SAMPLED_OUT"}):
            records.recorder.note(event)
    with store.open() as records:
        counts = records.reader.count_outcomes()
        refused = records.reader.count_not_mirrored()

    assert counts == {"gpt-4": {**{one.value: 1 for one in ends}, "LOST": 1}}
    assert refused == {"llama": {"SAMPLED_OUT": 1}}


def test_each_attempt_says_why_it_was_made(store: Store) -> None:
    pair_id = new_pair_id()
    failed = {"reason": Reason.UPSTREAM_OVERLOADED, "status": 503}
    with store.open() as records:
        records.recorder.note(CallStarted(pair_id, 1.0, request(stream=True), 1))
        for event in (
            *attempt(pair_id, 1, 1.0, 1.1, reason=Reason.UPSTREAM_OVERLOADED, status=503),
            *attempt(pair_id, 2, 1.2, 1.3, reason=Reason.UPSTREAM_OVERLOADED, status=503),
            *attempt(pair_id, 3, 1.4, 2.0, group="gpt-4", first=1.5),
        ):
            records.recorder.note(event)
        records.recorder.note(CallEnded(pair_id, 2.0, None, 3))
        eventually_sync(lambda: records.recorder.figures.written == 3)
        pair = records.reader.get_pair(pair_id, with_texts=False)

    assert pair is not None
    assert [one.record.role for one in pair.primary] == [Role.PRIMARY, Role.RETRY, Role.FALLBACK]
    assert [one.record.reason for one in pair.primary] == [failed["reason"], failed["reason"], ""]
    assert pair.primary[2].record.first_token == 100_000
    assert pair.primary[2].record.streamed


def test_a_call_that_asked_no_model_leaves_no_record(store: Store) -> None:
    pair_id = new_pair_id()
    with store.open() as records:
        records.recorder.note(CallStarted(pair_id, 1.0, request(), 1))
        records.recorder.note(CallEnded(pair_id, 1.1, Reason.MODEL_NOT_FOUND, 0))
    with store.open() as records:
        assert records.reader.get_pair(pair_id, with_texts=False) is None


def test_pauses_outlive_the_process(store: Store) -> None:
    with store.open() as records:
        records.switches.pause("gpt-4", "alice", "too dear")
        records.switches.pause("gpt-4", "bob", "still too dear")
        records.switches.pause("", "bob", "all")
        records.switches.resume("")
    with store.open() as records:
        (pause,) = records.switches.load()

    assert (pause.silent_model, pause.actor, pause.cause) == ("gpt-4", "bob", "still too dear")


def test_a_row_that_no_store_takes_does_not_keep_the_others_out(store: Store) -> None:
    huge = Completion((), usage=Usage(10**30, 1, 1))
    with store.open() as records:
        for event in (*answered("good-1"), *answered("bad"), *answered("good-2")):
            is_bad = isinstance(event, AttemptEnded) and event.pair_id == "bad"
            records.recorder.note(structs.replace(event, completion=huge) if is_bad else event)
        eventually_sync(lambda: records.recorder.figures.dropped == 1)
        found = records.reader.list_records(Query(), with_texts=False)

        assert {one.record.pair_id for one, _ in found.items} == {"good-1", "good-2"}
        assert records.recorder.figures.away == ""


def test_an_event_that_nobody_understands_is_counted(sqlite_store: Store) -> None:
    with sqlite_store.open() as records:
        records.recorder.note(CallStarted("p", 1.0, None, 1))  # type: ignore[arg-type]
        for event in answered(new_pair_id()):
            records.recorder.note(event)
        eventually_sync(lambda: records.recorder.figures.written == 1)

        assert records.recorder.figures.dropped == 1


def test_events_after_the_end_are_counted(sqlite_store: Store) -> None:
    with sqlite_store.open() as records:
        pass
    for event in answered(new_pair_id()):
        records.recorder.note(event)

    assert records.recorder.figures.dropped == 4
