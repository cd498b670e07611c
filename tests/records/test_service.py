"""RecordService as its callers meet it: pages, names, and who sees words."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from hashlib import sha256

import grpc
import pytest

from understudy.server.domain.access import ApiKey, Identity, Role
from understudy.server.domain.reports import Question, Update
from understudy.server.errors import Reason, UnderstudyError
from understudy.server.records import Records
from understudy.server.servicers.access import Access
from understudy.server.servicers.calls import Calls
from understudy.server.servicers.guard import Guard
from understudy.server.servicers.records import RecordServicer
from understudy.v1 import record_pb2, record_pb2_grpc

from ..service.asking import told
from ..stub.eventually import eventually_sync
from .stores import Store
from .telling import answered, new_pair_id, paired, request

CALLER = (("authorization", "Bearer caller-key"),)
READER = (("authorization", "Bearer reader-key"),)
VIEWER = (("authorization", "Bearer viewer-key"),)


class _NoReports:
    """Computes none."""

    async def get(self, question: Question) -> AsyncGenerator[Update]:
        """Refuse."""
        raise UnderstudyError(Reason.NOT_IMPLEMENTED, "there are no reports here")
        yield

    def tell(self, metric: str) -> str:
        """Know none."""
        return ""


@asynccontextmanager
async def serving(records: Records) -> AsyncGenerator["record_pb2_grpc.RecordServiceAsyncStub"]:
    """Serve records to a caller, a viewer and a reader, and return a stub."""
    async with listening(records) as target, grpc.aio.insecure_channel(target) as channel:
        yield record_pb2_grpc.RecordServiceStub(channel)


@asynccontextmanager
async def listening(records: Records) -> AsyncGenerator[str]:
    """Serve records to a caller, a viewer and a reader, and return where."""
    keys = [
        ApiKey(sha256(f"{role}-key".encode()).hexdigest(), Identity.of(role, frozenset({role})))
        for role in (Role.CALLER, Role.VIEWER, Role.READER)
    ]
    server = grpc.aio.server()
    guard = Guard(server, Access(keys), Calls())
    servicer = RecordServicer(records.reader, records.feedback, _NoReports())
    record_pb2_grpc.add_RecordServiceServicer_to_server(servicer, guard.door)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


def record(records: Records, count: int, prompt: str = "hi") -> list[str]:
    pair_ids = [new_pair_id() for _ in range(count)]
    for pair_id in pair_ids:
        for event in paired(pair_id):
            records.recorder.note(event)
    eventually_sync(lambda: not records.recorder.figures.waiting)
    return pair_ids


@pytest.mark.asyncio
async def test_pages_follow_each_other_to_the_end(store: Store) -> None:
    with store.open() as records:
        pair_ids = record(records, 25)
        async with serving(records) as stub:
            seen: list[str] = []
            request = record_pb2.ListPairsRequest(page_size=10, filter="outcome = PAIRED")
            while True:
                page = await stub.ListPairs(request, metadata=VIEWER)
                seen += [one.name for one in page.pairs]
                if not page.next_page_token:
                    break
                request.page_token = page.next_page_token

    assert sorted(seen) == sorted(f"pairs/{one}" for one in pair_ids)


@pytest.mark.asyncio
async def test_words_are_for_readers_and_figures_for_all(store: Store) -> None:
    with store.open(store.settings(capture="content")) as records:
        (pair_id,) = record(records, 1)
        async with serving(records) as stub:
            request = record_pb2.GetPairRequest(name=f"pairs/{pair_id}")
            seen = (await stub.GetPair(request, metadata=READER)).pair
            hidden = (await stub.GetPair(request, metadata=VIEWER)).pair

    assert seen.primary[0].messages[0].content == "hi"
    assert seen.silents[0].record.choices[0].message.content == "good day"
    assert seen.silents[0].record.is_silent_experiment
    assert seen.silents[0].record.latency.ToMilliseconds() == 1500
    assert seen.primary[0].text_absent_cause == ""
    assert not hidden.primary[0].messages
    assert not hidden.primary[0].choices
    assert "role `reader` only" in hidden.primary[0].text_absent_cause
    assert hidden.primary[0].usage == seen.primary[0].usage
    assert hidden.silents[0].comparison == seen.silents[0].comparison
    assert not seen.silents[0].comparison.HasField("both_json")


@pytest.mark.asyncio
async def test_a_text_that_is_not_there_says_why(sqlite_store: Store) -> None:
    with sqlite_store.open(sqlite_store.settings(capture="redacted")) as records:
        for event in answered(new_pair_id(), of=request(may_mirror=False)):
            records.recorder.note(event)
        record(records, 1)
        async with serving(records) as stub:
            page = await stub.ListRecords(record_pb2.ListRecordsRequest(), metadata=READER)

    causes = {one.text_absent_cause for one in page.records}
    assert any("no patterns to redact by" in one for one in causes)
    assert any("the caller refused" in one for one in causes)


@pytest.mark.asyncio
async def test_a_pair_that_is_none_is_not_found(sqlite_store: Store) -> None:
    with sqlite_store.open() as records:
        async with serving(records) as stub:
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await stub.GetPair(record_pb2.GetPairRequest(name="pairs/none"), metadata=VIEWER)

    answer = told(raised.value)
    assert (answer.reason, answer.metadata) == ("PAIR_NOT_FOUND", {"pair": "none"})
    assert answer.may_retry


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("field", "request_"),
    [
        ("filter", record_pb2.ListRecordsRequest(filter="latncy > 2s")),
        ("order_by", record_pb2.ListRecordsRequest(order_by="colour")),
        ("page_size", record_pb2.ListRecordsRequest(page_size=-1)),
        ("page_token", record_pb2.ListRecordsRequest(page_token="bm9uZQ==")),
        ("page_token", record_pb2.ListRecordsRequest(page_token="?")),
    ],
)
async def test_a_question_that_is_none_is_told_its_field(
    field: str, request_: record_pb2.ListRecordsRequest, sqlite_store: Store
) -> None:
    with sqlite_store.open() as records:
        async with serving(records) as stub:
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await stub.ListRecords(request_, metadata=VIEWER)

    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert told(raised.value).metadata["field"] == field


@pytest.mark.asyncio
async def test_a_token_fits_its_own_question_only(sqlite_store: Store) -> None:
    with sqlite_store.open() as records:
        record(records, 3)
        async with serving(records) as stub:
            first = record_pb2.ListRecordsRequest(page_size=1)
            token = (await stub.ListRecords(first, metadata=VIEWER)).next_page_token
            other = record_pb2.ListRecordsRequest(page_token=token, order_by="latency")
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await stub.ListRecords(other, metadata=VIEWER)

    assert "belongs to another filter or order_by" in told(raised.value).message


@pytest.mark.asyncio
async def test_a_store_that_is_away_is_unavailable_for_now(sqlite_store: Store) -> None:
    sqlite_store.file.mkdir(parents=True)
    with sqlite_store.open() as records:
        async with serving(records) as stub:
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await stub.ListRecords(record_pb2.ListRecordsRequest(), metadata=VIEWER)

    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
    assert told(raised.value).reason == "STORE_UNAVAILABLE"
