"""Stands in for the network where the models are simulated: nothing leaves the process.

What they answer is made up in `replies`; here it takes its time, keeps
deadlines and can be cancelled, as an upstream does.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from understudy.server.errors import Reason, UpstreamError
from understudy.server.ports import Exchange, HttpRequest
from understudy.server.simulated.replies import fingerprint, perform

_MOST_REMEMBERED = 10_000


class SimulatedUpstream:
    """Plays the models behind `simulated://` addresses. One for each event loop."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._asked: Counter[bytes] = Counter()

    @asynccontextmanager
    async def exchange(
        self, request: HttpRequest, deadline: float, silence: float | None = None
    ) -> AsyncGenerator[Exchange]:
        """Play a request; the reply begins with its first bytes."""
        started = asyncio.get_running_loop().time()
        script = perform(request.body, repeat=self._count(request.body), created=int(self._clock()))
        pace = _Pace(started, deadline, silence)
        await pace.wait_until(script.steps[0][0])
        yield _SimulatedExchange(script.status, script.headers, script.steps, pace)

    def _count(self, body: bytes) -> int:
        """Return how often the request was made before, and remember this time."""
        if len(self._asked) >= _MOST_REMEMBERED:
            self._asked.clear()
        mark = fingerprint(body)
        self._asked[mark] += 1
        return self._asked[mark] - 1


class _Pace:
    """Waits for the instants of a script, as long as the deadline and the silence allow."""

    def __init__(self, started: float, deadline: float, silence: float | None) -> None:
        self._started = started
        self._deadline = deadline
        self._silence = silence
        self._heard = started

    async def wait_until(self, at: float) -> None:
        """Return so many seconds after the start. Raises UpstreamError where that is too late."""
        now = asyncio.get_running_loop().time()
        instant = self._started + at
        last = self._deadline
        if self._silence is not None:
            last = min(last, self._heard + self._silence)
        if now >= last or instant > last:
            await asyncio.sleep(last - now)
            raise UpstreamError(
                Reason.UPSTREAM_READ_TIMEOUT, "the simulated model did not answer in time"
            )
        if instant > now:
            await asyncio.sleep(instant - now)
        self._heard = max(now, instant)


class _SimulatedExchange:
    """A reply on its way."""

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        steps: Sequence[tuple[float, bytes]],
        pace: _Pace,
    ) -> None:
        self.status = status
        self.headers = headers
        self._steps = steps
        self._pace = pace

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes."""
        for at, data in self._steps:
            await self._pace.wait_until(at)
            yield data

    def hurry(self) -> None:
        """Do nothing: the last step is the last word."""
