"""Times what the dashboard's pages ask of a store of a million records.

Run as `python -m benchmarks.records [--records 1000000] [--url postgresql://…] [--folder FOLDER]
[--only logs]`; a folder is kept, and used again if there is a store in it. How many rows the
recorder writes in a second is measured on the way. Exits with 1 if any question takes longer than
`BOUND` at the 95th percentile.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import msgspec
from sqlalchemy import Engine

from benchmarks.recorded import EXPERIMENTS, RARE, RARE_WORD, make_batches
from understudy.server.config.settings import RecordSettings, RetentionSettings
from understudy.server.database.engine import open_engine
from understudy.server.database.migrating import migrate
from understudy.server.domain.deployment import Secret
from understudy.server.domain.figures import Dimension, Scope, Step
from understudy.server.domain.ratings import Rating, Side, Verdict
from understudy.server.domain.record_queries import (
    EVERYTHING,
    PAIR_ORDERS,
    RECORD_ORDERS,
    AllOf,
    Condition,
    Operator,
    Place,
    Query,
    Term,
)
from understudy.server.records import Reader, Records, open_records
from understudy.server.records.opening import FILE
from understudy.server.records.schema import MIGRATIONS
from understudy.server.records.writing import write

BOUND = 0.150  # seconds, at the 95th percentile
TIMES = 20
PAGE = 50
SECONDS = 20  # of calls, to time writing
LOOKED_AT = 20_000
PER_CALL = 1.44  # records: every other call has a copy, of which nine in ten are heard

Question = Callable[[], object]


def _is(field: str, value: str | bool | int) -> Term:
    return Term(field, Operator.EQUAL, value)


RECORD_FILTERS: Mapping[str, Condition] = {
    "all": EVERYTHING,
    "of an experiment": _is("experiment", EXPERIMENTS[1]),
    "of a rare experiment": _is("experiment", RARE),
    "of a variant": AllOf((_is("experiment", EXPERIMENTS[1]), _is("variant", "control"))),
    "of a group": _is("model_group", "group-3"),
    "of a deployment that is not": _is("deployment", "nobody"),
    "failed": _is("failed", True),
    "failed, of a variant": AllOf(
        (_is("failed", True), _is("experiment", EXPERIMENTS[1]), _is("variant", "control"))
    ),
    "timed out": _is("reason", "UPSTREAM_TIMEOUT"),
    "of a request": _is("request_id", "0"),
    "of a caller that is not": _is("caller", "nobody"),
    "of a label that is not": _is("metadata.team", "nobody"),
    "slow": Term("latency", Operator.ABOVE, 60_000_000),
    "silent": _is("role", "SILENT"),
    "of a pair": _is("pair_id", "0"),
    "of a day": Term("start_time", Operator.BELOW, time.time_ns() // 1000 - Step.DAY.value),
}
PAIR_FILTERS: Mapping[str, Condition] = {
    "all": EVERYTHING,
    "of a silent model": _is("silent_model", "silent-1"),
    "of a silent model that is not": _is("silent_model", "nobody"),
    "of an experiment": _is("experiment", EXPERIMENTS[1]),
    "of a rare experiment": _is("experiment", RARE),
    "shed": _is("outcome", "SHED"),
    "lost": _is("outcome", "LOST"),
    "unequal": _is("equal", False),
    "unlike": Term("similarity", Operator.BELOW, 0.2),
    "rated": _is("rated", True),
    "unrated, of a silent model": AllOf((_is("rated", False), _is("silent_model", "silent-1"))),
}


def main() -> None:
    """Make the store, ask, print, and say by the exit whether all was quick."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--url", default="")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--only", default="", help="questions whose names begin so")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        url = Secret(arguments.url, "--url") if arguments.url else None
        fill(folder, url, arguments.records)
        for_ever = RetentionSettings(metadata=1e9, content=1e9, size=2**40)
        settings = replace(RecordSettings(url=url), retention=for_ever)
        with closing(open_records(settings, folder)) as records:
            wanted = [one for one in questions(records) if one[0].startswith(arguments.only)]
            slow = [name for name, ask in wanted if measure(name, ask) > BOUND]
    if slow:
        sys.exit(f"slower than {BOUND * 1000:.0f} ms: {', '.join(slow)}")


def fill(folder: Path, url: Secret | None, count: int) -> None:
    """Write so many records, unless there are any."""
    engine = open_engine(url, folder / FILE, "--url")
    migrate(engine, MIGRATIONS)
    if Reader(engine).list_records(Query(limit=1), with_texts=False).items:
        engine.dispose()
        return
    chance, now = random.Random(7), time.time_ns() // 1000
    for batch in make_batches(round(count / PER_CALL), now, chance):
        write(engine, batch, "benchmark")
    time_writing(engine, chance, now)
    engine.dispose()


def time_writing(engine: Engine, chance: random.Random, now: int) -> None:
    """Print how long the recorder takes for what it is told at 500 calls a second."""
    rows, took = 0, list[float]()
    for batch in make_batches(
        500 * SECONDS, now + SECONDS * 1_000_000, chance, SECONDS * 1_000_000
    ):
        began = time.perf_counter()
        write(engine, batch, "benchmark")
        took.append(time.perf_counter() - began)
        rows += len(batch)
    print(
        f"{rows / sum(took):.0f} rows written in a second, a batch in {max(took) * 1e3:.0f} ms or less"
    )


def measure(name: str, ask: Question) -> float:
    """Ask a question some times; print and return how long it takes at the 95th percentile.

    Of its own time on a processor, too: on a busy machine the rest is others'.
    """
    took, worked = list[float](), list[float]()
    for _ in range(TIMES):
        began, work = time.perf_counter(), time.thread_time()
        ask()
        took.append(time.perf_counter() - began)
        worked.append(time.thread_time() - work)
    p95, p95_worked = (sorted(one)[round(TIMES * 0.95) - 1] * 1e3 for one in (took, worked))
    print(f"{name:60} p95 {p95:7.1f} ms, {p95_worked:7.1f} ms at work", flush=True)
    return p95 / 1e3


def questions(records: Records) -> Iterator[tuple[str, Question]]:
    """Yield what the pages ask."""
    ((newest, _),) = records.reader.list_records(Query(limit=1), with_texts=False).items
    now = newest.record.started
    yield from _of_lists("logs", records.reader.list_records, RECORD_FILTERS, RECORD_ORDERS, now)
    yield from _of_lists("pairs", records.reader.list_pairs, PAIR_FILTERS, PAIR_ORDERS, now)
    yield from _of_figures(records, now)
    yield from _of_ratings(records)


def _of_lists(
    page: str,
    ask: Callable[..., object],
    filters: Mapping[str, Condition],
    orders: Sequence[str],
    now: int,
) -> Iterator[tuple[str, Question]]:
    def asking(query: Query) -> Question:
        bounded = msgspec.structs.replace(query, limit=PAGE, looked_at=LOOKED_AT)
        return lambda: ask(bounded, with_texts=True)

    a_day_back = Place(now - Step.DAY.value, "~", "~")
    for name, condition in filters.items():
        for order in orders:
            yield f"{page}: {name} by {order}", asking(Query(condition, order))
        yield f"{page}: {name}, a day back", asking(Query(condition, after=a_day_back))
        for words in ("quick brown", RARE_WORD, "not there"):
            yield f"{page}: {name}, words {words!r}", asking(Query(condition, words=words))


def _of_figures(records: Records, now: int) -> Iterator[tuple[str, Question]]:
    figures = records.figures
    yield "experiments", lambda: figures.overview(now - 15 * Step.MINUTE.value, now)
    yield "experiments, of a day", lambda: figures.overview(now - Step.DAY.value, now)
    for hours, step in (
        (1, Step.MINUTE),
        (6, Step.FIVE_MINUTES),
        (24, Step.FIVE_MINUTES),
        (24 * 7, Step.HOUR),
        (24 * 30, Step.DAY),
    ):
        scope = Scope(start=now - hours * Step.HOUR.value, end=now, experiment=EXPERIMENTS[1])
        every = Scope(start=now - hours * Step.HOUR.value, end=now)
        told = f"of {hours} h, {step.name.lower()}"
        yield f"series {told}", partial(figures.series, scope, step)
        yield f"series of all groups {told}", partial(figures.series, every, step, Dimension.GROUP)
        yield f"totals {told}", partial(figures.totals, scope)
        yield (
            f"totals of all deployments {told}",
            partial(figures.totals, every, Dimension.DEPLOYMENT),
        )


def _of_ratings(records: Records) -> Iterator[tuple[str, Question]]:
    chance = random.Random(3)

    def rate() -> None:
        found = records.ratings.next_unrated("reviewer", ticket=chance.random())
        if found is not None:
            verdict = chance.choice(tuple(Verdict))
            records.ratings.rate(
                Rating(found.pair_id, found.silent_model, "reviewer", verdict, Side.SILENT)
            )

    yield "review: next and rate", rate
    yield "review: newest", lambda: records.ratings.next_unrated("another")
    yield (
        "review: of a silent model",
        lambda: records.ratings.next_unrated("another", silent_model="silent-1"),
    )
    yield "review: of none", lambda: records.ratings.next_unrated("another", silent_model="none")
    yield "review: counts", records.ratings.counts


if __name__ == "__main__":
    main()
