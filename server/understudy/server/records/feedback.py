"""Keeps what people and programs say of answers. Blocks: ask in a thread.

An opinion may be here before its call: a call is written when it has ended, and then with others.
It is taken at once, and joined to its call when that has come, which is `joining`.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct, structs
from sqlalchemy import Connection, Engine, RowMapping, func, select
from sqlalchemy.dialects import postgresql, sqlite

from understudy.server.database.asking import asking, refusing
from understudy.server.database.engine import writing
from understudy.server.domain.feedback import Feedback
from understudy.server.errors import Reason, RequestError, UnderstudyError
from understudy.server.records.joining import find_call
from understudy.server.records.schema import feedback

MOST_SHOWN: Final = 100  # of one answer

NUMBER: Final = "NUMBER"
BOOLEAN: Final = "BOOLEAN"
TEXT: Final = "TEXT"

_AWAY: Final = "the feedback cannot be kept"
_UNREAD: Final = "the feedback cannot be read"
_YOUNG: Final = 3_600_000_000  # microseconds: no call takes longer, and is written after that
_ID_DIGITS: Final = 32
_TIME_DIGITS: Final = 12


class FeedbackTally(Struct, frozen=True):
    """Opinions of one metric and kind on a variant's answers, or on those of a silent model.

    `total` is the sum of numbers, or how many said yes, and `squares` the sum of squares; both
    are 0 for words.
    """

    variant: str
    epoch: int
    silent_model: str
    metric: str
    kind: str
    count: int
    total: float
    squares: float


class FeedbackBook:
    """Feedback, kept in the store. Each method raises RefusedError if the store is away."""

    def __init__(
        self,
        engine: Engine,
        epoch: Callable[[], int],
        new_id: Callable[[], str],
        on_feedback: Callable[[Feedback], None],
    ) -> None:
        self._engine = engine
        self._epoch = epoch
        self._new_id = new_id
        self._on_feedback = on_feedback

    def keep(self, said: Feedback) -> str:
        """Keep an opinion; return its id. `created` is set here, and `id` if it is empty.

        The same twice is kept once, and told to `on_feedback` once. Raises UnderstudyError:
        PAIR_NOT_FOUND for a pair that is none, FEEDBACK_EXISTS if the id is that of another
        opinion, INVALID_REQUEST for a silent model that was not asked.
        """
        said = structs.replace(said, id=said.id or self._new_id(), created=self._epoch())
        with refusing(_AWAY), writing(self._engine) as connection:
            earlier = _find(connection, said.id)
            is_new = earlier is None and self._insert(connection, said)
            if not is_new:
                # Of two at the same time, PostgreSQL lets one wait for the other, and then see it.
                earlier = earlier or _find(connection, said.id)
        if earlier is not None and not _is_same(earlier, said):
            raise UnderstudyError(
                Reason.FEEDBACK_EXISTS,
                f"the feedback_id {said.id!r} is that of another feedback; give each its own, or "
                "leave it out",
                metadata={"feedback": said.id},
            )
        if is_new:
            self._on_feedback(said)
        return said.id

    def by_variant(
        self, experiment: str, *, start: int | None = None, end: int | None = None
    ) -> tuple[FeedbackTally, ...]:
        """Return what was said of an experiment's answers, of calls that began in [start, end).

        Those that were not compared, which have no epoch, are left out.
        """
        group = (
            feedback.c.variant,
            feedback.c.epoch,
            feedback.c.silent_model,
            feedback.c.metric,
            feedback.c.kind,
        )
        number = func.coalesce(feedback.c.number, 0.0)
        statement = (
            select(*group, func.count(), func.sum(number), func.sum(number * number))
            .where(feedback.c.experiment == experiment, feedback.c.epoch > 0)
            .group_by(*group)
            .order_by(*group)
        )
        if start is not None:
            statement = statement.where(feedback.c.start_time >= start)
        if end is not None:
            statement = statement.where(feedback.c.start_time < end)
        with asking(self._engine, _UNREAD) as connection:
            return tuple(FeedbackTally(*row) for row in connection.execute(statement))

    def _insert(self, connection: Connection, said: Feedback) -> bool:
        """Write a new opinion; return whether it was none that has come meanwhile."""
        begun = _read_time(said.pair_id)
        is_young = begun is not None and abs(said.created - begun) < _YOUNG
        call = find_call(connection, said.pair_id, said.silent_model, said.created)
        if call is None and (begun is None or not is_young):
            raise RequestError(
                f"no request has the pair_id {said.pair_id}, or it is past its retention",
                field="pair_id",
                reason=Reason.PAIR_NOT_FOUND,
                metadata={"pair": said.pair_id},
            )
        insert: postgresql.Insert | sqlite.Insert = (
            postgresql.insert(feedback)
            if connection.dialect.name == "postgresql"
            else sqlite.insert(feedback)
        )
        row = _write_row(said)
        row |= {"start_time": begun} if call is None else call.columns
        insert = insert.on_conflict_do_nothing().values(**row)
        return connection.scalar(insert.returning(feedback.c.id)) is not None


def read_feedback(
    connection: Connection, pair_ids: Sequence[str]
) -> dict[tuple[str, str], tuple[Feedback, ...]]:
    """Return the opinions on answers, by pair and silent model, the oldest first."""
    found: defaultdict[tuple[str, str], list[Feedback]] = defaultdict(list)
    statement = (
        select(feedback)
        .where(feedback.c.pair_id.in_(pair_ids))
        .order_by(feedback.c.create_time, feedback.c.id)
    )
    for row in connection.execute(statement).mappings():
        said = found[row["pair_id"], row["silent_model"]]
        if len(said) < MOST_SHOWN:
            said.append(_read_row(row))
    return {key: tuple(said) for key, said in found.items()}


def _find(connection: Connection, feedback_id: str) -> Feedback | None:
    statement = select(feedback).where(feedback.c.id == feedback_id)
    row = connection.execute(statement).mappings().first()
    return None if row is None else _read_row(row)


def _is_same(one: Feedback, other: Feedback) -> bool:
    """Whether two opinions say the same of the same, whoever said so and when."""
    alike = structs.replace(one, actor=other.actor, created=other.created)
    return alike == other and type(one.value) is type(other.value)


def _read_time(pair_id: str) -> int | None:
    """Return when a pair began by its id, in microseconds, `None` if it is none of ours."""
    if len(pair_id) != _ID_DIGITS or not set(pair_id) <= set("0123456789abcdef"):
        return None
    return int(pair_id[:_TIME_DIGITS], 16) * 1000


def _write_row(said: Feedback) -> dict[str, object]:
    kind, number, text = NUMBER, None, None
    match said.value:
        case bool():
            kind, number = BOOLEAN, float(said.value)
        case str():
            kind, text = TEXT, said.value
        case _:
            number = said.value
    return {
        "id": said.id,
        "pair_id": said.pair_id,
        "silent_model": said.silent_model,
        "metric": said.metric,
        "kind": kind,
        "number": number,
        "text": text,
        "actor": said.actor,
        "create_time": said.created,
    }


def _read_row(row: RowMapping) -> Feedback:
    value: float | bool | str = row["number"] if row["kind"] == NUMBER else row["text"] or ""
    if row["kind"] == BOOLEAN:
        value = bool(row["number"])
    return Feedback(
        row["id"],
        row["pair_id"],
        row["metric"],
        value,
        row["silent_model"],
        row["actor"],
        row["create_time"],
    )
