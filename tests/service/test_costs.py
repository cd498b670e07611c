"""What calls cost, over the wire: in answers, in their records, and in the pairs they make."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from understudy.v1 import completion_pb2, record_pb2, record_pb2_grpc

from ..stub.faultstub import FaultStub
from .asking import Answer, Piece, prompt
from .configs import deployment, write
from .running import Local, local

Cost = completion_pb2.Cost
Record = record_pb2.Record

# $1 and $2 for a million tokens: "hi" is one, and "Hello from MODE." is three.
PRICES: dict[str, Any] = {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}
HELLO = 1_000 + 3 * 2_000


class Shop:
    """A service with its records."""

    def __init__(self, running: Local) -> None:
        self.stub = running.stub
        self.records = record_pb2_grpc.RecordServiceStub(running.channel)

    async def ask(self, model: str = "model", **fields: Any) -> Answer:
        """Return an answer."""
        answer: Answer = await self.stub.CreateCompletion(prompt(model, **fields))
        return answer

    async def stream(self, model: str = "model") -> list[Piece]:
        """Return the pieces of an answer."""
        return [one async for one in self.stub.StreamCompletion(prompt(model))]

    async def kept(self, count: int, **fields: Any) -> list[Record]:
        """Return all records, the first attempt first, once there are so many."""
        deadline = asyncio.get_running_loop().time() + 10
        while True:
            page = await self.records.ListRecords(record_pb2.ListRecordsRequest(**fields))
            if len(page.records) >= count:
                return sorted(page.records, key=lambda one: (one.role, one.attempt))
            assert asyncio.get_running_loop().time() < deadline, f"{len(page.records)} records"
            await asyncio.sleep(0.02)


@asynccontextmanager
async def shop(folder: Path, *deployments: dict[str, Any], **sections: Any) -> AsyncGenerator[Shop]:
    """Run a service that writes its records quickly."""
    config = write(
        *deployments,
        understudy={"state_dir": str(folder), "records": {"flush": "20ms"}},
        **sections,
    )
    async with local(config) as running:
        yield Shop(running)


def amount(cost: Cost) -> int | None:
    """Return an amount, None if it is unset."""
    return cost.nano_usd if cost.HasField("nano_usd") else None


@pytest.mark.asyncio
async def test_an_answer_says_what_it_cost_and_its_record_the_same(tmp_path: Path) -> None:
    async with FaultStub() as stub, shop(tmp_path, deployment(stub, "model", **PRICES)) as it:
        answer = await it.ask()
        (record,) = await it.kept(1)

    assert (amount(answer.cost), answer.cost.status) == (HELLO, Cost.STATUS_EXACT)
    assert record.cost == answer.cost


@pytest.mark.asyncio
async def test_a_stream_says_on_its_last_piece_what_it_cost(tmp_path: Path) -> None:
    async with FaultStub() as stub, shop(tmp_path, deployment(stub, "model", **PRICES)) as it:
        *pieces, last = await it.stream()
        (record,) = await it.kept(1)

    assert not any(one.HasField("cost") for one in pieces)
    assert (amount(last.cost), last.cost.status) == (HELLO, Cost.STATUS_EXACT)
    assert record.cost == last.cost


@pytest.mark.asyncio
async def test_a_refused_attempt_is_not_charged_and_the_answer_says_its_own_cost(
    tmp_path: Path,
) -> None:
    """The second one costs twice as much; the caller pays for no more than what served."""
    dear: dict[str, Any] = {name: 2 * rate for name, rate in PRICES.items()}
    async with (
        FaultStub() as stub,
        shop(
            tmp_path,
            deployment(stub, "model", "status-503", order=1, **PRICES),
            deployment(stub, "model", order=2, **dear),
        ) as it,
    ):
        answer = await it.ask()
        first, second = await it.kept(2)

    assert answer.routing.attempts == 2
    assert (first.role, second.role) == (Record.ROLE_PRIMARY, Record.ROLE_RETRY)
    assert (amount(first.cost), first.cost.status) == (0, Cost.STATUS_EXACT)
    assert amount(second.cost) == amount(answer.cost) == 2 * HELLO


@pytest.mark.asyncio
async def test_an_attempt_that_was_cut_is_unknown_and_its_fallback_is_charged(
    tmp_path: Path,
) -> None:
    async with (
        FaultStub() as stub,
        shop(
            tmp_path,
            deployment(stub, "model", "reset-mid-body", **PRICES),
            deployment(stub, "other", **PRICES),
            router_settings={"fallbacks": [{"model": ["other"]}], "num_retries": 0},
        ) as it,
    ):
        answer = await it.ask()
        first, second = await it.kept(2)

    assert (first.role, second.role) == (Record.ROLE_PRIMARY, Record.ROLE_FALLBACK)
    assert (amount(first.cost), first.cost.status) == (None, Cost.STATUS_UNKNOWN)
    assert amount(second.cost) == amount(answer.cost) == HELLO


@pytest.mark.asyncio
async def test_cached_tokens_cost_what_cached_tokens_cost(tmp_path: Path) -> None:
    cheap: dict[str, Any] = {"cache_read_input_token_cost": 1e-7}
    async with (
        FaultStub() as stub,
        shop(tmp_path, deployment(stub, "model", "cached-9", **PRICES, **cheap)) as it,
    ):
        answer = await it.ask()

    assert amount(answer.cost) == 9 * 100 + 1_000 + 2_000


@pytest.mark.asyncio
async def test_an_answer_without_usage_is_estimated(tmp_path: Path) -> None:
    async with (
        FaultStub() as stub,
        shop(tmp_path, deployment(stub, "model", "no-usage", **PRICES)) as it,
    ):
        answer = await it.ask()

    assert (amount(answer.cost), answer.cost.status) == (15_000, Cost.STATUS_ESTIMATED)


@pytest.mark.asyncio
async def test_without_a_price_the_cost_is_unknown_and_not_nothing(tmp_path: Path) -> None:
    async with FaultStub() as stub, shop(tmp_path, deployment(stub, "model")) as it:
        answer = await it.ask()
        *_, last = await it.stream()
        records = await it.kept(2)

    for cost in (answer.cost, last.cost, *(one.cost for one in records)):
        assert (amount(cost), cost.status) == (None, Cost.STATUS_UNKNOWN)


@pytest.mark.asyncio
async def test_a_stream_that_is_cut_is_charged_for_what_came(tmp_path: Path) -> None:
    """A prompt of one token and a mark of four, and the words until the end: an estimate."""
    async with (
        FaultStub() as stub,
        shop(
            tmp_path,
            deployment(stub, "model", "sse-error", **PRICES),
            router_settings={"num_retries": 0},
        ) as it,
    ):
        with pytest.raises(grpc.aio.AioRpcError):
            await it.stream()
        (record,) = await it.kept(1)

    assert record.cost.status == Cost.STATUS_ESTIMATED
    assert amount(record.cost) == 5_000 + 2 * 2_000


@pytest.mark.asyncio
async def test_a_caller_who_leaves_a_stream_leaves_an_estimate(tmp_path: Path) -> None:
    async with (
        FaultStub() as stub,
        shop(tmp_path, deployment(stub, "model", "endless-stream+pace-20ms", **PRICES)) as it,
    ):
        call = it.stub.StreamCompletion(prompt("model"))
        for _ in range(3):
            await call.read()
        call.cancel()
        (record,) = await it.kept(1)

    assert record.reason == "CANCELLED"
    assert record.cost.status == Cost.STATUS_ESTIMATED
    assert record.cost.nano_usd > 5_000


@pytest.mark.asyncio
async def test_an_attempt_out_of_time_is_unknown(tmp_path: Path) -> None:
    async with (
        FaultStub() as stub,
        shop(
            tmp_path,
            deployment(stub, "model", "hang-headers", timeout=0.2, **PRICES),
            router_settings={"num_retries": 0},
        ) as it,
    ):
        with pytest.raises(grpc.aio.AioRpcError):
            await it.ask()
        (record,) = await it.kept(1)

    assert record.cost.status == Cost.STATUS_UNKNOWN


@pytest.mark.asyncio
async def test_a_silent_call_has_a_cost_of_its_own_and_pairs_are_told_apart_by_it(
    tmp_path: Path,
) -> None:
    """The caller's answer says nothing of it."""
    triple: dict[str, Any] = {name: 3 * rate for name, rate in PRICES.items()}
    async with (
        FaultStub() as stub,
        shop(
            tmp_path,
            deployment(stub, "model", silent_model="silent", **PRICES),
            deployment(stub, "silent", **triple),
        ) as it,
    ):
        answer = await it.ask()
        primary, silent = await it.kept(2)
        wanted = record_pb2.ListPairsRequest(filter=f"cost_difference = {2 * HELLO}")
        found = await it.records.ListPairs(wanted)

    assert amount(answer.cost) == amount(primary.cost) == HELLO
    assert (silent.role, amount(silent.cost)) == (Record.ROLE_SILENT, 3 * HELLO)
    assert [one.name for one in found.pairs] == [f"pairs/{answer.routing.pair_id}"]
