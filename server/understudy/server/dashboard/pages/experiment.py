"""One experiment: what it is, how it does, and what can be done with it."""

import time
from dataclasses import dataclass
from typing import Final

import msgspec
from starlette.responses import Response

from understudy.server.dashboard import calls
from understudy.server.dashboard.differences import Line
from understudy.server.dashboard.page import Page
from understudy.server.dashboard.pages.audit import Trail, find_trail
from understudy.server.dashboard.pages.snippets import calls_of
from understudy.server.dashboard.pages.windows import WINDOWS, Window, find_window
from understudy.server.dashboard.sheets import Sheet, write_sheet
from understudy.server.dashboard.visit import Visit
from understudy.server.domain.experiments import Experiment, KeyKind, State
from understudy.server.domain.figures import NOTHING, Measures, Scope, Totals
from understudy.server.errors import RefusedError

_DONE: Final = {
    "created": "Saved as a draft. Nothing asks for it yet: start it when it is as you want it.",
    "started": "Started: new calls are split as below.",
    "held": "Held: the split stays as it is, and nothing is compared.",
    "resumed": "Resumed: calls are compared again.",
    "rolled-back": "Rolled back: all traffic goes to the control.",
    "concluded": "Concluded: all traffic goes to the winner.",
    "applied": "Applied: new calls follow this.",
    "same": "Nothing was different, so nothing has changed.",
}


@dataclass(frozen=True, slots=True)
class Clash:
    """Somebody else's edit beside one's own: what each changed since the same beginning."""

    theirs: tuple[Line, ...]
    mine: tuple[Line, ...]
    is_merged: bool
    actor: str
    instant: int


async def show(visit: Visit) -> Response:
    """Show the page."""
    experiment = visit.house.desk.get(visit.path["id"])
    return await show_page(visit, experiment, done=_DONE.get(visit.query.get("done", ""), ""))


async def show_page(
    visit: Visit,
    experiment: Experiment,
    status: int = 200,
    *,
    sheet: Sheet | None = None,
    told: str = "",
    done: str = "",
    clash: Clash | None = None,
) -> Response:
    """Show the page with what was typed, what became of it, and whose edit stands in the way."""
    window = find_window(visit.query.get("window"))
    trail = await find_trail(visit, experiment.id)
    permanent = ""
    if experiment.state is State.CONCLUDED and experiment.winner:
        permanent = await visit.ask(visit.house.desk.write_permanent(experiment.id))
    return visit.page(
        "experiment.html",
        status,
        sheet=sheet or write_sheet(experiment),
        is_typed=sheet is not None,
        told=told,
        done=done,
        clash=clash,
        trail=trail,
        permanent=permanent,
        snippets=calls_of(experiment, visit.house),
        groups=visit.house.names().groups,
        kinds=KeyKind,
        windows=WINDOWS,
        etag=experiment.etag,
        is_editing=True,
        **await _now(visit, experiment, experiment.revision, trail, window),
    )


async def show_now(visit: Visit) -> Response:
    """Show what of it changes by itself: state, figures, and whether somebody changed it."""
    seen = visit.query.get("seen", "")
    roster = visit.house.desk.roster
    experiment = roster.experiments.get(visit.path["id"])
    if experiment is None:
        return visit.fragment("experiment_gone.html", name=visit.path["id"])
    is_newer = seen.isdigit() and experiment.revision > int(seen)
    trail = await find_trail(visit, experiment.id, limit=1) if is_newer else None
    window = find_window(visit.query.get("window"))
    seen_revision = int(seen) if seen.isdigit() else experiment.revision
    return visit.fragment(
        "experiment_now.html",
        **await _now(visit, experiment, seen_revision, trail, window),
    )


async def _now(
    visit: Visit, experiment: Experiment, seen: int, trail: Trail | None, window: Window
) -> dict[str, object]:
    totals, trouble = await _find_totals(visit, experiment.id, window)
    by_name = {one.name: one.measures for one in totals.parts} if totals else {}
    rows = [(one, by_name.get(one.id, NOTHING if totals else None)) for one in experiment.variants]
    known = {one.id for one in experiment.variants}
    gone = [(name, one) for name, one in by_name.items() if name not in known]
    latest = trail.entries[0].entry if trail and trail.entries else None
    return {
        "one": experiment,
        "rows": rows,
        "gone": gone,
        "whole": totals.whole if totals else None,
        "trouble": trouble,
        "seen": seen,
        "latest": latest if latest and latest.revision == experiment.revision else None,
        "window": window,
    }


async def _find_totals(visit: Visit, name: str, window: Window) -> tuple[Totals | None, str]:
    records = visit.house.records
    if records is None:
        return None, "No figures: nothing is recorded (understudy.records.enabled)."
    now = time.time_ns() // 1000
    scope = Scope(start=now - window.length, end=now + 1, experiment=name)
    try:
        return await visit.read(lambda: records.figures.totals(scope)), ""
    except RefusedError as error:
        return None, f"No figures: {error.message}."


async def show_series(visit: Visit) -> Response:
    """Return what the charts are drawn of, as JSON."""
    experiment = visit.house.desk.get(visit.path["id"])
    window = find_window(visit.query.get("window"))
    records = visit.house.records
    if records is None:
        return visit.data(b'{"instants":[],"lines":[],"epochs":[]}')
    now = time.time_ns() // 1000
    scope = Scope(start=now - window.length, end=now + 1, experiment=experiment.id)
    series = await visit.read(lambda: records.figures.series(scope, window.step))
    order = {one.id: index for index, one in enumerate(experiment.variants)}
    drawn = {
        "instants": [one / 1e6 for one in series.instants],
        "step": series.step.value / 1e6,
        "lines": [
            {
                "name": line.name,
                "colour": order.get(line.name, len(order) + index) % 8,
                "points": [None if one is None else _point(one) for one in line.points],
            }
            for index, line in enumerate(
                sorted(series.lines, key=lambda line: order.get(line.name, len(order)))
            )
        ],
        "epochs": [
            {"number": one.number, "start": one.started / 1e6, "cause": one.cause}
            for one in experiment.epochs
            if one.started >= scope.start
        ],
    }
    return visit.data(msgspec.json.encode(drawn))


def _point(one: Measures) -> dict[str, float | int | None]:
    return {
        "share": None if one.share is None else one.share * 100,
        "p50": None if one.latency_p50 is None else one.latency_p50 / 1000,
        "p95": None if one.latency_p95 is None else one.latency_p95 / 1000,
        "errors": None if one.error_rate is None else one.error_rate * 100,
        "tokens": one.prompt_tokens + one.completion_tokens,
    }


PAGES: Final = (
    Page("/experiments/{id}", calls.GET_EXPERIMENT, show),
    Page("/experiments/{id}/now", calls.GET_EXPERIMENT, show_now, part=True),
    Page("/experiments/{id}/series", calls.GET_EXPERIMENT, show_series, part=True),
)
