"""The way into the mirror: takes offers in microseconds, and hands each pair to one thread.

Whoever offers meets a lock only if somebody else offers at the same moment; the mirror's threads
never hold it. So what they do, and however slowly, costs a primary nothing.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Iterable, Mapping
from threading import Lock

from understudy.server.config.settings import MirrorSettings
from understudy.server.domain.completion import Completion
from understudy.server.domain.deployment import Deployment
from understudy.server.domain.mirroring import (
    Comparison,
    Disposition,
    Offer,
    Outcome,
    PrimaryEnd,
    SilentEnd,
    SilentTarget,
)
from understudy.server.evaluation.comparison import compare
from understudy.server.events import SilentEnded
from understudy.server.mirror.admission import Admission, Standing
from understudy.server.mirror.budget import NANO
from understudy.server.mirror.copies import Copy
from understudy.server.mirror.headroom import Headroom
from understudy.server.mirror.joiner import Joiner
from understudy.server.mirror.ledger import Figures, Tally, sum_up
from understudy.server.mirror.loops import new_loop
from understudy.server.mirror.purse import Outlay
from understudy.server.mirror.reserving import reserve_copy
from understudy.server.mirror.shared_purse import open_purse
from understudy.server.mirror.shedding import Shed
from understudy.server.mirror.stage import Shared, Stage
from understudy.server.mirror.state import MirrorState, SilentState
from understudy.server.mirror.worker import OpenUpstream, Worker
from understudy.server.ports import Dialect, Journal, Treasury

_LOG = logging.getLogger(__name__)

# Answers that wait for the other end of their pair, in all.
_MAX_HELD = 64 << 20  # bytes

# Longer than a primary may take, so that only a pair that was forgotten is given up.
_SETTLE_WITHIN = 3600.0  # seconds

# After the grace period, calls are cancelled and threads end; this long (seconds) they may take.
_LAST_WORDS = 2.0

_NO_STANDING = Standing(0, {}, Outlay())


class ThreadedMirror:
    """A fixed number of threads that play prompts to silent models.

    `upstream` opens the ways to the models; it is entered once in each thread, on the thread's own
    event loop. `calendar` says microseconds since 1970, which prices go by. With a `treasury` the
    cap is shared by all who have the same; without, it is this mirror's own.
    """

    def __init__(
        self,
        settings: MirrorSettings,
        *,
        dialect: Callable[[str], Dialect],
        upstream: OpenUpstream,
        journal: Journal,
        treasury: Treasury | None = None,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
        calendar: Callable[[], int] = lambda: time.time_ns() // 1000,
        new_loop: Callable[[], asyncio.AbstractEventLoop] = new_loop,
    ) -> None:
        self._settings = settings
        self._journal = journal
        self._clock = clock
        self._calendar = calendar
        self._headroom = Headroom(clock)
        self._purse = open_purse(settings.budget, treasury, calendar, self._look_again)
        self._admission = Admission(
            settings,
            headroom=self._headroom,
            clock=clock,
            chance=chance,
            price=self._reserve,
            purse=self._purse,
        )
        shared = Shared(
            settings, dialect, journal, self._admission, self._headroom, clock, calendar
        )
        self._workers = tuple(
            Worker(
                f"mirror-{number}",
                Stage(shared, self._make_joiner(), self._look_again),
                upstream=upstream,
                new_loop=new_loop,
            )
            for number in range(settings.threads)
        )
        self._stages = tuple(one.stage for one in self._workers)
        self._lock = Lock()
        self._tally = Tally()
        self._taken = 0  # copies that were ever queued, and their bytes
        self._taken_bytes = 0
        self._stopping = False

    def _make_joiner(self) -> Joiner:
        return Joiner(
            max_held=_MAX_HELD // self._settings.threads,
            settle_within=_SETTLE_WITHIN,
            compare=_compare_safely,
        )

    async def start(self) -> None:
        """Start the threads. Raises what opening an upstream raised."""
        self._purse.start()
        for worker in self._workers:
            worker.start()
        opened = [asyncio.wrap_future(one.started) for one in self._workers]
        await asyncio.wait(opened)  # a thread can be stopped only once it has started
        faults = [error for one in opened if (error := one.exception()) is not None]
        if faults:
            await self.drain(0)
            raise faults[0]

    async def drain(self, grace: float) -> None:
        """Take nothing more, let calls under way end within the grace, cancel the rest."""
        with self._lock:
            self._stopping = True
        for worker in self._workers:
            worker.stop(grace)
        ended = [asyncio.wrap_future(one.ended) for one in self._workers if one.has_begun]
        if ended:
            _, hung = await asyncio.wait(ended, timeout=grace + _LAST_WORDS)
            if hung:
                _LOG.error("%d threads of the mirror did not end in time", len(hung))
        given_back = asyncio.wrap_future(self._purse.close())
        if (await asyncio.wait([given_back], timeout=_LAST_WORDS))[1]:
            _LOG.warning("what is left of silent models' budgets was not given back in time")

    def offer(self, offer: Offer) -> tuple[Disposition, ...]:
        """Take a prompt for its silent models; say of each whether it was taken."""
        try:
            return self._offer(offer)
        except Exception as error:  # noqa: BLE001, because no primary may fail of this
            _LOG.error("an offer to the mirror broke with %s", type(error).__name__)
            return ()

    def settle(self, end: PrimaryEnd) -> None:
        """Take the primary's end of a pair that was offered."""
        self._worker(end.pair_id).take(end)

    def pause(self, silent_model: str | None = None) -> None:
        """Play nothing more to a silent model, or to any: nothing that waits is sent any more."""
        with self._lock:
            self._admission.pauses = self._admission.pauses.pause(silent_model)
        self._look_again()

    def resume(self, silent_model: str | None = None) -> None:
        """Go on with a silent model; without one, with all, those paused by name included."""
        with self._lock:
            self._admission.pauses = self._admission.pauses.resume(silent_model)

    def note_headroom(self, deployment: Deployment, headers: Mapping[str, str]) -> None:
        """Take what a primary's reply says of its limits: mirrors leave the last fifth to it."""
        self._headroom.note(deployment, headers)

    def count_refusals(self, dispositions: Iterable[Disposition]) -> None:
        """Count prompts that were not offered, for reasons that others found."""
        with self._lock:
            for one in dispositions:
                if not one.offered:
                    self._tally.refuse(one.silent_model, one.reason)

    @property
    def state(self) -> MirrorState:
        """How the mirror is now."""
        pauses = self._admission.pauses
        stands = self._admission.stand()
        # The one who counts offers comes last: see `sum_up`.
        figures = sum_up((*(one.tally for one in self._stages), self._tally))
        queued, queued_bytes = self._queued
        names = sorted(figures.keys() | stands.keys() | pauses.silent_models)
        return MirrorState(
            paused=pauses.everything,
            stopping=self._stopping,
            queued=queued,
            queued_bytes=queued_bytes,
            in_flight=self._admission.in_flight,
            unsettled=sum(one.unsettled for one in self._stages),
            silent_models=tuple(
                self._describe(name, figures.get(name, Figures()), stands.get(name, _NO_STANDING))
                for name in names
            ),
        )

    def _describe(self, name: str, figures: Figures, standing: Standing) -> SilentState:
        return SilentState(
            silent_model=name,
            paused=self._admission.pauses.holds(name),
            in_flight=standing.in_flight,
            circuits=standing.circuits,
            figures=figures,
            outlay=standing.outlay,
            cap=self._purse.cap,
            cap_window=self._purse.per,
        )

    @property
    def _queued(self) -> tuple[int, int]:
        """Copies that wait, and their bytes; a moment ago there were no fewer."""
        queued, size = self._taken, self._taken_bytes
        for stage in self._stages:
            queued -= stage.left
            size -= stage.left_bytes
        return queued, size

    def _reserve(self, copy: Copy) -> int:
        settings, timeout = self._settings, copy.target.timeout
        return reserve_copy(
            copy,
            at=self._calendar(),
            timeout=settings.timeout if timeout is None else timeout,
            assumed=round(settings.budget.assumed_usd_per_call * NANO),
        )

    def _worker(self, pair_id: str) -> Worker:
        return self._workers[hash(pair_id) % len(self._workers)]

    def _look_again(self, looked: Stage | None = None) -> None:
        for worker in self._workers:
            if worker.stage is not looked:
                worker.look_again()

    def _offer(self, offer: Offer) -> tuple[Disposition, ...]:
        worker = self._worker(offer.pair_id)
        now = self._clock()
        told: dict[str, Disposition] = {}  # one for each silent model, however often it is named
        copies: list[Copy] = []
        ends: list[SilentEnd] = []
        with self._lock:
            pauses = self._admission.pauses
            for target in offer.targets:
                name = target.silent_model
                if name in told:
                    continue
                if pauses.holds(name):
                    told[name] = Disposition(name, False, Shed.PAUSED.value)
                    self._tally.refuse(name, Shed.PAUSED.value)
                    continue
                told[name] = Disposition(name, True)
                self._tally.offer(name)
                refusal = self._refusal(worker, offer.size)
                if refusal is None:
                    self._taken += 1
                    self._taken_bytes += offer.size
                    copies.append(Copy(offer.pair_id, offer.chat, offer.size, target, now))
                else:
                    end = _shed(offer.pair_id, target, refusal)
                    self._tally.end(end)
                    ends.append(end)
            if copies:
                worker.take(copies)
        for end in ends:
            self._journal.note(SilentEnded(end.pair_id, now, end))
        return tuple(told.values())

    def _refusal(self, worker: Worker, size: int) -> Shed | None:
        if self._stopping or not worker.is_running:
            return Shed.STOPPING
        queued, queued_bytes = self._queued
        if queued >= self._settings.max_queue:
            return Shed.QUEUE_FULL
        if queued_bytes + size > self._settings.max_queue_bytes:
            return Shed.QUEUE_BYTES
        return None


def _shed(pair_id: str, target: SilentTarget, reason: Shed) -> SilentEnd:
    return SilentEnd(pair_id, target.silent_model, Outcome.SHED, reason.value, target.fraction)


def _compare_safely(
    primary: Completion, silent: Completion, schema: bytes | None
) -> Comparison | None:
    """Compare, and whatever breaks then, let the pair have its end."""
    try:
        return compare(primary, silent, schema)
    except Exception as error:  # noqa: BLE001, because the pair must end all the same
        _LOG.error("a comparison broke with %s", type(error).__name__)
        return None
