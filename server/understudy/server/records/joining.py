"""Joins opinions to the calls that they are about, which may be written after them."""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct, structs
from sqlalchemy import Connection, Engine, exists, select, update

from understudy.server.database.engine import writing
from understudy.server.domain.records import Role
from understudy.server.errors import RequestError
from understudy.server.records.schema import feedback, not_mirrored, offers, records

JOINED_AT_ONCE: Final = 500
WAITED_FOR: Final = 2 * 3_600_000_000  # microseconds, after which no call comes any more
_WRITTEN_BY: Final = 10_000_000  # microseconds after its end a call's offers are written too


class Call(Struct, frozen=True):
    """What a row of feedback takes from its call."""

    experiment: str
    variant: str
    epoch: int
    key_hash: str
    start_time: int

    @property
    def columns(self) -> Mapping[str, str | int]:
        """The columns of the row."""
        return structs.asdict(self)


def find_call(connection: Connection, pair_id: str, silent_model: str, now: int) -> Call | None:
    """Return the call that served an answer, `None` if it is not in the store, or not yet.

    Raises RequestError if it is, and its prompt was not played to the silent model.
    """
    statement = (
        select(records)
        .where(records.c.pair_id == pair_id, records.c.role != Role.SILENT.value)
        .order_by(records.c.start_time.desc(), records.c.attempt.desc())
        .limit(1)
    )
    row = connection.execute(statement).mappings().first()
    if row is None:
        return None
    call = Call(row["experiment"], row["variant"], row["epoch"], row["key_hash"], row["start_time"])
    if not silent_model:
        return call
    asked = connection.scalars(
        select(offers.c.silent_model).where(offers.c.pair_id == pair_id)
    ).all()
    if silent_model in asked:
        return call
    refusals = select(not_mirrored.c.silent_model, not_mirrored.c.reason).where(
        not_mirrored.c.pair_id == pair_id
    )
    passed_over = {row.silent_model: row.reason for row in connection.execute(refusals)}
    # What became of a call's silent models is written at once: one of them stands for all.
    is_written = now - row["start_time"] - row["latency"] > _WRITTEN_BY
    if asked or passed_over or is_written:
        why = passed_over.get(silent_model)
        raise RequestError(_tell(silent_model, why, sorted(asked)), field="silent_model")
    return None


def join_feedback(engine: Engine, now: int) -> int:
    """Join opinions to calls that have come since; return how many. Raises SQLAlchemyError."""
    has_come = exists(
        select(records.c.id).where(
            records.c.pair_id == feedback.c.pair_id, records.c.role != Role.SILENT.value
        )
    )
    waiting = (
        select(feedback.c.id, feedback.c.pair_id, feedback.c.silent_model)
        .where(
            feedback.c.experiment.is_(None),
            feedback.c.create_time > now - WAITED_FOR,
            has_come,
        )
        .order_by(feedback.c.create_time.desc())
        .limit(JOINED_AT_ONCE)
    )
    with engine.connect() as connection:
        rows = connection.execute(waiting).all()
        found = {row.id: _look_up(connection, row.pair_id, row.silent_model, now) for row in rows}
    calls = {one: call for one, call in found.items() if call is not None}
    if calls:
        with writing(engine) as connection:
            for one, call in calls.items():
                connection.execute(
                    update(feedback).where(feedback.c.id == one).values(**call.columns)
                )
    return len(calls)


def _look_up(connection: Connection, pair_id: str, silent_model: str, now: int) -> Call | None:
    try:
        return find_call(connection, pair_id, silent_model, now)
    except RequestError:
        return None  # it was taken before anybody could know


def _tell(silent_model: str, why: str | None, asked: Sequence[str]) -> str:
    told = f"this prompt was not played to a silent model {silent_model!r}"
    if why is not None:
        return f"{told}: {why}"
    if not asked:
        return f"{told}, nor to any; leave silent_model out to judge the answer that was served"
    return f"{told}, but to {', '.join(map(repr, asked))}"
