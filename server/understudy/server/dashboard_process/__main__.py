"""Starts the dashboard: `python -m understudy.server.dashboard_process LINK LISTENER`.

Both are open files, the first a link to the service; nobody else starts this.
"""

import asyncio
import signal
import socket
import sys

from understudy.server.dashboard_process.child import run

if __name__ == "__main__":
    # A terminal sends these to all processes; when the service ends, so does this.
    for one in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(one, signal.SIG_IGN)
    link, listener = (socket.socket(fileno=int(number)) for number in sys.argv[1:])
    asyncio.run(run(link, listener))
