"""Serves RecordService: questions about records and pairs, answered off the event loop."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NoReturn, Protocol, TypeVar

import grpc
from google.protobuf.message import Message

from understudy.server.domain.access import Role
from understudy.server.domain.record_queries import (
    PAIR_FIELDS,
    PAIR_ORDERS,
    RECORD_FIELDS,
    RECORD_ORDERS,
    Found,
    Place,
    Query,
)
from understudy.server.domain.records import Kept, Pair
from understudy.server.errors import Reason, RefusedError, RequestError, UnderstudyError
from understudy.server.servicers.access import caller
from understudy.server.servicers.record_pages import ListRequest, read_query, write_token
from understudy.server.servicers.write_record import write_pair, write_record
from understudy.v1 import record_pb2, record_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]
T = TypeVar("T")
M = TypeVar("M", bound=Message)

MOST_ASKED: Final = 32  # questions at once; answers to completions need the processor more
LARGEST_PAGE: Final = 16 * 1024 * 1024  # bytes
_THREADS: Final = 2
_PAIR_NAME: Final = re.compile(r"pairs/([0-9A-Za-z_-]{1,128})")


class Archive(Protocol):
    """What there is to ask. Each method blocks, and raises RefusedError if the store is away."""

    def list_records(self, query: Query, *, with_texts: bool) -> Found[Kept]:
        """Return a page of records."""
        ...

    def list_pairs(self, query: Query, *, with_texts: bool) -> Found[Pair]:
        """Return a page of pairs."""
        ...

    def get_pair(self, pair_id: str, *, with_texts: bool) -> Pair | None:
        """Return what is known of one request, `None` if nothing is."""
        ...


class RecordServicer(record_pb2_grpc.RecordServiceServicer):
    """Tells what happened. Prompts and answers are for readers only."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._threads = ThreadPoolExecutor(_THREADS, "understudy-archive")
        self._asked = 0

    async def ListRecords(
        self, request: record_pb2.ListRecordsRequest, context: Context
    ) -> record_pb2.ListRecordsResponse:
        """List upstream calls."""
        query = read_query(request, RECORD_FIELDS, RECORD_ORDERS, labels=True)
        is_reader = _is_reader()

        def ask() -> record_pb2.ListRecordsResponse:
            found = self._archive.list_records(query, with_texts=is_reader)
            page, token = _fill(found, request, lambda one: write_record(one, is_reader=is_reader))
            return record_pb2.ListRecordsResponse(records=page, next_page_token=token)

        return await self._ask(ask)

    async def ListPairs(
        self, request: record_pb2.ListPairsRequest, context: Context
    ) -> record_pb2.ListPairsResponse:
        """List requests that were played to a silent model."""
        query = read_query(request, PAIR_FIELDS, PAIR_ORDERS)
        is_reader = _is_reader()

        def ask() -> record_pb2.ListPairsResponse:
            found = self._archive.list_pairs(query, with_texts=is_reader)
            page, token = _fill(found, request, lambda one: write_pair(one, is_reader=is_reader))
            return record_pb2.ListPairsResponse(pairs=page, next_page_token=token)

        return await self._ask(ask)

    async def GetPair(
        self, request: record_pb2.GetPairRequest, context: Context
    ) -> record_pb2.GetPairResponse:
        """Get all that is known of one request."""
        match = _PAIR_NAME.fullmatch(request.name)
        if match is None:
            raise RequestError("name is pairs/ and a pair's id", field="name")
        pair_id, is_reader = match[1], _is_reader()

        def ask() -> record_pb2.GetPairResponse:
            pair = self._archive.get_pair(pair_id, with_texts=is_reader)
            if pair is None:
                raise UnderstudyError(
                    Reason.PAIR_NOT_FOUND,
                    f"no pair has the id {pair_id}, or it is past its retention",
                    metadata={"pair": pair_id},
                )
            return record_pb2.GetPairResponse(pair=write_pair(pair, is_reader=is_reader))

        return await self._ask(ask)

    def GetReport(
        self, request: record_pb2.GetReportRequest, context: Context
    ) -> AsyncIterator[record_pb2.GetReportResponse]:
        """Refuse: this version computes no reports."""
        raise _unbuilt()

    async def CreateFeedback(
        self, request: record_pb2.CreateFeedbackRequest, context: Context
    ) -> NoReturn:
        """Refuse: this version takes no feedback."""
        raise _unbuilt()

    async def _ask(self, question: Callable[[], T]) -> T:
        if self._asked >= MOST_ASKED:
            raise RefusedError(
                Reason.OVERLOADED, "too many questions about records at once", retry_after=1.0
            )
        self._asked += 1
        answer = asyncio.get_running_loop().run_in_executor(self._threads, question)
        # Counted until it is answered, also if nobody waits for it any more.
        answer.add_done_callback(self._forget)
        return await answer

    def _forget(self, answer: "asyncio.Future[Any]") -> None:
        self._asked -= 1


def _fill(found: Found[T], request: ListRequest, write: Callable[[T], M]) -> tuple[list[M], str]:
    """Return the messages of a page, as many as one answer carries, and the next page's token."""
    page: list[M] = []
    last: Place | None = None
    size = 0
    for item, place in found.items:
        message = write(item)
        size += message.ByteSize()
        if page and size > LARGEST_PAGE:
            break
        page.append(message)
        last = place
    is_last = len(page) == len(found.items) and not found.has_more
    return page, "" if is_last or last is None else write_token(request, last)


def _is_reader() -> bool:
    return Role.READER in caller.get().roles


def _unbuilt() -> UnderstudyError:
    return UnderstudyError(Reason.NOT_IMPLEMENTED, "this version does not serve this RPC")
