"""`make soak`: rotating faults for minutes, and whether anything grows that should not.

Memory, descriptors, threads and calls under way are read every second. A slope is the median of
the slopes between readings far apart (Theil and Sen), over the second half, when all that is
cached is cached; it fails where it is more than noise. Exits with 1 then.
"""

import argparse
import asyncio
import itertools
import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import grpc
import uvloop
from msgspec import Struct
from rich.console import Console

from benchmarks.isolation import count_descriptors
from benchmarks.keeping import Row, keep
from benchmarks.load import METHOD, memory
from benchmarks.subjects import LOAD, Subject, describe_machine, keep_to, serving, starting
from understudy.v1 import chat_pb2, completion_pb2, operations_pb2, operations_pb2_grpc

FAULTS: Final = (
    "ok",
    "status-503",
    "hang-headers",
    "reset",
    "drip-100ms",
    "huge",
    "brackets-1000000",
    "truncated",
    "bad-json",
    "status-429",
)
# For each hour: MiB, and how many.
MOST: Final = {"memory": 60.0, "descriptors": 30.0, "threads": 6.0, "under way": 60.0}
HEADS = ("first", "slope an hour", "last", "most", "allowed an hour", "verdict")


class Reading(Struct, frozen=True):
    """What the process held at one moment."""

    seconds: float
    memory: float
    descriptors: int
    threads: int
    under_way: int


def main() -> None:
    """Soak, print the table, and say by the exit whether anything grew."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--minutes", type=float, default=10.0, help="how long [10]")
    options.add_argument("--rate", type=float, default=60.0, help="calls a second [60]")
    options.add_argument("--out", help="folder for the table, the plot and the readings")
    given = options.parse_args()
    console = Console(width=120)
    with starting(["-m", "tests.stub"], LOAD, "stub") as stub:
        keep_to(LOAD)
        with serving("understudy", configure(stub.port)) as subject:
            readings, calls = uvloop.run(soak(subject, given.minutes * 60, given.rate, console))
    rows = tell(readings)
    title = f"{given.minutes:g} minutes, {calls:,} calls, of which each group fails in turn"
    keep(console, "soak", title, describe_machine(), HEADS, rows, given.out)
    sys.exit(0 if all(row.figures[-1] == "passes" for row in rows) else 1)


def configure(port: int) -> dict[str, Any]:
    """Return a service with a group for each fault, mirrored to each of the others in turn."""
    here = {"api_base": f"http://127.0.0.1:{port}/v1", "api_key": "sk-a", "timeout": 1}
    names = list(FAULTS)
    models = [
        {
            "model_name": name,
            "litellm_params": {
                **here,
                "model": f"openai/{name}",
                "silent_model": names[(at + 1) % len(names)],
            },
        }
        for at, name in enumerate(names)
    ]
    mirror = {"timeout": "1s", "budget": {"usd": 1_000_000, "assumed_usd_per_call": 0}}
    retention = {"metadata": "60s", "content": "30s"}
    return {
        "model_list": models,
        "understudy": {
            "mirror": mirror,
            "records": {"capture": "content", "retention": retention},
            "dashboard": {"port": 0},
            "metrics": {"port": 0},
        },
    }


async def soak(
    subject: Subject, seconds: float, rate: float, console: Console
) -> tuple[list[Reading], int]:
    """Ask each group in turn, whole and streamed, some cancelled; return readings and calls."""
    readings: list[Reading] = []
    under_way = set[asyncio.Task[None]]()
    number = 0
    async with grpc.aio.insecure_channel(f"127.0.0.1:{subject.port}") as channel:
        operations = operations_pb2_grpc.OperationsServiceStub(channel)
        begin = time.perf_counter()
        looked = begin
        with console.status("soaking") as status:
            for number in itertools.count():
                now = time.perf_counter()
                if now - begin >= seconds:
                    break
                if now - looked >= 1:
                    looked = now
                    told = await operations.GetStatus(operations_pb2.GetStatusRequest())
                    readings.append(read(subject.pid, now - begin, told))
                    status.update(f"soaking: {now - begin:.0f} of {seconds:.0f} s")
                task = asyncio.create_task(ask(channel, number))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
                await asyncio.sleep(max(0.0, begin + (number + 1) / rate - time.perf_counter()))
        await asyncio.gather(*under_way)
    return readings, number


async def ask(channel: grpc.aio.Channel, number: int) -> None:
    """Make one call; every seventh gives up early."""
    request = completion_pb2.CreateCompletionRequest(
        model=FAULTS[number % len(FAULTS)],
        messages=[chat_pb2.ChatMessage(role="user", content=f"{number} " + "x" * 500)],
    ).SerializeToString()
    call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHOD)
    with suppress(grpc.aio.AioRpcError):  # that is what faults are for
        await call(request, timeout=0.05 if number % 7 == 0 else 10)


def read(pid: int, seconds: float, told: operations_pb2.GetStatusResponse) -> Reading:
    """Look at the process."""
    threads = sum(1 for _ in Path(f"/proc/{pid}/task").iterdir())
    mirror = told.mirror
    under_way = told.in_flight - 1 + mirror.in_flight + mirror.queued
    return Reading(seconds, memory(pid), count_descriptors(pid), threads, under_way)


def tell(readings: Sequence[Reading]) -> list[Row]:
    """Return a row for each that might grow."""
    rows: list[Row] = []
    times = [one.seconds for one in readings]
    for name, most in MOST.items():
        values = [float(getattr(one, name.replace(" ", "_"))) for one in readings]
        half = len(values) // 2
        slope = find_slope(times[half:], values[half:]) * 3600
        verdict = "passes" if slope <= most else f"grows by {slope:.0f} an hour"
        figures = (
            f"{values[0]:.0f}",
            f"{slope:+.1f}",
            f"{values[-1]:.0f}",
            f"{max(values):.0f}",
            f"{most:.0f}",
            verdict,
        )
        rows.append(Row(name, figures, slope, values))
    return rows


def find_slope(times: Sequence[float], values: Sequence[float]) -> float:
    """Return the median slope between readings that are at least a third of all time apart."""
    apart = max(1, len(times) // 3)
    slopes = [
        (values[late] - values[early]) / (times[late] - times[early])
        for early in range(len(times))
        for late in range(early + apart, len(times))
    ]
    return statistics.median(slopes) if slopes else 0.0


if __name__ == "__main__":
    main()
