"""One attempt: a deployment is asked, and its answer read, whatever happens on the way.

Whom to ask, and whom next after a failure, is `completer`'s story.
"""

import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from functools import partial

from msgspec import structs

from understudy.server.domain.completion import Completion, Delta, Routing
from understudy.server.domain.deployment import Deployment
from understudy.server.domain.request import CompletionRequest
from understudy.server.endings import salvage
from understudy.server.errors import Reason, UpstreamError
from understudy.server.events import AttemptEnded, AttemptStarted, FirstDelta
from understudy.server.ports import Dialect, HttpRequest, Journal, Mirror, Permit, Upstream
from understudy.server.pricing.attempts import cost_of_answer, cost_of_failure
from understudy.server.pricing.estimating import estimate_prompt, measure_piece
from understudy.server.providers.assembly import as_delta
from understudy.server.providers.redaction import redacted


@dataclass(frozen=True, slots=True)
class Attempt:
    """One upstream call: who is asked, in which language, with what, from which seat."""

    routing: Routing
    deployment: Deployment
    dialect: Dialect
    http: HttpRequest
    permit: Permit
    is_mirrored: bool = False


class Asker:
    """Makes attempts, and notes each with what it cost in the journal.

    `clock` is monotonic, in seconds; `calendar` says microseconds since 1970, which prices go by.
    """

    def __init__(
        self,
        upstream: Upstream,
        mirror: Mirror,
        journal: Journal,
        clock: Callable[[], float],
        calendar: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self._upstream = upstream
        self._mirror = mirror
        self._journal = journal
        self._clock = clock
        self._calendar = calendar

    async def ask(
        self, attempt: Attempt, request: CompletionRequest
    ) -> AsyncGenerator[Delta | Completion, None]:
        """Make one attempt, leaving the seat and the connection whatever happens."""
        routing, http = attempt.routing, attempt.http
        stream = request.chat.stream
        pair_id, number = routing.pair_id, routing.attempts
        started, at = self._clock(), self._calendar()
        price, count_prompt = attempt.deployment.price, partial(estimate_prompt, request.chat)
        deadline, silence = _limits(attempt.deployment, request, started)
        self._journal.note(
            AttemptStarted(
                pair_id,
                started,
                number,
                routing.group,
                routing.deployment,
                routing.provider,
                routing.model,
                http.endpoint.origin,
                len(http.body),
            )
        )
        reason: Reason | None = Reason.CANCELLED
        met = Reason.CANCELLED  # what happened, which the caller may read as something else
        retry_after: float | None = None
        status = size = 0
        completion: Completion | None = None
        received = 0 if stream else None
        first = stream
        try:
            async with self._upstream.exchange(http, deadline, silence) as exchange:
                status = exchange.status
                if attempt.is_mirrored:
                    self._mirror.note_headroom(attempt.deployment, exchange.headers)
                reader = attempt.dialect.reader(stream, status, exchange.headers)
                try:
                    async for chunk in exchange.chunks():
                        size += len(chunk)
                        for delta in reader.feed(chunk):
                            if received is not None:
                                received += measure_piece(delta)
                            if first:
                                first = False
                                self._journal.note(FirstDelta(pair_id, self._clock(), number))
                            yield delta
                        if reader.done:
                            exchange.hurry()
                    completion = reader.finish()
                except UpstreamError as error:
                    completion = salvage(reader, status, error)
            took = _micros(self._clock() - started)
            cost = cost_of_answer(completion, count_prompt, price, at, took)
            warnings = (*http.warnings, *completion.warnings)
            completion = structs.replace(completion, cost=cost, warnings=warnings)
            if first:  # asked for a stream, the model answered whole
                yield as_delta(completion)
            reason = None
            yield completion
        except UpstreamError as error:
            met = error.reason
            told = self._explain(error, attempt, request.deadline)
            reason, retry_after = told.reason, told.retry_after
            # Not `from error`: what was taken out of the one must not be read in the other.
            raise told from None
        finally:
            attempt.permit.leave(reason, retry_after)
            ended = self._clock()
            if completion is None:
                took = _micros(ended - started)
                cost = cost_of_failure(met, status, count_prompt, price, at, took, received)
            else:
                cost = completion.cost
            self._journal.note(
                AttemptEnded(pair_id, ended, number, reason, status, completion, size, cost)
            )

    def _explain(self, error: UpstreamError, attempt: Attempt, deadline: float) -> UpstreamError:
        """Return the failure as the caller shall read it.

        Without what may be a credential, and without the provider's address, which is the
        operator's own affair.
        """
        waited = error.reason in (Reason.UPSTREAM_READ_TIMEOUT, Reason.UPSTREAM_CONNECT_TIMEOUT)
        if waited and self._clock() >= deadline:
            return UpstreamError(
                Reason.DEADLINE_EXCEEDED,
                f"the deadline passed while {attempt.routing.deployment!r} was being asked",
                status=error.status,
            )
        endpoint, name = attempt.http.endpoint, f"deployment {attempt.deployment.id!r}"
        told = redacted(error, endpoint)
        return UpstreamError(
            told.reason,
            told.message.replace(endpoint.origin, name),
            status=told.status,
            retry_after=told.retry_after,
            delivered=told.delivered,
            metadata={key: value for key, value in told.metadata.items() if key != "origin"},
        )


def _limits(
    deployment: Deployment, request: CompletionRequest, now: float
) -> tuple[float, float | None]:
    """Return when an attempt ends, and the longest silence in it.

    A time-out is for a whole answer, and for a stream the longest wait for its next piece: a long
    story that keeps coming is no failure.
    """
    if request.chat.stream:
        silence = deployment.stream_timeout
        return request.deadline, deployment.timeout if silence is None else silence
    if deployment.timeout is None:
        return request.deadline, None
    return min(request.deadline, now + deployment.timeout), None


def _micros(seconds: float) -> int:
    return round(seconds * 1_000_000)
