"""A dashboard that only repeats what another has answered, as a load on the browsers' own side.

Run as `python -m benchmarks.replaying URL`; it prints its port. What it has not heard yet it asks
the dashboard at the URL for, so whoever wants it quiet asks for everything once before.
"""

import asyncio
import sys
from typing import Final

import aiohttp
from aiohttp import web

_KEPT: Final = ("content-type", "etag")


class Replay:
    """What was answered, by what was asked."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._answers: dict[str, tuple[int, bytes, dict[str, str]]] = {}

    async def answer(self, request: web.Request) -> web.Response:
        """Answer as the dashboard did."""
        asked = request.path_qs
        if asked not in self._answers:
            async with self._session.get(asked) as reply:
                head = {name: reply.headers[name] for name in _KEPT if name in reply.headers}
                self._answers[asked] = reply.status, await reply.read(), head
        status, body, head = self._answers[asked]
        etag = head.get("etag")
        if etag is not None and request.headers.get("if-none-match") == etag:
            return web.Response(status=304, headers={"etag": etag})
        return web.Response(status=status, body=body, headers=head)


async def main(url: str) -> None:
    """Serve until killed."""
    async with aiohttp.ClientSession(url) as session:
        app = web.Application()
        app.router.add_get("/{path:.*}", Replay(session).answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        print(runner.addresses[0][1], flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
