"""Each call is counted once, whoever writes it and however often; what is counted is bounded."""

import threading
import time
from collections.abc import Iterator

import pytest
from msgspec import structs
from sqlalchemy import Engine, func, select

from understudy.server.database.engine import open_engine
from understudy.server.database.migrating import migrate
from understudy.server.domain.completion import PromptTokensDetails, Usage
from understudy.server.domain.figures import OTHER, Dimension, Measures, Scope, Step
from understudy.server.domain.records import Record, Role
from understudy.server.records.batch import Batch
from understudy.server.records.figures import Figures
from understudy.server.records.fold import Fold
from understudy.server.records.rollups import MOST_KEYS
from understudy.server.records.schema import MIGRATIONS, records, rollups
from understudy.server.records.writing import write

from .stores import Store
from .telling import answered, new_pair_id

NOW = 1_795_000_000_000_000
ALL = Scope(start=0, end=NOW * 2, roles=frozenset(Role))


@pytest.fixture
def engine(store: Store) -> Iterator[Engine]:
    with store.engine() as engine:
        migrate(engine, MIGRATIONS)
        yield engine


def record(**changes: object) -> Record:
    """A call that was answered in half a second."""
    batch, fold = Batch(), Fold("metadata", 0.0)
    for event in answered(new_pair_id()):
        fold.take(event, batch)
    (made,) = batch.records.values()
    return structs.replace(made, **{"started": NOW, **changes})


def batch_of(*made: Record) -> Batch:
    batch = Batch()
    for one in made:
        batch.add_record(one)
    return batch


def count(engine: Engine, scope: Scope = ALL) -> Measures:
    return Figures(engine, lambda: NOW).totals(scope).whole


def test_a_call_is_counted_with_all_that_is_known_of_it(engine: Engine) -> None:
    usage = Usage(10, 5, 15, PromptTokensDetails(cached_tokens=8))
    calls = [
        record(latency=400_000, first_token=100_000, usage=usage, cost=7),
        record(latency=400_000, usage=None, role=Role.RETRY),
        record(latency=5, reason="UPSTREAM_TIMEOUT", usage=None),
        record(latency=5, reason="CANCELLED", usage=None),
        record(latency=5, reason="UPSTREAM_OVERLOADED", usage=None),
    ]
    write(engine, batch_of(*calls), "one")

    found = count(engine)

    assert (found.calls, found.requests) == (5, 4)
    assert found.reasons == {"UPSTREAM_TIMEOUT": 1, "CANCELLED": 1, "UPSTREAM_OVERLOADED": 1}
    assert (found.failed, found.timed_out, found.cancelled) == (2, 1, 1)
    assert found.error_rate == 0.5
    assert (found.prompt_tokens, found.completion_tokens, found.cached_tokens) == (10, 5, 8)
    assert (found.cost, found.unpriced, found.unmetered) == (7, 1, 1)
    assert (found.timed, found.first_timed) == (2, 1)
    assert found.latency_p50 == pytest.approx(400_000, rel=0.025)
    assert found.latency_p95 is found.first_token_p50 is None


def test_an_unknown_cost_is_not_zero(engine: Engine) -> None:
    write(engine, batch_of(record(cost=None)), "one")

    assert (count(engine).cost, count(engine).unpriced) == (None, 1)


def test_a_batch_that_is_written_again_counts_nothing_twice(engine: Engine) -> None:
    batch = batch_of(*(record() for _ in range(150)))
    write(engine, batch, "one")
    batch.add_record(record())  # it came while nobody knew what had become of the batch
    write(engine, batch, "one")
    write(engine, batch, "one")

    assert count(engine).calls == 151


def test_a_record_that_the_store_refuses_is_not_counted(engine: Engine) -> None:
    bad = record(upstream_status=2**70)
    refused = write(engine, batch_of(record(), bad, record()), "one")

    assert refused == 1
    assert count(engine).calls == 2


def test_many_add_to_the_same_rows(store: Store) -> None:
    threads, batches, size = 4, 10, 20

    def run(name: str) -> None:
        engine = open_engine(store.secret, store.file, "test")
        for _ in range(batches):
            write(engine, batch_of(*(record(latency=400_000) for _ in range(size))), name)
        engine.dispose()

    with store.engine() as engine:
        migrate(engine, MIGRATIONS)
        running = [threading.Thread(target=run, args=(f"{one}",)) for one in range(threads)]
        for one in running:
            one.start()
        for one in running:
            one.join(30)
        found = count(engine)
        with engine.connect() as connection:
            rows = connection.scalar(select(func.count()).select_from(rollups))
            kept = connection.scalar(select(func.count()).select_from(records))

    assert kept == found.calls == found.timed == threads * batches * size
    assert rows == 2


@pytest.mark.parametrize("at_once", [True, False])
def test_names_that_callers_make_up_are_bounded(engine: Engine, at_once: bool) -> None:
    made = [record(group=f"url-{number}", variant=f"url-{number}") for number in range(400)]
    made += [record(experiment="mine", variant=one, epoch=3) for one in ("a", "b")]
    for some in [made] if at_once else [made[:300], made[300:]]:
        write(engine, batch_of(*some), "one")

    with engine.connect() as connection:
        rows = connection.scalar(select(func.count()).select_from(rollups))
    figures = Figures(engine, lambda: NOW)
    mine = figures.totals(Scope(start=0, end=NOW * 2, experiment="mine"))
    by_group = figures.totals(ALL, Dimension.GROUP)

    assert rows == 2 * (MOST_KEYS + 3)
    assert [(one.name, one.measures.calls) for one in mine.parts] == [("a", 1), ("b", 1)]
    assert by_group.whole.calls == 402
    assert by_group.parts[0].name == OTHER


def test_what_a_provider_claims_makes_no_sum_that_cannot_be_kept(engine: Engine) -> None:
    greedy = Usage(2**62, -5, 2**62)
    for _ in range(3):
        write(engine, batch_of(*(record(usage=greedy) for _ in range(3))), "one")

    found = count(engine)
    assert (found.calls, found.prompt_tokens, found.completion_tokens) == (9, 9 * 10**12, 0)


def test_minutes_and_hours_say_the_same(engine: Engine) -> None:
    began = [NOW + number * 7_000_000 for number in range(600)]  # for more than an hour
    write(engine, batch_of(*(record(started=one) for one in began)), "one")

    figures = Figures(engine, lambda: NOW)
    window = Scope(start=NOW, end=began[-1] + 1)
    by_minute = figures.series(window, Step.MINUTE)
    by_hour = figures.series(window, Step.HOUR)

    for series in (by_minute, by_hour):
        (line,) = series.lines
        assert sum(one.calls for one in line.points if one) == 600
    assert len(by_minute.instants) > 60 > len(by_hour.instants)


def test_recorders_count_as_they_write(store: Store) -> None:
    with store.open() as opened:
        for _ in range(3):
            for event in answered(new_pair_id()):
                opened.recorder.note(event)
    with store.open() as opened:
        now = time.time_ns() // 1000
        found = opened.figures.totals(Scope(start=now - Step.HOUR.value, end=now + 1))

    assert found.whole.calls == 3
