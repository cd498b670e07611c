"""A program that agrees to whatever it is asked, for a while.

python -m tests.workers.agreeing FD SECONDS
"""

import asyncio
import socket
import sys

from understudy.server.processes.link import open_link
from understudy.server.workers.messages import FRAMES, Anything, Done


async def agree(message: Anything) -> Anything:
    """Say that it is done."""
    return Done()


async def main(number: int, seconds: float) -> None:
    """Agree for so many seconds."""
    link = await open_link(socket.socket(fileno=number), agree, FRAMES)
    running = asyncio.create_task(link.run())
    await asyncio.wait([running], timeout=seconds)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
