"""GetReport as its callers meet it: progress and a report, and what becomes of who leaves."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from understudy.server.domain.access import ApiKey, Identity, Role
from understudy.server.domain.reports import Facts
from understudy.server.records import Records
from understudy.server.reporting.desk import AT_ONCE, MOST_WAITING, ReportDesk
from understudy.server.servicers.access import Access
from understudy.server.servicers.calls import Calls
from understudy.server.servicers.guard import Guard
from understudy.server.servicers.records import RecordServicer
from understudy.v1 import record_pb2, record_pb2_grpc

from ..records.stores import Store
from ..service.asking import told
from ..stub.eventually import eventually
from .brood import processes
from .program import MODULE
from .test_desk import ROOT

VIEWER = (("authorization", "Bearer viewer-key"),)
CALLER = (("authorization", "Bearer caller-key"),)

if TYPE_CHECKING:
    Asked = grpc.aio.UnaryStreamCall[record_pb2.GetReportRequest, record_pb2.GetReportResponse]


@pytest.fixture(autouse=True)
def program(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a report's process find the tests."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@asynccontextmanager
async def serving(folder: Path) -> AsyncGenerator["record_pb2_grpc.RecordServiceAsyncStub"]:
    """Serve reports that are played to a caller and a viewer."""
    keys = [
        ApiKey(sha256(f"{role}-key".encode()).hexdigest(), Identity.of(role, frozenset({role})))
        for role in (Role.CALLER, Role.VIEWER)
    ]
    store = Store(folder)
    with store.open() as records:
        server = grpc.aio.server()
        guard = Guard(server, Access(keys), Calls())
        desk = ReportDesk(store.settings(), folder, lambda _: Facts(), lambda: 77, MODULE)
        record_pb2_grpc.add_RecordServiceServicer_to_server(_servicer(records, desk), guard.door)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                yield record_pb2_grpc.RecordServiceStub(channel)
        finally:
            await server.stop(None)
            await desk.close()


def _servicer(records: Records, desk: ReportDesk) -> RecordServicer:
    return RecordServicer(records.reader, records.feedback, desk)


def ask(
    stub: "record_pb2_grpc.RecordServiceAsyncStub", silent_model: str, seconds: int = 0
) -> "Asked":
    request = record_pb2.GetReportRequest(parent=f"silentModels/{silent_model}")
    if seconds:
        request.end_time.CopyFrom(Timestamp(seconds=seconds))
    return stub.GetReport(request, metadata=VIEWER)


async def hanging(stub: "record_pb2_grpc.RecordServiceAsyncStub") -> "Asked":
    """Ask for what never comes, until its process is at it."""
    call = ask(stub, "hangs")
    while True:
        update = await call.read()
        assert isinstance(update, record_pb2.GetReportResponse)
        if update.progress >= 0.5:
            return call


async def drain(call: "Asked") -> None:
    """Read until the end."""
    while await call.read() is not grpc.aio.EOF:
        pass


@pytest.mark.asyncio
async def test_progress_comes_first_and_one_report_last(tmp_path: Path) -> None:
    async with serving(tmp_path) as stub:
        *going, last = [one async for one in ask(stub, "fine", seconds=9)]

    assert all(one.WhichOneof("update") == "progress" for one in going)
    assert last.report.parent == "silentModels/fine"
    assert last.report.end_time.seconds == 9
    assert last.report.create_time.ToMicroseconds() == 77


@pytest.mark.asyncio
async def test_a_caller_who_cancels_kills_the_process(tmp_path: Path) -> None:
    async with serving(tmp_path) as stub:
        call = await hanging(stub)
        assert processes()

        call.cancel()
        await eventually(lambda: not processes(), within=5)


@pytest.mark.asyncio
async def test_a_process_that_is_killed_is_internal_and_the_next_report_fine(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path) as stub:
        call = await hanging(stub)
        os.kill(processes()[0], signal.SIGKILL)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await drain(call)
        *_, last = [one async for one in ask(stub, "fine")]

    assert raised.value.code() is grpc.StatusCode.INTERNAL
    assert told(raised.value).message.startswith("INTERNAL: the process that computed the report")
    assert last.HasField("report")


@pytest.mark.asyncio
async def test_where_too_many_wait_the_next_is_told_when_to_ask_again(tmp_path: Path) -> None:
    async with serving(tmp_path) as stub:
        calls = [ask(stub, "hangs", seconds=one + 1) for one in range(AT_ONCE + MOST_WAITING)]
        await asyncio.gather(*(call.read() for call in calls))
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await ask(stub, "fine").read()
        for call in calls:
            call.cancel()
        await eventually(lambda: not processes(), within=5)

    found = told(raised.value)
    assert found.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert found.details == {"RetryInfo"}


@pytest.mark.asyncio
async def test_a_report_is_for_viewers(tmp_path: Path) -> None:
    async with serving(tmp_path) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await stub.GetReport(record_pb2.GetReportRequest(), metadata=CALLER).read()

    assert told(raised.value).reason == "ROLE_MISSING"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (record_pb2.GetReportRequest(), "parent"),
        (record_pb2.GetReportRequest(parent="silentModels/a", group_by="model"), "group_by"),
        (
            record_pb2.GetReportRequest(
                parent="silentModels/a", start_time=Timestamp(seconds=2), end_time=Timestamp()
            ),
            "end_time",
        ),
        (
            record_pb2.GetReportRequest(
                parent="silentModels/a", start_time=Timestamp(seconds=2**60)
            ),
            "start_time",
        ),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
async def test_a_question_that_makes_no_sense_names_its_field(
    tmp_path: Path, request_: record_pb2.GetReportRequest, field: str
) -> None:
    async with serving(tmp_path) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await stub.GetReport(request_, metadata=VIEWER).read()

    assert told(raised.value).code is grpc.StatusCode.INVALID_ARGUMENT
    assert told(raised.value).metadata["field"] == field
