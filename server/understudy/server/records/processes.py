"""Tells processes apart, so that the offers of one that died can be found."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Process:
    """A process: the host where its number means something, the number, and when it began.

    `started` tells it from a later process that has the same number; empty where unknown.
    """

    host: str
    pid: int
    started: str

    @staticmethod
    def own() -> "Process":
        """Return this one."""
        pid = os.getpid()
        return Process(_host(), pid, _started(pid))

    def is_alive_here(self) -> bool:
        """Whether it lives, this being its host."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except OSError:
            pass  # it is another user's
        return _started(self.pid) == self.started


def _host() -> str:
    """Return what differs between machines, boots and containers: each counts processes anew."""
    parts = [socket.gethostname()]
    try:
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(str(Path("/proc/self/ns/pid").stat().st_ino))
    except OSError:
        pass  # no Linux
    return "/".join(parts)


def _started(pid: int) -> str:
    """Return when a process began, in ticks since the boot; a zombie has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()  # the name before may hold anything
    return "" if fields[0] in "ZX" else fields[19]
