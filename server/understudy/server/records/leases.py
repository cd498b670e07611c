"""Writes down what processes may spend on silent models, so that they keep to one cap together.

One process at a time decides what it takes of a silent model's cap, and sees what all others have
taken. A lease whose process died stays open, and so all of it counts.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Engine, Select, case, func, select, text
from sqlalchemy.dialects import postgresql, sqlite

from understudy.server.database.asking import asking, refusing
from understudy.server.database.engine import writing
from understudy.server.domain.spending import Lease, Spending, Window
from understudy.server.records.cleaning import clean
from understudy.server.records.instances import Instance, announce
from understudy.server.records.schema import instances, spend_leases

_AWAY: Final = "what silent models have cost cannot be read"

# Two locks of one kind never meet those of migrations, which take one number.
_LOCK: Final = text("SELECT pg_advisory_xact_lock(:kind, hashtext(:name))")
_KIND: Final = 0x7370_6E64


class Leases:
    """Leases, kept in the store. Each method blocks, and raises RefusedError if it is away."""

    def __init__(self, engine: Engine, instance: Instance, epoch: Callable[[], int]) -> None:
        self._engine = engine
        self._instance = instance
        self._epoch = epoch
        self._is_known = False  # so that somebody notices should it die

    def hold(self, lease: Lease, decide: Callable[[Spending], int]) -> tuple[int, Spending]:
        """Write a lease down, and grant it as much in all as `decide` says of what others took."""
        with refusing(_AWAY), writing(self._engine) as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(_LOCK, {"kind": _KIND, "name": clean(lease.silent_model)})
            if not self._is_known:
                announce(connection, self._instance, self._epoch())
            others = self._sum_others(connection, lease)
            granted = decide(others)
            self._write(connection, lease, granted, None)
        self._is_known = True
        return granted, others

    def end(self, lease: Lease) -> None:
        """Write down that a lease has ended: what it has not spent others may have."""
        with refusing(_AWAY), writing(self._engine) as connection:
            self._write(connection, lease, lease.granted, self._epoch())

    def look(self, window: Window) -> Mapping[str, Spending]:
        """Return what all have taken in a window, by silent model."""
        column = spend_leases.c.silent_model
        wanted = _select_sums(column).where(spend_leases.c.window_start == window.start)
        with asking(self._engine, _AWAY) as connection:
            rows = connection.execute(wanted.group_by(column)).all()
        return {str(row[0]): _read(row[1:]) for row in rows}

    def _sum_others(self, connection: Connection, lease: Lease) -> Spending:
        others = _select_sums().where(
            spend_leases.c.silent_model == clean(lease.silent_model),
            spend_leases.c.window_start == lease.window.start,
            spend_leases.c.id != lease.id,
        )
        return _read(connection.execute(others).one())

    def _write(self, connection: Connection, lease: Lease, granted: int, ended: int | None) -> None:
        # Two statements of one meaning and of unrelated types.
        insert: postgresql.Insert | sqlite.Insert = (
            postgresql.insert(spend_leases)
            if connection.dialect.name == "postgresql"
            else sqlite.insert(spend_leases)
        )
        changing = {
            "granted": granted,
            "spent": lease.spent,
            "overshoot": lease.overshoot,
            "end_time": ended,
        }
        row = insert.values(
            id=lease.id,
            silent_model=clean(lease.silent_model),
            window_start=lease.window.start,
            window_end=lease.window.end,
            instance_id=self._instance.id,
            start_time=self._epoch(),
            **changing,
        )
        connection.execute(row.on_conflict_do_update(index_elements=["id"], set_=changing))


def _select_sums(*columns: ColumnElement[str]) -> Select[Any]:
    """Return a question for the sums that are a `Spending`, in its order."""
    leases = spend_leases.c
    unspent = case(
        (leases.end_time.is_not(None), 0),
        (leases.granted > leases.spent, leases.granted - leases.spent),
        else_=0,
    )
    is_dead = instances.c.end_time.is_not(None)
    sums = (
        leases.spent,
        case((is_dead, 0), else_=unspent),
        case((is_dead, unspent), else_=0),
        leases.overshoot,
    )
    wanted: list[ColumnElement[Any]] = [
        *columns,
        *(func.coalesce(func.sum(one), 0) for one in sums),
    ]
    return select(*wanted).select_from(
        spend_leases.outerjoin(instances, instances.c.id == leases.instance_id)
    )


def _read(sums: Iterable[Any]) -> Spending:
    return Spending(*map(int, sums))  # PostgreSQL's sums of whole numbers are decimal
