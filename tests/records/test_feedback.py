"""What is said of answers is kept once, joined to its call, and gone with it."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from msgspec import structs
from sqlalchemy import func, select

from understudy.server.config.settings import RetentionSettings
from understudy.server.domain.experiments import Assigned, AssignmentReason
from understudy.server.domain.feedback import Feedback
from understudy.server.domain.record_queries import Operator, Query, Term
from understudy.server.errors import Reason, RequestError, UnderstudyError
from understudy.server.events import CallEnded, CallStarted, VariantChosen
from understudy.server.records import Records, open_records
from understudy.server.records.joining import join_feedback
from understudy.server.records.schema import feedback

from ..stub.eventually import eventually_sync
from .stores import Store
from .telling import answered, attempt, new_pair_id, paired, request

DAY = 86400.0


def said(pair_id: str, value: float | bool | str = True, **others: str) -> Feedback:
    """An opinion without an id."""
    return Feedback(
        others.get("id", ""),
        pair_id,
        others.get("metric", "helpful"),
        value,
        others.get("silent_model", ""),
        others.get("actor", "alice"),
    )


def record(records: Records, start: float | None = None) -> str:
    """Have a pair in the store."""
    pair_id = new_pair_id()
    for event in paired(pair_id, start=start):
        records.recorder.note(event)
    eventually_sync(lambda: not records.recorder.figures.waiting)
    return pair_id


def assigned(records: Records, variant: str, epoch: int = 1, key: str = "k1") -> str:
    """Have a call of an experiment in the store."""
    pair_id, now = new_pair_id(), time.monotonic()
    records.recorder.note(CallStarted(pair_id, now, request(), 7))
    chosen = Assigned("exp", variant, AssignmentReason.STICKY, epoch, key)
    records.recorder.note(VariantChosen(pair_id, now, variant, chosen))
    for event in attempt(pair_id, 1, now, now + 0.1):
        records.recorder.note(event)
    records.recorder.note(CallEnded(pair_id, now + 0.1, None, 1))
    eventually_sync(lambda: not records.recorder.figures.waiting)
    return pair_id


def rows(store: Store) -> list[dict[str, object]]:
    with store.engine() as engine, engine.connect() as connection:
        found = connection.execute(select(feedback).order_by(feedback.c.create_time))
        return [dict(row) for row in found.mappings()]


@pytest.mark.parametrize("value", [True, False, 0.25, 0.0, "good & 'short' — 好"])
def test_what_is_said_comes_back_as_it_was_said(store: Store, value: float | bool | str) -> None:
    with store.open() as records:
        pair_id = record(records)
        records.feedback.keep(said(pair_id, value))
        pair = records.reader.get_pair(pair_id, with_texts=True)

    assert pair is not None
    (kept,) = pair.primary[-1].feedback
    assert (kept.value, type(kept.value)) == (value, type(value))
    assert (kept.metric, kept.actor, kept.silent_model) == ("helpful", "alice", "")
    assert kept.created > 0
    assert pair.silents[0].kept is not None
    assert pair.silents[0].kept.feedback == ()


def test_a_silent_answer_is_judged_by_itself(store: Store) -> None:
    with store.open() as records:
        pair_id = record(records)
        records.feedback.keep(said(pair_id, 3.5, silent_model="gpt-4"))
        pair = records.reader.get_pair(pair_id, with_texts=False)
        found = records.reader.list_records(
            Query(Term("has_feedback", Operator.EQUAL, True)), with_texts=False
        )
        pairs = records.reader.list_pairs(
            Query(Term("has_feedback", Operator.EQUAL, True)), with_texts=False
        )

    assert pair is not None
    assert pair.silents[0].kept is not None
    assert [one.value for one in pair.silents[0].kept.feedback] == [3.5]
    assert pair.primary[0].feedback == ()
    assert [one.record.role for one, _ in found.items] == ["SILENT"]
    assert [one.pair_id for one, _ in pairs.items] == [pair_id]


def test_the_same_twice_is_kept_and_told_once(store: Store) -> None:
    told: list[Feedback] = []
    records = open_records(store.settings(), store.folder, told.append)
    try:
        pair_id = record(records)
        opinion = said(pair_id, 1.0, id="mine")
        first = records.feedback.keep(opinion)
        second = records.feedback.keep(said(pair_id, 1.0, id="mine", actor="bob"))
    finally:
        records.close()

    assert first == second == "mine"
    assert len(rows(store)) == 1
    assert [(one.id, one.value, one.actor) for one in told] == [("mine", 1.0, "alice")]
    assert told[0].created > 0


@pytest.mark.parametrize(
    "other",
    [
        {"value": False},
        {"value": 1.0},  # not the same as yes
        {"value": "yes"},
        {"metric": "funny"},
        {"silent_model": "gpt-4"},
    ],
)
def test_an_id_of_another_opinion_is_refused(store: Store, other: dict[str, object]) -> None:
    with store.open() as records:
        pair_id = record(records)
        records.feedback.keep(said(pair_id, id="mine"))
        with pytest.raises(UnderstudyError, match="give each its own") as raised:
            records.feedback.keep(structs.replace(said(pair_id, id="mine"), **other))
        with pytest.raises(UnderstudyError, match="give each its own"):
            records.feedback.keep(said(record(records), id="mine"))

    assert raised.value.reason is Reason.FEEDBACK_EXISTS
    assert [one["number"] for one in rows(store)] == [1.0]


def test_twenty_at_once_are_one(store: Store) -> None:
    told: list[Feedback] = []
    records = open_records(store.settings(), store.folder, told.append)
    try:
        pair_id = record(records)
        with ThreadPoolExecutor(20) as threads:
            opinions = [said(pair_id, 1.0, id="mine")] * 20
            names = list(threads.map(records.feedback.keep, opinions))
            own = list(threads.map(records.feedback.keep, [said(pair_id)] * 20))
    finally:
        records.close()

    assert set(names) == {"mine"}
    assert len(set(own)) == 20
    assert len(rows(store)) == len(told) == 21


def test_a_pair_that_is_none_is_not_found(store: Store) -> None:
    old = f"{int(time.time() * 1000) - 2 * 3_600_000:012x}{'0' * 20}"
    with store.open() as records:
        for pair_id in ("none", "f" * 32, "0" * 32, old):
            with pytest.raises(RequestError) as raised:
                records.feedback.keep(said(pair_id))
            assert raised.value.reason is Reason.PAIR_NOT_FOUND

    assert rows(store) == []


def test_what_is_said_before_its_call_is_written_is_joined_to_it(store: Store) -> None:
    with store.open() as records:
        pair_id = new_pair_id()
        records.feedback.keep(said(pair_id, silent_model="gpt-4"))
        records.feedback.keep(said(pair_id))
        before = rows(store)
        for event in paired(pair_id):
            records.recorder.note(event)
        eventually_sync(lambda: not records.recorder.figures.waiting)
        with store.engine() as engine:
            join_feedback(engine, time.time_ns() // 1000)  # or the recorder has, just before
            again = join_feedback(engine, time.time_ns() // 1000)
        pair = records.reader.get_pair(pair_id, with_texts=False)

    assert [one["experiment"] for one in before] == [None, None]
    assert again == 0
    assert [one["experiment"] for one in rows(store)] == ["", ""]
    assert pair is not None
    assert len(pair.primary[0].feedback) == 1
    assert {one["start_time"] for one in rows(store)} == {pair.primary[0].record.started}


def test_closing_joins_what_is_left(store: Store) -> None:
    with store.open() as records:
        pair_id = new_pair_id()
        records.feedback.keep(said(pair_id))
        for event in paired(pair_id):
            records.recorder.note(event)

    assert [one["experiment"] for one in rows(store)] == [""]


def test_a_silent_model_that_was_not_asked_has_no_answer_to_judge(store: Store) -> None:
    with store.open() as records:
        pair_id = record(records)
        alone, sampled_out = new_pair_id(), new_pair_id()
        for event in answered(alone, start=time.monotonic() - 60):
            records.recorder.note(event)
        for event in answered(sampled_out, refused={"gpt-4": "SAMPLED_OUT"}):
            records.recorder.note(event)
        eventually_sync(lambda: not records.recorder.figures.waiting)
        for where, model, told in (
            (pair_id, "llama-2", "but to 'gpt-4'"),
            (alone, "gpt-4", "leave silent_model out"),
            (sampled_out, "gpt-4", "SAMPLED_OUT"),
        ):
            with pytest.raises(RequestError, match=told) as raised:
                records.feedback.keep(said(where, silent_model=model))
            assert (raised.value.field, raised.value.reason) == (
                "silent_model",
                Reason.INVALID_REQUEST,
            )

    assert rows(store) == []


def test_what_turns_out_to_be_about_no_answer_is_not_counted(store: Store) -> None:
    with store.open() as records:
        pair_id = new_pair_id()
        records.feedback.keep(said(pair_id, silent_model="llama-2"))
        for event in paired(pair_id, start=time.monotonic() - 60):
            records.recorder.note(event)

    assert [one["experiment"] for one in rows(store)] == [None]


def test_opinions_are_counted_by_variant(store: Store) -> None:
    with store.open() as records:
        a, b, idle = assigned(records, "a"), assigned(records, "b", 2), assigned(records, "a", 0)
        records.feedback.keep(said(a, True))
        records.feedback.keep(said(a, False))
        records.feedback.keep(said(a, True))
        records.feedback.keep(said(a, "fine", metric="note"))
        records.feedback.keep(said(b, 2.0, metric="stars"))
        records.feedback.keep(said(b, 4.0, metric="stars"))
        records.feedback.keep(said(idle, True))
        tallies = records.feedback.by_variant("exp")
        none = records.feedback.by_variant("exp", end=0)

    found = [
        (one.variant, one.epoch, one.metric, one.kind, one.count, one.total, one.squares)
        for one in tallies
    ]
    assert found == [
        ("a", 1, "helpful", "BOOLEAN", 3, 2.0, 2.0),
        ("a", 1, "note", "TEXT", 1, 0.0, 0.0),
        ("b", 2, "stars", "NUMBER", 2, 6.0, 20.0),
    ]
    assert none == ()
    assert {(one["key_hash"], one["actor"]) for one in rows(store)} == {("k1", "alice")}


def test_feedback_goes_with_its_pair(store: Store) -> None:
    settings = store.settings(retention=RetentionSettings(metadata=DAY, content=DAY))
    forever = store.settings(retention=RetentionSettings(metadata=100 * DAY, content=100 * DAY))
    with store.open(forever) as records:
        old = record(records, start=time.monotonic() - 2 * DAY)
        new = record(records)
        records.feedback.keep(said(old))
        records.feedback.keep(said(new))
    with store.open(settings) as records:
        eventually_sync(lambda: records.reader.get_pair(old, with_texts=False) is None, within=5)
        eventually_sync(lambda: len(rows(store)) == 1, within=5)

    assert [one["pair_id"] for one in rows(store)] == [new]


def test_only_so_many_opinions_are_shown(store: Store) -> None:
    with store.open() as records:
        pair_id = record(records)
        with store.engine() as engine, engine.begin() as connection:
            connection.execute(
                feedback.insert(),
                [
                    {"id": str(one), "pair_id": pair_id, "silent_model": "", "metric": "m"}
                    | {"kind": "NUMBER", "number": one, "actor": "", "create_time": one}
                    | {"start_time": time.time_ns() // 1000}
                    for one in range(150)
                ],
            )
            count = connection.scalar(select(func.count()).select_from(feedback))
        pair = records.reader.get_pair(pair_id, with_texts=False)

    assert count == 150
    assert pair is not None
    assert [one.value for one in pair.primary[0].feedback] == list(map(float, range(100)))
