"""The thread that keeps records: takes events at any time, writes rows from time to time.

Serving never waits for it: what finds no room is dropped and counted, and a store that is away is
tried again until it is back.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Engine

from understudy.server.database.engine import describe, explain, writing
from understudy.server.database.migrating import migrate
from understudy.server.events import CallEvent
from understudy.server.records.batch import Batch
from understudy.server.records.fold import Fold
from understudy.server.records.instances import Instance, announce, retire, sweep
from understudy.server.records.retention import Retention
from understudy.server.records.schema import MIGRATIONS
from understudy.server.records.writing import write

_LOG = logging.getLogger(__name__)

MOST_EVENTS: Final = 50_000
FOLD_EVERY: Final = 0.05  # seconds; until then an event keeps its prompt in memory
FOLDED_AT_ONCE: Final = 64  # events, after which the serving thread has its turn
SWEEP_EVERY: Final = 15.0  # seconds
RETAIN_EVERY: Final = 60.0  # seconds
RETAIN_FOR: Final = 0.2  # seconds at a time
AWAY_WAIT: Final = 2.0  # seconds between tries while the store is away


@dataclass(frozen=True, slots=True)
class RecorderFigures:
    """How the recorder is. `away` says why nothing can be written, and is empty if it can."""

    waiting: int  # events and rows
    written: int  # rows
    dropped: int  # events and rows
    away: str


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
    retain: _Clock = field(default_factory=lambda: _Clock(RETAIN_EVERY))


class Recorder:
    """A journal that becomes rows of a store. Starts its thread at once."""

    def __init__(
        self,
        engine: Engine,
        fold: Fold,
        retention: Retention,
        instance: Instance,
        *,
        flush: float,
        is_ready: bool,
        epoch: Callable[[], int],
    ) -> None:
        self._engine = engine
        self._fold = fold
        self._retention = retention
        self._instance = instance
        self._epoch = epoch
        self._clocks = _Clocks(_Clock(flush))
        self._flush_every = flush
        self._is_ready = is_ready
        self._events: deque[CallEvent] = deque()
        self._batch = Batch()
        self._counting = threading.Lock()
        self._refused = 0  # events
        self._lost = 0  # rows
        self._written = 0
        self._away = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="understudy-recorder", daemon=True)
        self._thread.start()

    def note(self, event: CallEvent) -> None:
        """Take an event, from any thread. Never blocks, never raises."""
        if len(self._events) < MOST_EVENTS and not self._stop.is_set():
            self._events.append(event)
            return
        with self._counting:
            self._refused += 1

    @property
    def figures(self) -> RecorderFigures:
        """How it is now."""
        return RecorderFigures(
            len(self._events) + len(self._batch),
            self._written,
            self._refused + self._lost + self._batch.dropped,
            self._away,
        )

    def close(self, timeout: float = 10.0) -> None:
        """Write what is there, and end. Blocks for `timeout` seconds at most."""
        self._stop.set()
        self._thread.join(timeout)
        if self._thread.is_alive():
            _LOG.warning("the records' store did not answer: the last records are lost")

    def _run(self) -> None:
        while not self._stop.wait(min(FOLD_EVERY, self._flush_every)):
            self._take_events()
            now = time.monotonic()
            if self._clocks.flush.strikes(now) and not self._attempt(self._work):
                self._clocks.flush.due = now + max(self._flush_every, AWAY_WAIT)
        self._take_events()
        self._attempt(self._finish)
        if self._batch:
            _LOG.warning("%d rows of records were not written", len(self._batch))
        self._engine.dispose()

    def _take_events(self) -> None:
        count = 0
        while self._events:
            event = self._events.popleft()
            try:
                self._fold.take(event, self._batch)
            except Exception as error:  # noqa: BLE001 - one event must not end all records
                # Without the error's own text: that may quote a prompt.
                kinds = type(event).__name__, type(error).__name__
                _LOG.error("an event of the kind %s could not be recorded: %s", *kinds)
                self._lost += 1
            del event  # or it would keep a prompt until the next one comes
            count += 1
            if count % FOLDED_AT_ONCE == 0:
                time.sleep(0)

    def _attempt(self, work: Callable[[], None]) -> bool:
        """Do what the store may not let us do; tell each change from the one to the other."""
        try:
            work()
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not end the thread
            if not self._away:
                _LOG.warning(
                    "records are not being kept in %s: %s; serving is not affected",
                    describe(self._engine),
                    explain(error),
                )
            self._away = explain(error)
            return False
        if self._away:
            _LOG.warning(
                "records are being kept again; %d events and rows were dropped so far",
                self.figures.dropped,
            )
            self._away = ""
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
        batch = self._batch
        if not batch:
            return
        self._lost += write(self._engine, batch, self._instance.id)
        self._written += len(batch)
        self._lost += batch.dropped
        self._batch = Batch()

    def _finish(self) -> None:
        if not self._is_ready:
            migrate(self._engine, MIGRATIONS, patience=0.0)
        self._write()
        with writing(self._engine) as connection:
            lost = retire(connection, self._instance, self._epoch())
        if lost:
            _LOG.warning("the ends of %d mirrored calls could not be recorded", lost)
