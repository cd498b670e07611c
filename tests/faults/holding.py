"""What a service in a process of its own holds, seen from outside: memory, descriptors, work.

Linux only, for it reads /proc.
"""

import json
import socket
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from understudy.v1 import operations_pb2

_GRPCS = frozenset({"AioServer._request_call"})  # waits for the next call, now and then
_SLACK = 3  # descriptors and threads, of which gRPC has some that come and go


@dataclass(frozen=True, slots=True)
class Holding:
    """What a process holds at one moment. `seats` are calls and copies that are under way."""

    tasks: Mapping[str, int]
    connections: int
    descriptors: int
    threads: int
    seats: int

    def leaks(self, before: "Holding") -> dict[str, int]:
        """What is held more than before, beyond what comes and goes by itself."""
        more = Counter(self.tasks) - Counter(before.tasks)
        found = {f"task {name}": count for name, count in more.items() if name not in _GRPCS}
        if self.seats:
            found["seats"] = self.seats
        for name, now, then, slack in (
            ("connections", self.connections, before.connections, 0),
            ("descriptors", self.descriptors, before.descriptors, _SLACK),
            ("threads", self.threads, before.threads, _SLACK),
        ):
            if now - then > slack:
                found[name] = now - then
        return found


def look(pid: int, window: Path, told: operations_pb2.GetStatusResponse) -> Holding:
    """Look at a service: at its process, through its window, and at what it says of itself."""
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(str(window))
        with caller.makefile() as answer:
            seen: dict[str, Any] = json.load(answer)
    # Whoever asks is a call under way.
    busy = told.in_flight - 1 + sum(one.in_flight for one in told.deployments)
    return Holding(
        tasks=seen["tasks"],
        connections=seen["connections"],
        descriptors=sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir()),
        threads=sum(1 for _ in Path(f"/proc/{pid}/task").iterdir()),
        seats=busy + told.mirror.in_flight + told.mirror.queued,
    )


def resident(pid: int) -> float:
    """MiB of memory in use."""
    return _read(pid, "VmRSS")


def peak(pid: int) -> float:
    """MiB of memory in use at most, since `forget_peak`."""
    return _read(pid, "VmHWM")


def forget_peak(pid: int) -> None:
    """Let the peak begin anew."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _read(pid: int, field: str) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:")) / 1024
