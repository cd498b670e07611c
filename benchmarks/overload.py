"""`make bench-overload`: what is left of the answers when more is asked than one core can answer.

First the capacity is found, closed-loop. Then `h2load` (Debian: nghttp2-client) sends a multiple
of it at fixed instants, because no Python client could; and beside it a trickle of calls whose
status is looked at, and which are timed from their instant, says how callers fare. How many were
answered and refused in all, the service itself counts. The first seconds are not counted: the
line that forms until an overload is noticed has gone by then.
"""

import argparse
import asyncio
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import grpc
import uvloop
from rich.console import Console

from benchmarks.keeping import Row, keep
from benchmarks.load import METHOD, PROMPT, cpu_seconds, press
from benchmarks.speed import STATES, configure
from benchmarks.subjects import LOAD, Subject, describe_machine, keep_to, serving, starting
from understudy.v1 import operations_pb2, operations_pb2_grpc

CONNECTIONS: Final = 8
SETTLING: Final = 4.0  # seconds
TRICKLE: Final = 100  # calls a second
HEADS = (
    "asked/s",
    "answered, of capacity",
    "refused",
    "answered p50 ms",
    "answered p99 ms",
    "refused p50 ms",
    "refused p99 ms",
    "otherwise",
    "CPU",
)


@dataclass(slots=True)
class Found:
    """What a stretch found. Latencies are in seconds, rates per second, `cpu` in cores."""

    rate: float
    answered: float = 0.0
    refused: float = 0.0
    cpu: float = 0.0
    answers: list[float] = field(default_factory=list[float])
    refusals: list[float] = field(default_factory=list[float])
    otherwise: int = 0


def main() -> None:
    """Measure, print the table, and keep it if asked to."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--times", type=float, action="append", help="of capacity [1, 2, 3]")
    options.add_argument("--seconds", type=float, default=10.0, help="counted for each [10]")
    options.add_argument("--streams", type=int, help="max_streams_per_connection [no limit]")
    options.add_argument("--model", type=float, default=0.0, help="seconds a model takes [0]")
    options.add_argument("--out", help="folder for the table, the plot and the raw samples")
    given = options.parse_args()
    if shutil.which("h2load") is None:
        sys.exit("h2load is needed; Debian has it in nghttp2-client")
    console = Console(width=160)
    rows: list[Row] = []
    limits = {"max_streams_per_connection": given.streams} if given.streams else {}
    with starting(["-m", "benchmarks.upstream", str(given.model)], LOAD) as upstream:
        for times in given.times or (1.0, 2.0, 3.0):
            # Each has a service of its own, which no overload of before has touched.
            with serving("understudy", configuration(upstream.port, limits)) as subject:
                keep_to(LOAD)
                in_flight = max(32, round(4000 * given.model))
                capacity = uvloop.run(press(subject.port, subject.pid, 3, in_flight, 4)).rate
                with console.status(f"{times:g} x capacity"):
                    found = uvloop.run(overload(subject, times * capacity, given.seconds))
            rows.append(tell(f"{times:g} x capacity ({capacity:,.0f}/s)", found, capacity))
    note = describe_machine().removesuffix("; medians of interleaved rounds")
    title = f"more than one core can answer, on {CONNECTIONS} connections"
    keep(console, "overload", title, note, HEADS, rows, given.out)


def configuration(port: int, limits: Mapping[str, Any]) -> dict[str, Any]:
    """Return a service with nothing on but its limits."""
    quiet = next(one for one in STATES if one.name == "nothing on")
    config = configure(f"http://127.0.0.1:{port}", quiet)
    config["understudy"]["server"] = {"limits": dict(limits)}
    return config


async def overload(subject: Subject, rate: float, seconds: float) -> Found:
    """Ask so often for so long, once the overload has been noticed."""
    found = Found(rate)
    with tempfile.TemporaryDirectory() as folder:
        prompt = Path(folder) / "prompt"
        prompt.write_bytes(b"\0" + struct.pack(">I", len(PROMPT)) + PROMPT)
        flood = await asyncio.create_subprocess_exec(
            *("h2load", "-D", str(int(SETTLING + seconds + 3)), "-c", str(CONNECTIONS)),
            *("-m", "4000", f"--rps={max(1, round((rate - TRICKLE) / CONNECTIONS))}"),
            *("-d", str(prompt), "-H", "content-type: application/grpc", "-H", "te: trailers"),
            f"http://127.0.0.1:{subject.port}{METHOD}",
            stdout=subprocess.DEVNULL,
        )
        try:
            await asyncio.sleep(SETTLING)
            await watch(subject, found, seconds)
        finally:
            if flood.returncode is None:
                flood.kill()
            await flood.wait()
    return found


async def watch(subject: Subject, found: Found, seconds: float) -> None:
    """Send the trickle, and take what the service counts meanwhile."""
    target = f"127.0.0.1:{subject.port}"
    options = [("grpc.use_local_subchannel_pool", 1)]
    async with (
        grpc.aio.insecure_channel(target, options=options) as channel,
        grpc.aio.insecure_channel(target, options=options) as other,
    ):
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHOD)
        operations = operations_pb2_grpc.OperationsServiceStub(other)
        before = await operations.GetStatus(operations_pb2.GetStatusRequest())
        cpu, begun = cpu_seconds(subject.pid), time.perf_counter()

        async def send(scheduled: float) -> None:
            await asyncio.sleep(max(0.0, scheduled - time.perf_counter()))
            try:
                await call(PROMPT, timeout=30)
                found.answers.append(time.perf_counter() - scheduled)
            except grpc.aio.AioRpcError as error:
                if (error.details() or "").startswith("OVERLOADED"):
                    found.refusals.append(time.perf_counter() - scheduled)
                else:
                    found.otherwise += 1

        await asyncio.gather(*(send(begun + at / TRICKLE) for at in range(int(seconds * TRICKLE))))
        took = time.perf_counter() - begun
        found.cpu = (cpu_seconds(subject.pid) - cpu) / took
        after = await operations.GetStatus(operations_pb2.GetStatusRequest())
    found.refused = (after.refused - before.refused) / took
    found.answered = (after.begun - before.begun) / took


def tell(name: str, found: Found, capacity: float) -> Row:
    """Return a row of the table."""
    asked = found.answered + found.refused
    figures = (
        f"{asked:,.0f}",
        f"{found.answered / capacity:.2f}",
        f"{found.refused / asked:.0%}" if asked else "",
        *(quantile(found.answers, share) for share in (0.5, 0.99)),
        *(quantile(found.refusals, share) for share in (0.5, 0.99)),
        str(found.otherwise),
        f"{found.cpu:.2f}",
    )
    return Row(name, figures, found.answered / capacity, found.answers)


def quantile(latencies: list[float], share: float) -> str:
    """Return milliseconds, nothing where there is nothing."""
    ordered = sorted(latencies)
    if not ordered:
        return ""
    return f"{ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1e3:.1f}"


if __name__ == "__main__":
    main()
