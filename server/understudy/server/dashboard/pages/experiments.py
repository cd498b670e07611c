"""The list of experiments: where each is in its life, its split, and how it does."""

import time
from collections.abc import Mapping, Sequence
from typing import Final

from starlette.responses import Response

from understudy.server.dashboard import calls
from understudy.server.dashboard.page import Page
from understudy.server.dashboard.pages.snippets import first_call
from understudy.server.dashboard.visit import Visit
from understudy.server.domain.experiments import Experiment, State
from understudy.server.domain.figures import Measures, Step
from understudy.server.errors import RefusedError

WINDOW: Final = 15 * Step.MINUTE.value  # what the list's figures are of

# What wants looking at comes first.
_ORDER: Final = (State.RUNNING, State.PAUSED, State.DRAFT, State.ROLLED_BACK, State.CONCLUDED)


async def show(visit: Visit) -> Response:
    """Show the page."""
    return visit.page("experiments.html", **await _gather(visit))


async def show_table(visit: Visit) -> Response:
    """Show what of it changes."""
    return visit.fragment("experiments_table.html", **await _gather(visit))


async def _gather(visit: Visit) -> dict[str, object]:
    experiments = sorted(
        visit.house.desk.roster.experiments.values(),
        key=lambda one: (_ORDER.index(one.state), -one.updated, one.id),
    )
    figures, trouble = await _find_figures(visit, experiments)
    return {
        "experiments": experiments,
        "figures": figures,
        "trouble": trouble,
        "snippet": first_call(visit.house),
    }


async def _find_figures(
    visit: Visit, experiments: Sequence[Experiment]
) -> tuple[Mapping[str, Measures], str]:
    """Return figures by experiment, and why there are none."""
    records = visit.house.records
    if records is None:
        return {}, "No figures: nothing is recorded (understudy.records.enabled)."
    if not experiments:
        return {}, ""
    now = time.time_ns() // 1000
    try:
        return await visit.read(lambda: records.figures.overview(now - WINDOW, now)), ""
    except RefusedError as error:
        return {}, f"No figures: {error.message}."


PAGES: Final = (
    Page("/experiments", calls.LIST_EXPERIMENTS, show),
    Page("/parts/experiments", calls.LIST_EXPERIMENTS, show_table, part=True),
)
