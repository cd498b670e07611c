"""Computes a report: reads what is recorded, part by part, and writes its sections. Blocks.

Made for a process of its own: it reads for seconds, holds some hundred bytes of each call, and
imports scipy.
"""

from collections.abc import Generator, Iterable, Iterator
from hashlib import sha256
from typing import Final, TypeVar

from sqlalchemy import Engine

from understudy.server.domain.reports import (
    Breakdown,
    Facts,
    Progress,
    Question,
    Report,
    Section,
    Update,
)
from understudy.server.records.observations import Window
from understudy.server.records.observed_calls import count_calls, span_of_attempts
from understudy.server.records.observed_offers import span_of_offers
from understudy.server.reporting.calls import gather_calls
from understudy.server.reporting.feedback import gather_feedback
from understudy.server.reporting.pair_sections import write_pair_sections
from understudy.server.reporting.pair_views import Background
from understudy.server.reporting.pairs import gather_pairs
from understudy.server.reporting.rents import Rents
from understudy.server.reporting.scopes import ExperimentScope, SilentScope, read_scope
from understudy.server.reporting.variant_sections import write_variant_sections

T = TypeVar("T")

_READING: Final = 0.8  # of all the work, the rest being arithmetic
_STEP: Final = 0.01  # of progress that is worth telling
_LATE: Final = 0.01  # of a window, that may be empty at its begin
_QUIET: Final = 0.1  # of a window, that may be empty at its end


def compute(engine: Engine, question: Question, facts: Facts, now: int) -> Iterator[Update]:
    """Yield how far the report is, ascending, then the report; `now` is in µs since 1970.

    Raises RequestError for a question that cannot be answered, RefusedError if the store is away.
    """
    scope = read_scope(question, facts)
    asked = Window(question.start or 0, now + 1 if question.end is None else question.end)
    match scope:
        case SilentScope(group):
            found = span_of_offers(engine, group, asked)
        case ExperimentScope(name):
            found = span_of_attempts(engine, name, asked)
    window = _choose_window(question, found, now)
    match scope:
        case SilentScope(group):
            work = _compare_pairs(engine, group, window, question, facts)
        case ExperimentScope():
            work = _compare_variants(engine, window, question, facts)
    told = -1.0
    try:
        while True:
            share = min(next(work), 1.0)
            if share >= told + _STEP:
                told = share
                yield Progress(share)
    except StopIteration as end:
        sections: tuple[Section, ...] = tuple(end.value)
    yield Report(
        id=_name(question, window, now),
        parent=question.parent,
        group_by=question.group_by,
        created=now,
        start=window.start,
        end=window.end,
        sections=sections,
        caveats=tuple(_warn(question, window, found)),
    )


def _compare_pairs(
    engine: Engine, silent_model: str, window: Window, question: Question, facts: Facts
) -> Generator[float, None, list[Section]]:
    pairs = yield from _scaled(
        gather_pairs(engine, silent_model, window, question.group_by, facts.rents), 0.0, _READING
    )
    span = window.end - window.start
    rents = _spread_rents(engine, pairs.used_rents, window, facts)
    pairs.pay(rents)
    sections: list[Section] = []
    for share, section in write_pair_sections(pairs, Background(silent_model, span, rents)):
        sections.append(section)
        yield _READING + (1 - _READING) * share
    return sections


def _compare_variants(
    engine: Engine, window: Window, question: Question, facts: Facts
) -> Generator[float, None, list[Section]]:
    experiment = facts.experiment
    assert experiment is not None  # or the question would have been refused
    # Sections are by variant as it is.
    group_by = "" if question.group_by == Breakdown.VARIANT else question.group_by
    calls = yield from _scaled(
        gather_calls(engine, experiment.id, window, group_by, facts.rents), 0.0, _READING
    )
    rents = _spread_rents(engine, calls.used_rents, window, facts)
    calls.pay(rents)
    feedback = gather_feedback(engine, experiment.id, window, group_by, calls.labels)
    sections: list[Section] = []
    span = window.end - window.start
    for share, section in write_variant_sections(calls, feedback, experiment, span, rents):
        sections.append(section)
        yield _READING + (1 - _READING) * share
    return sections


def _spread_rents(
    engine: Engine, deployments: Iterable[str], window: Window, facts: Facts
) -> Rents:
    per_hour = {name: facts.rents[name] for name in deployments}
    calls = count_calls(engine, per_hour, window)
    return Rents.spread(per_hour, calls, window.end - window.start)


def _scaled(work: Generator[float, None, T], start: float, end: float) -> Generator[float, None, T]:
    """Pass on how far a part is as how far all is."""
    try:
        while True:
            yield start + (end - start) * next(work)
    except StopIteration as stop:
        value: T = stop.value
        return value


def _choose_window(question: Question, found: Window | None, now: int) -> Window:
    """Return the window that is looked at: the one asked for, from where anything is known.

    What costs by the hour, and what a month costs, would else be of a time before the first call.
    """
    end = now if question.end is None else min(question.end, max(now, question.start or 0))
    if found is None:
        return Window(end if question.start is None else question.start, end)
    end = max(end, found.end)
    if question.start is None or found.start - question.start > _LATE * (end - question.start):
        return Window(found.start, end)
    return Window(question.start, end)


def _warn(question: Question, window: Window, found: Window | None) -> Iterator[str]:
    if found is None:
        yield "nothing is recorded of it in this window"
        return
    if question.start is not None and window.start > question.start:
        yield (
            "nothing is recorded of the beginning of the window that was asked for: the report "
            "is of the time since the first call"
        )
    if window.end - found.end > _QUIET * (window.end - window.start):
        yield (
            "no call came at the end of this window: what is said per hour and per month is of "
            "all of it; ask for a window that ends earlier to leave that out"
        )


def _name(question: Question, window: Window, now: int) -> str:
    told = "\x1f".join((question.parent, question.group_by, *map(str, (*window, now))))
    return sha256(told.encode()).hexdigest()[:16]
