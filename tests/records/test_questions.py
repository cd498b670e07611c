"""Records and pairs can be filtered, ordered and paged through, on either database."""

import time
from collections.abc import Generator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.server.domain.mirroring import Outcome
from understudy.server.domain.record_queries import (
    PAIR_FIELDS,
    PAIR_ORDERS,
    RECORD_FIELDS,
    RECORD_ORDERS,
    Kind,
    Query,
)
from understudy.server.domain.request import Target
from understudy.server.errors import Reason, RefusedError, RequestError
from understudy.server.questions.record_filter import read_filter
from understudy.server.records import Reader

from ..stub.eventually import eventually_sync
from .stores import Store
from .telling import answered, new_pair_id, paired, request, silent_end
from .test_filters import PIECES

SAMPLES = {
    Kind.TEXT: '"gpt-*"',
    Kind.ROLE: "SILENT",
    Kind.OUTCOME: "PAIRED",
    Kind.COST_STATUS: "EXACT",
    Kind.INSTANT: "2020-01-01T00:00:00Z",
    Kind.DURATION: "-1s",
    Kind.INTEGER: "0",
    Kind.REAL: "0.5",
    Kind.FLAG: "true",
}
PAIRS = 30


@pytest.fixture(scope="module")
def reader(module_store: Store) -> Generator[Reader]:
    """A store with 30 pairs; each third has a second silent model, two are alike in time."""
    begin = time.monotonic()
    with module_store.open() as records:
        count = 0
        for number in range(PAIRS):
            pair_id = f"pair-{number:02}"
            target = Target(models={"gpt-3.5-turbo": 1.0}) if number % 2 else None
            asked = request(metadata={"team": f"t{number % 2}"}, target=target)
            start = begin - (number // 2)
            models = ("gpt-4", "llama") if number % 3 == 0 else ("gpt-4",)
            for event in answered(pair_id, start=start, of=asked, offered=models):
                records.recorder.note(event)
            for index, model in enumerate(models):
                late = 1.0 + (number % 5) + index / 10
                records.recorder.note(silent_end(pair_id, model, start=start, latency=late))
            count += 1 + 2 * len(models)
        eventually_sync(lambda: records.recorder.figures.written == count)
        yield records.reader


@pytest.mark.parametrize("order", RECORD_ORDERS)
@pytest.mark.parametrize("descending", [True, False])
def test_pages_of_records_are_whole_and_in_order(
    reader: Reader, order: str, descending: bool
) -> None:
    seen: list[str] = []
    places: list[int | float] = []
    query = Query(order=order, descending=descending, limit=7)
    while True:
        found = reader.list_records(query, with_texts=False)
        seen += [one.record.id for one, _ in found.items]
        places += [place.value for _, place in found.items]
        if not found.has_more:
            break
        query = Query(order=order, descending=descending, limit=7, after=found.items[-1][1])

    assert len(set(seen)) == len(seen) == (0 if order == "cost" else PAIRS * 2 + PAIRS // 3)
    assert places == sorted(places, reverse=descending)


@pytest.mark.parametrize("order", PAIR_ORDERS)
@pytest.mark.parametrize("descending", [True, False])
def test_pages_of_pairs_show_each_pair_once(reader: Reader, order: str, descending: bool) -> None:
    seen: list[str] = []
    places: list[int | float] = []
    query = Query(order=order, descending=descending, limit=4)
    while True:
        found = reader.list_pairs(query, with_texts=False)
        seen += [pair.pair_id for pair, _ in found.items]
        places += [place.value for _, place in found.items]
        if not found.has_more:
            break
        query = Query(order=order, descending=descending, limit=4, after=found.items[-1][1])

    assert len(set(seen)) == len(seen) == (0 if order == "cost_difference" else PAIRS)
    assert places == sorted(places, reverse=descending)


def test_the_worst_pair_comes_first(reader: Reader) -> None:
    found = reader.list_pairs(Query(order="latency_difference", limit=1), with_texts=False)

    ((pair, place),) = found.items
    assert place.value == 4_600_000
    assert [side.silent_model for side in pair.silents] == ["gpt-4", "llama"]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("role = PRIMARY", PAIRS),
        ("is_silent_experiment = true", PAIRS + PAIRS // 3),
        ("NOT is_silent_experiment = true AND metadata.team = t1", PAIRS // 2),
        ("variant = gpt-3.5-turbo AND role = PRIMARY", PAIRS // 2),
        ("model_group = 'gpt-*' AND role != SILENT", PAIRS),
        ("model_group = 'GPT-*'", 0),
        ("model_group = 'g_t-*' OR model_group = '%'", 0),
        ("latency > 1s AND role = PRIMARY", 0),
        ("caller = alice AND request_id = request-1 AND latency = 500ms", PAIRS),
    ],
)
def test_records_are_filtered(reader: Reader, text: str, count: int) -> None:
    condition = read_filter(text, RECORD_FIELDS, labels=True)
    found = reader.list_records(Query(condition, limit=1000), with_texts=False)

    assert len(found.items) == count


def test_a_pair_is_listed_by_the_silent_model_that_meets_the_filter(reader: Reader) -> None:
    condition = read_filter('silent_model = "llama" AND outcome = PAIRED', PAIR_FIELDS)
    found = reader.list_pairs(Query(condition, limit=1000), with_texts=False)

    assert len(found.items) == PAIRS // 3
    assert {place.silent_model for _, place in found.items} == {"llama"}


@pytest.mark.parametrize("field", RECORD_FIELDS)
def test_every_field_of_records_can_be_asked_for(reader: Reader, field: str) -> None:
    text = f"{field} = {SAMPLES[RECORD_FIELDS[field]]}"
    reader.list_records(Query(read_filter(text, RECORD_FIELDS)), with_texts=True)


@pytest.mark.parametrize("field", PAIR_FIELDS)
def test_every_field_of_pairs_can_be_asked_for(reader: Reader, field: str) -> None:
    text = f"NOT {field} != {SAMPLES[PAIR_FIELDS[field]]}"
    reader.list_pairs(Query(read_filter(text, PAIR_FIELDS)), with_texts=True)


@settings(max_examples=50)
@given(st.lists(st.sampled_from(PIECES)).map(" ".join))
def test_what_is_a_filter_the_store_understands(reader: Reader, text: str) -> None:
    try:
        condition = read_filter(text, RECORD_FIELDS, labels=True)
    except RequestError:
        return
    reader.list_records(Query(condition), with_texts=False)


def test_a_pair_that_is_under_way_says_so(store: Store) -> None:
    pair_id = new_pair_id()
    with store.open() as records:
        for event in answered(pair_id, offered=("gpt-4",)):
            records.recorder.note(event)
        eventually_sync(lambda: records.recorder.figures.written == 2)
        pair = records.reader.get_pair(pair_id, with_texts=False)

    assert pair is not None
    (side,) = pair.silents
    assert side.outcome is None


def test_an_end_that_comes_before_its_offer_counts_once(store: Store) -> None:
    pair_id = new_pair_id()
    begun, *rest = answered(pair_id, offered=("gpt-4",))
    with store.open() as records:
        for event in (begun, silent_end(pair_id, outcome=Outcome.SHED, reason="QUEUE_FULL"), *rest):
            records.recorder.note(event)
        eventually_sync(lambda: records.reader.count_outcomes())

        assert records.reader.count_outcomes() == {"gpt-4": {"SHED": 1}}


def test_texts_of_a_page_are_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("understudy.server.records.reading.MOST_TEXT", 100)
    with store.open(store.settings(capture="content")) as records:
        for _ in range(5):
            for event in paired(new_pair_id()):
                records.recorder.note(event)
        eventually_sync(
            lambda: len(records.reader.list_records(Query(), with_texts=False).items) == 10
        )
        found = records.reader.list_records(Query(), with_texts=True)

    texts = [one.texts for one, _ in found.items]
    assert 0 < sum(one.messages is not None for one in texts) < 10
    assert all(one.too_many for one in texts if one.messages is None)


def test_a_store_that_is_away_says_so(sqlite_store: Store) -> None:
    sqlite_store.file.mkdir(parents=True)
    with sqlite_store.engine() as engine, pytest.raises(RefusedError) as raised:
        Reader(engine).list_records(Query(), with_texts=False)

    assert raised.value.reason is Reason.STORE_UNAVAILABLE
