"""Words are found in texts, and what no index answers is answered in bounded pieces."""

import time
from collections.abc import Callable, Generator

import pytest
from msgspec import structs

from understudy.server.domain.record_queries import (
    EVERYTHING,
    AllOf,
    Condition,
    Found,
    Not,
    Operator,
    Query,
    Term,
)
from understudy.server.domain.records import Kept, Pair
from understudy.server.domain.request import Target
from understudy.server.errors import Reason
from understudy.server.events import CallEnded, CallStarted
from understudy.server.records import Reader

from ..stub.eventually import eventually_sync
from .stores import Store
from .telling import answered, attempt, paired, request

CALLS = 40
RARE = 'He said: "Größe, 100%_\\"\n'
NOBODY = Term("caller", Operator.EQUAL, "nobody")


@pytest.fixture(scope="module")
def reader(module_store: Store) -> Generator[Reader]:
    """A store with 40 calls, the newest first; each tenth says something, each eighth failed."""
    now = time.monotonic()
    with module_store.open(module_store.settings(capture="content")) as records:
        for number in range(CALLS):
            pair_id, start = f"pair-{number:02}", now - number
            if number % 8 == 1:
                events = [
                    CallStarted(pair_id, start, request(target=Target("e")), 7),
                    *attempt(pair_id, 1, start, start + 1, reason=Reason.UPSTREAM_OVERLOADED),
                    CallEnded(pair_id, start + 1, Reason.UPSTREAM_OVERLOADED, 1),
                ]
            elif number % 10 == 0:
                events = [*paired(pair_id, start=start, text=f"x {RARE} x")]
            else:
                prompt = RARE.upper() if number == 5 else "hi"
                events = [*answered(pair_id, start=start, of=request(prompt))]
            for event in events:
                records.recorder.note(event)
        eventually_sync(lambda: not records.recorder.figures.waiting)
        yield records.reader


def every_page(ask: Callable[[Query], Found[Kept] | Found[Pair]], query: Query) -> list[str]:
    """Read page by page, as far as there is anything."""
    seen: list[str] = []
    for _ in range(200):
        found = ask(query)
        assert len(found.items) <= query.limit
        seen += [one.record.id if isinstance(one, Kept) else one.pair_id for one, _ in found.items]
        after = found.items[-1][1] if found.has_more else found.reached
        if after is None:
            return seen
        query = structs.replace(query, after=after)
    raise AssertionError("the pages never end")


def records_of(reader: Reader, query: Query) -> list[str]:
    return every_page(lambda one: reader.list_records(one, with_texts=False), query)


def pairs_of(reader: Reader, query: Query) -> list[str]:
    return every_page(lambda one: reader.list_pairs(one, with_texts=False), query)


@pytest.mark.parametrize("order", ["start_time", "latency"])
@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("looked_at", [1, 3, 7, 1000])
@pytest.mark.parametrize(
    "condition",
    [
        EVERYTHING,
        Term("role", Operator.EQUAL, "SILENT"),
        Term("failed", Operator.EQUAL, True),
        AllOf((Term("failed", Operator.EQUAL, True), Not(NOBODY))),
        NOBODY,
    ],
)
def test_pages_that_look_at_a_little_find_all_in_the_end(
    reader: Reader, condition: Condition, looked_at: int, order: str, descending: bool
) -> None:
    query = Query(condition, order, descending, limit=4)

    bounded = records_of(reader, structs.replace(query, looked_at=looked_at))

    assert bounded == records_of(reader, query)


def test_a_page_says_how_far_it_looked(reader: Reader) -> None:
    found = reader.list_records(Query(NOBODY, looked_at=10), with_texts=False)
    tenth = reader.list_records(Query(limit=10), with_texts=False).items[-1][1]

    assert (found.items, found.has_more, found.reached) == ((), False, tenth)


@pytest.mark.parametrize("words", [RARE, "größe", "100%_", 'said: "', "SAID"])
@pytest.mark.parametrize("looked_at", [None, 6])
def test_words_are_found_in_prompts_and_answers(
    reader: Reader, words: str, looked_at: int | None
) -> None:
    if words == "größe":
        words = "Größe"  # SQLite knows capitals of ASCII only
    query = Query(words=words, looked_at=looked_at, limit=3)

    pairs = pairs_of(reader, query)
    found = set(records_of(reader, query))

    assert pairs == ["pair-00", "pair-10", "pair-20", "pair-30"]
    silent = {one for one in found if not one.endswith("-1")}
    assert {one.rpartition("-")[0] for one in silent} == set(pairs)


@pytest.mark.parametrize(
    "words", ["100a", "100%a", "x%x", "x_H", "nobody", "'; --", "a\0", "\ud800"]
)
def test_words_that_nobody_said_are_not_found(reader: Reader, words: str) -> None:
    assert records_of(reader, Query(words=words)) == []
    assert pairs_of(reader, Query(words=words)) == []


def test_failed_calls_are_those_with_a_reason(reader: Reader) -> None:
    failed = records_of(reader, Query(Term("failed", Operator.EQUAL, True)))
    others = records_of(reader, Query(Term("failed", Operator.EQUAL, False), limit=1000))

    assert failed == [f"pair-{number:02}-1" for number in range(1, CALLS, 8)]
    assert len(others) == CALLS - len(failed) + CALLS // 10 - len({10, 20, 30, 0} & {1, 9, 17})
