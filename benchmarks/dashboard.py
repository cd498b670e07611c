"""`make bench-dashboard`: what callers feel of browsers with every page of the dashboard open.

One service, with all that it records of a million calls and more; blocks with browsers at its
dashboard, and at a replay of it, take turns. Browsers, the replay and the dashboard's process are
on the load's core, where the load goes first: what answers callers has the other to itself, as on
any machine with cores to spare. With --one-core the dashboard's process is on that one too.
First with the replay on either side: that must pass, else the machine is too busy to tell. Exits
with 1 if either does not pass.
"""

import argparse
import asyncio
import json
import random
import re
import shutil
import sys
import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import msgspec
import uvloop
from rich.console import Console
from rich.table import Column, Table

from benchmarks.browsers import Seen
from benchmarks.load import cpu_seconds, memory
from benchmarks.recorded import EXPERIMENTS
from benchmarks.records import fill
from benchmarks.sides import CONFIDENCE, Side, compare, judge, press
from benchmarks.subjects import (
    LOAD,
    SERVER,
    Subject,
    describe_machine,
    go_first,
    keep_to,
    set_aside,
    starting,
)
from understudy.server.records.opening import FILE
from understudy.v1 import chat_pb2, completion_pb2, experiment_pb2, experiment_pb2_grpc

MODEL_SECONDS = 0.02  # as in the isolation
GROUPS = ("group-0", "group-1")
SILENT = "silent-1"
PROMPT = completion_pb2.CreateCompletionRequest(
    experiment=EXPERIMENTS[1], messages=[chat_pb2.ChatMessage(role="user", content="x" * 64)]
).SerializeToString()


@dataclass(slots=True)
class Stretch:
    """One side: what callers felt, what browsers saw, and what it took.

    `waited` is how long the serving thread could have run, and had no core.
    """

    callers: Side = field(default_factory=lambda: Side(floor=MODEL_SECONDS))
    browsers: Seen = field(default_factory=Seen)
    seconds: float = 0.0
    cpu: float = 0.0
    waited: float = 0.0


class Crowd:
    """The browsers, in a process of their own so that they are not in the load's way."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def begin(self, *, still: bool = False) -> None:
        """Let them poll; if `still`, the replay."""
        await self._send(b"still\n" if still else b"on\n")

    async def end(self) -> Seen:
        """Stop them, and return what they have seen since."""
        return msgspec.json.decode(await self._send(b"off\n"), type=Seen)

    async def hear(self) -> bytes:
        """Return their next line."""
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError("the browsers have gone")
        return line

    async def _send(self, line: bytes) -> bytes:
        assert self._process.stdin is not None
        self._process.stdin.write(line)
        return await self.hear()


def main() -> None:
    """Measure, print the tables, and say by the exit whether callers felt nothing."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--blocks", type=int, default=5, help="pairs of blocks [5]")
    options.add_argument("--seconds", type=float, default=20.0, help="for each block [20]")
    options.add_argument("--rate", type=float, default=50.0, help="calls a second [50]")
    options.add_argument("--browsers", type=int, default=10, help="with every page open [10]")
    options.add_argument("--records", type=int, default=1_000_000, help="in the store [10^6]")
    options.add_argument("--one-core", action="store_true", help="for pages and for callers")
    options.add_argument("--store", type=Path, help="folder of a store; made if there is none")
    given = options.parse_args()
    console = Console(width=110)
    with ExitStack() as stack:
        state = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        with console.status("the store"):
            prepare(state, given.store, given.records)
        stub = stack.enter_context(starting(["-m", "tests.stub"], LOAD, "stub"))
        subject = stack.enter_context(serving(stub.port, state))
        keep_to(LOAD)
        if not go_first(stub.pid):
            console.print("the load may not go first here: what it waits for is in the figures")
        verdicts = uvloop.run(measure(subject, given, console))
    sys.exit(0 if all(one == "passes" for one in verdicts) else 1)


def prepare(state: Path, store: Path | None, count: int) -> None:
    """Put a store into the state directory: a copy of one that is kept, or a new one."""
    if store is not None:
        if not (store / FILE).exists():
            fill(store, None, count)
        shutil.copy(store / FILE, state / FILE)
    fill(state, None, count)


@contextmanager
def serving(port: int, state: Path) -> Generator[Subject]:
    """Start a service with a dashboard, and a silent model for each call."""
    models = [
        {
            "model_name": name,
            "litellm_params": {
                "model": f"openai/slow-{MODEL_SECONDS * 1000:.0f}ms",
                "api_base": f"http://127.0.0.1:{port}/v1",
                "api_key": "sk-a",
            },
        }
        for name in (*GROUPS, SILENT)
    ]
    section = {
        "state_dir": str(state),
        "records": {"capture": "content", "retention": {"metadata": "3650d", "content": "3650d"}},
        "mirror": {"budget": {"usd": 1_000_000}},
    }
    path = state / "config.yaml"
    path.write_text(json.dumps({"model_list": models, "understudy": section}))
    arguments = ["-m", "understudy.server", "serve", "--config", str(path), "--port", "0"]
    with starting([*arguments, "--log-level", "error"], SERVER, "the service") as subject:
        yield subject


async def measure(subject: Subject, given: argparse.Namespace, console: Console) -> list[str]:
    """Print a table for nothing against nothing, and one for nothing against browsers."""
    found = re.search(r"dashboard=(\S+)", subject.ready)
    if found is None:
        raise RuntimeError(f"no dashboard: {subject.ready!r}")
    verdicts: list[str] = []
    async with grpc.aio.insecure_channel(f"127.0.0.1:{subject.port}") as channel:
        with console.status("experiments"):
            await begin_experiments(channel)
            await press(channel, Side(), 2.0, given.rate, PROMPT)
        aside = None if given.one_core else asyncio.create_task(set_aside(subject.pid))
        async with opening(found[1], given.browsers) as crowd:
            opened = json.loads(await crowd.hear())
            console.print(describe_machine().partition(";")[0], *opened["pages"], *opened["parts"])
            for still in (False, True):  # after which the replay knows all that will be asked
                await crowd.begin(still=still)
                await press(channel, Side(), 6.0, given.rate, PROMPT)
                await crowd.end()
            for title, name, with_browsers in (
                ("nothing against nothing", "off", False),
                (f"{given.browsers} browsers", "on", True),
            ):
                off, on = Stretch(), Stretch()
                for number in range(2 * given.blocks):
                    told = f"{title}: block {number + 1} of {2 * given.blocks}"
                    with console.status(told):
                        stretch = on if number % 2 else off
                        still = not (with_browsers and stretch is on)
                        await spend(channel, subject, stretch, crowd, given, still=still)
                table, verdict = report(title, name, off, on)
                console.print(table, f"{title}: {verdict}", f"RSS {memory(subject.pid):.0f} MiB")
                console.print(on.browsers.faults or "")
                verdicts.append(verdict)
        if aside is not None:
            aside.cancel()
    return verdicts


async def begin_experiments(channel: grpc.aio.Channel) -> None:
    """Start the experiments whose calls are in the store."""
    service = experiment_pb2_grpc.ExperimentServiceStub(channel)
    variants = [
        experiment_pb2.Variant(id=name, model_group=group, weight=5000)
        for name, group in zip(("control", "candidate"), GROUPS, strict=True)
    ]
    mirror = [experiment_pb2.SilentModel(model_group=SILENT, fraction=1.0)]
    for name in EXPERIMENTS:
        draft = experiment_pb2.Experiment(variants=variants, control="control", mirror=mirror)
        created = await service.CreateExperiment(
            experiment_pb2.CreateExperimentRequest(experiment=draft, experiment_id=name)
        )
        await service.StartExperiment(
            experiment_pb2.StartExperimentRequest(
                name=created.experiment.name, etag=created.experiment.etag
            )
        )


@asynccontextmanager
async def opening(url: str, count: int) -> AsyncGenerator[Crowd]:
    """Start the browsers. They are other machines: the load on their core goes first, always."""
    async with running("benchmarks.replaying", url) as replay:
        assert replay.stdout is not None
        port = int(await replay.stdout.readline())
        told = f"http://127.0.0.1:{port}"
        async with running("benchmarks.browsers", url, told, str(count)) as browsers:
            yield Crowd(browsers)


@asynccontextmanager
async def running(module: str, *arguments: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Run a module where the core has nothing else to do, until the block ends."""
    process = await asyncio.create_subprocess_exec(
        *("chrt", "--idle", "0", sys.executable, "-m", module, *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**24,
    )
    try:
        yield process
    finally:
        process.kill()
        await process.wait()


async def spend(
    channel: grpc.aio.Channel,
    subject: Subject,
    stretch: Stretch,
    crowd: Crowd,
    given: argparse.Namespace,
    *,
    still: bool,
) -> None:
    """Spend one block, with browsers at the dashboard or at its replay."""
    cpu, waited = cpu_seconds(subject.pid), seconds_waited(subject.pid)
    await crowd.begin(still=still)
    await press(channel, stretch.callers, given.seconds, given.rate, PROMPT)
    stretch.browsers.add(await crowd.end())
    stretch.seconds += given.seconds
    stretch.cpu += cpu_seconds(subject.pid) - cpu
    stretch.waited += seconds_waited(subject.pid) - waited


def seconds_waited(pid: int) -> float:
    """Return how long a process's first thread has waited for a core."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9


def report(title: str, name: str, off: Stretch, on: Stretch) -> tuple[Table, str]:
    """Return the figures, and what they mean."""
    table = Table(
        Column("", no_wrap=True), title=f"{title}; ms beyond the model's own", min_width=80
    )
    for head in ("off", name, f"difference ({CONFIDENCE:.0%} bounds)"):
        table.add_column(head, justify="right")
    chance = random.Random(11)
    differences = {
        share: compare(off.callers, on.callers, share, chance) for share in (0.5, 0.95, 0.99)
    }
    for share, difference in differences.items():
        both = (f"{one.callers.quantile(share):.2f}" for one in (off, on))
        table.add_row(f"p{share * 100:.0f}", *both, str(difference))
    late = [Side(latencies=one.callers.late) for one in (off, on)]
    table.add_row("sent late, p99", *(f"{one.quantile(0.99):.2f}" for one in late))
    table.add_row("failed", *(str(one.callers.failures) for one in (off, on)))
    table.add_row("CPU", *(f"{one.cpu / one.seconds:.0%}" for one in (off, on)))
    table.add_row("no core for it", *(f"{one.waited / one.seconds:.1%}" for one in (off, on)))
    for kind in ("pages", "parts"):
        took = [getattr(one.browsers, kind) for one in (off, on)]
        rates = (f"{len(a) / b.seconds:.1f}" for a, b in zip(took, (off, on), strict=True))
        table.add_row(f"{kind} a second", *rates)
        if took[1]:
            table.add_row(f"{kind}, p95", "", f"{Side(latencies=took[1]).quantile(0.95):.0f}")
    table.add_row("parts unchanged", "", str(on.browsers.unchanged))
    table.add_row("faults of pages", "", str(sum(on.browsers.faults.values())))
    verdict = judge(off.callers, on.callers, differences[0.5], differences[0.99])
    if name == "off" and verdict == "passes":
        # What is the same may be neither slower nor quicker.
        backwards = (-differences[share] for share in (0.5, 0.99))
        verdict = judge(on.callers, off.callers, *backwards)
    return table, verdict


if __name__ == "__main__":
    main()
