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

from understudy.server.attempt import Asker, Attempt
from understudy.server.domain.completion import Completion, Delta, Routing
from understudy.server.domain.deployment import Deployment, Snapshot
from understudy.server.domain.request import CompletionRequest
from understudy.server.endings import as_committed
from understudy.server.errors import Reason, RefusedError, UnderstudyError, UpstreamError
from understudy.server.events import (
    CallEnded,
    CallStarted,
)
from understudy.server.live import Live
from understudy.server.mirror_side import MirrorSide
from understudy.server.ports import (
    Dialect,
    Gate,
    Journal,
    Mirror,
    Permit,
    Purpose,
    Upstream,
)
from understudy.server.routing.attempts import (
    Course,
    draw_deployment,
    first_course,
    next_course,
)
from understudy.server.routing.backoff import wait_before
from understudy.server.routing.mirroring import plan_mirror
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
        mirror: Mirror,
        journal: Journal,
        clock: Callable[[], float],
        ticket: Callable[[], float] = random.random,
        mirror_after: bool = False,
        new_id: Callable[[], str] = new_pair_id,
    ) -> None:
        self._live = live
        self._dialect = dialect
        self._asker = Asker(upstream, mirror, journal, clock)
        self._gate = gate
        self._mirror = mirror
        self._mirror_after = mirror_after
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
        side = MirrorSide(self._mirror, self._journal, self._clock, request, pair_id)
        drawn: Deployment | None = None
        completion: Completion | None = None
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
                drawn = drawn or deployment
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
                    if attempts == 1 and drawn.silent_models:
                        side.begin(
                            plan_mirror(
                                snapshot,
                                drawn,
                                request,
                                pair_id,
                                self._ticket,
                                after_primary=self._mirror_after,
                            ),
                            len(http.body),
                        )
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
                    attempt = Attempt(routing, deployment, dialect, http, permit)
                    async with aclosing(self._asker.ask(attempt, request)) as parts:
                        async for part in parts:
                            if not answered:
                                answered = True
                                yield routing
                            if isinstance(part, Completion):
                                completion = part
                            else:
                                delivered += 1
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
            side.end(outcome, completion)
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
