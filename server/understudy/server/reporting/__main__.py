"""Starts a report's process: `python -m understudy.server.reporting FD`, as the service does."""

import signal
import socket
import sys

from understudy.server.processes.stepping_back import step_back

NICE = 10


def begin() -> None:
    """Step back behind those who answer callers, before anything is loaded."""
    # A terminal sends this to all processes; the service tells its own what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    step_back(NICE, only_when_idle=True)


def main(number: str) -> None:
    """Compute one report, at the other end of whose link the service is."""
    begin()
    from understudy.server.reporting.computing import compute
    from understudy.server.reporting.worker import work

    work(socket.socket(fileno=int(number)), compute)


if __name__ == "__main__":
    main(sys.argv[1])
