"""A report of a real service: what was mirrored is in it, wherever the records are kept."""

import asyncio
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest

from understudy.v1 import completion_pb2_grpc, record_pb2, record_pb2_grpc

from ..postgresql import database
from ..service.asking import prompt
from ..service.configs import deployment, write
from ..service.running import local, serving
from ..stub.eventually import eventually
from ..stub.faultstub import FaultStub
from ..stub.runners import stub_thread
from ..workers.crew import connected
from .brood import processes

CALLS = 40
_AT_ONCE = 8


def configure(stub: FaultStub, folder: Path, **understudy: Any) -> str:
    """Group `a`, which mirrors to `b`, in some milliseconds and in 200."""
    records = {"flush": "50ms", **understudy.pop("records", {})}
    return write(
        deployment(stub, "a", "first"),
        deployment(stub, "b", "slow-200ms+second"),
        understudy={
            "server": {"port": 0, **understudy.pop("server", {})},
            "dashboard": {"enabled": False},
            "state_dir": str(folder / "state"),
            "records": records,
            **understudy,
        },
    )


def with_mirror(config: str) -> str:
    """The same, with `b` as the silent model of `a`."""
    return config.replace('"api_key": "sk-test"', '"api_key": "sk-test", "silent_model": "b"', 1)


async def call(channel: grpc.aio.Channel) -> None:
    """Make calls that are mirrored, and wait until their pairs are recorded."""
    asking = completion_pb2_grpc.CompletionServiceStub(channel)
    records = record_pb2_grpc.RecordServiceStub(channel)
    few = asyncio.Semaphore(_AT_ONCE)

    async def ask() -> None:
        async with few:
            await asking.CreateCompletion(prompt("a"))

    await asyncio.gather(*(ask() for _ in range(CALLS)))
    paired = record_pb2.ListPairsRequest(filter="outcome = PAIRED", page_size=2 * CALLS)
    async with asyncio.timeout(20):
        while len((await records.ListPairs(paired)).pairs) < CALLS:
            await asyncio.sleep(0.05)


async def report(channel: grpc.aio.Channel, **asked: Any) -> record_pb2.Report:
    stub = record_pb2_grpc.RecordServiceStub(channel)
    request = record_pb2.GetReportRequest(parent="silentModels/b", **asked)
    *_, last = [one async for one in stub.GetReport(request)]
    return last.report


def estimates(section: record_pb2.ReportSection) -> Mapping[str, record_pb2.Estimate]:
    return {one.metric: one for one in section.estimates}


def check(found: record_pb2.Report) -> None:
    (section,) = found.sections
    told = estimates(section)
    assert section.subject == "b"
    assert told["offered"].value == told["paired"].value == CALLS
    slower = told["latency_ratio"]
    assert slower.value > slower.lower > 1
    assert slower.confidence == 0.95
    assert slower.count == CALLS
    assert slower.p_value < 0.05
    assert "times as long" in slower.meaning
    assert slower.method
    unknown = told["cost_per_1000_difference"]
    assert not unknown.HasField("value")
    assert unknown.absent_cause
    assert unknown.absent_reason
    assert found.name.startswith("reports/")


@pytest.mark.asyncio
async def test_what_was_mirrored_is_reported(tmp_path: Path) -> None:
    with stub_thread(FaultStub()) as stub:
        async with local(with_mirror(configure(stub, tmp_path))) as here:
            await call(here.channel)
            check(await report(here.channel))
            by_caller = await report(here.channel, group_by="caller")
            await eventually(lambda: not processes(), within=5)

    assert {one.group for one in by_caller.sections}
    assert by_caller.group_by == "caller"


@pytest.mark.asyncio
async def test_so_it_is_of_records_in_postgresql(tmp_path: Path, postgresql: str) -> None:
    with stub_thread(FaultStub()) as stub, database(postgresql) as url:
        config = with_mirror(configure(stub, tmp_path, records={"url": url}))
        async with local(config) as here:
            await call(here.channel)
            check(await report(here.channel))


@pytest.mark.asyncio
async def test_workers_hand_on_who_asks_for_a_report(tmp_path: Path) -> None:
    with stub_thread(FaultStub()) as stub:
        config = with_mirror(configure(stub, tmp_path, server={"workers": 2}))
        with serving(config, tmp_path) as server:
            async with connected(server) as lines:
                await call(lines[0].channel)
                found = [await report(line.channel) for line in lines]

    for one in found:
        check(one)
    assert len({one.name for one in found}) == 1  # within some seconds, one computation


def test_what_serves_loads_nothing_that_only_reports_need() -> None:
    program = (
        "import sys, understudy.server.app, understudy.server.workers.running;"
        "assert not {'scipy', 'numpy'} & sys.modules.keys()"
    )

    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)


@pytest.mark.asyncio
async def test_a_service_that_stops_takes_the_processes_with_it(tmp_path: Path) -> None:
    with stub_thread(FaultStub()) as stub:
        async with local(with_mirror(configure(stub, tmp_path))) as here:
            stub_of = record_pb2_grpc.RecordServiceStub(here.channel)
            asked = stub_of.GetReport(record_pb2.GetReportRequest(parent="silentModels/b"))
            await asked.read()

    await eventually(lambda: not processes(), within=5)
