"""What is done to one experiment: previewed, applied, and brought from state to state.

Whatever is refused comes back with the page as it is now and everything that was typed.
"""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

from starlette.responses import Response

from understudy.server.dashboard import calls
from understudy.server.dashboard.differences import differ
from understudy.server.dashboard.faults import status_of
from understudy.server.dashboard.merging import merge
from understudy.server.dashboard.page import Page
from understudy.server.dashboard.pages.audit import find_revision, find_trail
from understudy.server.dashboard.pages.experiment import Clash, show_page
from understudy.server.dashboard.sheets import Sheet, read_sheet, read_typed, write_sheet
from understudy.server.dashboard.visit import Visit
from understudy.server.domain.experiments import Experiment
from understudy.server.errors import Reason, UnderstudyError

_EVERYTHING: Final = ("*",)
_LONGEST_CAUSE: Final = 1024  # characters


async def preview(visit: Visit) -> Response:
    """Show what would change, and for how many."""
    name = visit.path["id"]
    try:
        current = visit.house.desk.get(name)
        wanted = read_sheet(read_typed(visit.form, name), current)
        after, moved = await visit.ask(_update(visit, wanted, validate_only=True))
    except UnderstudyError as error:
        return visit.fragment(
            "preview.html", told=error.message, stale=error.reason is Reason.ETAG_MISMATCH
        )
    return visit.fragment(
        "preview.html",
        told="",
        stale=False,
        lines=differ(current, after),
        moved=moved,
        is_live=current.state.is_live,
        opens_epoch=len(after.epochs) > len(current.epochs),
    )


async def apply(visit: Visit) -> Response:
    """Change it, if it is still as it was when the form was filled."""
    name = visit.path["id"]
    sheet = read_typed(visit.form, name)
    current = visit.house.desk.get(name)
    try:
        wanted = read_sheet(sheet, current)
        after, _ = await visit.ask(_update(visit, wanted))
    except UnderstudyError as error:
        current = visit.house.desk.get(name)
        if error.reason is Reason.ETAG_MISMATCH:
            return await _show_clash(visit, sheet, current)
        return await show_page(visit, current, status_of(error), sheet=sheet, told=error.message)
    done = "same" if after.etag == visit.form.get("etag") else "applied"
    return visit.go("/experiments/{}", name, done=done)


async def _show_clash(visit: Visit, sheet: Sheet, current: Experiment) -> Response:
    """Show both edits, and a form that holds both where they do not exclude each other."""
    seen = visit.form.get("etag").strip('"')
    base = await find_revision(visit, current.id, int(seen)) if seen.isdigit() else None
    trail = await find_trail(visit, current.id, limit=1)
    latest = trail.entries[0].entry if trail.entries else None
    mine = read_sheet(sheet, base or current)
    joined = merge(base, mine, current) if base is not None else mine
    clash = Clash(
        theirs=differ(base, current) if base is not None else (),
        mine=differ(base or current, mine),
        is_merged=base is not None,
        actor=latest.actor if latest else "",
        instant=latest.instant if latest else current.updated,
    )
    return await show_page(visit, current, 409, sheet=write_sheet(joined), clash=clash)


def _update(
    visit: Visit, wanted: Experiment, *, validate_only: bool = False
) -> Coroutine[Any, Any, tuple[Experiment, int]]:
    return visit.house.desk.update(
        wanted,
        etag=visit.form.get("etag"),
        paths=_EVERYTHING,
        actor=visit.identity.name,
        validate_only=validate_only,
    )


Act = Callable[[Visit, str, str], Awaitable[object]]


def _acting(act: Act, done: str) -> Callable[[Visit], Awaitable[Response]]:
    async def answer(visit: Visit) -> Response:
        name = visit.path["id"]
        try:
            await act(visit, name, visit.form.get("etag"))
        except UnderstudyError as error:
            if error.reason is Reason.EXPERIMENT_NOT_FOUND:
                raise
            told = error.message
            if error.reason is Reason.ETAG_MISMATCH:
                told = (
                    "Nothing was done: somebody changed this experiment after you opened it. "
                    "Here it is as it is now; look, and do it again if you still want to."
                )
            current = visit.house.desk.get(name)
            return await show_page(visit, current, status_of(error), told=told)
        if not done:
            return visit.go("/experiments")
        return visit.go("/experiments/{}", name, done=done)

    return answer


async def _start(visit: Visit, name: str, etag: str) -> object:
    return await visit.ask(visit.house.desk.start(name, etag=etag, actor=visit.identity.name))


async def _hold(visit: Visit, name: str, etag: str) -> object:
    return await visit.ask(visit.house.desk.pause(name, etag=etag, actor=visit.identity.name))


async def _resume(visit: Visit, name: str, etag: str) -> object:
    return await visit.ask(visit.house.desk.resume(name, etag=etag, actor=visit.identity.name))


async def _roll_back(visit: Visit, name: str, etag: str) -> object:
    # Whatever the page has seen last: who wants it stopped wants it stopped.
    cause = visit.form.get("cause")[:_LONGEST_CAUSE]
    return await visit.ask(visit.house.desk.rollback(name, cause=cause, actor=visit.identity.name))


async def _conclude(visit: Visit, name: str, etag: str) -> object:
    winner = visit.form.get("winner")
    return await visit.ask(
        visit.house.desk.conclude(name, etag=etag, winner=winner, actor=visit.identity.name)
    )


async def _delete(visit: Visit, name: str, etag: str) -> object:
    return await visit.ask(visit.house.desk.delete(name, etag=etag, actor=visit.identity.name))


def _page(verb: str, call: str, answer: Callable[[Visit], Awaitable[Response]]) -> Page:
    return Page(f"/experiments/{{id}}/{verb}", call, answer, changes=True)


PAGES: Final = (
    Page("/experiments/{id}/preview", calls.UPDATE_EXPERIMENT, preview, changes=True, part=True),
    _page("apply", calls.UPDATE_EXPERIMENT, apply),
    _page("start", calls.START_EXPERIMENT, _acting(_start, "started")),
    _page("hold", calls.PAUSE_EXPERIMENT, _acting(_hold, "held")),
    _page("resume", calls.RESUME_EXPERIMENT, _acting(_resume, "resumed")),
    _page("roll-back", calls.ROLL_BACK_EXPERIMENT, _acting(_roll_back, "rolled-back")),
    _page("conclude", calls.CONCLUDE_EXPERIMENT, _acting(_conclude, "concluded")),
    _page("delete", calls.DELETE_EXPERIMENT, _acting(_delete, "")),
)
