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
from dataclasses import dataclass

from msgspec import structs

from understudy.server.domain.completion import Completion, Delta, Routing
from understudy.server.domain.deployment import Deployment, Snapshot
from understudy.server.domain.request import CompletionRequest
from understudy.server.endings import as_committed, salvage
from understudy.server.errors import Reason, RefusedError, UnderstudyError, UpstreamError
from understudy.server.events import (
    AttemptEnded,
    AttemptStarted,
    CallEnded,
    CallStarted,
    FirstDelta,
)
from understudy.server.live import Live
from understudy.server.ports import (
    Dialect,
    Gate,
    HttpRequest,
    Journal,
    Permit,
    Purpose,
    Upstream,
)
from understudy.server.providers.assembly import as_delta
from understudy.server.providers.redaction import redacted
from understudy.server.routing.attempts import (
    Course,
    draw_deployment,
    first_course,
    next_course,
)
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
                    dialect = self._dialect(deployment.provider)
                    http = dialect.encode(request.chat, deployment)
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
                    attempt = _Attempt(routing, deployment, dialect, http, permit)
                    async with aclosing(self._ask(attempt, request)) as parts:
                        async for part in parts:
                            if not answered:
                                answered = True
                                yield routing
                            delivered += isinstance(part, Delta)
                            yield part
                    outcome = None
                    return
                except UnderstudyError as error:
                    if answered:
                        raise
                    course, delay = self._go_on(snapshot, course, deployment, error, request)
                    if delay:
                        await asyncio.sleep(delay)
        except UnderstudyError as error:
            final = as_committed(error, delivered)
            outcome, message = final.reason, final.message
            if isinstance(final, UpstreamError) and final.status:
                labels["upstreamStatus"] = str(final.status)
            final.metadata = {**labels, **final.metadata}
            final.attempts = attempts
            raise final from None
        finally:
            self._journal.note(CallEnded(pair_id, self._clock(), outcome, attempts, message))

    def _sit_down(self, deployment: Deployment) -> Permit:
        permit = self._gate.enter(deployment, Purpose.PRIMARY)
        if isinstance(permit, RefusedError):
            raise permit
        return permit

    def _go_on(
        self,
        snapshot: Snapshot,
        course: Course,
        deployment: Deployment,
        error: UnderstudyError,
        request: CompletionRequest,
    ) -> tuple[Course, float]:
        """Return how to go on after a failure, and the seconds to wait before.

        Raises the error itself where nothing is left to try, or no time to try it in.
        """
        following = next_course(snapshot, course, deployment, error.reason)
        if following is None:
            raise error
        if not following.repeats:
            return following, 0.0
        asked = error.retry_after if isinstance(error, UpstreamError) else None
        delay = wait_before(following.retries, self._ticket(), asked, snapshot.retry_after)
        if delay is None or self._clock() + delay >= request.deadline:
            raise error
        return following, delay

    async def _ask(
        self, attempt: "_Attempt", request: CompletionRequest
    ) -> AsyncGenerator[Delta | Completion, None]:
        """Make one attempt, leaving the seat and the connection whatever happens."""
        routing, http = attempt.routing, attempt.http
        stream = request.chat.stream
        pair_id, number = routing.pair_id, routing.attempts
        started = self._clock()
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
        status = 0
        completion: Completion | None = None
        first = stream
        try:
            async with self._upstream.exchange(http, deadline, silence) as exchange:
                status = exchange.status
                reader = attempt.dialect.reader(stream, status, exchange.headers)
                try:
                    async for chunk in exchange.chunks():
                        for delta in reader.feed(chunk):
                            if first:
                                first = False
                                self._journal.note(FirstDelta(pair_id, self._clock(), number))
                            yield delta
                        if reader.done:
                            exchange.hurry()
                    completion = reader.finish()
                except UpstreamError as error:
                    completion = salvage(reader, status, error)
            if first:  # asked for a stream, the model answered whole
                yield as_delta(completion)
            if http.warnings:
                warnings = (*http.warnings, *completion.warnings)
                completion = structs.replace(completion, warnings=warnings)
            reason = None
            yield completion
        except UpstreamError as error:
            told = self._explain(error, attempt, request.deadline)
            reason = told.reason
            # Not `from error`: what was taken out of the one must not be read in the other.
            raise told from None
        finally:
            attempt.permit.leave(reason)
            self._journal.note(
                AttemptEnded(pair_id, self._clock(), number, reason, status, completion)
            )

    def _explain(self, error: UpstreamError, attempt: "_Attempt", deadline: float) -> UpstreamError:
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


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One upstream call: who is asked, in which language, with what, from which seat."""

    routing: Routing
    deployment: Deployment
    dialect: Dialect
    http: HttpRequest
    permit: Permit


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
