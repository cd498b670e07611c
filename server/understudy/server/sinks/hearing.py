"""One sink with a thread of its own, so that nobody suffers what a sink does in `tell`.

Whoever tells waits until the sink has heard, so that it knows of a call before the store does;
but not for long: a sink that is behind hears later, and within a bound.
"""

import logging
import threading
import time
from collections import deque
from dataclasses import replace
from typing import Final, Literal, Protocol, TypeAlias, runtime_checkable

from understudy.server.capturing import Capture
from understudy.server.domain.feedback import Feedback
from understudy.server.domain.mirroring import Outcome
from understudy.server.domain.tellings import Answered, CopyEnded, Generation, Telling
from understudy.server.ports import Sink
from understudy.server.sinks.figures import SinkFigures

_LOG = logging.getLogger(__name__)

Hears: TypeAlias = Literal["all", "successes", "failures"]

MOST_WAITING: Final = 20_000  # tellings
MOST_BYTES: Final = 64 * 1024 * 1024  # of prompts and answers on the wire

_LAST_WORDS: Final = 1.0  # seconds beyond its deadline, for a sink to end in order

_ANSWERED: Final = frozenset({Outcome.PAIRED, Outcome.UNPAIRED})


@runtime_checkable
class _Counting(Protocol):
    """A sink that says how it is."""

    @property
    def figures(self) -> SinkFigures: ...


class Ear:
    """A sink, what of a call it may hear, and what it has not heard yet."""

    def __init__(
        self,
        name: str,
        sink: Sink,
        *,
        capture: Capture = "content",
        hears: Hears = "all",
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self.name = name
        self.capture: Capture = capture
        self.slow = 0  # batches that it took too long over
        self._sink = sink
        self._hears: Hears = hears
        self._most_waiting = most_waiting
        self._turn = threading.Condition()
        self._queue: deque[tuple[Telling, ...]] = deque()
        self._waiting = 0  # tellings
        self._bytes = 0
        self._put = 0  # batches
        self._heard = 0  # batches
        self._told = 0  # tellings
        self._dropped = 0  # tellings
        self._is_behind = False
        self._has_raised = False
        self._closed = False
        self._deadline = 0.0
        self._thread = threading.Thread(
            target=self._run, name=f"understudy-tell-{name}", daemon=True
        )
        self._thread.start()

    @property
    def figures(self) -> SinkFigures:
        """How the sink is, with what it has yet to hear and never will."""
        sink = self._sink
        own = sink.figures if isinstance(sink, _Counting) else SinkFigures(self.name, 0, self._told)
        return replace(
            own,
            name=self.name,
            waiting=own.waiting + self._waiting,
            dropped=own.dropped + self._dropped,
            away=own.away or ("it is slow to listen" if self._is_behind else ""),
        )

    def put(self, tellings: tuple[Telling, ...]) -> int:
        """Hand a batch over; return its number. Never blocks, never raises."""
        if self._hears != "all":
            tellings = tuple(one for one in tellings if _concerns(one, self._hears))
        size = _size(tellings)
        with self._turn:
            is_full = (
                self._waiting + len(tellings) > self._most_waiting
                or self._bytes + size > MOST_BYTES
            )
            if (self._queue and is_full) or self._closed:
                self._dropped += len(tellings)
            elif tellings:
                self._queue.append(tellings)
                self._waiting += len(tellings)
                self._bytes += size
                self._put += 1
                self._turn.notify_all()
            return self._put

    def wait(self, number: int, deadline: float) -> None:
        """Wait until a batch was heard, or until the deadline; not at all for who is behind."""
        with self._turn:
            if self._is_behind:
                return
            left = max(0.0, deadline - time.monotonic())
            if self._turn.wait_for(lambda: self._heard >= number, left):
                return
            self._is_behind = True
            self.slow += 1
            is_first = self.slow == 1
        if is_first:
            _LOG.warning("the sink %r is slow to listen; nobody waits for it", self.name)

    def begin_end(self, deadline: float) -> None:
        """Have it hear what waits, and end, until the deadline. Never blocks."""
        with self._turn:
            self._closed = True
            self._deadline = deadline
            self._turn.notify_all()

    def join(self) -> None:
        """Wait for its end, which comes soon after the deadline or not at all. Blocks."""
        self._thread.join(max(0.0, self._deadline - time.monotonic()) + _LAST_WORDS)
        if self._thread.is_alive():
            _LOG.warning("the sink %r did not listen to the end", self.name)

    def _run(self) -> None:
        while True:
            with self._turn:
                self._turn.wait_for(lambda: self._queue or self._closed)
                if not self._queue:
                    break
                tellings = self._queue.popleft()
            self._tell(tellings)
            with self._turn:
                self._waiting -= len(tellings)
                self._bytes -= _size(tellings)
                self._heard += 1
                if not self._queue:
                    self._is_behind = False
                self._turn.notify_all()
            del tellings  # or it would keep texts until the next come
        # Here, because at the end of an interpreter no other thread can be begun for it.
        try:
            self._sink.close(max(0.0, self._deadline - time.monotonic()))
        except Exception as error:  # noqa: BLE001 - nobody is above it
            _LOG.error("the sink %r could not be closed: %s", self.name, type(error).__name__)

    def _tell(self, tellings: tuple[Telling, ...]) -> None:
        try:
            self._sink.tell(tellings)
        except Exception as error:  # noqa: BLE001 - it says that it raises nothing, and may err
            self._dropped += len(tellings)
            if not self._has_raised:
                # Without the error's own text: that may quote a prompt.
                _LOG.error("the sink %r failed: %s", self.name, type(error).__name__)
            self._has_raised = True
        else:
            self._told += len(tellings)


def _concerns(telling: Telling, hears: Hears) -> bool:
    """Whether one who hears of successes or of failures only is told."""
    if isinstance(telling, Generation):
        is_success = not telling.record.reason
    elif isinstance(telling, Answered):
        is_success = not telling.reason
    elif isinstance(telling, CopyEnded):
        is_success = telling.outcome in _ANSWERED
    else:
        assert isinstance(telling, Feedback)
        is_success = True  # what failed has nothing to be judged by
    return is_success == (hears == "successes")


def _size(tellings: tuple[Telling, ...]) -> int:
    return sum(
        one.record.request_bytes + one.record.response_bytes
        for one in tellings
        if isinstance(one, Generation) and (one.messages is not None or one.choices is not None)
    )
