"""A new experiment: written here, and saved as a draft."""

import secrets
from dataclasses import replace
from typing import Final

from starlette.responses import Response

from understudy.server.dashboard import calls
from understudy.server.dashboard.faults import status_of
from understudy.server.dashboard.page import Page
from understudy.server.dashboard.sheets import Row, Sheet, read_sheet, read_typed
from understudy.server.dashboard.visit import Visit
from understudy.server.domain.experiments import KeyKind
from understudy.server.errors import UnderstudyError
from understudy.server.experiments.checking import ID


async def begin(visit: Visit) -> Response:
    """Show an empty form: two variants, of the first groups there are."""
    groups = [*visit.house.names().groups, ""][:2]
    ids = groups if all(map(ID.fullmatch, groups)) else ["control", "challenger"]
    variants = tuple(
        Row(number, {"id": ids[number], "group": group, "weight": weight})
        for number, (group, weight) in enumerate(zip(groups, ("80", "20"), strict=True))
    )
    return _show(visit, Sheet(variants=variants))


async def save(visit: Visit) -> Response:
    """Save a draft, or show what is wrong with it."""
    sheet = read_typed(visit.form)
    try:
        draft = read_sheet(replace(sheet, id=sheet.id or f"experiment-{secrets.token_hex(4)}"))
        created = await visit.ask(visit.house.desk.create(draft, actor=visit.identity.name))
    except UnderstudyError as error:
        return _show(visit, sheet, error.message, status_of(error))
    return visit.go("/experiments/{}", created.id, done="created")


def _show(visit: Visit, sheet: Sheet, told: str = "", status: int = 200) -> Response:
    return visit.page(
        "new.html",
        status,
        sheet=sheet,
        told=told,
        groups=visit.house.names().groups,
        kinds=KeyKind,
        is_editing=False,
    )


PAGES: Final = (
    Page("/new", calls.CREATE_EXPERIMENT, begin),
    Page("/new", calls.CREATE_EXPERIMENT, save, changes=True),
)
