"""The thread that brings segments to the store, as long as it takes.

One segment at a time, the oldest first, and of a segment that becomes an object for each call so
many at a time. A store that fails is tried again, later and later; it is told of once when it
goes and once when it is back. The thread runs a loop of its own, so that a request which is under
way can be given up.
"""

import asyncio
import logging
import random
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal

from understudy.server.sinks.bucket.lines import read_place
from understudy.server.sinks.bucket.names import batch_key, record_key
from understudy.server.sinks.bucket.segments import Segment
from understudy.server.sinks.bucket.spool import Spool
from understudy.server.sinks.bucket.stores import ObjectStore, StoreError

_LOG = logging.getLogger(__name__)

AT_ONCE: Final = 16  # requests, where each call is an object
INHERIT_EVERY: Final = 15.0  # seconds between looks for what dead processes have left
FIRST_WAIT: Final = 0.5  # seconds until a store that failed is tried again
LONGEST_WAIT: Final = 30.0
GIVING_UP: Final = 0.5  # seconds to end a request that is under way


@dataclass(frozen=True, slots=True)
class Target:
    """Where objects go, and in what shape. `text` is the address for people."""

    store: ObjectStore
    prefix: str
    format: Literal["lines", "litellm"]
    text: str


class Uploader:
    """Empties a spool into a store. Starts its thread at once.

    `every` is how many seconds a segment is written for. `clock` tells seconds, only their
    differences matter.
    """

    def __init__(
        self, spool: Spool, target: Target, *, every: float, clock: Callable[[], float]
    ) -> None:
        self._spool = spool
        self._target = target
        self._every = every
        self._clock = clock
        self._inherit_due = clock()
        self._failures = 0
        self._is_closing = False
        self._news = asyncio.Event()
        self._closing = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._task = self._loop.create_task(self._work())
        self._thread = threading.Thread(target=self._run, name="understudy-bucket", daemon=True)
        self.sent = 0  # records
        self.dropped = 0  # records, whose segment somebody has taken away
        self.away = ""
        self._thread.start()

    def notice(self) -> None:
        """Look at the spool: it has a new segment. From any thread; never blocks."""
        self._call(self._news.set)

    def close(self, timeout: float) -> None:
        """Try to bring what is there, once, for so many seconds at most, and end. Blocks."""
        self._is_closing = True
        self._call(self._closing.set)
        self._thread.join(max(0.0, timeout - GIVING_UP))
        if self._thread.is_alive():
            self._call(self._task.cancel)
            self._thread.join(min(timeout, GIVING_UP))

    def _call(self, what: Callable[[], object]) -> None:
        with suppress(RuntimeError):  # it has ended
            self._loop.call_soon_threadsafe(what)

    def _run(self) -> None:
        with suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._task)
        self._loop.close()

    async def _work(self) -> None:
        while True:
            is_closing = self._is_closing
            self._news.clear()
            due = self._tidy(is_closing)
            is_well = await self._bring_all()
            if is_closing:
                return
            if is_well:
                self._failures = 0
                await self._wait(due)
            else:
                self._failures += 1
                await self._wait_longer()

    def _tidy(self, is_closing: bool) -> float:
        """Make whole what is old, take over what was left; return when to do so again."""
        due = self._every
        try:
            due = self._spool.close_if_older(0.0 if is_closing else self._every)
        except OSError as error:
            _LOG.warning("the spool %s: %s", self._spool.path, type(error).__name__)
        now = self._clock()
        if now >= self._inherit_due and not is_closing:
            self._inherit_due = now + INHERIT_EVERY
            if found := self._spool.inherit():
                _LOG.info("%d records of an earlier process wait for %s", found, self._target.text)
        return min(due, self._inherit_due - now)

    async def _wait(self, most: float) -> None:
        """Wait for a new segment, the end, or so many seconds."""
        waits = [asyncio.ensure_future(one.wait()) for one in (self._news, self._closing)]
        try:
            await asyncio.wait(waits, timeout=most, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()

    async def _wait_longer(self) -> None:
        """Wait before the store is tried again; each time longer, and not all at the same time."""
        wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(self._failures - 1, 10))
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), wait * random.uniform(0.75, 1.0))

    async def _bring_all(self) -> bool:
        """Bring every whole segment; return whether the store took them all."""
        while (segment := self._spool.take()) is not None:
            try:
                await self._bring(segment)
            except StoreError as error:
                self._spool.give_back()
                self._note_away(str(error))
                return False
            except Exception as error:  # noqa: BLE001 - one segment must not end all uploads
                # Without the error's own text: that may quote a prompt.
                _LOG.error("a segment of the spool cannot be read: %s", type(error).__name__)
                self.dropped += segment.left
            self._spool.remove(segment)
            self._note_back()
        return True

    async def _bring(self, segment: Segment) -> None:
        """Write the objects of a segment.

        Raises StoreError, and OSError or ValueError for a segment that somebody has spoilt.
        """
        if self._target.format == "lines":
            body = segment.path.read_bytes()
            key = batch_key(self._target.prefix, segment.name)
            await self._target.store.put(key, body, "application/x-ndjson")
            self._count(segment, segment.records)
            return
        lines = segment.lines()[segment.sent :]
        for start in range(0, len(lines), AT_ONCE):
            some = lines[start : start + AT_ONCE]
            ends = await asyncio.gather(*map(self._put_record, some), return_exceptions=True)
            for end in ends:
                if isinstance(end, BaseException):
                    raise end
            self._count(segment, len(some))

    async def _put_record(self, line: bytes) -> None:
        key = record_key(self._target.prefix, read_place(line))
        await self._target.store.put(key, line.rstrip(b"\n"), "application/json")

    def _count(self, segment: Segment, records: int) -> None:
        segment.sent += records
        self.sent += records

    def _note_away(self, words: str) -> None:
        if not self.away:
            _LOG.warning(
                "records do not reach %s: %s; they wait in %s, serving is not affected",
                self._target.text,
                words,
                self._spool.path,
            )
        self.away = words

    def _note_back(self) -> None:
        if self.away:
            _LOG.warning(
                "records reach %s again; %d are waiting", self._target.text, self._spool.waiting
            )
        self.away = ""
