"""Knows which recorders are at work on a store, and calls lost what those that died left open."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite

from understudy.server.domain.mirroring import Outcome
from understudy.server.records.processes import Process
from understudy.server.records.schema import instances, offers

STALE = 60_000_000  # microseconds without a heartbeat until a recorder elsewhere counts as dead

DIED = "PROCESS_DIED"
NEVER_ENDED = "NOT_RECORDED"  # its end found no room, or came too late


@dataclass(frozen=True, slots=True)
class Instance:
    """A recorder: an id of its own, and the process that it is in."""

    id: str
    process: Process


def announce(connection: Connection, instance: Instance, now: int) -> None:
    """Say that a recorder is at work; say it again from time to time. Several may at once."""
    # Two statements of one meaning and of unrelated types.
    insert: postgresql.Insert | sqlite.Insert = (
        postgresql.insert(instances)
        if connection.dialect.name == "postgresql"
        else sqlite.insert(instances)
    )
    beat = {"heartbeat_time": now, "end_time": None}
    process = instance.process
    row = insert.values(
        id=instance.id,
        host=process.host,
        pid=process.pid,
        process_start=process.started,
        start_time=now,
        **beat,
    )
    connection.execute(row.on_conflict_do_update(index_elements=["id"], set_=beat))


def sweep(connection: Connection, own: Instance, now: int) -> int:
    """Call lost what dead recorders left open; return how many offers that were."""
    dead = list(_find_dead(connection, own, now))
    return sum(_end(connection, one, DIED, now) for one in dead)


def retire(connection: Connection, own: Instance, now: int) -> int:
    """Say that a recorder has ended. What it leaves open is lost; return how many offers."""
    return _end(connection, own.id, NEVER_ENDED, now)


def _end(connection: Connection, instance_id: str, reason: str, now: int) -> int:
    lost = connection.execute(
        update(offers)
        .where(offers.c.instance_id == instance_id, offers.c.outcome.is_(None))
        .values(outcome=Outcome.LOST.value, reason=reason, end_time=now)
    ).rowcount
    connection.execute(update(instances).where(instances.c.id == instance_id).values(end_time=now))
    return lost


def _find_dead(connection: Connection, own: Instance, now: int) -> Iterator[str]:
    others = connection.execute(
        select(instances).where(instances.c.end_time.is_(None), instances.c.id != own.id)
    )
    for row in others:
        if row.host == own.process.host:
            is_alive = Process(row.host, row.pid, row.process_start).is_alive_here()
        else:
            is_alive = now - row.heartbeat_time < STALE
        if not is_alive:
            yield row.id
