"""Names to addresses, in threads of this resolver's own and within a time limit.

A look-up that hangs holds one daemon thread, whatever many calls wait for it: it holds up neither
other names, nor the event loop's executors, nor the end of the process. Each address is judged
once more in `sockets`, as it is contacted.
"""

import asyncio
import socket
from collections import deque
from collections.abc import Callable, Sequence
from threading import Thread

from aiohttp.abc import AbstractResolver, ResolveResult

from understudy.server.upstream.addresses import Judge
from understudy.server.upstream.sockets import AddressRefusedError

Lookup = Callable[[str], Sequence[str]]

_TTL = 30.0  # seconds
_MAX_THREADS = 32


def look_up(host: str) -> Sequence[str]:
    """Return a host's addresses. Blocks; raises OSError."""
    infos = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [str(address[0]) for *_, address in infos]


class UnresolvedError(OSError):
    """A name has no address, or none in time."""


class Resolver(AbstractResolver):
    """Resolves for one event loop. Answers are kept for half a minute, failures are not.

    With a judge, an answer is refused whole for one address that may not be contacted: whoever
    mixes those in means no good.
    """

    def __init__(
        self, timeout: float, lookup: Lookup = look_up, judge: Judge | None = None
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._timeout = timeout
        self._lookup = lookup
        self._judge = judge
        self._known: dict[str, tuple[float, Sequence[str]]] = {}
        self._jobs: dict[str, asyncio.Future[Sequence[str] | Exception]] = {}
        self._waiting: deque[str] = deque()
        self._threads = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return a host's addresses, for aiohttp.

        Raises UnresolvedError if there are none, AddressRefusedError for one that is forbidden.
        """
        addresses = await self._find(host)
        judge = self._judge
        refusals = [] if judge is None else [why for one in addresses if (why := judge(one))]
        if refusals:
            raise AddressRefusedError(f"its address is {refusals[0]}")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        """Forget what is known. A look-up under way ends by itself."""
        self._known.clear()
        self._waiting.clear()

    async def _find(self, host: str) -> Sequence[str]:
        expires, addresses = self._known.get(host, (0.0, ()))
        if self._loop.time() < expires:
            return addresses
        job = self._jobs.get(host) or self._begin(host)
        # Unlike `wait_for`, this leaves the job to the others who wait for it, and to the cache.
        done, _ = await asyncio.wait((job,), timeout=self._timeout)
        if not done:
            raise UnresolvedError(f"no answer within {self._timeout:g} s")
        outcome = job.result()
        if isinstance(outcome, Exception):
            raise UnresolvedError(str(outcome)) from outcome
        return outcome

    def _begin(self, host: str) -> asyncio.Future[Sequence[str] | Exception]:
        job = self._jobs[host] = self._loop.create_future()
        self._waiting.append(host)
        self._start_threads()
        return job

    def _start_threads(self) -> None:
        while self._waiting and self._threads < _MAX_THREADS:
            self._threads += 1
            host = self._waiting.popleft()
            # Daemons, because an executor's threads are joined at exit, hung or not.
            Thread(target=self._run, args=(host,), name=f"lookup-{host}", daemon=True).start()

    def _run(self, host: str) -> None:
        outcome: Sequence[str] | Exception
        try:
            outcome = self._lookup(host) or OSError("it has no address")
        except Exception as error:  # noqa: BLE001, because those who wait must hear of it
            outcome = error
        try:
            self._loop.call_soon_threadsafe(self._settle, host, outcome)
        except RuntimeError:
            return  # the loop is closed, and nobody waits any longer

    def _settle(self, host: str, outcome: Sequence[str] | Exception) -> None:
        self._threads -= 1
        if not isinstance(outcome, Exception):
            self._known[host] = (self._loop.time() + _TTL, outcome)
        self._jobs.pop(host).set_result(outcome)
        self._start_threads()
