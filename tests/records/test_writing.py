"""However many rows are written at once, each is there once and as it was handed in."""

from collections.abc import Iterator, Sized

import pytest
from msgspec import structs
from sqlalchemy import Engine, select
from sqlalchemy.event import listen

from understudy.server.capturing import Redactor
from understudy.server.database.migrating import migrate
from understudy.server.domain.completion import PromptTokensDetails, Usage, Warning
from understudy.server.domain.record_queries import Query
from understudy.server.domain.records import Record
from understudy.server.records.batch import Batch
from understudy.server.records.fold import Fold
from understudy.server.records.reading import Reader
from understudy.server.records.schema import MIGRATIONS, offers
from understudy.server.records.writing import write

from .stores import Store
from .telling import answered, new_pair_id, silent_end


@pytest.fixture
def engine(store: Store) -> Iterator[Engine]:
    with store.engine() as engine:
        migrate(engine, MIGRATIONS)
        yield engine


def batch_of(count: int) -> Batch:
    """Calls with all that a row may hold, each told apart by its labels."""
    batch = Batch()
    for number in range(count):
        folded, fold = Batch(), Fold("metadata", 0.0, labels=Redactor())
        for event in answered(new_pair_id()):
            fold.take(event, folded)
        (made,) = folded.records.values()
        usage = Usage(10, 5, 2**40, PromptTokensDetails(cached_tokens=number))
        batch.add_record(
            structs.replace(
                made,
                metadata={"number": str(number), "quote'\"%s": "é \N{GRINNING FACE} :x ?"},
                usage=usage if number % 2 else None,
                warnings=(Warning("A_REASON", f"of {number}"),) if number % 3 else (),
                effective_fraction=0.1 + 0.2 if number % 2 else None,
            )
        )
    return batch


def stored(engine: Engine) -> dict[str, Record]:
    page = Reader(engine).list_records(Query(limit=500), with_texts=False)
    return {one.record.id: one.record for one, _ in page.items}


@pytest.mark.parametrize("count", [1, 2, 3, 63, 64, 65, 100, 129, 227])
def test_all_rows_of_a_batch_are_written_as_they_were(engine: Engine, count: int) -> None:
    batch = batch_of(count)

    assert write(engine, batch, "instance") == 0

    assert stored(engine) == batch.records


def test_an_old_sqlite_is_handed_fewer_values_at_once(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("understudy.server.records.inserting._MOST_VALUES", 999)
    most = 0

    def look(_: object, __: object, ___: str, values: Sized, *____: object) -> None:
        nonlocal most
        most = max(most, len(values))

    listen(engine, "before_cursor_execute", look)
    batch = batch_of(100)
    write(engine, batch, "instance")

    assert stored(engine) == batch.records
    assert 0 < most <= 999


def test_rows_that_are_there_already_stay_and_the_others_come(engine: Engine) -> None:
    first = batch_of(70)
    write(engine, first, "instance")
    second = batch_of(70)
    for one in first.records.values():
        second.add_record(structs.replace(one, model="another"))

    assert write(engine, second, "instance") == 0

    assert stored(engine) == second.records | first.records


def test_ends_of_offers_are_added_to_many_at_once_and_only_once(engine: Engine) -> None:
    fold, begun, ended, again = Fold("metadata", 0.0), Batch(), Batch(), Batch()
    pairs = [new_pair_id() for _ in range(100)]
    for pair in pairs:
        for event in answered(pair, offered=("gpt-4",)):
            fold.take(event, begun)
    for pair in pairs:
        fold.take(silent_end(pair), ended)
    for offer in ended.offers.values():
        again.add_offer(structs.replace(offer, reason="ANOTHER"))

    for batch in (begun, ended, again, begun):
        assert write(engine, batch, "instance") == 0

    with engine.connect() as connection:
        rows = connection.execute(select(offers.c.pair_id, offers.c.outcome, offers.c.reason)).all()
    expected = [
        (one.pair_id, one.outcome.value if one.outcome else None, one.reason)
        for one in ended.offers.values()
    ]
    assert sorted(tuple(row) for row in rows) == sorted(expected)
    assert len(rows) == len(pairs)
