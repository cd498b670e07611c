"""One call's dealings with the mirror: what it offers, when, and how it tells of its own end.

Who is offered what is planned in `routing.mirroring`; nothing here waits or fails.
"""

from collections.abc import Callable

from understudy.server.domain.chat import ChatCall
from understudy.server.domain.completion import Completion
from understudy.server.domain.mirroring import Disposition, Offer, PrimaryEnd, SilentTarget
from understudy.server.errors import Reason
from understudy.server.events import Mirrored
from understudy.server.ports import Journal, Mirror
from understudy.server.routing.mirroring import NOBODY, MirrorPlan

# The caller has gone, or was gone when its time was up.
_GIVEN_UP = frozenset({Reason.CANCELLED, Reason.DEADLINE_EXCEEDED})


class MirrorSide:
    """Carries out one plan: some offers beside the first attempt, others after the answer."""

    def __init__(
        self,
        mirror: Mirror,
        journal: Journal,
        clock: Callable[[], float],
        chat: ChatCall,
        pair_id: str,
    ) -> None:
        self._mirror = mirror
        self._journal = journal
        self._clock = clock
        self._chat = chat
        self._pair_id = pair_id
        self._plan = NOBODY
        self._size = 0
        self._dispositions: tuple[Disposition, ...] = ()

    def begin(self, plan: MirrorPlan, chat: ChatCall, size: int) -> None:
        """Offer what goes beside the first attempt: the same prompt, of `size` bytes."""
        self._plan = plan
        self._chat = chat
        self._size = size
        self._mirror.count_refusals(plan.passed_over)
        self._dispositions = plan.passed_over + self._offer(plan.beside)
        if not plan.after:
            self._tell()

    def end(self, outcome: Reason | None, completion: Completion | None) -> None:
        """Offer what waited for the answer, and tell the mirror how the primary ended."""
        plan = self._plan
        if plan is NOBODY:
            return
        if plan.after:
            if outcome is None:
                self._dispositions += self._offer(plan.after)
            else:
                failed = tuple(
                    Disposition(one.silent_model, False, "PRIMARY_FAILED") for one in plan.after
                )
                self._mirror.count_refusals(failed)
                self._dispositions += failed
            self._tell()
        if any(one.offered for one in self._dispositions):
            self._mirror.settle(
                PrimaryEnd(
                    self._pair_id, completion if outcome is None else None, outcome in _GIVEN_UP
                )
            )

    def _offer(self, targets: tuple[SilentTarget, ...]) -> tuple[Disposition, ...]:
        if not targets:
            return ()
        return self._mirror.offer(Offer(self._pair_id, self._chat, self._size, targets))

    def _tell(self) -> None:
        if self._dispositions:
            self._journal.note(Mirrored(self._pair_id, self._clock(), self._dispositions))
