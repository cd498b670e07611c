"""Serves RecordService: questions about records and pairs, answered off the event loop."""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import Any, Final, Protocol, TypeVar

import grpc
from google.protobuf.message import Message

from understudy.server.domain.access import Role
from understudy.server.domain.feedback import Feedback
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
from understudy.server.domain.reports import Question, Update
from understudy.server.errors import Reason, RefusedError, RequestError, UnderstudyError
from understudy.server.servicers.access import caller
from understudy.server.servicers.read_feedback import read_feedback
from understudy.server.servicers.record_pages import ListRequest, read_query, write_token
from understudy.server.servicers.write_record import write_pair, write_record
from understudy.server.servicers.write_report import read_report_request, write_update
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


class Reports(Protocol):
    """Has reports computed."""

    def get(self, question: Question) -> AsyncGenerator[Update]:
        """Yield how far a report is, then the report; closing this is to want it no more.

        Raises UnderstudyError.
        """
        ...

    def tell(self, metric: str) -> str:
        """Return what a metric means, for people; empty if nobody knows."""
        ...


class FeedbackBook(Protocol):
    """What takes feedback. Blocks, and raises RefusedError if the store is away."""

    def keep(self, said: Feedback) -> str:
        """Keep an opinion, the same one once; return its id. Raises UnderstudyError."""
        ...


class RecordServicer(record_pb2_grpc.RecordServiceServicer):
    """Tells what happened. Prompts and answers are for readers only."""

    def __init__(self, archive: Archive, feedback: FeedbackBook, reports: Reports) -> None:
        self._archive = archive
        self._feedback = feedback
        self._reports = reports
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
            full = _fitting(found, lambda one: one.texts.too_many)
            page, token = _fill(full, request, lambda one: write_record(one, is_reader=is_reader))
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
            full = _fitting(found, _has_too_many)
            page, token = _fill(full, request, lambda one: write_pair(one, is_reader=is_reader))
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

    async def GetReport(
        self, request: record_pb2.GetReportRequest, context: Context
    ) -> AsyncGenerator[record_pb2.GetReportResponse]:
        """Tell how far a report is, then the report."""
        async with aclosing(self._reports.get(read_report_request(request))) as updates:
            async for update in updates:
                yield write_update(update, self._reports.tell)

    async def CreateFeedback(
        self, request: record_pb2.CreateFeedbackRequest, context: Context
    ) -> record_pb2.CreateFeedbackResponse:
        """Keep an opinion on an answer."""
        said = read_feedback(request, caller.get().name)
        name = await self._ask(lambda: f"feedback/{self._feedback.keep(said)}")
        return record_pb2.CreateFeedbackResponse(name=name)

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


def _fitting(found: Found[T], lacks_texts: Callable[[T], bool]) -> Found[T]:
    """Return a page that ends before the first whose texts found no room; the next begins there.

    One of which a page has no room for at all is told without.
    """
    for index, (item, _) in enumerate(found.items):
        if index and lacks_texts(item):
            return Found(found.items[:index], has_more=True)
    return found


def _has_too_many(pair: Pair) -> bool:
    sides = (one.kept for one in pair.silents if one.kept is not None)
    return any(one.texts.too_many for one in (*pair.primary, *sides))


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
