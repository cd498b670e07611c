"""What was recorded, and what is said of it, for threads; its twin is `async_history`."""

import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import TypeVar

from understudy.client.history import (
    Judged,
    Since,
    ask_for_pairs,
    ask_for_records,
    turn,
    write_feedback,
)
from understudy.client.lines import Line
from understudy.client.terms import Terms
from understudy.v1.record_pb2 import ListPairsRequest, ListRecordsRequest, Pair, Record
from understudy.v1.record_pb2_grpc import RecordServiceStub

T = TypeVar("T")


class History(ABC):
    """The part of a client that asks about calls that were."""

    _terms: Terms

    def feedback(
        self,
        answer: Judged,
        metric: str,
        value: bool | float | str,
        *,
        silent_model: str = "",
        feedback_id: str = "",
        timeout: float | None = None,
    ) -> str:
        """Say what an answer was worth; return the id under which that is kept.

        `answer` is what `completion` returned, the first piece of a stream, a record, a pair or a
        pair_id. With `silent_model` it is that model's answer that is judged, not the served one.
        The same `feedback_id` with the same feedback is kept once. Raises NotFound for a pair that
        is none, AlreadyExists for an id of other feedback, InvalidArgument for a silent model that
        was not asked; TypeError or ValueError for arguments that have no meaning.
        """
        name = feedback_id or secrets.token_hex(16)
        request = write_feedback(answer, metric, value, silent_model, name)
        reply = self._ask(
            self._terms.timeout(timeout),
            lambda stub, left: stub.CreateFeedback(
                request, timeout=left, metadata=self._terms.metadata
            ),
        )
        return reply.name.removeprefix("feedback/")

    def records(
        self,
        filter: str = "",
        *,
        since: Since | None = None,
        order_by: str = "",
        timeout: float | None = None,
    ) -> Iterator[Record]:
        """Go through upstream calls, the newest first, a page at a time.

        `filter` is such as `role = SILENT AND latency > 2s`; `since` is such as `7d`, a timedelta
        or a datetime. `timeout` is for a page. `to_dict` makes rows of them.
        """
        request = ask_for_records(filter, since, order_by)
        return self._turn_records(request, self._terms.timeout(timeout))

    def pairs(
        self,
        filter: str = "",
        *,
        since: Since | None = None,
        order_by: str = "",
        timeout: float | None = None,
    ) -> Iterator[Pair]:
        """Go through requests that were played to a silent model, as `records` does.

        `filter` is such as `silent_model = "gpt-4" AND outcome = PAIRED`.
        """
        request = ask_for_pairs(filter, since, order_by)
        return self._turn_pairs(request, self._terms.timeout(timeout))

    def _turn_records(self, request: ListRecordsRequest, seconds: float) -> Iterator[Record]:
        has_more = True
        while has_more:
            page = self._ask(
                seconds,
                lambda stub, left: stub.ListRecords(
                    request, timeout=left, metadata=self._terms.metadata
                ),
            )
            has_more = turn(request, page.next_page_token, len(page.records))
            yield from page.records

    def _turn_pairs(self, request: ListPairsRequest, seconds: float) -> Iterator[Pair]:
        has_more = True
        while has_more:
            page = self._ask(
                seconds,
                lambda stub, left: stub.ListPairs(
                    request, timeout=left, metadata=self._terms.metadata
                ),
            )
            has_more = turn(request, page.next_page_token, len(page.pairs))
            yield from page.pairs

    def _ask(self, seconds: float, question: Callable[[RecordServiceStub, float], T]) -> T:
        return self._repeat(
            seconds, lambda line, left: question(RecordServiceStub(line.channel), left)
        )

    @abstractmethod
    def _repeat(self, timeout: float, attempt: Callable[[Line, float], T]) -> T:
        """Make attempts until one succeeds or its error is final."""
