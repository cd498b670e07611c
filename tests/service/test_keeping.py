"""What is kept of pairs agrees with what was counted, whatever happened, and holds no text unasked."""

import asyncio
import os
import signal
import sqlite3
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest

from understudy.v1 import completion_pb2_grpc, operations_pb2, operations_pb2_grpc

from ..stub.eventually import eventually
from ..stub.faultstub import FaultStub
from .asking import prompt
from .configs import deployment, write
from .running import Demo, serving

MODES = ("ok", "status-500", "hang-headers", "reset", "slow-100ms", "brackets-1000")
CANARY = "canary-7c1f"


def playing(folder: Path, stub: FaultStub, **section: Any) -> str:
    """A primary that plays to a silent model of each mode."""
    # Seven calls for each on a small machine take their time, and keep the loop busy for a while.
    seats = {"max_in_flight": 4000, "max_in_flight_per_model": 4000}
    mirror = {"timeout": "2s", "yield_at": "off", **seats}
    return write(
        deployment(stub, "primary", "echo", silent_model=list(MODES)),
        *(deployment(stub, mode, mode, api_key="sk-silent") for mode in MODES),
        understudy={
            "server": {"port": 0, "drain": {"delay": "50ms", "grace": "5s"}},
            "state_dir": str(folder / "state"),
            "mirror": mirror,
            **section,
        },
    )


def stored(folder: Path) -> dict[str, Counter[str]]:
    """Return the ledger as the store has it: outcomes by silent model, None for those open."""
    found: dict[str, Counter[str]] = {}
    with sqlite3.connect(f"file:{folder / 'state' / 'records.db'}?mode=ro", uri=True) as store:
        for name, outcome, count in store.execute(
            "SELECT silent_model, outcome, count(*) FROM offers GROUP BY 1, 2"
        ):
            found.setdefault(name, Counter())[str(outcome)] += count
    store.close()
    return found


async def ask(server: Demo, times: int, *, timeout: float = 20) -> int:
    """Make calls, 16 at a time; return how many were answered before the server went away."""
    answered = 0
    async with grpc.aio.insecure_channel(server.target) as channel:
        stub = completion_pb2_grpc.CompletionServiceStub(channel)
        left = iter(range(times))

        async def work() -> None:
            nonlocal answered
            for _ in left:
                try:
                    await stub.CreateCompletion(prompt("primary", CANARY), timeout=timeout)
                except grpc.aio.AioRpcError:
                    return
                answered += 1

        await asyncio.gather(*(work() for _ in range(16)))
    return answered


async def counted(server: Demo) -> dict[str, dict[str, int]]:
    """Return the ledger as the service has it, once nothing is under way."""
    async with grpc.aio.insecure_channel(server.target) as channel:
        stub = operations_pb2_grpc.OperationsServiceStub(channel)
        told = operations_pb2.MirrorStatus()
        for _ in range(200):
            told = (await stub.GetStatus(operations_pb2.GetStatusRequest())).mirror
            if all(one.offered == sum(one.outcomes.values()) for one in told.silent_models):
                break
            await asyncio.sleep(0.05)  # asked again, two hundred times at most
    return {
        one.silent_model: {name: count for name, count in one.outcomes.items() if count}
        for one in told.silent_models
    }


@pytest.mark.asyncio
async def test_counters_and_store_agree_and_balance_after_a_drain(tmp_path: Path) -> None:
    """M-24."""
    async with FaultStub() as stub:
        with serving(playing(tmp_path, stub), tmp_path) as server:
            assert await ask(server, 200) == 200
            ledger = await counted(server)
            assert await asyncio.to_thread(server.stop) == 0

    assert {name: sum(outcomes.values()) for name, outcomes in ledger.items()} == dict.fromkeys(
        MODES, 200
    )
    assert {name: dict(outcomes) for name, outcomes in stored(tmp_path).items()} == ledger
    assert ledger["ok"] == {"PAIRED": 200}


def has_grown(stub: FaultStub, beyond: int) -> bool:
    return stub.count > beyond


def has_open(folder: Path) -> bool:
    """Whether an offer to the model that hangs is written and has not ended."""
    try:
        return stored(folder).get("hang-headers", Counter())["None"] > 0
    except sqlite3.OperationalError:
        return False  # the tables are being made


async def kill_often(folder: Path, times: int) -> None:
    """Kill the service in the middle of things, again and again, over one store."""
    async with FaultStub() as stub:
        config = playing(folder, stub)
        for _ in range(times):
            with serving(config, folder) as server:
                asking = asyncio.create_task(ask(server, 100_000, timeout=2))
                await eventually(partial(has_grown, stub, stub.count + 700), within=30)
                await eventually(partial(has_open, folder), within=30)
                server.process.send_signal(signal.SIGKILL)
                await asking
        with serving(config, folder) as server:
            await ask(server, 1)
            await counted(server)
            assert await asyncio.to_thread(server.stop) == 0
    ledger = stored(folder)

    assert ledger.keys() == set(MODES)
    assert all("None" not in outcomes for outcomes in ledger.values())
    totals = {outcomes.total() for outcomes in ledger.values()}
    assert len(totals) == 1  # each prompt was offered to every silent model
    assert ledger["hang-headers"]["LOST"] > 0
    store = sqlite3.connect(folder / "state" / "records.db")
    assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    store.close()


@pytest.mark.asyncio
async def test_offers_of_a_killed_service_are_lost_and_counted(tmp_path: Path) -> None:
    await kill_often(tmp_path, 2)


@pytest.mark.proof
@pytest.mark.asyncio
async def test_fifty_kills_lose_no_offer_silently(tmp_path: Path) -> None:
    await kill_often(tmp_path, 50)


@pytest.mark.asyncio
async def test_two_thousand_copies_in_flight_take_no_more_threads_and_little_memory(
    tmp_path: Path,
) -> None:
    async with FaultStub() as stub:
        seats = {"max_in_flight": 2500, "max_in_flight_per_model": 2500}
        bounds = {"timeout": "20s", "yield_at": "off", **seats}
        config = write(
            deployment(stub, "primary", silent_model="hang"),
            deployment(stub, "hang", "hang-headers", api_key="sk-silent"),
            understudy={
                "server": {"port": 0, "drain": {"delay": "50ms", "grace": "500ms"}},
                "state_dir": str(tmp_path / "state"),
                "mirror": bounds,
            },
        )
        with serving(config, tmp_path) as server:
            await ask(server, 20)
            await eventually(lambda: stub.count == 40)
            threads, memory = measure(server)
            await ask(server, 1980)
            await eventually(lambda: stub.count == 4000, within=10)
            threads_now, memory_now = measure(server)
            assert await asyncio.to_thread(server.stop) == 0

    assert threads_now == threads
    assert memory_now - memory < 160  # MiB for 1,980 calls: sockets, tasks, buffers
    assert stored(tmp_path)["hang"]["CANCELLED"] == 2000


def measure(server: Demo) -> tuple[int, float]:
    """Return the threads of a process and its resident memory in MiB."""
    text = Path(f"/proc/{server.process.pid}/status").read_text()
    found = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
    return int(found["Threads"]), int(found["VmRSS"].split()[0]) / 1024


@pytest.mark.asyncio
@pytest.mark.parametrize(("capture", "kept"), [("metadata", False), ("content", True)])
async def test_texts_are_kept_only_where_capture_says_so(
    tmp_path: Path, capture: str, kept: bool
) -> None:
    """S-6: in no byte of the database, its log, or anything else in the state directory."""
    async with FaultStub() as stub:
        config = playing(tmp_path, stub, records={"capture": capture})
        with serving(config, tmp_path, "--log-level", "debug") as server:
            await ask(server, 20)
            await counted(server)
            assert await asyncio.to_thread(server.stop) == 0

    files = [
        Path(folder) / name for folder, _, names in os.walk(tmp_path / "state") for name in names
    ]
    assert files
    assert any(CANARY.encode() in one.read_bytes() for one in files) is kept
    assert not [line for line in server.log if CANARY in line]
