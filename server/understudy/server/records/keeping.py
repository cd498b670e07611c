"""Keeps rows in the store: writes them, and does from time to time what else is due there.

For one thread, the recorder's, which may be held up here for as long as the store takes. A store
that is away is tried again until it is back; what waits for it is `batch`.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Engine

from understudy.server.database.engine import describe, explain, writing
from understudy.server.database.migrating import migrate
from understudy.server.records.batch import Batch
from understudy.server.records.instances import Instance, announce, retire, sweep
from understudy.server.records.joining import join_feedback
from understudy.server.records.retention import Retention
from understudy.server.records.schema import MIGRATIONS
from understudy.server.records.writing import write

_LOG = logging.getLogger(__name__)

SWEEP_EVERY: Final = 15.0  # seconds
JOIN_EVERY: Final = 5.0  # seconds
RETAIN_EVERY: Final = 60.0  # seconds
RETAIN_FOR: Final = 0.2  # seconds at a time
AWAY_WAIT: Final = 2.0  # seconds between tries while the store is away


@dataclass(slots=True)
class _Clock:
    """When something that is done from time to time is due."""

    every: float
    due: float = 0.0

    def strikes(self, now: float) -> bool:
        """Whether it is time; if so, it is next time later."""
        if now < self.due:
            return False
        self.due = now + self.every
        return True


@dataclass(slots=True)
class _Clocks:
    flush: _Clock
    sweep: _Clock = field(default_factory=lambda: _Clock(SWEEP_EVERY))
    join: _Clock = field(default_factory=lambda: _Clock(JOIN_EVERY))
    retain: _Clock = field(default_factory=lambda: _Clock(RETAIN_EVERY))


class Keeper:
    """Rows on their way to a store. `away` says why they cannot be written, empty if they can."""

    def __init__(
        self,
        engine: Engine,
        retention: Retention,
        instance: Instance,
        *,
        flush: float,
        is_ready: bool,
        epoch: Callable[[], int],
    ) -> None:
        self.batch = Batch()
        self.away = ""
        self.written = 0  # rows
        self._engine = engine
        self._retention = retention
        self._instance = instance
        self._flush = flush
        self._is_ready = is_ready
        self._epoch = epoch
        self._clocks = _Clocks(_Clock(flush))
        self._lost = 0  # rows

    @property
    def dropped(self) -> int:
        """The rows that are lost."""
        return self._lost + self.batch.dropped

    def work(self) -> None:
        """Do what is due. Raises nothing."""
        now = time.monotonic()
        if self._clocks.flush.strikes(now) and not self._attempt(self._work):
            self._clocks.flush.due = now + max(self._flush, AWAY_WAIT)

    def finish(self) -> None:
        """Write what is left, and let the store go. Raises nothing."""
        self._attempt(self._finish)
        if self.batch:
            _LOG.warning("%d rows of records were not written", len(self.batch))
        self._engine.dispose()

    def _attempt(self, work: Callable[[], None]) -> bool:
        """Do what the store may not let us do; tell each change from the one to the other."""
        try:
            work()
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not end the thread
            if not self.away:
                _LOG.warning(
                    "records are not being kept in %s: %s; serving is not affected",
                    describe(self._engine),
                    explain(error),
                )
            self.away = explain(error)
            return False
        if self.away:
            _LOG.warning("records are being kept again; %d rows were dropped so far", self.dropped)
            self.away = ""
        return True

    def _work(self) -> None:
        if not self._is_ready:
            migrate(self._engine, MIGRATIONS, patience=0.0)
            self._is_ready = True
        now = time.monotonic()
        if self._clocks.sweep.strikes(now):  # first, or offers would have no known owner
            with writing(self._engine) as connection:
                announce(connection, self._instance, self._epoch())
                lost = sweep(connection, self._instance, self._epoch())
            if lost:
                _LOG.warning("%d mirrored calls were lost with a process that died", lost)
        self._write()
        if self._clocks.join.strikes(now):
            join_feedback(self._engine, self._epoch())
        if self._clocks.retain.strikes(now):
            self._retain(now)

    def _retain(self, now: float) -> None:
        try:
            while self._retention.step(self._epoch()):
                if time.monotonic() - now > RETAIN_FOR:
                    self._clocks.retain.due = now  # a little with each flush, until all is done
                    return
        except Exception as error:  # noqa: BLE001 - what cannot be deleted must not end records
            _LOG.warning("old records could not be deleted: %s", explain(error))

    def _write(self) -> None:
        batch = self.batch
        if not batch:
            return
        self._lost += write(self._engine, batch, self._instance.id)
        self.written += len(batch)
        self._lost += batch.dropped
        self.batch = Batch()

    def _finish(self) -> None:
        if not self._is_ready:
            migrate(self._engine, MIGRATIONS, patience=0.0)
        self._write()
        join_feedback(self._engine, self._epoch())
        with writing(self._engine) as connection:
            lost = retire(connection, self._instance, self._epoch())
        if lost:
            _LOG.warning("the ends of %d mirrored calls could not be recorded", lost)
