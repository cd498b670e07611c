"""Starts a report's process: `python -m understudy.server.reporting FD`, as the service does."""

import signal
import socket
import sys

from understudy.server.reporting.computing import compute
from understudy.server.reporting.worker import work

if __name__ == "__main__":
    # A terminal sends this to all processes; the service tells its own what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    work(socket.socket(fileno=int(sys.argv[1])), compute)
