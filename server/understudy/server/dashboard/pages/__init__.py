"""The pages. Each module has a `PAGES`; `PAGES` here is all of them, `NAV` what leads to them."""

from typing import Final

from understudy.server.dashboard import calls
from understudy.server.dashboard.page import NavEntry, Page
from understudy.server.dashboard.pages import (
    audit,
    changing,
    drafting,
    experiment,
    experiments,
    logs,
    logs_export,
    operations,
    pairs,
    reports,
    review,
)

PAGES: Final[tuple[Page, ...]] = (
    *experiments.PAGES,
    *drafting.PAGES,
    *experiment.PAGES,
    *audit.PAGES,
    *changing.PAGES,
    *logs.PAGES,
    *logs_export.PAGES,
    *review.PAGES,  # before those of any pair: they begin alike
    *pairs.PAGES,
    *operations.PAGES,
    *reports.PAGES,
)

NAV: Final = (
    NavEntry("Experiments", "/experiments", calls.LIST_EXPERIMENTS),
    NavEntry("Logs", "/logs", calls.LIST_RECORDS),
    NavEntry("Pairs", "/pairs", calls.LIST_PAIRS),
    NavEntry("Reports", "/reports", calls.GET_REPORT),
    NavEntry("Deployments", "/deployments", calls.GET_STATUS),
)
