"""What the journal is told of a call, in this order: everything else that is said about it, in
logs, records, metrics and traces, is derived from these.

`instant` is in seconds of the monotonic clock, which event loops and threads share. No event holds a credential.
"""

from msgspec import Struct

from understudy.server.domain.completion import Completion
from understudy.server.domain.costs import UNPRICED, Cost
from understudy.server.domain.experiments import Assigned
from understudy.server.domain.mirroring import Disposition, SilentEnd
from understudy.server.domain.request import CompletionRequest
from understudy.server.errors import Reason


class CallStarted(Struct, frozen=True):
    """A request was understood."""

    pair_id: str
    instant: float
    request: CompletionRequest
    revision: int


class VariantChosen(Struct, frozen=True):
    """A call was given a variant: by an experiment, which `assigned` tells, or by its own split."""

    pair_id: str
    instant: float
    variant: str
    assigned: Assigned | None = None


class AttemptStarted(Struct, frozen=True):
    """A deployment is about to be asked. `attempt` counts from 1.

    `origin` is for the operator: callers are not told where a provider is.
    """

    pair_id: str
    instant: float
    attempt: int
    group: str
    deployment: str
    provider: str
    model: str
    origin: str
    request_bytes: int


class FirstDelta(Struct, frozen=True):
    """The first piece of a streamed answer came."""

    pair_id: str
    instant: float
    attempt: int


class AttemptEnded(Struct, frozen=True):
    """A deployment answered, or failed for `reason` (CANCELLED: the caller gave up).

    `status` is the HTTP status, 0 where there was none.
    """

    pair_id: str
    instant: float
    attempt: int
    reason: Reason | None
    status: int
    completion: Completion | None
    response_bytes: int = 0
    cost: Cost = UNPRICED


class CallEnded(Struct, frozen=True):
    """The caller has its answer, or an error for `reason`. `message` is what the caller reads."""

    pair_id: str
    instant: float
    reason: Reason | None
    attempts: int
    message: str = ""


class Mirrored(Struct, frozen=True):
    """What became of a call's silent models: offered, or not and why. Once for each call."""

    pair_id: str
    instant: float
    dispositions: tuple[Disposition, ...]


class SilentEnded(Struct, frozen=True):
    """An offer came to its end. Noted from the mirror's threads, perhaps long after the call."""

    pair_id: str
    instant: float
    end: SilentEnd


CallEvent = (
    CallStarted
    | VariantChosen
    | AttemptStarted
    | FirstDelta
    | AttemptEnded
    | CallEnded
    | Mirrored
    | SilentEnded
)
