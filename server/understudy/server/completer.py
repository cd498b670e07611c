"""The story of one call: who is asked, who next after a failure, and what comes back.

One async generator serves whole answers and streams alike. It decides nothing by itself
(`routing` does) and reaches nothing by itself (`ports` do): time, chance and the network are
handed in.
"""

import asyncio
import random
import secrets
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from understudy.server.domain.completion import Completion, Delta, Routing
from understudy.server.domain.deployment import Deployment
from understudy.server.domain.request import CompletionRequest
from understudy.server.errors import Reason, RefusedError, UnderstudyError, UpstreamError
from understudy.server.events import (
    AttemptEnded,
    AttemptStarted,
    CallEnded,
    CallStarted,
    FirstDelta,
)
from understudy.server.live import Live
from understudy.server.ports import Dialect, Gate, HttpRequest, Journal, Permit, Purpose, Upstream
from understudy.server.routing.attempts import draw_deployment, first_course, next_course
from understudy.server.routing.backoff import wait_before
from understudy.server.routing.targets import choose_group

Part = Routing | Delta | Completion


def new_pair_id() -> str:
    """Return 32 hexadecimal digits that sort by time: milliseconds, then 80 random bits."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


class Completer:
    """Answers calls from the deployments of the live configuration."""

    def __init__(
        self,
        live: Live,
        *,
        dialect: Callable[[str], Dialect],
        upstream: Upstream,
        gate: Gate,
        journal: Journal,
        clock: Callable[[], float],
        ticket: Callable[[], float] = random.random,
        new_id: Callable[[], str] = new_pair_id,
    ) -> None:
        self._live = live
        self._dialect = dialect
        self._upstream = upstream
        self._gate = gate
        self._journal = journal
        self._clock = clock
        self._ticket = ticket
        self._new_id = new_id

    async def complete(self, request: CompletionRequest) -> AsyncGenerator[Part, None]:
        """Yield who answers, then the Deltas of a stream, then the whole answer.

        Close it when leaving early; that closes the connection to the model. Raises
        UnderstudyError with what is known of the call in its metadata.
        """
        snapshot = self._live.current
        pair_id = self._new_id()
        self._journal.note(CallStarted(pair_id, self._clock(), request, snapshot.revision))
        attempts = delivered = 0
        answered = False
        outcome: Reason | None = Reason.CANCELLED
        message = ""
        labels = {"requestId": request.request_id or pair_id}
        try:
            group, variant = choose_group(snapshot, request.target, self._ticket())
            if variant:
                labels["variant"] = variant
            course = first_course(group)
            while True:
                # An independent draw for each attempt: with the first one's ticket, those who
                # are left would not be asked in their own proportion.
                deployment = draw_deployment(course, self._ticket())
                labels |= {
                    "provider": deployment.provider,
                    "model": deployment.model,
                    "deployment": deployment.id,
                }
                try:
                    http = self._dialect(deployment.provider).encode(request.chat, deployment)
                    permit = self._sit_down(deployment)
                    attempts += 1
                    labels["attempt"] = str(attempts)
                    routing = Routing(
                        pair_id,
                        request.request_id or pair_id,
                        course.group.name,
                        deployment.id,
                        deployment.provider,
                        deployment.model,
                        attempts,
                        snapshot.revision,
                        variant,
                    )
                    async with aclosing(
                        self._ask(routing, deployment, http, permit, request)
                    ) as parts:
                        async for part in parts:
                            if not answered:
                                answered = True
                                yield routing
                            delivered += isinstance(part, Delta)
                            yield part
                    outcome = None
                    return
                except UnderstudyError as error:
                    following = None
                    if not answered:
                        following = next_course(snapshot, course, deployment, error.reason)
                    if following is None:
                        raise
                    course = following
                    if course.repeats:
                        delay = self._wait_before(course.retries, error, snapshot.retry_after)
                        if delay is None or self._clock() + delay >= request.deadline:
                            raise
                        await asyncio.sleep(delay)
        except UnderstudyError as error:
            final = _committed(error, delivered)
            outcome, message = final.reason, final.message
            if isinstance(final, UpstreamError) and final.status:
                labels["upstreamStatus"] = str(final.status)
            final.metadata = {**labels, **final.metadata}
            final.attempts = attempts
            if final is error:
                raise
            raise final from error
        finally:
            self._journal.note(CallEnded(pair_id, self._clock(), outcome, attempts, message))

    def _sit_down(self, deployment: Deployment) -> Permit:
        permit = self._gate.enter(deployment, Purpose.PRIMARY)
        if isinstance(permit, RefusedError):
            raise permit
        return permit

    async def _ask(
        self,
        routing: Routing,
        deployment: Deployment,
        http: HttpRequest,
        permit: Permit,
        request: CompletionRequest,
    ) -> AsyncGenerator[Delta | Completion, None]:
        """Make one attempt, leaving the seat and the connection whatever happens."""
        stream = request.chat.stream
        pair_id, attempt = routing.pair_id, routing.attempts
        started = self._clock()
        limit = deployment.timeout
        deadline = request.deadline if limit is None else min(request.deadline, started + limit)
        self._journal.note(
            AttemptStarted(
                pair_id,
                started,
                attempt,
                routing.group,
                deployment.id,
                deployment.provider,
                deployment.model,
                len(http.body),
            )
        )
        reason: Reason | None = Reason.CANCELLED
        status = 0
        completion: Completion | None = None
        first = stream
        try:
            async with self._upstream.exchange(http, deadline) as exchange:
                status = exchange.status
                reader = self._dialect(deployment.provider).reader(stream, status, exchange.headers)
                async for chunk in exchange.chunks():
                    for delta in reader.feed(chunk):
                        if first:
                            first = False
                            self._journal.note(FirstDelta(pair_id, self._clock(), attempt))
                        yield delta
                completion = reader.finish()
            reason = None
            yield completion
        except UpstreamError as error:
            told = self._explain(error, deployment, request.deadline)
            reason = told.reason
            if told is error:
                raise
            raise told from error
        finally:
            permit.leave(reason)
            self._journal.note(
                AttemptEnded(pair_id, self._clock(), attempt, reason, status, completion)
            )

    def _explain(
        self, error: UpstreamError, deployment: Deployment, deadline: float
    ) -> UpstreamError:
        """Return the failure as the caller shall read it."""
        waited = error.reason in (Reason.UPSTREAM_READ_TIMEOUT, Reason.UPSTREAM_CONNECT_TIMEOUT)
        if waited and self._clock() >= deadline:
            return UpstreamError(
                Reason.DEADLINE_EXCEEDED,
                f"the deadline passed while {deployment.id!r} was being asked",
                status=error.status,
            )
        return error

    def _wait_before(self, repeat: int, error: UnderstudyError, least: float) -> float | None:
        asked = error.retry_after if isinstance(error, UpstreamError) else None
        return wait_before(repeat, self._ticket(), asked, least)


def _committed(error: UnderstudyError, delivered: int) -> UnderstudyError:
    """Return the error as it is after pieces were delivered: nobody may replay those silently."""
    if not delivered or error.reason in (Reason.DEADLINE_EXCEEDED, Reason.INTERNAL):
        return error
    if error.reason in (Reason.UPSTREAM_STREAM_TRUNCATED, Reason.UPSTREAM_STREAM_ERROR):
        reason = error.reason
    elif isinstance(error, UpstreamError) and error.reason in _CUT_SHORT:
        reason = Reason.UPSTREAM_STREAM_TRUNCATED
    else:
        reason = Reason.UPSTREAM_STREAM_ERROR
    labels = {**error.metadata, "deltasDelivered": str(delivered)}
    status = error.status if isinstance(error, UpstreamError) else 0
    return UpstreamError(reason, error.message, status=status, delivered=delivered, metadata=labels)


_CUT_SHORT = frozenset(
    {
        Reason.UPSTREAM_TRUNCATED,
        Reason.UPSTREAM_CONNECTION_LOST,
        Reason.UPSTREAM_CONNECT_FAILED,
        Reason.UPSTREAM_READ_TIMEOUT,
    }
)
