"""What one thread of the mirror does, on its event loop: waits, sends, ends, pair by pair.

Nothing here knows of threads or is locked, but for what it shares with the other stages. How the
copies come here is `worker`'s to say.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from understudy.server.config.settings import MirrorSettings
from understudy.server.domain.completion import Completion
from understudy.server.domain.mirroring import Outcome, PrimaryEnd, SilentCall, SilentEnd
from understudy.server.errors import Reason
from understudy.server.events import SilentEnded
from understudy.server.mirror.admission import Admission
from understudy.server.mirror.copies import Copy
from understudy.server.mirror.headroom import Headroom
from understudy.server.mirror.joiner import Joiner
from understudy.server.mirror.ledger import Tally
from understudy.server.mirror.performance import Performance
from understudy.server.mirror.shedding import Hold, Shed
from understudy.server.mirror.verdicts import judge
from understudy.server.mirror.waiting import Waiting
from understudy.server.ports import Dialect, Journal, Upstream
from understudy.server.routing.breaker import Health

_LOG = logging.getLogger(__name__)

_TIDY = 10.0  # seconds between looks at pairs that nobody settles
_LAST_WORDS = 1.0  # seconds that cancelled calls may take to close their connections


@dataclass(frozen=True, slots=True)
class Shared:
    """What all stages share."""

    settings: MirrorSettings
    dialect: Callable[[str], Dialect]
    journal: Journal
    admission: Admission
    headroom: Headroom
    clock: Callable[[], float]
    calendar: Callable[[], int]


class Stage:
    """Plays the copies of its pairs. `on_seat_free` tells the other stages to look again."""

    def __init__(
        self, shared: Shared, joiner: Joiner, on_seat_free: Callable[["Stage"], None]
    ) -> None:
        self.tally = Tally()
        # Copies that have left the queue, and their bytes: ever growing, for others to subtract.
        self.left = 0
        self.left_bytes = 0
        self._shared = shared
        self._joiner = joiner
        self._on_seat_free = on_seat_free
        self._waiting = Waiting()
        self._open: dict[tuple[str, str], Copy] = {}
        self._tasks: dict[Copy, asyncio.Task[Completion]] = {}
        self._stopping = False
        self._timer: asyncio.TimerHandle | None = None

    @property
    def unsettled(self) -> int:
        """Pairs that have not ended."""
        return len(self._joiner)

    @property
    def waiting(self) -> int:
        """Copies that wait to be sent."""
        return len(self._waiting)

    async def play(self, upstream: Upstream) -> None:
        """Play what is expected until `stop`, and then at most the grace."""
        self._upstream = upstream
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        self._tidy()
        await self._over.wait()

    def stop(self, grace: float) -> None:
        """End as soon as nothing is under way, and after the grace at the latest."""
        self._stopping = True
        self._loop.call_later(grace, self._give_up)
        self._end_if_idle()

    async def close(self) -> None:
        """End all that is still under way."""
        for copy in self._waiting.take_all():
            self._shed(copy, Shed.STOPPING)
        for copy, task in self._tasks.items():
            copy.cut = Shed.STOPPING
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=_LAST_WORDS)
        self._note(*self._joiner.close())

    def expect(self, copies: Sequence[Copy]) -> None:
        """Take a pair's copies."""
        first = copies[0]
        fractions = {one.silent_model: one.target.fraction for one in copies}
        self._joiner.expect(first.pair_id, fractions, first.schema)
        for copy in copies:
            self._open[copy.pair_id, copy.silent_model] = copy
            self._waiting.add(copy)

    def settle(self, end: PrimaryEnd) -> None:
        """Take the primary's end of a pair."""
        self._note(*self._joiner.settle(end))
        if end.cancelled and self._shared.settings.on_primary_cancel == "cancel":
            for silent_model in self._joiner.waiting_for(end.pair_id):
                self._cancel(self._open[end.pair_id, silent_model])

    def send_waiting(self) -> None:
        """Send what may be sent, shed what must not be, let the rest wait."""
        now, age = self._shared.clock(), self._shared.settings.max_queue_age
        for copy, reason in self._waiting.take_old(now - age):
            self._shed(copy, reason)
        self._waiting.release()
        turns = deque(self._waiting.silent_models)
        while turns:
            silent_model = turns.popleft()
            first = self._waiting.first(silent_model)
            if first is None:
                continue
            refusal = self._shared.admission.admit(first)
            if isinstance(refusal, Hold):
                self._waiting.hold(silent_model, refusal)
                continue
            turns.append(silent_model)
            self._waiting.take(silent_model)
            if refusal is None:
                self._send(first)
            else:
                self._shed(first, refusal)
        self._set_timer()
        self._end_if_idle()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        oldest = self._waiting.oldest
        if oldest is not None:
            left = oldest + self._shared.settings.max_queue_age - self._shared.clock()
            self._timer = self._loop.call_later(max(left, 0.001), self.send_waiting)

    def _send(self, copy: Copy) -> None:
        self._leave_queue(copy)
        settings, timeout = self._shared.settings, copy.target.timeout
        performance = Performance(
            copy,
            dialect=self._shared.dialect,
            upstream=self._upstream,
            timeout=settings.timeout if timeout is None else timeout,
            max_response_bytes=settings.max_response_bytes,
            clock=self._shared.clock,
            calendar=self._shared.calendar,
        )
        task = self._tasks[copy] = self._loop.create_task(performance.run())
        # Not a `finally` in the task: one that is cancelled before it began never gets there.
        task.add_done_callback(partial(self._take_end, copy, performance))

    def _take_end(
        self, copy: Copy, performance: Performance, task: asyncio.Task[Completion]
    ) -> None:
        del self._tasks[copy]
        if performance.headers:
            self._shared.headroom.note(copy.target.deployment, performance.headers)
        if task.cancelled():
            self._take_cancellation(copy, performance)
        elif (error := task.exception()) is not None:
            self._take_failure(copy, performance, error)
        else:
            self._take_answer(copy, performance, task.result())
        self.send_waiting()
        self._on_seat_free(self)

    def _take_answer(self, copy: Copy, performance: Performance, answer: Completion) -> None:
        call = performance.describe("", answer)
        assert call is not None
        self._shared.admission.leave(copy, Health.GOOD, cost=call.cost.nano_usd, reason="")
        del self._open[copy.pair_id, copy.silent_model]
        end = self._joiner.answer(copy.pair_id, copy.silent_model, call, self._shared.clock())
        if end is not None:
            self._note(end)

    def _take_failure(self, copy: Copy, performance: Performance, error: BaseException) -> None:
        verdict = judge(error)
        if verdict.reason is Reason.INTERNAL:
            # Its text may hold a prompt or a key.
            _LOG.error("a silent call broke with %s", type(error).__name__)
        if verdict.retry_after:
            self._shared.headroom.close(copy.target.deployment, verdict.retry_after)
        reason = verdict.reason
        call = performance.describe(reason, None)
        self._shared.admission.leave(copy, verdict.health, cost=_paid(call), reason=reason)
        self._fail(copy, verdict.outcome, reason, call)

    def _take_cancellation(self, copy: Copy, performance: Performance) -> None:
        reason = copy.cut or Reason.CANCELLED
        call = performance.describe(reason, None)
        self._shared.admission.leave(
            copy, Health.UNKNOWN, cost=_paid(call), reason=Reason.CANCELLED
        )
        self._fail(copy, Outcome.CANCELLED, reason, call)

    def _cancel(self, copy: Copy) -> None:
        """Cancel a copy, because its primary was."""
        task = self._tasks.get(copy)
        if task is not None:
            task.cancel()
        elif self._waiting.remove(copy):
            self._leave_queue(copy)
            self._fail(copy, Outcome.CANCELLED, Reason.CANCELLED)

    def _shed(self, copy: Copy, reason: Shed) -> None:
        self._leave_queue(copy)
        self._fail(copy, Outcome.SHED, reason)

    def _leave_queue(self, copy: Copy) -> None:
        self.left += 1
        self.left_bytes += copy.size

    def _fail(
        self, copy: Copy, outcome: Outcome, reason: str, call: SilentCall | None = None
    ) -> None:
        """End a copy that did not answer."""
        del self._open[copy.pair_id, copy.silent_model]
        self._note(self._joiner.fail(copy.pair_id, copy.silent_model, outcome, reason, call))

    def _note(self, *ends: SilentEnd) -> None:
        now = self._shared.clock()
        for end in ends:
            self.tally.end(end)
            self._shared.journal.note(SilentEnded(end.pair_id, now, end))

    def _tidy(self) -> None:
        self._note(*self._joiner.expire(self._shared.clock()))
        self._loop.call_later(_TIDY, self._tidy)

    def _give_up(self) -> None:
        # A seat that one stage frees by cancelling must not be taken by another that has not yet
        # heard that the grace is over.
        self._shared.admission.is_over = True
        self._over.set()

    def _end_if_idle(self) -> None:
        if self._stopping and not (self._waiting or self._tasks or self._joiner):
            self._over.set()


def _paid(call: SilentCall | None) -> int | None:
    """Return what a call without an answer cost: nothing, if it was never sent."""
    return 0 if call is None else call.cost.nano_usd
