"""Deployments and the mirror: how each is now, and the brake of the mirror."""

import time
from collections.abc import Mapping
from typing import Final

from starlette.responses import Response

from understudy.server.dashboard import calls
from understudy.server.dashboard.page import Page
from understudy.server.dashboard.pages.windows import WINDOWS
from understudy.server.dashboard.visit import Visit
from understudy.server.domain.figures import ANSWERING, Dimension, Measures, Scope
from understudy.server.domain.records import Role
from understudy.server.errors import RefusedError, RequestError

_WINDOW: Final = WINDOWS[0].length
_DONE: Final = {
    "stopped": "Mirroring has stopped; also after a restart, until it is resumed.",
    "resumed": "Mirroring goes on.",
}
_LONGEST_CAUSE: Final = 500  # characters


async def show(visit: Visit) -> Response:
    """Show the page."""
    done = _DONE.get(visit.query.get("done", ""), "")
    return visit.page("operations.html", done=done, **await _tell(visit))


async def show_now(visit: Visit) -> Response:
    """Show what of it changes by itself."""
    return visit.fragment("operations_now.html", **await _tell(visit))


async def pause(visit: Visit) -> Response:
    """Stop mirroring to one silent model, or to all."""
    name, cause = _read(visit)
    await visit.ask(visit.house.host.pause(name, actor=visit.identity.name, cause=cause))
    return visit.go("/deployments", done="stopped")


async def resume(visit: Visit) -> Response:
    """Go on with one, or with all."""
    name, cause = _read(visit)
    await visit.ask(visit.house.host.resume(name, actor=visit.identity.name, cause=cause))
    return visit.go("/deployments", done="resumed")


def _read(visit: Visit) -> tuple[str, str]:
    # A form that lost its field must not stop, or start, all of them.
    if "silent_model" not in visit.form:
        raise RequestError("say which silent model; an empty name is all of them")
    cause = " ".join(visit.form.get("cause").split())  # it becomes a line of the log
    return visit.form.get("silent_model"), cause[:_LONGEST_CAUSE]


async def _tell(visit: Visit) -> dict[str, object]:
    board = await visit.ask(visit.house.host.status())
    asked, trouble = await _find_figures(visit, ANSWERING, Dimension.DEPLOYMENT)
    silent, _ = await _find_figures(visit, frozenset({Role.SILENT}), Dimension.GROUP)
    return {"board": board, "asked": asked, "silent": silent, "trouble": trouble}


async def _find_figures(
    visit: Visit, roles: frozenset[Role], by: Dimension
) -> tuple[Mapping[str, Measures], str]:
    """Return figures of the last minutes by name, and why there are none."""
    records = visit.house.records
    if records is None:
        return {}, "No figures: nothing is recorded (understudy.records.enabled)."
    now = time.time_ns() // 1000
    scope = Scope(start=now - _WINDOW, end=now + 1, roles=roles)
    try:
        totals = await visit.read(lambda: records.figures.totals(scope, by))
    except RefusedError as error:
        return {}, f"No figures: {error.message}."
    return {one.name: one.measures for one in totals.parts}, ""


PAGES: Final = (
    Page("/deployments", calls.GET_STATUS, show),
    Page("/deployments/now", calls.GET_STATUS, show_now, part=True),
    Page("/mirror/pause", calls.PAUSE_MIRRORING, pause, changes=True),
    Page("/mirror/resume", calls.RESUME_MIRRORING, resume, changes=True),
)
