"""Browsers with every page of a dashboard open, as a load on it.

Run as `python -m benchmarks.browsers URL REPLAY COUNT`. It finds the pages by their links, and what
each keeps up to date by what its own HTML says. Then it polls from each line `on` to the next
`off`, or from `still`, then of the replay of the dashboard; and answers each line with one of
JSON: after `off`, with what was seen.
"""

import asyncio
import html
import random
import re
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import aiohttp
import msgspec
from starlette.routing import compile_path

from understudy.server.dashboard.pages import NAV, PAGES

EVERY: Final = 2.0  # seconds until a browser opens its next page
EVERY_CHART: Final = 5.0  # as charts.js has it
ASKED: Final = ("/logs?live=1", "/logs?live=1&filter=failed%3Dtrue", "/pairs?sort=worst")
_CONNECTIONS: Final = 6  # that a browser opens to one host
_LINK: Final = re.compile(r'href="(/[^"#]*)"')
_TAG: Final = re.compile(r"<[a-z]+ [^>]*data-live[^>]*>")
_PART: Final = re.compile(r'hx-get="([^"]+)".*hx-trigger="every (\d+)s"')
_CHART: Final = re.compile(r'data-source="([^"]+)"')
_PATTERNS: Final = tuple(
    (one.path, compile_path(one.path)[0]) for one in PAGES if not one.changes and not one.part
)


class Seen(msgspec.Struct):
    """What browsers saw: latencies in seconds, of pages and of their parts."""

    pages: list[float] = msgspec.field(default_factory=list[float])
    parts: list[float] = msgspec.field(default_factory=list[float])
    unchanged: int = 0
    faults: dict[str, int] = msgspec.field(default_factory=dict[str, int])

    def add(self, other: "Seen") -> None:
        """Count what another time brought as well."""
        self.pages += other.pages
        self.parts += other.parts
        self.unchanged += other.unchanged
        for name, count in other.faults.items():
            self.faults[name] = self.faults.get(name, 0) + count

    def blame(self, fault: str) -> None:
        """Count a page that did not come."""
        self.faults[fault] = self.faults.get(fault, 0) + 1


@dataclass(slots=True)
class Part:
    """What a page keeps up to date by itself."""

    address: str
    interval: float
    etag: str = ""


@dataclass(slots=True)
class Browser:
    """Somebody with every page open. The pages that ask by themselves go on asking."""

    session: aiohttp.ClientSession
    replay: aiohttp.ClientSession
    pages: dict[str, str] = field(default_factory=dict[str, str])  # addresses by pattern
    parts: dict[str, Part] = field(default_factory=dict[str, Part])

    async def open_all(self, seen: Seen) -> None:
        """Open what leads on, and one page of each kind that is linked there."""
        waiting = [*(one.path for one in NAV), *ASKED]
        while waiting:
            address = waiting.pop(0)
            text, final = await self._get(self.session, address, seen)
            pattern = _pattern(final)
            self.pages.setdefault(address if address in ASKED else pattern, final)
            self._note_parts(text)
            for link in map(html.unescape, _LINK.findall(text)):
                kind = _pattern(link)
                if kind and kind not in self.pages and not kind.endswith("/export"):
                    self.pages[kind] = link
                    waiting.append(link)

    async def poll(self, over: asyncio.Event, seen: Seen, *, still: bool) -> None:
        """Go on as a browser does, until it is over; if `still`, by the replay."""
        session = self.replay if still else self.session
        await asyncio.gather(
            *(
                _repeat(over, part.interval, partial(self._refresh, session, part, seen))
                for part in self.parts.values()
            ),
            self._turn_pages(session, over, seen),
        )

    async def _turn_pages(
        self, session: aiohttp.ClientSession, over: asyncio.Event, seen: Seen
    ) -> None:
        addresses = list(self.pages.values())
        random.shuffle(addresses)

        async def turn() -> None:
            addresses.append(addresses.pop(0))
            await self._get(session, addresses[-1], seen)

        await _repeat(over, EVERY, turn)

    async def _get(
        self, session: aiohttp.ClientSession, address: str, seen: Seen
    ) -> tuple[str, str]:
        began = time.perf_counter()
        try:
            async with session.get(address) as reply:
                text = await reply.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            seen.blame(f"{address.partition('?')[0]}: {type(error).__name__}")
            return "", address
        seen.pages.append(time.perf_counter() - began)
        if reply.status >= 400 or "No figures:" in text:
            seen.blame(f"{address.partition('?')[0]}: {reply.status}")
        return text, str(reply.url.relative())

    async def _refresh(self, session: aiohttp.ClientSession, part: Part, seen: Seen) -> None:
        head = {"if-none-match": part.etag} if part.etag else {}
        began = time.perf_counter()
        try:
            async with session.get(part.address, headers=head) as reply:
                await reply.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            seen.blame(f"{part.address.partition('?')[0]}: {type(error).__name__}")
            return
        seen.parts.append(time.perf_counter() - began)
        seen.unchanged += reply.status == 304
        part.etag = reply.headers.get("etag", part.etag)
        if reply.status >= 400 or "x-understudy-trouble" in reply.headers:
            seen.blame(f"{part.address.partition('?')[0]}: {reply.status}")

    def _note_parts(self, text: str) -> None:
        found = [
            (one, float(every)) for tag in _TAG.findall(text) for one, every in _PART.findall(tag)
        ]
        found += [(one, EVERY_CHART) for one in _CHART.findall(text)]
        for address, interval in found:
            plain = html.unescape(address)
            self.parts.setdefault(plain, Part(plain, interval))


def _pattern(address: str) -> str:
    path = address.partition("?")[0]
    return next((name for name, pattern in _PATTERNS if pattern.match(path)), "")


async def _repeat(over: asyncio.Event, interval: float, act: Callable[[], Awaitable[None]]) -> None:
    """Act at fixed instants, the first of them drawn, until it is over."""
    loop = asyncio.get_running_loop()
    due = loop.time() + random.random() * interval
    while not over.is_set():
        try:
            async with asyncio.timeout_at(due):
                await over.wait()
        except TimeoutError:
            await act()
            due = max(due + interval, loop.time())


def open_session(url: str) -> aiohttp.ClientSession:
    """Return a browser's connections to one place."""
    return aiohttp.ClientSession(
        url,
        connector=aiohttp.TCPConnector(limit=_CONNECTIONS),
        cookie_jar=aiohttp.CookieJar(unsafe=True),  # a host that is a number has some too
        timeout=aiohttp.ClientTimeout(total=30),
    )


async def main(url: str, replay: str, count: int) -> None:
    """Open all pages, and poll when told."""
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
    )
    browsers = [Browser(open_session(url), open_session(replay)) for _ in range(count)]
    seen, over = Seen(), asyncio.Event()
    for one in browsers:
        await one.open_all(seen)
    tell({"pages": sorted(browsers[0].pages.values()), "parts": sorted(browsers[0].parts)})
    polling: asyncio.Future[list[None]] | None = None
    while line := (await lines.readline()).strip():
        if line in (b"on", b"still"):
            seen, over, still = Seen(), asyncio.Event(), line == b"still"
            polling = asyncio.gather(*(one.poll(over, seen, still=still) for one in browsers))
        elif polling is not None:
            over.set()
            await polling
        tell(seen)
    for one in browsers:
        await one.session.close()
        await one.replay.close()


def tell(what: object) -> None:
    """Print a line of JSON."""
    print(msgspec.json.encode(what).decode(), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
