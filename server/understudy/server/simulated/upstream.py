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
    async def exchange(self, request: HttpRequest, deadline: float) -> AsyncGenerator[Exchange]:
        """Play a request; the reply begins with its first bytes."""
        started = asyncio.get_running_loop().time()
        script = perform(request.body, repeat=self._count(request.body), created=int(self._clock()))
        await _wait_until(started + script.steps[0][0], deadline)
        yield _SimulatedExchange(script.status, script.headers, script.steps, started, deadline)

    def _count(self, body: bytes) -> int:
        """Return how often the request was made before, and remember this time."""
        if len(self._asked) >= _MOST_REMEMBERED:
            self._asked.clear()
        mark = fingerprint(body)
        self._asked[mark] += 1
        return self._asked[mark] - 1


class _SimulatedExchange:
    """A reply on its way."""

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        steps: Sequence[tuple[float, bytes]],
        started: float,
        deadline: float,
    ) -> None:
        self.status = status
        self.headers = headers
        self._steps = steps
        self._started = started
        self._deadline = deadline

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes."""
        for at, data in self._steps:
            await _wait_until(self._started + at, self._deadline)
            yield data


async def _wait_until(instant: float, deadline: float) -> None:
    now = asyncio.get_running_loop().time()
    if now >= deadline or instant > deadline:
        await asyncio.sleep(deadline - now)
        raise UpstreamError(
            Reason.UPSTREAM_READ_TIMEOUT, "the simulated model did not answer in time"
        )
    if instant > now:
        await asyncio.sleep(instant - now)
