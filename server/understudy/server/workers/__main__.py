"""Starts a worker: `python -m understudy.server.workers FD`, as its parent does, and nobody else."""

import asyncio
import signal
import socket
import sys

from understudy.server.mirror.loops import new_loop
from understudy.server.workers.worker import run


def main(number: str) -> None:
    """Be a worker whose link is the open file of this number."""
    # A terminal sends these to all processes; the parent tells its workers what they mean.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(run(socket.socket(fileno=int(number))))


if __name__ == "__main__":
    main(sys.argv[1])
