"""Keeps what reviewers say of pairs, and finds them the next one. Blocks: ask in a thread."""

from collections import defaultdict
from collections.abc import Callable
from typing import Final

from sqlalchemy import ColumnElement, Connection, Engine, and_, delete, exists, func, insert, select
from sqlalchemy import text as sql

from understudy.server.database.asking import asking, refusing
from understudy.server.database.engine import writing
from understudy.server.domain.mirroring import Outcome
from understudy.server.domain.ratings import Rating, Side, Tally, Unrated, Verdict
from understudy.server.domain.records import Role
from understudy.server.errors import Reason, RequestError
from understudy.server.records.cleaning import clean
from understudy.server.records.fold import PROMPT
from understudy.server.records.schema import offers, ratings, records, texts

MOST_LOOKED_AT: Final = 5_000  # pairs, to find one that is not rated
# A text is of when its upstream call began, an offer of when its request came.
_EARLIER: Final = 3_600_000_000  # microseconds

_AWAY: Final = "the ratings cannot be kept"
_UNREAD: Final = "the ratings cannot be read"


class Ratings:
    """Ratings, kept in the store. Each method raises RefusedError if the store is away."""

    def __init__(self, engine: Engine, epoch: Callable[[], int]) -> None:
        self._engine = engine
        self._epoch = epoch

    def rate(self, rating: Rating) -> None:
        """Keep a rating in place of the same reviewer's earlier one. `created` is set here.

        Raises RequestError if the pair, or its silent model, is none that is kept.
        """
        key = {
            "pair_id": clean(rating.pair_id),
            "silent_model": clean(rating.silent_model),
            "reviewer": clean(rating.reviewer),
        }
        with refusing(_AWAY), writing(self._engine) as connection:
            compared = select(offers.c.start_time, offers.c.experiment, offers.c.variant).where(
                offers.c.pair_id == key["pair_id"],
                offers.c.silent_model == key["silent_model"],
            )
            offer = connection.execute(compared).mappings().first()
            if offer is None:
                raise RequestError(
                    f"pair {key['pair_id']!r} with silent model {key['silent_model']!r} is none "
                    "that is kept",
                    field="pair_id",
                    reason=Reason.PAIR_NOT_FOUND,
                )
            own = and_(*(ratings.c[name] == value for name, value in key.items()))
            connection.execute(delete(ratings).where(own))
            connection.execute(
                insert(ratings).values(
                    **key,
                    verdict=rating.verdict.value,
                    first_side=rating.first_side.value,
                    create_time=self._epoch(),
                    **offer,
                )
            )

    def next_unrated(
        self, reviewer: str, *, silent_model: str | None = None, ticket: float | None = None
    ) -> Unrated | None:
        """Return a pair with both texts kept that this reviewer has not rated, `None` if none.

        The newest; with a ticket in [0, 1), the first before a moment that the ticket draws.
        Only some thousands of pairs are looked at.
        """
        with asking(self._engine, _UNREAD) as connection:
            window = _find_window(connection)
            if window is None:
                return None
            first, last = window
            begin = first - _EARLIER
            if ticket is None:
                return _find(connection, reviewer, silent_model, begin, last)
            middle = first + round(ticket * (last - first))
            return _find(connection, reviewer, silent_model, begin, middle) or _find(
                connection, reviewer, silent_model, middle, last
            )

    def of_pair(self, pair_id: str) -> tuple[Rating, ...]:
        """Return what was said of a pair, the newest first."""
        newest = ratings.c.create_time.desc(), ratings.c.silent_model, ratings.c.reviewer
        statement = select(ratings).where(ratings.c.pair_id == pair_id).order_by(*newest)
        with asking(self._engine, _UNREAD) as connection:
            return tuple(
                Rating(
                    row.pair_id,
                    row.silent_model,
                    row.reviewer,
                    Verdict(row.verdict),
                    Side(row.first_side),
                    row.create_time,
                )
                for row in connection.execute(statement)
            )

    def counts(self, *, experiment: str | None = None) -> tuple[Tally, ...]:
        """Return what was said, by silent model and by the variant that it was compared with."""
        compared = ratings.c.silent_model, ratings.c.experiment, ratings.c.variant
        said = ratings.c.first_side, ratings.c.verdict
        only = ratings.c.experiment == experiment if experiment is not None else sql("1 = 1")
        verdicts = select(*compared, *said, func.count()).where(only).group_by(*compared, *said)
        pairs = (
            select(*compared, func.count(ratings.c.pair_id.distinct()))
            .where(only)
            .group_by(*compared)
            .order_by(*compared)
        )
        by_side: defaultdict[tuple[str, str, str], dict[Side, dict[Verdict, int]]]
        by_side = defaultdict(lambda: {side: dict.fromkeys(Verdict, 0) for side in Side})
        with asking(self._engine, _UNREAD) as connection:
            for *key, side, verdict, count in connection.execute(verdicts):
                model, name, variant = key
                by_side[model, name, variant][Side(side)][Verdict(verdict)] = count
            return tuple(
                _tally(model, name, variant, count, by_side[model, name, variant])
                for model, name, variant, count in connection.execute(pairs)
            )


def _tally(
    silent_model: str,
    experiment: str,
    variant: str,
    pairs: int,
    by_side: dict[Side, dict[Verdict, int]],
) -> Tally:
    primary, silent, ties = (
        sum(counts[verdict] for counts in by_side.values())
        for verdict in (Verdict.PRIMARY, Verdict.SILENT, Verdict.TIE)
    )
    return Tally(silent_model, experiment, variant, primary, silent, ties, pairs, by_side)


def _find_window(connection: Connection) -> tuple[int, int] | None:
    """Return from when to when texts are kept."""
    is_kept = sql("NOT texts.is_blank" if _is_postgresql(connection) else "texts.is_blank = 0")
    oldest, newest = (
        connection.scalar(select(one(texts.c.create_time)).where(is_kept))
        for one in (func.min, func.max)
    )
    return None if oldest is None or newest is None else (oldest, newest + 1)


def _is_postgresql(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"


def _find(
    connection: Connection, reviewer: str, silent_model: str | None, first: int, end: int
) -> Unrated | None:
    newest = offers.c.start_time.desc(), offers.c.pair_id.desc(), offers.c.silent_model.desc()
    some = select(offers.c.pair_id, offers.c.silent_model, offers.c.outcome, offers.c.record_id)
    some = some.where(offers.c.start_time >= first, offers.c.start_time < end)
    if silent_model is not None:
        some = some.where(offers.c.silent_model == silent_model)
    looked_at = some.order_by(*newest).limit(MOST_LOOKED_AT).subquery()
    is_rated = exists(
        select(ratings.c.pair_id).where(
            ratings.c.pair_id == looked_at.c.pair_id,
            ratings.c.silent_model == looked_at.c.silent_model,
            ratings.c.reviewer == clean(reviewer),
        )
    )
    answer = exists(
        select(records.c.id).where(
            records.c.pair_id == looked_at.c.pair_id,
            records.c.role != Role.SILENT.value,
            records.c.reason == "",
            _is_kept(records.c.pair_id, records.c.id),
        )
    )
    found = connection.execute(
        select(looked_at.c.pair_id, looked_at.c.silent_model)
        .where(
            looked_at.c.outcome == Outcome.PAIRED.value,
            ~is_rated,
            _is_kept(looked_at.c.pair_id, PROMPT),
            _is_kept(looked_at.c.pair_id, looked_at.c.record_id),
            answer,
        )
        .limit(1)
    ).first()
    return None if found is None else Unrated(*found)


def _is_kept(pair_id: ColumnElement[str], part: ColumnElement[str] | str) -> ColumnElement[bool]:
    return exists(
        select(texts.c.pair_id).where(
            texts.c.pair_id == pair_id, texts.c.part == part, ~texts.c.is_blank
        )
    )
