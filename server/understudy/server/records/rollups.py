"""Adds calls to the rollups, in the transaction that writes their records.

Who is to be counted once only is told here once only: that is `writing`'s to see to.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, NamedTuple, TypeVar

from sqlalchemy import Connection, and_, or_, select, text
from sqlalchemy.dialects import postgresql, sqlite

from understudy.server.domain.figures import OTHER, Step
from understudy.server.domain.records import Record
from understudy.server.records.schema import rollups
from understudy.server.records.tallies import MAPS, SUMS, Tally, read_tally, write_tally

SPANS: Final = (Step.MINUTE.value, Step.HOUR.value)

# Some more than two days, so that those can be asked for.
MINUTES_KEPT: Final = 2 * Step.DAY.value + Step.HOUR.value

MOST_KEYS: Final = 200  # of one span; then callers' own names for endpoints have no room
_AT_ONCE: Final = 100  # rows handed to the driver
_LOCK: Final = 0x756E6472_726F6C6C


class Key(NamedTuple):
    """Whose calls a row adds up."""

    span: int
    start_time: int
    experiment: str
    variant: str
    epoch: int
    model_group: str
    deployment: str
    role: str

    def without_names(self) -> "Key":
        """Return what takes its place where there is no room.

        An experiment that compares, which its epoch tells, is the operator's own and keeps its
        variants; all else may be what callers made up.
        """
        experiment, variant = (self.experiment, self.variant) if self.epoch else (OTHER, OTHER)
        return self._replace(
            experiment=experiment, variant=variant, model_group=OTHER, deployment=OTHER
        )


Tallies = dict[Key, Tally]
T = TypeVar("T")


class Counts:
    """Calls that are being counted. For one transaction."""

    def __init__(self) -> None:
        self._minutes: Tallies = {}

    def count(self, record: Record) -> None:
        """Count a call, by the minute that it began in."""
        key = Key(
            Step.MINUTE.value,
            record.started - record.started % Step.MINUTE.value,
            record.experiment,
            record.variant,
            record.epoch,
            record.group,
            record.deployment,
            record.role.value,
        )
        tally = self._minutes.get(key)
        if tally is None:
            tally = self._minutes[key] = Tally()
        tally.count(record)

    def tallies(self) -> Tallies:
        """Return what was counted, by the minute and by the hour."""
        found = dict(self._minutes)
        for key, tally in self._minutes.items():
            hour = key.start_time - key.start_time % Step.HOUR.value
            _add(found, key._replace(span=Step.HOUR.value, start_time=hour), tally)
        return found


def add_counts(connection: Connection, counts: Counts) -> None:
    """Add what was counted to what the store has. Last in a transaction, which it makes wait."""
    tallies = counts.tallies()
    if not tallies:
        return
    if connection.dialect.name == "postgresql":
        # Between reading a row and writing it no other recorder may; and rows that are not there
        # yet cannot be locked.
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    kept = _read(connection, {(key.span, key.start_time) for key in tallies})
    changed = fit(tallies, kept)
    for key, tally in changed.items():
        if (before := kept.get(key)) is not None:
            tally.add(before)
    _write(connection, changed)


def fit(tallies: Mapping[Key, Tally], kept: Mapping[Key, Tally]) -> Tallies:
    """Return tallies of as many keys as have room beside those that the store has."""
    sizes = Counter((key.span, key.start_time) for key in kept)
    fitting: Tallies = {}
    for key, tally in tallies.items():
        place = key
        if key not in kept and key not in fitting:
            if sizes[key.span, key.start_time] >= MOST_KEYS:
                place = key.without_names()
            else:
                sizes[key.span, key.start_time] += 1
        _add(fitting, place, tally)
    return fitting


def _add(tallies: Tallies, key: Key, tally: Tally) -> None:
    total = tallies.get(key)
    if total is None:
        total = tallies[key] = Tally()
    total.add(tally)


def _read(connection: Connection, spans: Iterable[tuple[int, int]]) -> Tallies:
    found: Tallies = {}
    columns = [rollups.c[name] for name in (*Key._fields, *SUMS, *MAPS)]
    width = len(Key._fields)
    for some in _chunks(sorted(spans)):
        these = or_(
            *(and_(rollups.c.span == span, rollups.c.start_time == start) for span, start in some)
        )
        for row in connection.execute(select(*columns).where(these)):
            key = Key(*row[:width])
            found[key] = read_tally(0, row[width:])
    return found


def _write(connection: Connection, tallies: Tallies) -> None:
    # Two statements of one meaning and of unrelated types.
    insert: postgresql.Insert | sqlite.Insert = (
        postgresql.insert(rollups)
        if connection.dialect.name == "postgresql"
        else sqlite.insert(rollups)
    )
    upsert = insert.on_conflict_do_update(
        index_elements=Key._fields,
        set_={name: insert.excluded[name] for name in (*SUMS, *MAPS)},
    )
    for some in _chunks(sorted(tallies)):
        connection.execute(upsert, [{**one._asdict(), **write_tally(tallies[one])} for one in some])


def _chunks(items: Iterable[T]) -> Iterator[Sequence[T]]:
    left = iter(items)
    while some := list(islice(left, _AT_ONCE)):
        yield some
