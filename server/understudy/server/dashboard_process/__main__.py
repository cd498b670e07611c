"""Starts the dashboard: `python -m understudy.server.dashboard_process LINK LISTENER`.

Both are open files, the first a link to the service; nobody else starts this.
"""

import signal
import sys

from understudy.server.processes.stepping_back import step_back

NICE = 10


def main(link: int, listener: int) -> None:
    """Be the dashboard."""
    # A terminal sends these to all processes; when the service ends, so does this.
    for one in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(one, signal.SIG_IGN)
    step_back(NICE)
    import asyncio
    import socket

    from understudy.server.dashboard_process.child import run

    asyncio.run(run(socket.socket(fileno=link), socket.socket(fileno=listener)))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
