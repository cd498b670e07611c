"""Who asks for reports, and what they share: the same question at the same time is one process.

A few reports are computed at once, some more wait, others are refused. Lives on the service's
event loop; what a process does is `worker`'s.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Final

from understudy.server.config.settings import RecordSettings
from understudy.server.domain.reports import Facts, Progress, Question, Report, Update
from understudy.server.errors import Reason, RefusedError, RequestError, UnderstudyError
from understudy.server.records.opening import FILE
from understudy.server.reporting.child import hear
from understudy.server.reporting.metrics import tell_meaning
from understudy.server.reporting.scopes import read_scope
from understudy.server.reporting.wire import Order

AT_ONCE: Final = 2
MOST_WAITING: Final = 8
LONGEST: Final = 600.0  # seconds for one report
KEPT: Final = 10.0  # seconds that one who asks the same gets the same
LOOKED_AT: Final = 15.0  # seconds after the last look until nobody wants it any more

_LONGEST_NAME: Final = 512
_PROGRAM: Final = "understudy.server.reporting"


class ReportDesk:
    """Has reports computed. `gather` returns what a question needs besides the records.

    It raises UnderstudyError for what there is no report on. `now` is in microseconds since 1970.
    `program` is the module that a report's process runs.
    """

    def __init__(
        self,
        settings: RecordSettings,
        state_dir: Path,
        gather: Callable[[Question], Facts],
        now: Callable[[], int],
        program: str = _PROGRAM,
        longest: float = LONGEST,
    ) -> None:
        self._url = settings.url
        self._file = str(state_dir / FILE)
        self._gather = gather
        self._now = now
        self._program = program
        self._longest = longest
        self._works: dict[Question, _Work] = {}
        self._room = asyncio.Semaphore(AT_ONCE)

    async def get(self, question: Question) -> AsyncGenerator[Update]:
        """Yield how far the report is, then the report; closing this is to want it no more.

        Raises RefusedError if too many wait, and UnderstudyError for what becomes of it.
        """
        work = self._find(question, anew=True)
        work.wanted += 1
        try:
            told: Update | None = None
            while not work.is_over:
                if work.latest is not told:
                    told = work.latest
                    yield told
                else:
                    await work.news.wait()
            yield work.result()
        finally:
            self._leave(question, work)

    async def look(self, question: Question, *, anew: bool = False) -> Update:
        """Return how far a report is, or the report; begin it if nobody has. Does not wait.

        It goes on for as long as somebody looks. What has failed fails again for some seconds,
        unless it is wanted `anew`. Raises as `get` does.
        """
        work = self._find(question, anew=anew)
        if work.is_over:
            return work.result()
        loop = asyncio.get_running_loop()
        if work.lease is None:
            work.wanted += 1
        else:
            work.lease.cancel()
        work.lease = loop.call_later(LOOKED_AT, self._end_lease, question, work)
        return work.latest

    tell = staticmethod(tell_meaning)

    async def close(self) -> None:
        """End all processes."""
        tasks = [one.task for one in self._works.values()]
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError, UnderstudyError):
                await task

    def _find(self, question: Question, *, anew: bool) -> "_Work":
        work = self._works.get(question)
        if work is not None and not (anew and work.has_failed):
            return work
        facts = self._gather(question)
        _check(question, facts)
        running = sum(not one.is_over for one in self._works.values())
        if running >= AT_ONCE + MOST_WAITING:
            raise RefusedError(
                Reason.OVERLOADED,
                f"{running} reports are being computed or wait for it; try again",
                retry_after=5.0,
            )
        order = Order(
            url=None if self._url is None else self._url.value,
            file=self._file,
            environ={name: value for name, value in os.environ.items() if name.startswith("PG")},
            question=question,
            facts=facts,
            now=self._now(),
            longest=self._longest,
        )
        work = self._works[question] = _Work()
        work.task = asyncio.create_task(self._compute(order, work))
        work.task.add_done_callback(lambda _: self._keep(question, work))
        return work

    async def _compute(self, order: Order, work: "_Work") -> Report:
        try:
            async with (
                self._room,
                asyncio.timeout(self._longest),
                aclosing(hear(order, self._program)) as updates,
            ):
                async for update in updates:
                    if isinstance(update, Report):
                        return update
                    work.tell(update)
        except TimeoutError:
            raise UnderstudyError(
                Reason.DEADLINE_EXCEEDED,
                f"the report took longer than {self._longest:g} s; ask for a shorter window",
            ) from None
        raise AssertionError("a process that says no report raises")

    def _keep(self, question: Question, work: "_Work") -> None:
        work.end()
        if self._works.get(question) is work:
            asyncio.get_running_loop().call_later(KEPT, self._forget, question, work)

    def _forget(self, question: Question, work: "_Work") -> None:
        if self._works.get(question) is work:
            del self._works[question]

    def _end_lease(self, question: Question, work: "_Work") -> None:
        work.lease = None
        self._leave(question, work)

    def _leave(self, question: Question, work: "_Work") -> None:
        work.wanted -= 1
        if not work.wanted and not work.is_over:
            self._forget(question, work)
            work.task.cancel()


def _check(question: Question, facts: Facts) -> None:
    """Raise RequestError for what no report is made of, before a process is started for it."""
    read_scope(question, facts)
    for field, text in (("parent", question.parent), ("group_by", question.group_by)):
        if len(text) > _LONGEST_NAME or "\0" in text:
            raise RequestError(
                f"{field} has at most {_LONGEST_NAME} characters, none of them NUL", field=field
            )


class _Work:
    """A report on its way. `news` is set at the next word; `wanted` counts who waits for it."""

    task: asyncio.Task[Report]

    def __init__(self) -> None:
        self.latest = Progress(0.0)
        self.news = asyncio.Event()
        self.wanted = 0
        self.lease: asyncio.TimerHandle | None = None

    @property
    def is_over(self) -> bool:
        """Whether there is a result."""
        return self.task.done()

    @property
    def has_failed(self) -> bool:
        """Whether it is over without a report."""
        return self.is_over and (self.task.cancelled() or self.task.exception() is not None)

    def result(self) -> Report:
        """Return the report of what is over. Raises UnderstudyError if it came to nothing."""
        if self.task.cancelled():
            raise RefusedError(Reason.DRAINING, "the service goes down")
        return self.task.result()

    def tell(self, latest: Progress) -> None:
        """Say how far it is."""
        self.latest = latest
        self._wake()

    def end(self) -> None:
        """Say that it is over."""
        if not self.task.cancelled():
            self.task.exception()  # nobody may be left to hear it
        if self.lease is not None:
            self.lease.cancel()
        self._wake()

    def _wake(self) -> None:
        news, self.news = self.news, asyncio.Event()
        news.set()
