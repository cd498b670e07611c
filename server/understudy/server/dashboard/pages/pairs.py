"""Pairs: what the silent model said beside the primary, and where they differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from understudy.server.dashboard import calls
from understudy.server.dashboard.controls import PAIR_CONTROLS, read_controls, write_filter
from understudy.server.dashboard.lists import Leaf, Sort, read_asked, turn
from understudy.server.dashboard.page import Page
from understudy.server.dashboard.pages.logs import find_pair
from understudy.server.dashboard.sides import Beside, find_primary, find_side, put_beside
from understudy.server.dashboard.visit import Visit
from understudy.server.dashboard.words import Pieces, show_prompt
from understudy.server.domain.mirroring import Outcome
from understudy.server.domain.ratings import Rating
from understudy.server.domain.record_queries import EVERYTHING, PAIR_FIELDS, Condition
from understudy.server.domain.records import Kept, Pair, SilentSide
from understudy.server.errors import RefusedError, RequestError
from understudy.server.questions.record_filter import read_filter
from understudy.server.questions.text_absence import tell_absence

SORTS: Final = (
    Sort("", "Newest first", "start_time", descending=True),
    Sort("worst", "Least similar first", "similarity", descending=False),
    Sort("slower", "Slower than the primary first", "latency_difference", descending=True),
    Sort("dearer", "Dearer than the primary first", "cost_difference", descending=True),
    Sort("longer", "Longer than the primary first", "length_difference", descending=True),
    Sort("shorter", "Shorter than the primary first", "length_difference", descending=False),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One pair in the list: the silent model that it is listed for, and how many others it has."""

    pair_id: str
    started: int
    experiment: str
    primary: Kept | None
    side: SilentSide
    others: int


async def show(visit: Visit) -> Response:
    """Show a page of the list, and what it is asked by."""
    told, status = "", 200
    condition: Condition = EVERYTHING
    asked = read_asked(visit, SORTS)
    leaf: Leaf[Pair] = Leaf(())
    records = visit.house.records
    try:
        condition = read_filter(asked.filter, PAIR_FIELDS)
        if records is not None:
            leaf = await turn(
                visit,
                asked,
                condition,
                lambda query: records.reader.list_pairs(query, with_texts=False),
            )
    except RequestError as error:
        told, status = error.message, 422
    except RefusedError as error:
        told, status = error.message, 503
    held = read_controls(condition, PAIR_CONTROLS)
    return visit.page(
        "pairs.html",
        status,
        leaf=leaf,
        rows=[_row(pair, place.silent_model) for pair, place in leaf.items],
        told=told,
        asked=asked,
        sorts=SORTS,
        held=held or {},
        is_by_hand=held is None or status == 422,
        groups_chosen=[(one, one) for one in visit.house.names().groups],
        outcomes_chosen=[(one.value, one.lower().replace("_", " ")) for one in Outcome],
        is_off=records is None,
    )


async def find(visit: Visit) -> Response:
    """Go where the fields of the form say."""
    said = {name: visit.query.get(name, "") for name in ("words", "sort")}
    said["filter"] = write_filter(visit.query, PAIR_CONTROLS)
    return visit.go("/pairs", **{name: text for name, text in said.items() if text})


async def show_pair(visit: Visit) -> Response:
    """Show one pair, as a page."""
    return visit.page("pair.html", **await _tell(visit))


async def show_inside(visit: Visit) -> Response:
    """Show the same as a part of another page."""
    return visit.fragment("pair_inside.html", **await _tell(visit))


def show_question(kept: Sequence[Kept]) -> Pieces | None:
    """Return the prompt that these calls share, `None` if it is not there."""
    prompts = (one.texts.messages for one in kept if one.texts.messages is not None)
    prompt = next(prompts, None)
    return None if prompt is None else show_prompt(prompt)


async def _tell(visit: Visit) -> dict[str, object]:
    pair = await find_pair(visit)
    wanted = visit.query.get("silent", "")
    some = [one for one in pair.silents if wanted in ("", one.silent_model)]
    primary = find_primary(pair)
    sides = [(one, await _compare(visit, primary, one)) for one in some]
    kept = [*pair.primary, *(one.kept for one in pair.silents if one.kept is not None)]
    return {
        "pair": pair,
        "primary": primary,
        "sides": sides,
        "others": [one.silent_model for one in pair.silents if one not in some],
        "prompt": show_question(kept),
        "no_prompt": tell_absence(kept[0], is_reader=visit.sees_texts) if kept else "",
        "ratings": await _find_ratings(visit, pair.pair_id),
    }


async def _compare(visit: Visit, primary: Kept | None, side: SilentSide) -> Beside:
    # It may take a moment, for which the other pages need not wait.
    return await visit.read(lambda: put_beside(primary, side.kept, is_reader=visit.sees_texts))


async def _find_ratings(visit: Visit, pair_id: str) -> tuple[Rating, ...]:
    records = visit.house.records
    return await visit.read(lambda: records.ratings.of_pair(pair_id)) if records else ()


def _row(pair: Pair, silent_model: str) -> Row:
    primary = find_primary(pair)
    side = find_side(pair, silent_model) or pair.silents[0]
    any_of_it = primary or side.kept
    return Row(
        pair.pair_id,
        any_of_it.record.started if any_of_it else 0,
        any_of_it.record.experiment if any_of_it else "",
        primary,
        side,
        len(pair.silents) - 1,
    )


PAGES: Final = (
    Page("/pairs", calls.LIST_PAIRS, show),
    Page("/pairs/find", calls.LIST_PAIRS, find),
    Page("/pairs/{pair_id}", calls.GET_PAIR, show_pair),
    Page("/pairs/{pair_id}/inside", calls.GET_PAIR, show_inside, part=True),
)
