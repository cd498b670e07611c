"""Every upstream call: the list of them, and all that is known of one."""

from typing import Final

from starlette.responses import Response

from understudy.server.dashboard import calls
from understudy.server.dashboard.controls import RECORD_CONTROLS, read_controls, write_filter
from understudy.server.dashboard.lists import Asked, Leaf, Sort, read_asked, turn
from understudy.server.dashboard.page import Page
from understudy.server.dashboard.seams import Records
from understudy.server.dashboard.visit import Visit
from understudy.server.dashboard.words import show_answer, show_prompt
from understudy.server.domain.feedback import Feedback
from understudy.server.domain.record_queries import EVERYTHING, RECORD_FIELDS, Condition
from understudy.server.domain.records import Kept, Pair, Role
from understudy.server.errors import Reason, RefusedError, RequestError, UnderstudyError
from understudy.server.questions.record_filter import read_filter
from understudy.server.questions.text_absence import tell_absence

SORTS: Final = (
    Sort("", "Newest first", "start_time", descending=True),
    Sort("slowest", "Slowest first", "latency", descending=True),
    Sort("dearest", "Dearest first", "cost", descending=True),
)
PROMPT: Final = "prompt"


async def show(visit: Visit) -> Response:
    """Show a page of the list, and what it is asked by."""
    told, status = "", 200
    condition: Condition = EVERYTHING
    asked = read_asked(visit, SORTS)
    leaf: Leaf[Kept] = Leaf(())
    try:
        condition = read_condition(asked.filter)
        leaf = await _turn(visit, asked, condition)
    except RequestError as error:
        told, status = error.message, 422
    except RefusedError as error:
        told, status = error.message, 503
    held = read_controls(condition, RECORD_CONTROLS)
    return visit.page(
        "logs.html",
        status,
        leaf=leaf,
        told=told,
        asked=asked,
        sorts=SORTS,
        held=held or {},
        is_by_hand=held is None or status == 422,
        groups_chosen=[(one, one) for one in visit.house.names().groups],
        roles_chosen=[(one.value, one.lower()) for one in Role],
        is_live=is_live(visit),
        is_off=visit.house.records is None,
    )


async def show_rows(visit: Visit) -> Response:
    """Show the rows alone."""
    asked = read_asked(visit, SORTS)
    leaf = await _turn(visit, asked, read_condition(asked.filter))
    return visit.fragment("logs_rows.html", leaf=leaf, asked=asked, is_live=is_live(visit))


async def find(visit: Visit) -> Response:
    """Go where the fields of the form say."""
    said = {name: visit.query.get(name, "") for name in ("words", "sort", "live")}
    said["filter"] = write_filter(visit.query, RECORD_CONTROLS)
    return visit.go("/logs", **{name: text for name, text in said.items() if text})


async def show_call(visit: Visit) -> Response:
    """Show all that is known of one request, as a page."""
    pair = await find_pair(visit)
    return visit.page("call.html", **_tell(visit, pair))


async def show_inside(visit: Visit) -> Response:
    """Show the same as a part of another page."""
    pair = await find_pair(visit)
    return visit.fragment("call_inside.html", **_tell(visit, pair))


async def show_text(visit: Visit) -> Response:
    """Show a prompt or an answer uncut."""
    pair = await find_pair(visit)
    part = visit.query.get("part", "")
    said = [one for one in _attempts(pair) if part in (PROMPT, one.record.id)]
    texts = said[0].texts if said and visit.sees_texts else None
    pieces = None
    if texts is not None and part == PROMPT and texts.messages is not None:
        pieces = show_prompt(texts.messages, whole=True)
    elif texts is not None and part != PROMPT and texts.choices is not None:
        pieces = show_answer(texts.choices, whole=True)
    return visit.fragment("call_text.html", pieces=pieces)


def is_live(visit: Visit) -> bool:
    """Whether the list is to keep itself up to date."""
    return visit.query.get("live") == "1"


def read_condition(text: str) -> Condition:
    """Return what a filter of calls means. Raises RequestError."""
    return read_filter(text, RECORD_FIELDS, labels=True)


def records_of(visit: Visit) -> Records:
    """Return the records. Raises RefusedError where none are kept."""
    if visit.house.records is None:
        raise RefusedError(
            Reason.NOT_IMPLEMENTED, "nothing is recorded (understudy.records.enabled)"
        )
    return visit.house.records


async def find_pair(visit: Visit) -> Pair:
    """Return the request that the address names. Raises UnderstudyError if there is none."""
    reader, name = records_of(visit).reader, visit.path["pair_id"]
    pair = None
    if "\0" not in name:
        pair = await visit.read(lambda: reader.get_pair(name, with_texts=visit.sees_texts))
    if pair is None:
        told = "no request has this id, or it is past its retention"
        raise UnderstudyError(Reason.PAIR_NOT_FOUND, told)
    return pair


async def _turn(visit: Visit, asked: Asked, condition: Condition) -> Leaf[Kept]:
    if visit.house.records is None:
        return Leaf(())
    reader = visit.house.records.reader
    # The texts are not in the list: it is found sooner without them.
    return await turn(
        visit, asked, condition, lambda query: reader.list_records(query, with_texts=False)
    )


def _attempts(pair: Pair) -> tuple[Kept, ...]:
    return (*pair.primary, *(one.kept for one in pair.silents if one.kept is not None))


def _tell(visit: Visit, pair: Pair) -> dict[str, object]:
    attempts = _attempts(pair)
    prompt = next((one.texts.messages for one in attempts if one.texts.messages is not None), None)
    return {
        "pair": pair,
        "first": attempts[0].record if attempts else None,
        "attempts": [
            (
                one.record,
                None if one.texts.choices is None else show_answer(one.texts.choices),
                tell_absence(one, is_reader=visit.sees_texts),
                [(said, _opinion(said, is_reader=visit.sees_texts)) for said in one.feedback],
            )
            for one in attempts
        ],
        "prompt": None if prompt is None else show_prompt(prompt),
        "no_prompt": tell_absence(attempts[0], is_reader=visit.sees_texts) if attempts else "",
    }


def _opinion(said: Feedback, *, is_reader: bool) -> str:
    match said.value:
        case bool():
            return "yes" if said.value else "no"
        case str():
            return said.value if is_reader else "words, which are for readers only"
        case _:
            return f"{said.value:g}"


PAGES: Final = (
    Page("/logs", calls.LIST_RECORDS, show),
    Page("/logs/rows", calls.LIST_RECORDS, show_rows, part=True),
    Page("/logs/find", calls.LIST_RECORDS, find),
    Page("/calls/{pair_id}", calls.GET_PAIR, show_call),
    Page("/calls/{pair_id}/inside", calls.GET_PAIR, show_inside, part=True),
    Page("/calls/{pair_id}/text", calls.GET_PAIR, show_text, part=True),
)
