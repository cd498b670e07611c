"""The thread that hears of calls: takes events at any time, and makes of them from time to time
what sinks are told and what the store keeps, in this order.

Serving never waits for it: what finds no room is dropped and counted. With nobody to tell it only
keeps records, and without a store it only tells.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from understudy.server.domain.tellings import Telling
from understudy.server.events import CallEvent
from understudy.server.ports import Sink
from understudy.server.records.batch import Batch
from understudy.server.records.fold import Fold
from understudy.server.records.keeping import Keeper
from understudy.server.records.teller import Teller

_LOG = logging.getLogger(__name__)

MOST_EVENTS: Final = 50_000
MOST_PASSED: Final = 10_000  # tellings of others, until they are passed on
FOLD_EVERY: Final = 0.05  # seconds; until then an event keeps its prompt in memory
FOLDED_AT_ONCE: Final = 64  # events, after which the serving thread has its turn
TOLD_AT_ONCE: Final = 1024  # events; each time, threads wait for each other


@dataclass(frozen=True, slots=True)
class RecorderFigures:
    """How the recorder is. `away` says why nothing can be written, and is empty if it can."""

    waiting: int  # events and rows
    written: int  # rows
    dropped: int  # events and rows
    away: str


@dataclass(frozen=True, slots=True)
class Audience:
    """Who is told: a sink, and what makes its tellings out of the same events."""

    sink: Sink
    teller: Teller


class Recorder:
    """A journal that becomes tellings and rows of a store. Starts its thread at once.

    The fold has the audience's teller. It neither closes the sink nor opens it.
    """

    def __init__(
        self,
        fold: Fold,
        *,
        keeper: Keeper | None = None,
        audience: Audience | None = None,
        every: float = FOLD_EVERY,
    ) -> None:
        self._fold = fold
        self._keeper = keeper
        self._audience = audience
        self._every = min(FOLD_EVERY, every)
        self._events: deque[CallEvent] = deque()
        self._passed: deque[Telling] = deque(maxlen=MOST_PASSED)
        self._counting = threading.Lock()
        self._refused = 0  # events
        self._lost = 0  # events
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

    def pass_on(self, telling: Telling) -> None:
        """Take what sinks shall be told besides, from any thread. Never blocks, never raises."""
        if self._audience is not None:
            self._passed.append(telling)

    @property
    def figures(self) -> RecorderFigures:
        """How it is now."""
        waiting, dropped = len(self._events), self._refused + self._lost
        if (keeper := self._keeper) is None:
            return RecorderFigures(waiting, 0, dropped, "")
        return RecorderFigures(
            waiting + len(keeper.batch), keeper.written, dropped + keeper.dropped, keeper.away
        )

    def close(self, timeout: float = 10.0) -> None:
        """Tell and write what is there, and end. Blocks for `timeout` seconds at most."""
        self._stop.set()
        self._thread.join(timeout)
        if self._thread.is_alive():
            _LOG.warning("the records' store did not answer: the last records are lost")

    def _run(self) -> None:
        keeper = self._keeper
        while not self._stop.wait(self._every):
            self._take_events()
            if keeper is not None:
                keeper.work()
        self._take_events()
        if keeper is not None:
            keeper.finish()

    def _take_events(self) -> None:
        # Without a store the rows are let go as they come.
        batch = self._keeper.batch if self._keeper is not None else Batch()
        count = 0
        while self._events:
            event = self._events.popleft()
            try:
                self._fold.take(event, batch)
            except Exception as error:  # noqa: BLE001 - one event must not end all records
                # Without the error's own text: that may quote a prompt.
                kinds = type(event).__name__, type(error).__name__
                _LOG.error("an event of the kind %s could not be recorded: %s", *kinds)
                self._lost += 1
            del event  # or it would keep a prompt until the next one comes
            count += 1
            if count % TOLD_AT_ONCE == 0:
                self._tell()
            if count % FOLDED_AT_ONCE == 0:
                time.sleep(0)
        self._tell()

    def _tell(self) -> None:
        """Tell what was folded. The store has not got it yet, so that no row is untold."""
        if (audience := self._audience) is None:
            return
        tellings: Sequence[Telling] = audience.teller.drain()
        if self._passed:
            tellings = (*tellings, *(self._passed.popleft() for _ in range(len(self._passed))))
        if not tellings:
            return
        try:
            audience.sink.tell(tellings)
        except Exception as error:  # noqa: BLE001 - a sink must not end records
            _LOG.error("a sink could not be told: %s", type(error).__name__)
