"""Hands items on in batches, in a thread of its own: bounded, patient, and told when to stop.

What an item is, and how several become one body, is the sink's affair; how a body travels is a
courier's.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import random
from threading import Condition, Thread
from typing import Final, TypeVar

from understudy.server.sinks.figures import SinkFigures
from understudy.server.sinks.sending.deliveries import Away, Courier, Delivered, Refused
from understudy.server.sinks.sending.patience import USUAL, Patience
from understudy.server.sinks.sending.troubles import Troubles

_MIB: Final = 1024 * 1024
T = TypeVar("T")

_FULL: Final = "more was waiting than is held"


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much waits, and how much travels at a time. `linger` is in seconds."""

    items: int = 20_000
    size: int = 64 * _MIB  # bytes of them all
    batch_items: int = 512
    batch_size: int = 2 * _MIB  # bytes; a larger item travels alone
    linger: float = 1.0  # that an item may wait for others


USUAL_BOUNDS: Final = Bounds()


class Sender:
    """A queue and the thread that empties it. Any thread may `put`."""

    def __init__(
        self,
        name: str,
        courier: Courier,
        seal: Callable[[Sequence[bytes]], bytes],
        bounds: Bounds = USUAL_BOUNDS,
        patience: Patience = USUAL,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random,
    ) -> None:
        self._name = name
        self._courier = courier
        self._seal = seal
        self._bounds = bounds
        self._patience = patience
        self._clock = clock
        self._draw = draw
        self._changed = Condition()
        self._queue: deque[tuple[float, bytes]] = deque()
        self._size = 0  # of the queue
        self._in_hand: deque[tuple[float, bytes]] = deque()
        self._sent = 0
        self._dropped = 0
        self._troubles = Troubles(name, clock)
        self._ends_at: float | None = None
        self._last_chance = True
        self._over = False
        self._thread = Thread(target=self._run, name=f"understudy-{name}", daemon=True)
        self._thread.start()

    @property
    def figures(self) -> SinkFigures:
        """How it stands."""
        with self._changed:
            now = self._clock()
            oldest = (self._in_hand or self._queue or ((now, b""),))[0][0]
            return SinkFigures(
                self._name,
                waiting=len(self._in_hand) + len(self._queue),
                sent=self._sent,
                dropped=self._dropped,
                lag=max(0.0, now - oldest),
                away=self._troubles.away,
            )

    def put_written(self, write: Callable[[T], bytes], things: Iterable[T]) -> None:
        """Take things as they are written; those that are written as nothing are none.

        What cannot be written is dropped alone, not with all that came along.
        """
        items: list[bytes] = []
        for thing in things:
            try:
                items.append(write(thing))
            except Exception as error:  # noqa: BLE001 - and its text may be anybody's
                with self._changed:
                    self._lose(1, f"an error of ours, {type(error).__name__}")
        self.put([item for item in items if item])

    def put(self, items: Sequence[bytes]) -> None:
        """Take items, or drop and count those that find no room. Waits for nothing."""
        bounds, now, lost = self._bounds, self._clock(), 0
        with self._changed:
            before = len(self._queue)
            for item in items:
                if (
                    self._ends_at is not None
                    or len(self._queue) + len(self._in_hand) >= bounds.items
                    or self._size + len(item) > bounds.size
                ):
                    lost += 1
                else:
                    self._queue.append((now, item))
                    self._size += len(item)
            if lost:
                self._lose(lost, _FULL if self._ends_at is None else "the service is ending")
            if self._is_batch() or (not before and self._queue):
                self._changed.notify()

    def begin_end(self, timeout: float) -> None:
        """Take nothing more, and send what is left for so many seconds at most. Waits for nothing."""
        with self._changed:
            if self._ends_at is None:
                self._ends_at = self._clock() + max(0.0, timeout)
            self._changed.notify()

    def close(self, timeout: float) -> None:
        """Send what is left, for so many seconds at most, and end. What remains is dropped."""
        self.begin_end(timeout)
        self._thread.join(max(0.0, timeout))
        with self._changed:
            if self._over:
                return
            self._over = True
            left = len(self._in_hand) + len(self._queue)
            self._in_hand.clear()
            self._queue.clear()
            self._size = 0
            self._lose(left, "the service ended first")
            self._troubles.note_end()
        self._courier.abort()

    def _run(self) -> None:
        while batch := self._fill_hand():
            try:
                self._deliver(batch)
            except Exception as error:  # noqa: BLE001 - nobody is above it
                # A thread that dies of one batch would lose all that follow; its text may be
                # anybody's, so that only its name is told.
                self._settle(len(self._in_hand), 0, f"an error of ours, {type(error).__name__}")
        self._courier.close()

    def _fill_hand(self) -> list[bytes]:
        """Wait for a batch, take it in hand and return it; an empty one at the end."""
        with self._changed:
            while not self._over and self._ends_at is None and not self._is_batch():
                if not self._queue:
                    self._changed.wait()
                elif (left := self._queue[0][0] + self._bounds.linger - self._clock()) > 0:
                    self._changed.wait(left)
                else:
                    break
            size = 0
            while self._queue and len(self._in_hand) < self._bounds.batch_items:
                size += len(self._queue[0][1])
                if self._in_hand and size > self._bounds.batch_size:
                    break
                self._in_hand.append(self._queue.popleft())
                self._size -= len(self._in_hand[-1][1])
            return [item for _, item in self._in_hand]

    def _is_batch(self) -> bool:
        return len(self._queue) >= self._bounds.batch_items or self._size >= self._bounds.batch_size

    def _deliver(self, batch: Sequence[bytes]) -> None:
        body, began, tries = self._seal(batch), self._clock(), 0
        while True:
            timeout = self._time_for_a_try()
            if timeout <= 0:
                return self._settle(len(batch), 0, "the service ended first")
            outcome = self._courier.deliver(body, timeout)
            match outcome:
                case Delivered(rejected):
                    self._note_arrival()
                    lost = min(max(rejected, 0), len(batch))
                    return self._settle(len(batch), len(batch) - lost, "the receiver rejected them")
                case Refused(too_large=True) if len(batch) > 1:
                    middle = len(batch) // 2
                    self._deliver(batch[:middle])
                    return self._deliver(batch[middle:])
                case Refused(why):
                    return self._settle(len(batch), 0, why)
                case Away(why, retry_after, suspect):
                    tries += 1
                    self._note_away(why)
                    age = self._clock() - began
                    pause = self._patience.pause(tries, retry_after, self._draw())
                    if self._patience.gives_up(tries, age, suspect) or not self._wait(pause):
                        return self._settle(len(batch), 0, why)

    def _time_for_a_try(self) -> float:
        with self._changed:
            if self._ends_at is None:
                return self._patience.timeout
            return min(self._patience.timeout, self._ends_at - self._clock())

    def _wait(self, seconds: float) -> bool:
        """Wait, or until the service ends; tell whether there is any sense in another try.

        Once it is ending there is one more, so that a receiver that is gone holds up nobody.
        """
        with self._changed:
            until = self._clock() + seconds
            was_ending = self._ends_at is not None
            while self._ends_at is None and (left := until - self._clock()) > 0:
                self._changed.wait(left)
            if self._ends_at is None:
                return True
            if not self._last_chance or (was_ending and until >= self._ends_at):
                return False
            self._last_chance = False
            if was_ending:
                self._changed.wait(seconds)
            return not self._over

    def _settle(self, count: int, sent: int, why: str) -> None:
        """Count the first of what is in hand as sent or dropped."""
        with self._changed:
            if self._over:
                return  # they are counted already
            for _ in range(count):
                self._in_hand.popleft()
            self._sent += sent
            self._lose(count - sent, why)

    def _note_arrival(self) -> None:
        with self._changed:
            self._troubles.note_arrival()

    def _note_away(self, why: str) -> None:
        with self._changed:
            self._troubles.note_away(why)

    def _lose(self, count: int, why: str) -> None:
        if count:
            self._dropped += count
            self._troubles.note_loss(count, why)
