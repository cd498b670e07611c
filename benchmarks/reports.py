"""`make bench-reports`: a report over a million records and more, and what callers feel of it.

One service; blocks without reports and with one after the other take turns. What computes them is
on the load's core, where the load goes first: what answers callers has the other to itself, as on
any machine with cores to spare. With --one-core reports are on that one too. First without any on
either side: that must pass, else the machine is too busy to tell. Exits with 1 if either does not
pass.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import uvloop
from rich.console import Console

from benchmarks.dashboard import (
    MODEL_SECONDS,
    PROMPT,
    SILENT,
    Stretch,
    begin_experiments,
    prepare,
    serving,
)
from benchmarks.keeping import Row, keep
from benchmarks.load import memory
from benchmarks.recorded import EXPERIMENTS
from benchmarks.sides import CONFIDENCE, Side, compare, judge, press
from benchmarks.subjects import (
    LOAD,
    Subject,
    describe_machine,
    go_first,
    keep_to,
    set_aside,
    starting,
)
from understudy.v1 import record_pb2, record_pb2_grpc

PARENTS = (f"silentModels/{SILENT}", f"experiments/{EXPERIMENTS[1]}")
HEADS = (
    "p50 off",
    "p99 more",
    "p99 off",
    f"p50 more ({CONFIDENCE:.0%} bounds)",
    f"p99 more ({CONFIDENCE:.0%} bounds)",
    "failed",
    "reports",
    "seconds each",
    "their MiB",
    "verdict",
)


@dataclass(slots=True)
class Reports:
    """What reports took. `mebibytes` is the most that a process of theirs held."""

    seconds: list[float] = field(default_factory=list[float])
    mebibytes: float = 0.0


def main() -> None:
    """Measure, print the table, and say by the exit whether callers felt nothing."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--blocks", type=int, default=3, help="pairs of blocks [3]")
    options.add_argument("--seconds", type=float, default=20.0, help="for each block [20]")
    options.add_argument("--rate", type=float, default=50.0, help="calls a second [50]")
    options.add_argument("--records", type=int, default=1_000_000, help="in the store [10^6]")
    options.add_argument("--one-core", action="store_true", help="for reports and for callers")
    options.add_argument("--store", type=Path, help="folder of a store; made if there is none")
    options.add_argument("--out", help="folder for the table, the plot and the raw samples")
    given = options.parse_args()
    console = Console(width=170)
    with ExitStack() as stack:
        state = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        with console.status("the store"):
            prepare(state, given.store, given.records)
        stub = stack.enter_context(starting(["-m", "tests.stub"], LOAD, "stub"))
        subject = stack.enter_context(serving(stub.port, state))
        keep_to(LOAD)
        if not go_first(stub.pid):
            console.print("the load may not go first here: what it waits for is in the figures")
        rows = uvloop.run(measure(subject, given, console))
    title = f"{given.rate:.0f} calls a second, ms beyond the model's own {MODEL_SECONDS} s"
    keep(console, "reports", title, describe_machine(), HEADS, rows, given.out)
    sys.exit(0 if all(row.figures[-1] == "passes" for row in rows) else 1)


async def measure(subject: Subject, given: argparse.Namespace, console: Console) -> list[Row]:
    """Return a row for nothing against nothing, and one for each report."""
    rows: list[Row] = []
    async with grpc.aio.insecure_channel(f"127.0.0.1:{subject.port}") as channel:
        with console.status("experiments"):
            await begin_experiments(channel)
            await press(channel, Side(), 2.0, given.rate, PROMPT)
        aside = None if given.one_core else asyncio.create_task(set_aside(subject.pid))
        for name in ("nothing", *PARENTS):
            off, on, made = Stretch(), Stretch(), Reports()
            for number in range(2 * given.blocks):
                with console.status(f"{name}: block {number + 1} of {2 * given.blocks}"):
                    stretch = on if number % 2 else off
                    parent = name if name in PARENTS and stretch is on else ""
                    async with reporting(channel, subject, parent, made):
                        await press(channel, stretch.callers, given.seconds, given.rate, PROMPT)
            rows.append(tell(name, off.callers, on.callers, made))
        if aside is not None:
            aside.cancel()
    return rows


@asynccontextmanager
async def reporting(
    channel: grpc.aio.Channel, subject: Subject, parent: str, made: Reports
) -> AsyncGenerator[None]:
    """Ask for one report after the other while the context is open; for none without a parent."""
    if not parent:
        yield
        return
    records = record_pb2_grpc.RecordServiceStub(channel)

    async def ask() -> None:
        while True:
            began = time.perf_counter()
            # Another window each time, so that none is kept and answered again.
            request = record_pb2.GetReportRequest(parent=parent)
            request.start_time.FromSeconds(round(began * 1000) % 1000 + 1)
            async for _ in records.GetReport(request):
                made.mebibytes = max(made.mebibytes, weigh(subject.pid))
            made.seconds.append(time.perf_counter() - began)

    asking = asyncio.create_task(ask())
    try:
        yield
    finally:
        asking.cancel()
        await asyncio.wait([asking])


def weigh(pid: int) -> float:
    """Return the memory of a service's reports, in MiB."""
    found = 0.0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):  # gone meanwhile
            for one in (task / "children").read_text().split():
                if b"understudy.server.reporting" in Path(f"/proc/{one}/cmdline").read_bytes():
                    found += memory(int(one))
    return found


def tell(name: str, off: Side, on: Side, made: Reports) -> Row:
    """Return a row of the table."""
    chance = random.Random(11)
    p50, p99 = (compare(off, on, share, chance) for share in (0.5, 0.99))
    figures = (
        f"{off.quantile(0.5):.2f}",
        f"{p99.value:+.2f}",
        f"{off.quantile(0.99):.2f}",
        str(p50),
        str(p99),
        f"{off.failures}/{on.failures}",
        str(len(made.seconds)),
        f"{sum(made.seconds) / len(made.seconds):.1f}" if made.seconds else "",
        f"{made.mebibytes:.0f}" if made.mebibytes else "",
        judge(off, on, p50, p99),
    )
    return Row(name, figures, p99.value, on.latencies)


if __name__ == "__main__":
    main()
