"""The audit trail of an experiment: who changed what, when, and what was different then."""

from dataclasses import dataclass
from typing import Final

import msgspec
from starlette.responses import Response

from understudy.server.dashboard import calls
from understudy.server.dashboard.differences import Line, differ
from understudy.server.dashboard.page import Page
from understudy.server.dashboard.visit import Visit
from understudy.server.domain.experiments import AuditEntry, Experiment
from understudy.server.domain.record_queries import Operator, Place, Query, Term
from understudy.server.errors import RefusedError

_PAGE: Final = 10
_LONGEST: Final = 256 << 10  # characters of an entry that is compared while somebody waits
_EXPERIMENT: Final = msgspec.json.Decoder(Experiment)

_WORDS: Final = {
    "CreateExperiment": "created",
    "UpdateExperiment": "changed",
    "DeleteExperiment": "deleted",
    "StartExperiment": "started",
    "PauseExperiment": "held",
    "ResumeExperiment": "resumed",
    "RollbackExperiment": "rolled back",
    "ConcludeExperiment": "concluded",
}


@dataclass(frozen=True, slots=True)
class Told:
    """An entry, what it did in a word, and the lines that differ."""

    entry: AuditEntry
    word: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Trail:
    """Entries, the newest first. `older` is where the next page begins, 0 if there is none."""

    entries: tuple[Told, ...]
    older: int
    trouble: str = ""


async def find_trail(visit: Visit, name: str, *, before: int = 0, limit: int = _PAGE) -> Trail:
    """Return a page of the trail, or why there is none."""
    query = Query(
        Term("experiment", Operator.EQUAL, name),
        order="create_time",
        after=Place(before, "") if before else None,
        limit=limit,
    )
    try:
        found = await visit.ask(visit.house.desk.list_audit(query))
    except RefusedError as error:
        return Trail((), 0, error.message)
    entries = tuple(
        Told(one, _WORDS.get(one.action, one.action), _compare(one)) for one, _ in found.items
    )
    return Trail(entries, found.items[-1][0].seq if found.has_more else 0)


async def find_revision(visit: Visit, name: str, revision: int) -> Experiment | None:
    """Return an experiment as it was at a revision, `None` if the trail does not tell."""
    query = Query(Term("experiment", Operator.EQUAL, name), order="create_time", limit=50)
    try:
        found = await visit.ask(visit.house.desk.list_audit(query))
    except RefusedError:
        return None
    for entry, _ in found.items:
        if entry.revision == revision and entry.after:
            return _EXPERIMENT.decode(entry.after)
    return None


async def show(visit: Visit) -> Response:
    """Show an older page of the trail."""
    before = visit.query.get("before", "")
    name = visit.path["id"]
    trail = await find_trail(visit, name, before=int(before) if before.isdigit() else 0)
    return visit.fragment("audit.html", trail=trail, name=name)


def _compare(entry: AuditEntry) -> tuple[Line, ...]:
    if len(entry.before) + len(entry.after) > _LONGEST:
        return (Line("gap", "too long to compare here; `understudy experiments audit` shows it"),)
    before, after = (
        _EXPERIMENT.decode(text) if text else None for text in (entry.before, entry.after)
    )
    return differ(before, after)


PAGES: Final = (Page("/experiments/{id}/audit", calls.LIST_AUDIT_ENTRIES, show, part=True),)
