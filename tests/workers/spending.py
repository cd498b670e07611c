"""Services whose silent model costs a fixed sum for each call, and callers who want too many."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import grpc

from understudy.v1 import operations_pb2

from ..service.asking import prompt
from ..service.configs import deployment, write
from ..service.running import Demo
from ..stub.faultstub import FaultStub
from .crew import DRAIN, READY, Line, children

# What a call of the silent model costs, which is also the most that it can: its input is free, and
# it says as many tokens as it is let.
TOKENS: Final = 3
CALL: Final = 30_000_000  # 10^-9 dollars
PRICES: Final[dict[str, Any]] = {"input_cost_per_token": 0, "output_cost_per_token": 0.01}


def configure(
    primary: FaultStub,
    silent: FaultStub,
    folder: Path,
    *,
    calls: int,
    workers: int = 1,
    url: str = "",
) -> str:
    """A configuration whose group `a` mirrors to `b`, with money for so many calls of that.

    `url` is where records are, empty for SQLite in the folder.
    """
    records: dict[str, Any] = {"flush": "50ms"} | ({"url": url} if url else {})
    return write(
        deployment(primary, "a", "first", silent_model="b"),
        deployment(silent, "b", "slow-100ms+second", **PRICES),
        understudy={
            "server": {"port": 0, "workers": workers, "drain": DRAIN},
            "state_dir": str(folder / "state"),
            "records": records,
            "mirror": {
                "max_queue_age": "20s",
                "max_queue": 10_000,
                "budget": {"usd": calls * CALL / 1e9, "per": "1000d"},
            },
        },
    )


async def ask_much(lines: Sequence[Line], calls: int) -> int:
    """Ask as many calls at once over all lines; return how many were answered, which may be killed."""
    answered = 0

    async def ask(line: Line) -> None:
        nonlocal answered
        with contextlib.suppress(grpc.aio.AioRpcError):
            await line.completions.CreateCompletion(prompt("a", max_tokens=TOKENS))
            answered += 1

    await asyncio.gather(*(ask(lines[number % len(lines)]) for number in range(calls)))
    return answered


async def mirrored(line: Line) -> operations_pb2.SilentModelStatus:
    """Return how the silent model is, nothing if it was never met."""
    found = (await line.operations.GetStatus(READY)).mirror.silent_models
    return next(
        (one for one in found if one.silent_model == "b"), operations_pb2.SilentModelStatus()
    )


async def settled(line: Line, calls: int = 0) -> operations_pb2.SilentModelStatus:
    """Return how the silent model is once `calls` were offered and each has ended."""
    deadline = asyncio.get_running_loop().time() + 30
    while True:
        one = await mirrored(line)
        if calls <= one.offered == sum(one.outcomes.values()):
            return one
        assert asyncio.get_running_loop().time() < deadline, one
        await asyncio.sleep(0.05)


def kill_all(server: Demo) -> None:
    """Kill a service, all of its processes, as a crash of the machine does."""
    found = children(server.process.pid)
    os.kill(server.process.pid, signal.SIGSTOP)  # or it would replace them
    for pid in found:
        os.kill(pid, signal.SIGKILL)
    server.process.kill()
