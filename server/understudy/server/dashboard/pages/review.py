"""Review: one pair at a time, its sides in an order that nobody knows until it is rated."""

import hashlib
import random
from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from understudy.server.dashboard import calls
from understudy.server.dashboard.page import Page
from understudy.server.dashboard.pages.logs import find_pair, records_of
from understudy.server.dashboard.pages.pairs import show_question
from understudy.server.dashboard.sides import find_primary, find_side
from understudy.server.dashboard.visit import Visit
from understudy.server.dashboard.words import Pieces, show_answer
from understudy.server.domain.ratings import Rating, Side, Tally, Unrated, Verdict
from understudy.server.domain.records import Kept, Pair
from understudy.server.errors import AccessError, Reason, RequestError, UnderstudyError

_DRAWS: Final = 8  # until another pair than the one that was skipped comes
_CHOICES: Final = frozenset({"1", "2", "0"})


@dataclass(frozen=True, slots=True)
class Shown:
    """One of the two answers. `name` is whose it is, empty until that may be known."""

    kept: Kept
    pieces: Pieces | None
    side: Side
    name: str


async def begin(visit: Visit) -> Response:
    """Go to a pair that waits for this reviewer, or say that none does."""
    _check_reader(visit)
    only, skipped = visit.query.get("silent", ""), visit.query.get("skip", "")
    found = await _draw(visit, only, skipped)
    if found is not None:
        return visit.go("/pairs/review/{}", found.pair_id, of=found.silent_model, silent=only)
    return visit.page("review_done.html", only=only, **await _tell_tally(visit, only))


async def show(visit: Visit) -> Response:
    """Show a pair: blind, or with the names once this reviewer has rated it."""
    _check_reader(visit)
    of, only = visit.query.get("of", ""), visit.query.get("silent", "")
    pair = await find_pair(visit)
    ratings = await visit.read(lambda: records_of(visit).ratings.of_pair(pair.pair_id))
    mine = next((one for one in ratings if _is_mine(visit, one, of)), None)
    order = _order(visit, pair.pair_id, of) if mine is None else mine.first_side
    shown = _show(pair, of, order, is_named=mine is not None)
    side = find_side(pair, of)
    kept = [one.kept for one in shown]
    return visit.page(
        "review.html",
        pair=pair,
        of=of,
        only=only,
        shown=shown,
        prompt=show_question(kept),
        mine=mine,
        preferred=_preferred(mine),
        comparison=side.comparison if side and mine else None,
        **await _tell_tally(visit, only),
    )


async def show_text(visit: Visit) -> Response:
    """Show the prompt, or one of the answers, uncut; which of them is told by its place only."""
    _check_reader(visit)
    of, place = visit.query.get("of", ""), visit.query.get("place", "")
    pair = await find_pair(visit)
    ratings = await visit.read(lambda: records_of(visit).ratings.of_pair(pair.pair_id))
    mine = next((one for one in ratings if _is_mine(visit, one, of)), None)
    order = _order(visit, pair.pair_id, of) if mine is None else mine.first_side
    shown = _show(pair, of, order, is_named=False)
    texts = shown[1 if place == "2" else 0].kept.texts
    pieces = None if texts.choices is None else show_answer(texts.choices, whole=True)
    return visit.fragment("call_text.html", pieces=pieces)


async def rate(visit: Visit) -> Response:
    """Take a verdict, and show what it was about."""
    _check_reader(visit)
    choice, of = visit.form.get("choice"), visit.form.get("of")
    if choice not in _CHOICES:
        raise RequestError("a verdict is 1, 2 or 0")
    pair_id, only = visit.path["pair_id"], visit.form.get("silent")
    order = _order(visit, pair_id, of)
    rating = Rating(pair_id, of, visit.identity.name, _verdict(choice, order), order)
    await visit.read(lambda: records_of(visit).ratings.rate(rating))
    return visit.go("/pairs/review/{}", pair_id, of=of, silent=only)


async def _draw(visit: Visit, only: str, skipped: str) -> Unrated | None:
    ratings, reviewer = records_of(visit).ratings, visit.identity.name

    def ask() -> Unrated | None:
        ticket = random.random()
        return ratings.next_unrated(reviewer, silent_model=only or None, ticket=ticket)

    found = await visit.read(ask)
    for _ in range(_DRAWS):
        if found is None or found.pair_id != skipped:
            break
        found = await visit.read(ask)
    return found


def _order(visit: Visit, pair_id: str, silent_model: str) -> Side:
    """Return which side comes first: by chance, and the same one until this session ends."""
    seed = f"{visit.proof}\n{visit.identity.name}\n{pair_id}\n{silent_model}"
    is_primary = hashlib.sha256(seed.encode(errors="replace")).digest()[0] & 1
    return Side.PRIMARY if is_primary else Side.SILENT


def _verdict(choice: str, first: Side) -> Verdict:
    if choice == "0":
        return Verdict.TIE
    is_primary = (choice == "1") == (first is Side.PRIMARY)
    return Verdict.PRIMARY if is_primary else Verdict.SILENT


def _show(pair: Pair, of: str, first: Side, *, is_named: bool) -> tuple[Shown, Shown]:
    primary, side = find_primary(pair), find_side(pair, of)
    if primary is None or side is None or side.kept is None:
        raise UnderstudyError(Reason.PAIR_NOT_FOUND, "this pair has not two answers to compare")
    ours = _answer(primary, Side.PRIMARY, primary.record.group if is_named else "")
    theirs = _answer(side.kept, Side.SILENT, of if is_named else "")
    return (ours, theirs) if first is Side.PRIMARY else (theirs, ours)


def _answer(kept: Kept, side: Side, name: str) -> Shown:
    choices = kept.texts.choices
    return Shown(kept, None if choices is None else show_answer(choices), side, name)


def _preferred(mine: Rating | None) -> Side | None:
    if mine is None or mine.verdict is Verdict.TIE:
        return None
    return Side(mine.verdict.value)


def _is_mine(visit: Visit, rating: Rating, of: str) -> bool:
    return rating.reviewer == visit.identity.name and rating.silent_model == of


async def _tell_tally(visit: Visit, only: str) -> dict[str, object]:
    counts = await visit.read(lambda: records_of(visit).ratings.counts())
    tallies = [one for one in counts if only in ("", one.silent_model)]
    return {
        "tallies": [(one, one.primary + one.silent + one.ties) for one in tallies],
        "first": _count_first(tallies),
        "rated": sum(one.primary + one.silent + one.ties for one in tallies),
        "groups": visit.house.names().groups,
    }


def _count_first(tallies: list[Tally]) -> tuple[int, int]:
    """Return how often the first of the two won, and how often either did."""
    won = [
        (verdict.value == side.value, count)
        for one in tallies
        for side, counts in one.by_first_side.items()
        for verdict, count in counts.items()
        if verdict is not Verdict.TIE
    ]
    return sum(count for is_first, count in won if is_first), sum(count for _, count in won)


def _check_reader(visit: Visit) -> None:
    if not visit.sees_texts:
        raise AccessError(
            Reason.ROLE_MISSING, "answers are rated by who may read them: the role `reader`"
        )


PAGES: Final = (
    Page("/pairs/review", calls.LIST_PAIRS, begin),
    Page("/pairs/review/{pair_id}", calls.GET_PAIR, show),
    Page("/pairs/review/{pair_id}/text", calls.GET_PAIR, show_text, part=True),
    Page("/pairs/review/{pair_id}/rate", calls.CREATE_FEEDBACK, rate, changes=True),
)
