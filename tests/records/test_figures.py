"""Figures over time: which points there are, how long each is, and what shares are of."""

from collections.abc import Iterator

import pytest
from msgspec import structs
from sqlalchemy import Engine

from understudy.server.database.migrating import migrate
from understudy.server.domain.figures import (
    CANCELLED,
    NOTHING,
    OTHER,
    TIMED_OUT,
    Dimension,
    Scope,
    Step,
)
from understudy.server.domain.records import Role
from understudy.server.errors import Reason, RefusedError
from understudy.server.records.figures import MOST_LINES, MOST_POINTS, Figures
from understudy.server.records.schema import MIGRATIONS
from understudy.server.records.writing import write

from .stores import Store
from .test_rollups import NOW, batch_of, record

MINUTE, HOUR, DAY = Step.MINUTE.value, Step.HOUR.value, Step.DAY.value
HOURS = NOW - NOW % HOUR  # the hour that began last


@pytest.fixture
def engine(store: Store) -> Iterator[Engine]:
    with store.engine() as engine:
        migrate(engine, MIGRATIONS)
        yield engine


@pytest.fixture
def figures(engine: Engine) -> Figures:
    return Figures(engine, lambda: NOW)


def add(engine: Engine, started: int, count: int = 1, **changes: object) -> None:
    made = record(started=started, **{"experiment": "e", "variant": "a", **changes})
    batch = (structs.replace(made, id=f"{made.id}-{one}") for one in range(count))
    write(engine, batch_of(*batch), "one")


def test_lines_have_a_point_for_each_instant_and_gaps_where_nobody_called(
    engine: Engine, figures: Figures
) -> None:
    add(engine, HOURS + MINUTE, 3)
    add(engine, HOURS + MINUTE, 1, variant="b")
    add(engine, HOURS + 3 * MINUTE + 5, 2, variant="b")

    scope = Scope(start=HOURS, end=HOURS + 4 * MINUTE, experiment="e")
    series = figures.series(scope, Step.MINUTE)

    assert series.instants == tuple(HOURS + minute * MINUTE for minute in range(4))
    a, b = series.lines
    assert [point and point.requests for point in a.points] == [None, 3, None, None]
    assert [point and point.share for point in a.points] == [None, 0.75, None, None]
    assert [point and point.share for point in b.points] == [None, 0.25, None, 1.0]


@pytest.mark.parametrize(
    ("wanted", "begins", "step"),
    [
        (Step.MINUTE, HOUR, Step.MINUTE),
        (Step.FIVE_MINUTES, 2 * DAY, Step.FIVE_MINUTES),
        (Step.MINUTE, 2 * DAY, Step.FIVE_MINUTES),  # they would be too many
        (Step.MINUTE, 3 * DAY, Step.HOUR),  # they are no longer kept
        (Step.HOUR, 30 * DAY, Step.HOUR),
        (Step.MINUTE, 365 * DAY, Step.DAY),
        (Step.DAY, HOUR, Step.DAY),
    ],
)
def test_a_step_is_as_short_as_can_be_answered(
    engine: Engine, figures: Figures, wanted: Step, begins: int, step: Step
) -> None:
    add(engine, NOW - begins // 2, 4)

    series = figures.series(Scope(start=NOW - begins, end=NOW), wanted)

    assert series.step is step
    assert len(series.instants) <= MOST_POINTS
    (line,) = series.lines
    assert sum(one.calls for one in line.points if one) == 4


def test_a_window_of_all_time_is_bounded(engine: Engine, figures: Figures) -> None:
    add(engine, HOURS, 4)

    series = figures.series(Scope(start=0, end=NOW), Step.MINUTE)

    assert len(series.instants) == MOST_POINTS
    assert series.lines[0].points[-1] is not None


@pytest.mark.parametrize("start", [NOW, NOW + 1])
def test_an_empty_window_has_nothing(engine: Engine, figures: Figures, start: int) -> None:
    scope = Scope(start=start, end=NOW - MINUTE)

    assert figures.series(scope, Step.MINUTE).lines == ()
    assert figures.totals(scope).whole == NOTHING


def test_those_that_are_not_among_the_busiest_are_one(engine: Engine, figures: Figures) -> None:
    made = [
        record(started=HOURS, deployment=f"d{one:02}")
        for one in range(MOST_LINES + 5)
        for _ in range(one + 1)
    ]
    write(engine, batch_of(*made), "one")

    scope = Scope(start=HOURS, end=HOURS + MINUTE)
    names = [line.name for line in figures.series(scope, Step.MINUTE, Dimension.DEPLOYMENT).lines]
    totals = figures.totals(scope, Dimension.DEPLOYMENT)

    assert names == [one.name for one in totals.parts]
    assert (len(names), names[0], names[-1]) == (MOST_LINES + 1, "d24", OTHER)
    assert totals.parts[-1].measures.calls == 1 + 2 + 3 + 4 + 5
    assert sum(one.measures.share or 0 for one in totals.parts) == pytest.approx(1)


@pytest.mark.parametrize("by", Dimension)
def test_figures_are_told_apart_by(engine: Engine, figures: Figures, by: Dimension) -> None:
    add(engine, HOURS, 2, epoch=4, group="g", deployment="d", role=Role.SILENT)
    scope = Scope(start=HOURS, end=NOW, roles=frozenset({Role.SILENT}))

    (part,) = figures.totals(scope, by).parts

    names = {"experiment": "e", "variant": "a", "epoch": "4", "model_group": "g"}
    assert part.name == {**names, "deployment": "d", "role": "SILENT"}[by.value]
    assert (part.measures.calls, part.measures.requests) == (2, 0)


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({}, 3),
        ({"experiment": "e"}, 2),
        ({"experiment": ""}, 1),
        ({"variant": "b"}, 1),
        ({"epoch": 2}, 1),
        ({"group": "g2"}, 1),
        ({"deployment": "nobody"}, 0),
        ({"roles": frozenset(Role)}, 4),
        ({"roles": frozenset({Role.FALLBACK})}, 0),
    ],
)
def test_a_scope_says_which_calls(
    engine: Engine, figures: Figures, changes: dict[str, str], count: int
) -> None:
    add(engine, HOURS, epoch=1, group="g1")
    add(engine, HOURS, epoch=2, variant="b", group="g2")
    add(engine, HOURS, experiment="", variant="")
    add(engine, HOURS, role=Role.SILENT)

    scope = structs.replace(Scope(start=HOURS, end=NOW), **changes)

    assert figures.totals(scope).whole.calls == count


def test_an_overview_is_of_all_experiments_and_of_them_only(
    engine: Engine, figures: Figures
) -> None:
    add(engine, NOW - MINUTE, 20, latency=1_000_000)
    add(engine, NOW - MINUTE, 5, reason="UPSTREAM_OVERLOADED")
    add(engine, NOW - MINUTE, 2, experiment="f")
    add(engine, NOW - MINUTE, 2, experiment="")
    add(engine, NOW - HOUR, 2, experiment="long ago")
    add(engine, NOW - MINUTE, 9, experiment="f", role=Role.SILENT)

    found = figures.overview(NOW - 15 * MINUTE, NOW)

    assert set(found) == {"e", "f"}
    assert (found["e"].calls, found["e"].error_rate, found["f"].calls) == (25, 0.2, 2)
    assert found["e"].latency_p50 == pytest.approx(1_000_000, rel=0.025)
    assert found["e"].latency_p95 == pytest.approx(1_000_000, rel=0.025)


def test_reasons_that_are_told_apart_exist() -> None:
    assert set(Reason) >= CANCELLED | TIMED_OUT


def test_figures_of_a_store_that_is_away_say_so(sqlite_store: Store) -> None:
    sqlite_store.file.mkdir(parents=True)
    with sqlite_store.engine() as engine, pytest.raises(RefusedError) as raised:
        Figures(engine, lambda: NOW).overview(0, NOW)

    assert raised.value.reason is Reason.STORE_UNAVAILABLE
