"""Reports: what there is to report on, and one report, which is computed while its page waits."""

import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from starlette.responses import Response

from understudy.server.dashboard import calls
from understudy.server.dashboard.house import House
from understudy.server.dashboard.page import Page
from understudy.server.dashboard.visit import Visit
from understudy.server.domain.figures import Dimension, Measures, Scope, Step
from understudy.server.domain.records import Role
from understudy.server.domain.reports import Breakdown, Question, Report
from understudy.server.errors import Reason, RefusedError, RequestError, UnderstudyError
from understudy.server.readout.sheet import arrange, tell_name

EXPERIMENTS: Final = "experiments/"
SILENT_MODELS: Final = "silentModels/"
LABEL: Final = "metadata"

_HOUR, _DAY = Step.HOUR.value, Step.DAY.value
WINDOWS: Final[Mapping[str, tuple[str, int | None]]] = {
    "1h": ("the last hour", _HOUR),
    "24h": ("the last 24 hours", _DAY),
    "7d": ("the last 7 days", 7 * _DAY),
    "30d": ("the last 30 days", 30 * _DAY),
    "all": ("all there is", None),
}
BREAKDOWNS: Final[Mapping[str, str]] = {
    Breakdown.NONE.value: "nothing",
    Breakdown.VARIANT.value: "variant",
    Breakdown.CALLER.value: "caller",
    LABEL: "a label",
}
_USUAL: Final = "7d"
_SEEN: Final = 30 * _DAY  # how far back silent models are looked for
_FURTHEST: Final = 2**62  # microseconds


@dataclass(frozen=True, slots=True)
class Asked:
    """What a report is asked by, as its address says it."""

    question: Question
    window: str
    by: str
    label: str

    @property
    def part(self) -> str:
        """Return the address, without its path, of the very same question later on."""
        asked = self.question
        said = {"parent": asked.parent, "by": self.by, "label": self.label, "window": self.window}
        start = "" if asked.start is None else str(asked.start)
        return urlencode({**said, "start": start})

    @property
    def command(self) -> str:
        """Return what asks the same on a command line."""
        since = () if self.window == "all" else ("--since", self.window)
        by = ("--by", self.question.group_by) if self.question.group_by else ()
        return shlex.join(
            ("understudy", "report", self.question.parent, *by, *since, "--format", "md")
        )


async def show_all(visit: Visit) -> Response:
    """Show what there is to report on."""
    experiments = sorted(
        visit.house.desk.roster.experiments.values(), key=lambda one: (-one.updated, one.id)
    )
    heard, trouble = await _find_silent(visit)
    names = [*heard, *sorted(_find_named(visit.house) - heard.keys())]
    return visit.page(
        "reports.html",
        experiments=experiments,
        silents=[(name, heard.get(name)) for name in names],
        trouble=trouble,
        is_off=visit.house.reports is None,
    )


async def show(visit: Visit) -> Response:
    """Show one report, or how far it is."""
    asked, told, status = None, "", 200
    try:
        asked = _read(visit, now=time.time_ns() // 1000)
    except RequestError as error:
        told, status = error.message, 422
    values = await _look(visit, asked, anew=True) if asked is not None else _nothing(told)
    parent = visit.query.get("parent", "")
    return visit.page(
        "report.html",
        status,
        name=tell_name(parent),
        parent=parent,
        by=visit.query.get("by", ""),
        label=visit.query.get("label", ""),
        window=asked.window if asked is not None else _USUAL,
        windows=WINDOWS,
        breakdowns=BREAKDOWNS,
        **values,
    )


async def show_now(visit: Visit) -> Response:
    """Show the same again, as a part of its page."""
    return visit.fragment("report_now.html", **await _look(visit, _read(visit), anew=False))


def _read(visit: Visit, now: int | None = None) -> Asked:
    """Return what the address asks for; the window ends `now`, or has begun as it says.

    Raises RequestError.
    """
    query = visit.query
    window = query.get("window", _USUAL)
    window = window if window in WINDOWS else _USUAL
    by, label = query.get("by", ""), query.get("label", "").strip()
    if by == LABEL and not label:
        raise RequestError("write the name of the label to break the figures down by")
    length = WINDOWS[window][1]
    start: int | None = None
    if now is not None and length is not None:
        # By the minute, so that who asks soon after asks the same.
        start = (now - length) // Step.MINUTE.value * Step.MINUTE.value
    elif now is None and (text := query.get("start", "")):
        start = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0
        start = min(start, _FURTHEST)
    group_by = f"{LABEL}.{label}" if by == LABEL else by
    question = Question(parent=query.get("parent", ""), group_by=group_by, start=start)
    return Asked(question, window, by, label)


async def _look(visit: Visit, asked: Asked, *, anew: bool) -> dict[str, object]:
    reports = visit.house.reports
    if reports is None:
        return _nothing("Nothing is recorded (understudy.records.enabled).")
    try:
        found = await visit.ask(reports.look(asked.question, anew=anew))
    except UnderstudyError as error:
        if error.reason is Reason.OVERLOADED:  # there will be room
            return {**_nothing(""), "share": 0.0, "asked": asked, "waits": error.message}
        return {**_nothing(error.message), "asked": asked}
    if isinstance(found, Report):
        sheet = await visit.read(lambda: arrange(found, reports.tell))
        return {**_nothing(""), "sheet": sheet, "asked": asked}
    return {**_nothing(""), "share": found.share, "asked": asked}


def _nothing(told: str) -> dict[str, object]:
    return {"sheet": None, "share": None, "told": told, "asked": None, "waits": ""}


async def _find_silent(visit: Visit) -> tuple[Mapping[str, Measures], str]:
    """Return the silent models that were heard lately, busiest first, and why none are known."""
    records = visit.house.records
    if records is None:
        return {}, ""
    now = time.time_ns() // 1000
    scope = Scope(start=now - _SEEN, end=now + 1, roles=frozenset({Role.SILENT}))
    try:
        totals = await visit.read(lambda: records.figures.totals(scope, Dimension.GROUP))
    except RefusedError as error:
        return {}, f"Silent models of before are not known: {error.message}."
    return {one.name: one.measures for one in totals.parts}, ""


def _find_named(house: House) -> set[str]:
    """Return the silent models that the configuration and the experiments name."""
    experiments = house.desk.roster.experiments.values()
    return {
        *house.names().silent_models,
        *(part.model_group for one in experiments for part in one.mirror),
    }


PAGES: Final = (
    Page("/reports", calls.GET_REPORT, show_all),
    Page("/reports/one", calls.GET_REPORT, show),
    Page("/reports/one/now", calls.GET_REPORT, show_now, part=True),
)
