"""Reviewers get each pair once, in whatever order, and what they say of it is counted."""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from msgspec import structs
from sqlalchemy import Table, func, select

from understudy.server.config.settings import RetentionSettings
from understudy.server.domain.mirroring import Outcome
from understudy.server.domain.ratings import Rating, Side, Unrated, Verdict
from understudy.server.domain.record_queries import Operator, Query, Term
from understudy.server.domain.request import Target
from understudy.server.errors import Reason, RefusedError, RequestError
from understudy.server.records import Records
from understudy.server.records.ratings import Ratings
from understudy.server.records.schema import offers, ratings, texts

from ..stub.eventually import eventually_sync
from .stores import Store
from .telling import answered, new_pair_id, paired, request, silent_end

DAY = 86400.0


@pytest.fixture
def records(store: Store) -> Iterator[Records]:
    with store.open(store.settings(capture="content")) as records:
        yield records


def rating(pair_id: str, verdict: Verdict = Verdict.TIE, reviewer: str = "ann") -> Rating:
    return Rating(pair_id, "gpt-4", reviewer, verdict, Side.SILENT)


def keep_pairs(records: Records, count: int) -> list[str]:
    """Record pairs, each a second older than the one before."""
    now = time.monotonic()
    pair_ids = [new_pair_id() for _ in range(count)]
    for number, pair_id in enumerate(pair_ids):
        for event in paired(pair_id, start=now - number):
            records.recorder.note(event)
    settle(records)
    return pair_ids


def settle(records: Records) -> None:
    eventually_sync(lambda: records.recorder.figures.waiting == 0)


def test_a_reviewer_gets_each_pair_once_the_newest_first(records: Records) -> None:
    pair_ids = keep_pairs(records, 5)
    seen: list[str] = []
    while (found := records.ratings.next_unrated("ann")) is not None:
        seen.append(found.pair_id)
        records.ratings.rate(rating(found.pair_id))

    assert seen == pair_ids
    assert records.ratings.next_unrated("bob") == Unrated(pair_ids[0], "gpt-4")


@pytest.mark.parametrize("ticket", [0.0, 0.3, 0.5, 0.9, 0.999999])
def test_with_a_ticket_too_a_reviewer_gets_each_pair_once(records: Records, ticket: float) -> None:
    pair_ids = keep_pairs(records, 5)
    seen: list[str] = []
    while (found := records.ratings.next_unrated("ann", ticket=ticket)) is not None:
        seen.append(found.pair_id)
        records.ratings.rate(rating(found.pair_id))

    assert sorted(seen) == sorted(pair_ids)


def test_tickets_draw_different_pairs(records: Records) -> None:
    keep_pairs(records, 10)

    drawn = {records.ratings.next_unrated("ann", ticket=one / 20) for one in range(20)}

    assert len(drawn) == 10


def test_a_reviewer_may_want_one_silent_model_only(records: Records) -> None:
    (first,) = keep_pairs(records, 1)
    second = new_pair_id()
    for event in paired(second, "llama"):
        records.recorder.note(event)
    settle(records)

    wanted = records.ratings.next_unrated

    assert wanted("ann", silent_model="gpt-4") == Unrated(first, "gpt-4")
    assert wanted("ann", silent_model="llama") == Unrated(second, "llama")
    assert wanted("ann", silent_model="nobody") is None


def test_only_pairs_whose_texts_are_kept_are_for_review(records: Records) -> None:
    now = time.monotonic()
    for asked in (request(may_mirror=False), request("x" * 2_000_000)):
        pair_id = new_pair_id()
        for event in answered(pair_id, start=now, of=asked, offered=("gpt-4",)):
            records.recorder.note(event)
        records.recorder.note(silent_end(pair_id, start=now))
    alone = new_pair_id()
    for event in answered(alone, start=now, offered=("gpt-4",)):
        records.recorder.note(event)
    records.recorder.note(silent_end(alone, outcome=Outcome.FAILED, start=now))
    settle(records)

    assert records.ratings.next_unrated("ann") is None


def test_a_second_verdict_takes_the_place_of_the_first(records: Records) -> None:
    (pair_id,) = keep_pairs(records, 1)
    records.ratings.rate(rating(pair_id, Verdict.PRIMARY))
    records.ratings.rate(rating(pair_id, Verdict.SILENT))
    records.ratings.rate(rating(pair_id, Verdict.TIE, "bob"))

    said = records.ratings.of_pair(pair_id)
    (tally,) = records.ratings.counts()

    assert {(one.reviewer, one.verdict) for one in said} == {
        ("ann", Verdict.SILENT),
        ("bob", Verdict.TIE),
    }
    assert all(one.created > 0 for one in said)
    assert (tally.primary, tally.silent, tally.ties, tally.pairs) == (0, 1, 1, 1)


def test_verdicts_are_counted_by_what_was_compared_and_by_what_was_shown_first(
    records: Records,
) -> None:
    now = time.monotonic()
    for number in range(4):
        pair_id = new_pair_id()
        variant = "a" if number < 3 else "b"
        asked = request(target=Target(models={variant: 1.0}))
        for event in answered(pair_id, start=now, of=asked, offered=("gpt-4",)):
            records.recorder.note(event)
        records.recorder.note(silent_end(pair_id, start=now))
        settle(records)
        side = Side.PRIMARY if number == 0 else Side.SILENT
        verdict = Verdict.SILENT if number else Verdict.PRIMARY
        records.ratings.rate(structs.replace(rating(pair_id, verdict), first_side=side))

    a, b = records.ratings.counts()

    assert (a.silent_model, a.variant, a.primary, a.silent) == ("gpt-4", "a", 1, 2)
    assert (b.variant, b.primary, b.silent, b.pairs) == ("b", 0, 1, 1)
    assert a.by_first_side[Side.PRIMARY][Verdict.PRIMARY] == 1
    assert a.by_first_side[Side.SILENT][Verdict.SILENT] == 2
    assert records.ratings.counts(experiment="nobody") == ()


@pytest.mark.parametrize("name", ["", "a\0b", "\ud800", "x" * 1000, "'; DROP TABLE ratings"])
def test_reviewers_may_be_called_anything(records: Records, name: str) -> None:
    (pair_id,) = keep_pairs(records, 1)
    records.ratings.rate(rating(pair_id, reviewer=name))

    assert records.ratings.next_unrated(name) is None
    assert len(records.ratings.of_pair(pair_id)) == 1


@pytest.mark.parametrize("name", ["nobody", "a\0b"])
def test_a_pair_that_is_not_kept_cannot_be_rated(records: Records, name: str) -> None:
    with pytest.raises(RequestError) as raised:
        records.ratings.rate(rating(name))

    assert raised.value.reason is Reason.PAIR_NOT_FOUND


def test_pairs_are_filtered_by_whether_somebody_rated_them(records: Records) -> None:
    first, *others = keep_pairs(records, 3)
    records.ratings.rate(rating(first))

    def listed(is_rated: bool) -> list[str]:
        query = Query(Term("rated", Operator.EQUAL, is_rated))
        found = records.reader.list_pairs(query, with_texts=False)
        return [pair.pair_id for pair, _ in found.items]

    assert (listed(True), listed(False)) == ([first], others)


def test_a_rating_lives_as_long_as_its_pair(store: Store) -> None:
    long = RetentionSettings(metadata=100 * DAY, content=100 * DAY)
    now = time.monotonic()
    old, new = new_pair_id(), new_pair_id()
    with store.open(store.settings(capture="content", retention=long)) as records:
        for pair_id, start in ((old, now - 40 * DAY), (new, now - 20 * DAY)):
            for event in paired(pair_id, start=start):
                records.recorder.note(event)
        settle(records)
        for pair_id in (old, new):
            records.ratings.rate(rating(pair_id))

    with store.open(store.settings(retention=replace(long, content=DAY))):
        eventually_sync(lambda: left_in(store, texts) == 0, within=10)
        assert left_in(store, ratings) == 2
    with store.open() as records:
        eventually_sync(lambda: left_in(store, offers) == 1, within=10)
        assert left_in(store, ratings) == 1
        assert len(records.ratings.of_pair(new)) == 1


def left_in(store: Store, table: Table) -> int:
    with store.engine() as engine, engine.connect() as connection:
        statement = select(func.count()).select_from(table)
        if table is texts:
            statement = statement.where(~texts.c.is_blank)
        return connection.scalar(statement) or 0


def test_a_store_that_is_away_says_so(sqlite_store: Store) -> None:
    sqlite_store.file.mkdir(parents=True)
    with sqlite_store.engine() as engine:
        kept = Ratings(engine, lambda: 0)
        for ask in (lambda: kept.rate(rating("p")), kept.counts, lambda: kept.next_unrated("ann")):
            with pytest.raises(RefusedError) as raised:
                ask()
            assert raised.value.reason is Reason.STORE_UNAVAILABLE
