"""The story of one call: who is asked, who next after a failure, and what comes back.

One async generator serves whole answers and streams alike. It decides nothing by itself
(`routing` does) and reaches nothing by itself (`ports` do): time, chance and the network are
handed in.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from msgspec import structs

from understudy.server.attempt import Asker, Attempt
from understudy.server.domain.completion import Completion, Delta, Routing
from understudy.server.domain.deployment import Deployment, Snapshot
from understudy.server.domain.request import CompletionRequest, SplitMode
from understudy.server.endings import as_committed, more_telling
from understudy.server.errors import Reason, RefusedError, UnderstudyError, UpstreamError
from understudy.server.events import (
    CallEnded,
    CallStarted,
    VariantChosen,
)
from understudy.server.live import Live
from understudy.server.mirror_side import MirrorSide
from understudy.server.pair_ids import new_pair_id
from understudy.server.ports import (
    Dialect,
    Gate,
    Journal,
    Mirror,
    Permit,
    Purpose,
    Registrar,
    Upstream,
)
from understudy.server.routing.attempts import (
    Course,
    draw_deployment,
    first_course,
    is_replaceable,
    next_course,
)
from understudy.server.routing.backoff import wait_before
from understudy.server.routing.mirroring import plan_mirror
from understudy.server.routing.overriding import override, silent_models
from understudy.server.routing.retry_budget import RetryBudgets
from understudy.server.routing.targets import Choice, choose_target, stand_in

Part = Routing | Delta | Completion


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
        mirror_share: Callable[[], float] = lambda: 1.0,
        registrar: Registrar | None = None,
        new_id: Callable[[], str] = new_pair_id,
    ) -> None:
        self._live = live
        self._dialect = dialect
        self._asker = Asker(upstream, mirror, journal, clock)
        self._gate = gate
        self._mirror = mirror
        self._mirror_after = mirror_after
        self._mirror_share = mirror_share
        self._registrar = registrar
        self._journal = journal
        self._clock = clock
        self._ticket = ticket
        self._new_id = new_id
        self._retries = RetryBudgets()

    async def complete(self, request: CompletionRequest) -> AsyncGenerator[Part, None]:
        """Yield who answers, then the Deltas of a stream, then the whole answer.

        Close it when leaving early; that closes the connection to the model. Raises
        UnderstudyError with what is known of the call in its metadata.
        """
        refusal: UnderstudyError | None = None
        if request.target.mode is SplitMode.REGISTER:
            refusal = await self._register(request)
        snapshot = self._live.current
        pair_id = self._new_id()
        self._journal.note(CallStarted(pair_id, self._clock(), request, snapshot.revision))
        attempts = delivered = 0
        answered = False
        outcome: Reason | None = Reason.CANCELLED
        message = ""
        side = MirrorSide(self._mirror, self._journal, self._clock, request.chat, pair_id)
        drawn: Deployment | None = None
        completion: Completion | None = None
        failure: UnderstudyError | None = None
        labels = {"requestId": request.request_id or pair_id}
        try:
            if self._live.is_waiting:
                raise RefusedError(
                    Reason.STORE_UNAVAILABLE,
                    "the experiments are not known yet: their store is away, and no snapshot of "
                    "it is there",
                    retry_after=1.0,
                )
            choice = self._choose(snapshot, request, refusal)
            if choice.variant:
                labels["variant"] = choice.variant
                self._journal.note(
                    VariantChosen(pair_id, self._clock(), choice.variant, choice.assigned)
                )
            if choice.arm is not None:
                chat = override(request.chat, choice.arm.overrides)
                request = structs.replace(request, chat=chat)
            course = first_course(choice.group)
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
                    permit = self._sit_down(course, deployment)
                    attempts += 1
                    silents = silent_models(choice.experiment, drawn)
                    if attempts == 1 and silents:
                        side.begin(
                            plan_mirror(
                                snapshot,
                                drawn,
                                silents,
                                request,
                                pair_id,
                                self._ticket,
                                after_primary=self._mirror_after,
                                share=self._mirror_share(),
                            ),
                            request.chat,
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
                        choice.variant,
                        choice.assigned.experiment if choice.assigned else "",
                    )
                    attempt = Attempt(routing, deployment, dialect, http, permit, bool(silents))
                    async with aclosing(self._asker.ask(attempt, request)) as parts:
                        async for part in parts:
                            if not answered:
                                answered = True
                                yield routing
                            if isinstance(part, Completion):
                                part = completion = _warned(part, choice)
                            else:
                                delivered += 1
                            yield part
                    outcome = None
                    return
                except UnderstudyError as error:
                    if answered:
                        raise
                    error.metadata = {**labels, **error.metadata}
                    failure = more_telling(failure, error)
                    onward = self._go_on(snapshot, course, deployment, error, request)
                    if onward is None:
                        raise failure from None
                    course, delay = onward
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

    async def _register(self, request: CompletionRequest) -> UnderstudyError | None:
        """Register the experiment that a first call brings along; return what stood against it."""
        target = request.target
        if self._registrar is None or target.experiment in self._live.current.experiments:
            return None
        try:
            await self._registrar.register(
                target.experiment, target.models, control=target.control, actor=request.caller
            )
        except UnderstudyError as error:
            return error
        return None

    def _choose(
        self, snapshot: Snapshot, request: CompletionRequest, refusal: UnderstudyError | None
    ) -> Choice:
        if refusal is None or request.target.experiment in snapshot.experiments:
            return choose_target(snapshot, request, self._ticket())
        if isinstance(refusal, RefusedError):
            # A store that is away fails no completion.
            return stand_in(snapshot, request, self._ticket(), refusal.message)
        raise refusal

    def _sit_down(self, course: Course, deployment: Deployment) -> Permit:
        permit = self._gate.enter(
            deployment, Purpose.PRIMARY, replaceable=is_replaceable(course, deployment)
        )
        if isinstance(permit, RefusedError):
            raise permit
        if course.failure is None:
            self._retries.count_call(course.group.name, self._clock())
        return permit

    def _go_on(
        self,
        snapshot: Snapshot,
        course: Course,
        deployment: Deployment,
        error: UnderstudyError,
        request: CompletionRequest,
    ) -> tuple[Course, float] | None:
        """Return how to go on after a failure and the seconds to wait before; None: not at all.

        A retry for which there is no time, or which the group's budget does not bear, is not
        made: what follows the last retry follows.
        """
        following = next_course(snapshot, course, deployment, error.reason)
        if following is not None and following.retries > course.retries:
            delay = self._wait_before(snapshot, following, error, request)
            if delay is not None and self._retries.withdraw(course.group.name, self._clock()):
                return following, delay
            following = next_course(snapshot, course, deployment, error.reason, may_retry=False)
        return None if following is None else (following, 0.0)

    def _wait_before(
        self,
        snapshot: Snapshot,
        retry: Course,
        error: UnderstudyError,
        request: CompletionRequest,
    ) -> float | None:
        if not retry.repeats:
            return 0.0
        asked = error.retry_after if isinstance(error, UpstreamError) else None
        remaining = request.deadline - self._clock()
        return wait_before(retry.retries, self._ticket(), asked, snapshot.retry_after, remaining)


def _warned(completion: Completion, choice: Choice) -> Completion:
    if not choice.warnings:
        return completion
    return structs.replace(completion, warnings=(*choice.warnings, *completion.warnings))
