"""Keeps experiments. Blocks: call in a thread, never on an event loop.

One row holds the revision. Whoever changes something takes a lock, reads what there is, decides,
and writes experiment, revision and audit entry in one transaction: so revisions have no gaps, and
what was decided on is what is changed.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec
from sqlalchemy import (
    Connection,
    Engine,
    Row,
    delete,
    func,
    insert,
    select,
    text,
    true,
    update,
)

from understudy.server.database.asking import asking, refusing
from understudy.server.database.conditions import Columns, beyond, ordering, where
from understudy.server.database.engine import TablesError, describe, open_engine, writing
from understudy.server.database.migrating import migrate
from understudy.server.domain.deployment import Secret
from understudy.server.domain.experiments import AuditEntry, Experiment, Roster
from understudy.server.domain.record_queries import Found, Place, Query
from understudy.server.errors import Reason, RefusedError
from understudy.server.experiments.changes import Change
from understudy.server.store.schema import MIGRATIONS, audit_entries, experiments, revisions

FILE: Final = "experiments.db"
LONGEST: Final = 5.0  # seconds for a statement; all of them take milliseconds
PATIENCE: Final = 4.0  # seconds to wait for another host's change
PAGE: Final = 8  # audit entries read at a time by those who follow, and may be slow to take

_AWAY: Final = "experiments cannot be read or changed now"
_LOCK: Final = MIGRATIONS.lock + 1
_BODIES = msgspec.json.Decoder(Experiment)
_FIRST: Final = "0" * 64

_COLUMNS: Final[Columns] = {
    name: audit_entries.c[name] for name in ("experiment", "actor", "action", "create_time")
}


def open_store(url: Secret | None, state_dir: Path) -> "ExperimentStore":
    """Return the store, which connects at its first use. Raises ConfigError for a bad URL."""
    engine = open_engine(
        url,
        state_dir / FILE,
        "understudy.store.url",
        durable=True,
        longest=LONGEST,
        patience=PATIENCE,
    )
    return ExperimentStore(engine)


class ExperimentStore:
    """Experiments in a database. Each method raises RefusedError if it is away."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._is_ready = False
        self._is_sound = False

    @property
    def place(self) -> str:
        """Where it is, without a password."""
        return describe(self._engine)

    def revision(self) -> int:
        """Return the revision of the last change. Cheap."""
        with self._asking() as connection:
            return _read_revision(connection)

    def load(self) -> Roster:
        """Return all there is."""
        with self._asking() as connection:
            return _load(connection)

    def change(
        self, decide: Callable[[Roster, int], Change], *, actor: str, instant: int
    ) -> tuple[Change, Roster]:
        """Make the change that `decide` returns for what there is and the next revision.

        Returns it with what there is then. `decide` may raise, and may return a change that
        changes nothing; in both cases nothing is written. `instant` is in microseconds since
        1970.
        """
        with self._ready(), writing(self._engine) as connection:
            _lock(connection)
            roster = _load(connection)
            revision = roster.revision + 1
            change = decide(roster, revision)
            if change.after == change.before:
                return change, roster
            _write(connection, change, revision, actor, instant)
        return change, _apply(change, roster, revision)

    def list_audit(self, query: Query) -> Found[AuditEntry]:
        """Return a page of audit entries."""
        key = audit_entries.c.seq
        statement = (
            select(audit_entries)
            .where(where(query.condition, _COLUMNS), beyond(query, key))
            .order_by(*ordering(query, key))
            .limit(query.limit + 1)
        )
        with self._asking() as connection:
            rows = connection.execute(statement).all()
        items = tuple((_read_entry(row), Place(row.seq, "")) for row in rows[: query.limit])
        return Found(items, len(rows) > query.limit)

    def follow(self, revision: int) -> tuple[AuditEntry, ...]:
        """Return the first changes after a revision, in their order, a few at a time."""
        statement = (
            select(audit_entries)
            .where(audit_entries.c.revision > revision)
            .order_by(audit_entries.c.revision)
            .limit(PAGE)
        )
        with self._asking() as connection:
            return tuple(map(_read_entry, connection.execute(statement)))

    def find_tampering(self) -> int | None:
        """Return the number of the first audit entry that was edited or lacks its forerunner."""
        with self._asking() as connection:
            before = _FIRST
            for row in connection.execute(select(audit_entries).order_by(audit_entries.c.seq)):
                if row.digest != _digest(before, _read_entry(row)):
                    seq: int = row.seq
                    return seq
                before = row.digest
        return None

    def close(self) -> None:
        """Let the database go."""
        self._engine.dispose()

    @contextmanager
    def _asking(self) -> Generator[Connection]:
        with self._ready(), asking(self._engine, _AWAY) as connection:
            yield connection

    @contextmanager
    def _ready(self) -> Generator[None]:
        """Have the tables up to date; look again after anything went wrong."""
        try:
            with refusing(_AWAY):
                if not self._is_ready:
                    migrate(self._engine, MIGRATIONS, patience=10.0)
                    if not self._is_sound:
                        _check(self._engine)
                        self._is_sound = True
                    self._is_ready = True
                yield
        except RefusedError as error:
            if error.reason is Reason.STORE_UNAVAILABLE:
                self._is_ready = False
            raise


def _check(engine: Engine) -> None:
    """Raise TablesError for a damaged file: SQLite itself says so only where it stumbles."""
    if engine.dialect.name != "sqlite":
        return
    with engine.connect() as connection:
        found = connection.execute(text("PRAGMA quick_check(1)")).scalar_one()
    if found != "ok":
        raise TablesError(f"{describe(engine)} is damaged; restore it from a copy")


def _lock(connection: Connection) -> None:
    # SQLite's transaction has its lock already. On PostgreSQL not the row's: who waits for a row
    # looks for its next version then, and a host that changes much would starve the others.
    if connection.dialect.name != "sqlite":
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))


def _read_revision(connection: Connection) -> int:
    revision: int | None = connection.execute(select(revisions.c.revision)).scalar()
    if revision is None:
        raise TablesError("its revision is missing: the database is damaged")
    return revision


def _load(connection: Connection) -> Roster:
    # One statement, so that both are of the same instant whatever the isolation.
    both = revisions.outerjoin(experiments, true())
    statement = select(revisions.c.revision, experiments.c.id, experiments.c.body).select_from(both)
    rows = connection.execute(statement.order_by(experiments.c.id)).all()
    if not rows:
        raise TablesError("its revision is missing: the database is damaged")
    found = {row.id: _read(row.id, row.body) for row in rows if row.id is not None}
    return Roster(rows[0].revision, found)


def _read(experiment_id: str, body: str) -> Experiment:
    try:
        return _BODIES.decode(body)
    except msgspec.DecodeError as error:
        told = f"what is stored as experiment {experiment_id!r} is none: the database is damaged"
        raise TablesError(told) from error


def _apply(change: Change, roster: Roster, revision: int) -> Roster:
    # Not asked of the database again: others wait for the lock.
    experiments = dict(roster.experiments)
    if change.before is not None:
        experiments.pop(change.before.id)
    if change.after is not None:
        experiments[change.after.id] = change.after
    return Roster(revision, experiments)


def _write(connection: Connection, change: Change, revision: int, actor: str, instant: int) -> None:
    connection.execute(update(revisions).values(revision=revision))
    named = change.after or change.before
    assert named is not None
    own = experiments.c.id == named.id
    row = {"id": named.id, "revision": revision, "body": _written(change.after)}
    if change.after is None:
        connection.execute(delete(experiments).where(own))
    elif change.before is None:
        connection.execute(insert(experiments).values(row))
    else:
        connection.execute(update(experiments).where(own).values(row))
    newest = select(audit_entries.c.seq, audit_entries.c.digest)
    last = connection.execute(newest.order_by(audit_entries.c.seq.desc()).limit(1)).first()
    entry = AuditEntry(
        seq=1 if last is None else last.seq + 1,
        experiment=named.id,
        instant=instant,
        actor=actor,
        action=change.action,
        revision=revision,
        before=_written(change.before),
        after=_written(change.after),
        cause=change.cause,
    )
    connection.execute(
        insert(audit_entries).values(
            seq=entry.seq,
            experiment=entry.experiment,
            create_time=entry.instant,
            actor=entry.actor,
            action=entry.action,
            revision=entry.revision,
            before=entry.before,
            after=entry.after,
            cause=entry.cause,
            digest=_digest(_FIRST if last is None else last.digest, entry),
        )
    )


def _written(experiment: Experiment | None) -> str:
    return "" if experiment is None else msgspec.json.encode(experiment).decode()


def _digest(before: str, entry: AuditEntry) -> str:
    return sha256(before.encode() + msgspec.json.encode(entry)).hexdigest()


def _read_entry(row: Row[tuple[object, ...]]) -> AuditEntry:
    return AuditEntry(
        seq=row.seq,
        experiment=row.experiment,
        instant=row.create_time,
        actor=row.actor,
        action=row.action,
        revision=row.revision,
        before=row.before,
        after=row.after,
        cause=row.cause,
    )
